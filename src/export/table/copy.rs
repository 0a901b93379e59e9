//! Rows that are copied from one version of a table into the next.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{ArrayRef, BooleanArray, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::filter::filter_record_batch;
use std::sync::Arc;

use super::bits::Bits;
use super::compare::Touched;
use super::live::Live;
use super::log::{Log, Version};
use super::missing::{Missing, Vanished};
use super::versions::Begins;
use crate::error::{Error, Result};
use crate::export::mode::TableMode;
use crate::export::parquet::Files;
use crate::export::rows::times;
use crate::model::Timestamp;
use crate::model::arrow::{DELETED_AT, EXTRACTED_AT, IS_CURRENT, VALID_TO};

/// What is copied of a version.
pub(super) struct Copying<'a> {
    pub(super) log: &'a Log,
    pub(super) version: &'a Version,
    pub(super) mode: TableMode,
    pub(super) schema: &'a SchemaRef,
    /// The time of the list, at which rows are marked as deleted.
    pub(super) extracted_at: Timestamp,
    /// In a history, when the versions begin that end others.
    pub(super) begins: Option<&'a Begins>,
}

impl Copying<'_> {
    /// Copies what stays of touched files, and in a table of versions the last one of what is deleted.
    ///
    /// # Errors
    /// `Config`: a file is damaged. `Config`, `System` or `Transient`: it cannot be read, or the copy not written.
    pub(super) fn all(
        &self,
        touched: &[Touched],
        marked: &[Missing],
        files: &mut Files,
    ) -> Result<()> {
        let copied = |file: usize| {
            let marked = Vanished::of_file(marked, file);
            Some(Copied { of: self, file: self.version.files.get(file)?, marked })
        };
        for touched in touched {
            match copied(touched.file) {
                None => {}
                // What is deleted is one more version there.
                Some(copied) if self.mode == TableMode::Append => {
                    Copied { marked: &[], ..copied }.rest(&touched.replaced, files)?;
                }
                Some(copied) => match self.begins {
                    Some(begins) => copied.ended(touched, begins, files)?,
                    None => copied.rest(&touched.replaced, files)?,
                },
            }
        }
        if self.mode == TableMode::Append {
            for copied in (0..self.version.files.len()).filter_map(copied) {
                copied.last_versions(files)?;
            }
        }
        Ok(())
    }
}

/// A file of which rows are copied.
struct Copied<'a> {
    of: &'a Copying<'a>,
    file: &'a Live,
    /// The rows of it that are marked as deleted now, in their order.
    marked: &'a [Missing],
}

impl Copied<'_> {
    /// Copies the rows that are not replaced; those that are marked keep their values.
    fn rest(&self, replaced: &Bits, files: &mut Files) -> Result<()> {
        self.each(
            |_, _| true,
            |batch, first| {
                let mut marks = Bits::all(batch.num_rows(), false);
                let has_marks = self.mark(first, &mut marks);
                let batch = match has_marks {
                    true => with_marks(batch, &marks, self.of.extracted_at)?,
                    false => batch,
                };
                let stay = (first..first + batch.num_rows())
                    .map(|row| Some(self.file.is_there(row) && !replaced.get(row)))
                    .collect();
                push(&batch, &stay, files)
            },
        )
    }

    /// Copies every row of a history; those that end or are marked keep their values.
    fn ended(&self, touched: &Touched, begins: &Begins, files: &mut Files) -> Result<()> {
        self.each(
            |_, _| true,
            |batch, first| {
                let rows = batch.num_rows();
                let mut marks = Bits::all(rows, false);
                let has_marks = self.mark(first, &mut marks);
                let ended = touched.replaced.filter(first, rows);
                let batch = match has_marks || ended.has_true() {
                    true => self.with_ends(batch, &ended, begins, &marks)?,
                    false => batch,
                };
                let stay = (first..first + rows).map(|row| Some(self.file.is_there(row)));
                push(&batch, &stay.collect(), files)
            },
        )
    }

    /// The versions with the times at which some of them end: that of the next one, or that of deletion where they
    /// are marked.
    fn with_ends(
        &self,
        batch: RecordBatch,
        ended: &BooleanArray,
        begins: &Begins,
        marks: &Bits,
    ) -> Result<RecordBatch> {
        let Copying { log, extracted_at, .. } = self.of;
        let Some(before) = batch.column_by_name(VALID_TO) else { return Ok(batch) };
        let before = before.as_primitive::<TimestampMicrosecondType>().iter();
        let keys = batch.column(log.stream.key_index()).as_primitive::<Int64Type>().values();
        let after = before.zip(keys).enumerate().map(|(row, (end, key))| {
            match (ended.value(row), marks.get(row)) {
                (true, _) => Some(begins.of_key(*key)),
                (_, true) => Some(extracted_at.micros()),
                _ => end,
            }
        });
        let after: TimestampMicrosecondArray = after.collect();
        let current = BooleanArray::from_iter(after.iter().map(|end| Some(end.is_none())));
        let batch = with_marks(batch, marks, *extracted_at)?;
        let batch = with_column(batch, VALID_TO, Arc::new(after.with_timezone("UTC")))?;
        with_column(batch, IS_CURRENT, Arc::new(current))
    }

    /// Copies the rows that are marked, as further versions: the list that does not have them is the last that
    /// is known of them.
    fn last_versions(&self, files: &mut Files) -> Result<()> {
        let is_wanted = |first: usize, rows: usize| {
            self.marked.iter().any(|row| (first..first + rows).contains(&(row.row as usize)))
        };
        self.each(is_wanted, |batch, first| {
            let rows = batch.num_rows();
            let mut marks = Bits::all(rows, false);
            self.mark(first, &mut marks);
            let now = times(self.of.extracted_at, rows);
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
        let Self { of: Copying { log, mode, schema, .. }, file, .. } = self;
        let reader = file.open(&log.store)?;
        reader.verify(mode.repair())?;
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
    files.push(filter_record_batch(batch, stay).map_err(bug)?)
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
