//! What no kept version of a table needs, found and removed. Everything is found and proved before anything goes, and
//! the log is looked at again right before files go: another program may have taken one back.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use object_store::path::Path;
use serde::Serialize;
use serde_json::Value;

use super::locate::{TableFolder, rejects_folder};
use super::log::{Log, Version};
use super::names::{Entry, below_company, is_of_rejects, is_of_table};
use super::past::{Past, Unread};
use super::removal::{Going, Removal, Removed};
use super::retention::{Kept, Terms as Retention};
use crate::error::{Error, Result};
use crate::export::report;
use crate::log::Log as Messages;
use crate::model::Stream;
use crate::store::Store;

/// For how long versions stay readable where nothing is said: what readers of Delta tables are used to.
pub const RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// For how long rejected records stay where nothing is said.
pub const REJECTS_RETENTION: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// For how long entries of a log stay where the table does not say (`delta.logRetentionDuration`).
const LOG_RETENTION: TimeDelta = TimeDelta::days(30);

/// How old a file is that no commit names before it is one of a run that was killed, and not of one that runs.
const ORPHAN_AGE: TimeDelta = TimeDelta::days(7);

/// How often a log is read anew that somebody else cleans up meanwhile.
const MAX_READS: u32 = 5;

/// What is to go.
#[derive(Debug, Clone, Copy)]
pub struct VacuumOptions {
    /// For how long versions stay readable; `None` for what the table says, and at least [`RETENTION`].
    pub retain: Option<Duration>,
    /// For how long rejected records stay.
    pub rejects: Duration,
    /// Whether it is only looked for. Nothing is written then, so ages are by the clock of this machine.
    pub is_dry_run: bool,
}

/// What a vacuum removed, or would remove. Its form in JSON is the answer of `vacuum --json`.
#[derive(Debug, Clone, Serialize)]
pub struct Vacuumed {
    /// Where the table is, as people write it.
    pub to: String,
    /// Whether nothing was removed.
    pub dry_run: bool,
    /// The newest version.
    pub version: u64,
    /// The oldest version that stays readable.
    pub oldest_version: u64,
    /// For how long versions stay readable.
    pub retain_seconds: u64,
    /// Files of versions that are not kept.
    pub files: Removed,
    /// Files that no commit names.
    pub orphans: Removed,
    /// Entries of the log.
    pub log: Removed,
    /// Files of rejected records.
    pub rejects: Removed,
}

impl Vacuumed {
    /// All that was removed.
    pub fn total(&self) -> report::Vacuumed {
        let parts = [&self.files, &self.orphans, &self.log, &self.rejects];
        report::Vacuumed {
            count: parts.iter().map(|part| part.count).sum(),
            bytes: parts.iter().map(|part| part.bytes).sum(),
        }
    }
}

/// Removes what no kept version of a table needs.
///
/// # Errors
/// `Config`: there is no table of this program, its log cannot be relied on, or something may not be removed.
/// `Transient`: the store cannot be reached. `System`: the user ended it.
pub fn vacuum(
    store: Store,
    table: TableFolder,
    stream: &'static Stream,
    options: &VacuumOptions,
    messages: &dyn Messages,
) -> Result<Vacuumed> {
    let log = Log::new(store, table.0, stream);
    log.store.interrupt().hold()?;
    for _ in 0..MAX_READS {
        messages.stage("Reading", None);
        match Plan::make(&log, options) {
            Ok(plan) => {
                messages.stage("Removing", None);
                return plan.carry_out(messages);
            }
            Err(Unread::Failed(error)) => return Err(error),
            Err(Unread::Moved) => {}
        }
    }
    Err(Error::transient(format!(
        "Another program removes entries of the log of the table at {} at this moment. Run again.",
        log.place()
    )))
}

