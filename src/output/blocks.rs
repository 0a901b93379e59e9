//! stdout in blocks: lines are gathered and written together, and flushed where a host waits for them.

use std::io::Write;

use super::stdout::explain;
use crate::error::{Error, Result};

/// Bytes of lines that are written together. A pipe takes 64 KiB at a time.
const BLOCK_BYTES: usize = 128 * 1024;

/// Gathers lines and writes them together.
#[derive(Debug)]
pub(crate) struct Block<W> {
    writer: W,
    lines: Vec<u8>,
    /// Why stdout cannot be written any more.
    lost: Option<Lost>,
}

#[derive(Debug, Clone, Copy)]
enum Lost {
    /// The reader went away, which is nothing to report.
    Closed,
    Failed,
}

impl<W: Write> Block<W> {
    /// Gathers lines for `writer`.
    pub(crate) fn new(writer: W) -> Self {
        Self { writer, lines: Vec::with_capacity(BLOCK_BYTES + BLOCK_BYTES / 4), lost: None }
    }

    /// Where the next line goes. Call [`line_ended`](Self::line_ended) behind it.
    #[inline]
    pub(crate) fn lines(&mut self) -> &mut Vec<u8> {
        &mut self.lines
    }

    /// Says that a line ended: a full block is written.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    #[inline]
    pub(crate) fn line_ended(&mut self) -> Result<()> {
        if self.lines.len() >= BLOCK_BYTES { self.flush() } else { Ok(()) }
    }

    /// Adds a line, and writes it and everything before it at once.
    ///
    /// # Errors
    /// As [`flush`](Self::flush).
    pub(crate) fn say(&mut self, line: &str) -> Result<()> {
        self.lines.extend_from_slice(line.as_bytes());
        self.lines.push(b'\n');
        self.flush()
    }

    /// Writes what was gathered.
    ///
    /// # Errors
    /// `System`: stdout cannot be written. A reader that went away is an error to be quiet about.
    pub(crate) fn flush(&mut self) -> Result<()> {
        // What follows half a line would be taken for the rest of it.
        match self.lost {
            None => {}
            Some(Lost::Closed) => return Err(Error::output_closed()),
            Some(Lost::Failed) => {
                return Err(Error::system(
                    "stdout could not be written, so nothing more is sent to it.",
                ));
            }
        }
        let written = self.writer.write_all(&self.lines).and_then(|()| self.writer.flush());
        self.lines.clear();
        written.map_err(|error| {
            let error = explain(error);
            self.lost = Some(if error.is_quiet() { Lost::Closed } else { Lost::Failed });
            error
        })
    }

    /// True if stdout could not be written: what it should have said has to be said elsewhere.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.is_some()
    }
}
