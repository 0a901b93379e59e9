//! What the rows of a reply change in a table: which of them are new, and which rows of which files they
//! replace. Files and row groups that hold none of their keys are not read.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_schema::{Schema, SchemaRef};

use super::bits::Bits;
use super::log::{Live, Log, Version};
use super::survey::{Winner, Winners, values};
use crate::error::Result;
use crate::export::mode::TableMode;
use crate::export::parquet::Reader;
use crate::model::arrow::table_schema;

/// What a reply changes in a table.
#[derive(Default)]
pub(super) struct Changes {
    /// Files of which rows are replaced.
    pub(super) touched: Vec<Touched>,
    /// Rows of the table that are replaced.
    pub(super) replaced: u64,
    /// Rows of the table whose key is among the winners.
    pub(super) returned: u64,
}

/// A file of which rows are replaced.
pub(super) struct Touched {
    /// Its position among the version's files.
    pub(super) file: usize,
    /// For each row whether it is replaced.
    pub(super) replaced: Bits,
}

/// A row of a row group, and the winner of its key.
type Hit = (usize, usize);

/// Compares the winners with every row that a version has of their keys. Afterwards a winner is wanted
/// only if the table does not have it already.
///
/// # Errors
/// `Config` or `Transient`: a file cannot be read.
pub(super) fn compare(
    log: &Log,
    version: &Version,
    winners: &mut Winners,
    mode: TableMode,
    extracted_at: i64,
) -> Result<Changes> {
    let (mut changes, mut later) = (Changes::default(), Later::new());
    for (number, file) in version.files.iter().enumerate() {
        let is_apart =
            file.keys.is_some_and(|(least, most)| range(&winners.rows, least, most).is_empty());
        if is_apart {
            continue;
        }
        let later = &mut later;
        let comparing = Comparing { log, file, winners, later, mode, extracted_at };
        if let Some(replaced) = comparing.file(&mut changes)? {
            changes.touched.push(Touched { file: number, replaced });
        }
    }
    for (winner, (_, is_same)) in later {
        winners.rows[winner].is_wanted &= !is_same;
    }
    Ok(changes)
}

/// For winners that the table has later versions of, since another export was faster: when the first of
/// them was extracted, and whether it is the same.
type Later = HashMap<usize, (i64, bool)>;

struct Comparing<'a> {
    log: &'a Log,
    file: &'a Live,
    winners: &'a mut Winners,
    later: &'a mut Later,
    mode: TableMode,
    extracted_at: i64,
}

impl Comparing<'_> {
    /// Compares a file; gives the rows of it that are replaced, if any are.
    fn file(mut self, changes: &mut Changes) -> Result<Option<Bits>> {
        let Self { log, file, .. } = self;
        let reader = Reader::open(&log.store, &file.path, file.bytes)?;
        let mut replaced = Bits::all(usize::try_from(reader.rows()).unwrap_or_default(), false);
        let before = changes.replaced;
        let mut first = 0;
        for group in 0..reader.metadata().num_row_groups() {
            let rows = usize::try_from(reader.metadata().row_group(group).num_rows());
            let hits = self.hits(&reader, group, first)?;
            changes.returned += hits.len() as u64;
            if !hits.is_empty() {
                self.group(&reader, group, &hits, |row| {
                    replaced.set(first + row, true);
                    changes.replaced += 1;
                })?;
            }
            first += rows.unwrap_or_default();
        }
        Ok((changes.replaced > before).then_some(replaced))
    }

    /// The rows of a row group that are still there and whose key is among the winners.
    fn hits(&self, reader: &Reader, group: usize, first: usize) -> Result<Vec<Hit>> {
        let stream = self.log.stream;
        let winners = &self.winners.rows;
        if let Some((least, most)) = reader.bounds(group, stream.key().name)
            && range(winners, least, most).is_empty()
        {
            return Ok(Vec::new());
        }
        let schema = table_schema(stream);
        let only = schema.field(stream.key_index()).clone();
        let mut rows = reader.read(group, &SchemaRef::new(Schema::new(vec![only])))?;
        let (mut hits, mut row, mut near) = (Vec::new(), 0, 0);
        while let Some(batch) = rows.next_batch()? {
            for key in batch.column(0).as_primitive::<Int64Type>().values() {
                near = lower_bound(winners, near, *key);
                let is_hit = winners.get(near).is_some_and(|winner| winner.key == *key);
                if is_hit && self.file.is_there(first + row) {
                    hits.push((row, near));
                }
                row += 1;
            }
        }
        Ok(hits)
    }

    /// Compares the hits of a row group with their winners.
    fn group(
        &mut self,
        reader: &Reader,
        group: usize,
        hits: &[Hit],
        mut replace: impl FnMut(usize),
    ) -> Result<()> {
        let schema = table_schema(self.log.stream);
        let values = values(self.log.stream);
        let mut rows = reader.read(group, &schema)?;
        let (mut hashes, mut first) = (Vec::new(), 0);
        let mut hits = hits.iter().peekable();
        while let Some(batch) = rows.next_batch()? {
            let end = first + batch.num_rows();
            if hits.peek().is_some_and(|(row, _)| *row < end) {
                self.winners.hasher.rows(&batch.columns()[..values], &mut hashes);
                let times = batch.column(values).as_primitive::<TimestampMicrosecondType>();
                while let Some((row, winner)) = hits.next_if(|(row, _)| *row < end) {
                    let (hash, time) = (hashes[row - first], times.value(row - first));
                    if self.is_replaced(*winner, hash, time) {
                        replace(*row);
                    }
                }
            }
            first = end;
        }
        Ok(())
    }

    /// Decides between a row of the table and the winner of its key. True if the row has to go.
    fn is_replaced(&mut self, position: usize, hash: u64, time: i64) -> bool {
        let winner = &mut self.winners.rows[position];
        let is_same = winner.hash == hash;
        if self.mode == TableMode::Append {
            // Of a history the versions right before and right after count.
            if time > self.extracted_at {
                let first = self.later.entry(position).or_insert((time, is_same));
                if time < first.0 {
                    *first = (time, is_same);
                }
            } else if time >= winner.time {
                winner.time = time;
                winner.is_wanted = !is_same;
            }
            return false;
        }
        if is_same || time > self.extracted_at {
            winner.is_wanted = false;
            return false;
        }
        true
    }
}

impl Live {
    /// How many rows are marked as deleted.
    pub(super) fn deleted(&self) -> u64 {
        let marks = self.still_there.as_deref().unwrap_or_default();
        marks.iter().filter(|is_there| !**is_there).count() as u64
    }

    /// Whether a row has not been marked as deleted.
    pub(super) fn is_there(&self, row: usize) -> bool {
        let marks = self.still_there.as_deref().unwrap_or_default();
        marks.get(row).copied().unwrap_or(true)
    }
}

/// The winners whose keys are between two, both included.
fn range(winners: &[Winner], least: i64, most: i64) -> &[Winner] {
    let from = winners.partition_point(|winner| winner.key < least);
    let to = winners.partition_point(|winner| winner.key <= most);
    winners.get(from..to).unwrap_or_default()
}

/// Where the first winner is whose key is not less than `key`. Rows of a table are mostly in order, so it
/// is looked for from where the last one was.
fn lower_bound(winners: &[Winner], near: usize, key: i64) -> usize {
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
    fn the_time_of_a_row_stands_behind_its_values() {
        let schema: Arc<Schema> = table_schema(&crate::streams::customers::CUSTOMERS);
        let values = values(&crate::streams::customers::CUSTOMERS);
        assert_eq!(schema.field(values).name(), crate::model::arrow::EXTRACTED_AT);
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
