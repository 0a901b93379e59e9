//! One table of many companies, each of which has a part of it: a partition and a note. They are read and made one by
//! one, by as many as like, and committed together.
//!
//! A commit that another writer has overtaken is made again on the new version, with the same files. Only a company whose
//! own part the other writer has changed has to begin again.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::check::{check, check_shared};
use super::commit::{Change, Committed};
use super::hand_in::{Base, HandIn, Part};
use super::log::{Log, Version};
use super::{Table, TableOptions, due, locate, masking, note, refuse_encoded};
use crate::error::{Error, Result};
use crate::export::destination::TablePlace;
use crate::export::report::{Report, Vacuumed, run_name};
use crate::log::{Level, Log as Messages};
use crate::model::{Stream, Timestamp};
use crate::store::Store;

/// Commits of other writers that may come first before it is given up.
const MAX_CONFLICTS: u32 = 30;

/// One table of many companies.
pub struct SharedTable {
    /// Over a store whose waits are seen through.
    log: Log,
    /// The store as the user may end its waits.
    store: Store,
    options: TableOptions,
    newest: Mutex<Newest>,
    /// The versions that this run made.
    committed: Mutex<Vec<u64>>,
    rebases: AtomicU64,
    /// Whether a commit of this run noted that a vacuum follows.
    is_vacuum_due: AtomicBool,
}

/// The newest version that is known.
#[derive(Clone)]
struct Newest {
    version: Option<Arc<Version>>,
    /// Whether there is a newer one.
    is_outdated: bool,
}

/// What became of what a company handed in.
#[derive(Debug)]
pub enum Ended {
    /// It is committed.
    Committed(Box<Report>),
    /// Another writer has changed the company's part since. Nothing of it was kept: it has to begin again.
    Overtaken,
    /// Why it is not committed, or may not be.
    Failed(Error),
}

impl SharedTable {
    /// The table below the place that the user named. It is tested whether it can be written, unless nothing is to be.
    ///
    /// # Errors
    /// `Config`: the place cannot be written, or what is there is not a table of many companies that this mode
    /// writes. `Transient`: the store cannot be reached.
    pub fn open(
        store: Store,
        place: &TablePlace,
        stream: &'static Stream,
        options: TableOptions,
    ) -> Result<Self> {
        let folder = locate::locate(&store, place, stream)?;
        refuse_encoded(&store, &folder)?;
        let log = Log::new(store.seeing_through(), folder, stream);
        let version = log.load()?;
        match &version {
            Some(version) => check_shared(&log, version, &options)?,
            None => locate::refuse_own_tables(&store, stream)?,
        }
        if !options.is_dry_run {
            store.probe(&log.folder, true)?;
        }
        let newest = Newest { version: version.map(Arc::new), is_outdated: false };
        Ok(Self {
            log,
            store,
            options,
            newest: Mutex::new(newest),
            committed: Mutex::default(),
            rebases: AtomicU64::new(0),
            is_vacuum_due: AtomicBool::new(false),
        })
    }

