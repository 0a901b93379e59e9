//! Singer messages on stdout.

use std::io::Write;

use arrow_array::RecordBatch;
use serde_json::json;

use super::catalog::Wanted;
use super::message::Message;
use super::state::Bookmarks;
use crate::error::{Error, Result};
use crate::output::blocks::Block;
use crate::output::rows::Rows;
use crate::plan::{Mode, Plan};
use crate::sink::{Reply, Sink};
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
            bookmark_properties: wanted.stream.cursor().map(|cursor| [cursor.name]),
        })
    }

    /// Writes a line for each row: `prefix`, its values, `suffix`.
    fn records(&mut self, batch: &RecordBatch, prefix: &[u8], suffix: &[u8]) -> Result<()> {
        let rows = Rows::of(batch)?;
        for row in 0..batch.num_rows() {
            let line = self.output.lines();
            line.extend_from_slice(prefix);
            rows.write(row, line);
            line.extend_from_slice(suffix);
            self.output.line_ended()?;
        }
        Ok(())
    }

    /// Writes the state, behind every record before it.
    fn save(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        self.output.flush()?;
        self.bookmarks.set(checkpoint.stream(), checkpoint.state());
        let value = self.bookmarks.to_json();
        self.say(&Message::State { value: &value })
    }

    fn say(&mut self, message: &Message<'_>) -> Result<()> {
        let line = serde_json::to_string(message)
            .map_err(|error| Error::bug("A message could not be written").caused_by(error))?;
        self.output.say(&line)
    }
}

/// A tap, and the one stream that it is to take.
pub struct Selected<'a, W> {
    tap: &'a mut Tap<W>,
    wanted: &'a Wanted,
}

impl<W: Write> Sink for Selected<'_, W> {
    fn take(&mut self, plan: &Plan, reply: &mut dyn Reply) -> Result<()> {
        self.tap.schema(self.wanted)?;
        let extracted_at = reply.receipt().extracted_at;
        let name = plan.stream.name;
        let mut version = String::new();
        let is_list = reply.receipt().has_list;
        if self.tap.activate_versions && plan.mode == Mode::FullRefresh && is_list {
            let seconds = extracted_at.millis() / 1000;
            self.tap.say(&Message::ActivateVersion { stream: name, version: seconds })?;
            version = format!(r#","version":{seconds}"#);
        }
        let prefix = format!(r#"{{"type":"RECORD","stream":{},"record":"#, json!(name));
        let suffix = format!("{version},\"time_extracted\":\"{extracted_at}\"}}\n");
        while let Some(batch) = reply.next_batch()? {
            self.tap.records(&batch, prefix.as_bytes(), suffix.as_bytes())?;
        }
        self.tap.save(&reply.finish()?)
    }

    /// Writes the good records before the failure; stderr has the failure itself.
    fn fail(&mut self, _: &str, _: &Error) -> Result<()> {
        self.tap.output.flush()
    }
}
