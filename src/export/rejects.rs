//! Rejected records on their way into a file: whole, as they came, a line each.

use std::io::{Read, Write};

use object_store::path::Path;

use crate::error::{Error, Result};
use crate::store::{Store, Upload};

/// Copies the lines into an object, which appears when the upload is finished.
pub(super) fn copy(store: &Store, path: Path, lines: &mut dyn Read) -> Result<Upload> {
    let mut upload = Upload::new(store, path);
    let copied = std::io::copy(lines, &mut upload).and_then(|_| upload.flush());
    match copied {
        Ok(()) => Ok(upload),
        Err(error) => Err(upload.failure().take().unwrap_or_else(|| {
            Error::system("The rejected records could not be read back. Check the disk of the temporary folder, and run again.")
                .caused_by(error)
        })),
    }
}
