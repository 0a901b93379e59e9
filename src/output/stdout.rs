//! Standard output: opened once, without the buffer that would write it line by line.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;

use crate::error::{Error, Result};

/// stdout as a file.
///
/// # Errors
/// `System`: it is not open.
pub fn open() -> Result<File> {
    let stdout = std::io::stdout().as_fd().try_clone_to_owned();
    let stdout = stdout.map_err(|error| {
        Error::system(format!("stdout is not open: {error}. Give the program one."))
            .caused_by(error)
    })?;
    Ok(File::from(stdout))
}

/// Writes a text.
///
/// # Errors
/// `System`: it cannot be written. A reader that went away is an error to be quiet about.
pub fn write(stdout: &mut File, text: &str) -> Result<()> {
    stdout.write_all(text.as_bytes()).map_err(explain)
}

/// What a failed write to stdout means.
pub fn explain(error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::BrokenPipe => Error::output_closed(),
        _ => Error::system(format!(
            "stdout could not be written: {error}. Check what it goes to, and run again."
        ))
        .caused_by(error),
    }
}
