//! Standard output: without the buffer that would write it line by line, and whatever it is connected to.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Write};
#[cfg(unix)]
use std::os::fd::AsFd;
#[cfg(windows)]
use std::os::windows::io::AsHandle;

use crate::error::{Error, Result};

/// Standard output. A write waits where a pipe that does not block is full: a slow reader is no failure.
#[derive(Debug)]
pub struct Stdout(File);

impl Stdout {
    /// Opens it. One that was closed before the program began cannot be known from one that discards: the language's
    /// runtime puts `/dev/null` in its place, opened as other programs open it to discard.
    ///
    /// # Errors
    /// `System`: it cannot be used.
    pub fn open() -> Result<Self> {
        #[cfg(unix)]
        let stdout = io::stdout().as_fd().try_clone_to_owned();
        #[cfg(windows)]
        let stdout = io::stdout().as_handle().try_clone_to_owned();
        let stdout = stdout.map_err(|error| {
            Error::system(format!(
                "stdout cannot be used: {error}. Connect it to a file or a pipe."
            ))
            .caused_by(error)
        })?;
        Ok(Self(File::from(stdout)))
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

/// What a failed write to stdout means. A reader that went away is an error to be quiet about.
pub fn explain(error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::BrokenPipe => Error::output_closed(),
        _ => Error::system(format!(
            "stdout could not be written: {error}. Check what it goes to, and run again."
        ))
        .caused_by(error)
        .of_machine(),
    }
}

/// Waits until a pipe takes more, or a signal comes.
#[cfg(unix)]
fn wait_for_room(pipe: &File) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    match poll(&mut [PollFd::new(pipe, PollFlags::OUT)], None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Pipes of other systems block by themselves.
#[cfg(not(unix))]
fn wait_for_room(_: &File) -> io::Result<()> {
    Err(ErrorKind::WouldBlock.into())
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.0.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    wait_for_room(&self.0)?;
                }
                done => return done,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
