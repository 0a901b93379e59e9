//! The rows of one row group: gathered as they come, sorted by key, encoded a column at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type};
use arrow_array::{Array, ArrayRef, DictionaryArray, RecordBatch, UInt32Array};
use arrow_schema::{DataType, Field, SchemaRef};
use arrow_select::concat::concat;
use arrow_select::take::take;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves};
use parquet::errors::{ParquetError, Result};

use super::order::order;

/// Rows of a row group at the most. More make a file no smaller, and memory larger.
const MAX_ROWS: usize = 90_112;

/// Bytes of a row group in memory at the most, so that rows of long texts do not fill it.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Rows that are brought into order at a time.
const ORDERED_ROWS: usize = 8192;

/// Threads that encode columns of one row group.
const ENCODING_THREADS: usize = 2;

/// Texts of this many bytes on average are copied into order. The encoder looks at the size of a page only after some
/// hundred texts that it takes out of a dictionary.
const LONG_TEXT_BYTES: usize = 256;

/// Rows that are encoded sooner than a second thread has begun, and given its memory back.
const FEW_ROWS: usize = 8192;

/// Rows that become one row group.
#[derive(Default)]
pub(super) struct RowGroup {
    batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

/// A column that is to be encoded.
struct Job<'a> {
    column: usize,
    field: &'a Field,
    parts: Vec<ArrayRef>,
    bytes: usize,
    writer: ArrowColumnWriter,
}

impl RowGroup {
    pub(super) fn push(&mut self, batch: RecordBatch) {
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

    /// Encodes every column, several at once, in the order of the column `key`. What a column needed is free when it is done.
    pub(super) fn encode(
        self,
        schema: &SchemaRef,
        key: usize,
        writers: Vec<ArrowColumnWriter>,
    ) -> Result<Vec<ArrowColumnChunk>> {
        let keys = self.batches.iter().map(|batch| batch.column(key).as_primitive::<Int64Type>());
        let order = order(keys.map(|keys| &**keys.values()));
        let fields = schema.fields().iter().zip(writers).enumerate();
        let mut jobs: Vec<Job<'_>> = fields
            .map(|(column, (field, writer))| {
                let parts: Vec<_> =
                    self.batches.iter().map(|batch| batch.column(column).clone()).collect();
                let bytes = parts.iter().map(size).sum();
                Job { column, field, parts, bytes, writer }
            })
            .collect();
        drop(self.batches);
        // With the largest first, no thread waits long for another one at the end.
        jobs.sort_by_key(|job| std::cmp::Reverse(job.bytes));
        let jobs: Vec<_> = jobs.into_iter().map(|job| Mutex::new(Some(job))).collect();
        let next = AtomicUsize::new(0);
        let work = || -> Result<Vec<(usize, ArrowColumnChunk)>> {
            let mut chunks = Vec::new();
            loop {
                let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) else {
                    return Ok(chunks);
                };
                let job = job.lock().unwrap_or_else(PoisonError::into_inner).take();
                let Some(job) = job else { return Ok(chunks) };
                chunks.push((job.column, job.encode(order.as_ref())?));
            }
        };
        let mut chunks = std::thread::scope(|scope| {
            let others = if self.rows <= FEW_ROWS { 0 } else { ENCODING_THREADS - 1 };
            let others: Vec<_> = (0..others).map(|_| scope.spawn(work)).collect();
            let mut chunks = work()?;
            for other in others {
                let died = |_| ParquetError::General("a thread died".into());
                chunks.extend(other.join().map_err(died)??);
            }
            Ok::<_, ParquetError>(chunks)
        })?;
        chunks.sort_by_key(|(column, _)| *column);
        Ok(chunks.into_iter().map(|(_, chunk)| chunk).collect())
    }
}

impl Job<'_> {
    fn encode(self, order: Option<&UInt32Array>) -> Result<ArrowColumnChunk> {
        let Self { field, parts, bytes, mut writer, .. } = self;
        let mut write = |array: &ArrayRef| -> Result<()> {
            compute_leaves(field, array)?.iter().try_for_each(|leaf| writer.write(leaf))
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
