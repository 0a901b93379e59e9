//! Where rows go. A sink knows nothing of where they come from.

use arrow_array::RecordBatch;

use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::receipt::Receipt;
use crate::state::Checkpoint;

pub mod airbyte;
mod block;
pub mod lines;
pub mod singer;

/// A place that takes the rows of streams, one stream after the other.
///
/// [`open`](Sink::open) comes before the request is sent. The writer then gets
/// [`begin`](Writer::begin) once, when the reply is proved; [`write`](Writer::write) for each batch;
/// and [`commit`](Writer::commit) last. A writer that fails, or that is not committed, leaves no state:
/// it gets [`fail`](Sink::fail) in place of what would have followed.
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

    /// The read of a stream failed.
    ///
    /// # Errors
    /// `System`: the place cannot be written.
    fn fail(&mut self, stream: &str, error: &Error) -> Result<()>;
}

/// Takes the rows of one stream: see [`Sink`].
pub trait Writer {
    /// The reply is proved, and so many rows follow.
    ///
    /// # Errors
    /// `System` or `Config`: the place cannot be written.
    fn begin(&mut self, receipt: &Receipt) -> Result<()>;

    /// Takes a batch of the schema in [`crate::model::arrow::schema`].
    ///
    /// # Errors
    /// `System` or `Config`: the place cannot be written.
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Makes the rows last, and then the state behind them.
    ///
    /// # Errors
    /// `System` or `Config`: the place cannot be written. The state is not saved then.
    fn commit(self, checkpoint: Checkpoint) -> Result<()>;
}
