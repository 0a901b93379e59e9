//! Which folder the table of a stream is in, or will be.

use object_store::path::Path;

use crate::error::{Error, Kind, Result};
use crate::export::destination::TablePlace;
use crate::model::Stream;
use crate::store::Store;

/// The place itself where it is a table, since that is what a summary shows; else the folder below it that
/// has the stream's name.
///
/// # Errors
/// `Config`: both are tables, or there is no table and the place was probably not meant: it has the name of a
/// file, or is inside a table.
/// `Transient`: the store cannot be reached.
pub(super) fn locate(store: &Store, place: &TablePlace, stream: &Stream) -> Result<Path> {
    let itself = store.path().clone();
    let below = store.followed(itself.clone().join(stream.name))?;
    let (is_table, is_below) = (has_log(store, &itself)?, has_log(store, &below)?);
    match (&place.doubt, is_table, is_below) {
        (_, true, true) => Err(Error::config(format!(
            "{} is a table, and so is {}. Name the one below, or move one of them away.",
            store.shown(&itself),
            store.shown(&below)
        ))),
        (_, true, false) => Ok(itself),
        (Some(doubt), false, false) => Err(Error::config(doubt)),
        (_, false, true) => Ok(below),
        (None, false, false) => refuse_inside(store, &itself).map(|()| below),
    }
}

/// Refuses a place below which each company is to have a table of its own, where it is one itself.
///
/// # Errors
/// `Config`: it is a table, or was probably not meant. `Transient`: the store cannot be reached.
pub(in crate::export) fn refuse_itself(
    store: &Store,
    place: &TablePlace,
    stream: &Stream,
) -> Result<()> {
    let itself = store.path().clone();
    let below = store.followed(itself.clone().join(stream.name))?;
    for folder in [&itself, &below] {
        if has_log(store, folder)? {
            return Err(Error::config(format!(
                "{} is a table, and with --companies each company has one of its own below {}. If it is that of many companies, add --one-table; else use another place.",
                store.shown(folder),
                store.shown(&itself)
            )));
        }
    }
    match &place.doubt {
        Some(doubt) if store.is_empty(&itself)? => Err(Error::config(doubt)),
        _ => refuse_inside(store, &itself),
    }
}

/// Refuses a place for one table of many companies where a company has a table of its own.
///
/// # Errors
/// `Config`: one has. `Transient`: the store cannot be reached.
pub(super) fn refuse_own_tables(store: &Store, stream: &Stream) -> Result<()> {
    for folder in store.folders(store.path())? {
        let table = store.followed(folder)?.join(stream.name);
        if has_log(store, &table)? {
            return Err(Error::config(format!(
                "{} is the table of one company, and with --one-table all share one at {}. Leave --one-table out, or use another place.",
                store.shown(&table),
                store.shown(&store.path().clone().join(stream.name))
            )));
        }
    }
    Ok(())
}

/// The folder of a table.
#[derive(Debug, Clone)]
pub struct TableFolder(pub(super) Path);

impl TableFolder {
    /// Where it is, as people write it.
    pub fn shown(&self, store: &Store) -> String {
        store.shown(&self.0)
    }
}

/// The tables of a stream at a place: the one that an export finds there, or else each `NAME/STREAM` below, as many
/// companies have them.
///
/// # Errors
/// `Config`: there is none, or the place and the folder below are both tables. `Transient`: the store cannot be reached.
pub fn tables(store: &Store, place: &TablePlace, stream: &Stream) -> Result<Vec<TableFolder>> {
    let itself = store.path().clone();
    let below = store.followed(itself.clone().join(stream.name))?;
    if has_log(store, &itself)? || has_log(store, &below)? {
        return Ok(vec![TableFolder(locate(store, place, stream)?)]);
    }
    let mut found = Vec::new();
    let is_hidden =
        |folder: &Path| folder.filename().is_some_and(|name| name.starts_with(['_', '.']));
    for folder in store.folders(&itself)?.into_iter().filter(|folder| !is_hidden(folder)) {
        let table = store.followed(folder)?.join(stream.name);
        if has_log(store, &table)? {
            found.push(TableFolder(store.followed(table)?));
        }
    }
    if found.is_empty() {
        // A place that was probably not meant is refused with the one that was.
        locate(store, place, stream)?;
        return Err(Error::config(format!(
            "There is no table at {}. Pass the place that `export --to` was given.",
            store.shown(&below)
        )));
    }
    Ok(found)
}

/// Refuses something new inside the folder of a table: the table's path, given with one part too many.
///
/// # Errors
/// `Config`: it is inside one. `Transient`: the store cannot be reached.
pub(in crate::export) fn refuse_inside(store: &Store, place: &Path) -> Result<()> {
    let parts: Vec<_> = place.parts().collect();
    // Other stores are asked of the folder above alone, since each question is a request.
    let levels = if store.is_local() { parts.len() } else { 1 };
    for length in (1..parts.len()).rev().take(levels) {
        let above: Path = parts.iter().take(length).cloned().collect();
        match has_log(store, &above) {
            Ok(false) => {}
            // Who may not list what is above may still write here.
            Err(error) if error.kind() == Kind::Config => {}
            Err(error) => return Err(error),
            Ok(true) => {
                return Err(Error::config(format!(
                    "{} is inside the table at {above}. Did you mean {above}?",
                    store.shown(place),
                    above = store.shown(&above)
                )));
            }
        }
    }
    Ok(())
}

fn has_log(store: &Store, folder: &Path) -> Result<bool> {
    Ok(!store.is_empty(&folder.clone().join("_delta_log"))?)
}

/// Where the rejected records of a table go: beside its folder.
pub(super) fn rejects_folder(table: &Path, stream: &Stream) -> Path {
    let mut parts: Vec<_> = table.parts().collect();
    parts.pop();
    Path::from_iter(parts).join(format!("{}_rejects", stream.name))
}
