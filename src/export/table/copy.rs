//! Rows that are copied from one version of a table into the next.

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{ArrayRef, BooleanArray, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::filter::filter_record_batch;
use std::sync::Arc;

use super::bits::Bits;
use super::log::{Live, Log};
use super::missing::Missing;
use crate::error::{Error, Result};
use crate::export::parquet::{Files, Reader};
use crate::export::rows::times;
use crate::model::Timestamp;
use crate::model::arrow::{DELETED_AT, EXTRACTED_AT};

/// A file of which rows are copied.
pub(super) struct Copied<'a> {
    pub(super) log: &'a Log,
    pub(super) schema: &'a SchemaRef,
    pub(super) file: &'a Live,
    /// The rows of it that are marked as deleted now, in their order.
    pub(super) marked: &'a [Missing],
    pub(super) deleted_at: Timestamp,
}

impl Copied<'_> {
    /// Copies the rows that are not replaced; those that are marked keep their values.
    pub(super) fn rest(&self, replaced: &Bits, files: &mut Files) -> Result<()> {
        self.each(
            |_, _| true,
            |batch, first| {
                let mut marks = Bits::all(batch.num_rows(), false);
                let has_marks = self.mark(first, &mut marks);
                let batch = match has_marks {
                    true => with_marks(batch, &marks, self.deleted_at)?,
                    false => batch,
                };
                let stay = (first..first + batch.num_rows())
                    .map(|row| Some(self.file.is_there(row) && !replaced.get(row)))
                    .collect();
                push(&batch, &stay, files)
            },
        )
    }

    /// Copies the rows that are marked, as further versions: the list that does not have them is the last that
    /// is known of them.
    pub(super) fn last_versions(&self, files: &mut Files) -> Result<()> {
        let is_wanted = |first: usize, rows: usize| {
            self.marked.iter().any(|row| (first..first + rows).contains(&(row.row as usize)))
        };
        self.each(is_wanted, |batch, first| {
            let rows = batch.num_rows();
            let mut marks = Bits::all(rows, false);
            self.mark(first, &mut marks);
            let now = times(self.deleted_at, rows);
            let batch = with_column(batch, EXTRACTED_AT, now.clone())?;
            let batch = with_column(batch, DELETED_AT, now)?;
            push(&batch, &marks.filter(0, rows), files)
        })
    }

    /// Marks the rows of a batch that begins at a row of the file. True if there are any.
    fn mark(&self, first: usize, marks: &mut Bits) -> bool {
        let from = self.marked.partition_point(|row| (row.row as usize) < first);
        let mut has_marks = false;
        for row in self.marked.get(from..).unwrap_or_default() {
            let here = row.row as usize - first;
            if here >= marks.rows() {
                break;
            }
            marks.set(here, true);
            has_marks = true;
        }
        has_marks
    }

    /// Shows the batches of the row groups that are wanted, each with the position of its first row.
    fn each(
        &self,
        is_wanted: impl Fn(usize, usize) -> bool,
        mut show: impl FnMut(RecordBatch, usize) -> Result<()>,
    ) -> Result<()> {
        let Self { log, schema, file, .. } = self;
        let reader = Reader::open(&log.store, &file.path, file.bytes)?;
        reader.verify()?;
        let mut row = 0;
        for group in 0..reader.metadata().num_row_groups() {
            let rows = usize::try_from(reader.metadata().row_group(group).num_rows());
            let rows = rows.unwrap_or_default();
            if !is_wanted(row, rows) {
                row += rows;
                continue;
            }
            let mut batches = reader.read(group, schema)?;
            while let Some(batch) = batches.next_batch()? {
                let first = row;
                row += batch.num_rows();
                show(batch, first)?;
            }
        }
        Ok(())
    }
}

fn push(batch: &RecordBatch, stay: &BooleanArray, files: &mut Files) -> Result<()> {
    let rest = filter_record_batch(batch, stay).map_err(bug)?;
    if rest.num_rows() > 0 { files.push(rest) } else { Ok(()) }
}

/// The rows with a time of deletion where they are marked.
fn with_marks(batch: RecordBatch, marks: &Bits, at: Timestamp) -> Result<RecordBatch> {
    let Some(before) = batch.column_by_name(DELETED_AT) else { return Ok(batch) };
    let before = before.as_primitive::<TimestampMicrosecondType>().iter().enumerate();
    let after = before.map(|(row, time)| if marks.get(row) { Some(at.micros()) } else { time });
    let after: TimestampMicrosecondArray = after.collect();
    with_column(batch, DELETED_AT, Arc::new(after.with_timezone("UTC")))
}

fn with_column(batch: RecordBatch, name: &str, column: ArrayRef) -> Result<RecordBatch> {
    let Some((position, _)) = batch.schema_ref().column_with_name(name) else { return Ok(batch) };
    let schema = batch.schema();
    let mut columns = batch.columns().to_vec();
    columns[position] = column;
    RecordBatch::try_new(schema, columns).map_err(bug)
}

/// Rows could not be put together.
pub(super) fn bug(error: ArrowError) -> Error {
    Error::bug("Rows could not be chosen").caused_by(error)
}
