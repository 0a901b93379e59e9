//! Records without a valid key: kept whole, as they came, with where they stood and why.

use std::io::{BufRead, BufReader, Seek, Write};
use std::path::PathBuf;

use serde::Deserialize;
use tempfile::SpooledTempFile;

use super::scratch::{Scratch, full};
use crate::error::{Error, Result};
use crate::receipt::Reject;

/// Bytes of rejected records kept in memory before they go to a temporary file.
const IN_MEMORY: usize = 1024 * 1024;

/// Rejected records, one line of JSON each: `{"path": …, "reason": …, "record": …}`.
#[derive(Default)]
pub(crate) struct Rejects {
    lines: Option<(SpooledTempFile, PathBuf)>,
    count: u64,
}

/// What a line says beside the record.
#[derive(Deserialize)]
struct Line {
    path: String,
    reason: String,
}

impl Rejects {
    /// Takes a record: `raw` is its JSON as it came.
    ///
    /// # Errors
    /// `System` if the temporary file cannot be written.
    pub(crate) fn push(&mut self, scratch: &Scratch, reject: &Reject, raw: &str) -> Result<()> {
        self.count += 1;
        let (lines, folder) = self.lines.get_or_insert_with(|| match scratch.file() {
            Some((_, folder)) => (tempfile::spooled_tempfile_in(IN_MEMORY, folder), folder.into()),
            None => (tempfile::spooled_tempfile(usize::MAX), PathBuf::new()),
        });
        let (path, reason) = (serde_json::json!(reject.path), serde_json::json!(reject.reason));
        // A line break in JSON can only be a blank: inside text it is escaped.
        let raw = raw.replace(['\n', '\r'], " ");
        writeln!(lines, r#"{{"path":{path},"reason":{reason},"record":{raw}}}"#)
            .map_err(|error| full(folder, error))
    }

    /// How many were taken.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Shows where the first so many stood, and why they were rejected.
    ///
    /// # Errors
    /// `System` if the temporary file cannot be read.
    pub(crate) fn first(&mut self, most: u64, mut show: impl FnMut(Reject)) -> Result<()> {
        let Some((lines, _)) = &mut self.lines else { return Ok(()) };
        lines.rewind().map_err(unreadable)?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        for line in BufReader::new(lines).lines().take(most) {
            let line = line.map_err(unreadable)?;
            let Line { path, reason } = serde_json::from_str(&line).map_err(unreadable)?;
            show(Reject { path, reason });
        }
        Ok(())
    }
}

fn unreadable(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::system("The rejected records could not be read back. Check the disk of the temporary folder, and run again.")
        .caused_by(cause)
}
