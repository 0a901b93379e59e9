//! Singer messages on stdout: `SCHEMA`, `RECORD`, `STATE`, and `ACTIVATE_VERSION`, which is not in the specification
//! but which targets of Meltano's SDK know. Targets fail on a type that they do not know, so there are no others.

use std::io::Write;

use arrow_array::RecordBatch;
use serde_json::{Value, json};

use super::catalog::Wanted;
use super::state::Bookmarks;
use crate::error::{Error, Result};
use crate::log::Log;
use crate::model::Timestamp;
use crate::output::blocks::Block;
use crate::output::rows::Lines;
use crate::plan::Plan;
use crate::receipt::Receipt;
use crate::sink::{Reply, Sink};
use crate::state::Checkpoint;

/// Writes the messages of a tap, one a line.
pub struct Tap<'l, W> {
    output: Block<W>,
    bookmarks: Bookmarks,
    activate_versions: bool,
    log: &'l dyn Log,
}

impl<'l, W: Write> Tap<'l, W> {
    /// Writes to `writer`; the state goes on from `bookmarks`. `activate_versions` gives every record a
    /// version, and activates a new one behind the records of a complete list, so that a target can remove
    /// what is not among them.
    pub fn new(writer: W, bookmarks: Bookmarks, activate_versions: bool, log: &'l dyn Log) -> Self {
        Self { output: Block::new(writer), bookmarks, activate_versions, log }
    }

    /// The tap, ready to take one stream.
    pub fn stream<'s>(&'s mut self, wanted: &'s Wanted) -> Selected<'s, 'l, W> {
        Selected { tap: self, wanted }
    }

    /// Says what the records of a stream look like.
    ///
    /// # Errors
    /// `System`: stdout cannot be written.
    pub fn schema(&mut self, wanted: &Wanted) -> Result<()> {
        let mut schema = json!({
            "type": "SCHEMA",
            "stream": wanted.stream.name,
            "schema": wanted.schema,
            "key_properties": [wanted.stream.key().name],
        });
        if let Some(cursor) = wanted.stream.cursor() {
            schema["bookmark_properties"] = json!([cursor.name]);
        }
        self.say(&schema)
    }

    /// Writes a line for each row.
    fn records(&mut self, batch: &RecordBatch, lines: &Lines) -> Result<()> {
        let rows = lines.rows(batch)?;
        for row in 0..batch.num_rows() {
            rows.write(row, self.output.lines())?;
            self.output.line_ended()?;
        }
        Ok(())
    }

    /// Activates the version, if it is a new one, and writes the state: behind every record before them.
    fn save(&mut self, checkpoint: &Checkpoint, version: Version) -> Result<()> {
        if let Version::New(version) = version {
            let stream = checkpoint.stream().name;
            self.say(&json!({"type": "ACTIVATE_VERSION", "stream": stream, "version": version}))?;
        }
        self.output.flush()?;
        self.bookmarks.set(checkpoint.stream(), checkpoint.state(), version.number());
        self.output.say(&format!(r#"{{"type":"STATE","value":{}}}"#, self.bookmarks.to_json()))
    }

    fn say(&mut self, message: &Value) -> Result<()> {
        self.output.say(&message.to_string())
    }
}

/// The version of a stream's records in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    /// That of a complete list: activated behind its records.
    New(i64),
    /// The one that was activated last, if any was. Without it no later version could remove these records.
    Last(Option<i64>),
}

impl Version {
    /// Seconds since 1970, since targets of Meltano's SDK keep 32 bits; always greater than the last.
    fn new(extracted_at: Timestamp, last: Option<i64>) -> Self {
        let seconds = extracted_at.millis() / 1000;
        Self::New(last.map_or(seconds, |last| seconds.max(last.saturating_add(1))))
    }

    fn number(self) -> Option<i64> {
        match self {
            Self::New(version) => Some(version),
            Self::Last(version) => version,
        }
    }
}

