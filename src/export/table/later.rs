//! Versions of a key that a table has from exports that read later than this one, and were faster.

/// Versions of a key that are later than the reply.
#[derive(Default)]
pub(super) struct LaterVersions {
    /// When the first of them was extracted; `None` before it is known.
    first: Option<i64>,
    /// Whether the first is the same as the winner.
    pub(super) is_same: bool,
    /// When the last of them became what it is; `None` before it is known.
    last: Option<i64>,
    /// Whether the last is current.
    pub(super) is_living: bool,
}

impl LaterVersions {
    /// Takes a version more: when it became what it is, whether it is marked as deleted, and whether it is the same as the winner.
    pub(super) fn take(&mut self, time: i64, is_deleted: bool, is_same: bool) {
        if self.first.is_none_or(|first| time < first) {
            (self.first, self.is_same) = (Some(time), is_same);
        }
        if self.last.is_none_or(|last| time > last) {
            (self.last, self.is_living) = (Some(time), !is_deleted);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_count_in_whichever_order_they_come() {
        let versions = [(10, false, true), (20, true, false), (30, false, true), (40, true, false)];
        let orders = [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]];
        for (taken, is_same, is_living) in [(0..4, true, false), (1..3, false, true)] {
            for order in &orders {
                let mut later = LaterVersions::default();
                for number in order.iter().filter(|number| taken.contains(*number)) {
                    let (time, is_deleted, is_same) = versions[*number];
                    later.take(time, is_deleted, is_same);
                }
                assert_eq!((later.is_same, later.is_living), (is_same, is_living), "{order:?}");
            }
        }
    }

    #[test]
    fn of_two_of_the_same_time_the_first_that_comes_counts() {
        let mut later = LaterVersions::default();
        later.take(10, false, true);
        later.take(10, true, false);
        assert!(later.is_same && later.is_living);
    }
}
