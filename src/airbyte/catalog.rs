//! The catalog: what can be read (`AirbyteCatalog`), and what the host wants
//! (`ConfiguredAirbyteCatalog`).

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::config::privacy::Privacy;
use crate::document;
use crate::error::{Error, Result};
use crate::model::Stream;
use crate::model::arrow::Selection;
use crate::plan::Mode;

/// The answer to `discover`: the fields that go out.
pub fn discovered(streams: &[&'static Stream], privacy: &Privacy) -> Value {
    let streams: Vec<Value> = streams.iter().map(|stream| entry(stream, privacy)).collect();
    json!({ "streams": streams })
}

fn entry(stream: &Stream, privacy: &Privacy) -> Value {
    let modes: Vec<&str> = Mode::of(stream).iter().map(|mode| sync_mode(*mode)).collect();
    let mut entry = json!({
        "name": stream.name,
        "json_schema": privacy.json_schema(stream),
        "supported_sync_modes": modes,
        "source_defined_cursor": true,
        "default_cursor_field": stream.cursor().map(|cursor| [cursor.name]),
        "source_defined_primary_key": [[stream.key().name]],
        "is_resumable": false,
    });
    if stream.cursor().is_none()
        && let Some(entry) = entry.as_object_mut()
    {
        entry.retain(|member, _| !member.contains("cursor"));
    }
    entry
}

/// What the protocol calls a mode.
const fn sync_mode(mode: Mode) -> &'static str {
    match mode {
        Mode::FullRefresh => "full_refresh",
        Mode::Incremental => "incremental",
    }
}

/// What the host wants. Unknown members are ignored: hosts add some.
#[derive(Debug, Deserialize)]
pub struct Configured {
    streams: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    stream: Described,
    #[serde(default)]
    sync_mode: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Described {
    name: String,
    #[serde(default)]
    json_schema: Option<Value>,
}

/// What `discover` prints, as people save it: its message, or the catalog in it.
#[derive(Debug, Deserialize)]
struct Discovered {
    #[serde(alias = "catalog")]
    streams: DiscoveredStreams,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum DiscoveredStreams {
    Bare(Vec<Described>),
    Wrapped { streams: Vec<Described> },
}

impl Discovered {
    fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(document::without_mark(json)).ok()
    }

    /// Every stream with every field, in its first sync mode.
    fn whole(self) -> Configured {
        let (DiscoveredStreams::Bare(streams) | DiscoveredStreams::Wrapped { streams }) =
            self.streams;
        let entry = |stream| Entry { stream, sync_mode: None };
        Configured { streams: streams.into_iter().map(entry).collect() }
    }
}

/// One stream that the host wants.
#[derive(Debug)]
pub struct Wanted {
    /// The stream.
    pub stream: &'static Stream,
    /// The fields it wants.
    pub selection: Selection,
    /// The whole list, or what changed.
    pub mode: Mode,
}

impl Configured {
    /// Reads a configured catalog; `origin` says in errors where it came from.
    ///
    /// # Errors
    /// `Config`: it is no configured catalog.
    pub fn parse(json: &[u8], origin: &str) -> Result<Self> {
        let expected = "Expected {\"streams\": [{\"stream\": {\"name\": …}, \"sync_mode\": …}]}, made from what `discover` shows.";
        let what = format!("The configured catalog ({origin})");
        match document::parse(json, &what, expected) {
            Err(_) if let Some(discovered) = Discovered::parse(json) => Ok(discovered.whole()),
            Err(_) if is_of_singer(json) => Err(Error::config(format!(
                "{what} is a catalog of Singer, and `read` takes one of Airbyte. {expected}"
            ))),
            parsed => parsed,
        }
    }

    /// The names of the streams, in their order.
    pub fn names(&self) -> Vec<&str> {
        self.streams.iter().map(|entry| entry.stream.name.as_str()).collect()
    }

