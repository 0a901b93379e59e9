//! Reading Parquet files back, ours and those that other programs made of them.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{RecordBatch, new_null_array};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{DataType, Schema, SchemaRef, TimeUnit};
use futures_util::StreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder};
use parquet::basic::Type as PhysicalType;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;

use super::hash;
use super::object::Object;
use crate::error::{Error, Result};
use crate::export::mask::Mask;
use crate::store::Store;

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

/// Bytes that are read at once to be verified.
const VERIFIED_BYTES: u64 = 4 * 1024 * 1024;

/// A Parquet file whose footer has been read.
pub(in crate::export) struct Reader {
    store: Store,
    path: Path,
    file: Object,
    metadata: ArrowReaderMetadata,
    mask: Option<Arc<Mask>>,
}

/// The rows of one row group, batch by batch.
pub(in crate::export) struct Rows<'a> {
    reader: &'a Reader,
    schema: SchemaRef,
    stream: ParquetRecordBatchStream<Object>,
}

impl Reader {
    /// Reads the footer of a file of this many bytes.
    ///
    /// # Errors
    /// `Config`: it is no Parquet file. `Transient`: it cannot be read now.
    pub(in crate::export) fn open(store: &Store, path: &Path, bytes: u64) -> Result<Self> {
        let mut file = Object { objects: store.objects(), path: path.clone(), bytes };
        // What another program noted of Arrow types is left aside: the columns' own types decide.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = store
            .until_done(ArrowReaderMetadata::load_async(&mut file, options))?
            .and_then(in_microseconds)
            .map_err(|error| explain(store, path, error))?;
        Ok(Self { store: store.clone(), path: path.clone(), file, metadata, mask: None })
    }

    /// The same file, whose rows are read as they are under a mask.
    pub(in crate::export) fn masked(self, mask: Option<Arc<Mask>>) -> Self {
        Self { mask, ..self }
    }

    /// The footer.
    pub(in crate::export) fn metadata(&self) -> &Arc<ParquetMetaData> {
        self.metadata.metadata()
    }

    /// How many rows it holds.
    pub(in crate::export) fn rows(&self) -> u64 {
        u64::try_from(self.metadata().file_metadata().num_rows()).unwrap_or_default()
    }

    /// Proves that the bytes before the footer are those that were written, before rows are copied out of them. A file
    /// without a hash, as other programs and older versions made it, is taken as it is. `instead` is what the user
    /// may do where the file cannot be restored.
    ///
    /// # Errors
    /// `Config`: they are not. `Transient`: they cannot be read now.
    pub(in crate::export) fn verify(&self, instead: &str) -> Result<()> {
        let entries = self.metadata().file_metadata().key_value_metadata();
        let entry = entries.into_iter().flatten().find(|entry| entry.key == hash::KEY);
        let Some(noted) = entry.and_then(|entry| entry.value.as_ref()) else { return Ok(()) };
        let Some(bytes) = hash::bytes(noted).filter(|bytes| *bytes <= self.file.bytes) else {
            return Ok(());
        };
        let mut running = hash::Running::new();
        let mut from = 0;
        while from < bytes {
            let range = from..bytes.min(from + VERIFIED_BYTES);
            from = range.end;
            let read = self.store.objects();
            let piece = async { read.get_range(&self.path, range).await };
            running.take(&self.store.wait(&self.path, piece)?);
        }
        if running.entry() == *noted {
            return Ok(());
        }
        Err(Error::config(format!(
            "{} is damaged: its bytes are not those that were written. Restore the file, or {instead}.",
            self.store.shown(&self.path)
        )))
    }

    /// The smallest and the greatest value of a whole-number column in a row group, if the footer says.
    pub(in crate::export) fn bounds(&self, group: usize, column: &str) -> Option<(i64, i64)> {
        let group = self.metadata().row_group(group);
        let columns = group.columns().iter();
        let mut found = columns.filter(|chunk| chunk.column_path().string() == column);
        match found.next()?.statistics()? {
            Statistics::Int64(values) => Some((*values.min_opt()?, *values.max_opt()?)),
            _ => None,
        }
        .filter(|(least, most)| least <= most)
    }

    /// The rows of a row group with the columns of `schema`, whichever of them the file has: what it does
    /// not have is null.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(in crate::export) fn read(&self, group: usize, schema: &SchemaRef) -> Result<Rows<'_>> {
        let descriptor = self.metadata().file_metadata().schema_descr();
        let names = schema.fields().iter().map(|field| field.name().as_str());
        let stream = ParquetRecordBatchStreamBuilder::new_with_metadata(
            self.file.clone(),
            self.metadata.clone(),
        )
        .with_projection(ProjectionMask::columns(descriptor, names))
        .with_row_groups(vec![group])
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|error| explain(&self.store, &self.path, error))?;
        Ok(Rows { reader: self, schema: schema.clone(), stream })
    }
}

impl Rows<'_> {
    /// The next batch, or `None` after the last.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub(in crate::export) fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let Reader { store, path, mask, .. } = self.reader;
        match store.until_done(self.stream.next())? {
            None => Ok(None),
            Some(Ok(batch)) => conform(&batch, &self.schema)
                .and_then(|rows| mask.as_ref().map_or(Ok(rows.clone()), |mask| mask.apply(&rows)))
                .map(Some)
                .map_err(|error| explain(store, path, error.into())),
            Some(Err(error)) => Err(explain(store, path, error)),
        }
    }
}

/// The old times of Spark and Impala (INT96) as microseconds. The library reads them as nanoseconds, which wrap around
/// before 1677 and after 2262.
fn in_microseconds(metadata: ArrowReaderMetadata) -> Result<ArrowReaderMetadata, ParquetError> {
    let columns = metadata.parquet_schema().columns().iter();
    let old = columns.filter(|column| column.physical_type() == PhysicalType::INT96);
    let old: HashSet<&str> = old.map(|column| column.name()).collect();
    if old.is_empty() {
        return Ok(metadata);
    }
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let fields = metadata.schema().fields().iter().map(|field| {
        let is_old = old.contains(field.name().as_str());
        let field = field.as_ref().clone();
        if is_old { field.with_data_type(micros.clone()) } else { field }
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = ArrowReaderOptions::new().with_schema(schema);
    ArrowReaderMetadata::try_new(metadata.metadata().clone(), options)
}

/// The columns of `schema` out of a batch that may have others, or the same in other types. A value that the type of its
/// column cannot hold is an error, and not null.
fn conform(
    batch: &RecordBatch,
    schema: &SchemaRef,
) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let columns = schema.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        Some(column) if column.data_type() == field.data_type() => Ok(column.clone()),
        Some(column) => cast_with_options(column, field.data_type(), &options),
    });
    RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
}

fn explain(store: &Store, path: &Path, error: ParquetError) -> Error {
    let place = store.shown(path);
    let error = match error {
        ParquetError::External(cause) => match cause.downcast::<object_store::Error>() {
            Ok(stored) if matches!(*stored, object_store::Error::NotFound { .. }) => {
                return store.removed(path);
            }
            Ok(stored) => return store.explain(path, *stored),
            Err(cause) => ParquetError::External(cause),
        },
        error => error,
    };
    Error::config(format!(
        "{place} cannot be read as Parquet: {error}. If it is not what it should be, move it away, and run again."
    ))
}
