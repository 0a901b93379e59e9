//! Places that are written without a pipeline: a Delta table, a Parquet file, an Arrow stream.

use crate::error::{Error, Result};

mod destination;
pub mod file;
pub mod mode;
mod parquet;
mod rejects;
pub mod report;
mod rows;
pub mod stream;
pub mod table;

pub use destination::{Destination, TablePlace};

/// Refuses to replace rows by less than half as many: that is more likely a fault than what is meant.
fn refuse_shrinking(before: u64, rows: u64, place: &str) -> Result<()> {
    if rows.saturating_mul(2) >= before {
        return Ok(());
    }
    Err(Error::data(format!(
        "Refused to replace the {before} rows of {place} with {rows}, less than half. If that is intended, add --allow-shrink."
    )))
}
