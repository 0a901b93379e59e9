//! What the rows of a table are to be after each commit, the naive way.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use bytes::Bytes;
use kometsales::export::mode::TableMode;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::komet::Customer;

/// A row: what it says, since when it is deleted, and in a history for how long it is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) customer: Customer,
    pub(super) deleted: Option<i64>,
    valid: Option<(i64, Option<i64>)>,
}

/// Rows by their id and by when they were extracted.
pub(super) type Rows = BTreeMap<(i64, i64), Row>;

/// One of them.
pub(super) type Keyed = ((i64, i64), Row);

/// A reply that is applied, and what is known of it.
#[derive(Debug)]
pub(super) struct Applied<'a> {
    pub(super) mode: TableMode,
    pub(super) records: &'a BTreeMap<i64, Customer>,
    /// When its rows count as extracted.
    pub(super) at: i64,
    /// Whether it was a complete list that follows another one.
    pub(super) proves: bool,
    pub(super) allow_shrink: bool,
    /// Whether a customer that was asked for was there after all.
    pub(super) is_in_doubt: bool,
}

impl Row {
    fn latest(&self, extracted: i64) -> i64 {
        let (from, to) = self.valid.unwrap_or((extracted, None));
        extracted.max(self.deleted.unwrap_or(extracted)).max(from).max(to.unwrap_or(from))
    }

    fn is_living(&self) -> bool {
        self.deleted.is_none() && self.valid.is_none_or(|(_, to)| to.is_none())
    }
}

/// The newest row of each id.
pub(super) fn newest(rows: &Rows) -> BTreeMap<i64, (i64, Row)> {
    rows.iter().map(|((id, at), row)| (*id, (*at, *row))).collect()
}

/// Applies a reply.
pub(super) fn apply(rows: &mut Rows, applied: &Applied<'_>) {
    let Applied { mode, records, at, .. } = applied;
    let plain = |customer: &Customer| Row { customer: *customer, deleted: None, valid: None };
    if *mode == TableMode::Overwrite {
        rows.clear();
        rows.extend(records.iter().map(|(id, customer)| ((*id, *at), plain(customer))));
        return;
    }
    let before = newest(rows);
    for (id, customer) in *records {
        match mode {
            TableMode::History => one_version(rows, *id, customer, *at),
            _ => one_row(rows, *mode, *id, plain(customer), *at),
        }
    }
    let living: Vec<_> = before.into_iter().filter(|(_, (_, row))| row.is_living()).collect();
    let is_history = *mode == TableMode::History;
    let is_before = |extracted: i64, row: &Row| {
        let latest = row.latest(extracted);
        latest < *at || (latest == *at && !is_history)
    };
    let gone: Vec<_> = living
        .iter()
        .filter(|(id, (extracted, row))| !records.contains_key(id) && is_before(*extracted, row))
        .collect();
    let (missing, all) = (gone.len(), living.len());
    let is_too_many = missing > 10 && missing * 10 > all || missing * 2 > all && all != 1;
    if !applied.proves || applied.is_in_doubt || (is_too_many && !applied.allow_shrink) {
        return;
    }
    for (id, (extracted, row)) in gone {
        let valid = row.valid.map(|(from, _)| (from, Some(*at)));
        let marked = Row { deleted: Some(*at), valid, ..*row };
        let extracted = if *mode == TableMode::Append { at } else { extracted };
        rows.insert((*id, *extracted), marked);
    }
}

fn versions(rows: &Rows, id: i64) -> Vec<(i64, Row)> {
    rows.range((id, i64::MIN)..=(id, i64::MAX)).map(|((_, at), row)| (*at, *row)).collect()
}

fn one_row(rows: &mut Rows, mode: TableMode, id: i64, row: Row, at: i64) {
    let versions = versions(rows, id);
    let is_before = |(extracted, row): &&(i64, Row)| row.latest(*extracted) <= at;
    let before = versions.iter().rfind(is_before);
    let after = versions.iter().find(|version| !is_before(version));
    let is_same = |there: Option<&(i64, Row)>| there.is_some_and(|(_, there)| *there == row);
    if is_same(before) || is_same(after) || (mode == TableMode::Merge && after.is_some()) {
        return;
    }
    if mode == TableMode::Merge {
        rows.retain(|key, _| key.0 != id);
    }
    rows.insert((id, at), row);
}

fn one_version(rows: &mut Rows, id: i64, customer: &Customer, at: i64) {
    let versions = versions(rows, id);
    if versions.iter().any(|(extracted, row)| row.latest(*extracted) >= at) {
        return;
    }
    let current = versions.iter().find(|(_, row)| row.is_living());
    if current.is_some_and(|(_, row)| row.customer == *customer) {
        return;
    }
    let ends = versions.iter().filter_map(|(_, row)| row.valid);
    let last = ends.map(|(from, to)| to.unwrap_or(from).max(from)).max().unwrap_or(i64::MIN);
    let changed = customer.updated.filter(|updated| *updated <= at && *updated > last);
    let from = changed.unwrap_or(at);
    if let Some((extracted, row)) = current {
        let valid = row.valid.map(|(begin, _)| (begin, Some(from)));
        rows.insert((id, *extracted), Row { valid, ..*row });
    }
    rows.insert((id, at), Row { customer: *customer, deleted: None, valid: Some((from, None)) });
}

/// The rows of a file, as the library for Parquet reads them.
pub(super) fn of_file(bytes: &Bytes) -> Vec<Keyed> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).unwrap().build().unwrap();
    reader.flat_map(|batch| of_batch(&batch.unwrap())).collect()
}

fn of_batch(batch: &RecordBatch) -> Vec<Keyed> {
    let micros = |name: &str, row: usize| {
        let column = batch.column_by_name(name)?.as_primitive::<TimestampMicrosecondType>();
        column.is_valid(row).then(|| column.value(row))
    };
    let ids = batch.column_by_name("id").unwrap().as_primitive::<Int64Type>();
    let names = batch.column_by_name("name").unwrap().as_string::<i32>();
    let current = batch.column_by_name("_is_current").map(|column| column.as_boolean());
    let row = |row: usize| {
        let customer = Customer {
            updated: micros("updatedOn", row),
            name: names.value(row)[1..].parse().unwrap(),
        };
        let to = micros("_valid_to", row);
        assert!(current.is_none_or(|current| current.value(row) == to.is_none()));
        let valid = micros("_valid_from", row).map(|from| (from, to));
        let key = (ids.value(row), micros("_extracted_at", row).unwrap());
        (key, Row { customer, deleted: micros("_deleted_at", row), valid })
    };
    (0..batch.num_rows()).map(row).collect()
}
