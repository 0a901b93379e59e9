//! What the rows of a reply change in a table: which of them are new, and which rows of which files they
//! replace. Files and row groups that hold none of their keys are not read.

use std::collections::{HashMap, HashSet};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::{Schema, SchemaRef};

use super::bits::Bits;
use super::decide::There;
use super::later::LaterVersions;
use super::live::Live;
use super::log::{Log, Version};
use super::missing::{Missing, MissingRows, Vanished};
use super::survey::{NEVER, Was, Winner, Winners, values};
use super::times::Times;
use crate::error::Result;
use crate::export::mode::TableMode;
use crate::export::parquet::Reader;
use crate::model::arrow::table_schema;

/// What a reply changes in a table.
#[derive(Default)]
pub(super) struct Changes {
    /// Files of which rows are replaced, in their order.
    pub(super) touched: Vec<Touched>,
    /// Rows of the table that are replaced.
    pub(super) replaced: u64,
    /// The keys that a reply of everything does not have.
    pub(super) vanished: Vanished,
}

/// A file of which rows are replaced.
pub(super) struct Touched {
    /// Its position among the version's files.
    pub(super) file: usize,
    /// For each row whether it is replaced; in a history whether it ends.
    pub(super) replaced: Bits,
}

impl Changes {
    /// Files of which rows are marked are touched as well.
    pub(super) fn touch(&mut self, marked: &[Missing]) {
        let mut files: Vec<usize> = marked.iter().map(|row| row.file as usize).collect();
        files.dedup();
        self.touch_files(files);
    }

    /// Files are touched, though no row of them is replaced.
    pub(super) fn touch_files(&mut self, mut files: Vec<usize>) {
        let there: HashSet<usize> = self.touched.iter().map(|touched| touched.file).collect();
        files.retain(|file| !there.contains(file));
        let none = |file| Touched { file, replaced: Bits::all(0, false) };
        self.touched.extend(files.into_iter().map(none));
        self.touched.sort_unstable_by_key(|touched| touched.file);
    }
}

/// How a reply is compared with a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// What becomes of the rows that the table has.
    pub(super) mode: TableMode,
    /// When the reply was asked for, in microseconds.
    pub(super) extracted_at: i64,
    /// Whether the reply was of everything, so that keys may be missing from it.
    pub(super) is_whole: bool,
}

/// What a row group has: the rows of which there are winners, each with its winner, and those of which there
/// are none, each with its key.
#[derive(Default)]
struct Found {
    hits: Vec<(usize, usize)>,
    missing: Vec<(usize, i64)>,
}

/// Compares the winners with every row that a version has of their keys. Afterwards a winner is wanted
/// only if the table does not have it already.
///
/// # Errors
/// `Config` or `Transient`: a file cannot be read.
pub(super) fn compare(
    log: &Log,
    version: &Version,
    winners: &mut Winners,
    how: How,
) -> Result<Changes> {
    let (mut changes, mut later) = (Changes::default(), Later::new());
    winners.rows.iter_mut().for_each(|row| row.time = NEVER);
    let mut missing = MissingRows::default();
    for (number, file) in version.files.iter().enumerate() {
        let is_apart =
            file.keys.is_some_and(|(least, most)| range(&winners.rows, least, most).is_empty());
        if is_apart && !how.is_whole {
            continue;
        }
        let (later, missing) = (&mut later, &mut missing);
        let comparing = Comparing { log, file, number, winners, later, missing, how };
        if let Some(replaced) = comparing.file(&mut changes)? {
            changes.touched.push(Touched { file: number, replaced });
        }
    }
    let mut living = winners.count_living();
    for (winner, later) in later {
        let winner = &mut winners.rows[winner];
        winner.is_wanted &= !later.is_same;
        // What counts as current is the newest version, whoever wrote it.
        living -= u64::from(winner.was == Was::Living);
        living += u64::from(later.is_living);
    }
    changes.vanished = missing.vanished(how.extracted_at);
    changes.vanished.living += living;
    Ok(changes)
}

