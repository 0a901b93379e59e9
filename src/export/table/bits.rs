//! A yes or no for each of many rows.

use arrow_array::BooleanArray;
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};

/// A bit for each row, by its position.
#[derive(Debug)]
pub(super) struct Bits(BooleanBufferBuilder);

impl Bits {
    /// This many rows, all with the same answer.
    pub(super) fn all(rows: usize, answer: bool) -> Self {
        let mut bits = BooleanBufferBuilder::new(rows);
        bits.append_n(rows, answer);
        Self(bits)
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.0.len()
    }

    /// Answers for a row.
    pub(super) fn set(&mut self, row: usize, answer: bool) {
        if row < self.0.len() {
            self.0.set_bit(row, answer);
        }
    }

    /// The answer for a row.
    pub(super) fn get(&self, row: usize) -> bool {
        row < self.0.len() && self.0.get_bit(row)
    }

    /// The answers for some rows, as a filter takes them.
    pub(super) fn filter(&self, from: usize, rows: usize) -> BooleanArray {
        BooleanBuffer::collect_bool(rows, |row| self.get(from + row)).into()
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
