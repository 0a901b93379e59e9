//! What an export would change in a table, without doing it.

use serde::Serialize;

use super::mode::TableMode;
use super::report::Kind;
use crate::model::Timestamp;

/// At most this number of keys of each kind is listed.
const MAX_LISTED: usize = 10;

/// What an export would change. Its form in JSON is the answer of `export --dry-run --json`.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// Where the table is, or would be, as people write it.
    pub to: String,
    /// What it is.
    pub kind: Kind,
    /// The mode of the export.
    pub mode: TableMode,
    /// True: nothing was written.
    pub dry_run: bool,
    /// The version that was compared; `None` if there is no table.
    pub version: Option<u64>,
    /// Rows of the reply.
    pub received: u64,
    /// Records that were rejected.
    pub rejects: u64,
    /// When the request was sent.
    pub extracted_at: Timestamp,
    /// Whether the reply is a complete list: then a table without a difference equals it.
    pub is_complete: bool,
    /// Keys that the table does not have.
    pub inserted: Keys,
    /// Keys of which the table has other values.
    pub updated: Keys,
    /// Keys that would be marked as deleted; by an overwrite, those that would not be there any more.
    pub deleted: Keys,
    /// Keys that are marked as deleted and have returned.
    pub restored: Keys,
    /// Keys of which the table has the same values.
    pub unchanged: Keys,
    /// Keys that are missing and would not be marked: too many of them, or nothing proves it.
    pub withheld: u64,
}

impl Difference {
    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        let kinds = [&self.inserted, &self.updated, &self.deleted, &self.restored];
        kinds.iter().all(|keys| keys.count == 0) && self.withheld == 0
    }
}

/// Keys of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Keys {
    /// How many there are.
    pub count: u64,
    /// The first ten of them.
    pub ids: Vec<i64>,
}

impl Keys {
    /// Takes the next key.
    pub(super) fn take(&mut self, key: i64) {
        self.count += 1;
        if self.ids.len() < MAX_LISTED {
            self.ids.push(key);
        }
    }
}
