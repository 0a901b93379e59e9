//! From a batch of the source to rows of a table.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, TimestampMicrosecondArray, new_null_array};
use arrow_schema::{Schema, SchemaRef};

use crate::error::{Error, Result};
use crate::model::Timestamp;
use crate::model::arrow::{DELETED_AT, EXTRACTED_AT, rows_schema};
use crate::plan::Plan;

/// The columns of a place that holds one reply, without the fields that are left out.
pub(super) fn schema(plan: &Plan) -> SchemaRef {
    let whole = rows_schema(plan.stream);
    let fields = whole.fields().iter().filter(|field| !plan.privacy.excludes(field.name()));
    Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()))
}

/// The rows of a batch in a schema that has its columns: without what only the product needs, with the time at
/// which they were extracted, and none of them deleted.
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
