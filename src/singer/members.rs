//! A JSON object whose members stay as they were written. What another program keeps in it goes on digit by digit: numbers of any
//! size, and texts that this program cannot read.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The members, each with its JSON without space between tokens: it becomes part of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Members(Vec<(String, String)>);

impl Members {
    /// The JSON of a member.
    pub(super) fn json(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, json)| json.as_str())
    }

    /// The value of a member. One that cannot be read is null.
    pub(super) fn value(&self, name: &str) -> Value {
        self.json(name).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    }

    /// The names of all members, in their order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Replaces a member in its place, or adds it behind the others.
    pub(super) fn set(&mut self, name: &str, json: String) {
        match self.0.iter_mut().find(|(member, _)| member == name) {
            Some((_, old)) => *old = json,
            None => self.0.push((name.to_owned(), json)),
        }
    }
}

/// The object, in one line.
impl fmt::Display for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = '{';
        for (name, json) in &self.0 {
            write!(f, "{separator}{}:{json}", json!(name))?;
            separator = ',';
        }
        f.write_str(if self.0.is_empty() { "{}" } else { "}" })
    }
}

/// Of members with the same name the last one counts, in the place of the first one.
impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Reading)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut places = HashMap::new();
        let mut members: Vec<(String, String)> = Vec::new();
        while let Some((name, json)) = map.next_entry::<String, Box<RawValue>>()? {
            let json = without_space(json.get());
            match places.get(&name) {
                Some(&place) => members[place] = (name, json),
                None => {
                    places.insert(name.clone(), members.len());
                    members.push((name, json));
                }
            }
        }
        Ok(Members(members))
    }
}

/// JSON without the space between its tokens.
fn without_space(json: &str) -> String {
    let (mut is_text, mut is_escaped) = (false, false);
    json.chars()
        .filter(|&character| {
            let was_text = is_text;
            match character {
                '"' if !is_escaped => is_text = !is_text,
                _ => {}
            }
            is_escaped = is_text && character == '\\' && !is_escaped;
            was_text || !character.is_ascii_whitespace()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Members {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_is_another_programs_stays_as_it_is_written() {
        for json in [
            "{}",
            r#"{"a":1}"#,
            r#"{"a":123456789012345678901234567890,"b":-9223372036854775809}"#,
            r#"{"a":1e400,"b":0.10,"c":1E+2,"d":-0,"e":0.1000000000000000055511151231257827}"#,
            r#"{"a":"\ud800","b":"A\/","c":" a  b "}"#,
            r#"{"a \" b":{"x":[1,{"y":null}]},"é\n":true}"#,
        ] {
            assert_eq!(read(json).to_string(), json);
        }
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(1000), "]".repeat(1000));
        assert_eq!(read(&deep).to_string(), deep);
    }

    #[test]
    fn it_is_one_line() {
        let json = "{\r\n\t\"a\" : [ 1 ,\n 2 ] ,\n \"b\\\\\" : { \"c\\\" \\n \" : \"\\\\\" } }\n";
        assert_eq!(read(json).to_string(), r#"{"a":[1,2],"b\\":{"c\" \n ":"\\"}}"#);
    }

    #[test]
    fn the_last_of_one_name_counts() {
        let mut members = read(r#"{"a":1,"b":2,"a":3}"#);
        assert_eq!(members.to_string(), r#"{"a":3,"b":2}"#);
        members.set("b", "4".to_owned());
        members.set("c", "5".to_owned());
        assert_eq!(members.to_string(), r#"{"a":3,"b":4,"c":5}"#);
        assert_eq!((members.value("b"), members.value("d")), (json!(4), Value::Null));
        assert_eq!(members.names().collect::<Vec<_>>(), ["a", "b", "c"]);
    }
}
