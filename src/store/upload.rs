//! Bytes on their way into one object: parts go up while the next is made, and the object appears when
//! the upload is finished and not before.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};
use tokio::task::JoinSet;

use super::Store;
use crate::backoff::Backoff;
use crate::error::{Error, Kind, Result};

/// How often a step is tried that the library does not try again, since it might do it twice.
const MAX_TRIES: u32 = 4;

/// The first pause between two tries, before jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(300);

/// The longest pause, before jitter.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// Stores want parts of at least 5 MiB, all but the last of one size.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// The same on this machine, where a part is a write.
const LOCAL_PART_BYTES: usize = 1024 * 1024;

/// Parts that are being sent at once.
const MAX_PARTS_SENT: usize = 2;

/// An object that is being written.
pub(crate) struct Upload {
    store: Store,
    path: Path,
    gathered: Vec<u8>,
    parts: Option<Parts>,
    written: u64,
    failure: Failure,
}

/// Why an upload failed: [`io::Write`] and the libraries behind it cannot carry it.
#[derive(Clone, Default)]
pub(crate) struct Failure(Arc<Mutex<Option<Error>>>);

struct Parts {
    upload: Box<dyn MultipartUpload>,
    /// What the object is called by now, if there is one: another name says that this upload is there.
    before: Option<String>,
    on_their_way: JoinSet<object_store::Result<()>>,
}

impl Failure {
    fn set(&self, error: Error) -> io::Error {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        io::Error::other("the upload failed")
    }

    /// The failure, if there was one.
    pub(crate) fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Upload {
    /// An upload to `path`, which replaces what is there once it is finished.
    pub(crate) fn new(store: &Store, path: Path) -> Self {
        Self {
            store: store.clone(),
            path,
            gathered: Vec::new(),
            parts: None,
            written: 0,
            failure: Failure::default(),
        }
    }

    /// Where the reason of a failed write will be.
    pub(crate) fn failure(&self) -> Failure {
        self.failure.clone()
    }

    fn part_size(&self) -> usize {
        if self.store.is_local() { LOCAL_PART_BYTES } else { PART_BYTES }
    }

    fn send_part(&mut self) -> Result<()> {
        let store = self.store.clone();
        if self.parts.is_none() {
            let objects = store.objects();
            let before = store.head(&self.path)?.and_then(|object| object.e_tag);
            let upload = tries(|| store.wait(&self.path, objects.put_multipart(&self.path)))?;
            self.parts = Some(Parts { upload, before, on_their_way: JoinSet::new() });
        }
        let size = self.part_size();
        let Some(Parts { upload, on_their_way, .. }) = &mut self.parts else { return Ok(()) };
        let rest = self.gathered.split_off(self.gathered.len().min(size));
        let part = std::mem::replace(&mut self.gathered, rest);
        while on_their_way.len() >= MAX_PARTS_SENT {
            arrived(&store, &self.path, on_their_way)?;
        }
        on_their_way.spawn_on(upload.put_part(PutPayload::from(part)), &store.handle());
        Ok(())
    }

    /// Sends what is left, and makes the object appear. The last step is seen through even if the user asks
    /// the run to end.
    ///
    /// # Errors
    /// `Config`, `System` or `Transient`: it cannot be written. Nothing has appeared then.
    pub(crate) fn finish(&mut self) -> Result<u64> {
        let store = self.store.clone();
        if self.parts.is_none() {
            let payload = PutPayload::from(std::mem::take(&mut self.gathered));
            store.see_through(&self.path, store.objects().put(&self.path, payload))?;
            return Ok(self.written);
        }
        if !self.gathered.is_empty() {
            self.send_part()?;
        }
        if let Some(Parts { upload, before, on_their_way }) = &mut self.parts {
            while !on_their_way.is_empty() {
                arrived(&store, &self.path, on_their_way)?;
            }
            tries(|| match store.see_through(&self.path, upload.complete()) {
                Ok(_) => Ok(()),
                // The answer may have been lost, and the store then knows of no such upload any more.
                Err(error) => match store.see_through(&self.path, store.objects().head(&self.path))
                {
                    Ok(there) if there.size == self.written && there.e_tag != *before => Ok(()),
                    _ => Err(error),
                },
            })?;
        }
        self.parts = None;
        Ok(self.written)
    }
}

/// Tries a step a few times, as long as it fails for a passing reason.
fn tries<T>(mut step: impl FnMut() -> Result<T>) -> Result<T> {
    let mut backoff = Backoff::new(FIRST_PAUSE, MAX_PAUSE);
    for _ in 1..MAX_TRIES {
        match step() {
            Err(error) if error.kind() == Kind::Transient => {
                std::thread::sleep(backoff.pause(fastrand::f64()));
            }
            done => return done,
        }
    }
    step()
}

/// Waits until one of the parts has arrived.
fn arrived(
    store: &Store,
    path: &Path,
    parts: &mut JoinSet<object_store::Result<()>>,
) -> Result<()> {
    match store.until_done(parts.join_next())? {
        None | Some(Ok(Ok(()))) => Ok(()),
        Some(Ok(Err(error))) => Err(store.explain(path, error)),
        Some(Err(died)) => Err(store.unexpected("An upload ended without a word", died)),
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(bytes);
        self.written += bytes.len() as u64;
        while self.gathered.len() > self.part_size() {
            self.send_part().map_err(|error| self.failure.set(error))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is not finished leaves nothing behind.
impl Drop for Upload {
    fn drop(&mut self) {
        let Some(Parts { mut upload, mut on_their_way, .. }) = self.parts.take() else { return };
        self.store.tidy(async {
            on_their_way.shutdown().await;
            // A store that keeps the parts has a rule to remove them some day.
            let _ = upload.abort().await;
        });
    }
}
