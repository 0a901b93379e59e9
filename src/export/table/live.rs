//! A file that readers of a version read, and which of its rows they see.

use std::sync::Arc;

use object_store::path::Path;

use crate::export::mask::Mask;

/// A file of a version.
#[derive(Clone)]
pub(in crate::export) struct Live {
    pub(in crate::export) path: Path,
    pub(in crate::export) bytes: u64,
    /// Its rows less those marked as deleted; `None` if the log does not say.
    pub(in crate::export) rows: Option<u64>,
    /// The smallest and the greatest key, if the log says.
    pub(in crate::export) keys: Option<(i64, i64)>,
    /// For each row whether it is still there; rows behind the last are.
    pub(in crate::export) still_there: Option<Vec<bool>>,
    /// What its rows are read as.
    pub(super) mask: Option<Arc<Mask>>,
    /// Whose rows it holds, in a table of many companies.
    pub(super) company: Option<String>,
    /// Its index in what the kernel gave.
    pub(super) place: (usize, usize),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_behind_the_last_mark_are_there() {
        let mut file = Live {
            path: Path::from("part.parquet"),
            bytes: 0,
            rows: None,
            keys: None,
            still_there: None,
            mask: None,
            company: None,
            place: (0, 0),
        };
        assert!(file.deleted() == 0 && file.is_there(0));
        file.still_there = Some(vec![true, false, true, false, false]);
        assert_eq!(file.deleted(), 3);
        let there: Vec<usize> = (0..7).filter(|row| file.is_there(*row)).collect();
        assert_eq!(there, [0, 2, 5, 6]);
    }
}
