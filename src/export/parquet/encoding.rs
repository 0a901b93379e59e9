//! How each column is encoded, and what the footer says.

use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::error::{Error, Result};
use crate::model::Stream;

/// Bytes of a text in statistics. Longer ones are cut, upwards where they are a maximum.
const STATISTICS_BYTES: usize = 32;

/// The zstd level: higher ones are slower and hardly smaller here.
const ZSTD_LEVEL: i32 = 1;

/// How many times a value has to return, on average, for a dictionary to pay.
const MIN_REPEATS_FOR_DICTIONARY: usize = 4;

/// The version of what the footer and the columns mean. Another one is another major version.
const SCHEMA_VERSION: &str = "1";

/// The properties of a file whose first rows are `sample`, with these entries in its footer beside the
/// product's own.
pub(super) fn properties(
    stream: &Stream,
    sample: &RecordBatch,
    entries: &[(&str, String)],
) -> Result<WriterProperties> {
    let level = ZstdLevel::try_new(ZSTD_LEVEL)
        .map_err(|error| Error::bug("A Parquet file cannot be set up").caused_by(error))?;
    let own = [
        ("kometsales.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("kometsales.schema_version", SCHEMA_VERSION.to_owned()),
        ("kometsales.stream", stream.name.to_owned()),
    ];
    let footer = own.iter().chain(entries);
    let footer = footer.map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone()));
    let key = sample.schema_ref().index_of(stream.key().name).unwrap_or_default();
    let key = i32::try_from(key).unwrap_or_default();
    let mut builder = WriterProperties::builder()
        .set_created_by(concat!("kometsales ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::ZSTD(level))
        // Every reader reads PLAIN and dictionaries. DELTA_LENGTH_BYTE_ARRAY is refused by Spark 3.3, pyarrow 11
        // and fastparquet, and fastparquet reads DELTA_BINARY_PACKED wrongly, or crashes.
        .set_encoding(Encoding::PLAIN)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_statistics_truncate_length(Some(STATISTICS_BYTES))
        .set_column_index_truncate_length(Some(STATISTICS_BYTES))
        .set_max_row_group_row_count(None)
        .set_sorting_columns(Some(vec![SortingColumn {
            column_idx: key,
            descending: false,
            nulls_first: false,
        }]))
        .set_key_value_metadata(Some(footer.collect()));
    for (field, column) in sample.schema_ref().fields().iter().zip(sample.columns()) {
        if repeats(column) {
            let path = ColumnPath::from(field.name().as_str());
            builder = builder.set_column_dictionary_enabled(path, true);
        }
    }
    Ok(builder.build())
}

/// Whether the same values return so often that a dictionary of them is smaller.
fn repeats(column: &dyn Array) -> bool {
    let most = (column.len() - column.null_count()) / MIN_REPEATS_FOR_DICTIONARY;
    fn few<T: Eq + std::hash::Hash>(values: impl Iterator<Item = T>, most: usize) -> bool {
        let mut seen = HashSet::new();
        values.into_iter().all(|value| !seen.insert(value) || seen.len() <= most)
    }
    match column.data_type() {
        DataType::Utf8 => few(column.as_string::<i32>().iter().flatten(), most),
        DataType::Int64 => few(column.as_primitive::<Int64Type>().iter().flatten(), most),
        DataType::Timestamp(_, _) => {
            few(column.as_primitive::<TimestampMicrosecondType>().iter().flatten(), most)
        }
        _ => false,
    }
}

/// The error of what the writer refuses, which is a fault of ours.
pub(super) fn fault(error: ParquetError) -> Error {
    Error::bug("A Parquet file could not be made").caused_by(error)
}
