//! Files on their way out, a batch after the other. Between two batches the user may end it.

use std::collections::HashSet;

use object_store::ObjectMeta;
use object_store::path::Path;
use serde::Serialize;

use super::log::Log;
use super::names::Entry;
use super::past::{added, each_action};
use crate::error::{Error, Result};
use crate::store::Temporary;

/// Files that are removed between two looks at the log.
const BATCH: usize = 100;

/// Files that were removed.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Removed {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their names in the table's folder; those of rejected records in the folder of these.
    pub names: Vec<String>,
}

impl Removed {
    /// All of them, where none is removed but only looked for.
    pub(super) fn all(going: &[Going]) -> Self {
        let mut removed = Self::default();
        going.iter().for_each(|file| removed.add(file));
        removed
    }

    fn add(&mut self, file: &Going) {
        self.count += 1;
        self.bytes += file.bytes;
        self.names.push(file.name.clone());
    }
}

/// A file that is to go.
pub(super) struct Going {
    /// As it is shown.
    pub(super) name: String,
    pub(super) bytes: u64,
    place: Place,
}

enum Place {
    Object(Path),
    /// A folder of this machine, and a name there.
    Temporary(Path, String),
}

impl Going {
    pub(super) fn object(name: String, file: &ObjectMeta) -> Self {
        Self { name, bytes: file.size, place: Place::Object(file.location.clone()) }
    }

    pub(super) fn temporary(name: String, folder: &Path, file: &Temporary) -> Self {
        let place = Place::Temporary(folder.clone(), file.name.clone());
        Self { name, bytes: file.bytes, place }
    }
}

/// Removes files of a table.
pub(super) struct Removal<'a> {
    log: &'a Log,
    /// The newest commit that was looked at.
    version: u64,
    newest: Path,
    /// Files that commits have added since the plan was made.
    taken_back: HashSet<Path>,
    /// Why the first of those that could not be removed was not.
    failed: Option<Error>,
}

impl<'a> Removal<'a> {
    /// A removal that was planned with the version whose commit is `newest`.
    pub(super) fn new(log: &'a Log, version: u64, newest: Path) -> Self {
        Self { log, version, newest, taken_back: HashSet::new(), failed: None }
    }

    /// Removes files, except those that a commit has added again meanwhile.
    pub(super) fn remove_unless_taken_back(&mut self, going: Vec<Going>) -> Result<Removed> {
        self.each_batch(going, Self::look_again)
    }

    /// Removes files.
    pub(super) fn remove(&mut self, going: Vec<Going>) -> Result<Removed> {
        self.each_batch(going, |_| Ok(()))
    }

    /// Whether everything could be removed.
    pub(super) fn end(&mut self) -> Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }

    fn each_batch(
        &mut self,
        going: Vec<Going>,
        before: impl Fn(&mut Self) -> Result<()>,
    ) -> Result<Removed> {
        let mut removed = Removed::default();
        for batch in going.chunks(BATCH) {
            before(self).and_then(|()| self.log.store.interrupt().check()).map_err(|error| {
                if self.log.store.interrupt().is_asked() { interrupted() } else { error }
            })?;
            self.batch(batch, &mut removed);
        }
        Ok(removed)
    }

    fn batch(&mut self, batch: &[Going], removed: &mut Removed) {
        let store = &self.log.store;
        let stays = |file: &&Going| match &file.place {
            Place::Object(path) => self.taken_back.contains(path),
            Place::Temporary(..) => false,
        };
        let going: Vec<&Going> = batch.iter().filter(|file| !stays(file)).collect();
        let mut objects = Vec::new();
        for file in going {
            match &file.place {
                Place::Object(path) => objects.push((file, path.clone())),
                Place::Temporary(folder, name) => match store.remove_temporary(folder, name) {
                    Ok(()) => removed.add(file),
                    Err(error) => self.failed = self.failed.take().or(Some(error)),
                },
            }
        }
        let paths: Vec<Path> = objects.iter().map(|(_, path)| path.clone()).collect();
        let (is_removed, failed) = store.remove_each(&paths);
        self.failed = self.failed.take().or(failed);
        let gone = objects.iter().zip(is_removed).filter(|(_, is_removed)| *is_removed);
        gone.for_each(|((file, _), _)| removed.add(file));
    }

    /// Looks at commits that came since the last look.
    fn look_again(&mut self) -> Result<()> {
        let log = self.log;
        let folder = log.folder.clone().join("_delta_log");
        let listed = log.store.list_after(&folder, &self.newest)?;
        let commits =
            listed.into_iter().filter_map(|file| match Entry::named(file.location.filename()?)? {
                Entry::Commit(version) => Some((version, file.location)),
                _ => None,
            });
        let mut commits: Vec<_> = commits.filter(|(version, _)| *version > self.version).collect();
        commits.sort();
        for (version, path) in commits {
            let bytes = log.store.read(&path)?;
            let mut is_other = false;
            each_action(log, version, &bytes, |action| {
                is_other |= action.protocol.is_some();
                self.taken_back.extend(added(log, version, action)?);
                Ok(())
            })?;
            if is_other {
                return Err(Error::transient(format!(
                    "Another program has changed the protocol of the table at {} at this moment. Run again.",
                    log.place()
                )));
            }
            (self.version, self.newest) = (version, path);
        }
        Ok(())
    }
}

fn interrupted() -> Error {
    Error::system(
        "Interrupted. What was removed until now is needed by no kept version. Run again to remove the rest.",
    )
}
