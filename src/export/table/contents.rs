//! What is in a table, for people who would rather look than query.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::Schema;
use serde::Serialize;
use serde_json::Value;

use super::locate::TableFolder;
use super::log::{Log, Version};
use super::note::{DOMAIN, Note, company_of};
use super::times::Times;
use crate::error::{Error, Result};
use crate::export::mode::TableMode;
use crate::export::parquet::Reader;
use crate::export::report::Kind;
use crate::model::arrow::{DELETED_AT, EXTRACTED_AT, table_schema};
use crate::model::{Field, Stream, Timestamp};
use crate::store::Store;

/// Runs that are listed.
const MAX_RUNS: usize = 5;

/// Commits that are looked through for them: other programs' commits may be in between.
const MAX_COMMITS: usize = 10 * MAX_RUNS;

/// What is in a table or a file. Its form in JSON is the answer of `show --json`.
#[derive(Debug, Serialize)]
pub struct Contents {
    /// Where it is, as people write it.
    pub to: String,
    /// What it is.
    pub kind: Kind,
    /// How it is written; `None` for a file.
    pub mode: Option<TableMode>,
    /// Rows, every version of each counted.
    pub rows: u64,
    /// Different keys.
    pub keys: u64,
    /// Keys whose newest row is marked as deleted; `None` for a file.
    pub deleted: Option<u64>,
    /// Keys whose newest row is active and not deleted; `None` where the stream does not say.
    pub active: Option<u64>,
    /// The fields that its rows are without, as `exclude_fields` had it; none for a file.
    pub excluded: Vec<String>,
    /// The fields of which its rows have hashes, as `hash_fields` had it; none for a file.
    pub hashed: Vec<String>,
    /// The version; `None` for a file.
    pub version: Option<u64>,
    /// Where the next read goes on; `None` for a table of many companies, each of which has its own.
    pub cursor: Option<Timestamp>,
    /// Bytes of the files that readers read.
    pub bytes: u64,
    /// How many they are.
    pub files: usize,
    /// The last runs that committed, newest first.
    pub runs: Vec<Run>,
    /// Keys by the month in which their newest row was last changed: `2024-03`. Empty where the stream does
    /// not say.
    pub months: BTreeMap<String, u64>,
    /// The companies of a table of many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub companies: Option<Vec<OfCompany>>,
}

/// What is there of one company in a table of many.
#[derive(Debug, Serialize)]
pub struct OfCompany {
    /// Its name.
    pub company: String,
    /// Rows, every version of each counted.
    pub rows: u64,
    /// Different keys.
    pub keys: u64,
    /// Keys whose newest row is marked as deleted.
    pub deleted: u64,
    /// Keys whose newest row is active and not deleted; `None` where the stream does not say.
    pub active: Option<u64>,
    /// Where the next read goes on.
    pub cursor: Option<Timestamp>,
    /// Bytes of the files that readers read.
    pub bytes: u64,
    /// How many they are.
    pub files: usize,
}

/// A run that committed.
#[derive(Debug, Serialize)]
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
    /// In a table of many companies, how many were committed with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub companies: Option<u64>,
}

