//! One stream from the API to a sink: the whole product in a page.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::RecordBatch;

use crate::error::{Error, Result};
use crate::log::Log;
use crate::model::Timestamp;
use crate::plan::Plan;
use crate::receipt::{Receipt, Reject};
use crate::sink::{Answer, Reply, Sink};
use crate::source::{Accepted, Early, Source};
use crate::state::Checkpoint;

/// Rejected records that the log lists where a sink keeps all of them.
const MAX_LISTED_REJECTS: u64 = 10;

/// What becomes of records without a valid key.
#[derive(Debug, Clone, Copy)]
pub struct RejectLimits {
    /// At most this many are allowed; more fail the read, after its last good row.
    allowed: u64,
    /// At most this many are listed in the log.
    listed: u64,
}

impl RejectLimits {
    /// For a sink that has no place for rejected records: the log lists each one that `max_rejects` allows,
    /// and without that setting none is allowed.
    pub fn listed(max_rejects: Option<u64>) -> Self {
        let allowed = max_rejects.unwrap_or(0);
        Self { allowed, listed: allowed }
    }

    /// For a sink that keeps rejected records whole: the log lists the first ten, and without the setting
    /// any number is allowed.
    pub fn kept(max_rejects: Option<u64>) -> Self {
        let allowed = max_rejects.unwrap_or(u64::MAX);
        Self { allowed, listed: allowed.min(MAX_LISTED_REJECTS) }
    }
}

/// Reads a stream into a sink. The reply is received whole and proved before the sink sees a row of it,
/// and the state follows the last row.
///
/// # Errors
/// Of every kind. The sink knows of it by [`Sink::fail`], and no state was saved.
pub fn run(
    source: &Source<'_>,
    plan: &Plan,
    sink: &mut dyn Sink,
    limits: RejectLimits,
    log: &dyn Log,
) -> Result<Receipt> {
    let attempt = AssertUnwindSafe(|| read(source, plan, sink, limits, log));
    let read = catch_unwind(attempt).unwrap_or_else(|_| {
        Err(Error::system(
            "The read stopped at a bug in kometsales. Please report it, with the place that stderr names.",
        ))
    });
    if let Err(error) = &read
        && !error.is_quiet()
    {
        // Where the sink cannot take the failure either, the first failure is the one that says why.
        let _ = sink.fail(plan.stream.name, error);
    }
    read
}

fn read(
    source: &Source<'_>,
    plan: &Plan,
    sink: &mut dyn Sink,
    limits: RejectLimits,
    log: &dyn Log,
) -> Result<Receipt> {
    sink.begin(plan)?;
    plan.warnings.iter().for_each(|warning| log.warn(warning));

    let accepted = source.receive(plan, &mut Arriving { sink, plan })?;
    let ask = |key| match source.has(plan, key) {
        Ok(true) => Answer::There,
        Ok(false) => Answer::Gone,
        Err(error) => Answer::Unknown(error),
    };
    hand_over(accepted, plan, sink, limits, log, &ask)
}

/// Rows on their way to a sink before they are proved.
struct Arriving<'a> {
    sink: &'a mut dyn Sink,
    plan: &'a Plan,
}

impl Early for Arriving<'_> {
    fn begin(&mut self, extracted_at: Timestamp) {
        self.sink.arriving(self.plan, extracted_at);
    }

    fn take(&mut self, rows: &RecordBatch) -> bool {
        self.sink.arrived(self.plan, rows)
    }

    fn lose(&mut self) {
        self.sink.lost();
    }
}

/// Lets a sink take a reply that is at hand; `ask` answers its questions.
///
/// # Errors
/// As [`run`].
pub fn hand_over(
    mut accepted: Accepted,
    plan: &Plan,
    sink: &mut dyn Sink,
    limits: RejectLimits,
    log: &dyn Log,
    ask: &dyn Fn(i64) -> Answer,
) -> Result<Receipt> {
    report(&mut accepted, limits, log)?;
    refuse_all_rejected(&mut accepted)?;
    let mut reply = Proved { accepted, limits, log, ask, is_begun: false };
    sink.take(plan, &mut reply)?;
    Ok(reply.accepted.receipt)
}

/// Reports what a reply held before its rows go on their way.
fn report(accepted: &mut Accepted, limits: RejectLimits, log: &dyn Log) -> Result<()> {
    let Receipt { stream, rows, left_out, bytes, elapsed, .. } = &accepted.receipt;
    log.info(&format!(
        "Stream `{}`: received {bytes} bytes in {:.3} s: {rows} rows to emit, {left_out} skipped as older than requested.",
        stream.name,
        elapsed.as_secs_f64()
    ));
    accepted.receipt.warnings.iter().for_each(|warning| log.warn(warning));
    let name = stream.name;
    accepted.first_rejects(limits.listed, |Reject { path, reason }| {
        log.warn(&format!("Stream `{name}`: a record is rejected for {path}: {reason}."));
    })
}

/// A reply of which no record has a valid key is not what it was when this program was made.
fn refuse_all_rejected(accepted: &mut Accepted) -> Result<()> {
    let Receipt { stream, rows, left_out, rejected, .. } = accepted.receipt;
    if rejected == 0 || rows + left_out > 0 {
        return Ok(());
    }
    let first = first_reject(accepted)?;
    Err(Error::data(format!(
        "Every record of `{}` was rejected ({rejected}), the first at {first}. If the API has changed, please report it.",
        stream.name
    )))
}

fn first_reject(accepted: &mut Accepted) -> Result<String> {
    let mut first = String::new();
    accepted.first_rejects(1, |Reject { path, reason }| first = format!("{path}: {reason}"))?;
    Ok(first)
}

/// A proved reply on its way into a sink: counts its rows for whoever shows progress, and gives no
/// checkpoint where too many records were rejected.
struct Proved<'a> {
    accepted: Accepted,
    limits: RejectLimits,
    log: &'a dyn Log,
    ask: &'a dyn Fn(i64) -> Answer,
    /// Whether a row of this pass was asked for.
    is_begun: bool,
}

impl Proved<'_> {
    fn begin(&mut self) {
        if !self.is_begun {
            self.is_begun = true;
            self.log.stage("Writing", Some(self.accepted.receipt.rows));
        }
    }
}

impl Reply for Proved<'_> {
    fn receipt(&self) -> &Receipt {
        &self.accepted.receipt
    }

    fn rejects(&mut self) -> Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.accepted.rejected()?))
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        self.begin();
        let batch = self.accepted.batches.next_batch()?;
        if let Some(batch) = &batch {
            self.log.advance(batch.num_rows() as u64);
        }
        Ok(batch)
    }

    fn finish(&mut self) -> Result<Checkpoint> {
        let checkpoint = self.accepted.batches.finish()?;
        let (rejected, allowed) = (self.accepted.receipt.rejected, self.limits.allowed);
        if rejected <= allowed {
            return Ok(checkpoint);
        }
        let first = first_reject(&mut self.accepted)?;
        Err(Error::data(format!(
            "Rejected records of `{}`: {rejected} ({allowed} allowed), the first at {first}. Correct them, or raise `max_rejects`.",
            self.accepted.receipt.stream.name
        )))
    }

    fn resume(&mut self) -> Result<()> {
        self.begin();
        let rows = self.accepted.batches.resume()?;
        self.log.advance(rows);
        Ok(())
    }

    fn rewind(&mut self) -> Result<()> {
        self.is_begun = false;
        self.accepted.batches.rewind()
    }

    fn ask(&mut self, key: i64) -> Answer {
        (self.ask)(key)
    }
}
