//! What the rows of a reply change in a history: which versions end, and which begin. Of versions that have
//! ended only the times are read, of those that are current the values as well.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, PrimitiveArray, RecordBatch, TimestampMicrosecondArray,
    new_null_array,
};
use arrow_schema::{Schema, SchemaRef};
use std::sync::Arc;

use super::bits::Bits;
use super::compare::{Changes, How, Touched, lower_bound, range};
use super::live::Live;
use super::log::{Log, Version};
use super::missing::{Missing, MissingRows};
use super::survey::{NEVER, Was, Winner, Winners, values};
use super::validity::{Held, Next};
use crate::error::{Error, Result};
use crate::export::parquet::Reader;
use crate::export::rows::table_rows;
use crate::model::arrow::{EXTRACTED_AT, VALID_FROM, VALID_TO, history_schema, table_schema};
use crate::model::{Stream, Timestamp};

/// Compares the winners with every version that a history has of their keys. Afterwards a winner is wanted
/// only if it begins a version, and its time is the one at which that begins.
///
/// # Errors
/// `Config` or `Transient`: a file cannot be read.
pub(super) fn compare_versions(
    log: &Log,
    version: &Version,
    winners: &mut Winners,
    how: How,
) -> Result<Changes> {
    for winner in &mut winners.rows {
        let changed = (winner.time != NEVER).then_some(winner.time);
        winner.time = Next::first(changed, how.extracted_at).from;
    }
    let (mut touched, mut missing) = (Vec::new(), MissingRows::default());
    for (number, file) in version.files.iter().enumerate() {
        let is_apart =
            file.keys.is_some_and(|(least, most)| range(&winners.rows, least, most).is_empty());
        if is_apart && !how.is_whole {
            continue;
        }
        let missing = &mut missing;
        let comparing = Comparing { log, file, number, winners, missing, how };
        touched.extend(comparing.file()?);
    }
    // What is as old as the reply cannot end at its time.
    let mut vanished = missing.vanished(how.extracted_at - 1);
    vanished.living += winners.count_living();
    Ok(Changes { touched, vanished, ..Changes::default() })
}

/// When the versions begin that a list adds to those of a history, and those before them end.
pub(super) struct Begins {
    /// The keys of those that begin at another time than the list's, in order, each with that time.
    dated: Vec<(i64, i64)>,
    extracted_at: i64,
}

impl Begins {
    /// Those of the winners after [`compare_versions`], whose memory is used again: there may be millions.
    pub(super) fn of(winners: Winners, extracted_at: i64) -> Self {
        let is_dated = |winner: &Winner| winner.is_wanted && winner.time != extracted_at;
        let dated = winners.rows.into_iter().filter(is_dated);
        let mut dated: Vec<(i64, i64)> = dated.map(|winner| (winner.key, winner.time)).collect();
        dated.shrink_to_fit();
        Self { dated, extracted_at }
    }

    /// When the version of a key begins, in microseconds.
    pub(super) fn of_key(&self, key: i64) -> i64 {
        let found = self.dated.binary_search_by_key(&key, |(key, _)| *key);
        found.ok().and_then(|at| self.dated.get(at)).map_or(self.extracted_at, |(_, from)| *from)
    }
}

/// The rows of a reply as the versions that they begin. Without `begins` they are the first of their keys.
pub(super) fn begun(
    batch: &RecordBatch,
    stream: &Stream,
    extracted_at: Timestamp,
    begins: Option<&Begins>,
) -> Result<RecordBatch> {
    let rows = table_rows(batch, &table_schema(stream), extracted_at)?;
    let changed = stream.cursor_index().map(|cursor| rows.column(cursor).clone());
    let changed = changed.as_ref().map(|times| times.as_primitive::<TimestampMicrosecondType>());
    let keys = rows.column(stream.key_index()).as_primitive::<Int64Type>().values();
    let from = keys.iter().enumerate().map(|(row, key)| match begins {
        Some(begins) => begins.of_key(*key),
        None => {
            let changed = changed.filter(|times| times.is_valid(row));
            Next::first(changed.map(|times| times.value(row)), extracted_at.micros()).from
        }
    });
    let from = TimestampMicrosecondArray::from_iter_values(from).with_timezone("UTC");
    let to = new_null_array(from.data_type(), rows.num_rows());
    let current = BooleanArray::from(vec![true; rows.num_rows()]);
    let validity: [ArrayRef; 3] = [Arc::new(from), to, Arc::new(current)];
    let columns = rows.columns().iter().cloned().chain(validity).collect();
    RecordBatch::try_new(history_schema(stream), columns)
        .map_err(|error| Error::bug("A batch is not of a history's form").caused_by(error))
}

struct Comparing<'a> {
    log: &'a Log,
    file: &'a Live,
    /// The position of the file among the version's files.
    number: usize,
    winners: &'a mut Winners,
    missing: &'a mut MissingRows,
    how: How,
}

/// A current version of a row group, by its row, and the winner of its key.
type Hit = (usize, usize);

