//! The table's log, through the Delta project's own kernel: which files there are, what is noted, and the
//! commit of a change.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use delta_kernel::committer::FileSystemCommitter;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::scan::state::ScanFile;
use delta_kernel::transaction::create_table::create_table;
use delta_kernel::transaction::{CommitResult, CommittedTransaction, UpdateTableOperation};
use delta_kernel::{EngineData, FilteredEngineData, KernelError, Snapshot, SnapshotRef};
use delta_kernel_default_engine::executor::tokio::TokioMultiThreadExecutor;
use delta_kernel_default_engine::{DefaultEngine, DefaultEngineBuilder};
use object_store::path::Path;
use url::Url;

use super::committer::Commit;
use super::note::{DOMAIN, Note};
use super::recover;
use super::{actions, columns};
use crate::error::{Error, Kind, Result};
use crate::export::mask::Mask;
use crate::export::mode::TableMode;
use crate::export::parquet::Written;
use crate::log::Log as Messages;
use crate::model::Stream;
use crate::model::arrow::VALID_FROM;
use crate::store::{Store, kind_among};

/// What commits say of who made them.
const ENGINE: &str = concat!("kometsales/", env!("CARGO_PKG_VERSION"));

/// Commits after which the log is summed up in a checkpoint.
const CHECKPOINT: u64 = 10;

/// A table's folder, and what reads and writes its log.
pub(in crate::export) struct Log {
    pub(super) store: Store,
    pub(super) folder: Path,
    pub(super) stream: &'static Stream,
    pub(super) root: Url,
    pub(super) engine: DefaultEngine<TokioMultiThreadExecutor>,
}

/// One version of a table.
pub(in crate::export) struct Version {
    pub(super) snapshot: SnapshotRef,
    /// What was noted; `None` if this program did not write the table.
    pub(in crate::export) note: Option<Note>,
    /// Whether anything in the log names this program.
    pub(super) is_ours: bool,
    /// What is missing from the log, if anything is: its rows are not to be trusted.
    pub(super) damage: Option<String>,
    /// The files that readers of this version read.
    pub(in crate::export) files: Vec<Live>,
    /// The same as the kernel gave them, which is how it takes them back to be removed.
    listed: Vec<(Box<dyn EngineData>, Vec<bool>)>,
}

/// A file of a version.
pub(in crate::export) struct Live {
    pub(in crate::export) path: Path,
    pub(in crate::export) bytes: u64,
    /// Its rows less those marked as deleted; `None` if the log does not say.
    pub(in crate::export) rows: Option<u64>,
    /// The smallest and the greatest key, if the log says.
    pub(in crate::export) keys: Option<(i64, i64)>,
    /// For each row whether it is still there; rows behind the last are.
    pub(in crate::export) still_there: Option<Vec<bool>>,
    /// What its rows are read as.
    pub(super) mask: Option<Arc<Mask>>,
    /// Its index in what the kernel gave.
    place: (usize, usize),
}

/// What a commit changes.
pub(super) struct Change<'a> {
    pub(super) note: Note,
    pub(super) added: &'a [Written],
    /// Positions in [`Version::files`].
    pub(super) removed: Vec<usize>,
    /// Columns that the table does not get.
    pub(super) left_out: Vec<String>,
    /// What the commit says of it.
    pub(super) metrics: Vec<(&'static str, u64)>,
}

/// What came of a commit.
pub(super) enum Committed {
    /// It is this version.
    As(u64),
    /// Somebody else's commit was first.
    Conflict,
    /// It failed, and it is not there: it was never sent, or every answer was a refusal.
    Refused(Error),
}

impl Log {
    pub(in crate::export) fn new(store: Store, folder: Path, stream: &'static Stream) -> Self {
        let executor = Arc::new(TokioMultiThreadExecutor::new(store.handle()));
        let engine =
            DefaultEngineBuilder::new(store.objects()).with_task_executor(executor).build();
        let root = store.folder_url(&folder);
        Self { store, folder, stream, root, engine }
    }

