//! The test of a place before anything is read for it: can it be written, does it create conditionally,
//! can what was written be removed?

use object_store::path::Path;
use object_store::{ObjectStoreExt, PutMode, PutOptions};

use super::Store;
use crate::error::{Error, Result};

/// What the names of small objects begin with that are there for a moment. Readers of folders skip what begins with
/// a dot.
const PREFIX: &str = ".kometsales-";

/// A name for such an object that no other has.
pub(super) fn object_name() -> String {
    format!("{PREFIX}{:016x}", fastrand::u64(..))
}

/// Whether a name is one of these: a run that was killed may have left it.
pub(crate) fn is_probe(name: &str) -> bool {
    let digits = name.strip_prefix(PREFIX).unwrap_or_default();
    digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether this user may make something in a folder.
#[cfg(unix)]
fn may_write(folder: &std::path::Path) -> std::io::Result<()> {
    use rustix::fs::{Access, access};
    Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Where only the writing itself tells, it does.
#[cfg(not(unix))]
fn may_write(_: &std::path::Path) -> std::io::Result<()> {
    Ok(())
}

impl Store {
    /// Writes a small object into a folder and removes it. Where the folder is to be a table the object is
    /// created twice as well: the second creation has to be refused, since that is what keeps two exports
    /// from overwriting each other. A folder of this machine that is not there yet is only looked at.
    ///
    /// # Errors
    /// `Config`: it cannot be written, or it cannot create conditionally and another writer is not ruled
    /// out. `Transient`: it did not answer.
    pub(crate) fn probe(&self, folder: &Path, is_table: bool) -> Result<()> {
        if self.is_proved || (self.is_local() && !self.is_writable_folder(folder)?) {
            return Ok(());
        }
        self.interrupt().hold()?;
        let path = folder.clone().join(object_name());
        let probed = self.write_twice(&path, is_table && !self.single_writer);
        // It is removed even if the user asks the run to end.
        let removed = match self.runtime.block_on(self.bare.delete(&path)) {
            // It was not there, or its removal was and the answer was lost.
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.explain(&path, error)),
        };
        self.interrupt().release()?;
        match (probed, removed) {
            (Err(error), _) | (Ok(()), Err(error)) => Err(error),
            (Ok(()), Ok(())) => Ok(()),
        }
    }

    /// Whether a folder of this machine is there. One that is not is only looked at: nothing is made for an
    /// export that may yet fail.
    ///
    /// # Errors
    /// `Config`: it cannot be written, or it cannot be made.
    fn is_writable_folder(&self, folder: &Path) -> Result<bool> {
        let shown = self.shown(folder);
        let wanted = std::path::Path::new(&shown);
        let existing = wanted.ancestors().find(|folder| folder.exists()).unwrap_or(wanted);
        if let Err(error) = may_write(existing) {
            return Err(Error::config(format!(
                "Cannot write to {}: {}. Use a folder that this user may write.",
                existing.display(),
                error
            )));
        }
        Ok(existing == wanted)
    }

    fn write_twice(&self, path: &Path, is_creation: bool) -> Result<()> {
        if !is_creation {
            return self.wait(path, self.bare.put(path, "1".into())).map(|_| ());
        }
        let create = |content: &'static str| {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            self.bare.put_opts(path, content.into(), options)
        };
        match self.until_done(create("1"))? {
            Err(
                object_store::Error::NotImplemented { .. }
                | object_store::Error::NotSupported { .. },
            ) => return Err(self.ignores_conditions()),
            // The first answer may be doubtful; what counts is what the second one does.
            Err(error @ object_store::Error::AlreadyExists { .. }) => {
                self.until_done(self.bare.head(path))?
                    .map_err(|_| self.explain(path, error))
                    .map(|_| ())?;
            }
            // So do stores that know no conditions.
            Err(error) if error.to_string().contains("501 Not") => {
                return Err(self.ignores_conditions());
            }
            Err(error) => return Err(self.explain(path, error)),
            Ok(_) => {}
        }
        match self.until_done(create("2"))? {
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => {}
            Err(error) => return Err(self.explain(path, error)),
            Ok(_) => return Err(self.ignores_conditions()),
        }
        match self.read(path)?.as_ref() {
            b"1" => Ok(()),
            _ => Err(self.ignores_conditions()),
        }
    }

    fn ignores_conditions(&self) -> Error {
        Error::config(format!(
            "{} has no conditional writes, so exports could overwrite each other. Use another store, or add --single-writer if nothing else writes there.",
            self.shown(self.path())
        ))
    }
}
