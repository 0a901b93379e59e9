//! The rows of one row group: gathered as they come, sorted by key, encoded a column at a time.

use std::sync::Arc;
use std::sync::mpsc::channel;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type};
use arrow_array::{Array, ArrayRef, DictionaryArray, RecordBatch, UInt32Array};
use arrow_schema::{DataType, FieldRef, SchemaRef};
use arrow_select::concat::concat;
use arrow_select::take::take;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves};
use parquet::errors::{ParquetError, Result};

use super::jobs::{Job, Jobs};
use super::order::order;

/// Rows of a row group at the most. More make a file no smaller, and memory larger.
const MAX_ROWS: usize = 90_112;

/// Bytes of a row group in memory at the most, so that rows of long texts do not fill it.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Rows that are brought into order at a time.
const ORDERED_ROWS: usize = 8192;

/// Texts of this many bytes on average are copied into order. The encoder looks at the size of a page only after some
/// hundred texts that it takes out of a dictionary.
const LONG_TEXT_BYTES: usize = 256;

/// Rows that are encoded sooner than a second thread has begun: they are not offered to another one.
const FEW_ROWS: usize = 8192;

/// Rows that become one row group.
#[derive(Default)]
pub(super) struct RowGroup {
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

/// A column that is to be encoded.
struct Column {
    field: FieldRef,
    parts: Vec<ArrayRef>,
    bytes: usize,
    writer: ArrowColumnWriter,
}

impl RowGroup {
    /// Takes rows. No rows begin nothing: a table gets no file without any.
    pub(super) fn push(&mut self, batch: RecordBatch) {
        if batch.num_rows() == 0 {
            return;
        }
        self.rows += batch.num_rows();
        self.bytes += batch.columns().iter().map(size).sum::<usize>();
        self.batches.push(batch);
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows >= MAX_ROWS || self.bytes >= MAX_BYTES
    }

    /// The rows that came first.
    pub(super) fn first(&self) -> Option<&RecordBatch> {
        self.batches.first()
    }

    /// Encodes every column in the order of the column `key`, with whoever helps. What a column needed is free when it is done.
    pub(super) fn encode(
        self,
        schema: &SchemaRef,
        key: usize,
        writers: Vec<ArrowColumnWriter>,
        jobs: &Jobs,
    ) -> Result<Vec<ArrowColumnChunk>> {
        let keys = self.batches.iter().map(|batch| batch.column(key).as_primitive::<Int64Type>());
        let order = order(keys.map(|keys| &**keys.values()));
        let columns = schema.fields().iter().zip(writers).enumerate();
        let columns = columns.map(|(place, (field, writer))| {
            let parts: Vec<_> =
                self.batches.iter().map(|batch| batch.column(place).clone()).collect();
            let bytes = parts.iter().map(size).sum();
            (place, Column { field: field.clone(), parts, bytes, writer })
        });
        let mut columns: Vec<_> = columns.collect();
        drop(self.batches);
        // With the largest first, no thread waits long for another one at the end.
        columns.sort_by_key(|(_, column)| std::cmp::Reverse(column.bytes));
        let (done, chunks) = channel();
        let work = columns.into_iter().map(|(place, column)| {
            let (order, done) = (order.clone(), done.clone());
            // Whoever gave up the file does not wait for it.
            Box::new(move || _ = done.send((place, column.encode(order.as_ref())))) as Job
        });
        if self.rows <= FEW_ROWS {
            work.for_each(|job| job());
        } else {
            jobs.add(work);
        }
        drop(done);
        while jobs.help() {}
        let mut encoded = Vec::with_capacity(schema.fields().len());
        for (place, chunk) in chunks {
            encoded.push((place, chunk?));
        }
        if encoded.len() < schema.fields().len() {
            return Err(ParquetError::General("a thread died".into()));
        }
        encoded.sort_by_key(|(place, _)| *place);
        Ok(encoded.into_iter().map(|(_, chunk)| chunk).collect())
    }
}

impl Column {
    fn encode(self, order: Option<&UInt32Array>) -> Result<ArrowColumnChunk> {
        let Self { field, parts, bytes, mut writer, .. } = self;
        let mut write = |array: &ArrayRef| -> Result<()> {
            compute_leaves(&field, array)?.iter().try_for_each(|leaf| writer.write(leaf))
        };
        // Where no row has a value, any order is the same.
        let is_empty = parts.iter().all(|part| part.null_count() == part.len());
        let Some(order) = order.filter(|_| !is_empty) else {
            parts.iter().try_for_each(write)?;
            return writer.close();
        };
        let arrays: Vec<&dyn Array> = parts.iter().map(|part| part.as_ref()).collect();
        let whole = concat(&arrays)?;
        drop(arrays);
        drop(parts);
        // A text in its place in a dictionary is copied once, by the encoder.
        let is_referred_to =
            whole.data_type() == &DataType::Utf8 && bytes < LONG_TEXT_BYTES * whole.len();
        for start in (0..order.len()).step_by(ORDERED_ROWS) {
            let rows = order.slice(start, ORDERED_ROWS.min(order.len() - start));
            write(&if is_referred_to {
                Arc::new(DictionaryArray::<UInt32Type>::try_new(rows, whole.clone())?)
            } else {
                take(&whole, &rows, None)?
            })?;
        }
        writer.close()
    }
}

/// Bytes of a column. A size that is not known is not large.
fn size(column: &ArrayRef) -> usize {
    column.to_data().get_slice_memory_size().unwrap_or_default()
}
