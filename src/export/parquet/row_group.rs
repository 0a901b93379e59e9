//! The rows of one row group: gathered as they come, sorted by key, encoded a column at a time.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{Field, SchemaRef};
use arrow_select::interleave::interleave;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves};
use parquet::errors::{ParquetError, Result};

/// Rows of a row group at the most. More make a file no smaller, and memory larger.
const MAX_ROWS: usize = 90_112;

/// Bytes of a row group in memory at the most, so that rows of long texts do not fill it.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Rows that are brought into order at a time.
const ORDERED_ROWS: usize = 8192;

/// Threads that encode columns of one row group.
const ENCODING_THREADS: usize = 2;

/// Rows that become one row group.
#[derive(Default)]
pub(super) struct RowGroup {
    pub(super) batches: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
}

/// Where a row is: its batch, and its place in it.
pub(super) type Place = (u32, u32);

impl RowGroup {
    pub(super) fn push(&mut self, batch: RecordBatch) {
        self.rows += batch.num_rows();
        let sizes = batch.columns().iter().map(|column| column.to_data().get_slice_memory_size());
        // A size that is not known is not large.
        self.bytes += sizes.map(Result::unwrap_or_default).sum::<usize>();
        self.batches.push(batch);
    }

    pub(super) fn is_full(&self) -> bool {
        self.rows >= MAX_ROWS || self.bytes >= MAX_BYTES
    }

    /// The rows by their key; those of one key stay in the order in which they came. `None` if they are in
    /// order already.
    pub(super) fn order(&self, key: usize) -> Option<Vec<Place>> {
        let keys = self.batches.iter().map(|batch| batch.column(key).as_primitive::<Int64Type>());
        let mut keyed: Vec<(i64, Place)> = Vec::with_capacity(self.rows);
        for (batch, keys) in (0..).zip(keys) {
            keyed.extend((0..).zip(keys.values()).map(|(row, key)| (*key, (batch, row))));
        }
        if keyed.is_sorted_by_key(|(key, _)| *key) {
            return None;
        }
        keyed.sort_unstable();
        Some(keyed.into_iter().map(|(_, place)| place).collect())
    }

    /// Encodes every column, several at once.
    pub(super) fn encode(
        &self,
        schema: &SchemaRef,
        order: Option<&[Place]>,
        writers: Vec<ArrowColumnWriter>,
    ) -> Result<Vec<ArrowColumnChunk>> {
        let writers: Vec<Mutex<Option<ArrowColumnWriter>>> =
            writers.into_iter().map(|writer| Mutex::new(Some(writer))).collect();
        let next = AtomicUsize::new(0);
        let work = || -> Result<Vec<(usize, ArrowColumnChunk)>> {
            let mut chunks = Vec::new();
            loop {
                let column = next.fetch_add(1, Ordering::Relaxed);
                let Some(writer) = writers.get(column) else { return Ok(chunks) };
                let writer = writer.lock().unwrap_or_else(PoisonError::into_inner).take();
                let Some(writer) = writer else { return Ok(chunks) };
                chunks.push((column, self.column(column, schema.field(column), order, writer)?));
            }
        };
        let mut chunks = std::thread::scope(|scope| {
            let others: Vec<_> = (1..ENCODING_THREADS).map(|_| scope.spawn(work)).collect();
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

    fn column(
        &self,
        column: usize,
        field: &Field,
        order: Option<&[Place]>,
        mut writer: ArrowColumnWriter,
    ) -> Result<ArrowColumnChunk> {
        let mut write = |array: &ArrayRef| -> Result<()> {
            compute_leaves(field, array)?.iter().try_for_each(|leaf| writer.write(leaf))
        };
        let arrays: Vec<&dyn Array> =
            self.batches.iter().map(|batch| batch.column(column).as_ref()).collect();
        match order {
            None => self.batches.iter().try_for_each(|batch| write(batch.column(column)))?,
            Some(order) => order.chunks(ORDERED_ROWS).try_for_each(|step| {
                let step: Vec<_> =
                    step.iter().map(|(batch, row)| (*batch as usize, *row as usize)).collect();
                write(&interleave(&arrays, &step)?)
            })?,
        }
        writer.close()
    }
}
