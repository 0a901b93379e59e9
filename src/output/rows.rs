//! From a batch to lines of JSON, one for each row: what protocols on stdout are made of.
//!
//! The rows are written from the typed arrays by hand, twice as fast as a general encoder; the tests
//! hold that its output is the same, byte for byte.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType, UInt64Type};
use arrow_array::{
    Array, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    UInt64Array,
};
use arrow_schema::DataType;

use crate::error::{Error, Result};
use crate::model::Timestamp;
use crate::model::arrow::NULLED;
use crate::model::escape::plain_prefix;
use crate::model::stream::EXTRA;

/// The columns of a batch, ready to be written row by row.
pub struct Rows<'a> {
    /// For each column how it begins, what it is written as where it is null, and its values.
    columns: Vec<(String, String, Column<'a>)>,
    nulled: &'a UInt64Array,
}

enum Column<'a> {
    Text(&'a StringArray),
    /// Text that is JSON already.
    Json(&'a StringArray),
    Integer(&'a Int64Array),
    Boolean(&'a BooleanArray),
    Timestamp(&'a TimestampMicrosecondArray),
}

impl<'a> Rows<'a> {
    /// The rows of a batch of the schema in [`crate::model::arrow::schema`].
    ///
    /// # Errors
    /// `System`: a column of another type, which is a fault of this program.
    pub fn of(batch: &'a RecordBatch) -> Result<Self> {
        let schema = batch.schema_ref();
        let mut columns = Vec::with_capacity(batch.num_columns());
        let mut nulled = None;
        for (field, array) in schema.fields().iter().zip(batch.columns()) {
            let column = match field.data_type() {
                DataType::UInt64 if field.name() == NULLED => {
                    nulled = array.as_primitive_opt::<UInt64Type>();
                    continue;
                }
                DataType::Utf8 if field.name() == EXTRA => Column::Json(array.as_string()),
                DataType::Utf8 => Column::Text(array.as_string()),
                DataType::Int64 => Column::Integer(array.as_primitive::<Int64Type>()),
                DataType::Boolean => Column::Boolean(array.as_boolean()),
                DataType::Timestamp(_, _) => {
                    Column::Timestamp(array.as_primitive::<TimestampMicrosecondType>())
                }
                other => return Err(unexpected(field.name(), other)),
            };
            let separator = if columns.is_empty() { '{' } else { ',' };
            let quote = if matches!(column, Column::Text(_)) { "\"" } else { "" };
            let name = format!("{separator}\"{}\":", field.name());
            columns.push((name.clone() + quote, name + "null", column));
        }
        let nulled = nulled.ok_or_else(|| unexpected(NULLED, &DataType::Null))?;
        Ok(Self { columns, nulled })
    }

    /// Which values of a row were invalid: one bit for each declared field.
    #[inline]
    pub fn nulled(&self, row: usize) -> u64 {
        self.nulled.value(row)
    }

    /// Adds a row as one JSON object.
    #[inline]
    pub fn write(&self, row: usize, line: &mut Vec<u8>) {
        for (name, null, column) in &self.columns {
            let name = name.as_bytes();
            match column {
                Column::Text(array) if array.is_valid(row) => {
                    line.extend_from_slice(name);
                    text(array.value(row), line);
                }
                Column::Json(array) if array.is_valid(row) => {
                    line.extend_from_slice(name);
                    line.extend_from_slice(array.value(row).as_bytes());
                }
                Column::Integer(array) if array.is_valid(row) => {
                    line.extend_from_slice(name);
                    integer(array.value(row), line);
                }
                Column::Boolean(array) if array.is_valid(row) => {
                    line.extend_from_slice(name);
                    line.extend_from_slice(if array.value(row) { b"true" } else { b"false" });
                }
                Column::Timestamp(array) if array.is_valid(row) => {
                    line.extend_from_slice(name);
                    timestamp(array.value(row), line);
                }
                _ => line.extend_from_slice(null.as_bytes()),
            }
        }
        line.push(b'}');
    }
}

fn unexpected(name: &str, kind: &DataType) -> Error {
    Error::bug(&format!("Column `{name}` of a batch is of type {kind}"))
}

/// A text and its closing quote.
#[inline]
fn text(text: &str, line: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    loop {
        let (plain, special) = rest.split_at(plain_prefix(rest));
        line.extend_from_slice(plain);
        let Some((&byte, after)) = special.split_first() else { break };
        escape(byte, line);
        rest = after;
    }
    line.push(b'"');
}

fn escape(byte: u8, line: &mut Vec<u8>) {
    const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        _ => {
            line.extend_from_slice(b"\\u00");
            line.push(HEXADECIMAL[usize::from(byte >> 4)]);
            line.push(HEXADECIMAL[usize::from(byte & 15)]);
            return;
        }
    };
    line.extend_from_slice(&[b'\\', short]);
}

#[inline]
fn integer(number: i64, line: &mut Vec<u8>) {
    line.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// RFC 3339 in UTC, as [`Timestamp`] shows it, without the machinery of formatting.
#[inline]
fn timestamp(micros: i64, line: &mut Vec<u8>) {
    let Some(timestamp) = Timestamp::from_micros(micros) else {
        line.extend_from_slice(b"null");
        return;
    };
    let civil = timestamp.civil();
    let digit = |number: u32| b'0' + (number % 10) as u8;
    let two = |number: u32| [digit(number / 10), digit(number)];
    let [year1, year2] = two(civil.year / 100);
    let [year3, year4] = two(civil.year % 100);
    let [month1, month2] = two(civil.month);
    let [day1, day2] = two(civil.day);
    let [hour1, hour2] = two(civil.hour);
    let [minute1, minute2] = two(civil.minute);
    let [second1, second2] = two(civil.second);
    let whole = [
        b'"', year1, year2, year3, year4, b'-', month1, month2, b'-', day1, day2, b'T', hour1,
        hour2, b':', minute1, minute2, b':', second1, second2, b'Z', b'"',
    ];
    if civil.micros == 0 {
        line.extend_from_slice(&whole);
        return;
    }
    let [micros1, micros2] = two(civil.micros / 10_000);
    let [micros3, micros4] = two(civil.micros / 100 % 100);
    let [micros5, micros6] = two(civil.micros % 100);
    line.extend_from_slice(&whole[..20]);
    line.extend_from_slice(&[b'.', micros1, micros2, micros3, micros4, micros5, micros6]);
    line.extend_from_slice(&whole[20..]);
}

#[cfg(test)]
mod tests;