/// For winners, by their positions, the later versions that the table has of them since another export was
/// faster.
type Later = HashMap<usize, LaterVersions>;

struct Comparing<'a> {
    log: &'a Log,
    file: &'a Live,
    /// The position of the file among the version's files.
    number: usize,
    winners: &'a mut Winners,
    later: &'a mut Later,
    missing: &'a mut MissingRows,
    how: How,
}

impl Comparing<'_> {
    /// Compares a file; gives the rows of it that are replaced, if any are.
    fn file(mut self, changes: &mut Changes) -> Result<Option<Bits>> {
        let reader = self.file.open(&self.log.store)?;
        let mut replaced = Bits::all(usize::try_from(reader.rows()).unwrap_or_default(), false);
        let before = changes.replaced;
        let mut first = 0;
        for group in 0..reader.metadata().num_row_groups() {
            let rows = usize::try_from(reader.metadata().row_group(group).num_rows());
            let found = self.find(&reader, group, first)?;
            if !found.hits.is_empty() {
                self.hits(&reader, group, &found, first, |row| {
                    replaced.set(row, true);
                    changes.replaced += 1;
                })?;
            } else if !found.missing.is_empty() {
                self.misses(&reader, group, &found, first)?;
            }
            first += rows.unwrap_or_default();
        }
        Ok((changes.replaced > before).then_some(replaced))
    }

    /// The rows of a row group that are still there: those whose key is among the winners, and, where the reply
    /// is of everything, the others.
    fn find(&self, reader: &Reader, group: usize, first: usize) -> Result<Found> {
        let stream = self.log.stream;
        let winners = &self.winners.rows;
        let mut found = Found::default();
        if let Some((least, most)) = reader.bounds(group, stream.key().name)
            && range(winners, least, most).is_empty()
            && !self.how.is_whole
        {
            return Ok(found);
        }
        let schema = table_schema(stream);
        let only = schema.field(stream.key_index()).clone();
        let mut rows = reader.read(group, &SchemaRef::new(Schema::new(vec![only])))?;
        let (mut row, mut near) = (0, 0);
        while let Some(batch) = rows.next_batch()? {
            for key in batch.column(0).as_primitive::<Int64Type>().values() {
                near = lower_bound(winners, near, *key);
                let is_hit = winners.get(near).is_some_and(|winner| winner.key == *key);
                if (is_hit || self.how.is_whole) && self.file.is_there(first + row) {
                    match is_hit {
                        true => found.hits.push((row, near)),
                        false => found.missing.push((row, *key)),
                    }
                }
                row += 1;
            }
        }
        Ok(found)
    }

    /// Compares the hits of a row group with their winners, and notes what is missing.
    fn hits(
        &mut self,
        reader: &Reader,
        group: usize,
        found: &Found,
        first: usize,
        mut replace: impl FnMut(usize),
    ) -> Result<()> {
        let schema = table_schema(self.log.stream);
        let values = values(self.log.stream);
        let mut rows = reader.read(group, &schema)?;
        let (mut hashes, mut start) = (Vec::new(), 0);
        let mut hits = found.hits.iter().peekable();
        let mut missing = found.missing.iter().peekable();
        while let Some(batch) = rows.next_batch()? {
            let end = start + batch.num_rows();
            let times = Times::of(&batch)?;
            if hits.peek().is_some_and(|(row, _)| *row < end) {
                self.winners.hasher.rows(&batch.columns()[..values], &mut hashes);
                while let Some((row, winner)) = hits.next_if(|(row, _)| *row < end) {
                    let here = row - start;
                    let there = There {
                        hash: hashes[here],
                        time: times.latest(here),
                        is_deleted: times.is_deleted(here),
                    };
                    if self.is_replaced(*winner, there) {
                        replace(first + *row);
                    }
                }
            }
            while let Some((row, key)) = missing.next_if(|(row, _)| *row < end) {
                self.miss(*key, first + *row, &times, row - start);
            }
            start = end;
        }
        Ok(())
    }

    /// Notes what is missing of a row group of which nothing else is needed.
    fn misses(&mut self, reader: &Reader, group: usize, found: &Found, first: usize) -> Result<()> {
        let mut rows = reader.read(group, &Times::schema(self.log.stream))?;
        let mut start = 0;
        let mut missing = found.missing.iter().peekable();
        while let Some(batch) = rows.next_batch()? {
            let end = start + batch.num_rows();
            let times = Times::of(&batch)?;
            while let Some((row, key)) = missing.next_if(|(row, _)| *row < end) {
                self.miss(*key, first + *row, &times, row - start);
            }
            start = end;
        }
        Ok(())
    }

    /// Notes a row of a file whose key is missing from the reply; `here` is its position in the batch of `times`.
    fn miss(&mut self, key: i64, row: usize, times: &Times<'_>, here: usize) {
        let is_deleted = times.is_deleted(here);
        // Where each key has one row, one that is deleted says nothing more.
        if is_deleted && self.how.mode != TableMode::Append {
            return;
        }
        self.missing.take(Missing {
            key,
            time: times.latest(here),
            file: u32::try_from(self.number).unwrap_or(u32::MAX),
            row: u32::try_from(row).unwrap_or(u32::MAX),
            is_deleted,
        });
    }

    /// Decides between a row of the table and the winner of its key. True if the row has to go.
    fn is_replaced(&mut self, position: usize, there: There) -> bool {
        let winner = &mut self.winners.rows[position];
        if self.how.mode != TableMode::Append {
            return winner.replaces(there, self.how.extracted_at);
        }
        // Of the versions of a key those right before and right after count.
        if there.time > self.how.extracted_at {
            let later = self.later.entry(position).or_default();
            later.take(there.time, there.is_deleted, winner.is_same(there));
        } else {
            winner.follows(there);
        }
        false
    }
}

