//! What an export notes in its table: it is refused, or understood and written again in the same form.

use kometsales::error::Kind;
use kometsales::export::table::reread_note;
use kometsales::streams::customers::CUSTOMERS;
use serde_json::Value;

use super::refused;

/// Members whose value counts, and is never forgotten where it was understood.
const KEPT: [&str; 2] = ["run", "mode"];

/// Checks bytes as the note of a table.
pub fn check(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let written = match reread_note(&text, &CUSTOMERS, "the place") {
        Ok(written) => written,
        Err(error) => return refused(&error, &[Kind::Config]),
    };
    let again = reread_note(&written, &CUSTOMERS, "the place").unwrap();
    assert_eq!(again, written);
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let (given, written) = (json(&text), json(&written));
    for member in KEPT {
        assert_eq!(
            given[member].as_str().map(str::to_lowercase),
            written[member].as_str().map(str::to_lowercase)
        );
    }
    // What the note says of people decides whether rows are shown, so none of it is ever passed over.
    for member in ["excluded", "hashed"] {
        let names = |json: &Value| {
            let names = json["people"][member].as_array().cloned().unwrap_or_default();
            names
                .into_iter()
                .map(|name| name.to_string())
                .collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(names(&given), names(&written));
    }
    let members = written.as_object().unwrap().iter();
    let there: Vec<&str> =
        members.filter(|(_, value)| !value.is_null()).map(|(name, _)| name.as_str()).collect();
    format!("{there:?}")
}
