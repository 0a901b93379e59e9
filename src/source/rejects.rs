//! Records without a valid key: kept whole, as they came, with their place and the reason. Where fields are
//! left out or hashed, nothing of the record is kept.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::PathBuf;

use serde::Deserialize;

use super::scratch::{Scratch, full};
use crate::error::{Error, Result};
use crate::receipt::Reject;

/// Bytes of rejected records kept in memory before they go to the temporary file.
const MAX_MEMORY_BYTES: usize = 1024 * 1024;

/// Rejected records, one line of JSON each: `{"path": …, "reason": …, "record": …}`, or without `record`.
#[derive(Default)]
pub(crate) struct Rejects {
    /// The lines before these, if there were too many for memory.
    file: Option<(File, PathBuf)>,
    lines: Vec<u8>,
    count: u64,
}

/// What a line says beside the record.
#[derive(Deserialize)]
struct Line {
    path: String,
    reason: String,
}

impl Rejects {
    /// Takes a record: `raw` is its JSON as it came, if it may be kept.
    ///
    /// # Errors
    /// `System` if the temporary file cannot be written.
    pub(crate) fn push(
        &mut self,
        scratch: &Scratch,
        reject: &Reject,
        raw: Option<&str>,
    ) -> Result<()> {
        self.count += 1;
        let (path, reason) = (serde_json::json!(reject.path), serde_json::json!(reject.reason));
        // A line break in JSON can only be a blank: inside text it is escaped.
        let record = raw.map(|raw| format!(",\"record\":{}", raw.replace(['\n', '\r'], " ")));
        let record = record.unwrap_or_default();
        let line = format!("{{\"path\":{path},\"reason\":{reason}{record}}}\n");
        self.lines.extend_from_slice(line.as_bytes());
        if self.lines.len() < MAX_MEMORY_BYTES {
            return Ok(());
        }
        if self.file.is_none() {
            self.file = scratch.file().map(|(file, folder)| (file, folder.to_owned()));
        }
        if let Some((file, folder)) = &mut self.file {
            file.write_all(&self.lines).map_err(|error| full(folder, error))?;
            self.lines.clear();
        }
        Ok(())
    }

    /// How many were taken.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The lines, from the first.
    ///
    /// # Errors
    /// `System` if the temporary file cannot be read.
    pub(crate) fn lines(&mut self) -> Result<impl Read + '_> {
        let file: Box<dyn Read + '_> = match &mut self.file {
            Some((file, _)) => {
                file.rewind().map_err(unreadable)?;
                Box::new(file)
            }
            None => Box::new(std::io::empty()),
        };
        Ok(file.chain(self.lines.as_slice()))
    }

    /// Shows where the first of them were, at most this many, and why they were rejected.
    ///
    /// # Errors
    /// `System` if the temporary file cannot be read.
    pub(crate) fn first(&mut self, most: u64, mut show: impl FnMut(Reject)) -> Result<()> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        for line in BufReader::new(self.lines()?).lines().take(most) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_memory_should_hold_goes_to_a_file_and_comes_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for scratch in [Scratch::new(vec![folder.path().to_owned()]), Scratch::new(Vec::new())] {
            let mut rejects = Rejects::default();
            let record = format!("{{\"id\": \n\"{}\"}}", "x".repeat(100_000));
            for number in 0..40 {
                let reject =
                    Reject { path: format!("customers[{number}].id"), reason: "no".into() };
                rejects.push(&scratch, &reject, Some(&record)).unwrap();
            }
            for most in [0, 1, 25, 40, u64::MAX] {
                let mut paths = Vec::new();
                rejects.first(most, |reject| paths.push(reject.path)).unwrap();
                let expected = (0..most.min(40)).map(|number| format!("customers[{number}].id"));
                assert!(expected.eq(paths));
            }
            assert_eq!(rejects.count(), 40);
        }
    }
}
