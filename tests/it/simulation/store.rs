//! The store of a world as one process reaches it. Each request waits on its way there, and its answer on the way back.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use kometsales::store::Clock;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};

use super::world::{Process, SECOND, World};

/// A process of a writer.
#[derive(Debug, Clone)]
pub(super) struct Reached {
    pub(super) world: Arc<World>,
    pub(super) writer: usize,
    pub(super) process: Process,
}

impl Reached {
    /// On its way.
    async fn pass(&self) {
        if !self.world.is_dead(self.process) {
            self.world.pass(self.writer, 0).await;
        }
    }

    async fn listed(&self, prefix: Option<Path>, after: Option<Path>) -> Result<Vec<ObjectMeta>> {
        self.pass().await;
        let listed = self.world.list(self.process, prefix.as_ref(), after.as_ref());
        self.pass().await;
        listed
    }

    async fn fetched(&self, path: &Path) -> Result<(ObjectMeta, Bytes)> {
        if !self.world.is_alone(self.process, path) {
            return self.world.get(self.process, path);
        }
        self.pass().await;
        let fetched = self.world.get(self.process, path);
        self.pass().await;
        fetched
    }

    fn stream(
        &self,
        prefix: Option<&Path>,
        after: Option<&Path>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let (own, prefix, after) = (self.clone(), prefix.cloned(), after.cloned());
        let listed = async move {
            let listed = own.listed(prefix, after).await?;
            Ok::<_, Error>(futures_util::stream::iter(listed.into_iter().map(Ok)))
        };
        futures_util::stream::once(listed).try_flatten().boxed()
    }
}

/// Time by the clock of the world. How long a pause is, the world decides: it is the seed's, and not that of this moment.
#[async_trait]
impl Clock for Reached {
    fn now(&self) -> Duration {
        Duration::from_micros(self.world.now().unsigned_abs())
    }

    async fn sleep(&self, _: Duration) {
        if !self.world.is_dead(self.process) {
            let pause = i64::from(self.world.draw(10)) * SECOND;
            self.world.pass(self.writer, pause).await;
        }
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("simulated")
    }
}

#[async_trait]
impl ObjectStore for Reached {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let is_creation = match opts.mode {
            PutMode::Create => true,
            PutMode::Overwrite => false,
            PutMode::Update(_) => return Err(unasked("an update")),
        };
        self.pass().await;
        let put = self.world.put(self.process, path, payload.into(), is_creation);
        self.pass().await;
        put.map(|e_tag| PutResult {
            e_tag: Some(e_tag),
            version: None,
            extensions: Default::default(),
        })
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(unasked("an upload in parts"))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let (meta, bytes) = self.fetched(path).await?;
        let length = bytes.len() as u64;
        let range = match &options.range {
            Some(range) => range.as_range(length).map_err(|error| Error::Generic {
                store: "store",
                source: error.to_string().into(),
            })?,
            None => 0..length,
        };
        let slice = bytes.slice(range.start as usize..range.end as usize);
        let stream = futures_util::stream::once(std::future::ready(Ok(slice)));
        Ok(GetResult {
            payload: GetResultPayload::Stream(stream.boxed()),
            meta,
            range,
            attributes: Default::default(),
            extensions: Default::default(),
        })
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let (_, bytes) = self.fetched(path).await?;
        let slice = |range: &Range<u64>| {
            let range = GetRange::Bounded(range.clone()).as_range(bytes.len() as u64);
            let range = range.map_err(|error| Error::Generic {
                store: "store",
                source: error.to_string().into(),
            })?;
            Ok(bytes.slice(range.start as usize..range.end as usize))
        };
        ranges.iter().map(slice).collect()
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let own = self.clone();
        // One after the other, so that the seed alone decides.
        paths
            .then(move |path| {
                let own = own.clone();
                async move {
                    let path = path?;
                    own.pass().await;
                    let deleted = own.world.delete(own.process, &path);
                    own.pass().await;
                    deleted.map(|()| path)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.stream(prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.stream(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let folder = prefix.cloned().unwrap_or_default();
        let (mut objects, mut common_prefixes) = (Vec::new(), Vec::<Path>::new());
        for object in self.listed(prefix.cloned(), None).await? {
            let parts: Vec<_> =
                object.location.prefix_match(&folder).into_iter().flatten().collect();
            if parts.len() == 1 {
                objects.push(object);
            } else if let Some(first) = parts.into_iter().next() {
                let below = folder.clone().join(first);
                if common_prefixes.last() != Some(&below) {
                    common_prefixes.push(below);
                }
            }
        }
        Ok(ListResult { common_prefixes, objects, extensions: Default::default() })
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(unasked("a copy"))
    }
}

fn unasked(what: &str) -> Error {
    Error::NotSupported { source: format!("the simulation has no {what}").into() }
}
