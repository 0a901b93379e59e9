//! What is in a table, for people who would rather look than query.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::Schema;
use serde_json::Value;

use super::locate::locate;
use super::log::{Log, Version};
use super::note::{DOMAIN, Note};
use crate::error::{Error, Result};
use crate::export::destination::TablePlace;
use crate::export::mode::TableMode;
use crate::export::parquet::Reader;
use crate::model::arrow::{EXTRACTED_AT, table_schema};
use crate::model::{Stream, Timestamp};
use crate::store::Store;

/// Runs that are shown.
const RUNS: usize = 5;

/// The field that says whether a record is in use, where a stream has one.
const ACTIVE: &str = "active";

/// What is in a table or a file.
#[derive(Debug)]
pub struct Contents {
    /// Where it is, as people write it.
    pub place: String,
    /// How it is written; `None` for a file.
    pub mode: Option<TableMode>,
    /// Rows, every version of each counted.
    pub rows: u64,
    /// Different keys.
    pub keys: u64,
    /// Keys whose newest row is active.
    pub active: u64,
    /// The version; `None` for a file.
    pub version: Option<u64>,
    /// Where the next read goes on.
    pub cursor: Option<Timestamp>,
    /// Bytes of the files that readers read.
    pub bytes: u64,
    /// How many they are.
    pub files: usize,
    /// The last runs that committed, newest first.
    pub runs: Vec<Run>,
    /// Keys by the month in which their newest row was last changed: `2024-03`.
    pub months: BTreeMap<String, u64>,
}

/// A run that committed.
#[derive(Debug)]
pub struct Run {
    /// The version it made.
    pub version: u64,
    /// Its name.
    pub run: String,
    /// Its mode.
    pub mode: TableMode,
    /// Rows it wrote, if the log says.
    pub rows: Option<u64>,
    /// When its request was sent.
    pub at: Timestamp,
}

/// What is in the table of a stream at a place.
///
/// # Errors
/// `Config`: there is none, or it cannot be read. `Transient`: the store cannot be reached.
pub fn of_table(store: Store, place: &TablePlace, stream: &'static Stream) -> Result<Contents> {
    let folder = locate(&store, place, stream)?;
    let log = Log::new(store, folder, stream);
    match log.load()? {
        Some(version) => of_version(&log, &version),
        None => Err(Error::config(format!(
            "There is no table at {}. Pass the place that `export --to` was given.",
            log.place()
        ))),
    }
}

/// What is in a Parquet file.
///
/// # Errors
/// As [`of_table`].
pub fn of_file(store: &Store, stream: &'static Stream) -> Result<Contents> {
    let place = store.shown(store.path());
    let Some(there) = store.head(store.path())? else {
        return Err(Error::config(format!("There is no file at {place}. Check the path.")));
    };
    let mut newest = Newest::default();
    let reader = Reader::open(store, store.path(), there.size)?;
    newest.file(&reader, stream, |_| true)?;
    Ok(newest.contents(place, there.size, 1))
}

fn of_version(log: &Log, version: &Version) -> Result<Contents> {
    let mut newest = Newest::default();
    for file in &version.files {
        let reader = Reader::open(&log.store, &file.path, file.bytes)?;
        newest.file(&reader, log.stream, |row| file.is_there(row))?;
    }
    let bytes = version.files.iter().map(|file| file.bytes).sum();
    let mut contents = newest.contents(log.place(), bytes, version.files.len());
    contents.version = Some(version.number());
    if let Some(note) = &version.note {
        contents.mode = Some(note.mode);
        contents.cursor = note.state.cursor;
    }
    contents.runs = runs(log)?;
    Ok(contents)
}

