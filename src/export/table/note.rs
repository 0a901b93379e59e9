//! What an export notes in a table, in the same commit as its rows: where the next one goes on.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::people::Noted;
use crate::error::{Error, Result};
use crate::export::mode::TableMode;
use crate::model::{Stream, Timestamp, Zone};
use crate::state::State;

/// The name under which the note is in the table: a domain of the Delta protocol's domain metadata,
/// and the application of its transaction identifiers.
pub(super) const DOMAIN: &str = "kometsales";

/// The name under which the note of a table stands, or of a company in a table of many: `kometsales.NAME`.
pub(super) fn domain_of(company: Option<&str>) -> String {
    company.map_or_else(|| DOMAIN.to_owned(), |company| format!("{DOMAIN}.{company}"))
}

/// The company whose note stands under a name, if it is one's.
pub(super) fn company_of(domain: &str) -> Option<&str> {
    domain.strip_prefix(DOMAIN)?.strip_prefix('.')
}

/// When a vacuum was noted in a note, whatever else can be read of it.
pub(super) fn vacuumed_at(text: &str) -> Option<Timestamp> {
    let json: Value = serde_json::from_str(text).ok()?;
    json["vacuumed_at"].as_str().and_then(|time| Zone::UTC.parse(time))
}

/// The version that the commit of a note made, whatever else can be read of it.
pub(super) fn made_version(text: &str) -> Option<u64> {
    let json: Value = serde_json::from_str(text).ok()?;
    json["made"]["version"].as_u64()
}

/// The commit that a note knows of by which another program may have put older rows here, whatever else can be read of it.
pub(super) fn restored_by(text: &str) -> Option<u64> {
    let json: Value = serde_json::from_str(text).ok()?;
    json["restored"].as_u64()
}

/// The version of the note's form. A newer one is refused.
const VERSION: u64 = 1;

/// The version where fields are left out or hashed: 0.1 would not know of it, and write them again.
const VERSION_WITH_PEOPLE: u64 = 2;

/// What the last export that committed noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::export) struct Note {
    /// The run that committed.
    pub(in crate::export) run: String,
    /// Its mode.
    pub(in crate::export) mode: TableMode,
    /// The mode of the table, which an overwrite keeps. Where it is that of an overwrite, the table was made by
    /// one, and may be merged into or appended to.
    pub(in crate::export) table_mode: TableMode,
    /// When the latest request was sent whose rows the table has.
    pub(in crate::export) extracted_at: Timestamp,
    /// When the request was sent whose rows were all that the table had, if it was ever overwritten.
    pub(in crate::export) overwritten_at: Option<Timestamp>,
    /// Where the next read goes on.
    pub(in crate::export) state: State,
    /// The version that the commit made, and the rows of the table in it. Not noted before 0.2.
    pub(in crate::export) made: Option<Made>,
    /// The filters that its rows were asked for with, by their settings. Not noted before 0.2.
    pub(in crate::export) filters: Option<BTreeMap<String, String>>,
    /// When the last export committed that a vacuum was to follow.
    pub(in crate::export) vacuumed_at: Option<Timestamp>,
    /// What every row is without, or has hashes of.
    pub(in crate::export) people: Noted,
    /// The commit by which another program may have put older rows here, so that companies of the same table whose notes are older
    /// know of it. Not noted before 0.2.
    pub(in crate::export) restored: Option<u64>,
}

/// What a commit made of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::export) struct Made {
    /// The version.
    pub(in crate::export) version: u64,
    /// Its rows.
    pub(in crate::export) rows: u64,
}

impl Note {
    /// Its form in the table.
    pub(super) fn to_json(&self, stream: &Stream) -> Value {
        let version = if self.people.is_set() { VERSION_WITH_PEOPLE } else { VERSION };
        json!({
            "version": version,
            "run": self.run,
            "mode": self.mode,
            "table_mode": self.table_mode,
            "extracted_at": self.extracted_at.to_string(),
            "overwritten_at": self.overwritten_at.map(|time| time.to_string()),
            "state": self.state.to_json(stream),
            "made": self.made.map(|made| json!({"version": made.version, "rows": made.rows})),
            "filters": self.filters,
            "vacuumed_at": self.vacuumed_at.map(|time| time.to_string()),
            "people": self.people.to_json(),
            "restored": self.restored,
        })
    }

