//! Removing customers from every row of a table, for whoever asks to be forgotten. Komet is asked for nothing.

use std::collections::{BTreeSet, HashSet};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::{Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use object_store::path::Path;
use serde::Serialize;

use super::bits::Bits;
use super::check::check;
use super::commit::{Change, Committed};
use super::copy::bug;
use super::locate::{locate, rejects_folder};
use super::log::{Log, Version};
use super::note::{Made, Note};
use super::{TableOptions, masking};
use crate::error::{Error, Result};
use crate::export::destination::TablePlace;
use crate::export::mode::TableMode;
use crate::export::parquet::{Files, Layout, Uploaded};
use crate::export::report::{Kind, run_name};
use crate::log::Log as Messages;
use crate::model::{Stream, Timestamp};
use crate::store::Store;

/// Commits of other writers that may come first before it is given up.
const MAX_CONFLICTS: u32 = 30;

/// What was removed. Its form in JSON is the answer of `export --forget … --json`.
#[derive(Debug, Serialize)]
pub struct Forgotten {
    /// Where the table is, as people write it.
    pub to: String,
    /// What it is.
    pub kind: Kind,
    /// How it is written.
    pub mode: TableMode,
    /// The name of the run, as in the table's log.
    pub run: String,
    /// The keys of which there were rows.
    pub forgotten: BTreeSet<i64>,
    /// Those of which there were none.
    pub not_found: BTreeSet<i64>,
    /// Rows that were removed, every version of each counted.
    pub rows: u64,
    /// Rows of the table now, if the log says.
    pub table_rows: Option<u64>,
    /// Bytes written.
    pub bytes: u64,
    /// Files written.
    pub files: usize,
    /// The table's version.
    pub version: u64,
    /// Whether there was anything to commit.
    pub committed: bool,
}

/// Removes every row of these keys from the table of a stream, or from a company's part of a table of many, in one commit.
/// Its cursor stays.
///
/// # Errors
/// `Config`: there is no table that this program writes. `Transient`: the store cannot be reached, or others
/// commit again and again.
pub fn forget(
    store: Store,
    place: &TablePlace,
    stream: &'static Stream,
    company: Option<&str>,
    keys: &BTreeSet<i64>,
    now: Timestamp,
    messages: &dyn Messages,
) -> Result<Forgotten> {
    let folder = locate(&store, place, stream)?;
    let mut log = Log::new(store, folder, stream);
    log.company = company.map(str::to_owned);
    let run = run_name(now);
    log.store.interrupt().hold()?;
    for attempt in 0..=MAX_CONFLICTS {
        let Some(whole) = log.load()? else {
            return Err(Error::config(format!(
                "There is no table at {}. Pass the place that `export --to` was given.",
                log.place()
            )));
        };
        let part = part(&log, &whole)?;
        let version = part.as_ref().unwrap_or(&whole);
        let forgetting = Forgetting::of(&log, version, &run, attempt, keys)?;
        let Some(removal) = forgetting.remove()? else {
            return forgetting.nothing();
        };
        if let Some(forgotten) = removal.commit(&log, &whole, version, messages)? {
            return Ok(forgotten);
        }
        messages.debug(&format!(
            "Another commit to the table at {} came first; the rows are looked for in the new version.",
            log.place()
        ));
    }
    Err(Error::transient(format!(
        "Others committed to the table at {} first, again and again. Nothing was removed: run again.",
        log.place()
    )))
}

/// The part of the company that is named, where the table is that of many.
fn part(log: &Log, whole: &Version) -> Result<Option<Version>> {
    let place = log.place();
    match (&log.company, &whole.companies) {
        (None, None) => Ok(None),
        (Some(company), Some(_)) => match log.part_of(whole, company)? {
            Some(part) => Ok(Some(part)),
            None => Err(Error::config(format!(
                "The table at {place} has no company `{company}`. See `kometsales show {place} --json` for those it has."
            ))),
        },
        (None, Some(_)) => Err(Error::config(format!(
            "The table at {place} is that of many companies. Say with --company whose customers are meant."
        ))),
        (Some(_), None) => Err(Error::config(format!(
            "The table at {place} is that of one company. Leave --company out."
        ))),
    }
}

/// What is removed from one version.
struct Forgetting<'a> {
    log: &'a Log,
    version: &'a Version,
    note: Note,
    run: &'a str,
    attempt: u32,
    keys: &'a BTreeSet<i64>,
}

