//! Rows on their way into files: whoever has rows hands them to a thread, which gathers them into row
//! groups, encodes and uploads them.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use object_store::path::Path;
use parquet::arrow::arrow_writer::ArrowRowGroupWriterFactory;
use parquet::arrow::{ArrowSchemaConverter, PARQUET_FIELD_ID_META_KEY};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::writer::SerializedFileWriter;

use super::encoding::{self, fault};
use super::hash::{self, Hashed};
use super::jobs::Jobs;
use super::layout::{Layout, Names};
use super::row_group::RowGroup;
use super::statistics::{Column, columns};
use crate::error::{Error, Result};
use crate::model::Stream;
use crate::model::arrow::field_id;
use crate::store::{Store, Upload};

/// Batches that wait while a row group is encoded, so that the reply is decoded meanwhile. What the row group needs becomes less
/// while they come.
const MAX_WAITING_BATCHES: usize = 3;

/// Bytes of a file of a table, after which the next one begins.
const TARGET_FILE_BYTES: usize = 64 * 1024 * 1024;

/// Threads that decode and encode on a machine that has them; a third one encodes where there is a third core.
const OWN_THREADS: usize = 2;

/// Between two looks whether the thread takes rows again.
const POLL: Duration = Duration::from_micros(500);

/// A file that has been written.
#[derive(Debug)]
pub(in crate::export) struct Written {
    pub(in crate::export) path: Path,
    pub(in crate::export) bytes: u64,
    pub(in crate::export) rows: u64,
    pub(in crate::export) columns: Vec<Column>,
}

/// Files that have been uploaded. Unless they are [kept](Uploaded::keep), they are removed again.
pub(in crate::export) struct Uploaded {
    store: Store,
    pub(in crate::export) files: Vec<Written>,
}

/// Takes rows and makes files of them. Dropped before it is finished, it leaves none.
pub(in crate::export) struct Files {
    work: Option<Work>,
}

struct Work {
    orders: SyncSender<Order>,
    /// What whoever has rows may do meanwhile, where the thread does not take them yet.
    jobs: Jobs,
    thread: JoinHandle<Result<Uploaded>>,
}

enum Order {
    Take(RecordBatch),
    Finish,
}

impl Uploaded {
    /// Nothing yet.
    pub(in crate::export) fn none(store: Store) -> Self {
        Self { store, files: Vec::new() }
    }

    /// They stay where they are.
    pub(in crate::export) fn keep(mut self) -> Vec<Written> {
        std::mem::take(&mut self.files)
    }
}

impl Drop for Uploaded {
    fn drop(&mut self) {
        // Where this program fails in the midst of a commit, they may be committed already.
        if !self.files.is_empty() && !std::thread::panicking() {
            self.store.remove(self.files.drain(..).map(|file| file.path).collect());
        }
    }
}

impl Files {
    /// No files yet: the first one begins with the first row. `layout.names` of [`Names::One`] always
    /// give one, of no rows if need be.
    ///
    /// # Errors
    /// `System`: no thread can be started.
    pub(in crate::export) fn new(layout: Layout) -> Result<Self> {
        let (orders, received) = sync_channel(MAX_WAITING_BATCHES);
        let jobs = Jobs::default();
        let own = jobs.clone();
        let thread = std::thread::Builder::new()
            .name("parquet".into())
            .spawn(move || Encoder::new(layout, own).work(&received))
            .map_err(|error| {
                Error::system(format!("A thread could not be started: {error}. Run again."))
                    .caused_by(error)
            })?;
        Ok(Self { work: Some(Work { orders, jobs, thread }) })
    }

    /// Takes rows of the layout's schema.
    ///
    /// # Errors
    /// `Config`, `System` or `Transient`: the files cannot be written.
    pub(in crate::export) fn push(&mut self, batch: RecordBatch) -> Result<()> {
        self.order(Order::Take(batch))
    }

    /// Takes rows, as [`push`](Self::push), but not if that takes longer than `patience`: then it gives false.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(in crate::export) fn offer(
        &mut self,
        batch: RecordBatch,
        patience: Duration,
    ) -> Result<bool> {
        let started = Instant::now();
        let mut order = Order::Take(batch);
        loop {
            let Some(work) = &self.work else { return self.end().map(|_| false) };
            match work.orders.try_send(order) {
                Ok(()) => return Ok(true),
                Err(TrySendError::Full(_)) if started.elapsed() >= patience => return Ok(false),
                Err(TrySendError::Full(back)) => order = back,
                Err(TrySendError::Disconnected(_)) => return self.end().map(|_| false),
            }
            if !work.jobs.help() {
                std::thread::sleep(POLL);
            }
        }
    }

    fn order(&mut self, mut order: Order) -> Result<()> {
        while let Some(Work { orders, jobs, .. }) = &self.work {
            match orders.try_send(order) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Disconnected(_)) => break,
                Err(TrySendError::Full(back)) => order = back,
            }
            if !jobs.help() {
                if orders.send(order).is_ok() {
                    return Ok(());
                }
                break;
            }
        }
        // The thread ends before its time only with an error.
        self.end().map(|_| ())
    }

    /// Ends the last file, and gives all of them.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(in crate::export) fn finish(mut self) -> Result<Uploaded> {
        self.order(Order::Finish)?;
        self.end()
    }

    fn end(&mut self) -> Result<Uploaded> {
        let died = || Error::bug("A thread died");
        let Work { orders, jobs, thread } = self.work.take().ok_or_else(died)?;
        drop(orders);
        jobs.help_to_the_end();
        thread.join().map_err(|_| died())?
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        // The thread removes what it had written when it sees that nothing more comes.
        let _ = self.end();
    }
}

