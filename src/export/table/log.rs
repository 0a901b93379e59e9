//! The table's log, through the Delta project's own kernel: which files there are, and what is noted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{RecordBatch, new_null_array};
use delta_kernel::committer::FileSystemCommitter;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::scan::state::ScanFile;
use delta_kernel::transaction::UpdateTableOperation;
use delta_kernel::{KernelError, Snapshot, SnapshotRef};
use delta_kernel_default_engine::executor::tokio::TokioMultiThreadExecutor;
use delta_kernel_default_engine::{DefaultEngine, DefaultEngineBuilder};
use object_store::path::Path;
use url::Url;

use super::live::Live;
use super::note::{DOMAIN, Note, company_of, domain_of, made_version, restored_by};
use super::recover;
use crate::error::{Error, Kind, Result};
use crate::model::Stream;
use crate::model::arrow::{COMPANY, VALID_FROM};
use crate::store::{Store, kind_among};

/// What commits say of who made them.
pub(super) const ENGINE: &str = concat!("kometsales/", env!("CARGO_PKG_VERSION"));

/// A table's folder, and what reads and writes its log.
pub(in crate::export) struct Log {
    pub(super) store: Store,
    pub(super) folder: Path,
    pub(super) stream: &'static Stream,
    pub(super) root: Url,
    pub(super) engine: Arc<DefaultEngine<TokioMultiThreadExecutor>>,
    /// The company whose part of a table of many it is.
    pub(super) company: Option<String>,
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
    /// The commit by which another program may have put older rows in the place of those of the last export: what was noted is
    /// not what they are, so the note has no cursor then.
    pub(super) restored: Option<u64>,
    /// The files that readers of this version read.
    pub(in crate::export) files: Vec<Live>,
    /// Where the table is that of many companies, what is noted of each.
    pub(super) companies: Option<BTreeMap<String, String>>,
    /// The files as the kernel gave them, which is how it takes them back to be removed, but without their statistics: they
    /// quote the least and the greatest of the texts, and a commit that removes rows must not repeat them.
    pub(super) listed: Vec<RecordBatch>,
}

impl Log {
    pub(in crate::export) fn new(store: Store, folder: Path, stream: &'static Stream) -> Self {
        let executor = Arc::new(TokioMultiThreadExecutor::new(store.handle()));
        let engine =
            DefaultEngineBuilder::new(store.objects()).with_task_executor(executor).build();
        let root = store.folder_url(&folder);
        Self { store, folder, stream, root, engine: Arc::new(engine), company: None }
    }

    /// The part of a company, over a store that ends its waits where that of the company does.
    pub(super) fn of_company(&self, store: Store, company: &str) -> Self {
        Self {
            store,
            folder: self.folder.clone(),
            stream: self.stream,
            root: self.root.clone(),
            engine: self.engine.clone(),
            company: Some(company.to_owned()),
        }
    }

    /// The folder of a company's files.
    pub(super) fn files_of_company(&self, company: Option<&str>) -> Path {
        match company {
            None => self.folder.clone(),
            Some(company) => self.folder.clone().join(format!("{COMPANY}={company}")),
        }
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
        let folder = self.folder.clone().join("_delta_log");
        let mut listed = self.store.list(&folder)?;
        if listed.is_empty() {
            return Ok(None);
        }
        let mut version = self.load_version().map_err(|error| self.explain("read", error))?;
        // Another writer may have committed in between.
        if listed.iter().filter_map(recover::commit_number).max() < Some(version.number()) {
            listed = self.store.list(&folder)?;
        }
        let lost = version.lost_notes();
        if !lost.is_empty() || !version.is_ours {
            let traces = recover::traces(&self.store, &listed, &lost)?;
            version.is_ours |= traces.is_ours;
            for (domain, text) in traces.notes {
                match (company_of(&domain), &mut version.companies) {
                    (None, None) => version.note = Some(self.note(&text)?),
                    (Some(company), Some(notes)) => drop(notes.insert(company.to_owned(), text)),
                    _ => {}
                }
            }
        }
        let restored = recover::restored(&self.store, &listed, version.noted(), version.number())?;
        version.set_restored(restored);
        version.damage = match recover::emptied(&listed) {
            Some(number) => Some(format!("commit {number} holds nothing")),
            None => version.lost_rows(),
        };
        Ok(Some(version))
    }

