//! Which row of a reply counts for each key, found in one pass and a few bytes a row.

use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use roaring::RoaringTreemap;

use super::bits::Bits;
use super::hash::Hasher;
use crate::model::Stream;

/// The row that counts for a key, and what has become of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Winner {
    pub(super) key: i64,
    /// The hash of all its values.
    pub(super) hash: u64,
    /// Of the cursor, in microseconds, while the winner is looked for; afterwards of the newest row that the
    /// table has of the key, or in a history of the version that it begins.
    pub(super) time: i64,
    position: u32,
    /// Whether it has to be written.
    pub(super) is_wanted: bool,
    /// What the table has of the key.
    pub(super) was: Was,
}

/// What a table has of a key: its newest row that is not newer than the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Was {
    /// No row.
    Absent,
    /// A row that is current.
    Living,
    /// A row that is marked as deleted.
    Deleted,
}

#[cfg(test)]
impl Winner {
    /// A winner of a key, for tests.
    pub(super) fn of(key: i64) -> Self {
        Self { key, hash: 0, time: NEVER, position: 0, is_wanted: true, was: Was::Absent }
    }
}

/// No time: any time beats it.
pub(super) const NEVER: i64 = i64::MIN;

/// Takes the rows of a reply.
pub(super) struct Survey {
    stream: &'static Stream,
    rows: Vec<Winner>,
    position: u32,
    /// Where every other key is there once, only these are looked at.
    only: Option<HashSet<i64>>,
    hasher: Hasher,
    hashes: Vec<u64>,
}

impl Survey {
    /// A survey of this number of rows; of the rows of some keys if all others are there once.
    pub(super) fn new(stream: &'static Stream, rows: u64, only: Option<HashSet<i64>>) -> Self {
        let expected = if only.is_some() { 0 } else { usize::try_from(rows).unwrap_or_default() };
        Self {
            stream,
            rows: Vec::with_capacity(expected),
            position: 0,
            only,
            hasher: Hasher::new(),
            hashes: Vec::new(),
        }
    }

    /// Takes the next rows.
    pub(super) fn take(&mut self, batch: &RecordBatch) {
        let keys = batch.column(self.stream.key_index()).as_primitive::<Int64Type>();
        let times = self.stream.cursor_index().map(|cursor| batch.column(cursor));
        let times = times.map(|times| times.as_primitive::<TimestampMicrosecondType>());
        let mut hashes = std::mem::take(&mut self.hashes);
        self.hasher.rows(&batch.columns()[..values(self.stream)], &mut hashes);
        for (row, (&key, &hash)) in keys.values().iter().zip(&hashes).enumerate() {
            let position = self.position;
            self.position = self.position.saturating_add(1);
            if self.only.as_ref().is_some_and(|only| !only.contains(&key)) {
                continue;
            }
            let time =
                times.filter(|times| times.is_valid(row)).map_or(NEVER, |times| times.value(row));
            let was = Was::Absent;
            self.rows.push(Winner { key, hash, time, position, is_wanted: true, was });
        }
        self.hashes = hashes;
    }

    /// The winners by their key: of each the row with the greatest cursor, the later of two that are the
    /// same. Any cursor beats none. In a stream without a cursor the later row wins.
    pub(super) fn winners(self) -> Winners {
        let Self { mut rows, position, only, hasher, .. } = self;
        rows.sort_unstable_by_key(|row| (row.key, row.time, row.position));
        let mut losers = Vec::new();
        let is_all = only.is_none();
        // Of neighbours with the same key the later one in this order is kept.
        rows.dedup_by(|later, kept| {
            let is_same = later.key == kept.key;
            if is_same {
                if !is_all {
                    losers.push(kept.position);
                }
                *kept = *later;
            }
            is_same
        });
        Winners { rows, hasher, position, losers, is_all }
    }
}

/// How many columns of a batch are the values of a row: all fields, and `_extra`.
pub(super) fn values(stream: &Stream) -> usize {
    stream.fields.len() + 1
}

/// The rows of a reply that count, by their key.
pub(super) struct Winners {
    pub(super) rows: Vec<Winner>,
    pub(super) hasher: Hasher,
    position: u32,
    losers: Vec<u32>,
    is_all: bool,
}

impl Winners {
    /// For each row of the reply whether it has to be written.
    pub(super) fn wanted(&self) -> Bits {
        let mut wanted = Bits::all(self.position as usize, !self.is_all);
        for row in &self.rows {
            wanted.set(row.position as usize, row.is_wanted);
        }
        for loser in &self.losers {
            wanted.set(*loser as usize, false);
        }
        wanted
    }

