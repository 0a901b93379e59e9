//! Small files: many exports of a few rows leave many of them, and every reader opens each.

use super::compare::Changes;
use super::log::Version;
use crate::export::mode::TableMode;

/// A file of fewer bytes is small.
const SMALL_BYTES: u64 = 16 * 1024 * 1024;

/// Small files that a table may have before a merge takes them along.
const MAX_SMALL: usize = 16;

/// Takes small files along, where there are many: they are copied as files of which rows are replaced are, so that one
/// commit leaves few. An append copies nothing. Where nothing else changes nothing is taken along, since that would be a
/// commit of its own.
pub(super) fn take_along(version: Option<&Version>, mode: TableMode, changes: &mut Changes) {
    let files = version.map(|version| version.files.as_slice()).unwrap_or_default();
    let small = (0..files.len()).filter(|file| files[*file].bytes < SMALL_BYTES);
    let small: Vec<usize> = small.collect();
    if mode != TableMode::Append && small.len() > MAX_SMALL {
        changes.touch_files(small);
    }
}
