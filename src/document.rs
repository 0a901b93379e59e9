//! JSON documents that people and hosts hand in. Faults are reported by their line and column alone, since a parser's
//! own words may quote a secret.

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// What some programs write before UTF-8.
pub const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A document without a byte order mark.
pub fn without_mark(json: &[u8]) -> &[u8] {
    json.strip_prefix(BYTE_ORDER_MARK).unwrap_or(json)
}

/// Reads a document. `what` begins a message, as in "The catalog (catalog.json)"; `expected` ends it.
///
/// # Errors
/// `Config`: it is not UTF-8, not JSON, or not of this type.
///
/// ```
/// let error = kometsales::document::parse::<Vec<u8>>(b"[7,", "The list", "Expected bytes.").unwrap_err();
/// assert_eq!(error.to_string(), "The list is not JSON: see line 1, column 3. Expected bytes.");
/// ```
pub fn parse<T: DeserializeOwned>(json: &[u8], what: &str, expected: &str) -> Result<T> {
    let json = without_mark(json);
    if is_utf16(json) {
        return Err(Error::config(format!("{what} is UTF-16. Save it as UTF-8.")));
    }
    if let Err(error) = std::str::from_utf8(json) {
        let before = &json[..error.valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let column = before.iter().rev().take_while(|byte| **byte != b'\n').count() + 1;
        return Err(Error::config(format!(
            "{what} is not UTF-8: see line {line}, column {column}. Save it as UTF-8."
        )));
    }
    serde_json::from_slice(json).map_err(|error| {
        let fault = if error.is_data() { "has an unexpected form" } else { "is not JSON" };
        let (line, column) = (error.line(), error.column());
        Error::config(format!("{what} {fault}: see line {line}, column {column}. {expected}"))
    })
}

/// As [`parse`], where an empty document is what a type has for nothing: null, or `None`.
///
/// # Errors
/// `Config`: it is not UTF-8, not JSON, or not of this type.
pub fn parse_if_any<T: DeserializeOwned + Default>(
    json: &[u8],
    what: &str,
    expected: &str,
) -> Result<T> {
    if without_mark(json).trim_ascii().is_empty() {
        return Ok(T::default());
    }
    parse(json, what, expected)
}

/// Whether it begins as PowerShell's redirection and Windows' Notepad write it. JSON begins with an ASCII character.
fn is_utf16(json: &[u8]) -> bool {
    matches!(json, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, 1..=255, ..] | [1..=255, 0, ..])
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn fault(json: &[u8]) -> String {
        parse::<Value>(json, "It", "Expected JSON.").unwrap_err().to_string()
    }

    #[test]
    fn an_encoding_that_is_not_utf8_is_named() {
        let text = r#"{"a": "ñ"}"#;
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let marked = [&b"\xFF\xFE"[..], &little].concat();
        for utf16 in [little, big, marked] {
            assert_eq!(fault(&utf16), "It is UTF-16. Save it as UTF-8.");
        }
        let windows = b"{\n \"a\": \"\xF1\"}";
        assert_eq!(fault(windows), "It is not UTF-8: see line 2, column 8. Save it as UTF-8.");
        assert!(parse::<Value>(b"\xEF\xBB\xBF{}", "It", "").is_ok());
    }

    #[test]
    fn no_value_is_quoted() {
        for json in [r#"{"streams": "s3cr3t"}"#, r#""s3cr3t""#, r#"{"a": "s3cr3t"#, "s3cr3t", ""] {
            let error = parse::<std::collections::BTreeMap<String, Vec<u8>>>(
                json.as_bytes(),
                "It",
                "Expected lists.",
            );
            let error = error.unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error}");
            assert!(error.to_string().contains("line "), "{error}");
        }
    }
}
