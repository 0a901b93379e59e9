//! The messages that a tap writes, one JSON object a line.
//!
//! `RECORD` is not among them: the sink writes it straight from batches. Targets fail on a type that they
//! do not know, so there are no others.

use serde::Serialize;
use serde_json::Value;

/// A message.
#[derive(Debug, Serialize)]
#[serde(tag = "type")]
pub enum Message<'a> {
    /// What the records of a stream look like: it comes before them.
    #[serde(rename = "SCHEMA")]
    Schema {
        /// The stream's name.
        stream: &'a str,
        /// The JSON schema of its records.
        schema: &'a Value,
        /// The fields that identify a record.
        key_properties: [&'a str; 1],
        /// The field that an incremental read goes by; without one every read is whole.
        #[serde(skip_serializing_if = "Option::is_none")]
        bookmark_properties: Option<[&'a str; 1]>,
    },
    /// The records before it are all that there is: those of earlier versions are gone. Not in the
    /// specification; targets of Meltano's SDK know it.
    #[serde(rename = "ACTIVATE_VERSION")]
    ActivateVersion {
        /// The stream's name.
        stream: &'a str,
        /// Seconds since 1970.
        version: i64,
    },
    /// Where every stream's read left off: it comes after the records.
    #[serde(rename = "STATE")]
    State {
        /// The bookmarks.
        value: &'a Value,
    },
}
