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

#[cfg(test)]
mod tests {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Int64Type, TimestampMicrosecondType};
    use arrow_schema::TimeUnit;

    use super::*;

    const LAST_MICROSECOND: &str = "9999-12-31T23:59:59.999999";

    fn both(kind: DataType, bounds: Bounds) -> Option<(ArrayRef, ArrayRef)> {
        let field = Field::new("x", kind, true);
        let column = Column { name: "x".into(), nulls: 0, bounds: Some(bounds) };
        let of = |is_greatest| bound(&field, &column, is_greatest);
        let ((field, least), (_, most)) = (of(false)?, of(true)?);
        assert_eq!(field.data_type(), least.data_type());
        Some((least, most))
    }

    #[test]
    fn times_are_rounded_so_that_they_stay_bounds() {
        for (micros, least, greatest) in [
            (0, 0, 0),
            (1, 0, 1000),
            (999, 0, 1000),
            (1000, 1000, 1000),
            (1001, 1000, 2000),
            (-1, -1000, 0),
            (-1000, -1000, -1000),
            (-1001, -2000, -1000),
        ] {
            assert_eq!(in_milliseconds(micros, false), Some(least), "{micros}");
            assert_eq!(in_milliseconds(micros, true), Some(greatest), "{micros}");
        }
    }

    #[test]
    fn a_time_that_is_rounded_into_the_year_10000_is_no_bound() {
        let last = crate::model::Zone::UTC.parse(LAST_MICROSECOND).map(Timestamp::micros).unwrap();
        assert_eq!(in_milliseconds(last, true), None);
        assert_eq!(in_milliseconds(last, false), Some(last - 999));
        assert_eq!(in_milliseconds(last - 999, true), Some(last - 999));
        assert_eq!(in_milliseconds(i64::MAX, true), None);
    }

    #[test]
    fn bounds_have_the_type_of_their_column() {
        let (least, most) = both(DataType::Int64, Bounds::Integer(3, 7)).unwrap();
        let number = |array: &ArrayRef| array.as_primitive::<Int64Type>().value(0);
        assert_eq!((number(&least), number(&most)), (3, 7));
        let (least, most) = both(DataType::Utf8, Bounds::Text("a".into(), "z".into())).unwrap();
        let text = |array: &ArrayRef| array.as_string::<i32>().value(0).to_owned();
        assert_eq!((text(&least), text(&most)), ("a".to_owned(), "z".to_owned()));
        let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let (least, most) = both(time, Bounds::Integer(1, 1001)).unwrap();
        let micros = |array: &ArrayRef| array.as_primitive::<TimestampMicrosecondType>().value(0);
        assert_eq!((micros(&least), micros(&most)), (0, 2000));
        assert!(both(DataType::Boolean, Bounds::Integer(0, 1)).is_none());
        // Statistics of another type than the column's say nothing of it.
        let (least, _) = both(DataType::Int64, Bounds::Text("a".into(), "b".into())).unwrap();
        assert!(least.is_null(0));
    }
}
