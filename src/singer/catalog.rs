//! The catalog: what can be read, and what of it is selected (`DISCOVERY_MODE.md`).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::config::privacy::Privacy;
use crate::document;
use crate::error::{Error, Result};
use crate::model::arrow::Selection;
use crate::model::stream::{EXTRA, Role};
use crate::model::{Field, Stream};
use crate::plan::Mode;

/// The answer to `--discover`: the fields that go out.
pub fn discovered(streams: &[&'static Stream], privacy: &Privacy) -> Value {
    let streams: Vec<Value> = streams.iter().map(|stream| entry(stream, privacy)).collect();
    json!({ "streams": streams })
}

fn entry(stream: &Stream, privacy: &Privacy) -> Value {
    let mut own = json!({
        "inclusion": "available",
        "selected-by-default": true,
        "table-key-properties": [stream.key().name],
    });
    match stream.cursor() {
        Some(cursor) => own["valid-replication-keys"] = json!([cursor.name]),
        None => own["forced-replication-method"] = json!(method(Mode::FullRefresh)),
    }
    let root = json!({"breadcrumb": [], "metadata": own});
    let field = |name: &str, inclusion: &str| {
        json!({
            "breadcrumb": ["properties", name],
            "metadata": {"inclusion": inclusion, "selected-by-default": true},
        })
    };
    let inclusion = |field: &Field| match field.role {
        Role::Key | Role::Cursor => "automatic",
        Role::Active | Role::Plain => "available",
    };
    let declared = stream.fields.iter().map(|declared| (declared.name, inclusion(declared)));
    let fields = declared.chain([(EXTRA, "available")]);
    let fields = fields.filter(|(name, _)| !privacy.excludes(name));
    let fields = fields.map(|(name, inclusion)| field(name, inclusion));
    let metadata: Vec<Value> = [root].into_iter().chain(fields).collect();
    let mut entry = json!({
        "tap_stream_id": stream.name,
        "stream": stream.name,
        "schema": privacy.json_schema(stream),
        "key_properties": [stream.key().name],
    });
    if let Some(cursor) = stream.cursor() {
        entry["replication_key"] = json!(cursor.name);
    }
    entry["replication_method"] = json!(method(Mode::usual(stream)));
    entry["metadata"] = json!(metadata);
    entry
}

/// What the protocol calls a mode.
const fn method(mode: Mode) -> &'static str {
    match mode {
        Mode::FullRefresh => "FULL_TABLE",
        Mode::Incremental => "INCREMENTAL",
    }
}

/// A catalog that the host supplied. Unknown members are ignored: hosts add some.
#[derive(Debug, Deserialize)]
pub struct Catalog {
    streams: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    tap_stream_id: Option<String>,
    stream: Option<String>,
    schema: Option<Value>,
    replication_method: Option<String>,
    replication_key: Option<String>,
    metadata: Option<Vec<Metadata>>,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    breadcrumb: Vec<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
}

/// One stream that is to be read.
#[derive(Debug)]
pub struct Wanted {
    /// The stream.
    pub stream: &'static Stream,
    /// The fields that are selected.
    pub selection: Selection,
    /// The whole list, or what changed.
    pub mode: Mode,
    /// The schema to send: the supplied one, without what is not selected.
    pub schema: Value,
}

/// Every stream with every field, incrementally where it can be: what is read without a catalog.
pub fn everything(streams: &[&'static Stream], privacy: &Privacy) -> Vec<Wanted> {
    let wanted = |stream: &&'static Stream| Wanted {
        stream,
        selection: Selection::all(stream),
        mode: Mode::usual(stream),
        schema: privacy.json_schema(stream),
    };
    streams.iter().map(wanted).collect()
}

impl Catalog {
    /// Reads a catalog; `origin` says in errors where it came from.
    ///
    /// # Errors
    /// `Config`: it is no catalog.
    pub fn parse(json: &[u8], origin: &str) -> Result<Self> {
        let (what, advice) = (format!("The catalog ({origin})"), "Make one with --discover.");
        match document::parse(json, &what, advice) {
            Err(_) if is_of_airbyte(json) => Err(Error::config(format!(
                "{what} is a configured catalog of Airbyte, and a tap takes one of Singer. {advice}"
            ))),
            parsed => parsed,
        }
    }

    /// What is to be read, and warnings of what is not.
    ///
    /// # Errors
    /// `Config`: an unknown replication method.
    pub fn wanted(
        &self,
        streams: &[&'static Stream],
        privacy: &Privacy,
    ) -> Result<(Vec<Wanted>, Vec<String>)> {
        let (mut wanted, mut warnings) = (Vec::new(), Vec::new());
        for stream in streams {
            match self.streams.iter().find(|entry| entry.is_of(stream)) {
                Some(entry) if entry.is_selected(&[]) => {
                    wanted.push(entry.wanted(stream, privacy)?);
                    warnings.extend(entry.other_key(stream));
                    warnings.extend(privacy.warning(stream, |name| entry.selects(name)));
                }
                Some(_) => warnings.push(format!(
                    "Stream `{}` is not selected in the catalog, so it is not read. Select it to read it.",
                    stream.name
                )),
                None => warnings.push(format!(
                    "Stream `{}` is not in the catalog, so it is not read. Add it to read it.",
                    stream.name
                )),
            }
        }
        let is_known = |entry: &&Entry| streams.iter().any(|stream| entry.is_of(stream));
        for entry in self.streams.iter().filter(|entry| !is_known(entry)) {
            warnings.push(format!(
                "The catalog lists an unknown stream `{}`. Regenerate it with --discover.",
                entry.name().unwrap_or_default()
            ));
        }
        Ok((wanted, warnings))
    }
}

/// Whether it is what Airbyte gives to `read`.
fn is_of_airbyte(json: &[u8]) -> bool {
    let json: Value = serde_json::from_slice(document::without_mark(json)).unwrap_or_default();
    json.pointer("/streams/0/stream/name").is_some()
}

impl Entry {
    fn name(&self) -> Option<&str> {
        self.tap_stream_id.as_deref().or(self.stream.as_deref())
    }

