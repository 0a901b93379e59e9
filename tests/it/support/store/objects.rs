//! What a store holds: objects, and uploads that are no objects yet.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, SystemTime};

use super::reply::Refusal;

/// One version of an object.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) bytes: Vec<u8>,
    /// With its quotes. The same bytes have the same one, as in S3.
    pub(super) etag: String,
    /// No two writes of a store have the same one, as in Google Cloud Storage.
    pub(super) generation: u64,
    pub(super) modified: SystemTime,
}

/// What has to hold for a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    None,
    /// There is no object.
    Absent,
    /// The object has this ETag.
    Etag(String),
    /// The object is this version.
    Generation(u64),
}

impl Condition {
    fn check(&self, object: Option<&Object>) -> Result<(), Refusal> {
        let holds = match (self, object) {
            (Self::None, _) | (Self::Absent, None) => true,
            // S3 says that there is nothing, not that the condition failed.
            (Self::Etag(_), None) => return Err(Refusal::NO_SUCH_KEY),
            (Self::Absent, Some(_)) | (Self::Generation(_), None) => false,
            (Self::Etag(etag), Some(object)) => {
                object.etag.trim_matches('"') == etag.trim_matches('"')
            }
            (Self::Generation(generation), Some(object)) => object.generation == *generation,
        };
        if holds { Ok(()) } else { Err(Refusal::PRECONDITION_FAILED) }
    }
}

/// A multipart upload under way.
#[derive(Debug)]
struct Upload {
    bucket: String,
    key: String,
    parts: BTreeMap<u32, Vec<u8>>,
}

/// Everything in a store.
#[derive(Debug)]
pub(super) struct Objects {
    /// By bucket and key, which sorts them as lists have them: by bytes.
    objects: BTreeMap<(String, String), Object>,
    uploads: BTreeMap<String, Upload>,
    last_generation: u64,
    last_upload: u64,
    /// How far the store's clock is ahead, in seconds.
    ahead: i64,
}

impl Default for Objects {
    fn default() -> Self {
        // Google's generations are large, and code that keeps them in too few bits is to be noticed.
        let last_generation = 1_700_000_000_000_000;
        Self {
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
            last_generation,
            last_upload: 0,
            ahead: 0,
        }
    }
}

impl Objects {
    pub(super) fn get(&self, bucket: &str, key: &str) -> Option<&Object> {
        self.objects.get(&(bucket.to_owned(), key.to_owned()))
    }

    /// The objects of a bucket with their keys, sorted.
    pub(super) fn of<'a>(&'a self, bucket: &'a str) -> impl Iterator<Item = (&'a str, &'a Object)> {
        let start = (bucket.to_owned(), String::new());
        let objects =
            self.objects.range(start..).take_while(move |((other, _), _)| other == bucket);
        objects.map(|((_, key), object)| (key.as_str(), object))
    }

    pub(super) fn put(
        &mut self,
        bucket: &str,
        key: &str,
        bytes: Vec<u8>,
        condition: &Condition,
    ) -> Result<&Object, Refusal> {
        let etag = etag(&bytes);
        self.write(bucket, key, bytes, etag, condition)
    }

    fn write(
        &mut self,
        bucket: &str,
        key: &str,
        bytes: Vec<u8>,
        etag: String,
        condition: &Condition,
    ) -> Result<&Object, Refusal> {
        condition.check(self.get(bucket, key))?;
        self.last_generation += 1;
        let generation = self.last_generation;
        let modified = moved(SystemTime::now(), self.ahead);
        let object = Object { bytes, etag, generation, modified };
        let place = self.objects.entry((bucket.to_owned(), key.to_owned()));
        Ok(place.insert_entry(object).into_mut())
    }

    /// Sets the store's clock so many seconds ahead.
    pub(super) fn set_ahead(&mut self, seconds: i64) {
        self.ahead = seconds;
    }

    /// Makes an object so many seconds older.
    pub(super) fn age(&mut self, bucket: &str, key: &str, seconds: i64) {
        let place = (bucket.to_owned(), key.to_owned());
        let object = self.objects.get_mut(&place).unwrap();
        object.modified = moved(object.modified, -seconds);
    }

    pub(super) fn delete(&mut self, bucket: &str, key: &str) -> bool {
        self.objects.remove(&(bucket.to_owned(), key.to_owned())).is_some()
    }

    /// Begins a multipart upload, and gives its name.
    pub(super) fn create_upload(&mut self, bucket: &str, key: &str) -> String {
        self.last_upload += 1;
        let name = format!("upload-{}", self.last_upload);
        let upload =
            Upload { bucket: bucket.to_owned(), key: key.to_owned(), parts: BTreeMap::new() };
        self.uploads.insert(name.clone(), upload);
        name
    }

    /// Keeps a part, in the place of one with the same number, and gives its ETag.
    pub(super) fn put_part(
        &mut self,
        name: &str,
        number: u32,
        bytes: Vec<u8>,
    ) -> Result<String, Refusal> {
        let upload = self.uploads.get_mut(name).ok_or(Refusal::NO_SUCH_UPLOAD)?;
        let etag = etag(&bytes);
        upload.parts.insert(number, bytes);
        Ok(etag)
    }

    /// Makes an object of the named parts. Parts may be of any size, other than in S3.
    pub(super) fn complete_upload(
        &mut self,
        name: &str,
        parts: &[(u32, String)],
        condition: &Condition,
    ) -> Result<&Object, Refusal> {
        let upload = self.uploads.get(name).ok_or(Refusal::NO_SUCH_UPLOAD)?;
        if parts.is_empty() || !parts.is_sorted_by(|one, other| one.0 < other.0) {
            return Err(Refusal::INVALID_PART_ORDER);
        }
        let mut whole = Vec::new();
        for (number, named) in parts {
            let part = upload.parts.get(number).ok_or(Refusal::INVALID_PART)?;
            if etag(part).trim_matches('"') != named.trim_matches('"') {
                return Err(Refusal::INVALID_PART);
            }
            whole.extend_from_slice(part);
        }
        let etag = format!("\"{}-{}\"", etag(&whole).trim_matches('"'), parts.len());
        condition.check(self.get(&upload.bucket, &upload.key))?;
        let upload = self.uploads.remove(name).ok_or(Refusal::NO_SUCH_UPLOAD)?;
        self.write(&upload.bucket, &upload.key, whole, etag, &Condition::None)
    }

    pub(super) fn abort_upload(&mut self, name: &str) -> Result<(), Refusal> {
        self.uploads.remove(name).map(|_| ()).ok_or(Refusal::NO_SUCH_UPLOAD)
    }

    pub(super) fn pending_uploads(&self) -> Vec<String> {
        let uploads = self.uploads.values();
        let mut names: Vec<String> =
            uploads.map(|upload| format!("{}/{}", upload.bucket, upload.key)).collect();
        names.sort();
        names
    }
}

fn moved(time: SystemTime, seconds: i64) -> SystemTime {
    let by = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { time - by } else { time + by }
}

/// As long as an MD5 in hexadecimal digits, which is what clients are used to.
fn etag(bytes: &[u8]) -> String {
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        (seed, bytes).hash(&mut hasher);
        hasher.finish()
    };
    format!("\"{:016x}{:016x}\"", half(0), half(1))
}
