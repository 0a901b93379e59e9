//! The members of a record that are not declared, as one JSON object on one line.

use serde_json::Value;

use super::json::Text;
use super::tally::Tally;

/// A number of at most this many characters is one for every reader of JSON.
const MAX_SHORT_NUMBER_CHARS: usize = 16;

/// Writes the members into `object`, as they came but on one line. A value that JSON allows and its
/// readers refuse (half a character, a number beyond every float, nesting without end) would cost the
/// destination the whole record: it becomes null, or is left out where its name is such. False if there
/// was one.
pub(crate) fn write(members: &[(Text<'_>, &str)], tally: &mut Tally, object: &mut String) -> bool {
    object.clear();
    let mut is_whole = true;
    for (name, value) in members {
        let is_name = name.decode(&mut String::new()).is_some();
        let is_readable = is_readable(value);
        if !is_name || !is_readable {
            tally.note_unreadable(&name.meaning());
            is_whole = false;
        } else {
            tally.note_unknown(&name.meaning());
        }
        if !is_name {
            continue;
        }
        object.push(if object.is_empty() { '{' } else { ',' });
        object.push('"');
        object.push_str(name.raw);
        object.push_str("\":");
        if !is_readable {
            object.push_str("null");
            continue;
        }
        // A line break in JSON can only be a blank: inside text it is escaped.
        object.extend(value.split_inclusive(['\n', '\r']).flat_map(|line| {
            let text = line.trim_end_matches(['\n', '\r']);
            [text, if text.len() < line.len() { " " } else { "" }]
        }));
    }
    object.push_str(if object.is_empty() { "{}" } else { "}" });
    is_whole
}

fn is_readable(value: &str) -> bool {
    let is_plain = match value.as_bytes().first() {
        Some(b'{' | b'[') => false,
        Some(b'"') => !value.contains('\\'),
        Some(b'-' | b'0'..=b'9') => {
            value.len() <= MAX_SHORT_NUMBER_CHARS && !value.contains(['e', 'E'])
        }
        _ => true,
    };
    // Many readers take 127 levels of nesting, as serde does, and a message adds up to 7 around the value.
    is_plain || serde_json::from_str::<Value>(&format!("[[[[[[[{value}]]]]]]]")).is_ok()
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
            &("[".repeat(120) + &"]".repeat(120)),
        ] {
            assert_eq!(written(value).0, format!("{{\"new\":{value}}}"));
        }
        assert_eq!(written("[1,\r\n2]").0, "{\"new\":[1,  2]}");
    }

    #[test]
    fn what_readers_of_json_refuse_becomes_null_and_is_counted() {
        let deep = "[".repeat(121) + &"]".repeat(121);
        for value in ["\"\\ud800\"", "1e999", "[1e999]", "{\"a\": \"\\udc00\"}", &deep] {
            let (object, tally) = written(value);
            assert_eq!(object, "{\"new\":null}");
            assert_eq!(tally.unreadable(), 1);
        }
    }
}
