//! Rows whose values are JSON already: the form in which they wait where they are to become lines.
//!
//! A row is one binary value: the texts of its fields one behind the other, in the order of the selection, each with its length
//! before it. A line is made of them by copying, and they are a third shorter than the line, since the fields' names are
//! not among them.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::arrow::NULLED;

/// The column that holds the texts.
pub const TEXTS: &str = "_texts";

/// In which form rows wait for their sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// A typed column for each field: see [`crate::model::arrow::schema`].
    #[default]
    Columns,
    /// The values of each row as JSON: see [`schema`].
    Texts,
}

/// What a length begins with that does not fit into one byte. Four more follow, the lowest first.
const LONG: u8 = u8::MAX;

/// The schema of a batch in the form of [`Form::Texts`]: the rows, and [`NULLED`] last.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(TEXTS, DataType::Binary, false),
        Field::new(NULLED, DataType::UInt64, false),
    ]))
}

/// Begins a text of so many bytes, which the caller adds behind it.
#[inline]
pub fn begin(row: &mut Vec<u8>, bytes: usize) {
    match u8::try_from(bytes) {
        Ok(short) if short != LONG => row.push(short),
        _ => {
            row.push(LONG);
            // A record has at most 64 MiB.
            row.extend_from_slice(&u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes());
        }
    }
}

/// Where the text that begins at `at` is among these bytes: its first byte, and the one after its last. `None`
/// if it does not end among them.
///
/// ```
/// use kometsales::model::texts::{begin, next};
/// let mut row = Vec::new();
/// begin(&mut row, 4);
/// row.extend_from_slice(b"null");
/// assert_eq!(next(&row, 0), Some((1, 5)));
/// assert_eq!(next(&row, 5), None);
/// ```
#[inline]
pub fn next(texts: &[u8], at: usize) -> Option<(usize, usize)> {
    let short = *texts.get(at)?;
    let (from, bytes) = if short == LONG {
        let long = texts.get(at + 1..)?.first_chunk::<4>()?;
        (at + 5, u32::from_le_bytes(*long) as usize)
    } else {
        (at + 1, usize::from(short))
    };
    let to = from + bytes;
    (to <= texts.len()).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_come_back_and_a_cut_is_seen() {
        let lengths = [0, 1, 32, 254, 255, 256, 70_000];
        let mut row = Vec::new();
        for length in lengths {
            begin(&mut row, length);
            row.resize(row.len() + length, b'x');
        }
        let mut at = 0;
        for length in lengths {
            let (from, to) = next(&row, at).unwrap();
            assert_eq!(to - from, length);
            assert_eq!(next(&row[..to - 1], at), None);
            at = to;
        }
        assert_eq!(at, row.len());
    }
}