    /// Where the table is, as people write it.
    pub(in crate::export) fn place(&self) -> String {
        self.store.shown(&self.folder)
    }

    /// The newest version; `None` if there is no table.
    ///
    /// # Errors
    /// `Config`: it cannot be read. `Transient`: not now.
    pub(in crate::export) fn load(&self) -> Result<Option<Version>> {
        let listed = match self.store.list(&self.folder.clone().join("_delta_log")) {
            Ok(listed) if listed.is_empty() => return Ok(None),
            listed => listed?,
        };
        let mut version = self.load_version().map_err(|error| self.explain("read", error))?;
        if version.note.is_none() {
            let traces = recover::traces(&self.store, &self.folder, self.stream, &listed)?;
            version.is_ours |= traces.is_ours;
            version.note = traces.note;
        }
        version.damage = match recover::emptied(&listed) {
            Some(number) => Some(format!("commit {number} holds nothing")),
            None => version.lost_rows(),
        };
        Ok(Some(version))
    }

    fn load_version(&self) -> Result<Version, KernelError> {
        let snapshot = Snapshot::builder_for(self.root.as_str()).build(&self.engine)?;
        let note = snapshot.get_domain_metadata(DOMAIN, &self.engine)?;
        let note = note.map(|text| Note::from_json(&text, self.stream, &self.place()));
        let note =
            note.transpose().map_err(|error| KernelError::GenericError { source: error.into() })?;
        let is_ours =
            note.is_some() || snapshot.get_app_id_version(DOMAIN, &self.engine)?.is_some();
        let (mut files, mut listed) = (Vec::new(), Vec::new());
        let scan = snapshot.clone().scan_builder().build()?;
        for metadata in scan.scan_metadata(&self.engine)? {
            let metadata = metadata?;
            let found = metadata.visit_scan_files(Vec::new(), |found, file| found.push(file))?;
            let (data, selected) = metadata.scan_files.into_parts();
            let rows = (0..data.len()).filter(|row| selected.get(*row).copied().unwrap_or(true));
            for (row, file) in rows.zip(found) {
                files.push(self.live(&file, (listed.len(), row), data.as_ref())?);
            }
            listed.push((data, selected));
        }
        Ok(Version { snapshot, note, is_ours, damage: None, files, listed })
    }

    fn live(
        &self,
        file: &ScanFile,
        place: (usize, usize),
        data: &dyn EngineData,
    ) -> Result<Live, KernelError> {
        let url = self.root.join(&file.path)?;
        let deleted = file.dv_info.cardinality()?.unwrap_or_default();
        Ok(Live {
            path: Path::from_url_path(url.path())?,
            bytes: u64::try_from(file.size).unwrap_or_default(),
            rows: file.stats.as_ref().map(|stats| stats.num_records.saturating_sub(deleted)),
            keys: keys(data, place.1, self.stream),
            still_there: file.dv_info.get_selection_vector(&self.engine, &self.root)?,
            mask: None,
            place,
        })
    }

    /// What the kernel would say of a change to a version: it refuses what it cannot write when the change is begun.
    ///
    /// # Errors
    /// `Config`: it cannot be written.
    pub(super) fn is_partitioned(&self, version: &Version) -> Result<bool> {
        let trial = version
            .snapshot
            .clone()
            .update_table(UpdateTableOperation::Write, ENGINE, true)
            .build(&self.engine, Box::new(FileSystemCommitter::new()))
            .map_err(|error| self.explain("written", error))?;
        Ok(!trial.logical_partition_columns().is_empty())
    }

