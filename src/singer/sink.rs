//! Singer messages on stdout.

use std::io::Write;

use arrow_array::RecordBatch;
use serde_json::json;

use super::catalog::Wanted;
use super::message::Message;
use super::state::Bookmarks;
use crate::error::{Error, Result};
use crate::model::Stream;
use crate::output::blocks::Block;
use crate::output::rows::Rows;
use crate::plan::{Mode, Plan};
use crate::receipt::Receipt;
use crate::sink::{Outcome, Sink, Writer};
use crate::state::Checkpoint;

/// Writes the messages of a tap, one a line.
pub struct Tap<W> {
    output: Block<W>,
    bookmarks: Bookmarks,
    activate_versions: bool,
}

impl<W: Write> Tap<W> {
    /// Writes to `writer`; the state goes on from `bookmarks`. `activate_versions` announces a version
    /// before the records of a whole list, so that a target can remove what is not among them.
    pub fn new(writer: W, bookmarks: Bookmarks, activate_versions: bool) -> Self {
        Self { output: Block::new(writer), bookmarks, activate_versions }
    }

    /// The tap, ready to take one stream.
    pub fn stream<'s>(&'s mut self, wanted: &'s Wanted) -> Selected<'s, W> {
        Selected { tap: self, wanted }
    }

    /// Says what the records of a stream look like.
    ///
    /// # Errors
    /// `System`: stdout cannot be written.
    pub fn schema(&mut self, wanted: &Wanted) -> Result<()> {
        self.say(&Message::Schema {
            stream: wanted.stream.name,
            schema: &wanted.schema,
            key_properties: [wanted.stream.key().name],
            bookmark_properties: [wanted.stream.cursor().name],
        })
    }

    fn say(&mut self, message: &Message<'_>) -> Result<()> {
        let line = serde_json::to_string(message).map_err(|error| {
            Error::system(
                "A message could not be written, which is a fault of this program: report it.",
            )
            .caused_by(error)
        })?;
        self.output.say(&line)
    }
}

/// A tap, and the one stream that it is to take.
pub struct Selected<'a, W> {
    tap: &'a mut Tap<W>,
    wanted: &'a Wanted,
}

impl<W: Write> Sink for Selected<'_, W> {
    type Writer<'s>
        = Records<'s, W>
    where
        Self: 's;

    fn open(&mut self, plan: &Plan) -> Result<Records<'_, W>> {
        Ok(Records {
            tap: self.tap,
            wanted: self.wanted,
            mode: plan.mode,
            prefix: Vec::new(),
            suffix: Vec::new(),
        })
    }

    /// Writes the good records before the failure; what failed is said on stderr.
    fn fail(&mut self, _: &str, _: &Error) -> Result<()> {
        self.tap.output.flush()
    }
}

/// Writes the records of one stream.
pub struct Records<'a, W> {
    tap: &'a mut Tap<W>,
    wanted: &'a Wanted,
    mode: Mode,
    prefix: Vec<u8>,
    suffix: Vec<u8>,
}

impl<W: Write> Writer for Records<'_, W> {
    const SHOWS_ROWS_AT_ONCE: bool = true;

    fn begin(&mut self, receipt: &Receipt) -> Result<()> {
        let stream: &Stream = receipt.stream;
        self.tap.schema(self.wanted)?;
        let mut version = String::new();
        if self.tap.activate_versions && self.mode == Mode::FullRefresh {
            let seconds = receipt.extracted_at.millis() / 1000;
            self.tap.say(&Message::ActivateVersion { stream: stream.name, version: seconds })?;
            version = format!(r#","version":{seconds}"#);
        }
        let name = json!(stream.name);
        self.prefix = format!(r#"{{"type":"RECORD","stream":{name},"record":"#).into_bytes();
        let extracted_at = receipt.extracted_at;
        self.suffix = format!("{version},\"time_extracted\":\"{extracted_at}\"}}\n").into_bytes();
        Ok(())
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let rows = Rows::of(batch)?;
        let output = &mut self.tap.output;
        for row in 0..batch.num_rows() {
            let line = output.lines();
            line.extend_from_slice(&self.prefix);
            rows.write(row, line);
            line.extend_from_slice(&self.suffix);
            output.line_ended()?;
        }
        Ok(())
    }

    fn commit(&mut self, checkpoint: Checkpoint) -> Result<Outcome> {
        self.tap.output.flush()?;
        self.tap.bookmarks.set(checkpoint.stream(), checkpoint.state());
        let value = self.tap.bookmarks.to_json();
        self.tap.say(&Message::State { value: &value })?;
        Ok(Outcome::Done)
    }
}
