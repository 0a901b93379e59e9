//! One export into a table, from the proved reply to the commit.
//!
//! Where the table has no rows that count, the rows are written as they come, in one pass. Otherwise the
//! first pass surveys them, the table is compared with what was found, and a second pass writes what has
//! changed. Where another writer committed first, all of it begins again with the table as it is then.

use std::collections::HashSet;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::filter::filter_record_batch;

use super::Table;
use super::bits::Bits;
use super::check::check;
use super::commit::Committed;
use super::compare::{Changes, How, compare};
use super::copy::{Copying, bug};
use super::deletes::{Deletes, Questions};
use super::log::Version;
use super::masking;
use super::note::Note;
use super::pass::Pass;
use super::people::Noted;
use super::read::Read;
use super::rejected;
use super::survey::{Survey, Winners};
use super::versions::{Begins, compare_versions};
use super::{small, strangers};
use crate::error::{Error, Result};
use crate::export::mode::TableMode;
use crate::export::parquet::{Files, Uploaded};
use crate::export::report::{Kind, Report};
use crate::plan::Plan;
use crate::receipt::Receipt;
use crate::sink::Reply;
use crate::state::{Checkpoint, State};

/// Commits of other writers that may come first before the export is given up.
const MAX_CONFLICTS: u32 = 30;

/// An export into a table: see the module.
pub(super) struct Run<'r, 'a> {
    pub(super) table: &'r mut Table<'a>,
    pub(super) reply: &'r mut dyn Reply,
    pub(super) plan: &'r Plan,
    pub(super) read: Read,
    /// What the reply holds, with the time at which its rows count as extracted.
    pub(super) receipt: Receipt,
    schema: SchemaRef,
    pub(super) rejects: Option<Uploaded>,
    questions: Questions,
    pub(super) conflicts: u32,
}

impl<'r, 'a> Run<'r, 'a> {
    pub(super) fn new(table: &'r mut Table<'a>, plan: &'r Plan, reply: &'r mut dyn Reply) -> Self {
        let receipt = reply.receipt().clone();
        let extracted_at = table.dated(receipt.extracted_at);
        let schema = table.options.mode.schema(plan.stream);
        Self {
            table,
            reply,
            plan,
            read: Read::of(plan),
            receipt: Receipt { extracted_at, ..receipt },
            schema,
            rejects: None,
            questions: Questions::default(),
            conflicts: 0,
        }
    }

    /// Writes and commits, as often as other writers come first.
    pub(super) fn take(mut self) -> Result<()> {
        self.table.log.store.interrupt().hold()?;
        loop {
            let pass = self.write()?;
            let checkpoint = self.reply.finish()?;
            self.keep_rejects()?;
            if self.commit(pass, &checkpoint)? {
                return Ok(());
            }
            self.reload()?;
            self.reply.rewind()?;
        }
    }

    /// Uploads the rejected records. Without a commit they are removed again.
    fn keep_rejects(&mut self) -> Result<()> {
        if self.receipt.rejected > 0 && self.rejects.is_none() {
            self.rejects = Some(rejected::upload(self.table, self.reply)?);
        }
        Ok(())
    }

    /// Writes what the version that is there does not have.
    fn write(&mut self) -> Result<Pass> {
        self.table.refuse_shrinking(self.receipt.rows)?;
        strangers::refuse(self.table, self.plan, self.reply)?;
        if self.table.is_fresh() { self.write_all() } else { self.write_changed() }
    }

    /// Compares the rows with those of the table, and writes what has changed.
    fn write_changed(&mut self) -> Result<Pass> {
        let mut winners = self.survey(None)?;
        let mut changes = self.compare(&mut winners)?;
        masking::touch(&mut changes, self.table.version.as_ref());
        let rows = winners.count_wanted();
        let mut pass = Pass {
            unchanged: winners.rows.len() as u64 - rows,
            restored: winners.count_restored(),
            missing: changes.vanished.rows.len() as u64,
            deletes: self.deletes(&mut changes)?,
            changes,
            ..Pass::of_rows(Uploaded::none(self.table.log.store.clone()), rows)
        };
        if self.table.options.mode != TableMode::Append {
            pass.changes.touch(&pass.deletes.rows);
        }
        if pass.is_nothing() {
            return Ok(pass);
        }
        small::take_along(self.table.version.as_ref(), self.table.options.mode, &mut pass.changes);
        let wanted = winners.wanted();
        let extracted_at = self.receipt.extracted_at;
        let begins = self.is_history().then(|| Begins::of(winners, extracted_at.micros()));
        let begins = begins.as_ref();
        let mut files = self.files()?;
        if let Table { log, version: Some(version), .. } = &*self.table {
            let (schema, mode) = (&self.schema, self.table.options.mode);
            Copying { log, version, mode, schema, extracted_at, begins }.all(
                &pass.changes.touched,
                &pass.deletes.rows,
                &mut files,
            )?;
        }
        pass.uploaded = self.write_wanted(files, &wanted, begins)?;
        Ok(pass)
    }

