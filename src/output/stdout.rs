//! Standard output: without the buffer that would write it line by line, and whatever it is connected to.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{OFlags, fcntl_getfl};

use crate::error::{Error, Result};

/// The device number of `/dev/null` (Linux, `admin-guide/devices.txt`).
const NULL_DEVICE: (u32, u32) = (1, 3);

/// Standard output. A write waits where a pipe that does not block is full: a slow reader is no failure.
#[derive(Debug)]
pub struct Stdout(File);

impl Stdout {
    /// Opens it for a command whose result goes there, or for one that only reports there what it did.
    ///
    /// # Errors
    /// `System`: the result would go nowhere, since stdout was closed before the program began.
    pub fn open(has_result: bool) -> Result<Self> {
        let closed = || {
            Error::system(
                "stdout is closed, or is /dev/null in its place, so the result would be lost. Connect it to a file or a pipe; >/dev/null discards it.",
            )
        };
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        let stdout = File::from(stdout.map_err(|error| closed().caused_by(error))?);
        if has_result && is_stand_in(&stdout) {
            return Err(closed());
        }
        Ok(Self(stdout))
    }

    /// Whether a person looks at it.
    pub fn is_terminal(&self) -> bool {
        self.0.is_terminal()
    }

    /// Writes a text.
    ///
    /// # Errors
    /// As [`explain`].
    pub fn say(&mut self, text: &str) -> Result<()> {
        self.write_all(text.as_bytes()).map_err(explain)
    }
}

/// Whether this may be what the language's runtime opens in the place of a closed stdout: `/dev/null`, to read and to
/// write. A shell opens it to write alone.
fn is_stand_in(stdout: &File) -> bool {
    let Ok(metadata) = stdout.metadata() else { return false };
    let device = (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
    if !metadata.file_type().is_char_device() || device != NULL_DEVICE {
        return false;
    }
    fcntl_getfl(stdout).is_ok_and(|flags| flags & OFlags::RWMODE == OFlags::RDWR)
}

/// What a failed write to stdout means. A reader that went away is an error to be quiet about.
pub fn explain(error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::BrokenPipe => Error::output_closed(),
        _ => Error::system(format!(
            "stdout could not be written: {error}. Check what it goes to, and run again."
        ))
        .caused_by(error),
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let mut pipe = [PollFd::new(&self.0, PollFlags::OUT)];
                    match poll(&mut pipe, None) {
                        Ok(_) | Err(rustix::io::Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                done => return done,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