    /// Commits a change to a version, or the first version of a table.
    ///
    /// # Errors
    /// `Transient`: whether it was committed is not known. `Config`: it cannot be.
    pub(super) fn commit(
        &self,
        version: Option<Version>,
        change: &Change<'_>,
        messages: &dyn Messages,
    ) -> Result<Committed> {
        let number = version.as_ref().map_or(0, |version| version.number() + 1);
        let commit = self.folder.clone().join("_delta_log").join(format!("{number:020}.json"));
        let done = match version {
            None => self.create(change),
            Some(version) => self.update(version, change),
        };
        let done = match done {
            Ok(Some(done)) => done,
            Ok(None) => return Ok(Committed::Conflict),
            Err(error) if !self.store.may_be_there(&commit) => {
                return Ok(Committed::Refused(self.explain("written", error)));
            }
            // It may have been committed after all. Whatever else is there says nothing of that.
            Err(error) => match self.load() {
                Ok(Some(there)) if there.is_of(&change.note.run) => {
                    return Ok(Committed::As(there.number()));
                }
                _ => return Err(self.explain("written", error)),
            },
        };
        self.sum_up(&done, messages);
        Ok(Committed::As(done.commit_version()))
    }

    fn create(&self, change: &Change<'_>) -> Result<Option<CommittedTransaction>, KernelError> {
        // The kernel wants the folder of a table of this machine to be there.
        self.store.make_folder(&self.folder);
        let schema = columns::schema(change.note.table_mode, self.stream, &change.left_out)?;
        let columns = change.note.table_mode.schema(self.stream);
        let note = change.note.to_json(self.stream).to_string();
        let transaction = create_table(self.root.as_str(), schema, ENGINE, true)
            .with_table_properties([("delta.feature.domainMetadata", "supported")])
            .with_domain_metadata(DOMAIN, note)
            .with_transaction_id(DOMAIN, 0)
            .with_operation_metrics(metrics(change))
            .build(&self.engine, Box::new(Commit::first(self.stream)));
        let mut transaction = match transaction {
            Ok(transaction) => transaction,
            // Nothing has been sent yet: somebody else was first.
            Err(error) if is_there_already(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let context = transaction.write_state()?.write_context_builder().build()?;
        for file in change.added {
            transaction.add_files(actions::add(file, &self.root, &columns, &context)?);
        }
        match transaction.commit(&self.engine)? {
            CommitResult::Committed(done) => Ok(Some(done)),
            CommitResult::Conflicted(_) => Ok(None),
            CommitResult::Retryable(failed) => Err(failed.error),
        }
    }

    fn update(
        &self,
        version: Version,
        change: &Change<'_>,
    ) -> Result<Option<CommittedTransaction>, KernelError> {
        let Version { snapshot, files, listed, .. } = version;
        let operation = match change.note.mode {
            TableMode::Merge | TableMode::History => UpdateTableOperation::Merge,
            TableMode::Append | TableMode::Overwrite => UpdateTableOperation::Write,
        };
        let last = snapshot.get_app_id_version(DOMAIN, &self.engine)?.unwrap_or_default();
        let mode = change.note.table_mode;
        let columns = mode.schema(self.stream);
        let note = change.note.to_json(self.stream).to_string();
        let mut builder = snapshot
            .clone()
            .update_table(operation, ENGINE, true)
            .with_domain_metadata(DOMAIN, note)
            .with_transaction_id(DOMAIN, last + 1)
            .with_operation_metrics(metrics(change));
        // A note alone needs no new column, with which an older program would refuse the table.
        if !change.added.is_empty() {
            for field in columns::missing(&snapshot.schema(), mode, self.stream, &change.left_out)?
            {
                builder = builder.add_column(field);
            }
        }
        let mut transaction = builder.build(&self.engine, Box::new(Commit::next()))?;
        let context = transaction.write_state()?.write_context_builder().build()?;
        for file in change.added {
            transaction.add_files(actions::add(file, &self.root, &columns, &context)?);
        }
        for (number, (data, _)) in listed.into_iter().enumerate() {
            let mut removed = vec![false; data.len()];
            for file in change.removed.iter().filter_map(|file| files.get(*file)) {
                if file.place.0 == number {
                    removed[file.place.1] = true;
                }
            }
            if removed.contains(&true) {
                transaction.remove_files(FilteredEngineData::try_new(data, removed)?);
            }
        }
        match transaction.commit(&self.engine)? {
            CommitResult::Committed(done) => Ok(Some(done)),
            CommitResult::Conflicted(_) => Ok(None),
            CommitResult::Retryable(failed) => Err(failed.error),
        }
    }

    /// Writes a checkpoint where it is time for one. The table is whole without it.
    fn sum_up(&self, done: &CommittedTransaction, messages: &dyn Messages) {
        if done.post_commit_stats().commits_since_checkpoint < CHECKPOINT {
            return;
        }
        let Some(snapshot) = done.post_commit_snapshot() else { return };
        if let Err(error) = snapshot.checkpoint(&self.engine, None) {
            let error = self.explain("summed up", error);
            messages.warn(&format!("The rows are committed, but no checkpoint of the table's log could be written: {error}"));
        }
    }

    pub(super) fn explain(&self, verb: &str, error: KernelError) -> Error {
        match error {
            KernelError::Backtraced { source, .. } => self.explain(verb, *source),
            KernelError::ObjectStore(error) => self.store.explain(&self.folder, error),
            KernelError::GenericError { source } => match source.downcast::<Error>() {
                Ok(error) => *error,
                Err(source) => self.explain(verb, KernelError::Generic(source.to_string())),
            },
            KernelError::FileNotFound(path) => Error::config(format!(
                "The table at {} cannot be {verb}: {path} is missing. Restore it, or export to another place.",
                self.place()
            )),
            error if kind_among(&error) == Some(Kind::Transient) => Error::transient(format!(
                "The table at {} cannot be {verb} now: {}. Run again.",
                self.place(),
                self.store.redact(&error.to_string())
            )),
            error => {
                let cause = self.store.redact(&error.to_string());
                Error::config(format!(
                    "The table at {} cannot be {verb}: {}. Repair it with the tool that changed it, or export to another place.",
                    self.place(),
                    cause.trim_end_matches('.')
                ))
            }
        }
    }
}

impl Version {
    /// Its number.
    pub(in crate::export) fn number(&self) -> u64 {
        self.snapshot.version()
    }

    /// Whether it has the columns of a history.
    pub(super) fn is_history(&self) -> bool {
        self.snapshot.schema().field(VALID_FROM).is_some()
    }

    /// What its rows say against the note of the commit that made this version.
    fn lost_rows(&self) -> Option<String> {
        let made = self.note.as_ref()?.made.filter(|made| made.version == self.number())?;
        let rows = self.files.iter().map(|file| file.rows).sum::<Option<u64>>()?;
        (rows != made.rows)
            .then(|| format!("it leads to {rows} rows, and its last commit left {}", made.rows))
    }

    fn is_of(&self, run: &str) -> bool {
        self.note.as_ref().is_some_and(|note| note.run == run)
    }
}

fn is_there_already(error: &KernelError) -> bool {
    match error {
        KernelError::Backtraced { source, .. } => is_there_already(source),
        error => matches!(error, KernelError::TableAlreadyExistsAtPath(_)),
    }
}

fn metrics(change: &Change<'_>) -> Vec<(String, Option<String>)> {
    let metric = |(name, value): &(&str, u64)| ((*name).to_owned(), Some(value.to_string()));
    change.metrics.iter().map(metric).collect()
}

/// The smallest and the greatest key that the log notes of a file.
fn keys(data: &dyn EngineData, row: usize, stream: &Stream) -> Option<(i64, i64)> {
    let batch = data.any_ref().downcast_ref::<ArrowEngineData>()?.record_batch();
    let statistics = batch.column_by_name("stats")?.as_string_opt::<i32>()?;
    let statistics: serde_json::Value = serde_json::from_str(statistics.value(row)).ok()?;
    let of = |bound: &str| statistics[bound][stream.key().name].as_i64();
    Some((of("minValues")?, of("maxValues")?))
}
