//! The members of a record that are not declared, as one JSON object on one line.

use serde_json::Value;

use super::json::Text;
use super::tally::Tally;

/// A number of so few characters is one for every reader of JSON.
const SHORT_NUMBER: usize = 16;

/// Writes the members into `object`, as they came but on one line. A value that JSON allows and its
/// readers refuse (half a character, a number beyond every float, nesting without end) would cost the
/// destination the whole record: it becomes null, and is counted.
pub(crate) fn write(members: &[(Text<'_>, &str)], tally: &mut Tally, object: &mut String) {
    object.clear();
    for (name, value) in members {
        object.push(if object.is_empty() { '{' } else { ',' });
        object.push('"');
        let is_name = name.decode(&mut String::new()).is_some();
        object.push_str(if is_name { name.raw } else { "\\ufffd" });
        object.push_str("\":");
        tally.note_unknown(name.raw);
        if !is_name || !is_readable(value) {
            tally.note_unreadable(name.raw);
            object.push_str("null");
            continue;
        }
        // A line break in JSON can only be a blank: inside text it is escaped.
        object.extend(value.split_inclusive(['\n', '\r']).flat_map(|line| {
            let text = line.trim_end_matches(['\n', '\r']);
            [text, if text.len() < line.len() { " " } else { "" }]
        }));
    }
    object.push('}');
}

fn is_readable(value: &str) -> bool {
    let is_plain = match value.as_bytes().first() {
        Some(b'{' | b'[') => false,
        Some(b'"') => !value.contains('\\'),
        Some(b'-' | b'0'..=b'9') => value.len() <= SHORT_NUMBER && !value.contains(['e', 'E']),
        _ => true,
    };
    is_plain || serde_json::from_str::<Value>(&wrapped(value)).is_ok()
}

/// The value as deep as it will stand in a message.
fn wrapped(value: &str) -> String {
    format!("[[[[{value}]]]]")
}

#[cfg(test)]
mod tests {
    use super::super::json::{Parser, Stop};
    use super::*;

    fn written(value: &str) -> (String, Tally) {
        let (mut tally, mut object) = (Tally::new(0), String::new());
        let name = Parser::new("\"new\":").name().unwrap_or_else(|_: Stop| panic!());
        write(&[(name, value)], &mut tally, &mut object);
        (object, tally)
    }

    #[test]
    fn values_stay_as_they_came() {
        for value in [
            "1.50",
            "\"a\\u00e9\"",
            "[1, {\"a\": null}]",
            "-0",
            "1e5",
            "true",
            "12345678901234567890",
        ] {
            assert_eq!(written(value).0, format!("{{\"new\":{value}}}"));
        }
        assert_eq!(written("[1,\r\n2]").0, "{\"new\":[1,  2]}");
    }

    #[test]
    fn what_readers_of_json_refuse_becomes_null_and_is_counted() {
        let deep = "[".repeat(126) + &"]".repeat(126);
        for value in ["\"\\ud800\"", "1e999", "[1e999]", "{\"a\": \"\\udc00\"}", &deep] {
            let (object, tally) = written(value);
            assert_eq!(object, "{\"new\":null}");
            assert_eq!(tally.unreadable(), 1);
        }
    }
}
