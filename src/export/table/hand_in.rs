//! What a run has made of one company's part of a table of many, and hands in: the commit is one for many companies.

use std::sync::Arc;

use object_store::path::Path;

use super::commit::Change;
use super::log::Version;
use super::masking;
use super::note::{Made, Note};
use super::pass::Pass;
use super::run::Run;
use crate::error::{Error, Result};
use crate::export::mask::Mask;
use crate::export::mode::TableMode;
use crate::export::parquet::Uploaded;
use crate::export::report::Report;
use crate::model::Timestamp;

/// The uploaded files of a company and what else their commit says. Dropped before it is committed, it removes the files
/// again.
pub struct HandIn {
    pub(super) company: String,
    pub(super) base: Base,
    pub(super) note: Note,
    pub(super) uploaded: Uploaded,
    pub(super) rejects: Option<Uploaded>,
    /// The files of the part that it replaces.
    pub(super) removed: Vec<Path>,
    pub(super) left_out: Vec<String>,
    pub(super) metrics: Vec<(&'static str, u64)>,
    pub(super) report: Report,
    /// What rows of the part are that were something else before.
    pub(super) mask: Option<Arc<Mask>>,
}

/// What a company's part of the table was when something was made for it.
#[derive(Debug, Clone)]
pub(super) struct Base {
    pub(super) part: Part,
    /// How many versions there were.
    pub(super) versions: u64,
}

/// What tells one state of a company's part of a table from another: its note and its files, each with its marks of
/// deletion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Part {
    note: Option<String>,
    files: Vec<(Path, Option<Vec<bool>>)>,
}

impl Part {
    /// The part of a company in a version.
    pub(super) fn of(version: Option<&Version>, company: &str) -> Self {
        let Some(version) = version else { return Self::default() };
        let note = version.companies.as_ref().and_then(|notes| notes.get(company)).cloned();
        let files = version.files_of(company);
        let mut files: Vec<_> =
            files.map(|file| (file.path.clone(), file.still_there.clone())).collect();
        files.sort();
        Self { note, files }
    }
}

impl HandIn {
    /// Whose it is.
    pub fn company(&self) -> &str {
        &self.company
    }

    /// The change of a version that still has the part for which it was made. `vacuumed_at` is noted where a vacuum follows.
    ///
    /// # Errors
    /// `System`: a file of another company is in it, which is a bug.
    pub(super) fn change(
        &self,
        version: Option<&Version>,
        vacuumed_at: Option<Timestamp>,
    ) -> Result<Change<'_>> {
        let next = version.map_or(0, |version| version.number() + 1);
        let files = version.map(|version| version.files.as_slice()).unwrap_or_default();
        let own = (0..files.len())
            .filter(|file| files[*file].company.as_deref() == Some(self.company.as_str()));
        let removed: Vec<usize> =
            own.filter(|file| self.removed.contains(&files[*file].path)).collect();
        if removed.len() != self.removed.len() {
            return Err(Error::bug("A company was to replace a file that is not its own"));
        }
        let made = self.report.table_rows.map(|rows| Made { version: next, rows });
        Ok(Change {
            company: Some(&self.company),
            note: Note {
                made,
                vacuumed_at: vacuumed_at.or(self.note.vacuumed_at),
                ..self.note.clone()
            },
            added: &self.uploaded.files,
            removed,
            left_out: self.left_out.clone(),
            metrics: self.metrics.clone(),
        })
    }

    /// What was uploaded stays: it is committed, or may be.
    pub(super) fn keep(self) -> Report {
        self.uploaded.keep();
        self.rejects.map(Uploaded::keep);
        self.report
    }
}

impl Run<'_, '_> {
    /// What a commit of it changes.
    pub(super) fn change<'p>(
        &'p self,
        pass: &'p Pass,
        mut note: Note,
        report: &Report,
    ) -> Result<Change<'p>> {
        let version = self.table.version.as_ref().map_or(0, |version| version.number() + 1);
        note.made = report.table_rows.map(|rows| Made { version, rows });
        let is_overwrite = self.table.options.mode == TableMode::Overwrite;
        let removed = match (&self.table.version, is_overwrite) {
            (Some(version), true) => (0..version.files.len()).collect(),
            _ => pass.changes.touched.iter().map(|touched| touched.file).collect(),
        };
        let replaced = if is_overwrite { self.table.rows()? } else { pass.changes.replaced };
        Ok(Change {
            company: self.table.log.company.as_deref(),
            note,
            added: &pass.uploaded.files,
            removed,
            left_out: masking::left_out(self.table.version.as_ref(), &self.plan.privacy),
            metrics: vec![
                ("received", report.received),
                ("rows", pass.rows),
                ("unchanged", pass.unchanged),
                ("replaced", replaced),
                ("deleted", pass.deletes.rows.len() as u64),
                ("restored", pass.restored),
                ("rejects", report.rejects),
            ],
        })
    }

    /// Hands in what is uploaded.
    pub(super) fn hand_in(&mut self, pass: Pass, note: Note, report: Report) -> Result<()> {
        let Change { note, removed, left_out, metrics, .. } = self.change(&pass, note, &report)?;
        let table = &*self.table;
        let (Some(company), Some(base)) = (table.log.company.clone(), table.base.clone()) else {
            return Err(Error::bug("A table of one company has nothing to hand in"));
        };
        let files = table.version.as_ref().map(|version| version.files.as_slice());
        let files = files.unwrap_or_default();
        let removed = removed.into_iter().filter_map(|file| Some(files.get(file)?.path.clone()));
        let handed_in = HandIn {
            company,
            base,
            note,
            removed: removed.collect(),
            left_out,
            metrics,
            report,
            mask: masking::of(table.version.as_ref()),
            uploaded: pass.uploaded,
            rejects: self.rejects.take(),
        };
        self.table.handed_in = Some(handed_in);
        Ok(())
    }
}
