//! The rows of a list as they are kept, in the form that the plan asks for.

use arrow_array::RecordBatch;

use super::columns::Columns;
use super::convert::Converted;
use super::json::Value;
use super::texts::Texts;
use crate::error::Result;
use crate::model::texts::Form;
use crate::model::{Timestamp, Zone};
use crate::plan::Plan;

/// The batch that is being filled, in one of the two forms.
pub(crate) enum Rows {
    Columns(Columns),
    Texts(Texts),
}

impl Rows {
    /// No rows yet.
    pub(crate) fn of(plan: &Plan, zone: Zone) -> Self {
        let (stream, selection, privacy) = (plan.stream, &plan.selection, &plan.privacy);
        match plan.form {
            Form::Columns => Self::Columns(Columns::new(stream, selection, privacy, zone)),
            Form::Texts => Self::Texts(Texts::new(stream, selection, privacy, zone)),
        }
    }

    /// Adds a value to the row that is being filled; values come in the order of the selection. False if it is not of
    /// its field's type and became null.
    #[inline]
    pub(crate) fn push(&mut self, column: usize, value: Value<'_>, buffer: &mut String) -> bool {
        match self {
            Self::Columns(columns) => columns.push(column, value, buffer),
            Self::Texts(texts) => texts.push(column, value, buffer),
        }
    }

    /// Adds an integer that has been converted already.
    #[inline]
    pub(crate) fn push_integer(&mut self, column: usize, value: i64) -> bool {
        match self {
            Self::Columns(columns) => columns.push_integer(column, value),
            Self::Texts(texts) => return texts.push_integer(value),
        }
        true
    }

    /// Adds a timestamp that has been converted already.
    #[inline]
    pub(crate) fn push_timestamp(
        &mut self,
        column: usize,
        value: Value<'_>,
        converted: Converted<Timestamp>,
    ) -> bool {
        match self {
            Self::Columns(columns) => columns.push_timestamp(column, converted),
            Self::Texts(texts) => texts.push_timestamp(value, converted),
        }
    }

    /// Ends a row: its unknown fields as one JSON object, and which of its values became null.
    ///
    /// # Errors
    /// `System`: the batch is too large, which is a fault of this program.
    #[inline]
    pub(crate) fn end_row(&mut self, extra: Option<&str>, nulled: u64) -> Result<()> {
        match self {
            Self::Columns(columns) => columns.end_row(extra, nulled),
            Self::Texts(texts) => return texts.end_row(extra, nulled),
        }
        Ok(())
    }

    /// True if the batch has enough rows, or enough text.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Columns(columns) => columns.is_full(),
            Self::Texts(texts) => texts.is_full(),
        }
    }

    /// True if no row has been added since the last batch.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Columns(columns) => columns.is_empty(),
            Self::Texts(texts) => texts.is_empty(),
        }
    }

    /// The rows so far as a batch; there are none afterwards.
    ///
    /// # Errors
    /// `System`: the batch cannot be built, which is a fault of this program.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch> {
        match self {
            Self::Columns(columns) => columns.finish(),
            Self::Texts(texts) => texts.finish(),
        }
    }
}
