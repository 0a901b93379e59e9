//! What becomes of a row of the table and of the winner of its key: which of the two there is to be.

use super::survey::{Was, Winner};

/// A row of the table.
#[derive(Clone, Copy)]
pub(super) struct There {
    /// The hash of its values.
    pub(super) hash: u64,
    /// When it became what it is, in microseconds.
    pub(super) time: i64,
    /// Whether it is marked as deleted.
    pub(super) is_deleted: bool,
}

impl There {
    fn was(self) -> Was {
        if self.is_deleted { Was::Deleted } else { Was::Living }
    }
}

impl Winner {
    /// Whether the table has it as it is. A row that is deleted is never the same: its key has returned.
    pub(super) fn is_same(&self, there: There) -> bool {
        self.hash == there.hash && !there.is_deleted
    }

    /// Compares it with a row of its key, of which there is one unless others wrote more. True if that row has to go.
    pub(super) fn replaces(&mut self, there: There, extracted_at: i64) -> bool {
        self.was = there.was();
        let is_replaced = !self.is_same(there) && there.time <= extracted_at;
        self.is_wanted &= is_replaced;
        is_replaced
    }

    /// Compares it with one of the rows of its key that are not later: the last of them counts.
    pub(super) fn follows(&mut self, there: There) {
        if there.time >= self.time {
            self.time = there.time;
            self.is_wanted = !self.is_same(there);
            self.was = there.was();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(hash: u64, time: i64, is_deleted: bool) -> There {
        There { hash, time, is_deleted }
    }

    #[test]
    fn a_row_goes_where_it_differs_and_is_not_later() {
        for (row, is_replaced, was) in [
            (there(1, 10, false), true, Was::Living),
            (there(1, 20, false), true, Was::Living),
            (there(1, 21, false), false, Was::Living),
            (there(0, 10, false), false, Was::Living),
            (there(0, 10, true), true, Was::Deleted),
            (there(0, 21, true), false, Was::Deleted),
        ] {
            let mut winner = Winner::of(7);
            assert_eq!(winner.replaces(row, 20), is_replaced, "{}", row.time);
            assert_eq!((winner.is_wanted, winner.was), (is_replaced, was), "{}", row.time);
        }
    }

    #[test]
    fn of_rows_that_others_wrote_with_one_key_the_same_one_stays() {
        let mut winner = Winner::of(7);
        let rows = [there(1, 10, false), there(0, 10, false), there(2, 10, false)];
        assert_eq!(rows.map(|row| winner.replaces(row, 20)), [true, false, true]);
        assert!(!winner.is_wanted);
    }

    #[test]
    fn of_rows_that_are_not_later_the_last_counts_in_whichever_order_they_come() {
        let rows = [there(1, 10, false), there(0, 20, false), there(0, 30, true)];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            for (last, is_wanted, was) in
                [(0, true, Was::Living), (1, false, Was::Living), (2, true, Was::Deleted)]
            {
                let mut winner = Winner::of(7);
                let come = order.iter().filter(|number| **number <= last);
                come.for_each(|number| winner.follows(rows[*number]));
                assert_eq!((winner.is_wanted, winner.was), (is_wanted, was), "{order:?} {last}");
                assert_eq!(winner.time, rows[last].time);
            }
        }
    }
}
