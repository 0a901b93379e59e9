//! A yes or no for each of many rows.

use arrow_array::BooleanArray;

/// A bit for each row, by its position.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Bits {
    words: Vec<u64>,
    rows: usize,
}

impl Bits {
    /// So many rows, all with the same answer.
    pub(super) fn all(rows: usize, answer: bool) -> Self {
        let word = if answer { u64::MAX } else { 0 };
        Self { words: vec![word; rows.div_ceil(64)], rows }
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Answers for a row.
    pub(super) fn set(&mut self, row: usize, answer: bool) {
        if let Some(word) = self.words.get_mut(row / 64) {
            let bit = 1 << (row % 64);
            *word = if answer { *word | bit } else { *word & !bit };
        }
    }

    /// The answer for a row.
    pub(super) fn get(&self, row: usize) -> bool {
        row < self.rows && self.words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// The answers for the rows that a filter of the rows from one on lets through.
    pub(super) fn chosen(&self, from: usize, filter: &BooleanArray) -> BooleanArray {
        let rows = (0..filter.len()).filter(|row| filter.value(*row));
        rows.map(|row| Some(self.get(from + row))).collect()
    }

    /// The answers for some rows, as a filter takes them.
    pub(super) fn filter(&self, from: usize, rows: usize) -> BooleanArray {
        (from..from + rows).map(|row| Some(self.get(row))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_has_an_answer_of_its_own() {
        let mut bits = Bits::all(130, false);
        for row in [0, 63, 64, 129] {
            bits.set(row, true);
        }
        let set: Vec<usize> = (0..200).filter(|row| bits.get(*row)).collect();
        assert_eq!(set, [0, 63, 64, 129]);
        bits.set(64, false);
        assert_eq!(bits.filter(63, 3), BooleanArray::from(vec![true, false, false]));
        assert!(!Bits::all(3, true).get(3));
    }
}
