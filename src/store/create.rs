//! Creation of an object that did not exist, with an answer that can be relied on.
//!
//! A store answers a conditional creation in more ways than the library distinguishes: its "already exists"
//! may also mean our own write whose answer was lost, and for a conflict in which nothing was written.
//! So after anything but a plain success the object is read back: our own bytes are success, none are a
//! reason to try again unless the refusal will last, others are a conflict. A refusal that lasts is one only if no try before it may
//! have been done, the library's own among them ([`Doubt`]).

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};

use super::clock::Clock;
use super::doubt::Doubt;
use super::explain::kind;
use crate::backoff::Backoff;
use crate::error::Kind;

/// The first pause between two tries, before jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause, before jitter.
const MAX_PAUSE: Duration = Duration::from_secs(10);

/// A store whose conditional creation says what happened. Everything else is the store's own.
#[derive(Debug)]
pub(super) struct Creating {
    store: Arc<dyn ObjectStore>,
    clock: Arc<dyn Clock>,
    sent: Arc<Sent>,
    /// Nobody else writes, so that looking before writing is enough.
    single_writer: bool,
    window: Duration,
}

/// Creations that were sent, and that are there or may yet be.
#[derive(Debug, Default)]
pub(super) struct Sent(Mutex<HashSet<Path>>);

impl Sent {
    /// Whether an object that was to be created may be there: what belongs to it has to stay then.
    pub(super) fn may_be_there(&self, path: &Path) -> bool {
        self.paths().contains(path)
    }

    fn paths(&self) -> MutexGuard<'_, HashSet<Path>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What follows from an answer that was no plain success.
#[derive(Debug)]
enum Verdict {
    /// The object is there, and it is the one that was sent.
    Created,
    /// It is sent again.
    Again,
    /// Another one is there, so that it can never be.
    Taken(Error),
    /// It was refused, and it is not there.
    Refused(Error),
    /// It is given up, and it may yet appear.
    InDoubt(Error),
}

/// Judges an answer that was no plain success, by the object that is read back. `is_in_doubt` says whether an answer before
/// it may have been wrong.
///
/// An object that is not there may be on its way. So it is sent again under the same name, until one of both arrives or
/// another program's has; only when time is up the doubt is passed on.
fn judge(
    path: &Path,
    own: &Bytes,
    answer: Error,
    there: Result<Option<Bytes>>,
    is_in_doubt: bool,
    is_time_up: bool,
) -> Verdict {
    let unreadable = match there {
        Ok(Some(there)) if there == *own => return Verdict::Created,
        Ok(Some(_)) => return Verdict::Taken(exists(path)),
        Ok(None) => None,
        Err(error) => Some(error),
    };
    match (kind(&answer), is_in_doubt) {
        (Kind::Transient, _) if !is_time_up => Verdict::Again,
        (Kind::Transient, _) => Verdict::InDoubt(match (unreadable, answer) {
            (Some(unreadable), _) => unreadable,
            // It said that another program's object is there, and there is none.
            (None, Error::AlreadyExists { .. } | Error::Precondition { .. }) => busy(),
            (None, answer) => answer,
        }),
        (_, true) => Verdict::InDoubt(answer),
        (_, false) => Verdict::Refused(answer),
    }
}

impl Creating {
    /// Tries for `window`.
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        clock: Arc<dyn Clock>,
        sent: Arc<Sent>,
        single_writer: bool,
        window: Duration,
    ) -> Self {
        Self { store, clock, sent, single_writer, window }
    }

    async fn create(
        &self,
        path: &Path,
        payload: PutPayload,
        mut opts: PutOptions,
    ) -> Result<PutResult> {
        let started = self.clock.now();
        let mut backoff = Backoff::new(FIRST_PAUSE, MAX_PAUSE);
        let own = Bytes::from(payload.clone());
        let doubt = Doubt::default();
        opts.extensions.insert(doubt.clone());
        let mut is_in_doubt = false;
        self.sent.paths().insert(path.clone());
        loop {
            let answer = match self.try_once(path, payload.clone(), opts.clone()).await {
                Ok(result) => return Ok(result),
                Err(error) => error,
            };
            let there = self.read(path).await;
            let is_time_up = self.clock.now().saturating_sub(started) >= self.window;
            is_in_doubt |= kind(&answer) == Kind::Transient || doubt.is_left();
            match judge(path, &own, answer, there, is_in_doubt, is_time_up) {
                Verdict::Created => return Ok(unnamed()),
                Verdict::Again => self.clock.sleep(backoff.pause(fastrand::f64())).await,
                Verdict::InDoubt(error) => return Err(error),
                Verdict::Taken(error) | Verdict::Refused(error) => {
                    self.sent.paths().remove(path);
                    return Err(error);
                }
            }
        }
    }

    async fn try_once(
        &self,
        path: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        if !self.single_writer {
            return self.store.put_opts(path, payload, opts).await;
        }
        match self.store.head(path).await {
            Ok(_) => Err(exists(path)),
            Err(Error::NotFound { .. }) => {
                let opts = PutOptions { mode: PutMode::Overwrite, ..opts };
                self.store.put_opts(path, payload, opts).await
            }
            Err(error) => Err(error),
        }
    }

    async fn read(&self, path: &Path) -> Result<Option<Bytes>> {
        match self.store.get(path).await {
            Ok(found) => found.bytes().await.map(Some),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn exists(path: &Path) -> Error {
    Error::AlreadyExists { path: path.to_string(), source: "somebody else created it".into() }
}

fn busy() -> Error {
    Error::Generic { store: "store", source: "it reported a conflict again and again".into() }
}

fn unnamed() -> PutResult {
    PutResult { e_tag: None, version: None, extensions: Default::default() }
}

impl fmt::Display for Creating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

#[async_trait]
impl ObjectStore for Creating {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        match opts.mode {
            PutMode::Create => self.create(path, payload, opts).await,
            _ => self.store.put_opts(path, payload, opts).await,
        }
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.store.put_multipart_opts(path, opts).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.store.get_opts(path, options).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.store.get_ranges(path, ranges).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.store.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.store.list(prefix)
    }

    /// Some stores list from the beginning whatever they are asked, so what they list is looked at.
    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let after = offset.clone();
        let is_after = move |found: &Result<ObjectMeta>| {
            std::future::ready(found.as_ref().map_or(true, |found| found.location > after))
        };
        self.store.list_with_offset(prefix, offset).filter(is_after).boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.store.copy_opts(from, to, options).await
    }
}

#[cfg(test)]
mod interleavings;

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use object_store::memory::InMemory;

    use super::*;
    use crate::store::clock::Machine;

    #[tokio::test]
    async fn what_is_no_creation_is_the_stores_own() {
        let own = Arc::new(InMemory::new());
        let clock = Arc::new(Machine(Instant::now()));
        let store = Creating::new(own.clone(), clock, Arc::default(), false, Duration::ZERO);
        let (first, copy) = (Path::from("a/1"), Path::from("b/2"));
        store.put(&first, "rows".into()).await.unwrap();
        store.copy(&first, &copy).await.unwrap();
        assert_eq!(own.get(&copy).await.unwrap().bytes().await.unwrap(), "rows");
        let folders = store.list_with_delimiter(None).await.unwrap().common_prefixes;
        assert_eq!(folders, [Path::from("a"), Path::from("b")]);
        let after: Vec<_> = store.list_with_offset(None, &first).collect().await;
        let after: Vec<Path> = after.into_iter().map(|found| found.unwrap().location).collect();
        assert_eq!(after, [copy]);
        assert_eq!(store.to_string(), own.to_string());
    }
}
