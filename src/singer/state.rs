//! The state: a bookmark for each stream, among whatever else the host keeps there
//! (`CONFIG_AND_STATE.md`).

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::members::Members;
use crate::document;
use crate::error::{Error, Result};
use crate::model::{Stream, Zone};
use crate::state::{List, State};
use crate::streams::ALL;

/// What to do about a state that cannot be read.
const ADVICE: &str = "Pass the last STATE of this tap, or none to read everything.";

/// The member of a bookmark that keeps the version which was activated last in the target.
const TABLE_VERSION: &str = "table_version";

/// The whole state of a pipeline. What is not of a stream that is read survives untouched, in the words of whoever wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bookmarks {
    /// Everything; the place of `bookmarks` alone counts.
    state: Members,
    bookmarks: Members,
}

impl Bookmarks {
    /// Reads a state file: `{"bookmarks": …}`, bare or as the `value` of a `STATE` message. An empty file,
    /// null and an empty object hold nothing. `origin` says in errors where it came from.
    ///
    /// # Errors
    /// `Config`: it is none of these.
    pub fn parse(json: &[u8], origin: &str) -> Result<Self> {
        let refuse = |fault: &str| {
            Error::config(format!("The state ({origin}) cannot be read: {fault}. {ADVICE}"))
        };
        let members = |json: &str, fault: &str| match json {
            "null" => Ok(Members::default()),
            json => serde_json::from_str::<Members>(json).map_err(|_| refuse(fault)),
        };
        let no_object = "it is not an object";
        let json: Option<Box<RawValue>> =
            document::parse_if_any(json, &format!("The state ({origin})"), ADVICE)?;
        let Some(json) = json else { return Ok(Self::default()) };
        let mut state = members(json.get(), no_object)?;
        // A state that has a member of this name itself is none: what is written is read again.
        if state.value("type") == "STATE" && state.json("bookmarks").is_none() {
            let value = state.json("value");
            state =
                members(value.ok_or_else(|| refuse("a STATE message has no `value`"))?, no_object)?;
        }
        let is_of_singer = |name: &str| name == "bookmarks" || name == "currently_syncing";
        let bookmarks = match state.json("bookmarks") {
            None if !state.names().all(is_of_singer) => {
                return Err(refuse("it has no `bookmarks`"));
            }
            None => Members::default(),
            Some(json) => members(json, "its `bookmarks` are not an object")?,
        };
        let of_streams = ALL.iter().filter_map(|stream| bookmarks.json(stream.name));
        if of_streams.map(serde_json::from_str::<Value>).any(|read| read.is_err()) {
            return Err(refuse("a bookmark has a number or a text that cannot be read"));
        }
        Ok(Self { state, bookmarks })
    }

    /// Why streams are read whole although there is a state.
    pub fn warnings(&self, streams: &[&Stream]) -> Vec<String> {
        let names: Vec<&str> = streams.iter().map(|stream| stream.name).collect();
        let mut there = self.bookmarks.names().peekable();
        if there.peek().is_some() && !there.any(|name| names.contains(&name)) {
            return vec![format!(
                "The state has no bookmark of the streams there are ({}), so everything is read.",
                names.join(", ")
            )];
        }
        let is_interrupted = |name: &&str| {
            let bookmark = self.bookmarks.value(name);
            bookmark.as_object().is_some_and(|members| {
                members.values().any(|value| !value.is_null()) && members.iter().all(is_unfinished)
            })
        };
        let interrupted = names.into_iter().filter(is_interrupted);
        interrupted
            .map(|name| {
                format!("The bookmark of stream `{name}` is of a run that did not end, so everything is read.")
            })
            .collect()
    }

