//! What an export has made of a version and has not committed yet.

use super::compare::Changes;
use super::deletes::Deletes;
use crate::export::mode::TableMode;
use crate::export::parquet::Uploaded;
use crate::export::report::Report;

/// Rows that are uploaded and wait for their commit.
pub(super) struct Pass {
    pub(super) uploaded: Uploaded,
    pub(super) changes: Changes,
    /// Rows of the reply that are written.
    pub(super) rows: u64,
    /// Rows of the reply that the table has.
    pub(super) unchanged: u64,
    /// Rows of the reply that the table has as deleted.
    pub(super) restored: u64,
    /// Keys that are missing from a reply of everything and were current until now.
    pub(super) missing: u64,
    pub(super) deletes: Deletes,
}

impl Pass {
    /// This number of rows, whatever is there.
    pub(super) fn of_rows(uploaded: Uploaded, rows: u64) -> Self {
        Self {
            uploaded,
            changes: Changes::default(),
            rows,
            unchanged: 0,
            restored: 0,
            missing: 0,
            deletes: Deletes::default(),
        }
    }

    /// Whether it changes no row of the table.
    pub(super) fn is_nothing(&self) -> bool {
        self.rows == 0 && self.changes.touched.is_empty() && self.deletes.rows.is_empty()
    }

    /// What it did, of a table that had this number of rows before.
    pub(super) fn report(
        &self,
        own: Report,
        mode: TableMode,
        before: u64,
        is_whole: bool,
    ) -> Report {
        let deleted = self.deletes.rows.len() as u64;
        let table_rows = match mode {
            TableMode::Overwrite => self.rows,
            TableMode::Append => before + self.rows + deleted,
            TableMode::History => before + self.rows,
            TableMode::Merge => before.saturating_sub(self.changes.replaced) + self.rows,
        };
        let is_compared = is_whole && mode != TableMode::Overwrite;
        Report {
            mode: Some(mode),
            rows: self.rows,
            unchanged: self.unchanged,
            deleted: Some(deleted),
            restored: Some(self.restored),
            withheld: Some(self.deletes.withheld),
            not_returned: is_compared.then(|| self.missing - deleted),
            bytes: self.uploaded.files.iter().map(|file| file.bytes).sum(),
            files: self.uploaded.files.len(),
            table_rows: Some(table_rows),
            ..own
        }
    }
}
