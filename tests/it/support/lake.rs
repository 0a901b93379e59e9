//! What an export left, read without the product's help: a table's log is replayed by hand, Parquet is read
//! by its library.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use arrow_array::RecordBatch;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::store::Store;

/// A table's folder: every object below it, by its name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lake(BTreeMap<String, Vec<u8>>);

impl Lake {
    /// A folder of this machine; nothing if it is not there.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        fn walk(folder: &Path, below: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
            let Ok(entries) = fs::read_dir(folder) else { return };
            for entry in entries {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, below, found);
                } else {
                    let name = path.strip_prefix(below).unwrap().to_str().unwrap().to_owned();
                    found.insert(name, fs::read(&path).unwrap());
                }
            }
        }
        let mut found = BTreeMap::new();
        walk(folder, folder, &mut found);
        Self(found)
    }

    /// A folder of a scripted store.
    pub(crate) fn in_store(store: &Store, bucket: &str, folder: &str) -> Self {
        let keys = store.keys(bucket).into_iter();
        let named = keys.filter_map(|key| {
            let name = key.strip_prefix(folder)?.strip_prefix('/')?.to_owned();
            Some((name, store.get(bucket, &key)?))
        });
        Self(named.collect())
    }

    /// Every object.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// The actions of each commit.
    pub(crate) fn commits(&self) -> Vec<Vec<Value>> {
        let commits = self.0.iter().filter(|(name, _)| {
            name.starts_with("_delta_log/") && name.ends_with(".json") && name.len() == 36
        });
        commits
            .enumerate()
            .map(|(version, (name, bytes))| {
                assert_eq!(*name, format!("_delta_log/{version:020}.json"), "a gap in the log");
                let lines = std::str::from_utf8(bytes).unwrap().lines();
                lines.map(|line| serde_json::from_str(line).unwrap()).collect()
            })
            .collect()
    }

    /// The newest version.
    pub(crate) fn version(&self) -> usize {
        self.commits().len() - 1
    }

    /// The files that readers of the newest version read.
    pub(crate) fn live(&self) -> BTreeSet<String> {
        let mut live = BTreeSet::new();
        for action in self.commits().iter().flatten() {
            if let Some(path) = action["remove"]["path"].as_str() {
                assert!(live.remove(path), "{path} is removed and was not there");
            }
            if let Some(path) = action["add"]["path"].as_str() {
                assert!(live.insert(path.to_owned()), "{path} is added twice");
            }
        }
        live
    }

    /// Data files that no version names.
    pub(crate) fn left_over(&self) -> Vec<&str> {
        let commits = self.commits();
        let named: BTreeSet<&str> =
            commits.iter().flatten().filter_map(|action| action["add"]["path"].as_str()).collect();
        let data = self.names().into_iter().filter(|name| !name.starts_with("_delta_log/"));
        data.filter(|name| !named.contains(name)).collect()
    }

    /// What the newest commit that notes something notes.
    pub(crate) fn note(&self) -> Value {
        self.noted("kometsales").unwrap()
    }

    /// What the newest commit that notes something under a domain notes.
    pub(crate) fn noted(&self, domain: &str) -> Option<Value> {
        let commits = self.commits();
        let noted = commits.iter().rev().flatten().find_map(|action| {
            let noted = &action["domainMetadata"];
            (noted["domain"] == domain).then(|| noted["configuration"].as_str().unwrap())
        });
        noted.map(|noted| serde_json::from_str(noted).unwrap())
    }

    /// The rows of the newest version, file by file.
    pub(crate) fn batches(&self) -> Vec<RecordBatch> {
        let live = self.live();
        live.iter().flat_map(|name| parquet_batches(&self.0[name])).collect()
    }

    /// The rows of the newest version, sorted by key and by when they were extracted.
    pub(crate) fn rows(&self) -> Vec<Value> {
        let mut rows: Vec<Value> =
            self.live().iter().flat_map(|name| parquet_rows(&self.0[name])).collect();
        sort(&mut rows);
        rows
    }

    /// The rows of the newest version whose files are below a folder, sorted likewise.
    pub(crate) fn rows_below(&self, folder: &str) -> Vec<Value> {
        let live = self.live();
        let below = live.iter().filter(|name| name.starts_with(folder));
        let mut rows: Vec<Value> = below.flat_map(|name| parquet_rows(&self.0[name])).collect();
        sort(&mut rows);
        rows
    }

    /// The keys of those rows.
    pub(crate) fn ids(&self) -> Vec<i64> {
        self.rows().iter().map(|row| row["id"].as_i64().unwrap()).collect()
    }
}

fn sort(rows: &mut [Value]) {
    rows.sort_by_key(|row| (row["id"].as_i64(), row["_extracted_at"].to_string()));
}

/// The rows of a Parquet file, as JSON.
pub(crate) fn parquet_rows(bytes: &[u8]) -> Vec<Value> {
    parquet_batches(bytes).iter().flat_map(json_rows).collect()
}

fn parquet_batches(bytes: &[u8]) -> Vec<RecordBatch> {
    let file = Bytes::copy_from_slice(bytes);
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    reader.map(Result::unwrap).collect()
}

/// The rows of an Arrow IPC stream, as JSON.
pub(crate) fn stream_rows(bytes: &[u8]) -> Vec<Value> {
    let reader = arrow_ipc::reader::StreamReader::try_new(bytes, None).unwrap();
    reader.flat_map(|batch| json_rows(&batch.unwrap())).collect()
}

/// The rows of a batch, nulls named.
pub(crate) fn json_rows(batch: &RecordBatch) -> Vec<Value> {
    let builder = arrow_json::WriterBuilder::new().with_explicit_nulls(true);
    let mut writer = builder.build::<_, arrow_json::writer::LineDelimited>(Vec::new());
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    let text = String::from_utf8(writer.into_inner()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A row without what only exports have, and with `_extra` as protocols have it.
pub(crate) fn as_record(mut row: Value) -> Value {
    let members = row.as_object_mut().unwrap();
    members.remove("_extracted_at").unwrap();
    // Only tables have it, and here nothing is deleted.
    assert!(members.remove("_deleted_at").is_none_or(|time| time.is_null()));
    if let Some(extra) = row["_extra"].as_str() {
        row["_extra"] = serde_json::from_str(extra).unwrap();
    }
    row
}

/// Rows as records, sorted by key.
pub(crate) fn as_records(rows: Vec<Value>) -> Vec<Value> {
    let mut rows = rows;
    sort(&mut rows);
    rows.into_iter().map(as_record).collect()
}