    /// Warnings of fields that are selected and left out.
    pub fn warnings(&self, streams: &[&'static Stream], privacy: &Privacy) -> Vec<String> {
        let warning = |entry: &Entry| {
            let stream = streams.iter().find(|stream| stream.name == entry.stream.name)?;
            let selected = properties(entry.stream.json_schema.as_ref())?;
            privacy.warning(stream, |name| selected.contains_key(name))
        };
        self.streams.iter().filter_map(warning).collect()
    }

    /// What is to be read of the streams that there are.
    ///
    /// # Errors
    /// `Config`, with the stream's name: an unknown stream or sync mode, or a stream
    /// that occurs twice.
    pub fn wanted(&self, streams: &[&'static Stream]) -> Result<Vec<Wanted>, (Error, String)> {
        let mut wanted: Vec<Wanted> = Vec::new();
        for entry in &self.streams {
            let name = &entry.stream.name;
            let refuse = |fault: String| {
                (Error::config(format!("The configured catalog is wrong: {fault}.")), name.clone())
            };
            let Some(stream) = streams.iter().find(|stream| stream.name == name) else {
                let known: Vec<&str> = streams.iter().map(|stream| stream.name).collect();
                let known = known.join(", ");
                return Err(refuse(format!(
                    "it names an unknown stream `{name}`; available: {known}"
                )));
            };
            if wanted.iter().any(|other| other.stream.name == name) {
                return Err(refuse(format!("it names stream `{name}` twice")));
            }
            let modes = Mode::of(stream);
            let wanted_mode = entry.sync_mode.as_deref().unwrap_or(sync_mode(Mode::FullRefresh));
            let Some(mode) = modes.iter().find(|mode| sync_mode(**mode) == wanted_mode) else {
                let available: Vec<&str> = modes.iter().map(|mode| sync_mode(*mode)).collect();
                return Err(refuse(format!(
                    "stream `{name}` has no sync mode `{wanted_mode}`; available: {}",
                    available.join(", ")
                )));
            };
            let mode = *mode;
            let selection = selection(stream, entry.stream.json_schema.as_ref());
            wanted.push(Wanted { stream, selection, mode });
        }
        Ok(wanted)
    }
}

/// Whether it is what `--discover` of a tap prints.
fn is_of_singer(json: &[u8]) -> bool {
    let json: Value = serde_json::from_slice(document::without_mark(json)).unwrap_or_default();
    json.pointer("/streams/0/tap_stream_id").is_some()
}

/// The fields of a schema's `properties`; all of them where it has none.
fn selection(stream: &Stream, schema: Option<&Value>) -> Selection {
    match properties(schema) {
        Some(properties) => Selection::of(stream, |name| properties.contains_key(name)),
        None => Selection::all(stream),
    }
}

fn properties(schema: Option<&Value>) -> Option<&Map<String, Value>> {
    let properties = schema?.get("properties")?.as_object()?;
    Some(properties).filter(|properties| !properties.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::ALL;

    fn wanted(json: Value) -> Result<Vec<Wanted>, (Error, String)> {
        Configured::parse(json.to_string().as_bytes(), "catalog.json").unwrap().wanted(ALL)
    }

    fn one(schema: Value) -> Selection {
        let catalog = json!({"streams": [{
            "stream": {"name": "customers", "json_schema": schema}, "sync_mode": "incremental",
        }]});
        wanted(catalog).unwrap().remove(0).selection
    }

    #[test]
    fn no_or_empty_properties_select_everything() {
        let all = Selection::all(ALL[0]);
        for schema in
            [json!(null), json!({}), json!({"properties": {}}), json!({"properties": null})]
        {
            assert_eq!(one(schema.clone()), all, "{schema}");
        }
    }

    #[test]
    fn properties_select_fields_and_key_and_cursor_always_come() {
        let selection = one(json!({"properties": {"name": {}, "unheard_of": {}}}));
        let names: Vec<&str> =
            selection.fields.iter().map(|&index| ALL[0].fields[index].name).collect();
        assert_eq!(names, ["id", "name", "updatedOn"]);
        assert!(!selection.extra);
        assert!(one(json!({"properties": {"_extra": {}}})).extra);
    }

    #[test]
    fn what_there_is_not_is_refused_by_name() {
        let stream = |name: &str, mode: &str| json!({"stream": {"name": name}, "sync_mode": mode});
        for (streams, part) in [
            (vec![stream("orders", "INVALID")], "unknown stream `orders`; available: customers"),
            (vec![stream("customers", "INVALID")], "sync mode `INVALID`"),
            (vec![stream("customers", "incremental"); 2], "twice"),
        ] {
            let (error, _) = wanted(json!({"streams": streams})).unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
        }
    }

    #[test]
    fn what_discover_prints_is_every_stream_with_every_field_in_its_first_mode() {
        let catalog = discovered(ALL, &Privacy::default());
        for given in [json!({"type": "CATALOG", "catalog": catalog}), catalog] {
            let wanted = wanted(given).unwrap();
            let read: Vec<_> = wanted.iter().map(|one| (one.stream.name, one.mode)).collect();
            let first = |stream: &&Stream| (stream.name, Mode::of(stream)[0]);
            assert_eq!(read, ALL.iter().map(first).collect::<Vec<_>>());
            assert!(wanted.iter().all(|one| one.selection == Selection::all(one.stream)));
        }
    }

    #[test]
    fn what_is_no_catalog_is_refused() {
        for json in ["", "[]", "{}", r#"{"streams": {}}"#, r#"{"streams": [{}]}"#] {
            assert!(Configured::parse(json.as_bytes(), "catalog.json").is_err(), "{json}");
        }
    }
}
