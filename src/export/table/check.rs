//! Whether this program may write to a version of a table.

use super::keys::keys_of;
use super::log::{Log, Version};
use super::survey::Seen;
use super::{TableOptions, columns};
use crate::error::{Error, Result};
use crate::export::mode::TableMode;

/// Whether this program may write to a version.
///
/// # Errors
/// `Config`: somebody else's table, one with columns or features that are not known here, or one that
/// another mode writes.
pub(super) fn check(log: &Log, version: &Version, options: &TableOptions) -> Result<()> {
    let TableOptions { mode, is_whole, .. } = *options;
    let place = log.place();
    if !version.is_ours {
        return Err(Error::config(format!(
            "There is a table at {place} that this program did not write. Export to another place, or move it away."
        )));
    }
    if let Some(damage) = version.damage.as_ref().filter(|_| mode != TableMode::Overwrite) {
        return Err(Error::config(format!(
            "The log of the table at {place} is damaged: {damage}. Restore the log, or export once with --mode overwrite."
        )));
    }
    if version.note.is_none() && !is_whole {
        return Err(Error::config(format!(
            "The table at {place} has lost what this program noted in it, as checkpoints of some other tools do. Export once with --full-refresh, which reads everything and notes it again."
        )));
    }
    let noted = match &version.note {
        Some(note) => note.mode,
        None => mode_of_rows(log, version)?,
    };
    match (noted, mode) {
        (TableMode::Append, TableMode::Merge) => {
            return Err(Error::config(format!(
                "The table at {place} has one row per version, written with --mode append. Use --mode append again, or export to another place."
            )));
        }
        (TableMode::Merge, TableMode::Append) => {
            return Err(Error::config(format!(
                "The table at {place} has one row per {}, written with --mode merge. Use --mode merge again, or export to another place.",
                log.stream.record
            )));
        }
        _ => {}
    }
    columns::check(&version.snapshot.schema(), log.stream, &place)?;
    let is_partitioned = log.is_partitioned(version)?;
    let properties = version.snapshot.table_properties();
    let is_restricted =
        properties.append_only == Some(true) || properties.enable_change_data_feed == Some(true);
    if is_restricted && mode != TableMode::Append {
        return Err(Error::config(format!(
            "The table at {place} only accepts additions, or writes a change data feed, so its files cannot be replaced. Reset delta.appendOnly and delta.enableChangeDataFeed, or export to another place."
        )));
    }
    if properties.enable_row_tracking == Some(true) {
        return Err(Error::config(format!(
            "The table at {place} tracks its rows, which this program does not write. Reset delta.enableRowTracking, or export to another place."
        )));
    }
    let is_mapped = properties.column_mapping_mode.is_some();
    if is_mapped || is_partitioned {
        return Err(Error::config(format!(
            "The table at {place} has been given partitions or mapped columns, which this program does not write. Export to another place."
        )));
    }
    Ok(())
}

/// The mode that the rows of a table show, where nothing else does: an id that occurs twice is of a history of
/// versions. Nothing tells a table of single rows from one that was overwritten.
fn mode_of_rows(log: &Log, version: &Version) -> Result<TableMode> {
    let mut seen = Seen::default();
    keys_of(log, version, |keys| seen.take_keys(keys))?;
    Ok(if seen.twice.is_empty() { TableMode::Overwrite } else { TableMode::Append })
}
