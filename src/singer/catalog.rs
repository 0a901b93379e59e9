//! The catalog: what can be read, and what of it is selected (`DISCOVERY_MODE.md`).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::document;
use crate::error::{Error, Result};
use crate::model::arrow::Selection;
use crate::model::json_schema::json_schema;
use crate::model::stream::{EXTRA, Role};
use crate::model::{Field, Stream};
use crate::plan::Mode;

/// The answer to `--discover`.
pub fn discovered(streams: &[&'static Stream]) -> Value {
    let streams: Vec<Value> = streams.iter().map(|stream| entry(stream)).collect();
    json!({ "streams": streams })
}

fn entry(stream: &Stream) -> Value {
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
    let fields = stream.fields.iter().map(|declared| field(declared.name, inclusion(declared)));
    let metadata: Vec<Value> =
        [root].into_iter().chain(fields).chain([field(EXTRA, "available")]).collect();
    let mut entry = json!({
        "tap_stream_id": stream.name,
        "stream": stream.name,
        "schema": json_schema(stream),
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
pub fn everything(streams: &[&'static Stream]) -> Vec<Wanted> {
    let wanted = |stream: &&'static Stream| Wanted {
        stream,
        selection: Selection::all(stream),
        mode: Mode::usual(stream),
        schema: json_schema(stream),
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
    pub fn wanted(&self, streams: &[&'static Stream]) -> Result<(Vec<Wanted>, Vec<String>)> {
        let (mut wanted, mut warnings) = (Vec::new(), Vec::new());
        for stream in streams {
            match self.streams.iter().find(|entry| entry.is_of(stream)) {
                Some(entry) if entry.is_selected(&[]) => {
                    wanted.push(entry.wanted(stream)?);
                    warnings.extend(entry.other_key(stream));
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

    fn wanted(&self, stream: &'static Stream) -> Result<Wanted> {
        let schema = self.schema(stream);
        let properties = schema.get("properties").and_then(Value::as_object);
        let selection =
            Selection::of(stream, |name| properties.is_none_or(|known| known.contains_key(name)));
        Ok(Wanted { stream, selection, mode: self.mode(stream)?, schema })
    }

    /// The supplied schema, or ours where there is none, without the fields that are not selected. Key and
    /// cursor stay, whatever is selected.
    fn schema(&self, stream: &Stream) -> Value {
        let ours = json_schema(stream);
        let has_properties = |schema: &&Value| {
            schema
                .get("properties")
                .and_then(Value::as_object)
                .is_some_and(|known| !known.is_empty())
        };
        let mut schema = self.schema.as_ref().filter(has_properties).unwrap_or(&ours).clone();
        let cursor = stream.cursor().map(|cursor| cursor.name);
        let automatic: Vec<&str> = [stream.key().name].into_iter().chain(cursor).collect();
        if let Some(Value::Object(properties)) = schema.get_mut("properties") {
            properties.retain(|name, _| {
                automatic.contains(&name.as_str()) || self.is_selected(&["properties", name])
            });
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
mod tests {
    use super::*;
    use crate::streams::ALL;

    fn catalog(change: impl FnOnce(&mut Value)) -> Catalog {
        let mut catalog = discovered(ALL);
        change(&mut catalog["streams"][0]);
        Catalog::parse(catalog.to_string().as_bytes(), "catalog.json").unwrap()
    }

    fn wanted(change: impl FnOnce(&mut Value)) -> Option<Wanted> {
        catalog(change).wanted(ALL).unwrap().0.pop()
    }

    fn names(wanted: &Wanted) -> Vec<&str> {
        wanted.selection.fields.iter().map(|&index| ALL[0].fields[index].name).collect()
    }

    /// The metadata of a field, or of the stream.
    fn metadata<'a>(stream: &'a mut Value, name: Option<&str>) -> &'a mut Value {
        let breadcrumb = name.map_or(json!([]), |name| json!(["properties", name]));
        let entries = stream["metadata"].as_array_mut().unwrap();
        &mut entries.iter_mut().find(|entry| entry["breadcrumb"] == breadcrumb).unwrap()["metadata"]
    }

    #[test]
    fn what_is_discovered_selects_everything() {
        let wanted = wanted(|_| {}).unwrap();
        assert_eq!(wanted.selection, Selection::all(ALL[0]));
        assert_eq!(wanted.schema, json_schema(ALL[0]));
        assert_eq!(wanted.mode, Mode::Incremental);
    }

    #[test]
    fn a_deselected_field_is_gone_from_properties_and_required() {
        let wanted = wanted(|stream| {
            metadata(stream, Some("name"))["selected"] = json!(false);
            metadata(stream, Some("_extra"))["selected"] = json!(false);
            stream["schema"]["required"] = json!(["id", "name"]);
        })
        .unwrap();
        assert!(!names(&wanted).contains(&"name") && !wanted.selection.extra);
        assert!(wanted.schema["properties"].get("name").is_none());
        assert_eq!(wanted.schema["required"], json!(["id"]));
    }

    #[test]
    fn automatic_fields_stay_when_deselected() {
        let wanted = wanted(|stream| {
            for field in stream["metadata"].as_array_mut().unwrap() {
                let is_root = field["breadcrumb"] == json!([]);
                field["metadata"]["selected"] = json!(is_root);
            }
        })
        .unwrap();
        assert_eq!(names(&wanted), ["id", "updatedOn"]);
        assert_eq!(wanted.schema["properties"].as_object().unwrap().len(), 2);
    }

    #[test]
    fn selection_goes_by_selected_then_default_then_the_stream() {
        let wanted = wanted(|stream| {
            metadata(stream, Some("name"))["selected-by-default"] = json!(false);
            metadata(stream, Some("code"))["selected-by-default"] = json!(false);
            metadata(stream, Some("code"))["selected"] = json!(true);
            metadata(stream, Some("active"))["inclusion"] = json!("unsupported");
            *metadata(stream, Some("customerType")) = json!({});
        })
        .unwrap();
        let names = names(&wanted);
        assert!(!names.contains(&"name") && names.contains(&"code"));
        assert!(!names.contains(&"active") && names.contains(&"customerType"));
    }

    #[test]
    fn a_stream_that_is_not_selected_or_missing_is_warned_of() {
        let unselected = catalog(|stream| metadata(stream, None)["selected"] = json!(false));
        let (wanted, warnings) = unselected.wanted(ALL).unwrap();
        assert!(wanted.is_empty() && warnings[0].contains("not selected"), "{warnings:?}");
        let renamed = catalog(|stream| stream["tap_stream_id"] = json!("orders"));
        let (wanted, warnings) = renamed.wanted(ALL).unwrap();
        assert!(wanted.is_empty() && warnings.len() == 2, "{warnings:?}");
    }

    #[test]
    fn the_supplied_schema_is_the_one_that_is_sent() {
        let schema = wanted(|stream| {
            stream["schema"]["properties"]["name"]["maxLength"] = json!(200);
            stream["schema"]["properties"].as_object_mut().unwrap().remove("updatedOn");
            stream["schema"]["properties"].as_object_mut().unwrap().remove("code");
        })
        .unwrap();
        assert_eq!(schema.schema["properties"]["name"]["maxLength"], json!(200));
        assert!(schema.schema["properties"].get("updatedOn").is_some());
        assert!(!names(&schema).contains(&"code"));
    }

    #[test]
    fn the_replication_method_is_read_at_both_places() {
        let mode = |change: &dyn Fn(&mut Value)| wanted(|stream| change(stream)).unwrap().mode;
        assert_eq!(
            mode(&|stream| stream["replication_method"] = json!("FULL_TABLE")),
            Mode::FullRefresh
        );
        assert_eq!(
            mode(&|stream| metadata(stream, None)["replication-method"] = json!("FULL_TABLE")),
            Mode::FullRefresh
        );
        let other = catalog(|stream| stream["replication_method"] = json!("LOG_BASED"));
        assert!(other.wanted(ALL).unwrap_err().to_string().contains("LOG_BASED"));
    }
}
