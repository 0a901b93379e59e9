//! The state that a host gives back, in every form in which one may come.

use serde_json::Value;

use crate::document;
use crate::error::{Error, Result};
use crate::model::{Stream, Zone};
use crate::state::State;

/// What to do about a state that cannot be read.
const ADVICE: &str =
    "Pass the state that this connector wrote, or an empty list to read everything.";

/// What a state file holds: for each stream by name, its state as it was written.
#[derive(Debug, Default)]
pub struct Given {
    streams: Vec<(String, Value)>,
    is_legacy: bool,
}

impl Given {
    /// Reads a state file: a list of `AirbyteStateMessage`, one of them, either wrapped as
    /// `{"type": "STATE", "state": …}`, or the legacy object of states by stream. An empty file, null, an
    /// empty list and an empty object hold nothing. `origin` says in errors where it came from.
    ///
    /// # Errors
    /// `Config`: it is none of these.
    pub fn parse(json: &[u8], origin: &str) -> Result<Self> {
        let refuse = |fault: &str| {
            Error::config(format!("The state ({origin}) cannot be read: {fault}. {ADVICE}"))
        };
        let json: Value = document::parse_if_any(json, &format!("The state ({origin})"), ADVICE)?;
        let mut given = Self::default();
        match json {
            Value::Null => {}
            Value::Array(messages) => {
                for message in messages {
                    given.add_message(message).map_err(&refuse)?;
                }
            }
            message => given.add(message).map_err(&refuse)?,
        }
        Ok(given)
    }

    /// The state of a stream, or `None`. Of several the last one counts.
    ///
    /// # Errors
    /// `Config`: see [`State::from_json`].
    pub fn of(&self, stream: &Stream, zone: Zone) -> Result<Option<State>> {
        match self.streams.iter().rev().find(|(name, _)| name == stream.name) {
            Some((_, json)) => State::from_json(json, stream, zone),
            None => Ok(None),
        }
    }

    /// Looks whether any of it is of a stream that there is. A warning, where all of it is of others.
    ///
    /// # Errors
    /// `Config`: an object that names no stream, and so is the state of something else.
    pub fn check(&self, streams: &[&Stream]) -> Result<Option<String>> {
        let is_known = |name: &str| streams.iter().any(|stream| stream.name == name);
        if self.streams.is_empty() || self.streams.iter().any(|(name, _)| is_known(name)) {
            return Ok(None);
        }
        let known: Vec<&str> = streams.iter().map(|stream| stream.name).collect();
        let known = known.join(", ");
        if self.is_legacy {
            return Err(Error::config(format!(
                "The state names none of the streams of this connector ({known}). Pass one like {{\"customers\": {{\"updatedOn\": \"2019-02-28T00:00:01Z\"}}}}, or an empty list."
            )));
        }
        Ok(Some(format!(
            "The state names none of the streams of this connector ({known}), so everything is read."
        )))
    }

