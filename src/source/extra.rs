//! The members of a record that are not declared, as one JSON object on one line.

use serde::Deserializer;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::json::Text;
use super::tally::Tally;

/// A number of so few characters is one for every reader of JSON.
const SHORT_NUMBER: usize = 16;

/// So deep a value may be nested. Many readers take 128 levels, and a message adds some around it.
const MOST_DEPTH: u32 = 120;

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
        Some(b'-' | b'0'..=b'9') => value.len() <= SHORT_NUMBER && !value.contains(['e', 'E']),
        _ => true,
    };
    let mut json = serde_json::Deserializer::from_str(value);
    is_plain || Readable { depth: MOST_DEPTH }.deserialize(&mut json).is_ok()
}

/// Reads a value as its readers would, and keeps nothing of it.
struct Readable {
    depth: u32,
}

impl<'de> DeserializeSeed<'de> for Readable {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Readable {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value that is not nested too deep")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<(), A::Error> {
        while sequence.next_element_seed(self.deeper()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(self.deeper()?)?.is_some() {
            map.next_value_seed(self.deeper()?)?;
        }
        Ok(())
    }
}

impl Readable {
    fn deeper<E: serde::de::Error>(&self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth }),
            None => Err(E::custom("nested too deep")),
        }
    }
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
