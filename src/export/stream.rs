//! An Arrow IPC stream on stdout: for DuckDB, Polars, pandas, Spark and whatever else reads Arrow. It
//! keeps no state.

use std::io::{BufWriter, ErrorKind, Write};

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;

use super::report::{Report, run_name};
use super::rows::table_rows;
use crate::error::{Error, Result};
use crate::model::Timestamp;
use crate::model::arrow::table_schema;
use crate::plan::Plan;
use crate::receipt::Receipt;
use crate::sink::{Outcome, Sink, Writer};
use crate::state::Checkpoint;

/// The beginning of a message of 256 bytes (Arrow's "Encapsulated message format").
const BROKEN_OFF: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 1, 0, 0];

/// Bytes that are written together.
const BLOCK: usize = 128 * 1024;

/// Writes an Arrow IPC stream.
pub struct ArrowStream<W> {
    writer: W,
    run: String,
    report: Option<Report>,
}

impl<W: Write> ArrowStream<W> {
    /// Writes to `writer`.
    pub fn new(writer: W, now: Timestamp) -> Self {
        Self { writer, run: run_name(now), report: None }
    }

    /// What the export did, once it is done.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }
}

impl<W: Write> Sink for ArrowStream<W> {
    type Writer<'s>
        = BatchWriter<'s, W>
    where
        Self: 's;

    fn open(&mut self, _: &Plan) -> Result<BatchWriter<'_, W>> {
        Ok(BatchWriter {
            run: &self.run,
            report: &mut self.report,
            open: Open::Not(&mut self.writer),
        })
    }

    /// The writer has broken the stream off when it was dropped.
    fn fail(&mut self, _: &str, _: &Error) -> Result<()> {
        Ok(())
    }
}

/// Takes the rows of a reply.
pub struct BatchWriter<'s, W: Write> {
    run: &'s str,
    report: &'s mut Option<Report>,
    open: Open<'s, W>,
}

/// The schema is the first thing written, once the reply is proved.
enum Open<'s, W: Write> {
    Not(&'s mut W),
    Yes { stream: Box<StreamWriter<BufWriter<Counted<&'s mut W>>>>, receipt: Box<Receipt> },
    Done,
}

/// Counts the bytes that go through.
struct Counted<W> {
    writer: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.writer.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}

/// A stream that is given up must not look like one that has ended, which it would: its end mark may be left
/// out. So a message is promised that never comes.
impl<W: Write> Drop for BatchWriter<'_, W> {
    fn drop(&mut self) {
        if let Open::Yes { stream, .. } = &mut self.open {
            // Where stdout is gone there is nobody to tell.
            let output = stream.get_mut();
            let _ = output.write_all(&BROKEN_OFF).and_then(|()| output.flush());
        }
    }
}

impl<W: Write> Writer for BatchWriter<'_, W> {
    const SHOWS_ROWS_AT_ONCE: bool = true;

    fn begin(&mut self, receipt: &Receipt) -> Result<()> {
        let Open::Not(writer) = std::mem::replace(&mut self.open, Open::Done) else {
            return Err(out_of_order());
        };
        let counted = Counted { writer, bytes: 0 };
        let schema = table_schema(receipt.stream);
        let stream = StreamWriter::try_new(BufWriter::with_capacity(BLOCK, counted), &schema)
            .map_err(|error| explain(&error))?;
        let receipt = Box::new(receipt.clone());
        self.open = Open::Yes { stream: Box::new(stream), receipt };
        Ok(())
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let Open::Yes { stream, receipt } = &mut self.open else { return Err(out_of_order()) };
        let schema = table_schema(receipt.stream);
        let rows = table_rows(batch, &schema, receipt.extracted_at)?;
        stream.write(&rows).map_err(|error| explain(&error))
    }

    fn commit(&mut self, proof: Checkpoint) -> Result<Outcome> {
        let Open::Yes { mut stream, receipt } = std::mem::replace(&mut self.open, Open::Done)
        else {
            return Err(out_of_order());
        };
        stream
            .finish()
            .and_then(|()| stream.get_mut().flush().map_err(ArrowError::from))
            .map_err(|error| explain(&error))?;
        *self.report = Some(Report {
            run: self.run.to_owned(),
            received: receipt.rows,
            rows: receipt.rows,
            unchanged: 0,
            rejects: receipt.rejected,
            rejects_to: None,
            not_returned: None,
            bytes: stream.get_ref().get_ref().bytes,
            files: 0,
            version: None,
            committed: true,
            cursor: proof.state().cursor,
            extracted_at: receipt.extracted_at,
            table_rows: None,
        });
        Ok(Outcome::Done)
    }
}

fn explain(error: &ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, cause) if cause.kind() == ErrorKind::BrokenPipe => {
            Error::output_closed()
        }
        error => Error::system(format!(
            "stdout could not be written: {error}. Check what it goes to, and run again."
        )),
    }
}

fn out_of_order() -> Error {
    Error::system("A stream was written out of order, which is a fault of this program: report it.")
}