    /// How many have to be written.
    pub(super) fn count_wanted(&self) -> u64 {
        self.rows.iter().filter(|row| row.is_wanted).count() as u64
    }

    /// How many have to be written because the table has them as deleted.
    pub(super) fn count_restored(&self) -> u64 {
        let restored = |row: &&Winner| row.is_wanted && row.was == Was::Deleted;
        self.rows.iter().filter(restored).count() as u64
    }

    /// How many are current in the table.
    pub(super) fn count_living(&self) -> u64 {
        self.rows.iter().filter(|row| row.was == Was::Living).count() as u64
    }
}

/// Whether any key is there twice, in far less memory than a survey takes.
#[derive(Default)]
pub(super) struct Seen {
    keys: RoaringTreemap,
    pub(super) twice: HashSet<i64>,
    sorted: Vec<i64>,
}

impl Seen {
    /// Takes the keys of the next rows.
    pub(super) fn take(&mut self, batch: &RecordBatch, stream: &Stream) {
        let keys = batch.column(stream.key_index()).as_primitive::<Int64Type>();
        self.take_keys(keys.values());
    }

    /// Takes keys.
    pub(super) fn take_keys(&mut self, keys: &[i64]) {
        // In order, keys that are stored together are looked for together.
        self.sorted.clear();
        self.sorted.extend_from_slice(keys);
        self.sorted.sort_unstable();
        for key in &self.sorted {
            if !self.keys.insert(key.cast_unsigned()) {
                self.twice.insert(*key);
            }
        }
    }

    /// How many different keys there are.
    pub(super) fn count(&self) -> u64 {
        self.keys.len()
    }

    /// How many of them are among others as well.
    pub(super) fn in_common(&self, others: &Self) -> u64 {
        self.keys.intersection_len(&others.keys)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, TimestampMicrosecondArray, new_null_array};

    use super::*;
    use crate::model::arrow::{Selection, schema};
    use crate::streams::customers::CUSTOMERS;

    fn batch(rows: &[(i64, Option<i64>)]) -> RecordBatch {
        let schema = schema(&CUSTOMERS, &Selection::all(&CUSTOMERS));
        let columns = schema.fields().iter().enumerate().map(|(index, field)| -> ArrayRef {
            if index == CUSTOMERS.key_index() {
                Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int64Array>())
            } else if Some(index) == CUSTOMERS.cursor_index() {
                let times: TimestampMicrosecondArray = rows.iter().map(|row| row.1).collect();
                Arc::new(times.with_timezone("UTC"))
            } else if field.is_nullable() {
                new_null_array(field.data_type(), rows.len())
            } else {
                Arc::new(arrow_array::UInt64Array::from(vec![0; rows.len()]))
            }
        });
        RecordBatch::try_new(schema.clone(), columns.collect()).unwrap()
    }

    fn wanted(batches: &[&[(i64, Option<i64>)]], only: Option<&[i64]>) -> Vec<usize> {
        let rows = batches.iter().map(|rows| rows.len()).sum::<usize>();
        let only = only.map(|keys| keys.iter().copied().collect());
        let mut survey = Survey::new(&CUSTOMERS, rows as u64, only);
        batches.iter().for_each(|rows| survey.take(&batch(rows)));
        let wanted = survey.winners().wanted();
        (0..rows).filter(|row| wanted.get(*row)).collect()
    }

    #[test]
    fn the_greatest_cursor_wins_any_beats_none_then_the_later_position() {
        let rows: &[(i64, Option<i64>)] =
            &[(7, Some(5)), (8, None), (7, Some(9)), (9, Some(1)), (8, Some(0)), (7, None)];
        assert_eq!(wanted(&[rows], None), [2, 3, 4]);
        assert_eq!(wanted(&[&[(7, Some(5))], &[(7, Some(5))], &[(7, Some(4))]], None), [1]);
        assert_eq!(wanted(&[&[(7, None), (7, None)]], None), [1]);
    }

    #[test]
    fn keys_that_come_once_need_no_survey() {
        let rows: &[(i64, Option<i64>)] = &[(1, None), (7, Some(5)), (2, Some(3)), (7, Some(4))];
        let mut seen = Seen::default();
        seen.take(&batch(rows), &CUSTOMERS);
        assert_eq!(seen.twice, HashSet::from([7]));
        assert_eq!(wanted(&[rows], Some(&[7])), [0, 1, 2]);
        seen.take(&batch(&[(-3, None), (2, None)]), &CUSTOMERS);
        assert_eq!(seen.twice, HashSet::from([7, 2]));
    }
}