    fn is_of(&self, stream: &Stream) -> bool {
        self.name() == Some(stream.name)
    }

    fn wanted(&self, stream: &'static Stream, privacy: &Privacy) -> Result<Wanted> {
        let schema = self.schema(stream, privacy);
        let properties = schema.get("properties").and_then(Value::as_object);
        let selection =
            Selection::of(stream, |name| properties.is_none_or(|known| known.contains_key(name)));
        Ok(Wanted { stream, selection, mode: self.mode(stream)?, schema })
    }

    /// The properties of the supplied schema, if it has some.
    fn properties(&self) -> Option<&Map<String, Value>> {
        let properties = self.schema.as_ref()?.get("properties")?.as_object()?;
        Some(properties).filter(|properties| !properties.is_empty())
    }

    /// Whether a field is in the supplied schema and selected.
    fn selects(&self, name: &str) -> bool {
        self.properties().is_some_and(|known| known.contains_key(name))
            && self.is_selected(&["properties", name])
    }

    /// The supplied schema, or ours where there is none, without the fields that are not selected or are left
    /// out. Key and cursor stay, whatever is selected. What is hashed is described as we do.
    fn schema(&self, stream: &Stream, privacy: &Privacy) -> Value {
        let ours = privacy.json_schema(stream);
        let supplied = self.schema.as_ref().filter(|_| self.properties().is_some());
        let mut schema = supplied.unwrap_or(&ours).clone();
        let cursor = stream.cursor().map(|cursor| cursor.name);
        let automatic: Vec<&str> = [stream.key().name].into_iter().chain(cursor).collect();
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.retain(|name, _| {
                let is_wanted = self.is_selected(&["properties", name]);
                automatic.contains(&name.as_str()) || (is_wanted && !privacy.excludes(name))
            });
            for (name, property) in properties.iter_mut().filter(|(name, _)| privacy.hashes(name)) {
                *property = ours["properties"][name].clone();
            }
            for name in &automatic {
                let name = *name;
                properties.entry(name).or_insert_with(|| ours["properties"][name].clone());
            }
        }
        let properties = schema["properties"].clone();
        if let Some(Value::Array(required)) = schema.get_mut("required") {
            required
                .retain(|name| name.as_str().is_some_and(|name| properties.get(name).is_some()));
        }
        schema
    }

    /// Whether something is selected, in the order of Meltano's SDK: what is unsupported or is part of
    /// something that is not selected is not, what is automatic is, then `selected`, then
    /// `selected-by-default`, then what it is part of.
    fn is_selected(&self, breadcrumb: &[&str]) -> bool {
        let Some(metadata) = self.metadata.as_deref().filter(|metadata| !metadata.is_empty())
        else {
            return true;
        };
        let parent = breadcrumb.split_last_chunk::<2>().map(|(parent, _)| self.is_selected(parent));
        if parent == Some(false) {
            return false;
        }
        let here = metadata.iter().find(|entry| entry.breadcrumb == breadcrumb);
        let value = |name: &str| here.and_then(|entry| entry.metadata.get(name));
        match value("inclusion").and_then(Value::as_str) {
            Some("unsupported") => return false,
            Some("automatic") => return true,
            _ => {}
        }
        value("selected")
            .and_then(Value::as_bool)
            .or_else(|| value("selected-by-default").and_then(Value::as_bool))
            .or(parent)
            .unwrap_or(false)
    }

    /// A warning where the catalog asks for another replication key than the one there is.
    fn other_key(&self, stream: &Stream) -> Option<String> {
        let root = self.metadata.iter().flatten().find(|entry| entry.breadcrumb.is_empty());
        let asked = root.and_then(|root| root.metadata.get("replication-key")?.as_str());
        let asked = asked.or(self.replication_key.as_deref())?;
        let cursor = stream.cursor().map_or("none", |cursor| cursor.name);
        (asked != cursor).then(|| {
            format!(
                "Stream `{}` has another replication key ({cursor}), so `{asked}` in the catalog is ignored.",
                stream.name
            )
        })
    }

    /// The replication method: in the metadata, where a person sets it, or on the stream.
    fn mode(&self, stream: &Stream) -> Result<Mode> {
        let root = self.metadata.iter().flatten().find(|entry| entry.breadcrumb.is_empty());
        let wanted = ["replication-method", "forced-replication-method"]
            .iter()
            .find_map(|name| root?.metadata.get(*name)?.as_str())
            .or(self.replication_method.as_deref());
        let Some(wanted) = wanted else { return Ok(Mode::usual(stream)) };
        let modes = Mode::of(stream);
        modes.iter().copied().find(|mode| method(*mode) == wanted).ok_or_else(|| {
            let available: Vec<&str> = modes.iter().map(|mode| method(*mode)).collect();
            Error::config(format!(
                "Stream `{}` has no replication method `{wanted}`, which the catalog asks for. Available: {}.",
                stream.name,
                available.join(", ")
            ))
        })
    }
}

#[cfg(test)]
mod tests;
