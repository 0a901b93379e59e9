//! A Delta table: every export is one commit, which holds its rows and where the next one goes on.

mod actions;
mod bits;
mod check;
mod columns;
mod commit;
mod committer;
mod compare;
mod contents;
mod copy;
mod decide;
mod deletes;
mod dry_run;
mod due;
mod filled;
mod forget;
mod fresh;
mod hand_in;
mod hash;
mod keys;
mod later;
mod live;
mod locate;
mod log;
mod masking;
mod missing;
mod names;
mod note;
mod older;
mod pass;
mod past;
mod people;
mod read;
mod recover;
mod rejected;
mod removal;
mod retention;
mod run;
mod shared;
mod small;
mod strangers;
mod survey;
mod times;
mod vacuum;
mod validity;
mod versions;

pub use contents::{Contents, of_file, of_table};
pub use forget::{Forgotten, forget};
pub use hand_in::HandIn;
pub use locate::{TableFolder, tables};
pub(super) use locate::{refuse_inside, refuse_itself};
pub use note::reread_note;
pub use removal::Removed;
pub use shared::{Ended, SharedTable};
pub use vacuum::{REJECTS_RETENTION, RETENTION, VacuumOptions, Vacuumed, vacuum};

use std::time::Duration;

use arrow_array::RecordBatch;
use object_store::path::Path;

use self::filled::Filled;
use self::fresh::Fresh;
use self::hand_in::Base;
use self::log::{Log, Version};
use self::run::Run;
use self::versions::{Begins, begun};
use super::destination::TablePlace;
use super::difference::Difference;
use super::mode::TableMode;
use super::parquet::{Files, Layout, Reader};
use super::report::{Report, run_name};
use super::rows::table_rows;
use super::{Exported, refuse_shrinking};
use crate::error::{Error, Result};
use crate::log::Log as Messages;
use crate::model::{Stream, Timestamp};
use crate::plan::Plan;
use crate::sink::{Reply, Sink};
use crate::state::State;
use crate::store::Store;

/// What an export does with a table.
#[derive(Debug, Clone, Copy)]
pub struct TableOptions {
    /// What becomes of the rows that are there.
    pub mode: TableMode,
    /// Whether everything is read, whatever the table notes: that repairs one which has lost its note.
    pub is_whole: bool,
    /// Whether a reply with less than half of the rows may overwrite, and one of other customers be taken.
    pub allow_shrink: bool,
    /// Whether nothing is written: the export says what it would change.
    pub is_dry_run: bool,
    /// For how long versions stay readable where a vacuum follows the commit, at most once a day.
    pub vacuum: Option<Duration>,
}

/// A table that takes one export.
pub struct Table<'a> {
    log: Log,
    version: Option<Version>,
    /// The mode of the table that is there.
    there: Option<TableMode>,
    options: TableOptions,
    run: String,
    messages: &'a dyn Messages,
    report: Option<Report>,
    difference: Option<Difference>,
    /// Whether the commit noted that a vacuum follows it.
    is_vacuum_due: bool,
    /// Rows that are written while the reply arrives.
    fresh: Option<Fresh>,
    /// How often files were begun, so that no name is used twice.
    attempts: u32,
    /// What there was of a company in a table of many; `None` in a table of one.
    base: Option<Base>,
    /// What waits for the commit of many companies.
    handed_in: Option<HandIn>,
}

