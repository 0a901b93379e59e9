//! Whether this program may write to a version of a table.

use std::collections::BTreeMap;

use super::keys::keys_of;
use super::log::{Log, Version};
use super::survey::Seen;
use super::{TableOptions, columns};
use crate::error::{Error, Result};
use crate::export::mode::TableMode;
use crate::model::Stream;

/// Whether this program may write to a version; gives the mode that its table has.
///
/// # Errors
/// `Config`: somebody else's table, one with columns or features that are not known here, or one that
/// another mode writes.
pub(super) fn check(log: &Log, version: &Version, options: &TableOptions) -> Result<TableMode> {
    let TableOptions { mode, is_whole, .. } = *options;
    let (place, is_part) = (log.place(), log.company.is_some());
    refuse_others(version, is_part, &place)?;
    if let Some(damage) = version.damage.as_ref().filter(|_| mode != TableMode::Overwrite) {
        let is_history = version.is_history();
        let instead = if is_history { TableMode::History } else { TableMode::Overwrite }.repair();
        return Err(Error::config(format!(
            "The log of the table at {place} is damaged: {damage}. Restore the log, or {instead}."
        )));
    }
    if version.note.is_none() && !is_whole {
        return Err(Error::config(format!(
            "The table at {place} has lost what this program noted in it. Export once with --full-refresh, which notes it again."
        )));
    }
    let there = match &version.note {
        Some(note) => note.table_mode,
        None => mode_of_rows(log, version)?,
    };
    if let Some(why) = refusal(there, mode, log.stream) {
        return Err(Error::config(format!(
            "The table at {place} {why}, or export to another place."
        )));
    }
    check_form(log, version, there, mode)?;
    Ok(there)
}

/// Whether a run of this mode may write to a version of a table of many companies.
///
/// # Errors
/// As [`check`], for what all companies have in common.
pub(super) fn check_shared(log: &Log, version: &Version, options: &TableOptions) -> Result<()> {
    let (place, mode) = (log.place(), options.mode);
    refuse_others(version, true, &place)?;
    if let Some(damage) = &version.damage {
        return Err(Error::config(format!(
            "The log of the table at {place} is damaged: {damage}. Restore the log, or export to another place."
        )));
    }
    let form = if version.is_history() { TableMode::History } else { TableMode::Overwrite };
    let names = version.companies.iter().flat_map(BTreeMap::keys);
    // What cannot be read fails the company whose it is.
    let noted = names.filter_map(|name| log.note_of(version, name).ok().flatten());
    for there in noted.map(|note| note.table_mode).chain([form]) {
        if let Some(why) = refusal(there, mode, log.stream) {
            return Err(Error::config(format!(
                "The table at {place} {why}, or export to another place."
            )));
        }
    }
    check_form(log, version, form, mode)
}

/// Refuses a table of others, and one of the other layout.
fn refuse_others(version: &Version, is_shared: bool, place: &str) -> Result<()> {
    if !version.is_ours {
        return Err(Error::config(format!(
            "There is a table at {place} that this program did not write. Export to another place, or move it away."
        )));
    }
    match (version.companies.is_some(), is_shared) {
        (true, false) => Err(Error::config(format!(
            "The table at {place} is that of many companies. Export to it with --companies and --one-table, or to another place."
        ))),
        (false, true) => Err(Error::config(format!(
            "The table at {place} is that of one company. Use another place: with --one-table all companies share a new table."
        ))),
        _ => Ok(()),
    }
}

/// Whether the columns and the features of a version are those that this program writes.
fn check_form(log: &Log, version: &Version, there: TableMode, mode: TableMode) -> Result<()> {
    let (place, is_shared) = (log.place(), version.companies.is_some());
    columns::check(&version.snapshot.schema(), there, log.stream, is_shared, &place)?;
    let is_partitioned = log.is_partitioned(version)? && !is_shared;
    let properties = version.snapshot.table_properties();
    let is_restricted =
        properties.append_only == Some(true) || properties.enable_change_data_feed == Some(true);
    if is_restricted && mode != TableMode::Append {
        return Err(Error::config(format!(
            "The table at {place} only accepts additions, or writes a change data feed. Reset delta.appendOnly and delta.enableChangeDataFeed, or export to another place."
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

/// Why a mode does not write to a table of another one, and what to do; `None` where it does.
fn refusal(there: TableMode, mode: TableMode, stream: &Stream) -> Option<String> {
    use TableMode::{Append, History, Merge, Overwrite};
    let (what, instead) = match (there, mode) {
        (Merge | Overwrite, Merge) | (Append | Overwrite, Append) => return None,
        (Merge | Append | Overwrite, Overwrite) | (History, History) => return None,
        (Merge, Append | History) => (format!("one row per {}", stream.record), "merge"),
        (Append, Merge | History) => ("one row per version".to_owned(), "append"),
        (History, Merge | Append | Overwrite) => ("dated versions".to_owned(), "history"),
        (Overwrite, History) => {
            let why = "has rows that were written with --mode overwrite, and no history. Use --mode merge or append";
            return Some(why.to_owned());
        }
    };
    Some(format!("has {what}, written with --mode {instead}. Use --mode {instead} again"))
}

/// The mode that a table shows, where no note says it: the columns of a history are its own, and an id that
/// occurs twice has versions. Nothing distinguishes a table of single rows from one that was overwritten.
fn mode_of_rows(log: &Log, version: &Version) -> Result<TableMode> {
    if version.is_history() {
        return Ok(TableMode::History);
    }
    let mut seen = Seen::default();
    keys_of(log, version, |keys| seen.take_keys(keys))?;
    Ok(if seen.twice.is_empty() { TableMode::Overwrite } else { TableMode::Append })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::streams::customers::CUSTOMERS;

    #[test]
    fn a_table_takes_its_own_mode_and_an_overwrite_unless_it_is_a_history() {
        use TableMode::{Append, History, Merge, Overwrite};
        let modes = [Merge, Append, Overwrite, History];
        for (there, taken) in [
            (Merge, &[Merge, Overwrite][..]),
            (Append, &[Append, Overwrite]),
            (Overwrite, &[Merge, Append, Overwrite]),
            (History, &[History]),
        ] {
            let found = modes.map(|mode| refusal(there, mode, &CUSTOMERS).is_none());
            assert_eq!(found, modes.map(|mode| taken.contains(&mode)), "{there}");
        }
    }
}