    /// The state of a stream, or `None`.
    ///
    /// # Errors
    /// `Config`: see [`State::from_json`]; or the bookmark is of another field.
    pub fn of(&self, stream: &Stream, zone: Zone) -> Result<Option<State>> {
        let bookmark = self.bookmarks.value(stream.name);
        if bookmark.is_null() {
            return Ok(None);
        }
        // A stream without a cursor is always read whole.
        let Some(cursor) = stream.cursor().map(|cursor| cursor.name) else { return Ok(None) };
        let key = bookmark.get("replication_key").and_then(Value::as_str);
        if key.is_some_and(|key| key != cursor) {
            return Err(Error::config(format!(
                "The bookmark of stream `{}` is of another field than `{cursor}`. Pass the last STATE of this tap, or none to read everything.",
                stream.name
            )));
        }
        let value = |name: &str| bookmark.get(name).cloned().unwrap_or_default();
        if bookmark.as_object().is_some_and(|members| members.iter().all(is_unfinished)) {
            return Ok(None);
        }
        let written = match value("replication_key_value") {
            Value::Null => value(cursor),
            written => written,
        };
        if bookmark.is_object() && written.is_null() && value("version").is_null() {
            return Err(Error::config(format!(
                "The bookmark of stream `{}` has no `replication_key_value`. Pass the last STATE of this tap, or none to read everything.",
                stream.name
            )));
        }
        let state = match bookmark {
            Value::Object(_) => json!({
                cursor: written,
                "scope": value("scope"),
                "version": value("version"),
                "list": value("list"),
            }),
            other => other,
        };
        State::from_json(&state, stream, zone)
    }

    /// The scope that a stream was last read with.
    pub fn scope(&self, stream: &Stream) -> Option<String> {
        self.bookmarks.value(stream.name)["scope"].as_str().map(str::to_owned)
    }

    /// The rows of the last complete list of a stream.
    pub fn list_count(&self, stream: &Stream) -> Option<u64> {
        List::from_json(&self.bookmarks.value(stream.name)["list"])?.count
    }

    /// The version that was activated last in the target.
    pub fn table_version(&self, stream: &Stream) -> Option<i64> {
        let version = &self.bookmarks.value(stream.name)[TABLE_VERSION];
        // A platform that keeps states in a language of doubles gives 7.0 back.
        version.as_i64().or_else(|| version.as_f64().map(|version| version as i64))
    }

    /// Replaces the bookmark of a stream.
    pub fn set(&mut self, stream: &Stream, state: &State, table_version: Option<i64>) {
        let mut json = state.to_json(stream);
        let mut bookmark = Map::new();
        let named = stream.cursor().map(|cursor| cursor.name);
        let value = |name: &str| json.as_object_mut()?.shift_remove(name);
        if let (Some(name), Some(value)) = (named, named.and_then(value)) {
            bookmark.insert("replication_key".into(), json!(name));
            bookmark.insert("replication_key_value".into(), value);
        }
        if let Value::Object(rest) = json {
            bookmark.extend(rest);
        }
        bookmark.extend(table_version.map(|version| (TABLE_VERSION.to_owned(), version.into())));
        self.bookmarks.set(stream.name, Value::Object(bookmark).to_string());
        self.state.set("bookmarks", self.bookmarks.to_string());
    }

    /// The whole state, in one line.
    pub fn to_json(&self) -> String {
        self.state.to_string()
    }
}