    fn add_message(&mut self, message: Value) -> Result<(), &'static str> {
        match message {
            Value::Null => Ok(()),
            Value::Object(members) if members.is_empty() => {
                Err("a message in its list holds nothing")
            }
            message => self.add(message),
        }
    }

    fn add(&mut self, message: Value) -> Result<(), &'static str> {
        let Value::Object(mut members) = message else {
            return Err("it is neither an object nor a list");
        };
        let is_reset = ["global", "stream", "data"]
            .iter()
            .any(|name| members.get(*name).is_some_and(Value::is_null))
            && members.iter().all(|(name, value)| name == "type" || value.is_null());
        if is_reset {
            return Ok(());
        }
        members.retain(|_, value| !value.is_null());
        let kind = members.get("type").and_then(Value::as_str).map(str::to_owned);
        match kind.as_deref() {
            Some("STATE") => {
                let state = members.remove("state").ok_or("a STATE message has no `state`")?;
                self.add(state)
            }
            Some("STREAM") => {
                let stream = members.remove("stream").ok_or("a STREAM state has no `stream`")?;
                self.add_stream(stream)
            }
            Some("GLOBAL") => {
                let global = members.remove("global").ok_or("a GLOBAL state has no `global`")?;
                let has_shared = global.get("shared_state").is_some_and(|shared| {
                    !shared.is_null()
                        && shared.as_object().is_none_or(|members| !members.is_empty())
                });
                match global.get("stream_states") {
                    Some(Value::Array(streams)) if streams.is_empty() && has_shared => {
                        Err("a GLOBAL state has a `shared_state` alone, which is of no stream")
                    }
                    Some(Value::Array(streams)) => {
                        streams.iter().cloned().try_for_each(|stream| self.add_stream(stream))
                    }
                    None => Err("the `global` of a GLOBAL state has no `stream_states`"),
                    Some(_) => Err("the `stream_states` of a GLOBAL state are no list"),
                }
            }
            Some("LEGACY") => match members.remove("data") {
                Some(Value::Object(states)) => self.add_legacy(states),
                None => Err("a LEGACY state has no `data`"),
                Some(_) => Err("the `data` of a LEGACY state is no object"),
            },
            None => match members.get("data") {
                Some(Value::Object(states)) if members.len() == 1 => {
                    self.add_legacy(states.clone())
                }
                _ if members.contains_key("stream") => {
                    let stream = members.remove("stream").unwrap_or_default();
                    self.add_stream(stream)
                }
                _ => self.add_legacy(members),
            },
            Some(_) => Err("its `type` is none of STREAM, GLOBAL, LEGACY"),
        }
    }

    fn add_stream(&mut self, stream: Value) -> Result<(), &'static str> {
        let name = stream.pointer("/stream_descriptor/name").and_then(Value::as_str);
        let name = name.ok_or("a stream's state has no `stream_descriptor` with a `name`")?;
        let state = stream.get("stream_state").cloned().unwrap_or_default();
        self.streams.push((name.to_owned(), state));
        Ok(())
    }

    fn add_legacy(&mut self, states: serde_json::Map<String, Value>) -> Result<(), &'static str> {
        if states.values().any(|state| !state.is_object() && !state.is_null()) {
            return Err(
                "it names no stream; one that a person writes is something like {\"customers\": {\"updatedOn\": \"2019-02-28T00:00:01Z\"}}",
            );
        }
        self.is_legacy |= !states.is_empty();
        self.streams.extend(states);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::streams::customers::CUSTOMERS;

    fn cursor(json: &str) -> Option<String> {
        let given = Given::parse(json.as_bytes(), "state.json").unwrap();
        let state = given.of(&CUSTOMERS, Zone::UTC).unwrap()?;
        Some(state.cursor.unwrap().to_string())
    }

    #[test]
    fn nothing_comes_in_many_forms() {
        for json in [
            "",
            " \n",
            "null",
            "[]",
            "{}",
            "[null]",
            r#"{"customers": {}}"#,
            r#"[{"type": "STREAM", "stream": {"stream_descriptor": {"name": "customers"}, "stream_state": null}}]"#,
            r#"[{"type": "LEGACY", "data": {}}]"#,
            r#"[{"type": "GLOBAL", "global": null}]"#,
            r#"[{"type": "STREAM", "stream": null}]"#,
            r#"[{"type": "LEGACY", "data": {"customers": null}}]"#,
            r#"[{"type": "GLOBAL", "global": {"shared_state": null, "stream_states": []}}]"#,
        ] {
            assert_eq!(cursor(json), None, "{json}");
        }
    }

    #[test]
    fn a_cursor_is_found_in_every_form() {
        let state = json!({"updatedOn": "2019-02-28T00:00:01Z"});
        let stream = json!({"stream_descriptor": {"name": "customers", "namespace": null}, "stream_state": state});
        let message = json!({"type": "STREAM", "stream": stream, "global": null, "global_": null, "data": null});
        for json in [
            json!([message]),
            message.clone(),
            json!([{"type": "STATE", "state": message}]),
            json!({"type": "STATE", "state": message}),
            json!([{"stream": stream}]),
            json!([{"type": "GLOBAL", "global": {"shared_state": {}, "stream_states": [stream]}}]),
            json!([{"type": "LEGACY", "data": {"customers": state}}]),
            json!([{"data": {"customers": state}}]),
            json!({"customers": state, "orders": {"x": 1}}),
        ] {
            assert_eq!(
                cursor(&json.to_string()).as_deref(),
                Some("2019-02-28T00:00:01Z"),
                "{json}"
            );
        }
    }

    #[test]
    fn states_of_other_streams_are_skipped() {
        let json = r#"[{"type": "STREAM", "stream": {"stream_descriptor": {"name": "orders"}, "stream_state": {"a": 1}}}]"#;
        assert_eq!(cursor(json), None);
    }

    #[test]
    fn a_file_that_is_no_state_is_refused() {
        for json in [
            "{",
            "7",
            "\"x\"",
            "[7]",
            r#"{"updatedOn": "2019-02-28T00:00:01Z"}"#,
            r#"[{"type": "STREAM"}]"#,
            r#"[{"type": "STREAM", "stream": {"stream_state": {}}}]"#,
            r#"[{"type": "OTHER"}]"#,
            r#"[{"type": "STATE"}]"#,
            r#"[{"type": "STREAM", "stream": {"stream_descriptor": {"name": "customers"}"#,
        ] {
            assert!(Given::parse(json.as_bytes(), "state.json").is_err(), "{json}");
        }
    }
}
