//! From a batch to lines of JSON, one for each row: what protocols on stdout are made of.
//!
//! The values are JSON already (see [`crate::model::texts`]), so a line is copied together. Its pieces are short, so they are copied
//! as blocks of a fixed size, which is a few instructions; what is copied too much is copied over by the next piece.

use arrow_array::cast::AsArray;
use arrow_array::types::UInt64Type;
use arrow_array::{BinaryArray, RecordBatch, UInt64Array};

use crate::error::{Error, Result};
use crate::model::Stream;
use crate::model::arrow::{NULLED, Selection};
use crate::model::stream::EXTRA;
use crate::model::texts::{TEXTS, next};

/// Bytes that are copied together.
const BLOCK: usize = 32;

/// The lines of a stream: what is before each value, and behind the last one.
#[derive(Debug)]
pub struct Lines {
    before: Vec<Piece>,
    after: Piece,
    /// Bytes of all of them, and of a block.
    bytes: usize,
}

/// What is the same in every line, with room behind it.
#[derive(Debug)]
struct Piece {
    padded: Vec<u8>,
    bytes: usize,
}

impl Piece {
    fn new(text: &str) -> Self {
        let padded = [text.as_bytes(), &[0; BLOCK]].concat();
        Self { padded, bytes: text.len() }
    }
}

/// The rows of one batch.
pub struct Rows<'a> {
    lines: &'a Lines,
    texts: &'a BinaryArray,
    nulled: &'a UInt64Array,
}

impl Lines {
    /// Lines of the selected fields: `prefix`, a row as a JSON object, and `suffix`.
    pub fn new(stream: &Stream, selection: &Selection, prefix: &str, suffix: &str) -> Self {
        let fields = selection.fields.iter().map(|&field| stream.fields[field].name);
        let names = fields.chain(selection.extra.then_some(EXTRA));
        let mut separator = format!("{prefix}{{");
        let before: Vec<Piece> = names
            .map(|name| {
                let before = format!("{separator}\"{name}\":");
                separator = ",".to_owned();
                Piece::new(&before)
            })
            .collect();
        let after = Piece::new(&format!("}}{suffix}"));
        let bytes = before.iter().map(|piece| piece.bytes).sum::<usize>() + after.bytes + BLOCK;
        Self { before, after, bytes }
    }

    /// The rows of a batch in the form of [`Form::Texts`](crate::model::texts::Form::Texts).
    ///
    /// # Errors
    /// `System`: the batch has another form, which is a fault of this program.
    pub fn rows<'a>(&'a self, batch: &'a RecordBatch) -> Result<Rows<'a>> {
        let texts = batch.column_by_name(TEXTS).and_then(|texts| texts.as_binary_opt::<i32>());
        let nulled = batch.column_by_name(NULLED);
        let nulled = nulled.and_then(|nulled| nulled.as_primitive_opt::<UInt64Type>());
        match (texts, nulled) {
            (Some(texts), Some(nulled)) => Ok(Rows { lines: self, texts, nulled }),
            _ => Err(Error::bug("A batch that is to become lines has another form")),
        }
    }
}

impl Rows<'_> {
    /// Which values of a row were invalid: one bit for each declared field.
    #[inline]
    pub fn nulled(&self, row: usize) -> u64 {
        self.nulled.value(row)
    }

    /// Adds a row's line.
    ///
    /// # Errors
    /// `System`: the row does not have as many values as the line.
    #[inline]
    pub fn write(&self, row: usize, line: &mut Vec<u8>) -> Result<()> {
        let start = line.len();
        let (from, to) = match self.texts.value_offsets().get(row..row + 2) {
            Some(&[from, to]) => (from as usize, to as usize),
            _ => (0, 0),
        };
        // The lengths of the texts are among them, so this is enough.
        line.resize(start + self.lines.bytes + (to - from), 0);
        let written = self.fill(from, to, &mut line[start..]);
        line.truncate(start + written.unwrap_or_default());
        written.map(|_| ()).ok_or_else(|| {
            Error::system("A row that came back from the temporary file is damaged. Check that disk, and run again.")
        })
    }

    /// How many bytes of the line are filled; `None` if the row's texts are not as many as the line needs.
    #[inline]
    fn fill(&self, from: usize, to: usize, line: &mut [u8]) -> Option<usize> {
        let texts = self.texts.value_data();
        let row = texts.get(..to)?;
        let (mut at, mut filled) = (from, 0);
        for before in &self.lines.before {
            filled = copy(&before.padded, before.bytes, line, filled)?;
            let (from, to) = next(row, at)?;
            filled = copy(texts.get(from..)?, to - from, line, filled)?;
            at = to;
        }
        if at != to {
            return None;
        }
        copy(&self.lines.after.padded, self.lines.after.bytes, line, filled)
    }
}

/// Copies so many bytes to a place in the line, in whole blocks where both sides have room for them. Gives the place
/// behind them.
#[inline(always)]
fn copy(from: &[u8], bytes: usize, line: &mut [u8], at: usize) -> Option<usize> {
    let mut done = 0;
    while done < bytes {
        let to = line.get_mut(at + done..)?;
        let rest = from.get(done..)?;
        match (to.first_chunk_mut::<BLOCK>(), rest.first_chunk::<BLOCK>()) {
            (Some(to), Some(from)) => *to = *from,
            _ => {
                to.get_mut(..bytes - done)?.copy_from_slice(rest.get(..bytes - done)?);
                break;
            }
        }
        done += BLOCK;
    }
    Some(at + bytes)
}

#[cfg(test)]
mod tests;