    /// The part of a company, as it is now, for one export.
    ///
    /// # Errors
    /// `Config`: it is damaged or not known how to write. `Transient`: the store cannot be reached.
    pub fn table<'a>(
        &self,
        company: &str,
        now: Timestamp,
        messages: &'a dyn Messages,
    ) -> Result<Table<'a>> {
        let newest = self.newest()?;
        let log = self.log.of_company(self.store.clone(), company);
        let version = newest.as_ref().map(|newest| log.part_of(newest, company)).transpose()?;
        let version = version.flatten();
        let there = version.as_ref().map(|part| check(&log, part, &self.options)).transpose()?;
        Ok(Table {
            base: Some(Base {
                part: Part::of(newest.as_deref(), company),
                versions: versions(newest.as_deref()),
            }),
            log,
            version,
            there,
            options: self.options,
            run: run_name(now),
            messages,
            report: None,
            difference: None,
            is_vacuum_due: false,
            fresh: None,
            attempts: 0,
            handed_in: None,
        })
    }

    /// Commits of this run.
    pub fn commits(&self) -> u64 {
        self.committed().len() as u64
    }

    fn committed(&self) -> MutexGuard<'_, Vec<u64>> {
        self.committed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often another writer came first, so that what was handed in went on top of its version.
    pub fn rebases(&self) -> u64 {
        self.rebases.load(Ordering::Relaxed)
    }

    /// Counts what goes on top of a version that others made since.
    fn count_rebase(&self, version: Option<&Version>, waiting: &[HandIn]) {
        let (there, own) = (versions(version), self.committed());
        if waiting.iter().any(|one| is_rebased(one.base.versions, there, &own)) {
            self.rebases.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The newest version; `None` if there is no table yet.
    fn newest(&self) -> Result<Option<Arc<Version>>> {
        let Newest { version: known, is_outdated } = self.lock().clone();
        let next = versions(known.as_deref());
        let next = self.log.folder.clone().join("_delta_log").join(format!("{next:020}.json"));
        // Each company asks, at once with others.
        if !is_outdated && self.log.store.head(&next)?.is_none() {
            return Ok(known);
        }
        let mut newest = self.lock();
        let is_loaded = versions(newest.version.as_deref()) > versions(known.as_deref());
        if newest.is_outdated || !is_loaded {
            let version = self.log.load()?;
            if let Some(version) = &version {
                check_shared(&self.log, version, &self.options)?;
            }
            *newest = Newest { version: version.map(Arc::new), is_outdated: false };
        }
        Ok(newest.version.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Newest> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the table counts as vacuumed with a commit to a version at this time, if a vacuum is due. The first commit of a
    /// run decides that one follows its last: whoever commits later sees it noted, so of several runs one has it.
    fn vacuumed_at(&self, version: Option<&Version>, now: Timestamp) -> Option<Timestamp> {
        self.options.vacuum?;
        let notes = version.and_then(|version| version.companies.as_ref());
        let noted = notes.into_iter().flat_map(|notes| notes.values());
        due::is_due(noted.filter_map(|text| note::vacuumed_at(text)), now).then_some(now)
    }

    /// The vacuum after the last commit of the run, if it is due; what it removed. Its failure is a warning.
    pub fn vacuum(&self, messages: &dyn Messages) -> Option<Vacuumed> {
        let is_due = self.is_vacuum_due.load(Ordering::Relaxed);
        let retain = self.options.vacuum.filter(|_| is_due)?;
        due::follow(&self.store, &self.log.folder, self.log.stream, retain, messages)
    }

    /// Commits at this time what companies have handed in, all at once, and says what became of each. It is for one thread.
    pub fn commit(
        &self,
        handed_in: Vec<HandIn>,
        now: Timestamp,
        messages: &dyn Messages,
    ) -> Vec<(String, Ended)> {
        let mut ended = Vec::new();
        let mut waiting = handed_in;
        for _ in 0..=MAX_CONFLICTS {
            let version = match self.newest() {
                Ok(version) => version,
                Err(error) => return failed(ended, waiting, &error),
            };
            let version = version.as_deref();
            let is_as_it_was = |one: &HandIn| one.base.part == Part::of(version, &one.company);
            let (rest, overtaken): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_as_it_was);
            waiting = rest;
            ended.extend(overtaken.into_iter().map(|one| (one.company.clone(), Ended::Overtaken)));
            self.count_rebase(version, &waiting);
            let vacuumed_at = self.vacuumed_at(version, now);
            let changes: Result<Vec<Change<'_>>> =
                waiting.iter().map(|one| one.change(version, vacuumed_at)).collect();
            let committed = match changes {
                Ok(changes) if changes.is_empty() => return ended,
                Ok(changes) => self.log.commit(version, &changes, messages),
                Err(error) => Ok(Committed::Refused(error)),
            };
            self.lock().is_outdated = true;
            match committed {
                Ok(Committed::As(number)) => {
                    self.committed().push(number);
                    self.is_vacuum_due.fetch_or(vacuumed_at.is_some(), Ordering::Relaxed);
                    let place = self.log.place();
                    let committed =
                        waiting.into_iter().map(|one| committed_as(one, number, &place, messages));
                    ended.extend(committed);
                    return ended;
                }
                Ok(Committed::Conflict) => messages.debug(&format!(
                    "Another commit to the table at {} came first; what is handed in goes on top of it.",
                    self.log.place()
                )),
                // What was uploaded is removed when it is dropped.
                Ok(Committed::Refused(error)) => return failed(ended, waiting, &error),
                Err(error) => {
                    // The commit may have landed after all, and the files with it.
                    for one in waiting {
                        let company = one.company.clone();
                        one.keep();
                        ended.push((company, Ended::Failed(same(&error))));
                    }
                    return ended;
                }
            }
        }
        let error = Error::transient(format!(
            "Others committed to the table at {} first, again and again. Nothing of this export was kept: run again.",
            self.log.place()
        ));
        failed(ended, waiting, &error)
    }
}

/// Whether another run made one of the versions from number `next` to before `end`; `own` are the numbers of this run's.
fn is_rebased(next: u64, end: u64, own: &[u64]) -> bool {
    (next..end).any(|number| !own.contains(&number))
}

/// How many versions there are up to this one.
fn versions(version: Option<&Version>) -> u64 {
    version.map_or(0, |version| version.number() + 1)
}

fn committed_as(
    one: HandIn,
    version: u64,
    place: &str,
    messages: &dyn Messages,
) -> (String, Ended) {
    let (company, mask) = (one.company.clone(), one.mask.clone());
    let mut report = one.keep();
    report.version = Some(version);
    masking::warn(mask.as_deref(), place, &OfCompany { company: &company, messages });
    (company, Ended::Committed(Box::new(report)))
}

/// Messages with the name of the company that they are about.
struct OfCompany<'a> {
    company: &'a str,
    messages: &'a dyn Messages,
}

impl Messages for OfCompany<'_> {
    fn log(&self, level: Level, message: &str) {
        self.messages.log(level, &format!("{}: {message}", self.company));
    }
}

fn failed(
    mut ended: Vec<(String, Ended)>,
    waiting: Vec<HandIn>,
    error: &Error,
) -> Vec<(String, Ended)> {
    ended.extend(waiting.into_iter().map(|one| (one.company.clone(), Ended::Failed(same(error)))));
    ended
}

/// The same error once more: it is that of each company.
fn same(error: &Error) -> Error {
    let again = Error::new(error.kind(), error.to_string());
    if error.is_of_machine() { again.of_machine() } else { again }
}

#[cfg(test)]
mod tests {
    use super::is_rebased;

    #[test]
    fn what_goes_on_top_of_own_versions_alone_is_no_rebase() {
        assert!(!is_rebased(3, 3, &[]));
        assert!(!is_rebased(3, 5, &[1, 3, 4]));
        assert!(is_rebased(3, 5, &[1, 3]), "version 4 is another writer's");
        assert!(is_rebased(0, 1, &[]));
        assert!(is_rebased(3, 6, &[3, 5]));
    }
}
