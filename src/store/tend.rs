//! What tending a folder takes besides reading and writing it: the store's own clock, many objects read at once, and
//! removals whose answers count.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};

use super::Store;
use crate::error::{Error, Result};

/// Requests on their way at once.
const AT_ONCE: usize = 16;

/// A file that a run of this program has left half written on this machine: the store writes beside an object and
/// renames what it wrote.
#[derive(Debug, Clone)]
pub(crate) struct Temporary {
    /// Its name in the folder.
    pub(crate) name: String,
    /// The name of the object that it was to be.
    pub(crate) object: String,
    pub(crate) bytes: u64,
    pub(crate) modified: DateTime<Utc>,
}

impl Store {
    /// What time it is by the clock that dates the objects of a folder: a small object is written, and removed again
    /// even if the user asks the run to end.
    ///
    /// # Errors
    /// `Config`: the folder cannot be written. `Transient`: the store cannot be reached.
    pub(crate) fn now(&self, folder: &Path) -> Result<DateTime<Utc>> {
        let path = folder.clone().join(super::probe::object_name());
        let written = self.see_through(&path, self.bare.put(&path, "1".into()));
        let dated = written.and_then(|_| self.see_through(&path, self.bare.head(&path)));
        let removed = match self.runtime.block_on(self.bare.delete(&path)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.explain(&path, error)),
        };
        let dated = dated?;
        removed.map(|()| dated.last_modified)
    }

    /// Every object below a folder, at any depth.
    pub(crate) fn list_below(&self, folder: &Path) -> Result<Vec<ObjectMeta>> {
        self.wait(folder, self.objects.list(Some(folder)).try_collect())
    }

    /// The objects right below a folder whose names come after `last`.
    pub(crate) fn list_after(&self, folder: &Path, last: &Path) -> Result<Vec<ObjectMeta>> {
        let below = self.objects.list_with_offset(Some(folder), last).try_filter(|found| {
            let is_right_below =
                found.location.prefix_match(folder).map(Iterator::count) == Some(1);
            std::future::ready(is_right_below)
        });
        self.wait(folder, below.try_collect())
    }

    /// The folders right below a folder.
    pub(crate) fn folders(&self, folder: &Path) -> Result<Vec<Path>> {
        let listed = self.wait(folder, self.objects.list_with_delimiter(Some(folder)))?;
        Ok(listed.common_prefixes)
    }

    /// Reads many small objects, several at once, and gives them in order; `None` for one that is not there.
    pub(crate) fn read_each(
        &self,
        paths: &[Path],
        mut take: impl FnMut(usize, Option<Bytes>) -> Result<()>,
    ) -> Result<()> {
        let reads = futures_util::stream::iter(paths.iter().cloned()).map(|path| async move {
            let read = async { self.objects.get(&path).await?.bytes().await };
            match read.await {
                Ok(bytes) => Ok(Some(bytes)),
                Err(object_store::Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(self.explain(&path, error)),
            }
        });
        let mut reads = reads.buffered(AT_ONCE).enumerate();
        self.until_done(async {
            while let Some((number, read)) = reads.next().await {
                take(number, read?)?;
            }
            Ok(())
        })?
    }

    /// Removes objects, and waits for the answers whatever the user asks. One that is gone already is removed.
    /// Gives for each whether it is removed, and why one is not.
    pub(crate) fn remove_each(&self, paths: &[Path]) -> (Vec<bool>, Option<Error>) {
        let orders: Vec<_> = paths.iter().cloned().map(Ok).collect();
        let orders = futures_util::stream::iter(orders).boxed();
        let mut answers = self.objects.delete_stream(orders);
        let (mut removed, mut failed) = (Vec::new(), None);
        self.runtime.block_on(async {
            while let Some(answer) = answers.next().await {
                let refused = match answer {
                    Ok(_) | Err(object_store::Error::NotFound { .. }) => None,
                    Err(error) => Some(error),
                };
                removed.push(refused.is_none());
                failed = failed.take().or(refused);
            }
        });
        // A request for many objects may have failed as a whole.
        removed.resize(paths.len(), false);
        let place = removed.iter().position(|removed| !removed).and_then(|first| paths.get(first));
        (removed, failed.zip(place).map(|(error, path)| self.explain(path, error)))
    }

    /// What killed runs have left half written in a folder of this machine; other stores keep such parts to themselves.
    pub(crate) fn temporary_files(&self, folder: &Path) -> Vec<Temporary> {
        let entries = self.is_local().then(|| std::fs::read_dir(self.shown(folder)).ok()).flatten();
        let found = entries.into_iter().flatten().flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let (object, number) = name.rsplit_once('#')?;
            let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            let object = is_number.then(|| object.to_owned())?;
            let metadata = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
            let modified = metadata.modified().ok()?.into();
            Some(Temporary { name, object, bytes: metadata.len(), modified })
        });
        let mut found: Vec<_> = found.collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found
    }

    /// Removes a temporary file.
    ///
    /// # Errors
    /// `Config`: it may not be removed.
    pub(crate) fn remove_temporary(&self, folder: &Path, name: &str) -> Result<()> {
        let path = std::path::Path::new(&self.shown(folder)).join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::config(format!(
                    "{} cannot be removed: {error}. Check the permissions of its folder.",
                    path.display()
                ))
                .caused_by(error))
            }
            _ => Ok(()),
        }
    }
}
