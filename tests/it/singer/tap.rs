//! The program as a tap. Its stdout is read the way Meltano's targets do, but strictly: a target ignores
//! keys that it does not know and takes much for a date, so a fault could hide.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::Connector;
use crate::support::answer::{Answer, Failure};
use crate::support::json::parse_strictly;
use crate::support::schema::{assert_records_match, is_time};
use crate::support::secrets::assert_absent;

/// What a message of each type must have, and what it may have.
const KEYS: &[(&str, &[&str], &[&str])] = &[
    ("SCHEMA", &["stream", "schema", "key_properties"], &["bookmark_properties"]),
    ("RECORD", &["stream", "record", "time_extracted"], &["version"]),
    ("STATE", &["value"], &[]),
    ("ACTIVATE_VERSION", &["stream", "version"], &[]),
];

/// The end of a run of the tap, which was searched for the tokens that the program was given.
#[derive(Debug)]
pub(super) struct Run(pub(super) Answer);

/// Runs the tap with these flags; `config.json` is the connector's configuration.
#[track_caller]
pub(super) fn tap(connector: &Connector, arguments: &[&str]) -> Run {
    let answer = connector.run(arguments);
    for secret in connector.secrets() {
        assert_absent(secret, "stdout", &answer.stdout);
        assert_absent(secret, "stderr", answer.stderr.as_bytes());
    }
    Run(answer)
}

/// Reads with the connector's configuration and, where they are given, a catalog and a state.
#[track_caller]
pub(super) fn sync(connector: &Connector, catalog: Option<&Value>, state: Option<&Value>) -> Run {
    let mut arguments = vec!["--config", "config.json"];
    if let Some(catalog) = catalog {
        connector.write("catalog.json", catalog.to_string());
        arguments.extend(["--catalog", "catalog.json"]);
    }
    if let Some(state) = state {
        connector.write("state.json", state.to_string());
        arguments.extend(["--state", "state.json"]);
    }
    tap(connector, &arguments)
}

/// Reads everything, without a catalog or a state.
#[track_caller]
pub(super) fn sync_all(connector: &Connector) -> Run {
    sync(connector, None, None)
}

impl Run {
    /// Every line of stdout, proved to be a Singer message, in an order that loses nothing.
    pub(super) fn messages(&self) -> Vec<Value> {
        let text = self.0.text();
        assert!(text.is_empty() || text.ends_with('\n'), "the last line does not end: {text}");
        let messages: Vec<Value> = text.lines().map(message).collect();
        assert_order(&messages);
        messages
    }

    /// The messages of one type.
    pub(super) fn of(&self, kind: &str) -> Vec<Value> {
        let mut messages = self.messages();
        messages.retain(|message| message["type"] == kind);
        messages
    }

    /// The types of messages that there are.
    pub(super) fn types(&self) -> BTreeSet<String> {
        let kind = |message: &Value| message["type"].as_str().unwrap().to_owned();
        self.messages().iter().map(kind).collect()
    }

    /// The records.
    pub(super) fn rows(&self) -> Vec<Value> {
        self.of("RECORD").into_iter().map(|mut message| message["record"].take()).collect()
    }

    /// The one schema.
    pub(super) fn schema(&self) -> Value {
        let schemas = self.of("SCHEMA");
        assert_eq!(schemas.len(), 1, "{}", self.0.told());
        schemas[0]["schema"].clone()
    }

    /// The state that the run ends with.
    pub(super) fn state(&self) -> Value {
        let messages = self.messages();
        let last = messages.last().unwrap();
        assert_eq!(last["type"], "STATE", "{last}");
        last["value"].clone()
    }

    /// What the state has of customers.
    pub(super) fn bookmark(&self) -> Value {
        self.state()["bookmarks"]["customers"].clone()
    }

    /// The lines of stderr that begin with this level.
    pub(super) fn logs(&self, level: &str) -> Vec<&str> {
        self.0.stderr.lines().filter(|line| line.starts_with(level)).collect()
    }

    /// Asserts that it succeeded, and gives it back.
    #[track_caller]
    pub(super) fn succeeded(self) -> Self {
        assert_eq!(self.0.code, Some(0), "{}", self.0.told());
        assert!(!self.0.stderr.contains("CRITICAL"), "{}", self.0.told());
        self.messages_if_any();
        self
    }

