//! One export into a table, as a sequence of passes over the rows of a reply.
//!
//! Where the table has no rows that count, they are written as they come, in one pass. Otherwise the first
//! pass surveys them, the table is compared with what was found, and a second pass writes what has changed.
//! A commit that comes after somebody else's begins anew, with the table as it is then.

use std::collections::HashSet;

use arrow_array::RecordBatch;
use arrow_select::filter::filter_record_batch;

use super::Table;
use super::bits::Bits;
use super::compare::{Changes, compare};
use super::log::{Change, Committed};
use super::note::Note;
use super::read::Read;
use super::survey::{Seen, Survey};
use crate::error::{Error, Result};
use crate::export::mode::TableMode;
use crate::export::parquet::{Files, Layout, Reader, Uploaded, Written};
use crate::export::rejects;
use crate::export::report::Report;
use crate::export::rows::table_rows;
use crate::model::Timestamp;
use crate::model::arrow::table_schema;
use crate::plan::Plan;
use crate::receipt::Receipt;
use crate::sink::{Outcome, Writer};
use crate::state::Checkpoint;

/// Commits that may come after somebody else's before the export is given up.
const MOST_CONFLICTS: u32 = 30;

/// Takes the rows of a reply: see the module.
pub struct TableWriter<'s, 'a> {
    table: &'s mut Table<'a>,
    plan: Read,
    receipt: Option<Receipt>,
    stage: Stage,
    rejects: Option<Uploaded>,
    conflicts: u32,
    /// How often files were begun, so that no name is used twice.
    attempts: u32,
}

/// What the rows of this pass are for.
enum Stage {
    /// Nothing yet, or nothing more.
    Idle,
    /// They are all written.
    Fresh { files: Files, seen: Seen },
    /// It is found out which of them count.
    Survey { survey: Survey, is_fresh: bool },
    /// Those are written that are wanted.
    Write {
        files: Files,
        wanted: Bits,
        position: usize,
        changes: Changes,
        rows: u64,
        unchanged: u64,
    },
}

/// What a pass leaves to be committed.
struct Pass {
    uploaded: Uploaded,
    changes: Changes,
    rows: u64,
    unchanged: u64,
}

impl<'s, 'a> TableWriter<'s, 'a> {
    pub(super) fn new(table: &'s mut Table<'a>, plan: &Plan) -> Self {
        let plan = Read::of(plan);
        Self {
            table,
            plan,
            receipt: None,
            stage: Stage::Idle,
            rejects: None,
            conflicts: 0,
            attempts: 0,
        }
    }

    fn receipt(&self) -> Result<&Receipt> {
        self.receipt.as_ref().ok_or_else(out_of_order)
    }

    fn extracted_at(&self) -> Result<Timestamp> {
        Ok(self.receipt()?.extracted_at)
    }

    fn files(&mut self) -> Result<Files> {
        let log = &self.table.log;
        let prefix = format!("part-{}-{:02}", self.table.run, self.attempts);
        self.attempts += 1;
        let mut layout = Layout::table(log.store.clone(), log.folder.clone(), prefix, log.stream);
        layout.footer = vec![
            ("kometsales.run", self.table.run.clone()),
            ("kometsales.extracted_at", self.extracted_at()?.to_string()),
        ];
        Files::new(layout)
    }

    /// The first pass over the rows, with the table as it is.
    fn start(&mut self) -> Result<()> {
        let is_overwrite = self.table.mode == TableMode::Overwrite;
        let rows = self.receipt()?.rows;
        self.table.refuse_shrinking(rows)?;
        let has_rows = self.table.version.as_ref().is_some_and(|version| !version.files.is_empty());
        self.stage = if is_overwrite || !has_rows {
            Stage::Fresh { files: self.files()?, seen: Seen::default() }
        } else {
            let survey = Survey::new(self.table.log.stream, rows, None);
            Stage::Survey { survey, is_fresh: false }
        };
        Ok(())
    }

    /// Keys that stand twice were found after their rows were written: only one of each may be.
    fn again_without(&mut self, twice: HashSet<i64>) -> Outcome {
        let survey = Survey::new(self.table.log.stream, 0, Some(twice));
        self.stage = Stage::Survey { survey, is_fresh: true };
        Outcome::Again
    }

