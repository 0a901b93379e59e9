//! Object stores: this machine's folders, S3 and what speaks like it, GCS, Azure.
//!
//! The rest of the crate is made of plain functions. A [`Store`] waits for the network on their behalf,
//! and ends the wait where the user asks the run to end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::runtime::{Handle, Runtime};
use url::Url;

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::secret::Redactor;

mod clock;
mod connector;
mod create;
mod doubt;
mod explain;
mod open;
mod place;
mod probe;
mod slips;
mod tend;
mod upload;

pub use clock::Clock;
pub(crate) use explain::kind_among;
pub use open::{Options, Parts};
pub use place::Place;
pub(crate) use probe::is_probe;
pub(crate) use tend::Temporary;
pub(crate) use upload::Upload;

/// How often a wait looks whether the user asked the run to end.
const INTERRUPT_POLL: Duration = Duration::from_millis(50);

/// How long tidying up may take, since a store that hangs must not keep the user.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(20);

/// One object store, as it is reached from here.
#[derive(Debug, Clone)]
pub struct Store {
    /// With creation that can be relied on.
    objects: Arc<dyn ObjectStore>,
    /// What was to be created, and is there or may yet be.
    sent: Arc<create::Sent>,
    /// As the library has it.
    bare: Arc<dyn ObjectStore>,
    runtime: Arc<Runtime>,
    /// Where the user pointed.
    place: Place,
    single_writer: bool,
    secrets: Arc<Redactor>,
    /// What is missing in the environment, if anything is.
    hint: Option<&'static str>,
    interrupt: Interrupt,
    /// Whether a folder above has shown that what is below can be written.
    is_proved: bool,
}

impl Store {
    /// The same store, reached over the same connections, with a folder of this name below the place that the user
    /// named for its place. Where the place was probed before, a folder of another machine is not probed again.
    ///
    /// # Errors
    /// `Config`: the folder is a link to nothing.
    pub(crate) fn below(&self, name: &str) -> Result<Self> {
        let place = self.place.below(name)?;
        Ok(Self { place, is_proved: !self.is_local(), ..self.clone() })
    }

    /// The same store for what is seen through, whatever the user asks.
    pub(crate) fn seeing_through(&self) -> Self {
        Self { interrupt: Interrupt::default(), ..self.clone() }
    }

    /// An object as people write it: a path on this machine, a URL otherwise.
    pub fn shown(&self, path: &Path) -> String {
        self.place.shown(path)
    }

    /// The place that the user named.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The object or folder that the user named.
    pub(crate) fn path(&self) -> &Path {
        self.place.path()
    }

