//! A reply in which fields are left out, as a table takes rows: with every column, null where a field is not.

use std::io::Read;

use arrow_array::{RecordBatch, new_null_array};
use arrow_schema::SchemaRef;

use crate::error::{Error, Result};
use crate::model::arrow::{Selection, schema};
use crate::plan::Plan;
use crate::receipt::Receipt;
use crate::sink::{Answer, Reply};
use crate::state::Checkpoint;

/// Gives the batches of a reply every column of its stream.
pub(super) struct Filled<'r> {
    reply: &'r mut dyn Reply,
    schema: SchemaRef,
}

impl<'r> Filled<'r> {
    pub(super) fn new(plan: &Plan, reply: &'r mut dyn Reply) -> Self {
        Self { reply, schema: schema(plan.stream, &Selection::all(plan.stream)) }
    }
}

/// A batch of a reply to a plan with every column of its stream.
///
/// # Errors
/// `System`: a fault of this program.
pub(super) fn fill(plan: &Plan, batch: RecordBatch) -> Result<RecordBatch> {
    filled(&schema(plan.stream, &Selection::all(plan.stream)), batch)
}

fn filled(schema: &SchemaRef, batch: RecordBatch) -> Result<RecordBatch> {
    if batch.num_columns() == schema.fields().len() {
        return Ok(batch);
    }
    let columns = schema.fields().iter().map(|field| {
        let column = batch.column_by_name(field.name()).cloned();
        column.unwrap_or_else(|| new_null_array(field.data_type(), batch.num_rows()))
    });
    RecordBatch::try_new(schema.clone(), columns.collect())
        .map_err(|error| Error::bug("A batch could not be filled").caused_by(error))
}

impl Reply for Filled<'_> {
    fn receipt(&self) -> &Receipt {
        self.reply.receipt()
    }

    fn rejects(&mut self) -> Result<Box<dyn Read + '_>> {
        self.reply.rejects()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        self.reply.next_batch()?.map(|batch| filled(&self.schema, batch)).transpose()
    }

    fn finish(&mut self) -> Result<Checkpoint> {
        self.reply.finish()
    }

    fn ask(&mut self, key: i64) -> Answer {
        self.reply.ask(key)
    }

    fn resume(&mut self) -> Result<()> {
        self.reply.resume()
    }

    fn rewind(&mut self) -> Result<()> {
        self.reply.rewind()
    }
}
