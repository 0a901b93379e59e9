//! A proved reply: its rows come out of it alone, and behind the last of them the checkpoint.

use std::io::Read;

use arrow_array::RecordBatch;

use super::early::Taken;
use super::rejects::Rejects;
use super::spool;
use crate::error::{Error, Result};
use crate::model::Stream;
use crate::receipt::{Receipt, Reject};
use crate::state::{Checkpoint, State};

/// A reply that was received whole and said success. Batches come out of it alone.
pub struct Accepted {
    /// What it held.
    pub receipt: Receipt,
    /// Its rows.
    pub batches: Batches,
    pub(super) rejects: Rejects,
}

/// The rows of an accepted reply, and the checkpoint behind the last of them.
pub struct Batches {
    pub(super) spooled: spool::Spooled,
    pub(super) promised: u64,
    pub(super) handed_on: u64,
    pub(super) taken: Taken,
    pub(super) stream: &'static Stream,
    pub(super) state: State,
}

impl Accepted {
    /// Shows where the first rejected records were, at most this many, and why they were rejected.
    ///
    /// # Errors
    /// `System` if they cannot be read back.
    pub fn first_rejects(&mut self, most: u64, show: impl FnMut(Reject)) -> Result<()> {
        self.rejects.first(most, show)
    }

    /// The rejected records as they came, one line of JSON each: `{"path": …, "reason": …, "record": …}`.
    ///
    /// # Errors
    /// `System` if they cannot be read back.
    pub fn rejected(&mut self) -> Result<impl Read + '_> {
        self.rejects.lines()
    }
}

impl Batches {
    /// The next batch, or `None` after the last.
    ///
    /// # Errors
    /// `System` if the spool cannot be read.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let batch = self.spooled.next().transpose()?;
        self.handed_on += batch.as_ref().map_or(0, |batch| batch.num_rows() as u64);
        Ok(batch)
    }

    /// The checkpoint behind the last row.
    ///
    /// # Errors
    /// `System` if not every row of the reply was handed on: the temporary file lost some.
    pub fn finish(&self) -> Result<Checkpoint> {
        if self.handed_on != self.promised {
            return Err(Error::system(format!(
                "{} of {} rows came back from the temporary file, so rows are missing and no state is saved. Check that disk, and run again.",
                self.handed_on, self.promised
            )));
        }
        Ok(Checkpoint::proven(self.stream, self.state.clone(), self.promised))
    }

    /// Goes to the first batch that was not taken as it arrived, and says how many rows are before it.
    ///
    /// # Errors
    /// `System` if the spool cannot be read.
    pub fn resume(&mut self) -> Result<u64> {
        self.spooled.go_to(self.taken.batches)?;
        self.handed_on = self.taken.rows;
        Ok(self.taken.rows)
    }

    /// Goes back to the first batch.
    ///
    /// # Errors
    /// `System` if the spool cannot be read.
    pub fn rewind(&mut self) -> Result<()> {
        self.handed_on = 0;
        self.spooled.go_to(0)
    }
}
