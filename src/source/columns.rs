//! From records to a batch: one Arrow builder a column.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;

use super::convert::{self, Converted};
use super::json::Value;
use crate::config::privacy::Privacy;
use crate::error::{Error, Result};
use crate::model::arrow::{Selection, schema};
use crate::model::{Field, Stream, Timestamp, Type, Zone};
use crate::secret::Hasher;

/// Rows in one batch at the most. Smaller batches are slower, larger ones are not faster.
pub(super) const MAX_BATCH_ROWS: usize = 8192;

/// Bytes of text that end a batch before its rows do, so that it is small even if its records are not.
pub(super) const MAX_BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Text of a column whose size is not known yet, in bytes a row.
const GUESSED_ROW_BYTES: usize = 8;

/// The columns of the batch that is being filled.
pub(crate) struct Columns {
    schema: SchemaRef,
    columns: Vec<Column>,
    extra: Option<TextColumn>,
    nulled: UInt64Builder,
    zone: Zone,
    rows: usize,
    /// Of text, `_extra` included.
    bytes: usize,
}

enum Column {
    Text(TextColumn),
    /// Text in place of which its hash goes on, with room for one.
    Hashed(TextColumn, Box<(Hasher, String)>),
    Integer(Int64Builder),
    Boolean(BooleanBuilder),
    Timestamp(TimestampMicrosecondBuilder),
}

/// A text column, and the most text a batch of it has held: what the next one reserves. A builder that
/// grows by itself reserves up to twice what it needs, and the spool has to count that.
struct TextColumn {
    builder: StringBuilder,
    most: usize,
}

impl TextColumn {
    fn new() -> Self {
        Self::reserving(MAX_BATCH_ROWS * GUESSED_ROW_BYTES)
    }

    fn reserving(most: usize) -> Self {
        Self { builder: StringBuilder::with_capacity(MAX_BATCH_ROWS, most), most }
    }

    fn finish(&mut self) -> ArrayRef {
        let most = self.most.max(self.builder.values_slice().len()).min(MAX_BATCH_BYTES);
        Arc::new(std::mem::replace(self, Self::reserving(most)).builder.finish())
    }
}

impl Columns {
    /// Empty columns for the selected fields. Nothing but the hash is ever kept of a field that is hashed.
    pub(crate) fn new(
        stream: &Stream,
        selection: &Selection,
        privacy: &Privacy,
        zone: Zone,
    ) -> Self {
        let column = |field: &Field| match field.kind {
            Type::Text => match privacy.hasher(field.name) {
                Some(hasher) => {
                    Column::Hashed(TextColumn::new(), Box::new((hasher, String::new())))
                }
                None => Column::Text(TextColumn::new()),
            },
            Type::Integer => Column::Integer(Int64Builder::with_capacity(MAX_BATCH_ROWS)),
            Type::Boolean => Column::Boolean(BooleanBuilder::with_capacity(MAX_BATCH_ROWS)),
            Type::Timestamp => Column::Timestamp(timestamps()),
        };
        Self {
            schema: schema(stream, selection),
            columns: selection.fields.iter().map(|&index| column(&stream.fields[index])).collect(),
            extra: selection.extra.then(TextColumn::new),
            nulled: UInt64Builder::with_capacity(MAX_BATCH_ROWS),
            zone,
            rows: 0,
            bytes: 0,
        }
    }

    /// Adds a value to a column. False if it is not of the column's type and became null.
    #[inline]
    pub(crate) fn push(&mut self, column: usize, value: Value<'_>, buffer: &mut String) -> bool {
        match &mut self.columns[column] {
            Column::Text(text) => match convert::text(value, buffer) {
                Converted::Valid(value) => {
                    self.bytes += value.len();
                    text.builder.append_value(value);
                }
                Converted::Null => text.builder.append_null(),
                Converted::Invalid => {
                    text.builder.append_null();
                    return false;
                }
            },
            Column::Hashed(text, hash) => match convert::text(value, buffer) {
                Converted::Valid(value) => {
                    let (hasher, digits) = &mut **hash;
                    digits.clear();
                    hasher.append_hash(value, digits);
                    self.bytes += digits.len();
                    text.builder.append_value(digits);
                }
                Converted::Null => text.builder.append_null(),
                Converted::Invalid => {
                    text.builder.append_null();
                    return false;
                }
            },
            Column::Integer(builder) => {
                let value = convert::integer(value);
                builder.append_option(value.valid());
                return value != Converted::Invalid;
            }
            Column::Boolean(builder) => {
                let value = convert::boolean(value);
                builder.append_option(value.valid());
                return value != Converted::Invalid;
            }
            Column::Timestamp(_) => {
                return self.push_timestamp(column, convert::timestamp(value, self.zone));
            }
        }
        true
    }

    /// Adds an integer that has been converted already.
    #[inline]
    pub(crate) fn push_integer(&mut self, column: usize, value: i64) {
        if let Column::Integer(builder) = &mut self.columns[column] {
            builder.append_value(value);
        }
    }

    /// Adds a timestamp that has been converted already.
    #[inline]
    pub(crate) fn push_timestamp(&mut self, column: usize, value: Converted<Timestamp>) -> bool {
        if let Column::Timestamp(builder) = &mut self.columns[column] {
            builder.append_option(value.valid().map(Timestamp::micros));
        }
        value != Converted::Invalid
    }

    /// Ends a row: its unknown fields as one JSON object, and which of its values became null.
    #[inline]
    pub(crate) fn end_row(&mut self, extra: Option<&str>, nulled: u64) {
        if let Some(column) = &mut self.extra {
            self.bytes += extra.map_or(0, str::len);
            column.builder.append_option(extra);
        }
        self.nulled.append_value(nulled);
        self.rows += 1;
    }

    /// True if the batch has enough rows, or enough text.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.rows >= MAX_BATCH_ROWS || self.bytes >= MAX_BATCH_BYTES
    }

    /// True if no row has been added since the last batch.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The rows so far as a batch; the columns are empty afterwards.
    ///
    /// # Errors
    /// `System`: the columns are not of one length, which is a fault of this program.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch> {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len() + 2);
        for column in &mut self.columns {
            arrays.push(match column {
                Column::Text(text) | Column::Hashed(text, _) => text.finish(),
                Column::Integer(builder) => Arc::new(builder.finish()),
                Column::Boolean(builder) => Arc::new(builder.finish()),
                Column::Timestamp(builder) => Arc::new(builder.finish()),
            });
        }
        arrays.extend(self.extra.as_mut().map(TextColumn::finish));
        arrays.push(Arc::new(self.nulled.finish()));
        self.rows = 0;
        self.bytes = 0;
        RecordBatch::try_new(self.schema.clone(), arrays)
            .map_err(|error| Error::bug("A batch could not be built").caused_by(error))
    }
}

fn timestamps() -> TimestampMicrosecondBuilder {
    TimestampMicrosecondBuilder::with_capacity(MAX_BATCH_ROWS).with_timezone("UTC")
}
