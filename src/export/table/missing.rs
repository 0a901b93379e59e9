//! Rows of a table whose keys a reply of everything does not have. Of each key the newest row counts.

/// A row of a table whose key a reply does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) key: i64,
    /// When the row became what it is, in microseconds.
    pub(super) time: i64,
    /// The position of its file among the version's files.
    pub(super) file: u32,
    /// Its position in the file.
    pub(super) row: u32,
    /// Whether it is marked as deleted already.
    pub(super) is_deleted: bool,
}

/// Fewer rows than this are not worth a look at which of them are outdated.
const FEW: usize = 65_536;

/// The missing rows so far.
#[derive(Debug, Default)]
pub(super) struct MissingRows {
    rows: Vec<Missing>,
    /// How many there were after the last look.
    settled: usize,
}

/// The keys that a reply does not have.
#[derive(Debug, Default)]
pub(super) struct Vanished {
    /// The newest rows of the keys that are current and not newer than the reply, in the order of the files.
    pub(super) rows: Vec<Missing>,
    /// How many keys are current in the table, once those that the reply has are added.
    pub(super) living: u64,
}

impl MissingRows {
    /// Takes a row of any key.
    pub(super) fn take(&mut self, row: Missing) {
        self.rows.push(row);
        // A table of versions may have many of each key: what is outdated is not kept for long.
        if self.rows.len() >= (self.settled * 2).max(FEW) {
            self.settle();
        }
    }

    /// Keeps the newest row of each key.
    fn settle(&mut self) {
        self.rows.sort_unstable_by_key(|row| (row.key, row.time, row.file, row.row));
        self.rows.dedup_by(|later, kept| {
            let is_same = later.key == kept.key;
            if is_same {
                *kept = *later;
            }
            is_same
        });
        self.settled = self.rows.len();
    }

    /// What is missing from a reply that was asked for at a time.
    pub(super) fn vanished(mut self, extracted_at: i64) -> Vanished {
        self.settle();
        let mut rows = self.rows;
        rows.retain(|row| !row.is_deleted);
        let living = rows.len() as u64;
        // What somebody extracted later may have come after the reply.
        rows.retain(|row| row.time <= extracted_at);
        rows.sort_unstable_by_key(|row| (row.file, row.row));
        Vanished { rows, living }
    }
}

impl Vanished {
    /// The rows that are in one file.
    pub(super) fn of_file(rows: &[Missing], file: usize) -> &[Missing] {
        let from = rows.partition_point(|row| (row.file as usize) < file);
        let to = rows.partition_point(|row| row.file as usize <= file);
        rows.get(from..to).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: i64, time: i64, file: u32, is_deleted: bool) -> Missing {
        Missing { key, time, file, row: 0, is_deleted }
    }

    #[test]
    fn of_each_key_the_newest_row_says_whether_it_has_vanished() {
        let mut missing = MissingRows::default();
        for one in [
            row(1, 5, 2, false),
            row(1, 3, 0, false),
            row(2, 3, 0, false),
            row(2, 4, 1, true),
            row(3, 4, 0, true),
            row(3, 6, 1, false),
            row(4, 9, 0, false),
        ] {
            missing.take(one);
        }
        let Vanished { rows, living } = missing.vanished(8);
        assert_eq!(rows, [row(3, 6, 1, false), row(1, 5, 2, false)]);
        assert_eq!(living, 3, "what was extracted later is current as well");
        assert_eq!(Vanished::of_file(&rows, 2), [row(1, 5, 2, false)]);
        assert_eq!(Vanished::of_file(&rows, 0), []);
    }

    #[test]
    fn outdated_rows_are_not_kept_for_long() {
        let mut missing = MissingRows::default();
        for time in 0..3 * FEW as i64 {
            missing.take(row(time % 10, time, 0, false));
        }
        assert!(missing.rows.len() < FEW);
        assert_eq!(missing.vanished(i64::MAX).rows.len(), 10);
    }

    #[test]
    fn rows_of_many_keys_are_looked_at_again_only_when_they_have_doubled() {
        let (mut missing, mut looks) = (MissingRows::default(), 0);
        for key in 0..5 * FEW as i64 {
            let before = missing.settled;
            missing.take(row(key, 0, 0, false));
            looks += u32::from(missing.settled != before);
            assert!(looks <= 3, "{looks} at row {key}");
        }
        assert_eq!(looks, 3);
    }
}