/// The winners whose keys are between two, both included.
pub(super) fn range(winners: &[Winner], least: i64, most: i64) -> &[Winner] {
    let from = winners.partition_point(|winner| winner.key < least);
    let to = winners.partition_point(|winner| winner.key <= most);
    winners.get(from..to).unwrap_or_default()
}

/// Where the first winner is whose key is not less than `key`. Rows of a table are mostly in order, so it
/// is looked for from where the last one was.
pub(super) fn lower_bound(winners: &[Winner], near: usize, key: i64) -> usize {
    let is_less = |winner: &Winner| winner.key < key;
    if near > 0 && !winners.get(near - 1).is_some_and(is_less) {
        return winners.get(..near).unwrap_or_default().partition_point(is_less);
    }
    let (mut from, mut step) = (near, 1);
    while winners.get(from + step - 1).is_some_and(is_less) {
        from += step;
        step *= 2;
    }
    let to = (from + step).min(winners.len());
    from + winners.get(from..to).unwrap_or_default().partition_point(is_less)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;

    /// The schema has the table's columns, so that a projection of all of them is the table's.
    #[test]
    fn the_time_of_a_row_is_behind_its_values() {
        let schema: Arc<Schema> = table_schema(&crate::streams::customers::CUSTOMERS);
        let values = values(&crate::streams::customers::CUSTOMERS);
        assert_eq!(schema.field(values).name(), crate::model::arrow::EXTRACTED_AT);
        assert_eq!(schema.fields().len(), values + 2);
    }

    proptest! {
        #[test]
        fn a_key_is_found_from_wherever_it_is_looked_for(
            mut keys in proptest::collection::vec(-50i64..50, 0..60),
            wanted in proptest::collection::vec((-55i64..55, any::<u16>()), 1..20),
        ) {
            keys.sort_unstable();
            keys.dedup();
            let winners: Vec<Winner> = keys.iter().map(|key| Winner::of(*key)).collect();
            for (key, near) in wanted {
                let near = usize::from(near) % (keys.len() + 1);
                let expected = keys.partition_point(|other| *other < key);
                prop_assert_eq!(lower_bound(&winners, near, key), expected);
            }
        }
    }
}
