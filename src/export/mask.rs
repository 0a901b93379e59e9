//! What becomes of the rows of a table whose fields are left out or hashed from now on: a view of its files.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, new_null_array};
use arrow_schema::ArrowError;

use crate::secret::Hasher;

/// Characters of a hash.
const DIGITS: usize = 64;

/// Which columns become null, and which are hashed.
#[derive(Debug, Default)]
pub(in crate::export) struct Mask {
    pub(in crate::export) excluded: BTreeSet<&'static str>,
    pub(in crate::export) hashed: BTreeMap<&'static str, Hasher>,
}

impl Mask {
    /// Whether nothing changes.
    pub(in crate::export) fn is_empty(&self) -> bool {
        self.excluded.is_empty() && self.hashed.is_empty()
    }

    /// Rows as they are from now on. A null stays null.
    ///
    /// # Errors
    /// A column that must be hashed is no text, or one that may not be null is left out.
    pub(in crate::export) fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns()).map(|(field, column)| {
            let name = field.name().as_str();
            if self.excluded.contains(name) {
                return Ok(new_null_array(field.data_type(), column.len()));
            }
            match self.hashed.get(name) {
                Some(hasher) => hashed(column, hasher),
                None => Ok(column.clone()),
            }
        });
        RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
    }
}

fn hashed(column: &ArrayRef, hasher: &Hasher) -> Result<ArrayRef, ArrowError> {
    let Some(texts) = column.as_string_opt::<i32>() else {
        return Err(ArrowError::SchemaError("a column that is hashed is no text".to_owned()));
    };
    let mut hashes = StringBuilder::with_capacity(texts.len(), texts.len() * DIGITS);
    let mut digits = String::with_capacity(DIGITS);
    for text in texts {
        let Some(text) = text else {
            hashes.append_null();
            continue;
        };
        digits.clear();
        hasher.append_hash(text, &mut digits);
        hashes.append_value(&digits);
    }
    Ok(Arc::new(hashes.finish()))
}
