//! Places that are written without a pipeline: a Delta table, a Parquet file, an Arrow stream.

use chrono::Utc;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::log::Log;
use crate::model::arrow::Selection;
use crate::model::{Stream, Timestamp};
use crate::plan::{Mode, Plan, Request};
use crate::sink::Sink;
use crate::source::Source;
use crate::state::State;
use crate::sync::{self, RejectLimits};

pub mod companies;
mod destination;
pub mod difference;
mod early;
pub mod file;
mod mask;
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

/// After how many hours an export into a table asks for the whole list, where the settings do not say: a
/// week.
const FULL_LIST_HOURS: u64 = 168;

/// A place that is open for one export.
pub trait Exported: Sink {
    /// Where it is, as people write it.
    fn place(&self) -> String;

    /// Tests whether it can be written, whatever is there already. Nothing is to be tested where nothing is written
    /// before there are rows.
    ///
    /// # Errors
    /// `Config`: it cannot be written. `Transient`: the store cannot be reached.
    fn probe(&self) -> Result<()> {
        Ok(())
    }

    /// Where the last export left off; `None` if there was none, or if the place keeps no state.
    fn state(&self) -> Option<State> {
        None
    }

    /// What the export did, once it is done.
    fn report(&self) -> Option<&Report>;

    /// What the export would have changed, if it was to say no more than that.
    fn difference(&self) -> Option<&Difference> {
        None
    }
}

/// Exports a stream to a place that is open: everything, or what changed since the state of the place.
///
/// # Errors
/// Of every kind; the place is as it was.
pub fn export(
    source: &Source<'_>,
    config: &Config,
    place: &mut dyn Exported,
    how: How,
    log: &dyn Log,
) -> Result<()> {
    let How { stream, is_whole, limits } = how;
    let (mode, state) = match is_whole {
        true => (Mode::FullRefresh, None),
        false => (Mode::Incremental, place.state()),
    };
    let selection = Selection::all(stream);
    let full_list_hours = Some(FULL_LIST_HOURS);
    let request = Request { stream, selection, mode, state, full_list_hours };
    let plan = Plan::new(config, request, Timestamp::from(Utc::now()));
    sync::run(source, &plan, place, limits, log).map(|_| ())
}

/// What an export is of.
#[derive(Debug, Clone, Copy)]
pub struct How {
    /// The stream.
    pub stream: &'static Stream,
    /// Whether everything is read, whatever the state of the place.
    pub is_whole: bool,
    /// What becomes of records without a valid key.
    pub limits: RejectLimits,
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