/// The last runs, from the commits that are still there one by one.
fn runs(log: &Log) -> Result<Vec<Run>> {
    let folder = log.folder.clone().join("_delta_log");
    let number = |name: &str| name.strip_suffix(".json")?.parse::<u64>().ok();
    let mut commits: Vec<_> = log
        .store
        .list(&folder)?
        .into_iter()
        .filter_map(|file| Some((number(file.location.filename()?)?, file.location)))
        .collect();
    commits.sort();
    let mut runs = Vec::new();
    // Others' commits stand between, but not without end.
    for (version, path) in commits.into_iter().rev().take(10 * RUNS) {
        let text = log.store.read(&path)?;
        let actions = text.split(|byte| *byte == b'\n');
        let actions: Vec<Value> =
            actions.filter_map(|line| serde_json::from_slice(line).ok()).collect();
        let noted = actions.iter().find_map(|action| {
            let noted = &action["domainMetadata"];
            (noted["domain"] == DOMAIN).then(|| noted["configuration"].as_str())?
        });
        let Some(noted) = noted else { continue };
        let note = Note::from_json(noted, log.stream, &log.place())?;
        let rows = actions.iter().find_map(|action| {
            action["commitInfo"]["operationMetrics"]["rows"].as_str()?.parse().ok()
        });
        runs.push(Run { version, run: note.run, mode: note.mode, rows, at: note.extracted_at });
        if runs.len() == RUNS {
            break;
        }
    }
    Ok(runs)
}

/// The newest row of each key.
#[derive(Default)]
struct Newest {
    rows: u64,
    /// When it was extracted, when it was last changed, and whether it is active.
    keys: HashMap<i64, (i64, Option<i64>, bool)>,
}

impl Newest {
    fn file(
        &mut self,
        reader: &Reader,
        stream: &Stream,
        is_there: impl Fn(usize) -> bool,
    ) -> Result<()> {
        let whole = table_schema(stream);
        let wanted = [stream.key().name, stream.cursor().name, EXTRACTED_AT, ACTIVE];
        let fields = wanted.iter().filter_map(|name| whole.field_with_name(name).ok().cloned());
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let mut first = 0;
        for group in 0..reader.metadata().num_row_groups() {
            let mut rows = reader.read(group, &schema)?;
            while let Some(batch) = rows.next_batch()? {
                self.take(&batch, |row| is_there(first + row));
                first += batch.num_rows();
            }
        }
        Ok(())
    }

    fn take(&mut self, batch: &RecordBatch, is_there: impl Fn(usize) -> bool) {
        let keys = batch.column(0).as_primitive::<Int64Type>();
        let changed = batch.column(1).as_primitive::<TimestampMicrosecondType>();
        let extracted = batch.column(2).as_primitive::<TimestampMicrosecondType>();
        let active = batch.columns().get(3).map(|column| column.as_boolean());
        for row in (0..batch.num_rows()).filter(|row| is_there(*row)) {
            self.rows += 1;
            let time = extracted.value(row);
            let is_active = active.is_some_and(|active| active.is_valid(row) && active.value(row));
            let changed = changed.is_valid(row).then(|| changed.value(row));
            let newest = self.keys.entry(keys.value(row)).or_insert((time, changed, is_active));
            if time >= newest.0 {
                *newest = (time, changed, is_active);
            }
        }
    }

    fn contents(self, place: String, bytes: u64, files: usize) -> Contents {
        let mut months = BTreeMap::new();
        for (_, changed, _) in self.keys.values() {
            let month = changed.and_then(Timestamp::from_micros).map(|changed| {
                let civil = changed.civil();
                format!("{:04}-{:02}", civil.year, civil.month)
            });
            *months.entry(month.unwrap_or_else(|| "unknown".to_owned())).or_default() += 1;
        }
        Contents {
            place,
            mode: None,
            rows: self.rows,
            keys: self.keys.len() as u64,
            active: self.keys.values().filter(|(_, _, is_active)| *is_active).count() as u64,
            version: None,
            cursor: None,
            bytes,
            files,
            runs: Vec::new(),
            months,
        }
    }
}
