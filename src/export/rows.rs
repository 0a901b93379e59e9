//! From a batch of the source to rows of a table.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, TimestampMicrosecondArray, new_null_array};
use arrow_schema::SchemaRef;

use crate::error::{Error, Result};
use crate::model::Timestamp;
use crate::model::arrow::{DELETED_AT, EXTRACTED_AT};

/// The rows of a batch in a schema of [`crate::model::arrow::rows_schema`] or
/// [`crate::model::arrow::table_schema`]: without what only the product needs, with the time at which they
/// were extracted, and none of them deleted.
pub(super) fn table_rows(
    batch: &RecordBatch,
    schema: &SchemaRef,
    extracted_at: Timestamp,
) -> Result<RecordBatch> {
    let rows = batch.num_rows();
    let columns = schema.fields().iter().enumerate().map(|(position, field)| {
        match field.name().as_str() {
            EXTRACTED_AT => times(extracted_at, rows),
            DELETED_AT => new_null_array(field.data_type(), rows),
            // The batch has the declared fields first, in the same order.
            _ => batch.column(position).clone(),
        }
    });
    RecordBatch::try_new(schema.clone(), columns.collect())
        .map_err(|error| Error::bug("A batch is not of the table's form").caused_by(error))
}

/// A column of this many rows with the same time.
pub(super) fn times(time: Timestamp, rows: usize) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_value(time.micros(), rows).with_timezone("UTC"))
}