impl<'a> Table<'a> {
    /// The table of a stream at the place that the user named. A place in which there is none yet is
    /// tested, unless nothing is to be written: see [`Store`].
    ///
    /// # Errors
    /// `Config`: the place cannot be written, or the table there is not one that this mode writes.
    /// `Transient`: the store cannot be reached.
    pub fn open(
        store: Store,
        place: &TablePlace,
        stream: &'static Stream,
        options: TableOptions,
        now: Timestamp,
        messages: &'a dyn Messages,
    ) -> Result<Self> {
        let folder = locate::locate(&store, place, stream)?;
        refuse_encoded(&store, &folder)?;
        let log = Log::new(store, folder, stream);
        let version = log.load()?;
        let there = match &version {
            Some(version) => Some(check::check(&log, version, &options)?),
            None if options.is_dry_run => None,
            None => log.store.probe(&log.folder, true).map(|()| None)?,
        };
        let run = run_name(now);
        Ok(Self {
            log,
            version,
            there,
            options,
            run,
            messages,
            report: None,
            difference: None,
            is_vacuum_due: false,
            fresh: None,
            attempts: 0,
            base: None,
            handed_in: None,
        })
    }

    /// What waits for the commit of many companies, of which it is one.
    pub fn handed_in(&mut self) -> Option<HandIn> {
        self.handed_in.take()
    }

    /// When the table counts as vacuumed with a commit at this time: then, where a vacuum is due. In a table of many companies
    /// their common commit decides.
    fn vacuumed_at(&self, now: Timestamp) -> Option<Timestamp> {
        let noted = self.version.as_ref().and_then(|version| version.note.as_ref());
        let last = noted.and_then(|noted| noted.vacuumed_at);
        let is_own = self.options.vacuum.is_some() && self.base.is_none();
        if is_own && due::is_due(last, now) { Some(now) } else { last }
    }

    /// The vacuum after a commit.
    fn vacuum(&mut self) {
        let Some(retain) = self.options.vacuum.filter(|_| self.is_vacuum_due) else { return };
        let Log { store, folder, stream, .. } = &self.log;
        let vacuumed = due::follow(store, folder, stream, retain, self.messages);
        if let Some(report) = &mut self.report {
            report.vacuumed = vacuumed;
        }
    }

    /// The mode that the table has after the export: an overwrite keeps what is there.
    fn mode(&self) -> TableMode {
        let kept = self.there.filter(|_| self.options.mode == TableMode::Overwrite);
        kept.unwrap_or(self.options.mode)
    }

    /// Rows that its readers see now.
    fn rows(&self) -> Result<u64> {
        let Some(version) = &self.version else { return Ok(0) };
        let store = &self.log.store;
        let rows = version.files.iter().map(|file| match file.rows {
            Some(rows) => Ok(rows),
            None => Reader::open(store, &file.path, file.bytes)
                .map(|reader| reader.rows().saturating_sub(file.deleted())),
        });
        rows.sum()
    }

    /// Refuses to overwrite the table by less than half of its rows, unless that is allowed.
    fn refuse_shrinking(&self, rows: u64) -> Result<()> {
        if self.options.mode != TableMode::Overwrite || self.options.allow_shrink {
            return Ok(());
        }
        refuse_shrinking(self.rows()?, rows, &self.place())
    }

    /// When rows count as extracted that were asked for at `asked_at`. Those of the version that was there
    /// before are older, whatever the clock of this machine or of another one says.
    fn dated(&self, asked_at: Timestamp) -> Timestamp {
        let (after, is_clock_wrong) = self.date_of(asked_at);
        if is_clock_wrong {
            self.messages.warn(&format!(
                "The last export is dated after the clock of this machine, so one clock is wrong. These rows are dated {after}. Check the clocks of both machines."
            ));
        }
        after
    }

    /// The same, and whether a clock is wrong.
    fn date_of(&self, asked_at: Timestamp) -> (Timestamp, bool) {
        let noted = self.version.as_ref().and_then(|version| version.note.as_ref());
        let after = noted.and_then(|noted| Timestamp::from_micros(noted.extracted_at.micros() + 1));
        match after.filter(|after| *after > asked_at) {
            None => (asked_at, false),
            Some(after) => (after, true),
        }
    }