/// Whether so much less is there than before that the list is more likely cut than right: more than 10
/// records and more than a tenth are missing, or more than half.
fn is_too_few(before: u64, now: u64) -> bool {
    let missing = before.saturating_sub(now);
    missing > (before / 10).max(10) || (missing > 1 && missing * 2 > before)
}

/// A tap, and the one stream that it is to take.
pub struct Selected<'a, 'l, W> {
    tap: &'a mut Tap<'l, W>,
    wanted: &'a Wanted,
}

impl<W: Write> Selected<'_, '_, W> {
    /// The version that the records of a reply have.
    fn version(&self, plan: &Plan, receipt: &Receipt) -> Version {
        let Tap { bookmarks, activate_versions, log, .. } = &self.tap;
        let last = bookmarks.table_version(plan.stream);
        if !activate_versions {
            return Version::Last(last);
        }
        let name = plan.stream.name;
        if let Some(why) = receipt.incomplete {
            log.debug(&format!(
                "Stream `{name}`: no version is activated, since this is no complete list: {why}."
            ));
            return Version::Last(last);
        }
        if bookmarks.scope(plan.stream).is_some_and(|scope| scope != plan.scope) {
            log.warn(&format!(
                "Stream `{name}`: the last read had other settings, so no version is activated and the target keeps what this list lacks. The next whole list activates one."
            ));
            return Version::Last(last);
        }
        match bookmarks.list_count(plan.stream) {
            Some(before) if is_too_few(before, receipt.rows) => {
                log.warn(&format!(
                    "Stream `{name}`: the whole list has {} records, the last one had {before}. No version is activated, so the target keeps what is missing; if the next whole list is as short, it is believed.",
                    receipt.rows
                ));
                Version::Last(last)
            }
            _ => Version::new(receipt.extracted_at, last),
        }
    }
}

impl<W: Write> Sink for Selected<'_, '_, W> {
    fn take(&mut self, plan: &Plan, reply: &mut dyn Reply) -> Result<()> {
        self.tap.schema(self.wanted)?;
        let extracted_at = reply.receipt().extracted_at;
        let name = plan.stream.name;
        let version = self.version(plan, reply.receipt());
        let member = version.number().filter(|_| self.tap.activate_versions);
        let member = member.map_or_else(String::new, |number| format!(r#","version":{number}"#));
        let prefix = format!(r#"{{"type":"RECORD","stream":{},"record":"#, json!(name));
        let suffix = format!("{member},\"time_extracted\":\"{extracted_at}\"}}\n");
        let lines = Lines::new(plan.stream, &plan.selection, &prefix, &suffix);
        while let Some(batch) = reply.next_batch()? {
            self.tap.records(&batch, &lines)?;
        }
        self.tap.save(&reply.finish()?, version)
    }

    /// Writes the good records before the failure; stderr has the failure itself.
    fn fail(&mut self, _: &str, _: &Error) -> Result<()> {
        self.tap.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Zone;

    #[test]
    fn a_version_is_greater_than_the_last_one() {
        let at = Zone::UTC.parse("2026-11-24T06:00:00.9").unwrap();
        for (last, version) in [
            (None, 1_795_500_000),
            (Some(7), 1_795_500_000),
            (Some(1_795_500_000), 1_795_500_001),
            (Some(1_999_999_999), 2_000_000_000),
        ] {
            assert_eq!(Version::new(at, last), Version::New(version), "{last:?}");
        }
    }

    #[test]
    fn a_list_that_is_much_shorter_is_not_believed() {
        for (before, now, is_cut) in [
            (0, 0, false),
            (1, 0, false),
            (10, 5, false),
            (10, 4, true),
            (20, 10, false),
            (20, 9, true),
            (100, 90, false),
            (100, 89, true),
            (1_000, 900, false),
            (1_000, 899, true),
            (5, 9, false),
        ] {
            assert_eq!(is_too_few(before, now), is_cut, "{before} {now}");
        }
    }
}
