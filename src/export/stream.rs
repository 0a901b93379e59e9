//! An Arrow IPC stream on stdout: for DuckDB, Polars, pandas, Spark and whatever else reads Arrow. It
//! keeps no state.

use std::io::{BufWriter, ErrorKind, Write};

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, SchemaRef};

use super::Exported;
use super::report::{Kind, Report, run_name};
use super::rows::{schema, table_rows};
use crate::error::{Error, Result};
use crate::model::Timestamp;
use crate::plan::Plan;
use crate::sink::{Reply, Sink};

/// The beginning of a message of 256 bytes (Arrow's "Encapsulated message format").
const BROKEN_OFF: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 1, 0, 0];

/// Bytes that are written together.
const BLOCK_BYTES: usize = 128 * 1024;

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
}

impl<W: Write> Exported for ArrowStream<W> {
    fn place(&self) -> String {
        "standard output".to_owned()
    }

    fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }
}

impl<W: Write> Sink for ArrowStream<W> {
    fn take(&mut self, plan: &Plan, reply: &mut dyn Reply) -> Result<()> {
        let mut report = Report::of(self.place(), Kind::Stream, &self.run, reply.receipt());
        let schema = schema(plan);
        let mut output = Output::new(&mut self.writer, &schema)?;
        while let Some(batch) = reply.next_batch()? {
            output.write(&table_rows(&batch, &schema, report.extracted_at)?)?;
        }
        let checkpoint = reply.finish()?;
        report.bytes = output.finish()?;
        report.cursor = checkpoint.state().cursor;
        self.report = Some(report);
        Ok(())
    }
}

/// An Arrow stream that has begun. One that is dropped before its end is broken off: it must not look like
/// one that has ended, which it would, since the end mark may be left out. So a message is promised that never comes.
pub(super) struct Output<W: Write> {
    stream: StreamWriter<BufWriter<Counted<W>>>,
    is_finished: bool,
}

impl<W: Write> Output<W> {
    /// Writes the schema.
    pub(super) fn new(writer: W, schema: &SchemaRef) -> Result<Self> {
        let writer = BufWriter::with_capacity(BLOCK_BYTES, Counted { writer, bytes: 0 });
        let stream = StreamWriter::try_new(writer, schema).map_err(|error| explain(&error))?;
        Ok(Self { stream, is_finished: false })
    }

    pub(super) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.stream.write(rows).map_err(|error| explain(&error))
    }

    /// Writes the end mark, and gives the bytes of all of it.
    pub(super) fn finish(mut self) -> Result<u64> {
        self.is_finished = true;
        self.stream
            .finish()
            .and_then(|()| self.stream.get_mut().flush().map_err(ArrowError::from))
            .map_err(|error| explain(&error))?;
        Ok(self.stream.get_ref().get_ref().bytes)
    }
}

impl<W: Write> Drop for Output<W> {
    fn drop(&mut self) {
        if !self.is_finished {
            let output = self.stream.get_mut();
            // Where stdout is gone there is no reader to mislead.
            let _ = output.write_all(&BROKEN_OFF).and_then(|()| output.flush());
        }
    }
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

fn explain(error: &ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, cause) if cause.kind() == ErrorKind::BrokenPipe => {
            Error::output_closed()
        }
        error => Error::system(format!(
            "stdout could not be written: {error}. Check what it goes to, and run again."
        ))
        .of_machine(),
    }
}
