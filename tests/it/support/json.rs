//! JSON as strict readers take it: no object has a key twice.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// The value of a line, which is compact JSON whose objects have each key once.
#[track_caller]
pub(crate) fn parse_strictly(line: &str) -> Value {
    assert_eq!(line.trim(), line, "blanks around a line");
    let parsed = serde_json::from_str(line).and_then(|Unique| serde_json::from_str(line));
    parsed.unwrap_or_else(|error| panic!("{error} in the line {line}"))
}

/// A value that was looked at and dropped.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Unique)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self, M::Error> {
        let mut keys = BTreeSet::new();
        while let Some((key, Unique)) = map.next_entry::<String, Unique>()? {
            if let Some(key) = keys.replace(key) {
                return Err(M::Error::custom(format!("the key {key} occurs twice")));
            }
        }
        Ok(self)
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Self, S::Error> {
        while let Some(Unique) = items.next_element()? {}
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }
}

#[test]
fn a_key_that_occurs_twice_is_found_wherever_it_is() {
    for line in [r#"{"a":{"b":1,"c":[],"b":2}}"#, r#"[{"a":null,"a":1.5}]"#, r#"{"a":1} "#] {
        assert!(std::panic::catch_unwind(|| parse_strictly(line)).is_err(), "{line}");
    }
    parse_strictly(r#"{"a":{"a":true},"b":[{"a":-1},{"a":"é"}]}"#);
}
