//! Older versions of a table, through the kernel.

use std::collections::{BTreeMap, BTreeSet};

use delta_kernel::actions::DomainMetadata;
use delta_kernel::{KernelError, Snapshot, SnapshotRef};
use object_store::path::Path;

use super::log::Log;
use crate::error::Result;

impl Log {
    /// The files of a version inside the table's folder. Where a checkpoint sums it up, that is what is read.
    ///
    /// # Errors
    /// `Config`: it cannot be read. `Transient`: not now.
    pub(super) fn files_of(&self, version: u64) -> Result<(BTreeSet<Path>, SnapshotRef)> {
        self.try_files_of(version).map_err(|error| self.explain("read", error))
    }

    fn try_files_of(&self, version: u64) -> Result<(BTreeSet<Path>, SnapshotRef), KernelError> {
        let builder = Snapshot::builder_for(self.root.as_str()).at_version(version);
        let snapshot = builder.build(self.engine.as_ref())?;
        let mut files = BTreeSet::new();
        let scan = snapshot.clone().scan_builder().build()?;
        for metadata in scan.scan_metadata(self.engine.as_ref())? {
            let found =
                metadata?.visit_scan_files(Vec::new(), |found, file| found.push(file.path))?;
            for name in found {
                let path = Path::from_url_path(self.root.join(&name)?.path())?;
                files.extend(path.prefix_matches(&self.folder).then_some(path));
            }
        }
        Ok((files, snapshot))
    }

    /// What is noted in a version, by domain.
    ///
    /// # Errors
    /// As [`files_of`](Self::files_of).
    pub(super) fn domains(&self, snapshot: &SnapshotRef) -> Result<BTreeMap<String, String>> {
        let noted = snapshot.get_all_domain_metadata(self.engine.as_ref());
        let noted = noted.map_err(|error| self.explain("read", error))?;
        let pair =
            |noted: &DomainMetadata| (noted.domain().to_owned(), noted.configuration().to_owned());
        Ok(noted.iter().map(pair).collect())
    }

    /// Writes a checkpoint of a version.
    ///
    /// # Errors
    /// `Config` or `Transient`: it cannot be written. The table is whole without it.
    pub(super) fn write_checkpoint(&self, snapshot: &SnapshotRef) -> Result<()> {
        let written = snapshot.checkpoint(self.engine.as_ref(), None);
        written.map(|_| ()).map_err(|error| self.explain("summed up", error))
    }
}