/// A removal that is uploaded and waits for its commit.
struct Removal {
    uploaded: Uploaded,
    /// The files that are replaced, by their position.
    removed: Vec<usize>,
    left_out: Vec<String>,
    note: Note,
    forgotten: Forgotten,
}

impl<'a> Forgetting<'a> {
    fn of(
        log: &'a Log,
        version: &'a Version,
        run: &'a str,
        attempt: u32,
        keys: &'a BTreeSet<i64>,
    ) -> Result<Self> {
        let mode = match version.note.as_ref().map(|note| note.table_mode) {
            // As an overwrite it would not see damage.
            None | Some(TableMode::Overwrite) => TableMode::Merge,
            Some(mode) => mode,
        };
        let how = TableOptions {
            mode,
            is_whole: false,
            allow_shrink: false,
            is_dry_run: false,
            vacuum: None,
        };
        check(log, version, &how)?;
        masking::refuse_additions_only(version, &log.place())?;
        match version.note.clone() {
            Some(note) => Ok(Self { log, version, note, run, attempt, keys }),
            None => Err(Error::bug("A table has no note")),
        }
    }

    fn nothing(&self) -> Result<Forgotten> {
        let rows = self.version.files.iter().map(|file| file.rows).sum();
        Ok(Forgotten {
            to: self.log.place(),
            kind: Kind::Table,
            mode: self.note.table_mode,
            run: self.run.to_owned(),
            forgotten: BTreeSet::new(),
            not_found: self.keys.clone(),
            rows: 0,
            table_rows: rows,
            bytes: 0,
            files: 0,
            version: self.version.number(),
            committed: false,
        })
    }

    /// Writes the files that hold such rows again, without them; `None` if there are none.
    fn remove(&self) -> Result<Option<Removal>> {
        let schema = self.note.table_mode.schema(self.log.stream);
        let left_out = self.absent_columns(&schema);
        let mut files = Files::new(self.layout(&schema, &left_out))?;
        let mut forgotten = self.nothing()?;
        let mut removed = Vec::new();
        for number in 0..self.version.files.len() {
            let Some(gone) = self.rows_of(number, &mut forgotten)? else { continue };
            self.copy_rest(number, &gone, &schema, &mut files)?;
            removed.push(number);
        }
        if removed.is_empty() {
            return Ok(None);
        }
        let uploaded = files.finish()?;
        forgotten.table_rows = forgotten.table_rows.map(|rows| rows.saturating_sub(forgotten.rows));
        forgotten.bytes = uploaded.files.iter().map(|file| file.bytes).sum();
        forgotten.files = uploaded.files.len();
        forgotten.version += 1;
        forgotten.committed = true;
        let version = forgotten.version;
        // Nothing was read: that the rows may be older than what is noted has to be seen by the next export as well.
        let made = forgotten.table_rows.filter(|_| self.version.restored.is_none());
        let note = Note {
            run: self.run.to_owned(),
            made: made.map(|rows| Made { version, rows }),
            ..self.note.clone()
        };
        Ok(Some(Removal { uploaded, removed, left_out, note, forgotten }))
    }

    /// The columns that the program has learnt since the table was made: a removal adds none.
    fn absent_columns(&self, schema: &SchemaRef) -> Vec<String> {
        let there = self.version.snapshot.schema();
        let names = schema.fields().iter().map(|field| field.name());
        names.filter(|name| there.field(name).is_none()).cloned().collect()
    }

    fn layout(&self, schema: &SchemaRef, left_out: &[String]) -> Layout {
        let Self { log, run, attempt, .. } = self;
        let prefix = format!("part-{run}-{attempt:02}");
        let folder = log.files_of_company(log.company.as_deref());
        let layout = Layout::table(log.store.clone(), folder, prefix, log.stream);
        let mut layout = Layout { schema: schema.clone(), ..layout }.without(left_out);
        layout.footer = vec![
            ("kometsales.run", (*run).to_owned()),
            ("kometsales.extracted_at", self.note.extracted_at.to_string()),
        ];
        layout
    }

