//! One Arrow stream of all companies: `company` first, and a company's rows once its reply is proved.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow_schema::{Schema, SchemaRef};
use chrono::Utc;

use super::name::Name;
use crate::error::{Error, Result};
use crate::export::Exported;
use crate::export::report::{Kind, Report, run_name};
use crate::export::rows::{schema, table_rows};
use crate::export::stream::Output;
use crate::model::arrow::{company_field, rows_schema};
use crate::model::{Stream, Timestamp};
use crate::plan::Plan;
use crate::sink::{Reply, Sink};

/// The stream of all companies. One that is dropped before [`finish`](Self::finish) is broken off, so that no reader
/// takes it for whole.
pub struct Streamed<W: Write> {
    output: Mutex<Option<Output<W>>>,
    own: SchemaRef,
    schema: SchemaRef,
}

/// The part of one company in it.
pub(super) struct Own<'a, W: Write> {
    streamed: &'a Streamed<W>,
    name: &'a Name,
    /// Records without a valid key that are allowed; they have no place in a stream.
    allowed: u64,
    report: Option<Report>,
}

impl<W: Write> Streamed<W> {
    /// Begins the stream: writes its schema.
    ///
    /// # Errors
    /// `System`: it cannot be written.
    pub fn begin(writer: W, stream: &Stream) -> Result<Self> {
        let own = rows_schema(stream);
        let company = Arc::new(company_field());
        let fields = [company].into_iter().chain(own.fields().iter().cloned());
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let output = Output::new(writer, &schema)?;
        Ok(Self { output: Mutex::new(Some(output)), own, schema })
    }

    pub(super) fn of<'a>(&'a self, name: &'a Name, max_rejects: Option<u64>) -> Own<'a, W> {
        Own { streamed: self, name, allowed: max_rejects.unwrap_or(0), report: None }
    }

    /// Writes the end mark.
    ///
    /// # Errors
    /// `System`: it cannot be written, or was broken off before.
    pub fn finish(self) -> Result<()> {
        match self.output.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(output) => output.finish().map(|_| ()),
            None => Err(broken_off()),
        }
    }
}

fn broken_off() -> Error {
    Error::system(
        "The Arrow stream was broken off, since the rows of a company could not be written to their end. Run again.",
    )
    .of_machine()
}

impl<W: Write> Exported for Own<'_, W> {
    fn place(&self) -> String {
        "standard output".to_owned()
    }

    fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }
}

impl<W: Write> Sink for Own<'_, W> {
    fn take(&mut self, plan: &Plan, reply: &mut dyn Reply) -> Result<()> {
        let receipt = reply.receipt();
        let run = run_name(Timestamp::from(Utc::now()));
        let mut report = Report::of(self.place(), Kind::Stream, &run, receipt);
        if report.rejects > self.allowed {
            // None of its rows goes out, so its failure leaves the stream whole.
            while reply.next_batch()?.is_some() {}
            return reply.finish().map(|_| ());
        }
        let mut output = self.streamed.output.lock().unwrap_or_else(PoisonError::into_inner);
        // Where rows of a company are missing behind others of it, the stream has no end any more.
        let mut taken = output.take().ok_or_else(broken_off)?;
        let told = schema(plan);
        while let Some(batch) = reply.next_batch()? {
            let rows = table_rows(&batch, &told, report.extracted_at)?;
            let count = rows.num_rows();
            let names = StringArray::from_iter_values((0..count).map(|_| self.name.as_str()));
            let company: ArrayRef = Arc::new(names);
            // What this company leaves out is null: others have it.
            let own = self.streamed.own.fields().iter().map(|field| {
                let column = rows.column_by_name(field.name()).cloned();
                column.unwrap_or_else(|| new_null_array(field.data_type(), count))
            });
            let columns = [company].into_iter().chain(own).collect();
            let rows =
                RecordBatch::try_new(self.streamed.schema.clone(), columns).map_err(|error| {
                    Error::bug("A batch is not of the stream's form").caused_by(error)
                })?;
            report.bytes += rows.get_array_memory_size() as u64;
            taken.write(&rows)?;
        }
        let checkpoint = reply.finish()?;
        *output = Some(taken);
        report.cursor = checkpoint.state().cursor;
        self.report = Some(report);
        Ok(())
    }
}
