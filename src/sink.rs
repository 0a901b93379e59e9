//! Where rows go. A sink knows nothing of where they come from.

use std::io::Read;

use arrow_array::RecordBatch;

use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::receipt::Receipt;
use crate::state::Checkpoint;

/// A place that takes the rows of streams, one stream after the other.
///
/// [`open`](Sink::open) comes before the request is sent. The writer then gets
/// [`begin`](Writer::begin) once, when the reply is proved; [`reject`](Writer::reject) if records of it
/// were rejected; [`write`](Writer::write) for each batch; and [`commit`](Writer::commit) last, which may
/// ask for all batches [once more](Outcome::Again). A writer that fails, or that is not committed, leaves
/// no state: the sink gets [`fail`](Sink::fail) in place of what would have followed.
pub trait Sink {
    /// What takes the rows of one stream.
    type Writer<'s>: Writer
    where
        Self: 's;

    /// The read of a stream begins.
    ///
    /// # Errors
    /// `System` or `Config`: the place cannot be written.
    fn open(&mut self, plan: &Plan) -> Result<Self::Writer<'_>>;

    /// The read of a stream failed: what was written of it is removed where that can be done.
    ///
    /// # Errors
    /// `System`: the place cannot be written.
    fn fail(&mut self, stream: &str, error: &Error) -> Result<()>;
}

/// Takes the rows of one stream: see [`Sink`].
pub trait Writer {
    /// Whether rows can be seen as they are written. If not, nothing is written of a reply that has too
    /// many rejected records; otherwise the good ones are, and the failure follows them.
    const SHOWS_ROWS_AT_ONCE: bool;

    /// The reply is proved, and so many rows follow.
    ///
    /// # Errors
    /// `System` or `Config`: the place cannot be written.
    fn begin(&mut self, receipt: &Receipt) -> Result<()>;

    /// Takes the records that were rejected, one line of JSON each: `{"path": …, "reason": …, "record": …}`.
    /// Where rows go to stdout the log has told of them, and there is no place for more.
    ///
    /// # Errors
    /// `System`, `Config` or `Transient`: the place cannot be written.
    fn reject(&mut self, _lines: &mut dyn Read) -> Result<()> {
        Ok(())
    }

    /// Takes a batch of the schema in [`crate::model::arrow::schema`].
    ///
    /// # Errors
    /// `System` or `Config`: the place cannot be written.
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Makes the rows last, and the state behind them or with them.
    ///
    /// # Errors
    /// `System`, `Config`, `Data` or `Transient`: the place cannot be written, or must not be. The state
    /// is not saved then.
    fn commit(&mut self, checkpoint: Checkpoint) -> Result<Outcome>;
}

/// What came of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Outcome {
    /// Rows and state last.
    Done,
    /// Nothing is saved yet: the writer has to see all rows once more, from the first.
    Again,
}
