//! From records to rows that are JSON already: what is wanted where lines are made of them. A value that is written in the reply
//! as it would be in a line is copied, and never looked at again.

use std::sync::Arc;

use arrow_array::{BinaryArray, RecordBatch, UInt64Array};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::SchemaRef;

use super::columns::MAX_BATCH_BYTES;
use super::convert::{self, Converted};
use super::json::{Text, Value};
use crate::config::privacy::Privacy;
use crate::error::{Error, Result};
use crate::model::arrow::Selection;
use crate::model::escape::escape;
use crate::model::texts::{begin, schema};
use crate::model::{Stream, Timestamp, Type, Zone};
use crate::secret::Hasher;

/// Rows in one batch at the most. Larger batches are not faster, and what is free between two of them is more: a read took nearly twice
/// the memory with as many rows as columns have.
const MAX_BATCH_ROWS: usize = 2048;

/// The digits of a local time without a fraction or an offset.
const TIME_BYTES: usize = "2017-08-02T12:15:17".len();

/// The rows of the batch that is being filled: see [`crate::model::texts`].
pub(crate) struct Texts {
    schema: SchemaRef,
    kinds: Vec<Kind>,
    has_extra: bool,
    zone: Zone,
    texts: Vec<u8>,
    ends: Vec<i32>,
    nulled: Vec<u64>,
    /// The most that a batch has held: what the next one reserves.
    most: usize,
    /// Room for one text.
    room: Vec<u8>,
}

enum Kind {
    Text,
    /// Text in place of which its hash goes on, with room for one.
    Hashed(Box<(Hasher, String)>),
    Integer,
    Boolean,
    Timestamp,
}

impl Texts {
    /// No rows yet of the selected fields. Nothing but the hash is ever kept of a field that is hashed.
    pub(crate) fn new(
        stream: &Stream,
        selection: &Selection,
        privacy: &Privacy,
        zone: Zone,
    ) -> Self {
        let kind = |&index: &usize| match stream.fields[index].kind {
            Type::Text => match privacy.hasher(stream.fields[index].name) {
                Some(hasher) => Kind::Hashed(Box::new((hasher, String::new()))),
                None => Kind::Text,
            },
            Type::Integer => Kind::Integer,
            Type::Boolean => Kind::Boolean,
            Type::Timestamp => Kind::Timestamp,
        };
        let mut texts = Self {
            schema: schema(),
            kinds: selection.fields.iter().map(kind).collect(),
            has_extra: selection.extra,
            zone,
            texts: Vec::new(),
            ends: Vec::new(),
            nulled: Vec::new(),
            most: 0,
            room: Vec::new(),
        };
        texts.begin_batch();
        texts
    }

    fn begin_batch(&mut self) {
        self.texts = Vec::with_capacity(self.most);
        self.ends = Vec::with_capacity(MAX_BATCH_ROWS + 1);
        self.ends.push(0);
        self.nulled = Vec::with_capacity(MAX_BATCH_ROWS);
    }

    /// Adds a value to the row, as [`Columns::push`](super::columns::Columns::push) does to a column.
    #[inline]
    pub(crate) fn push(&mut self, column: usize, value: Value<'_>, buffer: &mut String) -> bool {
        match &mut self.kinds[column] {
            Kind::Text => match value {
                Value::Text(Text { raw, is_escaped: false }) => {
                    self.quoted(raw.as_bytes());
                    true
                }
                value => self.unusual_text(value, buffer),
            },
            Kind::Hashed(hash) => match convert::text(value, buffer) {
                Converted::Valid(value) => {
                    let (hasher, digits) = &mut **hash;
                    digits.clear();
                    hasher.append_hash(value, digits);
                    quoted(&mut self.texts, digits.as_bytes());
                    true
                }
                Converted::Null => self.null(true),
                Converted::Invalid => self.null(false),
            },
            Kind::Integer => match convert::integer(value) {
                Converted::Valid(number) => self.push_integer(number),
                Converted::Null => self.null(true),
                Converted::Invalid => self.null(false),
            },
            Kind::Boolean => match convert::boolean(value) {
                Converted::Valid(true) => self.plain(b"true"),
                Converted::Valid(false) => self.plain(b"false"),
                Converted::Null => self.null(true),
                Converted::Invalid => self.null(false),
            },
            Kind::Timestamp => self.push_timestamp(value, convert::timestamp(value, self.zone)),
        }
    }

