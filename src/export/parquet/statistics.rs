//! What a file's footer says of its columns, for a table's log.

use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::{Statistics, ValueStatistics};

/// The smallest and the greatest value of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::export) enum Bounds {
    /// Of whole numbers, and of timestamps in microseconds.
    Integer(i64, i64),
    /// Of texts; a long one is cut, upwards where it is the greatest.
    Text(String, String),
}

/// What is known of one column of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::export) struct Column {
    /// Its name.
    pub(in crate::export) name: String,
    /// Rows in which it is null.
    pub(in crate::export) nulls: u64,
    /// `None` if every row is null, or if its type has none.
    pub(in crate::export) bounds: Option<Bounds>,
}

/// What is known of every column of a file, in the order of the columns.
pub(super) fn columns(metadata: &ParquetMetaData) -> Vec<Column> {
    let columns = metadata.file_metadata().schema_descr().num_columns();
    (0..columns).map(|column| of_column(metadata, column)).collect()
}

fn of_column(metadata: &ParquetMetaData, column: usize) -> Column {
    let name = metadata.file_metadata().schema_descr().column(column).name().to_owned();
    let mut whole = Column { name, nulls: 0, bounds: None };
    for group in metadata.row_groups() {
        let Some(statistics) = group.column(column).statistics() else { continue };
        whole.nulls += statistics.null_count_opt().unwrap_or_default();
        whole.bounds = wider(whole.bounds, bounds(statistics));
    }
    whole
}

fn bounds(statistics: &Statistics) -> Option<Bounds> {
    fn both<T>(statistics: &ValueStatistics<T>) -> Option<(&T, &T)> {
        Some((statistics.min_opt()?, statistics.max_opt()?))
    }
    match statistics {
        Statistics::Int64(values) => both(values).map(|(min, max)| Bounds::Integer(*min, *max)),
        Statistics::ByteArray(values) => {
            let (min, max) = both(values)?;
            Some(Bounds::Text(min.as_utf8().ok()?.to_owned(), max.as_utf8().ok()?.to_owned()))
        }
        _ => None,
    }
}

fn wider(one: Option<Bounds>, other: Option<Bounds>) -> Option<Bounds> {
    match (one, other) {
        (Some(Bounds::Integer(min, max)), Some(Bounds::Integer(least, most))) => {
            Some(Bounds::Integer(min.min(least), max.max(most)))
        }
        (Some(Bounds::Text(min, max)), Some(Bounds::Text(least, most))) => {
            Some(Bounds::Text(min.min(least), max.max(most)))
        }
        (one, other) => one.or(other),
    }
}
