//! An export that compares and writes nothing.

use super::deletes::Deletes;
use super::run::Run;
use super::survey::{Was, Winners};
use super::{Table, strangers};
use crate::error::Result;
use crate::export::difference::{Difference, Keys};
use crate::export::mode::TableMode;
use crate::export::report::Kind;

/// Says what an export would change, or refuses it as it would be refused.
///
/// # Errors
/// As an export.
pub(super) fn difference(mut run: Run<'_, '_>) -> Result<Difference> {
    let is_overwrite = run.table.options.mode == TableMode::Overwrite;
    run.table.refuse_shrinking(run.receipt.rows)?;
    strangers::refuse(run.table, run.plan, run.reply)?;
    let mut winners = run.survey(None)?;
    run.table.refuse_shrinking(winners.rows.len() as u64)?;
    let mut changes = run.compare(&mut winners)?;
    let deletes = if is_overwrite {
        Deletes { rows: std::mem::take(&mut changes.vanished.rows), withheld: 0 }
    } else {
        run.deletes(&mut changes)?
    };
    // It fails where too many records are rejected.
    let _ = run.reply.finish()?;
    let Table { log, version, options, .. } = &*run.table;
    let mut difference = Difference {
        to: log.place(),
        kind: Kind::Table,
        mode: options.mode,
        dry_run: true,
        version: version.as_ref().map(|version| version.number()),
        received: run.receipt.rows,
        rejects: run.receipt.rejected,
        extracted_at: run.receipt.extracted_at,
        is_complete: run.receipt.incomplete.is_none(),
        inserted: Keys::default(),
        updated: Keys::default(),
        deleted: Keys::default(),
        restored: Keys::default(),
        unchanged: Keys::default(),
        withheld: deletes.withheld,
    };
    sort(&winners, &mut difference);
    let mut deleted: Vec<i64> = deletes.rows.iter().map(|row| row.key).collect();
    deleted.sort_unstable();
    deleted.into_iter().for_each(|key| difference.deleted.take(key));
    Ok(difference)
}

/// Sorts the keys of a reply, in their order, by what becomes of them.
fn sort(winners: &Winners, difference: &mut Difference) {
    for winner in &winners.rows {
        let kind = match (winner.is_wanted, winner.was) {
            (false, _) => &mut difference.unchanged,
            (true, Was::Absent) => &mut difference.inserted,
            (true, Was::Living) => &mut difference.updated,
            (true, Was::Deleted) => &mut difference.restored,
        };
        kind.take(winner.key);
    }
}
