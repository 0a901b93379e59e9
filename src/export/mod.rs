//! Places that are written without a pipeline: a Delta table, a Parquet file, an Arrow stream.

use crate::error::{Error, Result};
use crate::sink::Sink;
use crate::state::State;

mod destination;
pub mod difference;
pub mod file;
pub mod mode;
mod parquet;
mod rejects;
pub mod report;
mod rows;
pub mod stream;
pub mod table;

pub use destination::{Destination, TablePlace};

use difference::Difference;
use report::Report;

/// A place that is open for one export.
pub trait Exported: Sink {
    /// Where it is, as people write it.
    fn place(&self) -> String;

    /// Tests whether it can be written, whatever is there already.
    ///
    /// # Errors
    /// `Config`: it cannot be written. `Transient`: the store cannot be reached.
    fn probe(&self) -> Result<()>;

    /// Where the last export left off; `None` if there was none, or if the place keeps no state.
    fn state(&self) -> Option<State>;

    /// What the export did, once it is done.
    fn report(&self) -> Option<&Report>;

    /// What the export would have changed, if it was to say no more than that.
    fn difference(&self) -> Option<&Difference> {
        None
    }
}

/// Refuses to replace rows by less than half as many: that is more likely a fault than what is meant.
fn refuse_shrinking(before: u64, rows: u64, place: &str) -> Result<()> {
    if rows.saturating_mul(2) >= before {
        return Ok(());
    }
    Err(Error::data(format!(
        "Refused to replace the {before} rows of {place} with {rows}, less than half. If that is intended, add --allow-shrink."
    )))
}