    fn surveyed(&mut self, survey: Survey, is_fresh: bool, proof: &Checkpoint) -> Result<Outcome> {
        let mut winners = survey.winners();
        let mut changes = Changes::default();
        let (rows, unchanged);
        if is_fresh {
            let wanted = winners.wanted();
            let received = usize::try_from(proof.rows()).unwrap_or_default();
            rows = (0..received).filter(|row| wanted.get(*row)).count() as u64;
            unchanged = 0;
            self.table.refuse_shrinking(rows)?;
        } else {
            self.table.messages.stage("Comparing", None);
            let extracted_at = self.extracted_at()?.micros();
            let Table { log, version, mode, .. } = &*self.table;
            if let Some(version) = version {
                changes = compare(log, version, &mut winners, *mode, extracted_at)?;
            }
            rows = winners.count_wanted();
            unchanged = winners.rows.len() as u64 - rows;
        }
        if rows == 0 && changes.touched.is_empty() {
            let uploaded = Uploaded::none(self.table.log.store.clone());
            return self.save(Pass { uploaded, changes, rows, unchanged }, proof);
        }
        let wanted = winners.wanted();
        drop(winners);
        let mut files = self.files()?;
        self.rescue(&changes, &mut files)?;
        self.stage = Stage::Write { files, wanted, position: 0, changes, rows, unchanged };
        Ok(Outcome::Again)
    }