/// What is in a table of a stream.
///
/// # Errors
/// `Config`: there is none, or it cannot be read. `Transient`: the store cannot be reached.
pub fn of_table(store: Store, table: TableFolder, stream: &'static Stream) -> Result<Contents> {
    let log = Log::new(store, table.0, stream);
    match log.load()? {
        Some(version) if version.companies.is_some() => of_companies(&log, &version),
        Some(version) => Ok(Contents { runs: runs(&log)?, ..of_version(&log, &version)? }),
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
    let mut newest = Newest::of(stream);
    let reader = Reader::open(store, store.path(), there.size)?;
    newest.file(&reader, |_| true)?;
    Ok(newest.contents(place, Kind::File, there.size, 1))
}

fn of_version(log: &Log, version: &Version) -> Result<Contents> {
    let mut newest = Newest::of(log.stream);
    for file in &version.files {
        let reader = Reader::open(&log.store, &file.path, file.bytes)?;
        newest.file(&reader, |row| file.is_there(row))?;
    }
    let bytes = version.files.iter().map(|file| file.bytes).sum();
    let deleted = newest.keys.values().filter(|row| row.is_deleted).count() as u64;
    let mut contents = newest.contents(log.place(), Kind::Table, bytes, version.files.len());
    contents.version = Some(version.number());
    contents.deleted = Some(deleted);
    if let Some(note) = &version.note {
        contents.mode = Some(note.table_mode);
        contents.cursor = note.state.cursor;
        contents.excluded = note.people.excluded();
        contents.hashed = note.people.hashed();
    }
    Ok(contents)
}

/// What is in a table of many companies, one after the other.
fn of_companies(log: &Log, version: &Version) -> Result<Contents> {
    let mut whole = Newest::of(log.stream).contents(log.place(), Kind::Table, 0, 0);
    let (mut companies, mut deleted) = (Vec::new(), 0);
    let noted = version.companies.iter().flat_map(BTreeMap::keys);
    let there = version.files.iter().filter_map(|file| file.company.as_ref());
    for company in noted.chain(there).collect::<BTreeSet<&String>>() {
        let Some(part) = log.part_of(version, company)? else { continue };
        let own = of_version(log, &part)?;
        whole.mode = whole.mode.or(own.mode);
        whole.rows += own.rows;
        whole.keys += own.keys;
        deleted += own.deleted.unwrap_or_default();
        whole.active = whole.active.zip(own.active).map(|(all, own)| all + own);
        whole.bytes += own.bytes;
        whole.files += own.files;
        for (month, count) in own.months {
            *whole.months.entry(month).or_default() += count;
        }
        companies.push(OfCompany {
            company: company.clone(),
            rows: own.rows,
            keys: own.keys,
            deleted: own.deleted.unwrap_or_default(),
            active: own.active,
            cursor: own.cursor,
            bytes: own.bytes,
            files: own.files,
        });
    }
    whole.version = Some(version.number());
    whole.deleted = Some(deleted);
    whole.runs = runs(log)?;
    whole.companies = Some(companies);
    Ok(whole)
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
    for (version, path) in commits.into_iter().rev().take(MAX_COMMITS) {
        let text = log.store.read(&path)?;
        let actions = text.split(|byte| *byte == b'\n');
        let actions: Vec<Value> =
            actions.filter_map(|line| serde_json::from_slice(line).ok()).collect();
        let noted = actions.iter().find_map(|action| {
            let noted = &action["domainMetadata"];
            let domain = noted["domain"].as_str()?;
            let is_note = domain == DOMAIN || company_of(domain).is_some();
            is_note.then(|| noted["configuration"].as_str())?
        });
        let Some(noted) = noted else { continue };
        let note = Note::from_json(noted, log.stream, &log.place())?;
        let metric = |name: &str| {
            let metrics = actions.iter().map(|action| &action["commitInfo"]["operationMetrics"]);
            metrics.filter_map(|metrics| metrics[name].as_str()?.parse().ok()).next()
        };
        runs.push(Run {
            version,
            run: note.run,
            mode: note.mode,
            rows: metric("rows"),
            at: note.extracted_at,
            companies: metric("companies"),
        });
        if runs.len() == MAX_RUNS {
            break;
        }
    }
    Ok(runs)
}

/// The newest row of each key.
struct Newest {
    stream: &'static Stream,
    rows: u64,
    keys: HashMap<i64, Row>,
}

/// What counts of a row.
#[derive(Clone, Copy)]
struct Row {
    /// When it became what it is, in microseconds.
    extracted: i64,
    /// When the record was last changed, in microseconds.
    changed: Option<i64>,
    is_active: bool,
    is_deleted: bool,
}

impl Newest {
    fn of(stream: &'static Stream) -> Self {
        Self { stream, rows: 0, keys: HashMap::new() }
    }

    fn file(&mut self, reader: &Reader, is_there: impl Fn(usize) -> bool) -> Result<()> {
        let whole = table_schema(self.stream);
        let fields = [Some(self.stream.key()), self.stream.cursor(), self.stream.active()];
        let names =
            fields.into_iter().flatten().map(|field| field.name).chain([EXTRACTED_AT, DELETED_AT]);
        let fields = names.filter_map(|name| whole.field_with_name(name).ok().cloned());
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let mut first = 0;
        for group in 0..reader.metadata().num_row_groups() {
            let mut rows = reader.read(group, &schema)?;
            while let Some(batch) = rows.next_batch()? {
                self.take(&batch, |row| is_there(first + row))?;
                first += batch.num_rows();
            }
        }
        Ok(())
    }

    fn take(&mut self, batch: &RecordBatch, is_there: impl Fn(usize) -> bool) -> Result<()> {
        let column = |field: Option<&Field>| batch.column_by_name(field?.name);
        let Some(keys) = column(Some(self.stream.key())) else { return Ok(()) };
        let keys = keys.as_primitive::<Int64Type>();
        let times = Times::of(batch)?;
        let changed = column(self.stream.cursor());
        let changed = changed.map(|times| times.as_primitive::<TimestampMicrosecondType>());
        let active = column(self.stream.active()).map(|column| column.as_boolean());
        for row in (0..batch.num_rows()).filter(|row| is_there(*row)) {
            self.rows += 1;
            let changed = changed.filter(|times| times.is_valid(row));
            let here = Row {
                extracted: times.latest(row),
                changed: changed.map(|times| times.value(row)),
                is_active: active.is_some_and(|active| active.is_valid(row) && active.value(row)),
                is_deleted: times.is_deleted(row),
            };
            let newest = self.keys.entry(keys.value(row)).or_insert(here);
            if here.extracted >= newest.extracted {
                *newest = here;
            }
        }
        Ok(())
    }

    fn contents(self, to: String, kind: Kind, bytes: u64, files: usize) -> Contents {
        let mut months = BTreeMap::new();
        let living = || self.keys.values().filter(|row| !row.is_deleted);
        let dated = living().filter(|_| self.stream.cursor().is_some());
        for row in dated {
            let month = row.changed.and_then(Timestamp::from_micros).map(|changed| {
                let civil = changed.civil();
                format!("{:04}-{:02}", civil.year, civil.month)
            });
            *months.entry(month.unwrap_or_else(|| "unknown".to_owned())).or_default() += 1;
        }
        let active = living().filter(|row| row.is_active).count() as u64;
        Contents {
            to,
            kind,
            mode: None,
            rows: self.rows,
            keys: self.keys.len() as u64,
            deleted: None,
            active: self.stream.active().map(|_| active),
            excluded: Vec::new(),
            hashed: Vec::new(),
            version: None,
            cursor: None,
            bytes,
            files,
            runs: Vec::new(),
            months,
            companies: None,
        }
    }
}
