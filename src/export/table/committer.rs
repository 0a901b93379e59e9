//! The first commit of a table is written as older readers take it, and with the names that catalogs show.
//! The kernel gives a new table reader version 3 without any reader feature. Reader version 1 says the same
//! (Delta protocol, "Protocol Evolution"), and is read by everything that reads Delta.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, Int32Array, RecordBatch, StringArray, StructArray, new_null_array};
use arrow_schema::ArrowError;
use delta_kernel::committer::{
    CommitMetadata, CommitResponse, Committer, FileSystemCommitter, PublishMetadata,
};
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::{Engine, FilteredEngineData, KernelResult, KernelResultIterator};

use crate::model::Stream;

/// The oldest version that a reader has to know to read a table.
const READER_VERSION: i32 = 1;

/// Commits the first version of a table.
pub(super) struct FirstCommit {
    kernel: FileSystemCommitter,
    stream: &'static Stream,
}

impl FirstCommit {
    /// That of a stream's table.
    pub(super) fn of(stream: &'static Stream) -> Self {
        Self { kernel: FileSystemCommitter::new(), stream }
    }
}

impl Committer for FirstCommit {
    fn commit(
        &self,
        engine: &dyn Engine,
        actions: KernelResultIterator<'_, FilteredEngineData>,
        metadata: CommitMetadata,
    ) -> KernelResult<CommitResponse> {
        let described = actions.map(|action| {
            let (data, selected) = action?.into_parts();
            let batch = ArrowEngineData::try_from_engine_data(data)?.record_batch().clone();
            let batch = described(batch, self.stream)?;
            FilteredEngineData::try_new(Box::new(ArrowEngineData::new(batch)), selected)
        });
        self.kernel.commit(engine, Box::new(described), metadata)
    }

    fn is_catalog_committer(&self) -> bool {
        self.kernel.is_catalog_committer()
    }

    fn publish(&self, engine: &dyn Engine, metadata: PublishMetadata) -> KernelResult<()> {
        self.kernel.publish(engine, metadata)
    }
}

/// An action with the reader version, the name and the description of the table, where it is the one that
/// has them.
fn described(batch: RecordBatch, stream: &Stream) -> Result<RecordBatch, ArrowError> {
    let text = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
    let batch = with_members(batch, "protocol", |name, member| match name {
        "minReaderVersion" => Some(Arc::new(Int32Array::from(vec![READER_VERSION]))),
        "readerFeatures" => Some(new_null_array(member.data_type(), 1)),
        _ => None,
    })?;
    with_members(batch, "metaData", |name, _| match name {
        "name" => Some(text(stream.name)),
        "description" => Some(text(stream.documentation)),
        _ => None,
    })
}

/// A batch of one action with other members, where it is an action of this kind.
fn with_members(
    batch: RecordBatch,
    kind: &str,
    other: impl Fn(&str, &ArrayRef) -> Option<ArrayRef>,
) -> Result<RecordBatch, ArrowError> {
    let Some((position, _)) = batch.schema_ref().column_with_name(kind) else { return Ok(batch) };
    let (fields, members, nulls) = batch.column(position).as_struct().clone().into_parts();
    let members = fields.iter().zip(members);
    let members = members.map(|(field, member)| other(field.name(), &member).unwrap_or(member));
    let members = StructArray::try_new(fields.clone(), members.collect(), nulls)?;
    let mut columns = batch.columns().to_vec();
    columns[position] = Arc::new(members);
    RecordBatch::try_new(batch.schema(), columns)
}
