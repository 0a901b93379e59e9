//! Rows of a table without any, or of one that is overwritten: written as they come, from the moment at which they arrive.

use arrow_array::RecordBatch;

use super::Table;
use super::filled::fill;
use super::pass::Pass;
use super::run::Run;
use super::survey::Seen;
use crate::error::Result;
use crate::export::early::Early;
use crate::export::mode::TableMode;
use crate::model::Timestamp;
use crate::plan::Plan;

/// Rows of a reply that has not been proved yet.
pub(super) struct Fresh {
    early: Early,
    seen: Seen,
}

impl Table<'_> {
    /// Whether rows are written whatever the table has.
    pub(super) fn is_fresh(&self) -> bool {
        let has_rows = self.version.as_ref().is_some_and(|version| !version.files.is_empty());
        self.options.mode == TableMode::Overwrite || !has_rows
    }

    /// Makes ready for rows that arrive, where they are written whatever the table has.
    ///
    /// # Errors
    /// `System`: no thread can be started, or the user asks the run to end.
    pub(super) fn await_rows(&mut self, plan: &Plan, asked_at: Timestamp) -> Result<()> {
        self.fresh = None;
        if self.options.is_dry_run || !self.is_fresh() {
            return Ok(());
        }
        self.log.store.interrupt().hold()?;
        let (extracted_at, _) = self.date_of(asked_at);
        let files = self.files(plan, extracted_at)?;
        self.fresh = Some(Fresh { early: Early::new(files, extracted_at), seen: Seen::default() });
        Ok(())
    }

    /// Takes rows that have arrived. False where they are not taken.
    ///
    /// # Errors
    /// `Config`, `System` or `Transient`: the files cannot be written.
    pub(super) fn take_early(&mut self, plan: &Plan, batch: &RecordBatch) -> Result<bool> {
        let Some(mut fresh) = self.fresh.take() else { return Ok(false) };
        let batch = fill(plan, batch.clone())?;
        let rows = self.rows_of(&batch, fresh.early.extracted_at(), None)?;
        let is_taken = fresh.early.take(rows)?;
        if is_taken {
            fresh.seen.take(&batch, self.log.stream);
        }
        // What was taken until now stays.
        self.fresh = Some(fresh);
        Ok(is_taken)
    }
}

impl Run<'_, '_> {
    /// Writes every row as it comes, but for those that were taken when they arrived. Only where a key turns out to occur twice
    /// is there a second pass, since a table takes one row of each.
    pub(super) fn write_all(&mut self) -> Result<Pass> {
        let fresh = self.table.fresh.take();
        let arrived = fresh.and_then(|Fresh { early, seen }| {
            early.of(self.receipt.extracted_at).map(|files| (files, seen))
        });
        let (mut files, mut seen) = match arrived {
            Some(arrived) => {
                self.reply.resume()?;
                arrived
            }
            None => (self.files()?, Seen::default()),
        };
        while let Some(batch) = self.next_batch()? {
            seen.take(&batch, self.table.log.stream);
            files.push(self.rows(&batch, None)?)?;
        }
        if seen.twice.is_empty() {
            return Ok(Pass::of_rows(files.finish()?, self.receipt.rows));
        }
        drop(files);
        self.reply.rewind()?;
        let wanted = self.survey(Some(seen.twice))?.wanted();
        let received = usize::try_from(self.receipt.rows).unwrap_or_default();
        let rows = (0..received).filter(|row| wanted.get(*row)).count() as u64;
        self.table.refuse_shrinking(rows)?;
        let files = self.files()?;
        Ok(Pass::of_rows(self.write_wanted(files, &wanted, None)?, rows))
    }
}