    /// Asserts that it failed in this way and wrote no state, and gives its last line.
    #[track_caller]
    pub(super) fn failed(&self, failure: Failure) -> &str {
        assert_eq!(self.0.code, Some(failure.code()), "{}", self.0.told());
        assert!(self.of("STATE").is_empty(), "{}", self.0.told());
        let last = self.0.stderr.lines().last().unwrap_or_default();
        assert!(last.starts_with("CRITICAL "), "{}", self.0.told());
        last
    }

    /// Reads the messages of a run whose stdout has any: `--discover` and `--about` answer otherwise.
    fn messages_if_any(&self) {
        if self.0.text().starts_with(r#"{"type":"#) {
            self.messages();
        }
    }
}

/// The message of a line, which has each key once and no other key than its type allows.
fn message(line: &str) -> Value {
    let message = parse_strictly(line);
    let keys: Vec<&str> = message.as_object().unwrap().keys().map(String::as_str).collect();
    let (_, needed, allowed) = KEYS
        .iter()
        .find(|(kind, ..)| message["type"] == **kind)
        .unwrap_or_else(|| panic!("targets do not know the message {line}"));
    assert!(needed.iter().all(|key| keys.contains(key)), "{line}");
    let is_allowed = |key: &&str| *key == "type" || needed.contains(key) || allowed.contains(key);
    assert!(keys.iter().all(is_allowed), "{line}");
    if message["type"] == "RECORD" {
        assert!(message["time_extracted"].as_str().is_some_and(is_time), "{line}");
    }
    message
}

/// `SCHEMA` comes before the records of its stream, `STATE` comes last, and there is at most one.
fn assert_order(messages: &[Value]) {
    let mut described = BTreeSet::new();
    for (position, message) in messages.iter().enumerate() {
        match message["type"].as_str().unwrap() {
            "SCHEMA" => {
                assert!(jsonschema::draft7::meta::is_valid(&message["schema"]), "{message}");
                described.insert(message["stream"].to_string());
            }
            "STATE" => {
                assert_eq!(position + 1, messages.len(), "what follows a STATE is lost");
                assert!(!message.to_string().contains("progress_markers"), "{message}");
            }
            _ => assert!(described.contains(&message["stream"].to_string()), "{message}"),
        }
    }
}

/// Asserts that the schema allows every row, and that each row has a key which no other has.
#[track_caller]
pub(super) fn assert_rows_match(rows: &[Value], schema: &Value) {
    assert_records_match(rows, schema);
    let ids: BTreeSet<i64> = rows.iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), rows.len(), "an id occurs twice");
}

/// The catalog of `--discover`.
pub(super) fn discover(connector: &Connector) -> Value {
    serde_json::from_str(tap(connector, &["--discover"]).succeeded().0.text()).unwrap()
}

/// The catalog's one stream, which can be changed.
pub(super) fn stream(catalog: &mut Value) -> &mut Value {
    let streams = catalog["streams"].as_array_mut().unwrap();
    assert_eq!(streams.len(), 1);
    &mut streams[0]
}

/// The metadata of the stream, or of one of its fields, which can be changed.
pub(super) fn metadata<'c>(catalog: &'c mut Value, field: Option<&str>) -> &'c mut Value {
    let breadcrumb = field.map_or(json!([]), |field| json!(["properties", field]));
    let entries = stream(catalog)["metadata"].as_array_mut().unwrap();
    let entry = entries.iter_mut().find(|entry| entry["breadcrumb"] == breadcrumb).unwrap();
    &mut entry["metadata"]
}

/// The catalog as Meltano writes it where these fields are selected: none is at first, the automatic ones neither.
pub(super) fn selecting(catalog: &Value, names: &[&str]) -> Value {
    let mut catalog = catalog.clone();
    for entry in stream(&mut catalog)["metadata"].as_array_mut().unwrap() {
        let field = entry["breadcrumb"].as_array().unwrap().last();
        let is_selected = field.is_none_or(|name| names.contains(&name.as_str().unwrap()));
        entry["metadata"]["selected"] = is_selected.into();
    }
    catalog
}