    fn load_version(&self) -> Result<Version, KernelError> {
        let snapshot = Snapshot::builder_for(self.root.as_str()).build(self.engine.as_ref())?;
        let engine = self.engine.as_ref();
        let is_shared = snapshot.table_configuration().metadata().partition_columns() == [COMPANY];
        let (mut note, mut companies) = (None, None);
        if is_shared {
            let noted = snapshot.get_all_domain_metadata(engine)?;
            let noted = noted.iter().filter_map(|noted| {
                Some((company_of(noted.domain())?.to_owned(), noted.configuration().to_owned()))
            });
            companies = Some(noted.collect::<BTreeMap<String, String>>());
        } else if let Some(text) = snapshot.get_domain_metadata(DOMAIN, engine)? {
            let read = self.note(&text);
            note = Some(read.map_err(|error| KernelError::GenericError { source: error.into() })?);
        }
        let is_ours = note.is_some()
            || companies.as_ref().is_some_and(|notes| !notes.is_empty())
            || snapshot.get_app_id_version(DOMAIN, engine)?.is_some();
        let (mut files, mut listed) = (Vec::new(), Vec::new());
        let scan = snapshot.clone().scan_builder().build()?;
        for metadata in scan.scan_metadata(engine)? {
            let metadata = metadata?;
            let found = metadata.visit_scan_files(Vec::new(), |found, file| found.push(file))?;
            let (data, selected) = metadata.scan_files.into_parts();
            let data = ArrowEngineData::try_from_engine_data(data)?.record_batch().clone();
            let rows =
                (0..data.num_rows()).filter(|row| selected.get(*row).copied().unwrap_or(true));
            for (row, file) in rows.zip(found) {
                files.push(self.live(&file, (listed.len(), row), &data)?);
            }
            listed.push(without_statistics(data)?);
        }
        let damage = None;
        Ok(Version { snapshot, note, is_ours, damage, restored: None, files, companies, listed })
    }

    fn note(&self, text: &str) -> Result<Note> {
        Note::from_json(text, self.stream, &self.place())
    }

    /// What is noted of a company in a version of a table of many.
    ///
    /// # Errors
    /// `Config`: it cannot be read.
    pub(super) fn note_of(&self, version: &Version, company: &str) -> Result<Option<Note>> {
        let noted = version.companies.as_ref().and_then(|notes| notes.get(company));
        noted.map(|text| self.note(text)).transpose()
    }

    /// A company's part of a version of a table of many; `None` if nothing of it is there.
    ///
    /// # Errors
    /// `Config`: its note cannot be read.
    pub(super) fn part_of(&self, version: &Version, company: &str) -> Result<Option<Version>> {
        let note = self.note_of(version, company)?;
        let files: Vec<Live> = version.files_of(company).cloned().collect();
        if note.is_none() && files.is_empty() {
            return Ok(None);
        }
        let mut part = Version {
            snapshot: version.snapshot.clone(),
            note,
            is_ours: version.is_ours,
            damage: None,
            restored: None,
            files,
            companies: Some(BTreeMap::new()),
            listed: Vec::new(),
        };
        part.set_restored(version.restored);
        part.damage = version.damage.clone().or_else(|| part.lost_rows());
        Ok(Some(part))
    }