    /// Reads [`to_json`](Self::to_json)'s form.
    ///
    /// # Errors
    /// `Config`: a newer version wrote it, or something else did.
    pub(super) fn from_json(text: &str, stream: &Stream, place: &str) -> Result<Self> {
        let json: Value = serde_json::from_str(text).unwrap_or_default();
        match json["version"].as_u64() {
            Some(VERSION | VERSION_WITH_PEOPLE) => {}
            Some(newer) if newer > VERSION_WITH_PEOPLE => {
                return Err(Error::config(format!(
                    "The table at {place} was written by a newer version of this program. Upgrade it, or export to another place."
                )));
            }
            _ => return Err(unreadable(place)),
        }
        let text = |member: &str| json[member].as_str().ok_or_else(|| unreadable(place));
        let mode = |name: &str| TableMode::named(name).ok_or_else(|| unreadable(place));
        let state = State::from_json(&json["state"], stream, Zone::UTC)?;
        Ok(Self {
            run: text("run")?.to_owned(),
            mode: mode(text("mode")?)?,
            // Not noted before 0.2.
            table_mode: mode(json["table_mode"].as_str().map_or_else(|| text("mode"), Ok)?)?,
            extracted_at: Zone::UTC
                .parse(text("extracted_at")?)
                .ok_or_else(|| unreadable(place))?,
            overwritten_at: match json["overwritten_at"].as_str() {
                None => None,
                Some(time) => Some(Zone::UTC.parse(time).ok_or_else(|| unreadable(place))?),
            },
            state: state.unwrap_or_default(),
            made: match (json["made"]["version"].as_u64(), json["made"]["rows"].as_u64()) {
                (Some(version), Some(rows)) => Some(Made { version, rows }),
                _ => None,
            },
            filters: serde_json::from_value(json["filters"].clone()).unwrap_or_default(),
            vacuumed_at: json["vacuumed_at"].as_str().and_then(|time| Zone::UTC.parse(time)),
            people: Noted::from_json(&json["people"]).ok_or_else(|| unreadable(place))?,
            restored: json["restored"].as_u64(),
        })
    }
}

/// Reads the note of a table of a stream, and writes what was understood of it: for tests and fuzzing, which need no table then.
///
/// # Errors
/// `Config`: a newer version wrote it, or something else did. `place` is where it was.
///
/// ```
/// use kometsales::export::table::reread_note;
/// use kometsales::streams::customers::CUSTOMERS;
/// let error = reread_note(r#"{"version": 99}"#, &CUSTOMERS, "lake/customers").unwrap_err();
/// assert!(error.to_string().contains("lake/customers was written by a newer version"));
/// ```
pub fn reread_note(text: &str, stream: &Stream, place: &str) -> Result<String> {
    Ok(Note::from_json(text, stream, place)?.to_json(stream).to_string())
}

fn unreadable(place: &str) -> Error {
    Error::config(format!(
        "What this program noted in the table at {place} cannot be read. Restore the table's log, or export to another place."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::customers::CUSTOMERS;

    #[test]
    fn what_is_noted_is_read_again() {
        let time = |text| Zone::UTC.parse(text).unwrap();
        for cursor in [None, Some(time("2024-01-01T00:00:00.5"))] {
            let note = Note {
                run: "a-run".into(),
                mode: TableMode::Overwrite,
                table_mode: TableMode::Append,
                extracted_at: time("2026-11-24T06:02:03.123456"),
                overwritten_at: cursor,
                state: State { cursor, scope: Some("abc".into()), list: None },
                made: cursor.map(|_| Made { version: 7, rows: 12 }),
                filters: cursor.map(|_| BTreeMap::from([("name".into(), "Flores".into())])),
                vacuumed_at: cursor,
                people: Noted::default(),
                restored: None,
            };
            let mut json = note.to_json(&CUSTOMERS);
            assert_eq!(Note::from_json(&json.to_string(), &CUSTOMERS, "t").unwrap(), note);
            json.as_object_mut().unwrap().remove("table_mode");
            let older = Note::from_json(&json.to_string(), &CUSTOMERS, "t").unwrap();
            assert_eq!(older.table_mode, TableMode::Overwrite, "0.1 did not note what is kept");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_never_taken_for_nothing() {
        for text in ["", "{}", r#"{"version": 3}"#, r#"{"version": 1, "run": 7}"#] {
            let error = Note::from_json(text, &CUSTOMERS, "t").unwrap_err();
            assert_eq!(error.kind(), crate::error::Kind::Config, "{text}");
        }
    }
}
