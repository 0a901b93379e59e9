//! Rows on their way to somebody who takes them as they arrive, before the reply is proved.

use arrow_array::RecordBatch;

use crate::model::Timestamp;

/// Takes rows as they arrive. What it makes of them must be invisible until the reply is proved, and must be gone if it is not.
pub trait Early {
    /// A reply begins whose request was sent then, or its list begins once more: whatever was taken before is void.
    fn begin(&mut self, extracted_at: Timestamp);

    /// Takes the next rows. False if it does not, and will not take the rest of the reply either. It must not wait for long:
    /// so long the connection of the API is held.
    fn take(&mut self, rows: &RecordBatch) -> bool;

    /// The reply is not proved: whatever was taken is void.
    fn lose(&mut self);
}

/// Nobody takes rows before their time.
impl Early for () {
    fn begin(&mut self, _: Timestamp) {}

    fn take(&mut self, _: &RecordBatch) -> bool {
        false
    }

    fn lose(&mut self) {}
}

/// How many of the first rows were taken as they arrived.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Taken {
    pub(crate) batches: usize,
    pub(crate) rows: u64,
}

/// Offers the rows of one list, until they are not taken any more.
pub(crate) struct Offer<'a> {
    early: &'a mut dyn Early,
    extracted_at: Timestamp,
    is_open: bool,
    pub(crate) taken: Taken,
}

impl<'a> Offer<'a> {
    pub(crate) fn new(early: &'a mut dyn Early, extracted_at: Timestamp) -> Self {
        Self { early, extracted_at, is_open: false, taken: Taken::default() }
    }

    /// A list begins.
    pub(crate) fn begin(&mut self) {
        self.early.begin(self.extracted_at);
        self.is_open = true;
        self.taken = Taken::default();
    }

    /// Offers the next rows.
    pub(crate) fn rows(&mut self, rows: &RecordBatch) {
        self.is_open = self.is_open && self.early.take(rows);
        if self.is_open {
            self.taken.batches += 1;
            self.taken.rows += rows.num_rows() as u64;
        }
    }
}
