//! Airbyte messages on stdout.

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow_array::RecordBatch;
use chrono::Utc;
use serde_json::{Value, json};

use super::message::{self, Status};
use crate::error::{Error, Result};
use crate::log::{Level, Log, escaped};
use crate::model::arrow::EXTRA_NULLED;
use crate::model::stream::EXTRA;
use crate::model::{Stream, Timestamp};
use crate::output::blocks::Block;
use crate::output::rows::Lines;
use crate::plan::Plan;
use crate::secret::{Redactor, Token};
use crate::sink::{Reply, Sink};

/// Writes messages, one a line. Records are gathered into blocks; every other message is written at
/// once, behind the records before it.
pub struct Console<W> {
    output: Mutex<Block<W>>,
    level: Level,
    secrets: Redactor,
}

impl<W: Write + Send> Console<W> {
    /// Writes to `writer`; log messages below `level` are left out.
    pub fn new(writer: W, level: Level) -> Self {
        Self { output: Mutex::new(Block::new(writer)), level, secrets: Redactor::default() }
    }

    /// From now on the token is cut out of every text for people: a second wall, should one from outside
    /// hold it.
    pub fn hide(&self, token: &Token) {
        self.secrets.hide(token);
    }

    /// Writes a message.
    ///
    /// # Errors
    /// `System`: stdout cannot be written.
    pub fn say(&self, message: &Value) -> Result<()> {
        self.output().say(&message.to_string())
    }

    /// A text for people, without the token.
    fn redacted(&self, text: &str) -> String {
        self.secrets.redact(&escaped(text))
    }

    /// Says whether a configuration works, or why not.
    ///
    /// # Errors
    /// `System`: stdout cannot be written.
    pub fn connection_status(&self, failure: Option<&Error>) -> Result<()> {
        let failure = failure.map(|error| self.redacted(&error.to_string()));
        self.say(&message::connection_status(failure))
    }

    /// Says how far the read of a stream is.
    ///
    /// # Errors
    /// `System`: stdout cannot be written.
    pub fn status(&self, stream: &str, status: Status) -> Result<()> {
        self.say(&message::stream_status(stream, status, now()))
    }

    /// Says why a run failed, and of which stream.
    ///
    /// # Errors
    /// `System`: stdout cannot be written.
    pub fn error(&self, error: &Error, stream: Option<&str>) -> Result<()> {
        let text = self.redacted(&error.to_string());
        let shown =
            |causes: String| causes.lines().map(|cause| self.redacted(cause)).collect::<Vec<_>>();
        let causes = error.causes().map(|causes| shown(causes).join("\n"));
        self.say(&message::error(error.kind(), text, causes, stream, now()))
    }

    /// True if stdout could not be written: what it should have said has to be said elsewhere.
    pub fn is_lost(&self) -> bool {
        self.output().is_lost()
    }

    fn output(&self) -> MutexGuard<'_, Block<W>> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> Timestamp {
    Timestamp::from(Utc::now())
}

impl<W: Write + Send> Log for Console<W> {
    fn log(&self, level: Level, text: &str) {
        if level >= self.level {
            // Where stdout is gone, the next record or state says so.
            let _ = self.say(&message::log(level, &self.redacted(text)));
        }
    }
}

impl<W: Write + Send> Sink for &Console<W> {
    fn begin(&mut self, plan: &Plan) -> Result<()> {
        self.status(plan.stream.name, Status::Started)
    }

    fn take(&mut self, plan: &Plan, reply: &mut dyn Reply) -> Result<()> {
        let (stream, rows) = (plan.stream, reply.receipt().rows);
        let records = Records::new(plan, reply.receipt().extracted_at);
        self.status(stream.name, Status::Running)?;
        self.say(&message::estimate(stream, rows, now()))?;
        while let Some(batch) = reply.next_batch()? {
            records.write(&batch, &mut self.output())?;
        }
        let checkpoint = reply.finish()?;
        self.output().flush()?;
        self.say(&message::state(&checkpoint))?;
        self.status(stream.name, Status::Complete)
    }

    fn fail(&mut self, stream: &str, error: &Error) -> Result<()> {
        self.status(stream, Status::Incomplete)?;
        self.error(error, Some(stream))
    }
}

/// The records of a stream: `AirbyteRecordMessage`.
struct Records {
    stream: &'static Stream,
    lines: Lines,
}

/// What ends a record.
const END: &str = "}}\n";

impl Records {
    fn new(plan: &Plan, extracted_at: Timestamp) -> Self {
        let name = json!(plan.stream.name);
        let prefix = format!(r#"{{"type":"RECORD","record":{{"stream":{name},"data":"#);
        let suffix = format!(r#","emitted_at":{}"#, extracted_at.millis());
        let lines = Lines::new(plan.stream, &plan.selection, &prefix, &(suffix + END));
        Self { stream: plan.stream, lines }
    }

    fn write<W: Write>(&self, batch: &RecordBatch, output: &mut Block<W>) -> Result<()> {
        let rows = self.lines.rows(batch)?;
        for row in 0..batch.num_rows() {
            let lines = output.lines();
            rows.write(row, lines)?;
            let nulled = rows.nulled(row);
            if nulled != 0 {
                lines.truncate(lines.len() - END.len());
                changes(self.stream, nulled, lines);
                lines.extend_from_slice(END.as_bytes());
            }
            output.line_ended()?;
        }
        Ok(())
    }
}

/// `AirbyteRecordMessageMeta`: the values that were invalid and became null.
fn changes(stream: &Stream, nulled: u64, line: &mut Vec<u8>) {
    let changes: Vec<_> = stream
        .fields
        .iter()
        .enumerate()
        .filter(|(index, _)| nulled >> index & 1 == 1)
        .map(|(_, field)| field.name)
        .chain((nulled & EXTRA_NULLED != 0).then_some(EXTRA))
        .map(|name| {
            json!({"field": name, "change": "NULLED", "reason": "SOURCE_SERIALIZATION_ERROR"})
        })
        .collect();
    line.extend_from_slice(br#","meta":"#);
    line.extend_from_slice(json!({ "changes": changes }).to_string().as_bytes());
}
