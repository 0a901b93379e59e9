//! Fields that may be people's, in a table that is there: the first export that leaves them out or hashes them writes
//! every row again without them. The way back leads through Komet alone.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Table;
use super::bits::Bits;
use super::compare::{Changes, Touched};
use super::live::Live;
use super::log::{Log, Version};
use super::strangers::is_unproved;
use crate::config::privacy::Privacy;
use crate::error::{Error, Result};
use crate::export::mask::Mask;
use crate::export::mode::TableMode;
use crate::export::parquet::Reader;
use crate::log::Log as Messages;
use crate::plan::Plan;
use crate::store::Store;

/// Has the rows of a table read as they are to be under the settings of a plan, unless a reply of this many rows says
/// nothing of whose it is: nothing of the table is changed by it.
///
/// # Errors
/// As [`mask`].
pub(super) fn begin(table: &mut Table<'_>, plan: &Plan, rows: u64) -> Result<()> {
    let is_unproved = is_unproved(table, plan, rows);
    let Table { log, version: Some(version), options, .. } = table else { return Ok(()) };
    let mask = mask(log, version, &plan.privacy, options.mode)?.filter(|_| !is_unproved);
    version.files.iter_mut().for_each(|file| file.mask.clone_from(&mask));
    Ok(())
}

/// What the rows of a version are read as; `None` if they are read as they are.
pub(super) fn of(version: Option<&Version>) -> Option<Arc<Mask>> {
    version?.files.first()?.mask.clone()
}

impl Live {
    /// The file, ready to be read as it is to be.
    ///
    /// # Errors
    /// As [`Reader::open`].
    pub(in crate::export) fn open(&self, store: &Store) -> Result<Reader> {
        Ok(Reader::open(store, &self.path, self.bytes)?.masked(self.mask.clone()))
    }
}

/// The columns that a table does not get: fields that are left out, unless it has them already.
pub(super) fn left_out(version: Option<&Version>, privacy: &Privacy) -> Vec<String> {
    let schema = version.map(|version| version.snapshot.schema());
    let is_there = |name: &str| schema.as_ref().is_some_and(|schema| schema.field(name).is_some());
    privacy.excluded().filter(|name| !is_there(name)).map(str::to_owned).collect()
}

/// What has to become of the rows that a version has; `None` if they stay as they are.
///
/// # Errors
/// `Config`: it cannot be made of them.
pub(super) fn mask(
    log: &Log,
    version: &Version,
    privacy: &Privacy,
    mode: TableMode,
) -> Result<Option<Arc<Mask>>> {
    if mode == TableMode::Overwrite {
        return Ok(None);
    }
    let place = log.place();
    let instead = match version.is_history() {
        true => "export to another place",
        false => "export once with --mode overwrite",
    };
    let noted = version.note.as_ref().map(|note| note.people.clone());
    if noted.is_none() && privacy.fingerprint().is_some() {
        return Err(Error::config(format!(
            "The table at {place} has lost what this program noted in it, so it is not known what is hashed already. To hash fields, {instead}."
        )));
    }
    let noted = noted.unwrap_or_default();
    if version.restored.is_some() && noted.has_hashes() {
        return Err(Error::config(format!(
            "Another program may have restored or replaced the rows of the table at {place}, so it is not known what is hashed already. To hash fields, {instead}."
        )));
    }
    let mut mask = noted.change(privacy).map_err(|what| {
        Error::config(format!("The table at {place} {what}. Set it as it was, or {instead}."))
    })?;
    if version.restored.is_some() {
        // What is left out already may be there again, and is left out once more.
        mask.excluded = privacy.excluded().collect();
    }
    if mask.is_empty() || version.files.is_empty() {
        return Ok(None);
    }
    refuse_additions_only(version, &place)?;
    Ok(Some(Arc::new(mask)))
}

/// Refuses a table whose files may not be replaced.
///
/// # Errors
/// `Config`: it is one.
pub(super) fn refuse_additions_only(version: &Version, place: &str) -> Result<()> {
    let properties = version.snapshot.table_properties();
    if properties.append_only != Some(true) && properties.enable_change_data_feed != Some(true) {
        return Ok(());
    }
    Err(Error::config(format!(
        "The table at {place} only accepts additions, or writes a change data feed. Reset delta.appendOnly and delta.enableChangeDataFeed, or export to another place."
    )))
}

/// Where rows are to be others than they are, has every file written again, those included of which no row is
/// replaced.
pub(super) fn touch(changes: &mut Changes, version: Option<&Version>) {
    let (Some(version), Some(_)) = (version, of(version)) else { return };
    let touched: BTreeSet<usize> = changes.touched.iter().map(|touched| touched.file).collect();
    let others = (0..version.files.len()).filter(|file| !touched.contains(file));
    let others = others.map(|file| Touched { file, replaced: Bits::all(0, false) });
    changes.touched.extend(others);
    changes.touched.sort_unstable_by_key(|touched| touched.file);
}

/// Says of an export that writes nothing that it would write every row again.
pub(super) fn announce(version: Option<&Version>, place: &str, messages: &dyn Messages) {
    if let Some(mask) = of(version) {
        messages.warn(&format!(
            "An export would write every row of the table at {place} again, {}.",
            described(&mask)
        ));
    }
}

/// Says, once the rows are committed, that the versions before still have it all.
pub(super) fn warn(mask: Option<&Mask>, place: &str, messages: &dyn Messages) {
    let Some(mask) = mask else { return };
    messages.warn(&format!(
        "Every row of the table at {place} is now {}. Older versions, their statistics in its log and its rejects keep the clear text until `kometsales vacuum {place}` removes them: files after 7 days (--retain 0h --allow-short-retention at once), the log and rejects after 30.",
        described(mask)
    ));
}

/// What rows are: `without …`, `with hashes of …`.
fn described(mask: &Mask) -> String {
    let names = |names: Vec<&&str>, what: &str| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")))
    };
    let what = [
        names(mask.excluded.iter().collect(), "without"),
        names(mask.hashed.keys().collect(), "with hashes of"),
    ];
    what.into_iter().flatten().collect::<Vec<String>>().join(" and ")
}
