//! Where a read left off: the cursor, what it was read with, and its form in JSON.

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::model::{Field, Stream, Timestamp, Zone};

/// The version of the state's form. A newer one is refused.
const VERSION: u64 = 1;

/// Members that mark a state of a full refresh without a cursor: the ones that the Airbyte platform's
/// own connectors leave behind.
const NO_CURSOR: [&str; 2] = ["__ab_no_cursor_state_message", "__ab_full_refresh_sync_complete"];

/// Where a read of one stream left off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// The greatest cursor value that was read; none until a dated record was seen.
    pub cursor: Option<Timestamp>,
    /// The fingerprint of what it was read with: see [`crate::plan::Plan::scope`].
    pub scope: Option<String>,
    /// The last list that was asked for whole. A program before 0.2 ignores it.
    pub list: Option<List>,
}

/// A list that was asked for whole, and that was proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct List {
    /// When the request was sent.
    pub at: Timestamp,
    /// Its rows, if it was a complete list: see [`crate::receipt::Receipt::incomplete`].
    pub count: Option<u64>,
}

impl List {
    fn to_json(self) -> Value {
        let mut json = Map::new();
        json.insert("at".into(), self.at.to_string().into());
        json.extend(self.count.map(|count| ("count".to_owned(), count.into())));
        Value::Object(json)
    }

    /// Reads [`to_json`](Self::to_json)'s form. What is none is taken for none: the whole list is asked for
    /// once more, and nothing follows from what is not in it.
    pub(crate) fn from_json(json: &Value) -> Option<Self> {
        let at = Zone::UTC.parse(json["at"].as_str()?)?;
        // A platform that keeps states in a language of doubles gives 7.0 back.
        let count = json["count"].as_f64().filter(|count| *count >= 0.0 && count.fract() == 0.0);
        Some(Self { at, count: count.map(|count| count as u64) })
    }
}

impl State {
    /// The state's form in JSON: `{"updatedOn": "2019-02-28T00:00:01Z", "scope": "…", "version": 1,
    /// "list": {"at": "2019-03-01T00:00:00Z", "count": 44000}}`.
    pub fn to_json(&self, stream: &Stream) -> Value {
        let mut json = Map::new();
        if let (Some(field), Some(cursor)) = (stream.cursor(), self.cursor) {
            json.insert(field.name.into(), cursor.to_string().into());
        }
        if let Some(scope) = &self.scope {
            json.insert("scope".into(), scope.as_str().into());
        }
        json.insert("version".into(), VERSION.into());
        json.extend(self.list.map(|list| ("list".to_owned(), list.to_json())));
        Value::Object(json)
    }

    /// Reads [`to_json`](Self::to_json)'s form, or the cursor alone, which a person may write; without
    /// an offset it is meant in `zone`. `None` is no state: null, an empty object, or the mark
    /// of a full refresh.
    ///
    /// # Errors
    /// `Config`: a newer version, or something that is no state. It is never taken for no state, since
    /// that would read everything again without a word.
    pub fn from_json(json: &Value, stream: &Stream, zone: Zone) -> Result<Option<Self>> {
        let members = match json {
            Value::Null => return Ok(None),
            Value::Object(members) => members,
            _ => return Err(unreadable(stream, "it is not an object")),
        };
        let is_marker = NO_CURSOR.iter().any(|marker| members.contains_key(*marker));
        let is_empty = members.values().all(Value::is_null);
        let field = stream.cursor();
        let cursor = field.and_then(|field| Some((field, member(members, field.name)?)));
        if is_empty || (is_marker && cursor.is_none()) {
            return Ok(None);
        }
        let version = member(members, "version");
        check_version(version, stream)?;
        let cursor = match cursor {
            None if version.is_none() => {
                let missing = match field {
                    Some(field) => format!("it has neither `{}` nor `version`", field.name),
                    None => "it has no `version`".to_owned(),
                };
                return Err(unreadable(stream, &missing));
            }
            None => None,
            Some((field, value)) => Some(read_cursor(value, field, stream, zone)?),
        };
        let scope = match member(members, "scope") {
            None => None,
            Some(Value::String(scope)) => Some(scope.clone()),
            Some(_) => return Err(unreadable(stream, "its `scope` is not text")),
        };
        let list = member(members, "list").and_then(List::from_json);
        Ok(Some(Self { cursor, scope, list }))
    }
}

fn member<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    members.get(name).filter(|value| !value.is_null())
}

fn check_version(version: Option<&Value>, stream: &Stream) -> Result<()> {
    let Some(version) = version else { return Ok(()) };
    // A platform that keeps states in a language of doubles gives 1.0 back.
    match version.as_f64() {
        Some(number) if number == VERSION as f64 => Ok(()),
        Some(number) if number > VERSION as f64 => Err(Error::config(format!(
            "The state of stream `{}` is from a newer version ({number}; this one knows {VERSION}). Upgrade the connector, or reset the stream to read everything.",
            stream.name
        ))),
        _ => Err(unreadable(stream, "its `version` is none that was ever written")),
    }
}

fn read_cursor(value: &Value, field: &Field, stream: &Stream, zone: Zone) -> Result<Timestamp> {
    let text = value.as_str().unwrap_or_default();
    let day = || zone.parse(&format!("{text}T00:00:00"));
    zone.parse(text).or_else(day).ok_or_else(|| {
        let fault = format!("its `{}` is not a time", field.name);
        unreadable(stream, &fault)
    })
}

fn unreadable(stream: &Stream, fault: &str) -> Error {
    let example = match stream.cursor() {
        Some(field) => json!({ field.name: "2019-02-28T00:00:01Z" }),
        None => json!({ "version": VERSION }),
    };
    Error::config(format!(
        "The state of stream `{}` cannot be read: {fault}. Pass the last one, write one like {example}, or reset the stream.",
        stream.name
    ))
}

