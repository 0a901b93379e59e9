//! From a JSON value, in any of the forms in which the API writes it, to the declared type.

use super::json::{Text, Value};
use crate::model::{Timestamp, Zone};

/// What became of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Converted<T> {
    /// It is of the type.
    Valid(T),
    /// It is null, or empty text where no text is wanted.
    Null,
    /// It is something else.
    Invalid,
}

impl<T> Converted<T> {
    fn or_invalid(value: Option<T>) -> Self {
        value.map_or(Converted::Invalid, Converted::Valid)
    }

    /// The value, if there is one.
    pub(crate) fn valid(self) -> Option<T> {
        match self {
            Converted::Valid(value) => Some(value),
            Converted::Null | Converted::Invalid => None,
        }
    }
}

/// Text as it is; a number or a boolean as its literal text.
#[inline]
pub(crate) fn text<'b>(value: Value<'b>, buffer: &'b mut String) -> Converted<&'b str> {
    match value {
        Value::Text(text) => Converted::or_invalid(text.decode(buffer)),
        Value::Null => Converted::Null,
        Value::Number(raw) => Converted::Valid(raw),
        Value::Boolean(true) => Converted::Valid("true"),
        Value::Boolean(false) => Converted::Valid("false"),
        Value::Nested(_) => Converted::Invalid,
    }
}

/// Decimal digits with or without a minus, as a number or as text, within 64 bits.
#[inline]
pub(crate) fn integer(value: Value<'_>) -> Converted<i64> {
    match value {
        Value::Null | Value::Text(Text { raw: "", .. }) => Converted::Null,
        Value::Number(raw) | Value::Text(Text { raw, is_escaped: false }) => {
            Converted::or_invalid(digits(raw))
        }
        Value::Text(text) => {
            Converted::or_invalid(text.decode(&mut String::new()).and_then(digits))
        }
        Value::Boolean(_) | Value::Nested(_) => Converted::Invalid,
    }
}

/// Digits that any number of 64 bits may have.
const SAFE_DIGITS: usize = 18;

/// `str::parse` also takes a plus, which is no number in JSON, and looks for an overflow at each digit.
#[inline]
fn digits(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if matches!(bytes, [b'0'..=b'9', ..]) && bytes.len() <= SAFE_DIGITS {
        return bytes.iter().try_fold(0, |number, byte| {
            let digit = byte.wrapping_sub(b'0');
            (digit < 10).then(|| number * 10 + i64::from(digit))
        });
    }
    if text.starts_with('+') { None } else { text.parse().ok() }
}

/// 1, 0, true and false, as JSON or as text in any case.
#[inline]
pub(crate) fn boolean(value: Value<'_>) -> Converted<bool> {
    let mut buffer = String::new();
    match value {
        Value::Null | Value::Text(Text { raw: "", .. }) => Converted::Null,
        Value::Boolean(boolean) => Converted::Valid(boolean),
        Value::Number(raw) => Converted::or_invalid(one_or_zero(raw)),
        Value::Text(text) => Converted::or_invalid(text.decode(&mut buffer).and_then(|text| {
            one_or_zero(text)
                .or_else(|| text.eq_ignore_ascii_case("true").then_some(true))
                .or_else(|| text.eq_ignore_ascii_case("false").then_some(false))
        })),
        Value::Nested(_) => Converted::Invalid,
    }
}

fn one_or_zero(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

/// A time as [`Zone::parse`] reads it.
#[inline]
pub(crate) fn timestamp(value: Value<'_>, zone: Zone) -> Converted<Timestamp> {
    match value {
        Value::Null | Value::Text(Text { raw: "", .. }) => Converted::Null,
        Value::Text(Text { raw, is_escaped: false }) => Converted::or_invalid(zone.parse(raw)),
        Value::Text(text) => {
            Converted::or_invalid(text.decode(&mut String::new()).and_then(|text| zone.parse(text)))
        }
        Value::Number(_) | Value::Boolean(_) | Value::Nested(_) => Converted::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use super::super::json::Parser;
    use super::*;

    fn value(json: &str) -> Value<'_> {
        // A number ends where something follows.
        let json = Box::leak(format!("{json} ").into_boxed_str());
        Parser::new(json).value().unwrap()
    }

    #[test]
    fn integers_come_as_numbers_or_text_and_never_through_a_float() {
        for (json, expected) in [
            ("25475", 25475),
            ("\"25475\"", 25475),
            ("-7", -7),
            ("\"007\"", 7),
            ("9223372036854775807", i64::MAX),
            ("\"9007199254740993\"", 9_007_199_254_740_993),
            (r#""\u0037""#, 7),
        ] {
            assert_eq!(integer(value(json)), Converted::Valid(expected), "{json}");
        }
        for json in
            ["9223372036854775808", "1e3", "1.0", "\"12x\"", "\"+5\"", "\" 5\"", "true", "[1]"]
        {
            assert_eq!(integer(value(json)), Converted::Invalid, "{json}");
        }
        assert_eq!(integer(value("\"\"")), Converted::Null);
        assert_eq!(integer(value("null")), Converted::Null);
    }

    #[test]
    fn booleans_come_in_many_forms_and_nothing_else_is_false() {
        for json in ["1", "\"1\"", "true", "\"true\"", "\"TRUE\"", r#""\u0031""#] {
            assert_eq!(boolean(value(json)), Converted::Valid(true), "{json}");
        }
        for json in ["0", "\"0\"", "false", "\"False\""] {
            assert_eq!(boolean(value(json)), Converted::Valid(false), "{json}");
        }
        for json in ["2", "\"no\"", "\"maybe\"", "-0", "0.0", "{}", "\" 1\""] {
            assert_eq!(boolean(value(json)), Converted::Invalid, "{json}");
        }
        assert_eq!(boolean(value("\"\"")), Converted::Null);
    }

    #[test]
    fn text_is_neither_trimmed_nor_normalised_and_takes_literals() {
        let mut buffer = String::new();
        for (json, expected) in [
            ("\"\"", ""),
            ("\" a \"", " a "),
            (r#""a\"b\\c\/d\n\u00e9\ud83c\udf39""#, "a\"b\\c/d\né🌹"),
            ("12.50", "12.50"),
            ("true", "true"),
        ] {
            assert_eq!(text(value(json), &mut buffer), Converted::Valid(expected), "{json}");
        }
        for json in [r#""\ud800""#, r#""\ud800x""#, r#""\udc00\ud800""#, "{}", "[]"] {
            assert_eq!(text(value(json), &mut buffer), Converted::Invalid, "{json}");
        }
        assert_eq!(text(value("null"), &mut buffer), Converted::Null);
    }

    #[test]
    fn timestamps_are_text() {
        let read = timestamp(value("\"2017-08-02T12:15:17\""), Zone::UTC).valid().unwrap();
        assert_eq!(read.to_string(), "2017-08-02T12:15:17Z");
        assert_eq!(timestamp(value("1501676117"), Zone::UTC), Converted::Invalid);
        assert_eq!(timestamp(value("\"\""), Zone::UTC), Converted::Null);
    }
}