/// What the thread works with.
struct Encoder {
    layout: Layout,
    jobs: Jobs,
    gathered: RowGroup,
    file: Option<OpenFile>,
    done: Uploaded,
}

struct OpenFile {
    path: Path,
    writer: SerializedFileWriter<Hashed<Upload>>,
    columns: ArrowRowGroupWriterFactory,
}

impl Encoder {
    fn new(layout: Layout, jobs: Jobs) -> Self {
        let done = Uploaded::none(layout.store.clone());
        Self { layout, jobs, gathered: RowGroup::default(), file: None, done }
    }

    /// Takes orders to the end, with a helper where the machine has a core for one.
    fn work(self, orders: &Receiver<Order>) -> Result<Uploaded> {
        let cores = std::thread::available_parallelism().map_or(OWN_THREADS, usize::from);
        let jobs = self.jobs.clone();
        std::thread::scope(|scope| {
            let _closing = jobs.close_when_dropped();
            if cores > OWN_THREADS {
                scope.spawn(|| jobs.help_to_the_end());
            }
            self.run(orders)
        })
    }

    fn run(mut self, orders: &Receiver<Order>) -> Result<Uploaded> {
        for order in orders {
            self.layout.store.interrupt().check()?;
            match order {
                Order::Take(batch) => {
                    self.gathered.push(self.layout.columns_of(batch)?);
                    if self.gathered.is_full() {
                        self.encode()?;
                    }
                }
                Order::Finish => {
                    self.encode()?;
                    if self.file.is_none() && matches!(self.layout.names, Names::One(_)) {
                        let empty = RecordBatch::new_empty(self.layout.schema.clone());
                        self.file = Some(self.open(&empty)?);
                    }
                    self.close()?;
                    return Ok(self.done);
                }
            }
        }
        Err(Error::system("The files were given up before they were finished."))
    }

    fn encode(&mut self) -> Result<()> {
        let group = std::mem::take(&mut self.gathered);
        let Some(first) = group.first() else { return Ok(()) };
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.open(first)?,
        };
        let key = self.layout.schema.index_of(self.layout.stream.key().name);
        let key = key.map_err(|error| fault(error.into()))?;
        let written = file.write(group, key, &self.layout.schema, &self.jobs);
        let size = file.writer.bytes_written();
        if let Err(error) = written {
            return Err(file.explain(error));
        }
        self.file = Some(file);
        if size >= TARGET_FILE_BYTES && matches!(self.layout.names, Names::Many(..)) {
            self.close()?;
        }
        Ok(())
    }

    fn open(&self, first: &RecordBatch) -> Result<OpenFile> {
        let Layout { store, stream, schema, footer, names } = &self.layout;
        let path = names.name(self.done.files.len());
        let properties = encoding::properties(stream, first, footer)?;
        let upload = Hashed::new(Upload::new(store, path.clone()));
        let opened = ArrowSchemaConverter::new()
            .convert(&numbered(schema, stream))
            .and_then(|columns| {
                SerializedFileWriter::new(upload, columns.root_schema_ptr(), properties.into())
            })
            .map_err(fault)?;
        let columns = ArrowRowGroupWriterFactory::new(&opened, schema.clone());
        Ok(OpenFile { path, writer: opened, columns })
    }

    /// Ends the file that is open, if there is one.
    fn close(&mut self) -> Result<()> {
        let Some(mut file) = self.file.take() else { return Ok(()) };
        let metadata = match file.end() {
            Ok(metadata) => metadata,
            Err(error) => return Err(file.explain(error)),
        };
        let bytes = file.writer.inner_mut().inner_mut().finish()?;
        self.done.files.push(Written {
            path: file.path,
            bytes,
            rows: u64::try_from(metadata.file_metadata().num_rows()).unwrap_or_default(),
            columns: columns(&metadata),
        });
        Ok(())
    }
}

/// The schema with the number of each column, as Parquet and Iceberg know it.
fn numbered(schema: &Schema, stream: &Stream) -> Schema {
    let fields = schema.fields().iter().map(|field| {
        let id = field_id(stream, field.name());
        let id = id.map(|id| (PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string()));
        field.as_ref().clone().with_metadata(HashMap::from_iter(id))
    });
    Schema::new(fields.collect::<Vec<_>>())
}

impl OpenFile {
    fn write(
        &mut self,
        group: RowGroup,
        key: usize,
        schema: &SchemaRef,
        jobs: &Jobs,
    ) -> Result<(), ParquetError> {
        let number = self.writer.flushed_row_groups().len();
        let writers = self.columns.create_column_writers(number)?;
        let chunks = group.encode(schema, key, writers, jobs)?;
        let mut row_group = self.writer.next_row_group()?;
        for chunk in chunks {
            chunk.append_to_row_group(&mut row_group)?;
        }
        row_group.close()?;
        Ok(())
    }

    /// Writes the footer, with the hash of everything before it.
    fn end(&mut self) -> Result<ParquetMetaData, ParquetError> {
        self.writer.flush()?;
        let entry = self.writer.inner().entry();
        self.writer.append_key_value_metadata(KeyValue::new(hash::KEY.to_owned(), entry));
        self.writer.finish()
    }

    /// Why it could not be written: what the upload says, where it says something.
    fn explain(&self, error: ParquetError) -> Error {
        self.writer.inner().inner().failure().take().unwrap_or_else(|| fault(error))
    }
}