    /// Copies the rows of touched files that are not replaced.
    fn rescue(&self, changes: &Changes, files: &mut Files) -> Result<()> {
        let Table { log, version: Some(version), .. } = &*self.table else { return Ok(()) };
        let schema = table_schema(log.stream);
        for touched in &changes.touched {
            let Some(file) = version.files.get(touched.file) else { continue };
            let reader = Reader::open(&log.store, &file.path, file.bytes)?;
            let mut row = 0;
            for group in 0..reader.metadata().num_row_groups() {
                let mut rows = reader.read(group, &schema)?;
                while let Some(batch) = rows.next_batch()? {
                    let stay = (row..row + batch.num_rows())
                        .map(|row| Some(file.is_there(row) && !touched.replaced.get(row)))
                        .collect();
                    row += batch.num_rows();
                    let rest = filter_record_batch(&batch, &stay).map_err(fault)?;
                    if rest.num_rows() > 0 {
                        files.push(rest)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Commits what a pass has left, unless there is nothing to say.
    fn save(&mut self, pass: Pass, proof: &Checkpoint) -> Result<Outcome> {
        let Pass { uploaded, changes, rows, unchanged } = pass;
        let before = self.table.rows()?;
        let note = self.note(proof)?;
        let mode = self.table.mode;
        let is_overwrite = mode == TableMode::Overwrite;
        let mut report = self.report(&note, &uploaded.files)?;
        report.rows = rows;
        report.unchanged = unchanged;
        report.table_rows =
            Some(if is_overwrite { rows } else { before - changes.replaced.min(before) + rows });
        if !self.plan.is_bounded && !is_overwrite {
            report.not_returned = Some(before.saturating_sub(changes.returned));
        }
        let said = self.table.version.as_ref().and_then(|version| {
            let noted = version.note.as_ref()?;
            (noted.state == note.state).then_some(version.number())
        });
        let is_nothing = rows == 0 && changes.touched.is_empty() && !is_overwrite;
        if let Some(version) = said.filter(|_| is_nothing) {
            report.version = Some(version);
            self.finish(report);
            return Ok(Outcome::Done);
        }
        let removed = match (&self.table.version, is_overwrite) {
            (Some(version), true) => (0..version.files.len()).collect(),
            _ => changes.touched.iter().map(|touched| touched.file).collect(),
        };
        let change = Change {
            note,
            added: &uploaded.files,
            removed,
            metrics: vec![
                ("received", report.received),
                ("rows", rows),
                ("unchanged", unchanged),
                ("replaced", if is_overwrite { before } else { changes.replaced }),
                ("rejects", report.rejects),
            ],
        };
        // The last moment at which the user can take it back.
        self.table.log.store.interrupt().check()?;
        let Table { log, version, messages, .. } = &mut *self.table;
        match log.commit(version.take(), &change, *messages) {
            Ok(Committed::As(number)) => {
                uploaded.keep();
                report.version = Some(number);
                report.committed = true;
                self.finish(report);
                Ok(Outcome::Done)
            }
            Ok(Committed::Conflict) => {
                drop(uploaded);
                self.after_conflict()
            }
            Err(error) => {
                // It may have been committed after all, and the files with it.
                uploaded.keep();
                self.rejects.take().map(Uploaded::keep);
                Err(error)
            }
        }
    }

    fn finish(&mut self, report: Report) {
        self.rejects.take().map(Uploaded::keep);
        self.table.report = Some(report);
    }

    /// Loads what somebody else committed, and begins anew if that can be done.
    fn after_conflict(&mut self) -> Result<Outcome> {
        self.conflicts += 1;
        let place = self.table.place();
        let conflict = |why: &str| {
            Error::transient(format!(
                "Another export committed to the table at {place} meanwhile, and {why}. Nothing of this one is kept: run again."
            ))
        };
        if self.conflicts > MOST_CONFLICTS {
            return Err(conflict("others did so again and again"));
        }
        self.table.messages.debug(&format!(
            "Another commit to the table at {place} came first; the rows are applied to the new version."
        ));
        let version = self.table.log.load()?;
        if let Some(version) = &version {
            self.table.log.check(version, self.table.mode)?;
        }
        let noted = version.as_ref().and_then(|version| version.note.as_ref());
        self.plan.check(noted, self.table.mode, self.extracted_at()?).map_err(conflict)?;
        self.table.version = version;
        self.start()?;
        Ok(Outcome::Again)
    }

    /// What is noted with the rows.
    fn note(&self, proof: &Checkpoint) -> Result<Note> {
        let own = Note {
            run: self.table.run.clone(),
            mode: self.table.mode,
            extracted_at: self.extracted_at()?,
            overwritten_at: None,
            state: proof.state().clone(),
        };
        let noted = self.table.version.as_ref().and_then(|version| version.note.as_ref());
        Ok(self.plan.note(own, noted, self.conflicts > 0))
    }

    fn report(&self, note: &Note, files: &[Written]) -> Result<Report> {
        let receipt = self.receipt()?;
        Ok(Report {
            run: note.run.clone(),
            received: receipt.rows,
            rows: 0,
            unchanged: 0,
            rejects: receipt.rejected,
            rejects_to: self
                .rejects
                .as_ref()
                .and_then(|rejects| Some(self.table.log.store.shown(&rejects.files.first()?.path))),
            not_returned: None,
            bytes: files.iter().map(|file| file.bytes).sum(),
            files: files.len(),
            version: None,
            committed: false,
            cursor: note.state.cursor,
            extracted_at: receipt.extracted_at,
            table_rows: None,
        })
    }
}

impl Writer for TableWriter<'_, '_> {
    const SHOWS_ROWS_AT_ONCE: bool = false;

    fn begin(&mut self, receipt: &Receipt) -> Result<()> {
        let extracted_at = self.table.dated(receipt.extracted_at);
        self.receipt = Some(Receipt { extracted_at, ..receipt.clone() });
        self.table.log.store.interrupt().hold()?;
        self.start()
    }

    fn reject(&mut self, lines: &mut dyn std::io::Read) -> Result<()> {
        let log = &self.table.log;
        let folder = log.store.path().clone().join(format!("{}_rejects", log.stream.name));
        let path = folder.join(format!("{}.jsonl", self.table.run));
        let mut upload = rejects::copy(&log.store, path.clone(), lines)?;
        let bytes = upload.finish()?;
        let mut uploaded = Uploaded::none(log.store.clone());
        uploaded.files.push(Written { path, bytes, rows: 0, columns: Vec::new() });
        self.rejects = Some(uploaded);
        Ok(())
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let Table { log, .. } = &*self.table;
        log.store.interrupt().check()?;
        let schema = table_schema(log.stream);
        let extracted_at = self.extracted_at()?;
        match &mut self.stage {
            Stage::Idle => Err(out_of_order()),
            Stage::Fresh { files, seen } => {
                seen.take(batch, log.stream);
                files.push(table_rows(batch, &schema, extracted_at)?)
            }
            Stage::Survey { survey, .. } => {
                survey.take(batch);
                Ok(())
            }
            Stage::Write { files, wanted, position, .. } => {
                let filter = wanted.filter(*position, batch.num_rows());
                *position += batch.num_rows();
                let batch = filter_record_batch(batch, &filter).map_err(fault)?;
                if batch.num_rows() == 0 {
                    return Ok(());
                }
                files.push(table_rows(&batch, &schema, extracted_at)?)
            }
        }
    }

    fn commit(&mut self, proof: Checkpoint) -> Result<Outcome> {
        match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Idle => Err(out_of_order()),
            Stage::Fresh { seen, .. } if !seen.twice.is_empty() => {
                Ok(self.again_without(seen.twice))
            }
            Stage::Fresh { files, .. } => {
                let (uploaded, changes) = (files.finish()?, Changes::default());
                self.save(Pass { uploaded, changes, rows: proof.rows(), unchanged: 0 }, &proof)
            }
            Stage::Survey { survey, is_fresh } => self.surveyed(survey, is_fresh, &proof),
            Stage::Write { files, changes, rows, unchanged, .. } => {
                let uploaded = files.finish()?;
                self.save(Pass { uploaded, changes, rows, unchanged }, &proof)
            }
        }
    }
}

fn out_of_order() -> Error {
    Error::system("A table was written out of order, which is a fault of this program: report it.")
}

fn fault(error: arrow_schema::ArrowError) -> Error {
    Error::system("Rows could not be chosen, which is a fault of this program: report it.")
        .caused_by(error)
}
