//! The rejected records of an export, in a file beside its table.

use super::Table;
use super::locate::rejects_folder;
use crate::error::Result;
use crate::export::parquet::{Uploaded, Written};
use crate::export::rejects;
use crate::sink::Reply;

/// Uploads them. Unless they are kept they are removed again.
///
/// # Errors
/// `Config`, `System` or `Transient`: they cannot be read back, or the file cannot be written.
pub(super) fn upload(table: &Table<'_>, reply: &mut dyn Reply) -> Result<Uploaded> {
    let log = &table.log;
    let folder = rejects_folder(&log.folder, log.stream);
    let path = folder.join(format!("{}.jsonl", table.run));
    let mut upload = rejects::copy(&log.store, path.clone(), &mut *reply.rejects()?)?;
    let bytes = upload.finish()?;
    let mut uploaded = Uploaded::none(log.store.clone());
    uploaded.files.push(Written { path, bytes, rows: 0, columns: Vec::new() });
    Ok(uploaded)
}
