//! What files are to be: where, of which columns, and what they are called.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use object_store::path::Path;

use super::encoding::fault;
use crate::error::Result;
use crate::model::Stream;
use crate::model::arrow::{rows_schema, table_schema};
use crate::store::Store;

/// What the files of a run are to be.
#[derive(Clone)]
pub(in crate::export) struct Layout {
    pub(in crate::export) store: Store,
    pub(in crate::export) stream: &'static Stream,
    pub(in crate::export) schema: SchemaRef,
    /// What the footer says beside the product's own entries.
    pub(in crate::export) footer: Vec<(&'static str, String)>,
    pub(in crate::export) names: Names,
}

/// What files are called.
#[derive(Clone)]
pub(in crate::export) enum Names {
    /// There is one, of this name.
    One(Path),
    /// There are as many as the rows need: their folder, and what their names begin with.
    Many(Path, String),
}

impl Layout {
    /// Files that are to be one object, which is replaced.
    pub(in crate::export) fn file(store: Store, path: Path, stream: &'static Stream) -> Self {
        let schema = rows_schema(stream);
        Self { store, stream, schema, footer: Vec::new(), names: Names::One(path) }
    }

    /// Files of a table.
    pub(in crate::export) fn table(
        store: Store,
        folder: Path,
        prefix: String,
        stream: &'static Stream,
    ) -> Self {
        let schema = table_schema(stream);
        Self { store, stream, schema, footer: Vec::new(), names: Names::Many(folder, prefix) }
    }

    /// Leaves out columns, which the rows may have nevertheless.
    pub(in crate::export) fn without(self, names: &[String]) -> Self {
        let fields = self.schema.fields().iter();
        let fields = fields.filter(|field| !names.contains(field.name())).cloned();
        Self { schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())), ..self }
    }

    /// The columns that the files have, of rows that may have more.
    pub(super) fn columns_of(&self, batch: RecordBatch) -> Result<RecordBatch> {
        let fields = self.schema.fields();
        if batch.num_columns() == fields.len() {
            return Ok(batch);
        }
        let own = batch.schema();
        let places: Vec<usize> =
            fields.iter().filter_map(|field| own.index_of(field.name()).ok()).collect();
        batch.project(&places).map_err(|error| fault(error.into()))
    }
}

impl Names {
    pub(super) fn name(&self, number: usize) -> Path {
        match self {
            Self::One(path) => path.clone(),
            Self::Many(folder, prefix) => {
                folder.clone().join(format!("{prefix}-{number:05}.zstd.parquet"))
            }
        }
    }
}