    /// Text with escapes, or a literal in the place of a text.
    #[inline(never)]
    fn unusual_text(&mut self, value: Value<'_>, buffer: &mut String) -> bool {
        match convert::text(value, buffer) {
            Converted::Valid(text) => {
                let mut room = std::mem::take(&mut self.room);
                room.clear();
                escape(text, &mut room);
                self.quoted(&room);
                self.room = room;
                true
            }
            Converted::Null => self.null(true),
            Converted::Invalid => self.null(false),
        }
    }

    /// Adds an integer that has been converted already.
    #[inline]
    pub(crate) fn push_integer(&mut self, value: i64) -> bool {
        self.plain(itoa::Buffer::new().format(value).as_bytes())
    }

    /// Adds a timestamp that has been converted already. Where it was written in UTC, as Komet does, it stays as it is.
    #[inline]
    pub(crate) fn push_timestamp(
        &mut self,
        value: Value<'_>,
        converted: Converted<Timestamp>,
    ) -> bool {
        let timestamp = match converted {
            Converted::Valid(timestamp) => timestamp,
            Converted::Null => return self.null(true),
            Converted::Invalid => return self.null(false),
        };
        if let Value::Text(Text { raw, is_escaped: false }) = value
            && raw.len() == TIME_BYTES
            && raw.as_bytes()[10] == b'T'
            && self.zone.is_utc()
        {
            begin(&mut self.texts, TIME_BYTES + 3);
            self.texts.push(b'"');
            self.texts.extend_from_slice(raw.as_bytes());
            self.texts.extend_from_slice(b"Z\"");
            return true;
        }
        self.room.clear();
        timestamp.write(&mut self.room);
        quoted(&mut self.texts, &self.room);
        true
    }

    #[inline]
    fn quoted(&mut self, text: &[u8]) {
        quoted(&mut self.texts, text);
    }

    /// Adds a text that needs no quotes.
    #[inline]
    fn plain(&mut self, text: &[u8]) -> bool {
        begin(&mut self.texts, text.len());
        self.texts.extend_from_slice(text);
        true
    }

    #[inline]
    fn null(&mut self, is_valid: bool) -> bool {
        self.plain(b"null");
        is_valid
    }

    /// Ends a row: its unknown fields as one JSON object, and which of its values became null.
    ///
    /// # Errors
    /// `System`: a batch of more than 2 GiB, which is a fault of this program.
    #[inline]
    pub(crate) fn end_row(&mut self, extra: Option<&str>, nulled: u64) -> Result<()> {
        if self.has_extra {
            self.plain(extra.unwrap_or("null").as_bytes());
        }
        let end = i32::try_from(self.texts.len());
        self.ends.push(end.map_err(|_| Error::bug("A batch is too large"))?);
        self.nulled.push(nulled);
        Ok(())
    }

    /// True if the batch has enough rows, or enough text.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.nulled.len() >= MAX_BATCH_ROWS || self.texts.len() >= MAX_BATCH_BYTES
    }

    /// True if no row has been added since the last batch.
    pub(crate) fn is_empty(&self) -> bool {
        self.nulled.is_empty()
    }

    /// The rows so far as a batch; there are none afterwards.
    ///
    /// # Errors
    /// `System`: the batch cannot be built, which is a fault of this program.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch> {
        // A little more than the largest so far: one that outgrows its room is copied, and reserves twice as much.
        self.most = self.most.max(self.texts.len() + self.texts.len() / 64).min(MAX_BATCH_BYTES);
        let ends = OffsetBuffer::new(ScalarBuffer::from(std::mem::take(&mut self.ends)));
        let texts = Buffer::from_vec(std::mem::take(&mut self.texts));
        let nulled = UInt64Array::from(std::mem::take(&mut self.nulled));
        self.begin_batch();
        BinaryArray::try_new(ends, texts, None)
            .and_then(|texts| {
                RecordBatch::try_new(self.schema.clone(), vec![Arc::new(texts), Arc::new(nulled)])
            })
            .map_err(|error| Error::bug("A batch could not be built").caused_by(error))
    }
}

#[inline]
fn quoted(texts: &mut Vec<u8>, text: &[u8]) {
    begin(texts, text.len() + 2);
    texts.push(b'"');
    texts.extend_from_slice(text);
    texts.push(b'"');
}
