//! From a batch of the source to rows of a table.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::SchemaRef;

use crate::error::{Error, Result};
use crate::model::Timestamp;

/// The rows of a batch in the schema of [`crate::model::arrow::table_schema`]: without what only the
/// product needs, and with the time at which they were extracted.
pub(super) fn table_rows(
    batch: &RecordBatch,
    schema: &SchemaRef,
    extracted_at: Timestamp,
) -> Result<RecordBatch> {
    let times = TimestampMicrosecondArray::from_value(extracted_at.micros(), batch.num_rows());
    let times: ArrayRef = Arc::new(times.with_timezone("UTC"));
    let own = schema.fields().len() - 1;
    let columns = batch.columns().iter().take(own).cloned().chain([times]).collect();
    RecordBatch::try_new(schema.clone(), columns)
        .map_err(|error| Error::bug("A batch is not of the table's form").caused_by(error))
}