    fn live(
        &self,
        file: &ScanFile,
        place: (usize, usize),
        data: &RecordBatch,
    ) -> Result<Live, KernelError> {
        let url = self.root.join(&file.path)?;
        let deleted = file.dv_info.cardinality()?.unwrap_or_default();
        Ok(Live {
            path: Path::from_url_path(url.path())?,
            bytes: u64::try_from(file.size).unwrap_or_default(),
            rows: file.stats.as_ref().map(|stats| stats.num_records.saturating_sub(deleted)),
            keys: keys(data, place.1, self.stream),
            still_there: file.dv_info.get_selection_vector(self.engine.as_ref(), &self.root)?,
            mask: None,
            company: file.partition_values.get(COMPANY).cloned(),
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
            .build(self.engine.as_ref(), Box::new(FileSystemCommitter::new()))
            .map_err(|error| self.explain("written", error))?;
        Ok(!trial.logical_partition_columns().is_empty())
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

    /// Such a commit, now or at any time before, for companies of the same table that have not been exported since.
    pub(super) fn knows_restored(&self) -> Option<u64> {
        self.restored.max(self.note.as_ref().and_then(|note| note.restored))
    }

    /// The newest version that is noted.
    fn noted(&self) -> Option<u64> {
        let notes = self.companies.iter().flat_map(BTreeMap::values);
        let own = self.note.as_ref().and_then(|note| note.made).map(|made| made.version);
        notes.filter_map(|text| made_version(text)).max().max(own)
    }

    /// Takes into account a commit that may have put older rows here, or one that the note of another company knows of. Where the note is
    /// from before it, its cursor and its last complete list are not those of the rows.
    fn set_restored(&mut self, found: Option<u64>) {
        let notes = self.companies.iter().flat_map(BTreeMap::values);
        let told = notes.filter_map(|text| restored_by(text)).max();
        self.restored = found.max(told);
        if let (Some(note), Some(restored)) = (&mut self.note, self.restored) {
            if note.made.is_some_and(|made| made.version > restored) {
                self.restored = None;
            } else {
                (note.state.cursor, note.state.list) = (None, None);
            }
        }
    }

    /// What its rows say against the note of the commit that made this version.
    fn lost_rows(&self) -> Option<String> {
        let made = self.note.as_ref()?.made.filter(|made| made.version == self.number())?;
        let rows = self.files.iter().map(|file| file.rows).sum::<Option<u64>>()?;
        (rows != made.rows)
            .then(|| format!("it leads to {rows} rows, and its last commit left {}", made.rows))
    }

    /// The files of a company in a table of many.
    pub(super) fn files_of(&self, company: &str) -> impl Iterator<Item = &Live> {
        self.files.iter().filter(move |file| file.company.as_deref() == Some(company))
    }

    /// The domains of the notes that have to be there and are not.
    fn lost_notes(&self) -> BTreeSet<String> {
        match &self.companies {
            None if self.note.is_none() => BTreeSet::from([DOMAIN.to_owned()]),
            None => BTreeSet::new(),
            Some(notes) => {
                let there = self.files.iter().filter_map(|file| file.company.as_ref());
                let lost = there.filter(|company| !notes.contains_key(*company));
                lost.map(|company| domain_of(Some(company))).collect()
            }
        }
    }
}

/// The member of a file's action that holds its statistics.
const STATISTICS: &str = "stats";

fn without_statistics(data: RecordBatch) -> Result<RecordBatch, KernelError> {
    let Some((position, _)) = data.schema_ref().column_with_name(STATISTICS) else {
        return Ok(data);
    };
    let mut columns = data.columns().to_vec();
    columns[position] = new_null_array(columns[position].data_type(), data.num_rows());
    Ok(RecordBatch::try_new(data.schema(), columns)?)
}

/// The smallest and the greatest key that the log notes of a file. Two that cannot be say nothing.
fn keys(data: &RecordBatch, row: usize, stream: &Stream) -> Option<(i64, i64)> {
    let statistics = data.column_by_name(STATISTICS)?.as_string_opt::<i32>()?;
    let statistics: serde_json::Value = serde_json::from_str(statistics.value(row)).ok()?;
    let of = |bound: &str| statistics[bound][stream.key().name].as_i64();
    Some((of("minValues")?, of("maxValues")?)).filter(|(least, most)| least <= most)
}
