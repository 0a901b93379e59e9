//! When the rows of a table became what they are: extracted, or missing from a list.

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, PrimitiveArray, RecordBatch};
use arrow_schema::{Schema, SchemaRef};

use crate::error::{Error, Result};
use crate::model::Stream;
use crate::model::arrow::{DELETED_AT, EXTRACTED_AT, table_schema};

/// The columns of a batch that say when.
pub(super) struct Times<'b> {
    extracted: &'b PrimitiveArray<TimestampMicrosecondType>,
    deleted: &'b PrimitiveArray<TimestampMicrosecondType>,
}

impl<'b> Times<'b> {
    /// Of a batch that was read with these columns.
    ///
    /// # Errors
    /// `System`: it has others.
    pub(super) fn of(batch: &'b RecordBatch) -> Result<Self> {
        let column = |name| batch.column_by_name(name).and_then(|times| times.as_primitive_opt());
        match (column(EXTRACTED_AT), column(DELETED_AT)) {
            (Some(extracted), Some(deleted)) => Ok(Self { extracted, deleted }),
            _ => Err(Error::bug("Rows of a table were read without their times")),
        }
    }

    /// The columns alone.
    pub(super) fn schema(stream: &Stream) -> SchemaRef {
        let whole = table_schema(stream);
        let times = [EXTRACTED_AT, DELETED_AT].into_iter();
        let fields = times.filter_map(|name| whole.field_with_name(name).ok().cloned());
        SchemaRef::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// Whether a row is marked as deleted.
    pub(super) fn is_deleted(&self, row: usize) -> bool {
        self.deleted.is_valid(row)
    }

    /// When a row became what it is, in microseconds.
    pub(super) fn latest(&self, row: usize) -> i64 {
        let extracted = self.extracted.value(row);
        if self.is_deleted(row) { extracted.max(self.deleted.value(row)) } else { extracted }
    }
}