    /// The URL of a folder, as libraries for tables take it: with a `/` at the end.
    pub(crate) fn folder_url(&self, folder: &Path) -> Url {
        let mut url = self.place.url().clone();
        // Segment by segment, so that a `%` or a `?` in a name is one in the URL.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(folder.parts().map(|part| part.as_ref().to_owned())).push("");
        }
        url
    }

    pub(crate) fn objects(&self) -> Arc<dyn ObjectStore> {
        self.objects.clone()
    }

    /// Whether an object that this run was to create is there, or may yet appear: its creation was sent, and no answer
    /// ruled it out.
    pub(crate) fn may_be_there(&self, path: &Path) -> bool {
        self.sent.may_be_there(path)
    }

    pub(crate) fn handle(&self) -> Handle {
        self.runtime.handle().clone()
    }

    /// True for a folder of this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.place.is_local()
    }

    pub(crate) fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Waits for work on `path`, unless the user asks the run to end.
    ///
    /// # Errors
    /// What the work says, in words: see [`explain`](Self::explain).
    pub(crate) fn wait<T>(
        &self,
        path: &Path,
        work: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T> {
        self.until_done(work)?.map_err(|error| self.explain(path, error))
    }

    /// Waits for work, unless the user asks the run to end.
    ///
    /// # Errors
    /// `System`: the user does.
    pub(crate) fn until_done<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        let asked = async {
            while !self.interrupt.is_asked() {
                tokio::time::sleep(INTERRUPT_POLL).await;
            }
        };
        self.runtime.block_on(async {
            tokio::select! {
                biased;
                done = work => Ok(done),
                () = asked => Err(Interrupt::error()),
            }
        })
    }

    /// Waits for work on `path` to its end: what has been sent may have been done, so that only its answer
    /// says what there is now.
    ///
    /// # Errors
    /// As [`wait`](Self::wait), but for the user's wish.
    pub(crate) fn see_through<T>(
        &self,
        path: &Path,
        work: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T> {
        self.runtime.block_on(work).map_err(|error| self.explain(path, error))
    }

    /// What is known of an object; `None` if there is none.
    pub(crate) fn head(&self, path: &Path) -> Result<Option<ObjectMeta>> {
        match self.until_done(self.objects.head(path))? {
            Ok(meta) => Ok(Some(meta)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.explain(path, error)),
        }
    }

    /// The whole of a small object.
    pub(crate) fn read(&self, path: &Path) -> Result<bytes::Bytes> {
        self.wait(path, async { self.objects.get(path).await?.bytes().await })
    }

    /// The objects right below a folder.
    pub(crate) fn list(&self, folder: &Path) -> Result<Vec<ObjectMeta>> {
        if self.is_missing(folder) {
            return Ok(Vec::new());
        }
        let listed = self.wait(folder, self.objects.list_with_delimiter(Some(folder)))?;
        Ok(listed.objects)
    }

    /// Removes objects, however the run goes. What cannot be removed stays: no reader looks at it.
    pub(crate) fn remove(&self, paths: Vec<Path>) {
        let paths = futures_util::stream::iter(paths.into_iter().map(Ok)).boxed();
        let removal = async {
            let mut removed = self.objects.delete_stream(paths);
            while let Some(one) = removed.next().await {
                // Another may still be removed.
                let _ = one;
            }
        };
        self.tidy(removal);
    }

    /// Waits for work that tidies up, but not for ever, and also when the user asked the run to end.
    pub(crate) fn tidy(&self, work: impl Future<Output = ()>) {
        self.runtime.block_on(async {
            let _ = tokio::time::timeout(CLEANUP_TIMEOUT, work).await;
        });
    }

    /// The one name of a folder of this machine, which may be a link; other stores have no links.
    ///
    /// # Errors
    /// `Config`: it is a link to nothing.
    pub(crate) fn followed(&self, folder: Path) -> Result<Path> {
        if !self.is_local() {
            return Ok(folder);
        }
        let shown = self.shown(&folder);
        match std::fs::canonicalize(&shown) {
            Ok(path) => Ok(Path::from_absolute_path(path).unwrap_or(folder)),
            Err(_) if std::path::Path::new(&shown).is_symlink() => {
                Err(place::link_to_nothing(&shown))
            }
            Err(_) => Ok(folder),
        }
    }

    /// Makes a folder of this machine; other stores have none. Where that fails, so does what is written next,
    /// and says why.
    pub(crate) fn make_folder(&self, folder: &Path) {
        if self.is_local() {
            let _ = std::fs::create_dir_all(self.shown(folder));
        }
    }

    /// Whether a folder of this machine is not there. That is most of what a new table asks, a dozen times, and each question
    /// that goes through the store is handed to another thread and back.
    fn is_missing(&self, folder: &Path) -> bool {
        let is_missing = |error: std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
        self.is_local() && std::fs::symlink_metadata(self.shown(folder)).is_err_and(is_missing)
    }

    /// True if there is nothing at all below a folder.
    pub(crate) fn is_empty(&self, folder: &Path) -> Result<bool> {
        if self.is_missing(folder) {
            return Ok(true);
        }
        let first = async { self.objects.list(Some(folder)).try_next().await };
        match self.until_done(first)? {
            Ok(first) => Ok(first.is_none()),
            Err(object_store::Error::NotFound { .. }) => Ok(true),
            Err(error) => Err(self.explain(folder, error)),
        }
    }

    /// `text` without any of the store's secrets.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.secrets.redact(text)
    }

    /// A fault of this program, or one that nobody thought of.
    pub(crate) fn unexpected(&self, what: &str, cause: impl std::fmt::Display) -> Error {
        Error::system(format!("{what}: {}.", self.redact(&cause.to_string())))
    }
}