/// The proof that a reply was received whole, said success, and was handed on to its last row: what a
/// sink needs to save a state. Only the source can make one.
#[derive(Debug)]
#[must_use = "a checkpoint that is not committed is a state that is not saved"]
pub struct Checkpoint {
    stream: &'static Stream,
    state: State,
    rows: u64,
}

impl Checkpoint {
    /// Said by the source of a reply it has proved. `tests/architecture` holds that nobody else does.
    pub(crate) fn proven(stream: &'static Stream, state: State, rows: u64) -> Self {
        Self { stream, state, rows }
    }

    /// The stream that was read.
    pub fn stream(&self) -> &'static Stream {
        self.stream
    }

    /// Where the read left off.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How many rows were handed on.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::customers::CUSTOMERS;

    fn read(json: Value) -> Result<Option<State>> {
        State::from_json(&json, &CUSTOMERS, Zone::named("America/Bogota").unwrap())
    }

    fn cursor(json: Value) -> String {
        read(json).unwrap().unwrap().cursor.unwrap().to_string()
    }

    #[test]
    fn what_is_written_is_read_again() {
        for cursor in [None, Zone::UTC.parse("2019-02-28T00:00:01.25")] {
            let list = cursor.map(|at| List { at, count: Some(44_000) });
            let state = State { cursor, scope: Some("abc".into()), list };
            assert_eq!(read(state.to_json(&CUSTOMERS)).unwrap(), Some(state));
        }
    }

    #[test]
    fn the_written_form_is_the_documented_one() {
        let cursor = Zone::UTC.parse("2019-02-28T00:00:01");
        let mut state = State { cursor, scope: Some("abc".into()), list: None };
        assert_eq!(
            state.to_json(&CUSTOMERS).to_string(),
            r#"{"updatedOn":"2019-02-28T00:00:01Z","scope":"abc","version":1}"#
        );
        let at = Zone::UTC.parse("2019-03-01T00:00:00.25").unwrap();
        for (count, list) in [
            (Some(7), r#"{"at":"2019-03-01T00:00:00.250000Z","count":7}"#),
            (None, r#"{"at":"2019-03-01T00:00:00.250000Z"}"#),
        ] {
            state.list = Some(List { at, count });
            assert_eq!(state.to_json(&CUSTOMERS)["list"].to_string(), list);
        }
        assert_eq!(State::default().to_json(&CUSTOMERS).to_string(), r#"{"version":1}"#);
    }

    #[test]
    fn a_person_may_write_the_cursor_alone() {
        assert_eq!(cursor(json!({"updatedOn": "2019-02-28T00:00:01Z"})), "2019-02-28T00:00:01Z");
        assert_eq!(cursor(json!({"updatedOn": "2019-02-28T00:00:01"})), "2019-02-28T05:00:01Z");
        assert_eq!(cursor(json!({"updatedOn": "2019-02-28"})), "2019-02-28T05:00:00Z");
    }

    #[test]
    fn null_empty_and_full_refresh_marks_are_no_state() {
        for json in [
            json!(null),
            json!({}),
            json!({"updatedOn": null, "scope": null}),
            json!({"__ab_no_cursor_state_message": true}),
            json!({"__ab_full_refresh_sync_complete": true}),
        ] {
            assert_eq!(read(json.clone()).unwrap(), None, "{json}");
        }
    }

    #[test]
    fn what_is_no_state_is_refused_and_never_taken_for_none() {
        for json in [
            json!("2019-02-28"),
            json!([]),
            json!({"updated_on": "2019-02-28T00:00:01Z"}),
            json!({"updatedOn": "yesterday"}),
            json!({"updatedOn": 1551312001}),
            json!({"updatedOn": "2019-02-28T00:00:01Z", "scope": 7}),
            json!({"updatedOn": "2019-02-28T00:00:01Z", "version": "one"}),
            json!({"updatedOn": "2019-02-28T00:00:01Z", "version": 0}),
            json!({"version": 2}),
        ] {
            let error = read(json.clone()).unwrap_err();
            assert_eq!(error.kind(), crate::error::Kind::Config, "{json}");
            assert!(error.to_string().contains("`customers`"), "{error}");
        }
    }

    #[test]
    fn a_list_that_cannot_be_read_is_none() {
        let at = "2019-03-01T00:00:00Z";
        for (list, count) in [
            (json!({"at": at, "count": 7.0}), Some(Some(7))),
            (json!({"at": at, "count": -1}), Some(None)),
            (json!({"at": at, "count": "7"}), Some(None)),
            (json!({"at": at}), Some(None)),
            (json!({"at": 7, "count": 7}), None),
            (json!({"count": 7}), None),
            (json!([]), None),
            (json!("x"), None),
            (json!(null), None),
        ] {
            let state = read(json!({"version": 1, "list": list})).unwrap().unwrap();
            assert_eq!(state.list.map(|list| list.count), count, "{list}");
        }
    }

    #[test]
    fn only_a_later_version_is_called_newer() {
        for (version, is_newer) in
            [(0.5, false), (0.0, false), (-1.0, false), (1.5, true), (2.0, true)]
        {
            let text = read(json!({"version": version})).unwrap_err().to_string();
            assert_eq!(text.contains("newer version"), is_newer, "{version}: {text}");
        }
    }

    #[test]
    fn a_version_that_came_back_as_a_double_is_read() {
        let json = json!({"updatedOn": "2019-02-28T00:00:01Z", "version": 1.0});
        assert!(read(json).unwrap().is_some());
    }
}
