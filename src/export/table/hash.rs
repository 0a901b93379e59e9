//! Whether two rows are the same in every value, without holding both: by a hash of 64 bits.
//!
//! Only a row and the row of the same key that the table has are ever compared, so a false "the same"
//! has a chance of one in 2^64 for each changed row. The seed is another in each run.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use twox_hash::XxHash3_64;

const MULTIPLIER: u128 = 0x9E37_79B9_7F4A_7C15;

/// The hash of a null, and that of the type of a value.
const NULL: u64 = 0x6C62_272E_07BB_0142;

/// Hashes rows, all with the same seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hasher(u64);

impl Hasher {
    /// A seed that no other run has.
    pub(super) fn new() -> Self {
        Self(fastrand::u64(..))
    }

    /// The hash of each row of these columns, of the types that [`crate::model::arrow`] has.
    pub(super) fn rows(self, columns: &[ArrayRef], hashes: &mut Vec<u64>) {
        hashes.clear();
        hashes.resize(columns.first().map_or(0, |column| column.len()), self.0);
        for column in columns {
            match column.data_type() {
                DataType::Utf8 => {
                    let texts = column.as_string::<i32>();
                    each(hashes, texts.iter(), |text| {
                        XxHash3_64::oneshot_with_seed(self.0, text.as_bytes())
                    });
                }
                DataType::Int64 => {
                    each(hashes, column.as_primitive::<Int64Type>().iter(), i64::cast_unsigned);
                }
                DataType::Timestamp(_, _) => {
                    let times = column.as_primitive::<TimestampMicrosecondType>();
                    each(hashes, times.iter(), i64::cast_unsigned);
                }
                _ => each(hashes, column.as_boolean().iter(), u64::from),
            }
        }
    }
}

fn each<T>(hashes: &mut [u64], values: impl Iterator<Item = Option<T>>, of: impl Fn(T) -> u64) {
    for (hash, value) in hashes.iter_mut().zip(values) {
        *hash = match value {
            // A value differs from a null by how it is mixed in, not by what it is.
            Some(value) => mix(mix(*hash, of(value)), 1),
            None => mix(*hash, NULL),
        };
    }
}

fn mix(hash: u64, value: u64) -> u64 {
    let product = u128::from(hash ^ value).wrapping_mul(MULTIPLIER);
    (product >> 64) as u64 ^ product as u64 ^ hash.rotate_left(29)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BooleanArray, Int64Array, StringArray};

    use super::*;

    #[test]
    fn rows_have_the_same_hash_only_if_every_value_is_the_same() {
        let rows: Vec<(Option<i64>, Option<&str>, Option<bool>)> = vec![
            (Some(1), Some("a"), Some(true)),
            (Some(1), Some("a"), Some(false)),
            (Some(1), Some("a"), None),
            (Some(1), Some(""), None),
            (Some(1), None, None),
            (None, None, None),
            (Some(0), None, None),
            (Some(2), Some("a"), Some(true)),
        ];
        let columns = |rows: &[(Option<i64>, Option<&str>, Option<bool>)]| -> Vec<ArrayRef> {
            vec![
                Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
                Arc::new(rows.iter().map(|row| row.1).collect::<StringArray>()),
                Arc::new(rows.iter().map(|row| row.2).collect::<BooleanArray>()),
            ]
        };
        let hasher = Hasher::new();
        let (mut hashes, mut again) = (Vec::new(), Vec::new());
        hasher.rows(&columns(&rows), &mut hashes);
        hasher.rows(&columns(&rows[3..4]), &mut again);
        assert_eq!(again, [hashes[3]]);
        let distinct: std::collections::BTreeSet<u64> = hashes.iter().copied().collect();
        assert_eq!(distinct.len(), rows.len());
    }

    #[test]
    fn each_bit_of_a_hash_is_set_in_about_half_of_the_rows() {
        const ROWS: usize = 8192;
        let rows: [ArrayRef; 1] = [Arc::new((0..ROWS as i64).collect::<Int64Array>())];
        let mut hashes = Vec::new();
        Hasher::new().rows(&rows, &mut hashes);
        for bit in 0..64 {
            let set = hashes.iter().filter(|hash| (*hash >> bit) & 1 == 1).count();
            assert!((ROWS * 2 / 5..ROWS * 3 / 5).contains(&set), "bit {bit} is set in {set} rows");
        }
    }
}