    /// Which rows of a file go; `None` if none do. Files that hold none of the keys are not read.
    fn rows_of(&self, number: usize, forgotten: &mut Forgotten) -> Result<Option<Bits>> {
        let Self { log, version, keys, .. } = self;
        let Some(file) = version.files.get(number) else { return Ok(None) };
        let is_apart = |(least, most): (i64, i64)| keys.range(least..=most).next().is_none();
        if file.keys.is_some_and(is_apart) {
            return Ok(None);
        }
        log.store.interrupt().check()?;
        let reader = file.open(&log.store)?;
        let mut gone = Bits::all(usize::try_from(reader.rows()).unwrap_or_default(), false);
        let whole = self.note.table_mode.schema(log.stream);
        let key = whole.field(log.stream.key_index()).clone();
        let schema = SchemaRef::new(Schema::new(vec![key]));
        let (mut row, before) = (0, forgotten.rows);
        for group in 0..reader.metadata().num_row_groups() {
            let mut rows = reader.read(group, &schema)?;
            while let Some(batch) = rows.next_batch()? {
                for key in batch.column(0).as_primitive::<Int64Type>().values() {
                    if keys.contains(key) && file.is_there(row) {
                        gone.set(row, true);
                        forgotten.rows += 1;
                        forgotten.not_found.remove(key);
                        forgotten.forgotten.insert(*key);
                    }
                    row += 1;
                }
            }
        }
        Ok((forgotten.rows > before).then_some(gone))
    }

    fn copy_rest(
        &self,
        number: usize,
        gone: &Bits,
        schema: &SchemaRef,
        files: &mut Files,
    ) -> Result<()> {
        let Self { log, version, note, .. } = self;
        let Some(file) = version.files.get(number) else { return Ok(()) };
        let reader = file.open(&log.store)?;
        reader.verify(note.table_mode.repair())?;
        let mut row = 0;
        for group in 0..reader.metadata().num_row_groups() {
            let mut rows = reader.read(group, schema)?;
            while let Some(batch) = rows.next_batch()? {
                log.store.interrupt().check()?;
                let first = row;
                row += batch.num_rows();
                let stay = (first..row).map(|row| Some(file.is_there(row) && !gone.get(row)));
                files.push(filter_record_batch(&batch, &stay.collect()).map_err(bug)?)?;
            }
        }
        Ok(())
    }
}

impl Removal {
    /// Commits it. `None` if another writer's commit was first: what was uploaded is removed then.
    fn commit(
        self,
        log: &Log,
        whole: &Version,
        version: &Version,
        messages: &dyn Messages,
    ) -> Result<Option<Forgotten>> {
        let Self { uploaded, removed, left_out, note, mut forgotten } = self;
        let removed: HashSet<&Path> =
            removed.iter().filter_map(|file| Some(&version.files.get(*file)?.path)).collect();
        let removed =
            (0..whole.files.len()).filter(|file| removed.contains(&whole.files[*file].path));
        let change = Change {
            company: log.company.as_deref(),
            note,
            added: &uploaded.files,
            removed: removed.collect(),
            left_out,
            metrics: vec![("forgotten", forgotten.rows)],
        };
        // The last moment at which the user can take it back.
        log.store.interrupt().check()?;
        match log.commit(Some(whole), &[change], messages) {
            Ok(Committed::As(number)) => {
                uploaded.keep();
                forgotten.version = number;
                warn(log, messages);
                Ok(Some(forgotten))
            }
            Ok(Committed::Conflict) => Ok(None),
            Ok(Committed::Refused(error)) => Err(error),
            Err(error) => {
                // The commit may have landed after all, and the files with it.
                uploaded.keep();
                Err(error)
            }
        }
    }
}

/// Says what still has to be done so that the rows are gone for good.
fn warn(log: &Log, messages: &dyn Messages) {
    let (place, record) = (log.place(), log.stream.record);
    messages.warn(&format!(
        "A {record} that Komet Sales still has comes back with the next export that reads it. Remove the {record} there first."
    ));
    messages.warn(&format!(
        "Older versions of the table still have the rows. `kometsales vacuum {place} --retain 0h --allow-short-retention` removes their files at once, and after 30 days what their statistics in the log quote."
    ));
    let rejects = rejects_folder(&log.folder, log.stream);
    // Who may not list may still have removed what was asked for.
    if log.store.list(&rejects).is_ok_and(|files| !files.is_empty()) {
        messages.warn(&format!(
            "Rejected records have no valid id, so they cannot be looked for: see {}, or remove them with `kometsales vacuum {place} --rejects 0d`.",
            log.store.shown(&rejects)
        ));
    }
}
