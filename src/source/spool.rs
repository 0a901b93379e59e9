//! Batches between a reply and its proof: in memory, or once there are too many all of them in one temporary file, an
//! uncompressed Arrow IPC stream. The file is written and read in threads of their own, beside whoever decodes and
//! encodes.

use std::fs::File;
use std::io::{BufWriter, Seek};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use arrow_array::RecordBatch;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, SchemaRef};

use super::scratch::{Scratch, full};
use crate::error::{Error, Result};

/// Bytes of batches kept in memory while there is no file. A list of about 37,000 customers needs no file.
pub(crate) const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Batches between the file and whoever gives or takes them.
const MAX_WAITING_BATCHES: usize = 2;

/// Bytes that are gathered before the file is written to.
const WRITE_BUFFER_BYTES: usize = 256 * 1024;

/// Takes batches until the reply is proved.
pub(crate) struct Spool<'a> {
    scratch: &'a Scratch,
    memory: Vec<RecordBatch>,
    held: usize,
    count: usize,
    most: usize,
    file: Option<Spilled>,
    /// Set if there is more than memory should hold and nowhere to put it.
    pub(crate) has_no_folder: bool,
}

/// A temporary file that is being written.
struct Spilled {
    folder: PathBuf,
    batches: SyncSender<RecordBatch>,
    writing: JoinHandle<Result<File>>,
}

impl Spilled {
    /// Writes the batches that are sent, until nobody sends any more.
    fn start(file: File, folder: &Path, schema: SchemaRef) -> Result<Self> {
        let (batches, received) = sync_channel::<RecordBatch>(MAX_WAITING_BATCHES);
        let folder = folder.to_owned();
        let place = folder.clone();
        let writing = thread("spool", move || {
            let file = BufWriter::with_capacity(WRITE_BUFFER_BYTES, file);
            let mut writer =
                StreamWriter::try_new(file, &schema).map_err(|error| full(&place, error))?;
            for batch in received {
                writer.write(&batch).map_err(|error| full(&place, error))?;
            }
            writer.finish().map_err(|error| full(&place, error))?;
            let buffered = writer.into_inner().map_err(|error| full(&place, error))?;
            buffered.into_inner().map_err(|error| full(&place, error.into_error()))
        })?;
        Ok(Self { folder, batches, writing })
    }

    /// Ends the file, and gives it and its folder.
    fn finish(self) -> Result<(File, PathBuf)> {
        drop(self.batches);
        let died = |_| Error::bug("A thread died");
        Ok((self.writing.join().map_err(died)??, self.folder))
    }
}

fn thread<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.into()).spawn(run).map_err(|error| {
        Error::system(format!("A thread could not be started: {error}. Run again."))
            .caused_by(error)
    })
}

impl<'a> Spool<'a> {
    /// An empty spool that keeps at most this many bytes in memory.
    pub(crate) fn new(scratch: &'a Scratch, most: usize) -> Self {
        Self {
            scratch,
            memory: Vec::new(),
            held: 0,
            count: 0,
            most,
            file: None,
            has_no_folder: false,
        }
    }

    /// Takes a batch.
    ///
    /// # Errors
    /// `System` if the temporary file cannot be written.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<()> {
        self.held += batch.get_array_memory_size();
        self.count += 1;
        let schema = batch.schema();
        self.memory.push(batch);
        if self.file.is_none() && self.held > self.most && !self.has_no_folder {
            self.file = self.spill(schema)?;
            self.has_no_folder = self.file.is_none();
        }
        let Some(file) = &self.file else { return Ok(()) };
        if self.memory.drain(..).all(|batch| file.batches.send(batch).is_ok()) {
            return Ok(());
        }
        // The file's thread ends before its time only with an error.
        self.file.take().map_or(Ok(()), |file| file.finish().map(|_| ()))
    }

    fn spill(&self, schema: SchemaRef) -> Result<Option<Spilled>> {
        let Some((file, folder)) = self.scratch.file() else { return Ok(None) };
        Spilled::start(file, folder, schema).map(Some)
    }

    /// Everything that was taken, to be read from the beginning.
    ///
    /// # Errors
    /// `System` if the temporary file cannot be written.
    pub(crate) fn finish(self) -> Result<Spooled> {
        let Self { memory, count, file, .. } = self;
        let file = file.map(Spilled::finish).transpose()?;
        Ok(Spooled { memory, count, next: 0, file, reading: None })
    }
}

/// The batches of a spool, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Spooled {
    /// All of them, or none where there is a file.
    memory: Vec<RecordBatch>,
    /// How many batches there are, and which of them is the next.
    count: usize,
    next: usize,
    file: Option<(File, PathBuf)>,
    reading: Option<Reading>,
}

/// The file as it is read in a thread of its own, a few batches ahead.
#[derive(Debug)]
struct Reading {
    /// Which batch is the next that it gives.
    at: usize,
    batches: Receiver<Result<RecordBatch>>,
    thread: JoinHandle<()>,
}

