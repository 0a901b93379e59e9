//! Another company's rows never get into a table: a token says nothing of whose it is, the ids do.

use super::Table;
use super::keys::keys_of;
use super::survey::Seen;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::sink::Reply;

/// Whether a reply says nothing of whose it is: it was asked for with other settings than the table notes, and has no row to
/// compare. To note these settings would let the next reply in without a look.
pub(super) fn is_unproved(table: &Table<'_>, plan: &Plan, rows: u64) -> bool {
    rows == 0 && !table.options.allow_shrink && is_of_others(table, plan)
}

/// Whether the table has rows, and its note is of other settings or lost.
fn is_of_others(table: &Table<'_>, plan: &Plan) -> bool {
    table.version.as_ref().is_some_and(|version| {
        let noted = version.note.as_ref().and_then(|note| note.state.scope.as_ref());
        noted != Some(&plan.scope) && !version.files.is_empty()
    })
}

/// Refuses a reply that was asked for with other settings than the table notes, where less than half of the smaller of
/// (the ids of the table, those of the reply) are in both.
///
/// # Errors
/// `Data`: they are. `Config` or `Transient`: the table cannot be read.
pub(super) fn refuse(table: &Table<'_>, plan: &Plan, reply: &mut dyn Reply) -> Result<()> {
    let Some(version) = table.version.as_ref().filter(|_| !table.options.allow_shrink) else {
        return Ok(());
    };
    if !is_of_others(table, plan) {
        return Ok(());
    }
    let noted = version.note.as_ref();
    let (mut there, mut received) = (Seen::default(), Seen::default());
    keys_of(&table.log, version, |keys| there.take_keys(keys))?;
    while let Some(batch) = reply.next_batch()? {
        received.take(&batch, plan.stream);
    }
    reply.rewind()?;
    let smaller = there.count().min(received.count());
    let common = there.in_common(&received);
    if common.saturating_mul(2) >= smaller {
        return Ok(());
    }
    let record = plan.stream.record;
    let other = noted.and_then(|note| note.filters.as_ref()).map(|filters| {
        let mut names: Vec<&String> = filters.keys().chain(plan.filters.keys()).collect();
        names.retain(|name| filters.get(*name) != plan.filters.get(*name));
        names.sort();
        names.dedup();
        names
    });
    let other = other.filter(|names| !names.is_empty()).map_or_else(String::new, |names| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        format!(" {} differ from the last export.", names.join(", "))
    });
    Err(Error::data(format!(
        "{common} of {smaller} {record}s are those of the table: is this another company's token?{other} Nothing is written; if intended, add --allow-shrink."
    )))
}
