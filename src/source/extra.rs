//! The members of a record that are not declared, as one JSON object on one line.

use serde::Deserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::json::Text;
use super::tally::Tally;

/// A number of at most this many characters is one for every reader of JSON.
const MAX_SHORT_NUMBER_CHARS: usize = 16;

/// The most levels of nesting of a value. Many readers take 127, as serde does, and a message adds up to 7 around it.
const MAX_DEPTH: u32 = 120;

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
    let mut json = serde_json::Deserializer::from_str(value);
    is_plain || Readable { levels_left: MAX_DEPTH }.deserialize(&mut json).is_ok()
}

/// Reads a value as its readers would, and keeps nothing of it: a list of twenty million numbers is forty megabytes of
/// text, and many times that as values.
struct Readable {
    levels_left: u32,
}

impl Readable {
    fn deeper<E: Error>(&self) -> Result<Self, E> {
        let levels_left = self.levels_left.checked_sub(1);
        levels_left
            .map(|levels_left| Self { levels_left })
            .ok_or_else(|| E::custom("nested too deep"))
    }
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

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?.levels_left;
        while list.next_element_seed(Self { levels_left: deeper })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?.levels_left;
        while object.next_key_seed(Self { levels_left: deeper })?.is_some() {
            object.next_value_seed(Self { levels_left: deeper })?;
        }
        Ok(())
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
