//! The contract of everything that takes rows, and nothing else. A sink knows nothing of where rows come from.
//!
//! A sink pulls: [`take`](Sink::take) is one function that reads downwards, in its simplest form
//!
//! ```ignore
//! fn take(&mut self, plan: &Plan, reply: &mut dyn Reply) -> Result<()> {
//!     while let Some(batch) = reply.next_batch()? {
//!         self.write(&batch)?;
//!     }
//!     self.save(reply.finish()?)
//! }
//! ```

use std::io::Read;

use arrow_array::RecordBatch;

use crate::error::{Error, Result};
use crate::model::Timestamp;
use crate::plan::Plan;
use crate::receipt::Receipt;
use crate::state::Checkpoint;

/// A place that takes the rows of streams, one stream after the other.
pub trait Sink {
    /// The read of a stream begins; the request is sent afterwards.
    ///
    /// # Errors
    /// `System` or `Config`: the place cannot be written.
    fn begin(&mut self, _plan: &Plan) -> Result<()> {
        Ok(())
    }

    /// A reply to the plan begins to arrive, whose request was sent then; whatever [`arrived`](Self::arrived) before is void.
    fn arriving(&mut self, _plan: &Plan, _extracted_at: Timestamp) {}

    /// The next rows of the reply, before it is proved: for a sink that can make of them what nobody sees before
    /// [`take`](Self::take), which may then go on [behind them](Reply::resume). False if it does not take them, nor any that
    /// follow. The connection of the API waits meanwhile, so it must not take long.
    fn arrived(&mut self, _plan: &Plan, _rows: &RecordBatch) -> bool {
        false
    }

    /// The reply is not proved: whatever arrived of it is void.
    fn lost(&mut self) {}

    /// Takes a proved reply. When it returns, rows and state last. A sink that fails saves no state, and
    /// removes what it wrote where that can be done.
    ///
    /// # Errors
    /// Of every kind: the place cannot be written or must not be, or the reply has too many rejects.
    fn take(&mut self, plan: &Plan, reply: &mut dyn Reply) -> Result<()>;

    /// The read of a stream failed, before [`take`](Self::take) or in it.
    ///
    /// # Errors
    /// `System`: the place cannot be written.
    fn fail(&mut self, _stream: &str, _error: &Error) -> Result<()> {
        Ok(())
    }
}

/// What the source says of one key.
#[derive(Debug)]
pub enum Answer {
    /// It has no record of that key.
    Gone,
    /// It has one.
    There,
    /// Why that is not known.
    Unknown(Error),
}

/// What a sink may ask of a proved reply.
pub trait Reply {
    /// What the reply holds, known before its first row.
    fn receipt(&self) -> &Receipt;

    /// The rejected records, one line of JSON each: `{"path": …, "reason": …, "record": …}`; without `record`
    /// where fields are left out or hashed.
    ///
    /// # Errors
    /// `System`: the temporary file cannot be read.
    fn rejects(&mut self) -> Result<Box<dyn Read + '_>>;

    /// The next batch, of the schema in [`crate::model::arrow::schema`]; `None` after the last.
    ///
    /// # Errors
    /// `System`: the temporary file cannot be read.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>>;

    /// The proof that lets a sink save a state: every row was handed out, and not too many records were
    /// rejected.
    ///
    /// # Errors
    /// `System`: rows are missing. `Data`: too many records were rejected.
    fn finish(&mut self) -> Result<Checkpoint>;

    /// Goes to the first batch that the sink did not take when it [arrived](Sink::arrived).
    ///
    /// # Errors
    /// `System`: the temporary file cannot be read.
    fn resume(&mut self) -> Result<()>;

    /// Goes back to the first batch.
    ///
    /// # Errors
    /// `System`: the temporary file cannot be read.
    fn rewind(&mut self) -> Result<()>;

    /// Asks the source for one record, by its key: that it is not in the reply may mean that it is gone, or
    /// that the reply was not whole. The question takes half a minute at most.
    fn ask(&mut self, key: i64) -> Answer;
}
