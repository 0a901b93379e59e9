//! Rows that are encoded while their reply arrives. Until it is proved nobody sees what becomes of them, files that no commit
//! names or an object that is not complete, and dropped they are removed.

use std::time::{Duration, Instant};

use arrow_array::RecordBatch;

use super::parquet::Files;
use crate::error::Result;
use crate::model::Timestamp;

/// How long a slow place may hold the connection of the API, in all. What it has not taken by then waits in the spool.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Files of the rows that have arrived.
pub(super) struct Early {
    files: Files,
    extracted_at: Timestamp,
    waited: Duration,
}

impl Early {
    /// No rows yet, of a request that counts as sent at `extracted_at`.
    pub(super) fn new(files: Files, extracted_at: Timestamp) -> Self {
        Self { files, extracted_at, waited: Duration::ZERO }
    }

    /// Takes rows. False if the place has been too slow, and they are not taken.
    ///
    /// # Errors
    /// `Config`, `System` or `Transient`: the files cannot be written.
    pub(super) fn take(&mut self, rows: RecordBatch) -> Result<bool> {
        let started = Instant::now();
        let is_taken = self.files.offer(rows, MAX_WAIT.saturating_sub(self.waited))?;
        self.waited += started.elapsed();
        Ok(is_taken)
    }

    /// When its rows count as extracted.
    pub(super) fn extracted_at(&self) -> Timestamp {
        self.extracted_at
    }

    /// The files, if they are of a request of this time.
    pub(super) fn of(self, extracted_at: Timestamp) -> Option<Files> {
        (self.extracted_at == extracted_at).then_some(self.files)
    }
}
