//! Where a reply that does not fit into memory is kept meanwhile.

use std::fs::File;
use std::io;
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The folders in which a temporary file may be made, the first that can be written first.
#[derive(Debug, Clone)]
pub struct Scratch {
    folders: Vec<PathBuf>,
}

impl Scratch {
    /// The folders to try, in this order.
    pub fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders }
    }

    /// A new temporary file, readable by this user alone and without a name, so that nothing is left
    /// behind however the process ends; and the folder it is in. `None` if no folder can be written.
    pub(crate) fn file(&self) -> Option<(File, &Path)> {
        self.folders.iter().find_map(|folder| {
            let file = tempfile::tempfile_in(folder).ok()?;
            make_private(&file).ok()?;
            Some((file, folder.as_path()))
        })
    }
}

/// From now on this user alone may read the file.
#[cfg(unix)]
fn make_private(file: &File) -> io::Result<()> {
    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

/// Where permissions are inherited, a user's folder for temporary files is private as a whole.
#[cfg(not(unix))]
fn make_private(_: &File) -> io::Result<()> {
    Ok(())
}

/// The temporary file could not be written.
pub(crate) fn full(folder: &Path, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::system(format!(
        "The temporary file in {} could not be written: {cause}. Free space there (100 bytes per record), or set TMPDIR to another folder.",
        folder.display()
    ))
    .caused_by(cause)
    .of_machine()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_that_can_be_written_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing");
        let scratch = Scratch::new(vec![missing.clone(), folder.path().to_owned()]);
        let (_, taken) = scratch.file().unwrap();
        assert_eq!(taken, folder.path());
        assert!(Scratch::new(vec![missing]).file().is_none());
    }

    #[test]
    fn the_file_is_private_and_has_no_name() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(vec![folder.path().to_owned()]);
        let (file, _) = scratch.file().unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
