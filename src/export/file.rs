//! One Parquet file, replaced whole, and only when the new one is complete. It keeps no state.

use std::io::Read;

use arrow_array::RecordBatch;
use object_store::path::Path;

use super::parquet::{Files, Layout, Reader, Uploaded, Written};
use super::report::{Report, run_name};
use super::rows::table_rows;
use super::{refuse_shrinking, rejects};
use crate::error::{Error, Result};
use crate::model::arrow::table_schema;
use crate::model::{Stream, Timestamp};
use crate::plan::Plan;
use crate::receipt::Receipt;
use crate::sink::{Outcome, Sink, Writer};
use crate::state::Checkpoint;
use crate::store::{Store, Upload};

/// What the name of a Parquet file ends with.
pub const ENDING: &str = ".parquet";

/// A file that takes one export.
pub struct ParquetFile {
    store: Store,
    stream: &'static Stream,
    /// The rows of the file that is there; `None` if there is none.
    replaces: Option<u64>,
    allow_shrink: bool,
    run: String,
    report: Option<Report>,
}

impl ParquetFile {
    /// The file that the user named. A folder in which it is not yet is tested.
    ///
    /// # Errors
    /// `Config`: the place cannot be written, or what is there is no Parquet file. `Transient`: the store
    /// cannot be reached.
    pub fn open(
        store: Store,
        stream: &'static Stream,
        allow_shrink: bool,
        now: Timestamp,
    ) -> Result<Self> {
        let there = store.head(store.path())?;
        let replaces = match there {
            Some(there) => Some(Reader::open(&store, store.path(), there.size)?.rows()),
            None => None,
        };
        let file = Self { store, stream, replaces, allow_shrink, run: run_name(now), report: None };
        if file.replaces.is_none() {
            file.probe()?;
        }
        Ok(file)
    }

    /// Tests the place, whatever there is already.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn probe(&self) -> Result<()> {
        let mut parts: Vec<_> = self.store.path().parts().collect();
        parts.pop();
        self.store.probe(&Path::from_iter(parts), false)
    }

    /// Where the file is, as people write it.
    pub fn place(&self) -> String {
        self.store.shown(self.store.path())
    }

    /// What the export did, once it is done.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    /// Where its rejected records go: `x.rejects.jsonl` beside `x.parquet`.
    fn rejects_path(&self) -> Path {
        let path = self.store.path().as_ref();
        let beside = format!("{}.rejects.jsonl", path.strip_suffix(ENDING).unwrap_or(path));
        // A path that begins with one that is right is right as it is.
        Path::parse(&beside).unwrap_or_else(|_| Path::from(beside))
    }
}

impl Sink for ParquetFile {
    type Writer<'s>
        = FileWriter<'s>
    where
        Self: 's;

    fn open(&mut self, _: &Plan) -> Result<FileWriter<'_>> {
        Ok(FileWriter { file: self, receipt: None, files: None, rejects: None })
    }

    /// What was uploaded has been removed when its writer was dropped.
    fn fail(&mut self, _: &str, _: &Error) -> Result<()> {
        Ok(())
    }
}

/// Takes the rows of a reply.
pub struct FileWriter<'s> {
    file: &'s mut ParquetFile,
    receipt: Option<Receipt>,
    files: Option<Files>,
    /// They appear with the rows, and not before.
    rejects: Option<Upload>,
}

impl Writer for FileWriter<'_> {
    const SHOWS_ROWS_AT_ONCE: bool = false;

    fn begin(&mut self, receipt: &Receipt) -> Result<()> {
        let ParquetFile { store, stream, replaces, allow_shrink, run, .. } = &*self.file;
        if let (Some(before), false) = (replaces, allow_shrink) {
            refuse_shrinking(*before, receipt.rows, &self.file.place())?;
        }
        store.interrupt().hold()?;
        let mut layout = Layout::file(store.clone(), store.path().clone(), stream);
        layout.footer = vec![
            ("kometsales.run", run.clone()),
            ("kometsales.extracted_at", receipt.extracted_at.to_string()),
        ];
        self.files = Some(Files::new(layout)?);
        self.receipt = Some(receipt.clone());
        Ok(())
    }

    fn reject(&mut self, lines: &mut dyn Read) -> Result<()> {
        let path = self.file.rejects_path();
        self.rejects = Some(rejects::copy(&self.file.store, path, lines)?);
        Ok(())
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.file.store.interrupt().check()?;
        let (Some(files), Some(receipt)) = (&mut self.files, &self.receipt) else {
            return Err(out_of_order());
        };
        let schema = table_schema(self.file.stream);
        files.push(table_rows(batch, &schema, receipt.extracted_at)?)
    }

    fn commit(&mut self, proof: Checkpoint) -> Result<Outcome> {
        let (Some(files), Some(receipt)) = (self.files.take(), self.receipt.take()) else {
            return Err(out_of_order());
        };
        let rejects_path = self.file.rejects_path();
        let (mut rejects_to, mut rejects) = (None, Uploaded::none(self.file.store.clone()));
        self.file.store.interrupt().check()?;
        if let Some(upload) = &mut self.rejects {
            let bytes = upload.finish()?;
            let path = rejects_path.clone();
            // Without the rows they are removed again.
            rejects.files.push(Written { path, bytes, rows: 0, columns: Vec::new() });
            rejects_to = Some(self.file.store.shown(&rejects_path));
        }
        let written = files.finish()?.keep();
        rejects.keep();
        if rejects_to.is_none() && self.file.replaces.is_some() {
            // Those of the file that was replaced are not those of this one.
            self.file.store.remove(vec![rejects_path]);
        }
        self.file.report = Some(Report {
            run: self.file.run.clone(),
            received: receipt.rows,
            rows: receipt.rows,
            unchanged: 0,
            rejects: receipt.rejected,
            rejects_to,
            not_returned: None,
            bytes: written.iter().map(|file| file.bytes).sum(),
            files: written.len(),
            version: None,
            committed: true,
            cursor: proof.state().cursor,
            extracted_at: receipt.extracted_at,
            table_rows: None,
        });
        Ok(Outcome::Done)
    }
}

fn out_of_order() -> Error {
    Error::system("A file was written out of order, which is a fault of this program: report it.")
}