impl Comparing<'_> {
    /// Compares a file; gives what ends in it, if anything does.
    fn file(mut self) -> Result<Option<Touched>> {
        let reader = self.file.open(&self.log.store)?;
        let rows = usize::try_from(reader.rows()).unwrap_or_default();
        let (mut ended, mut has_ended) = (Bits::all(rows, false), false);
        let mut first = 0;
        for group in 0..reader.metadata().num_row_groups() {
            let rows = usize::try_from(reader.metadata().row_group(group).num_rows());
            let hits = self.find(&reader, group, first)?;
            self.hits(&reader, group, &hits, |row| {
                ended.set(first + row, true);
                has_ended = true;
            })?;
            first += rows.unwrap_or_default();
        }
        Ok(has_ended.then_some(Touched { file: self.number, replaced: ended }))
    }

    /// The current versions of a row group that have a winner. Of all others only the times count, and they are
    /// taken into account here.
    fn find(&mut self, reader: &Reader, group: usize, first: usize) -> Result<Vec<Hit>> {
        let stream = self.log.stream;
        let mut hits = Vec::new();
        if let Some((least, most)) = reader.bounds(group, stream.key().name)
            && range(&self.winners.rows, least, most).is_empty()
            && !self.how.is_whole
        {
            return Ok(hits);
        }
        let mut rows = reader.read(group, &Validities::schema(stream))?;
        let (mut row, mut near) = (0, 0);
        while let Some(batch) = rows.next_batch()? {
            let keys = batch.column(0).as_primitive::<Int64Type>().values();
            let validities = Validities::of(&batch)?;
            for (here, key) in keys.iter().enumerate() {
                near = lower_bound(&self.winners.rows, near, *key);
                let winner = self.winners.rows.get_mut(near).filter(|winner| winner.key == *key);
                let held = validities.held(here);
                match winner {
                    _ if !self.file.is_there(first + row + here) => {}
                    Some(_) if held.to.is_none() => hits.push((row + here, near)),
                    Some(winner) => drop(meet(winner, &held, false, self.how.extracted_at)),
                    None if held.to.is_none() && self.how.is_whole => {
                        self.missing.take(Missing {
                            key: *key,
                            time: held.latest(),
                            file: u32::try_from(self.number).unwrap_or(u32::MAX),
                            row: u32::try_from(first + row + here).unwrap_or(u32::MAX),
                            is_deleted: false,
                        });
                    }
                    None => {}
                }
            }
            row += keys.len();
        }
        Ok(hits)
    }

    /// Compares current versions with the winners of their keys, and shows which of them end.
    fn hits(
        &mut self,
        reader: &Reader,
        group: usize,
        hits: &[Hit],
        mut end: impl FnMut(usize),
    ) -> Result<()> {
        if hits.is_empty() {
            return Ok(());
        }
        let values = values(self.log.stream);
        let mut rows = reader.read(group, &history_schema(self.log.stream))?;
        let (mut hashes, mut start) = (Vec::new(), 0);
        let mut hits = hits.iter().peekable();
        while let Some(batch) = rows.next_batch()? {
            let past = start + batch.num_rows();
            if hits.peek().is_some_and(|(row, _)| *row < past) {
                self.winners.hasher.rows(&batch.columns()[..values], &mut hashes);
                let validities = Validities::of(&batch)?;
                while let Some((row, winner)) = hits.next_if(|(row, _)| *row < past) {
                    let here = row - start;
                    let winner = &mut self.winners.rows[*winner];
                    let is_same = winner.hash == hashes[here];
                    if meet(winner, &validities.held(here), is_same, self.how.extracted_at) {
                        end(*row);
                    }
                }
            }
            start = past;
        }
        Ok(())
    }
}

/// Takes a version of a winner's key into account. True if it ends where the winner begins.
fn meet(winner: &mut Winner, held: &Held, is_same: bool, extracted_at: i64) -> bool {
    let mut next = Next { from: winner.time, is_wanted: winner.is_wanted };
    let ends = next.meet(held, is_same, extracted_at);
    (winner.time, winner.is_wanted) = (next.from, next.is_wanted);
    if held.to.is_none() {
        winner.was = Was::Living;
    } else if winner.was == Was::Absent {
        winner.was = Was::Deleted;
    }
    ends
}

type Times<'b> = &'b PrimitiveArray<TimestampMicrosecondType>;

/// The columns of a batch that say when its versions are valid.
struct Validities<'b> {
    extracted_at: Times<'b>,
    from: Times<'b>,
    to: Times<'b>,
}

impl<'b> Validities<'b> {
    fn of(batch: &'b RecordBatch) -> Result<Self> {
        let column = |name| batch.column_by_name(name).and_then(|times| times.as_primitive_opt());
        match (column(EXTRACTED_AT), column(VALID_FROM), column(VALID_TO)) {
            (Some(extracted_at), Some(from), Some(to)) => Ok(Self { extracted_at, from, to }),
            _ => Err(Error::bug("Rows of a history were read without their times")),
        }
    }

    /// The key, and these columns.
    fn schema(stream: &Stream) -> SchemaRef {
        let whole = history_schema(stream);
        let names = [stream.key().name, EXTRACTED_AT, VALID_FROM, VALID_TO].into_iter();
        let fields = names.filter_map(|name| whole.field_with_name(name).ok().cloned());
        SchemaRef::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    fn held(&self, row: usize) -> Held {
        Held {
            extracted_at: self.extracted_at.value(row),
            from: self.from.value(row),
            to: self.to.is_valid(row).then(|| self.to.value(row)),
        }
    }
}