/// What is to go from a table.
struct Plan<'a> {
    log: &'a Log,
    version: Version,
    past: Past,
    kept: Kept<Path>,
    answer: Vacuumed,
    is_dry_run: bool,
    files: Vec<Going>,
    orphans: Vec<Going>,
    entries: Vec<Going>,
    rejects: Vec<Going>,
}

impl<'a> Plan<'a> {
    fn make(log: &'a Log, options: &VacuumOptions) -> Result<Self, Unread> {
        let version = load(log)?;
        let past = Past::read(log, &version)?;
        let properties = version.snapshot.table_properties();
        let least = properties.deleted_file_retention_duration.unwrap_or_default().max(RETENTION);
        let retain = options.retain.unwrap_or(least);
        let keeps_log = properties.enable_expired_log_cleanup == Some(false);
        let entries = properties.log_retention_duration.map_or(LOG_RETENTION, delta);
        let store = &log.store;
        let now = if options.is_dry_run { Utc::now() } else { store.now(&log.folder)? };
        let terms =
            Retention { now, versions: delta(retain), log: (!keeps_log).then_some(entries) };
        let mut kept = past.history.kept(&terms);
        past.refuse_gap(log, kept.is_older_than_retention)?;
        if let Some(from) = kept.log_from
            && !(past.prove_checkpoint(log, from)? && is_found_by_readers(log, from)?)
        {
            kept.log_from = None;
        }
        let answer = Vacuumed {
            to: log.place(),
            dry_run: options.is_dry_run,
            version: version.number(),
            oldest_version: kept.oldest,
            retain_seconds: retain.as_secs(),
            files: Removed::default(),
            orphans: Removed::default(),
            log: Removed::default(),
            rejects: Removed::default(),
        };
        let is_dry_run = options.is_dry_run;
        let (files, orphans, entries, rejects) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut plan =
            Self { log, version, past, kept, answer, is_dry_run, files, orphans, entries, rejects };
        plan.find_files(now)?;
        plan.find_entries(now);
        plan.find_rejects(now, delta(options.rejects))?;
        Ok(plan)
    }

    /// Files in the table's folder that no kept version needs, and those of killed runs.
    fn find_files(&mut self, now: DateTime<Utc>) -> Result<()> {
        let (log, kept) = (self.log, &self.kept);
        for file in log.store.list_below(&log.folder)? {
            let Some(parts) = file.location.prefix_match(&log.folder) else { continue };
            let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
            // Logs, and what belongs to other readers and writers.
            if parts.iter().any(|part| part.starts_with('_')) || kept.files.contains(&file.location)
            {
                continue;
            }
            let name = parts.join("/");
            if kept.named.contains(&file.location) {
                self.files.push(Going::object(name, &file));
            } else if is_of_table(below_company(&name))
                && !self.past.elsewhere.contains(below_company(&name))
                && is_old(file.last_modified, now, ORPHAN_AGE)
            {
                self.orphans.push(Going::object(name, &file));
            }
        }
        self.files.sort_by(|one, other| one.name.cmp(&other.name));
        self.find_temporary(&log.folder.clone(), "", now, is_of_table);
        if log.store.is_local() && self.version.companies.is_some() {
            for folder in log.store.folders(&log.folder)? {
                let below = format!("{}/", folder.filename().unwrap_or_default());
                if below_company(&below).is_empty() {
                    self.find_temporary(&folder, &below, now, is_of_table);
                }
            }
        }
        Ok(())
    }

    /// Files that killed runs left half written in a folder of this machine.
    fn find_temporary(
        &mut self,
        folder: &Path,
        below: &str,
        now: DateTime<Utc>,
        is_ours: impl Fn(&str) -> bool,
    ) {
        for file in self.log.store.temporary_files(folder) {
            if is_ours(&file.object) && is_old(file.modified, now, ORPHAN_AGE) {
                self.orphans.push(Going::temporary(format!("{below}{}", file.name), folder, &file));
            }
        }
    }