    /// Compares the rows that count with those of the table.
    pub(super) fn compare(&self, winners: &mut Winners) -> Result<Changes> {
        let Table { log, version, messages, .. } = &*self.table;
        messages.stage("Comparing", None);
        // What is overwritten is compared for a dry run alone, by the mode that the table has.
        let how = How {
            mode: self.table.mode(),
            extracted_at: self.receipt.extracted_at.micros(),
            is_whole: self.plan.is_whole,
        };
        match version {
            Some(version) if self.is_history() => compare_versions(log, version, winners, how),
            Some(version) => compare(log, version, winners, how),
            None => Ok(Changes::default()),
        }
    }

    /// Decides which of the keys that the reply does not have are marked as deleted.
    pub(super) fn deletes(&mut self, changes: &mut Changes) -> Result<Deletes> {
        let vanished = std::mem::take(&mut changes.vanished);
        let at = self.receipt.extracted_at;
        self.questions.decide(self.table, self.plan, self.reply, at, vanished)
    }

    /// Which row counts for each key; only for some keys where all others occur once.
    pub(super) fn survey(&mut self, only: Option<HashSet<i64>>) -> Result<Winners> {
        let mut survey = Survey::new(self.table.log.stream, self.receipt.rows, only);
        while let Some(batch) = self.next_batch()? {
            survey.take(&batch);
        }
        Ok(survey.winners())
    }

    /// Writes the rows that are wanted, in another pass.
    pub(super) fn write_wanted(
        &mut self,
        mut files: Files,
        wanted: &Bits,
        begins: Option<&Begins>,
    ) -> Result<Uploaded> {
        self.reply.rewind()?;
        let mut position = 0;
        while let Some(batch) = self.next_batch()? {
            let filter = wanted.filter(position, batch.num_rows());
            position += batch.num_rows();
            let batch = filter_record_batch(&batch, &filter).map_err(bug)?;
            if batch.num_rows() > 0 {
                files.push(self.rows(&batch, begins)?)?;
            }
        }
        files.finish()
    }

    pub(super) fn rows(&self, batch: &RecordBatch, begins: Option<&Begins>) -> Result<RecordBatch> {
        self.table.rows_of(batch, self.receipt.extracted_at, begins)
    }

    fn is_history(&self) -> bool {
        self.table.options.mode == TableMode::History
    }