/// Members that an interrupted tap of the SDK leaves behind, which say nothing of what was read.
fn is_unfinished((name, value): (&String, &Value)) -> bool {
    let unfinished = [
        "progress_markers",
        "replication_key_signpost",
        "starting_replication_value",
        "replication_key",
    ];
    value.is_null() || unfinished.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::customers::CUSTOMERS;

    fn read(json: &str) -> Result<Option<State>> {
        Bookmarks::parse(json.as_bytes(), "state.json")?.of(&CUSTOMERS, Zone::UTC)
    }

    #[test]
    fn the_written_form_is_the_documented_one_and_is_read_again() {
        let cursor = Zone::UTC.parse("2019-02-28T00:00:01");
        let list = cursor.map(|at| List { at, count: Some(7) });
        let state = State { cursor, scope: Some("abc".into()), list };
        let mut bookmarks = Bookmarks::default();
        bookmarks.set(&CUSTOMERS, &state, Some(1_795_500_000));
        let json = bookmarks.to_json();
        assert_eq!(
            json,
            r#"{"bookmarks":{"customers":{"replication_key":"updatedOn","replication_key_value":"2019-02-28T00:00:01Z","scope":"abc","version":1,"list":{"at":"2019-02-28T00:00:01Z","count":7},"table_version":1795500000}}}"#
        );
        let again = Bookmarks::parse(json.as_bytes(), "state.json").unwrap();
        assert_eq!(again.table_version(&CUSTOMERS), Some(1_795_500_000));
        assert_eq!(again.list_count(&CUSTOMERS), Some(7));
        assert_eq!(again.scope(&CUSTOMERS), Some("abc".to_owned()));
        assert_eq!(read(&json).unwrap(), Some(state.clone()));
        let wrapped = format!(r#"{{"type": "STATE", "value": {json}}}"#);
        assert_eq!(read(&wrapped).unwrap(), Some(state));
    }

    #[test]
    fn what_other_streams_left_survives() {
        let given = r#"{
            "currently_syncing": "x",
            "bookmarks": {"orders": {"id": 123456789012345678901234567890, "rate": 0.10, "name": "\ud800"}},
            "of_another": 1e400
        }"#;
        let mut bookmarks = Bookmarks::parse(given.as_bytes(), "state.json").unwrap();
        bookmarks.set(&CUSTOMERS, &State::default(), None);
        assert_eq!(
            bookmarks.to_json(),
            r#"{"currently_syncing":"x","bookmarks":{"orders":{"id":123456789012345678901234567890,"rate":0.10,"name":"\ud800"},"customers":{"version":1}},"of_another":1e400}"#
        );
    }

    #[test]
    fn a_state_that_is_like_a_message_is_read_again_as_it_was_written() {
        let given = r#"{"type": "STATE", "value": {"type": "STATE", "bookmarks": {"customers": {"version": 1}}}}"#;
        let written = Bookmarks::parse(given.as_bytes(), "state.json").unwrap().to_json();
        let again = Bookmarks::parse(written.as_bytes(), "state.json").unwrap();
        assert_eq!(again.to_json(), written);
        assert_eq!(again.of(&CUSTOMERS, Zone::UTC).unwrap(), Some(State::default()));
    }

    #[test]
    fn nothing_comes_in_many_forms() {
        for json in [
            "",
            "null",
            "{}",
            r#"{"bookmarks": {}}"#,
            r#"{"bookmarks": null}"#,
            r#"{"bookmarks": {"customers": {}}}"#,
            r#"{"bookmarks": {"customers": null}}"#,
            r#"{"bookmarks": {"orders": {"replication_key_value": "x"}}}"#,
            r#"{"bookmarks": {"customers": {"starting_replication_value": null}}}"#,
            r#"{"type": "STATE", "value": {}}"#,
        ] {
            assert_eq!(read(json).unwrap(), None, "{json}");
        }
    }

    #[test]
    fn a_person_may_write_the_cursor_alone() {
        let json = r#"{"bookmarks": {"customers": {"updatedOn": "2019-02-28T00:00:01Z"}}}"#;
        assert_eq!(read(json).unwrap().unwrap().cursor, Zone::UTC.parse("2019-02-28T00:00:01"));
    }

    #[test]
    fn what_is_no_state_is_refused() {
        for json in [
            "{",
            "[]",
            "7",
            r#"{"bookmarks": []}"#,
            r#"{"type": "STATE"}"#,
            r#"{"bookmarks": {"customers": "2019-02-28"}}"#,
            r#"{"bookmarks": {"customers": {"replication_key_value": "yesterday"}}}"#,
            r#"{"bookmarks": {"customers": {"replication_key": "id", "replication_key_value": "7"}}}"#,
            r#"{"bookmarks": {"customers": {"version": 2}}}"#,
            r#"{"bookmarks": {"customers": {"foo": 1}}}"#,
            r#"{"bookmarks": {"customers": {"version": 1, "list": 1e400}}}"#,
            r#"{"bookmarks": {"customers": {"version": 1, "scope": "\ud800"}}}"#,
            r#"{"updatedOn": "2019-02-28T00:00:01Z"}"#,
            r#"{"customers": {"updatedOn": "2019-02-28T00:00:01Z"}}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
