//! Numbers that look random and are the same on every machine and in every run: a list of customers
//! is a function of their indices, so that tests can predict it and no list is ever held in memory.

/// The splitmix64 sequence that belongs to one index.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn of(index: u64) -> Self {
        // Mixed once, since the sequences of neighbours would otherwise be the same one, shifted.
        Self(mix(index ^ 0x5EED_F10A_E25A_1E50))
    }

    /// The next number, from 0 up to `limit`, which it never reaches.
    pub(super) fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        (((mix(self.0) >> 32) * u64::from(limit)) >> 32) as u32
    }

    /// True in this many of a hundred cases.
    pub(super) fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u32) as usize]
    }
}

fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}
