//! One Parquet file, replaced whole, and only when the new one is complete. It keeps no state.

use arrow_array::RecordBatch;
use object_store::path::Path;

use super::destination::ENDING;
use super::early::Early;
use super::parquet::{Files, Layout, Reader, Uploaded, Written};
use super::report::{self, Report, run_name};
use super::rows::{schema, table_rows};
use super::table::refuse_inside;
use super::{Exported, refuse_shrinking, rejects};
use crate::error::{Error, Kind, Result};
use crate::model::{Stream, Timestamp};
use crate::plan::Plan;
use crate::sink::{Reply, Sink};
use crate::store::{Store, Upload};

/// A file that takes one export.
pub struct ParquetFile {
    store: Store,
    stream: &'static Stream,
    /// The rows of the file that is there; `None` if there is none.
    replaces: Option<u64>,
    allow_shrink: bool,
    run: String,
    report: Option<Report>,
    /// Rows that are written while the reply arrives.
    early: Option<Early>,
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
            None => {
                refuse_folder(&store)?;
                refuse_inside(&store, store.path())?;
                None
            }
        };
        let file = Self {
            store,
            stream,
            replaces,
            allow_shrink,
            run: run_name(now),
            report: None,
            early: None,
        };
        if file.replaces.is_none() {
            file.probe()?;
        }
        Ok(file)
    }

    /// Where its rejected records go: `x.rejects.jsonl` beside `x.parquet`.
    fn rejects_path(&self) -> Path {
        let path = self.store.path().as_ref();
        // Whatever the case of the ending, it has as many bytes.
        let stem = path.get(..path.len().saturating_sub(ENDING.len())).unwrap_or(path);
        let beside = format!("{stem}.rejects.jsonl");
        // A path that begins with one that is right is right as it is.
        Path::parse(&beside).unwrap_or_else(|_| Path::from(beside))
    }
}

/// Refuses a name that other objects have as a folder, as the files of other programs do.
fn refuse_folder(store: &Store) -> Result<()> {
    match store.is_empty(store.path()) {
        Ok(false) => Err(Error::config(format!(
            "{} is a folder, and a place that ends in {ENDING} is a file. Use another name, or move the folder away.",
            store.shown(store.path())
        ))),
        // Who may not list may still write.
        Err(error) if error.kind() != Kind::Config => Err(error),
        _ => Ok(()),
    }
}

impl Exported for ParquetFile {
    fn place(&self) -> String {
        self.store.shown(self.store.path())
    }

    fn probe(&self) -> Result<()> {
        let mut parts: Vec<_> = self.store.path().parts().collect();
        parts.pop();
        self.store.probe(&Path::from_iter(parts), false)
    }

    fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }
}

impl Sink for ParquetFile {
    fn arriving(&mut self, plan: &Plan, extracted_at: Timestamp) {
        // What fails here fails again once the reply is proved, and is reported then.
        let files = self.store.interrupt().hold().and_then(|()| self.files(plan, extracted_at));
        self.early = files.ok().map(|files| Early::new(files, extracted_at));
    }

    fn arrived(&mut self, plan: &Plan, rows: &RecordBatch) -> bool {
        self.take_early(plan, rows).unwrap_or_default()
    }

    fn lost(&mut self) {
        self.early = None;
        // The user's wish is seen wherever the run goes on.
        let _ = self.store.interrupt().release();
    }

    fn fail(&mut self, _: &str, _: &Error) -> Result<()> {
        self.early = None;
        Ok(())
    }

    fn take(&mut self, plan: &Plan, reply: &mut dyn Reply) -> Result<()> {
        let mut report = Report::of(self.place(), report::Kind::File, &self.run, reply.receipt());
        if let (Some(before), false) = (self.replaces, self.allow_shrink) {
            refuse_shrinking(before, report.rows, &self.place())?;
        }
        self.store.interrupt().hold()?;
        let schema = schema(plan);
        let early = self.early.take().and_then(|early| early.of(report.extracted_at));
        let mut files = match early {
            Some(files) => {
                reply.resume()?;
                files
            }
            None => self.files(plan, report.extracted_at)?,
        };
        let mut rejects = None;
        if report.rejects > 0 {
            rejects =
                Some(rejects::copy(&self.store, self.rejects_path(), &mut *reply.rejects()?)?);
        }
        while let Some(batch) = reply.next_batch()? {
            self.store.interrupt().check()?;
            files.push(table_rows(&batch, &schema, report.extracted_at)?)?;
        }
        let checkpoint = reply.finish()?;
        self.store.interrupt().check()?;
        report.rejects_to = self.replace(files, rejects, &mut report)?;
        report.cursor = checkpoint.state().cursor;
        self.report = Some(report);
        Ok(())
    }
}

impl ParquetFile {
    fn take_early(&mut self, plan: &Plan, rows: &RecordBatch) -> Result<bool> {
        let Some(mut early) = self.early.take() else { return Ok(false) };
        let is_taken = early.take(table_rows(rows, &schema(plan), early.extracted_at())?)?;
        // What was taken until now stays.
        self.early = Some(early);
        Ok(is_taken)
    }

    fn files(&self, plan: &Plan, extracted_at: Timestamp) -> Result<Files> {
        Files::new(Layout { schema: schema(plan), ..self.layout(extracted_at) })
    }

    fn layout(&self, extracted_at: Timestamp) -> Layout {
        let path = self.store.path().clone();
        let mut layout = Layout::file(self.store.clone(), path, self.stream);
        layout.footer = vec![
            ("kometsales.run", self.run.clone()),
            ("kometsales.extracted_at", extracted_at.to_string()),
        ];
        layout
    }

    /// Makes the rejects and then the rows appear, in place of what was there before. Gives the place of the
    /// rejects.
    fn replace(
        &self,
        files: Files,
        rejects: Option<Upload>,
        report: &mut Report,
    ) -> Result<Option<String>> {
        let path = self.rejects_path();
        let mut uploaded = Uploaded::none(self.store.clone());
        let has_rejects = rejects.is_some();
        if let Some(mut upload) = rejects {
            let bytes = upload.finish()?;
            // Without the rows they are removed again.
            uploaded.files.push(Written {
                path: path.clone(),
                bytes,
                rows: 0,
                columns: Vec::new(),
            });
        }
        let written = files.finish()?.keep();
        uploaded.keep();
        report.bytes = written.iter().map(|file| file.bytes).sum();
        report.files = written.len();
        if has_rejects {
            return Ok(Some(self.store.shown(&path)));
        }
        if self.replaces.is_some() {
            // The rejects of the file that was replaced are not those of this one.
            self.store.remove(vec![path]);
        }
        Ok(None)
    }
}
