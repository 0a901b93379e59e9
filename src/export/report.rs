//! What an export did, for the summary.

use serde::Serialize;

use super::mode::TableMode;
use crate::model::Timestamp;
use crate::receipt::Receipt;

/// What a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A Delta table.
    Table,
    /// A Parquet file.
    File,
    /// An Arrow stream.
    Stream,
}

/// What an export did. Its form in JSON is the answer of `export --json`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Where it went, as people write it.
    pub to: String,
    /// What is there.
    pub kind: Kind,
    /// The mode of a table.
    pub mode: Option<TableMode>,
    /// The name of the run: that of its rejects file, and in the table's log.
    pub run: String,
    /// Rows of the reply.
    pub received: u64,
    /// Rows written.
    pub rows: u64,
    /// Rows that the table had already, the same in every value.
    pub unchanged: u64,
    /// Keys of a table that are marked as deleted since this run; `None` for what is no table.
    pub deleted: Option<u64>,
    /// Keys that were marked as deleted and have returned.
    pub restored: Option<u64>,
    /// Keys that are missing and were not marked: too many of them, or nothing proves it.
    pub withheld: Option<u64>,
    /// Records that were rejected.
    pub rejects: u64,
    /// Where the rejected records are.
    pub rejects_to: Option<String>,
    /// Keys that are current in the table and that a read of everything did not return.
    pub not_returned: Option<u64>,
    /// Bytes written.
    pub bytes: u64,
    /// Files written.
    pub files: usize,
    /// The table's version.
    pub version: Option<u64>,
    /// Whether there was anything to commit.
    pub committed: bool,
    /// Where the next read goes on.
    pub cursor: Option<Timestamp>,
    /// When the request was sent.
    pub extracted_at: Timestamp,
    /// Rows of the table now.
    pub table_rows: Option<u64>,
    /// What the vacuum after the commit removed; `None` if there was none.
    pub vacuumed: Option<Vacuumed>,
}

/// What a vacuum removed.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Vacuumed {
    /// How many files.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Report {
    /// A run that wrote every row of a reply to a place. What a kind of place adds to that, it sets itself.
    pub(super) fn of(to: String, kind: Kind, run: &str, receipt: &Receipt) -> Self {
        Self {
            to,
            kind,
            mode: None,
            run: run.to_owned(),
            received: receipt.rows,
            rows: receipt.rows,
            unchanged: 0,
            deleted: None,
            restored: None,
            withheld: None,
            rejects: receipt.rejected,
            rejects_to: None,
            not_returned: None,
            bytes: 0,
            files: 0,
            version: None,
            committed: true,
            cursor: None,
            extracted_at: receipt.extracted_at,
            table_rows: None,
            vacuumed: None,
        }
    }
}

/// A new name for a run: when it began, and a random number that no other run has.
pub(super) fn run_name(now: Timestamp) -> String {
    let digits: String = now.to_string().chars().filter(|c| !"-:".contains(*c)).collect();
    let seconds = digits.split(['.', 'Z']).next().unwrap_or_default();
    format!("{seconds}Z-{:016x}", fastrand::u64(..))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Zone;

    #[test]
    fn a_run_is_named_by_when_it_began_and_by_what_no_other_has() {
        let now = Zone::UTC.parse("2026-11-24T06:02:03.25").unwrap();
        let (one, other) = (run_name(now), run_name(now));
        assert!(one.starts_with("20261124T060203Z-"), "{one}");
        assert_ne!(one, other);
    }
}