impl Spooled {
    /// Goes to the batch that so many are before.
    ///
    /// # Errors
    /// `System` if the temporary file cannot be read.
    pub(crate) fn go_to(&mut self, next: usize) -> Result<()> {
        self.next = next;
        let Some(Reading { batches, thread, .. }) = self.reading.take() else { return Ok(()) };
        // Two readers of one file would move each other's place in it.
        drop(batches);
        thread.join().map_err(|_| Error::bug("A thread died"))
    }

    fn in_file(&mut self) -> Result<Option<RecordBatch>> {
        let Some((file, folder)) = &self.file else { return Ok(None) };
        let reading = match self.reading.take() {
            Some(reading) => reading,
            None => Reading::start(file, folder)?,
        };
        let reading = self.reading.insert(reading);
        loop {
            let batch = reading.batches.recv().ok().transpose()?;
            reading.at += 1;
            if batch.is_none() || reading.at > self.next {
                return Ok(batch);
            }
        }
    }
}

impl Reading {
    /// The thread ends with the file, or when nobody takes its batches any more.
    fn start(file: &File, folder: &Path) -> Result<Self> {
        let folder = folder.to_owned();
        let unreadable = |folder: &Path| {
            format!(
                "The temporary file in {} could not be read back. Check that disk, and run again.",
                folder.display()
            )
        };
        let reader = file
            .try_clone()
            .and_then(|mut file| file.rewind().map(|()| file))
            .map_err(ArrowError::from)
            .and_then(|file| StreamReader::try_new(file, None))
            .map_err(|error| Error::system(unreadable(&folder)).caused_by(error))?;
        let (sender, batches) = sync_channel(MAX_WAITING_BATCHES);
        let read = move || {
            for batch in reader {
                let batch =
                    batch.map_err(|error| Error::system(unreadable(&folder)).caused_by(error));
                if sender.send(batch).is_err() {
                    return;
                }
            }
        };
        Ok(Self { at: 0, batches, thread: thread("spool", read)? })
    }
}

impl Iterator for Spooled {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = match self.memory.get(self.next) {
            Some(batch) => Some(Ok(batch.clone())),
            // A file of which nothing more is wanted is not read.
            None if self.next >= self.count => None,
            None => self.in_file().transpose(),
        };
        self.next += 1;
        batch
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, StringArray};

    use super::*;

    fn batch(number: i64) -> RecordBatch {
        let ids: ArrayRef =
            Arc::new(Int64Array::from_iter_values(number * 100..number * 100 + 100));
        let names: ArrayRef = Arc::new(StringArray::from_iter(
            (0..100).map(|row| (row % 7 != 0).then(|| format!("n{row}"))),
        ));
        RecordBatch::try_from_iter_with_nullable([("id", ids, false), ("name", names, true)])
            .unwrap()
    }

    fn round_trip(scratch: &Scratch, most: usize) -> (Vec<RecordBatch>, bool, bool) {
        let mut spool = Spool::new(scratch, most);
        for number in 0..20 {
            spool.push(batch(number)).unwrap();
        }
        let (has_file, has_no_folder) = (spool.file.is_some(), spool.has_no_folder);
        let mut spooled = spool.finish().unwrap();
        let batches: Vec<_> = spooled.by_ref().collect::<Result<_>>().unwrap();
        for next in [0, 7, 19, 20, 3] {
            spooled.go_to(next).unwrap();
            assert_eq!(spooled.next().transpose().unwrap().as_ref(), batches.get(next));
        }
        spooled.go_to(0).unwrap();
        assert_eq!(spooled.by_ref().collect::<Result<Vec<_>>>().unwrap(), batches);
        spooled.go_to(11).unwrap();
        assert_eq!(spooled.collect::<Result<Vec<_>>>().unwrap(), batches[11..]);
        (batches, has_file, has_no_folder)
    }

    #[test]
    fn batches_come_out_as_they_went_in_whether_or_not_there_is_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(vec![folder.path().to_owned()]);
        let expected: Vec<_> = (0..20).map(batch).collect();
        for (most, has_file) in [(0, true), (10_000, true), (usize::MAX, false)] {
            assert_eq!(round_trip(&scratch, most), (expected.clone(), has_file, false));
        }
    }

    #[test]
    fn without_a_folder_everything_stays_in_memory_and_that_is_known() {
        let scratch = Scratch::new(vec!["/nonexistent".into()]);
        let expected: Vec<_> = (0..20).map(batch).collect();
        assert_eq!(round_trip(&scratch, 0), (expected, false, true));
    }

    #[test]
    fn a_spool_that_is_dropped_half_read_ends_its_thread() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(vec![folder.path().to_owned()]);
        let mut spool = Spool::new(&scratch, 0);
        for number in 0..20 {
            spool.push(batch(number)).unwrap();
        }
        let mut spooled = spool.finish().unwrap();
        assert!(spooled.next().unwrap().is_ok());
        drop(spooled);
    }
}