    /// New files for rows of a reply to a plan.
    fn files(&mut self, plan: &Plan, extracted_at: Timestamp) -> Result<Files> {
        let log = &self.log;
        let prefix = format!("part-{}-{:02}", self.run, self.attempts);
        self.attempts += 1;
        let left_out = masking::left_out(self.version.as_ref(), &plan.privacy);
        let folder = log.files_of_company(log.company.as_deref());
        let layout = Layout::table(log.store.clone(), folder, prefix, log.stream);
        let schema = self.options.mode.schema(log.stream);
        let mut layout = Layout { schema, ..layout }.without(&left_out);
        layout.footer = vec![
            ("kometsales.run", self.run.clone()),
            ("kometsales.extracted_at", extracted_at.to_string()),
        ];
        Files::new(layout)
    }

    /// The rows of a batch as they are written; in a history as the versions that they begin.
    fn rows_of(
        &self,
        batch: &RecordBatch,
        extracted_at: Timestamp,
        begins: Option<&Begins>,
    ) -> Result<RecordBatch> {
        let (mode, stream) = (self.options.mode, self.log.stream);
        match mode {
            TableMode::History => begun(batch, stream, extracted_at, begins),
            _ => table_rows(batch, &mode.schema(stream), extracted_at),
        }
    }
}

impl Exported for Table<'_> {
    fn place(&self) -> String {
        self.log.place()
    }

    /// A place without a table was tested when it was opened.
    fn probe(&self) -> Result<()> {
        match self.version {
            Some(_) => self.log.store.probe(&self.log.folder, true),
            None => Ok(()),
        }
    }

    fn state(&self) -> Option<State> {
        let version = self.version.as_ref()?;
        if let Some(number) = version.restored {
            self.messages.warn(&format!(
                "Another program may have restored or replaced the rows of the table at {} (commit {number}), so everything is read again.",
                self.log.place()
            ));
        }
        version.note.as_ref().map(|note| note.state.clone())
    }

    fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    fn difference(&self) -> Option<&Difference> {
        self.difference.as_ref()
    }
}

/// Refuses a folder whose name would be read as another.
fn refuse_encoded(store: &Store, folder: &Path) -> Result<()> {
    if !looks_encoded(folder.as_ref()) {
        return Ok(());
    }
    Err(Error::config(format!(
        "A table cannot be made at {}: a `%` with two digits behind it is taken for an encoded character. Use another name for the folder.",
        store.shown(folder)
    )))
}

/// Whether a name holds what URLs write for a character.
fn looks_encoded(name: &str) -> bool {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = name.as_bytes();
    (0..bytes.len())
        .any(|at| bytes[at] == b'%' && is_digit(bytes.get(at + 1)) && is_digit(bytes.get(at + 2)))
}

impl Sink for Table<'_> {
    /// Refuses fields that its rows cannot have, before anything is asked.
    fn begin(&mut self, plan: &Plan) -> Result<()> {
        match &self.version {
            Some(version) => {
                masking::mask(&self.log, version, &plan.privacy, self.options.mode).map(drop)
            }
            None => Ok(()),
        }
    }

    fn arriving(&mut self, plan: &Plan, extracted_at: Timestamp) {
        // What fails here fails again once the reply is proved, and is reported then.
        if self.await_rows(plan, extracted_at).is_err() {
            self.lost();
        }
    }

    fn arrived(&mut self, plan: &Plan, rows: &RecordBatch) -> bool {
        self.take_early(plan, rows).unwrap_or_default()
    }

    fn lost(&mut self) {
        self.fresh = None;
        // The user's wish is seen wherever the run goes on.
        let _ = self.log.store.interrupt().release();
    }

    fn take(&mut self, plan: &Plan, reply: &mut dyn Reply) -> Result<()> {
        let reply = &mut Filled::new(plan, reply);
        masking::begin(self, plan, reply.receipt().rows)?;
        if self.options.is_dry_run {
            masking::announce(self.version.as_ref(), &self.log.place(), self.messages);
            self.difference = Some(dry_run::difference(Run::new(self, plan, reply))?);
            return Ok(());
        }
        Run::new(self, plan, reply).take()?;
        self.vacuum();
        Ok(())
    }
}
