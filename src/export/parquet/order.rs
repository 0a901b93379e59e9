//! The order of rows by their key.

use arrow_array::UInt32Array;

/// Bits that are sorted by at a time.
const DIGIT_BITS: u32 = 11;

/// Where each row of an order is among these rows, in the order of their keys; those of one key stay in the order in which they
/// came. `None` if all are in order already.
pub(super) fn order<'a>(keys: impl Iterator<Item = &'a [i64]>) -> Option<UInt32Array> {
    let keys: Vec<i64> = keys.flatten().copied().collect();
    if keys.is_sorted() {
        return None;
    }
    let (least, most) = (*keys.iter().min()?, *keys.iter().max()?);
    let range = most.wrapping_sub(least).cast_unsigned();
    let above_least = |key: i64| key.wrapping_sub(least).cast_unsigned();
    if range > u64::from(u32::MAX) {
        let mut keyed: Vec<(i64, u32)> = keys.into_iter().zip(0..).collect();
        keyed.sort_unstable();
        return Some(keyed.into_iter().map(|(_, row)| row).collect::<Vec<_>>().into());
    }
    // A key and its row in one word, sorted by one digit of the key after the other, the lowest first.
    let mut words: Vec<u64> = keys
        .iter()
        .zip(0_u32..)
        .map(|(key, row)| above_least(*key) << 32 | u64::from(row))
        .collect();
    let mut sorted = vec![0; words.len()];
    for digit in (32..64 - range.leading_zeros() + 32).step_by(DIGIT_BITS as usize) {
        sort_by_digit(&words, digit, &mut sorted);
        std::mem::swap(&mut words, &mut sorted);
    }
    Some(words.into_iter().map(|word| word as u32).collect::<Vec<_>>().into())
}

/// Sorts by the bits from this one on; words of which they are the same stay in their order.
fn sort_by_digit(words: &[u64], from: u32, sorted: &mut [u64]) {
    const DIGITS: usize = 1 << DIGIT_BITS;
    let digit = |word: u64| (word >> from) as usize % DIGITS;
    let mut places = [0_usize; DIGITS];
    words.iter().for_each(|word| places[digit(*word)] += 1);
    let mut before = 0;
    for place in &mut places {
        before += std::mem::replace(place, before);
    }
    for word in words {
        let place = &mut places[digit(*word)];
        sorted[*place] = *word;
        *place += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn assert_sorted(batches: &[Vec<i64>]) {
        let keys = batches.concat();
        let mut expected: Vec<u32> = (0..keys.len() as u32).collect();
        expected.sort_by_key(|row| keys[*row as usize]);
        let found = order(batches.iter().map(Vec::as_slice));
        assert_eq!(found.is_none(), keys.is_sorted());
        assert_eq!(found.map_or(expected.clone(), |found| found.values().to_vec()), expected);
    }

    #[test]
    fn rows_of_one_key_stay_in_their_order_whatever_the_range_of_keys() {
        assert_sorted(&[vec![3, 1], vec![], vec![3, 2, 1]]);
        assert_sorted(&[vec![1, 2, 2], vec![3]]);
        assert_sorted(&[vec![i64::MAX, i64::MIN, 0, i64::MIN]]);
        assert_sorted(&[vec![5 + i64::from(u32::MAX), 5, 6, 5]]);
        assert_sorted(&[vec![6 + i64::from(u32::MAX), 5, 6, 5]]);
    }

    proptest! {
        #[test]
        fn it_is_the_order_of_a_stable_sort(
            batches in proptest::collection::vec(proptest::collection::vec(any::<i64>(), 0..40), 0..4),
            bits in 1_u32..64,
        ) {
            let narrow = |key: &i64| key >> bits;
            let batches: Vec<Vec<i64>> =
                batches.iter().map(|keys| keys.iter().map(narrow).collect()).collect();
            assert_sorted(&batches);
        }
    }
}