    /// Entries of the log from before the checkpoint from which on it stays.
    fn find_entries(&mut self, now: DateTime<Utc>) {
        let folder = self.log.folder.clone().join("_delta_log");
        if let Some(from) = self.kept.log_from {
            let old = self.past.entries.iter().filter(|(entry, _)| entry.version() < from);
            self.entries = old
                .map(|(_, file)| {
                    let name = file.location.filename().unwrap_or_default();
                    Going::object(format!("_delta_log/{name}"), file)
                })
                .collect();
        }
        self.find_temporary(&folder, "_delta_log/", now, |name| Entry::named(name).is_some());
    }

    fn find_rejects(&mut self, now: DateTime<Utc>, age: TimeDelta) -> Result<()> {
        let folder = rejects_folder(&self.log.folder, self.log.stream);
        for file in self.log.store.list(&folder)? {
            let name = file.location.filename().unwrap_or_default().to_owned();
            if is_of_rejects(&name) && is_old(file.last_modified, now, age) {
                self.rejects.push(Going::object(name, &file));
            }
        }
        for file in self.log.store.temporary_files(&folder) {
            if is_of_rejects(&file.object) && is_old(file.modified, now, age.max(ORPHAN_AGE)) {
                self.rejects.push(Going::temporary(file.name.clone(), &folder, &file));
            }
        }
        self.rejects.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(())
    }

    fn carry_out(self, messages: &dyn Messages) -> Result<Vacuumed> {
        let Self { log, version, past, kept, mut answer, .. } = self;
        if self.is_dry_run {
            answer.files = Removed::all(&self.files);
            answer.orphans = Removed::all(&self.orphans);
            answer.log = Removed::all(&self.entries);
            answer.rejects = Removed::all(&self.rejects);
            return Ok(answer);
        }
        let mut removal = Removal::new(log, version.number(), past.newest);
        answer.files = removal.remove_unless_taken_back(self.files)?;
        answer.orphans = removal.remove_unless_taken_back(self.orphans)?;
        answer.rejects = removal.remove(self.rejects)?;
        // The names of what could not be removed are in the log alone.
        removal.end()?;
        answer.log = removal.remove(self.entries)?;
        removal.end()?;
        if kept.lacks_checkpoint
            && let Err(error) = log.write_checkpoint(&version.snapshot)
        {
            messages.warn(&format!(
                "The files are removed, but no checkpoint of the table's log could be written: {error}"
            ));
        }
        Ok(answer)
    }
}

/// The newest version of a table that this program wrote and can write.
fn load(log: &Log) -> Result<Version> {
    let place = log.place();
    let Some(version) = log.load()? else {
        return Err(Error::config(format!(
            "There is no table at {place}. Pass the place that `export --to` was given."
        )));
    };
    if !version.is_ours {
        return Err(Error::config(format!(
            "There is a table at {place} that this program did not write. Vacuum it with the tool that wrote it."
        )));
    }
    if let Some(damage) = &version.damage {
        return Err(Error::config(format!(
            "The log of the table at {place} is damaged: {damage}. Nothing was removed: restore the log first."
        )));
    }
    // The kernel refuses what it does not know how to write, and so how to clean up.
    log.is_partitioned(&version)?;
    Ok(version)
}

/// Whether readers that begin with the newest checkpoint's name in `_last_checkpoint` find one that stays.
fn is_found_by_readers(log: &Log, from: u64) -> Result<bool> {
    let hint = log.folder.clone().join("_delta_log").join("_last_checkpoint");
    if log.store.head(&hint)?.is_none() {
        return Ok(true);
    }
    let hint: Value = serde_json::from_slice(&log.store.read(&hint)?).unwrap_or_default();
    Ok(hint["version"].as_u64().is_none_or(|version| version >= from))
}

fn is_old(modified: DateTime<Utc>, now: DateTime<Utc>, age: TimeDelta) -> bool {
    now.checked_sub_signed(age).is_some_and(|limit| modified < limit)
}

/// A duration of which ages are made; one that is longer than time itself is as long as that.
fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}
