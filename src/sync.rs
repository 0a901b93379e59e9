//! One stream from the API to a sink: the whole product in a page.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Error, Result};
use crate::log::Log;
use crate::plan::Plan;
use crate::receipt::{Receipt, Reject};
use crate::sink::{Outcome, Sink, Writer};
use crate::source::{Accepted, Source};

/// Rejected records that are told of one by one where all of them are kept.
const MOST_TOLD: u64 = 10;

/// Reads a stream into a sink. The reply is received whole and proved before the sink sees a row of it,
/// and the state follows the last row.
///
/// More than `max_rejects` records without a valid key fail the read: at its end, after every good one,
/// where rows can be seen at once, and before the first otherwise.
///
/// # Errors
/// Of every kind. The sink has been told, and no state was saved.
pub fn run<S: Sink>(
    source: &Source<'_>,
    plan: &Plan,
    sink: &mut S,
    max_rejects: u64,
    log: &dyn Log,
) -> Result<Receipt> {
    let attempt = AssertUnwindSafe(|| read(source, plan, sink, max_rejects, log));
    let read = catch_unwind(attempt).unwrap_or_else(|_| {
        Err(Error::system(
            "The read met a fault of this program: report it, with the place that stderr names.",
        ))
    });
    if let Err(error) = &read
        && !error.is_quiet()
    {
        // If the sink cannot be told either, the first failure is the one that says why.
        let _ = sink.fail(plan.stream.name, error);
    }
    read
}

fn read<S: Sink>(
    source: &Source<'_>,
    plan: &Plan,
    sink: &mut S,
    max_rejects: u64,
    log: &dyn Log,
) -> Result<Receipt> {
    let mut writer = sink.open(plan)?;
    plan.warnings.iter().for_each(|warning| log.warn(warning));

    log.stage("Receiving", None);
    let accepted = source.receive(plan)?;
    emit(accepted, &mut writer, max_rejects, log)
}

/// Hands a proved reply on: its rows as often as the writer wants to see them, and then its checkpoint.
///
/// # Errors
/// As [`run`].
pub fn emit<W: Writer>(
    mut accepted: Accepted,
    writer: &mut W,
    max_rejects: u64,
    log: &dyn Log,
) -> Result<Receipt> {
    // Rejected records that are kept whole elsewhere need not all be told of.
    let told = if W::SHOWS_ROWS_AT_ONCE { max_rejects } else { max_rejects.min(MOST_TOLD) };
    tell(&mut accepted, told, log)?;
    let mut too_many = too_many_rejects(&mut accepted, max_rejects)?;
    if !W::SHOWS_ROWS_AT_ONCE
        && let Some(error) = too_many
    {
        return Err(error);
    }

    writer.begin(&accepted.receipt)?;
    if accepted.receipt.rejected > 0 {
        writer.reject(&mut accepted.rejected()?)?;
    }
    let Accepted { receipt, mut batches, .. } = accepted;
    loop {
        log.stage("Writing", Some(receipt.rows));
        while let Some(batch) = batches.next_batch()? {
            writer.write(&batch)?;
            log.advance(batch.num_rows() as u64);
        }
        let checkpoint = batches.finish()?;
        if let Some(error) = too_many.take() {
            return Err(error);
        }
        match writer.commit(checkpoint)? {
            Outcome::Done => return Ok(receipt),
            Outcome::Again => batches.rewind()?,
        }
    }
}

/// Says what there is to say of a reply before its rows go on their way.
fn tell(accepted: &mut Accepted, most: u64, log: &dyn Log) -> Result<()> {
    let Receipt { stream, rows, left_out, bytes, elapsed, .. } = &accepted.receipt;
    log.info(&format!(
        "Stream `{}`: received {bytes} bytes within {:.3} s: {rows} rows to emit, {left_out} left out as older than asked for.",
        stream.name,
        elapsed.as_secs_f64()
    ));
    accepted.receipt.warnings.iter().for_each(|warning| log.warn(warning));
    let name = stream.name;
    accepted.first_rejects(most, |Reject { path, reason }| {
        log.warn(&format!("Stream `{name}`: a record is rejected for {path}: {reason}."));
    })
}

fn too_many_rejects(accepted: &mut Accepted, max_rejects: u64) -> Result<Option<Error>> {
    let Receipt { stream, rejected, .. } = accepted.receipt;
    if rejected <= max_rejects {
        return Ok(None);
    }
    let mut first = String::new();
    accepted.first_rejects(1, |Reject { path, reason }| first = format!("{path}: {reason}"))?;
    Ok(Some(Error::data(format!(
        "Stream `{}`: {rejected} records were rejected, and `max_rejects` allows {max_rejects}. The first is at {first}. Every good record was read, and no state is saved: correct them in Komet Sales, or raise `max_rejects` to pass over them.",
        stream.name
    ))))
}
