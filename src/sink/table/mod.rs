//! A Delta table: every export is one commit, which holds its rows and where the next one goes on.

mod actions;
mod bits;
mod columns;
mod compare;
mod contents;
mod hash;
mod log;
mod note;
mod read;
mod survey;
mod writer;

use object_store::path::Path;

pub use contents::{Contents, Run, contents};

use self::log::{Log, Version};
use self::writer::TableWriter;
use super::Sink;
use super::mode::TableMode;
use super::report::{Report, run_name};
use super::store::Store;
use crate::error::{Error, Result};
use crate::log::Log as Messages;
use crate::model::{Stream, Timestamp};
use crate::plan::Plan;
use crate::state::State;

/// A table that takes one export.
pub struct Table<'a> {
    log: Log,
    version: Option<Version>,
    mode: TableMode,
    /// Whether a reply with less than half of the rows may overwrite.
    allow_shrink: bool,
    run: String,
    messages: &'a dyn Messages,
    report: Option<Report>,
}

impl<'a> Table<'a> {
    /// The table of a stream below the place that the user named. A place in which there is none yet is
    /// tested: see [`Store::probe`](super::store::Store).
    ///
    /// # Errors
    /// `Config`: the place cannot be written, or the table there is not one that this mode writes.
    /// `Transient`: the store cannot be reached.
    pub fn open(
        store: Store,
        stream: &'static Stream,
        mode: TableMode,
        allow_shrink: bool,
        now: Timestamp,
        messages: &'a dyn Messages,
    ) -> Result<Self> {
        let folder = folder(&store, stream);
        if looks_encoded(folder.as_ref()) {
            return Err(Error::config(format!(
                "A table cannot be made at {}: a `%` with two digits behind it is taken for an encoded character. Give the folder another name.",
                store.shown(&folder)
            )));
        }
        let log = Log::new(store, folder, stream);
        let version = log.load()?;
        match &version {
            Some(version) => log.check(version, mode)?,
            None => log.store.probe(&log.folder, true)?,
        }
        let run = run_name(now);
        Ok(Self { log, version, mode, allow_shrink, run, messages, report: None })
    }

    /// Tests the place, whatever there is already.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn probe(&self) -> Result<()> {
        self.log.store.probe(&self.log.folder, true)
    }

    /// Where the last export left off; `None` if there was none.
    pub fn state(&self) -> Option<State> {
        self.version.as_ref()?.note.as_ref().map(|note| note.state.clone())
    }

    /// Where the table is, as people write it.
    pub fn place(&self) -> String {
        self.log.place()
    }

    /// What the export did, once it is done.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }
}

/// Whether a name holds what URLs write for a character.
fn looks_encoded(name: &str) -> bool {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let bytes = name.as_bytes();
    (0..bytes.len())
        .any(|at| bytes[at] == b'%' && is_digit(bytes.get(at + 1)) && is_digit(bytes.get(at + 2)))
}

/// The folder of a stream's table below the place that the user named.
fn folder(store: &Store, stream: &Stream) -> Path {
    store.path().clone().join(stream.name)
}

impl<'a> Sink for Table<'a> {
    type Writer<'s>
        = TableWriter<'s, 'a>
    where
        Self: 's;

    fn open(&mut self, plan: &Plan) -> Result<TableWriter<'_, 'a>> {
        Ok(TableWriter::new(self, plan))
    }

    /// What was uploaded has been removed when its writer was dropped.
    fn fail(&mut self, _: &str, _: &Error) -> Result<()> {
        Ok(())
    }
}