    pub(super) fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        self.table.log.store.interrupt().check()?;
        self.reply.next_batch()
    }

    pub(super) fn files(&mut self) -> Result<Files> {
        self.table.files(self.plan, self.receipt.extracted_at)
    }

    /// Commits what was written, unless nothing has changed. False if another writer's commit was first: what
    /// was uploaded is removed then.
    fn commit(&mut self, pass: Pass, checkpoint: &Checkpoint) -> Result<bool> {
        let note = self.note(checkpoint);
        let is_vacuum_due = note.vacuumed_at == Some(self.receipt.extracted_at);
        let mut report = self.report(&pass, &note)?;
        if let Some(version) = self.has_it_all(&pass, &note) {
            report.version = Some(version);
            report.committed = false;
            self.end(report);
            return Ok(true);
        }
        // The last moment at which the user can take it back.
        self.table.log.store.interrupt().check()?;
        if self.table.base.is_some() {
            // One commit for many companies comes later.
            self.hand_in(pass, note, report)?;
            return Ok(true);
        }
        let change = self.change(&pass, note, &report)?;
        let Table { log, version, messages, .. } = &*self.table;
        let mask = masking::of(version.as_ref());
        let committed = log.commit(version.as_ref(), &[change], *messages);
        match committed {
            Ok(Committed::As(number)) => {
                pass.uploaded.keep();
                report.version = Some(number);
                masking::warn(mask.as_deref(), &log.place(), *messages);
                self.table.is_vacuum_due = is_vacuum_due;
                self.end(report);
                Ok(true)
            }
            Ok(Committed::Conflict) => Ok(false),
            // What was uploaded is removed when it is dropped.
            Ok(Committed::Refused(error)) => Err(error),
            Err(error) => {
                // The commit may have landed after all, and the files with it.
                pass.uploaded.keep();
                self.rejects.take().map(Uploaded::keep);
                Err(error)
            }
        }
    }

    /// The version that has all of this already, note included.
    fn has_it_all(&self, pass: &Pass, note: &Note) -> Option<u64> {
        let is_nothing = pass.is_nothing() && self.table.options.mode != TableMode::Overwrite;
        let version = self.table.version.as_ref().filter(|_| is_nothing)?;
        if strangers::is_unproved(self.table, self.plan, self.receipt.rows) {
            return Some(version.number());
        }
        let there = version.note.as_ref()?;
        let (noted, new) = (&there.state, &note.state);
        let has_base = |state: &State| state.list.is_some_and(|list| list.count.is_some());
        // Another list of the same rows is noted where deletes could not be found without it, or where it would be asked
        // for again and again.
        let is_list_wanted = self.plan.renews_list || (has_base(new) && !has_base(noted));
        let is_same = (noted.cursor, &noted.scope) == (new.cursor, &new.scope);
        (is_same && there.people == note.people && !is_list_wanted).then_some(version.number())
    }

    fn end(&mut self, report: Report) {
        self.rejects.take().map(Uploaded::keep);
        self.table.report = Some(report);
    }

    /// Loads what another writer committed, if the rows may still be applied to it.
    fn reload(&mut self) -> Result<()> {
        self.conflicts += 1;
        let place = self.table.log.place();
        let conflict = |why: &str| {
            Error::transient(format!(
                "Another export committed to the table at {place} first, and {why}. Nothing of this export was kept: run again."
            ))
        };
        if self.conflicts > MAX_CONFLICTS {
            return Err(conflict("others did so again and again"));
        }
        self.table.messages.debug(&format!(
            "Another commit to the table at {place} came first; the rows are applied to the new version."
        ));
        let version = self.table.log.load()?;
        let Table { log, options, .. } = &*self.table;
        self.table.there = version.as_ref().map(|there| check(log, there, options)).transpose()?;
        let noted = version.as_ref().and_then(|version| version.note.as_ref());
        if version.as_ref().is_some_and(|version| version.restored.is_some())
            && self.read.is_bounded
        {
            return Err(conflict("it may have restored or replaced rows"));
        }
        let extracted_at = self.receipt.extracted_at;
        self.read.check(noted, self.table.options.mode, extracted_at).map_err(conflict)?;
        if noted.is_some_and(|noted| noted.extracted_at == extracted_at) {
            // Of two versions of a row one has to be the later one.
            self.receipt.extracted_at = extracted_at.next();
        }
        self.table.version = version;
        masking::begin(self.table, self.plan, self.receipt.rows)
    }

    /// What is noted with the rows.
    fn note(&self, checkpoint: &Checkpoint) -> Note {
        let own = Note {
            run: self.table.run.clone(),
            mode: self.table.options.mode,
            table_mode: self.table.mode(),
            extracted_at: self.receipt.extracted_at,
            overwritten_at: None,
            state: checkpoint.state().clone(),
            made: None,
            filters: Some(self.plan.filters.clone()),
            vacuumed_at: self.table.vacuumed_at(self.receipt.extracted_at),
            people: Noted::of(&self.plan.privacy),
            restored: self.table.version.as_ref().and_then(Version::knows_restored),
        };
        let noted = self.table.version.as_ref().and_then(|version| version.note.as_ref());
        self.read.note(own, noted, self.conflicts > 0)
    }

    fn report(&self, pass: &Pass, note: &Note) -> Result<Report> {
        let rejects = self.rejects.as_ref().and_then(|rejects| rejects.files.first());
        let own = Report {
            rejects_to: rejects.map(|file| self.table.log.store.shown(&file.path)),
            cursor: note.state.cursor,
            ..Report::of(self.table.log.place(), Kind::Table, &note.run, &self.receipt)
        };
        Ok(pass.report(own, self.table.options.mode, self.table.rows()?, self.plan.is_whole))
    }
}
