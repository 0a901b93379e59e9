//! An object of the store, and what a store says of one.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::path::Path;
use object_store::{Error, ObjectMeta};

#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) bytes: Bytes,
    pub(super) modified: i64,
    pub(super) number: u64,
}

impl Object {
    pub(super) fn meta(&self, path: &Path) -> ObjectMeta {
        ObjectMeta {
            location: path.clone(),
            last_modified: DateTime::<Utc>::from_timestamp_micros(self.modified).unwrap(),
            size: self.bytes.len() as u64,
            e_tag: Some(self.number.to_string()),
            version: None,
        }
    }
}

/// What a process hears that is there no more: it ends by it, and tries nothing again.
pub(super) fn gone() -> Error {
    Error::PermissionDenied { path: String::new(), source: "the process is gone".into() }
}

pub(super) fn unavailable() -> Error {
    Error::Generic { store: "store", source: "503 Service Unavailable".into() }
}

pub(super) fn exists(path: &Path) -> Error {
    Error::AlreadyExists { path: path.to_string(), source: "409 Conflict".into() }
}

pub(super) fn missing(path: &Path) -> Error {
    Error::NotFound { path: path.to_string(), source: "404 Not Found".into() }
}
