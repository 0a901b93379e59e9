//! A file as the log notes it: where it is, how large, and the statistics of its columns.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Int64Array, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Fields, Schema};
use chrono::Utc;
use delta_kernel::transaction::BoundWriteContext;
use delta_kernel::{EngineData, FileMeta, KernelError};
use delta_kernel_default_engine::build_add_file_metadata;
use delta_kernel_default_engine::parquet::DataFileMetadata;
use url::Url;

use crate::export::parquet::{Bounds, Column, Written};
use crate::model::Timestamp;

/// A millisecond in microseconds.
const MILLISECOND: i64 = 1000;

/// The action that adds a file of these columns, in this folder, to a table.
pub(super) fn add(
    file: &Written,
    folder: &Url,
    columns: &Schema,
    context: &BoundWriteContext,
) -> Result<Box<dyn EngineData>, KernelError> {
    let name = file.path.filename().unwrap_or_default();
    let meta = FileMeta::new(folder.join(name)?, Utc::now().timestamp_millis(), file.bytes);
    build_add_file_metadata(DataFileMetadata::new(meta, statistics(file, columns)?), context)
}

/// Per-file statistics (Delta protocol, "Per-file Statistics").
fn statistics(file: &Written, schema: &Schema) -> Result<StructArray, KernelError> {
    let columns = file.columns.iter();
    let columns =
        columns.filter_map(|column| Some((schema.field_with_name(&column.name).ok()?, column)));
    let columns: Vec<_> = columns.collect();
    let nulls = columns.iter().map(|(field, column)| {
        (named(field, DataType::Int64), integer(i64::try_from(column.nulls).ok()))
    });
    let least = columns.iter().filter_map(|(field, column)| bound(field, column, false));
    let most = columns.iter().filter_map(|(field, column)| bound(field, column, true));
    Ok(group(
        [
            ("numRecords", integer(i64::try_from(file.rows).ok())),
            ("nullCount", group_of(nulls)),
            ("minValues", group_of(least)),
            ("maxValues", group_of(most)),
            ("tightBounds", Arc::new(BooleanArray::from(vec![true])) as ArrayRef),
        ]
        .map(|(name, value)| (Arc::new(Field::new(name, value.data_type().clone(), true)), value)),
    ))
}

type Member = (Arc<Field>, ArrayRef);

fn named(field: &Field, kind: DataType) -> Arc<Field> {
    Arc::new(Field::new(field.name(), kind, true))
}

fn group(members: impl IntoIterator<Item = Member>) -> StructArray {
    let (fields, values): (Vec<_>, Vec<_>) = members.into_iter().unzip();
    StructArray::new(Fields::from(fields), values, None)
}

fn group_of(members: impl IntoIterator<Item = Member>) -> ArrayRef {
    Arc::new(group(members))
}

fn integer(value: Option<i64>) -> ArrayRef {
    Arc::new(Int64Array::from(vec![value]))
}

/// A bound of times as the log writes it: in whole milliseconds, rounded so that it stays a bound. `None` if
/// the rounded time has no year of four digits, which many readers need to read the table at all.
fn in_milliseconds(micros: i64, is_greatest: bool) -> Option<i64> {
    let up = if is_greatest { MILLISECOND - 1 } else { 0 };
    let rounded = micros.checked_add(up)?.div_euclid(MILLISECOND) * MILLISECOND;
    Timestamp::from_micros(rounded).map(|_| rounded)
}

/// The smallest or the greatest value of a column; `None` if its type has none.
fn bound(field: &Field, column: &Column, is_greatest: bool) -> Option<Member> {
    let number = match &column.bounds {
        Some(Bounds::Integer(least, most)) => Some(if is_greatest { *most } else { *least }),
        _ => None,
    };
    let text = match &column.bounds {
        Some(Bounds::Text(least, most)) => Some(if is_greatest { most } else { least }),
        _ => None,
    };
    let value: ArrayRef = match field.data_type() {
        DataType::Int64 => integer(number),
        DataType::Utf8 => Arc::new(StringArray::from(vec![text.map(String::as_str)])),
        DataType::Timestamp(_, _) => {
            let number = number.and_then(|micros| in_milliseconds(micros, is_greatest));
            Arc::new(TimestampMicrosecondArray::from(vec![number]).with_timezone("UTC"))
        }
        _ => return None,
    };
    Some((named(field, field.data_type().clone()), value))
}
