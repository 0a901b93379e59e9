//! Pauses between the tries of what failed for a passing reason.

use std::time::Duration;

/// Pauses that double from the first to the longest, each up to a quarter shorter or longer.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    /// The pauses begin with `first`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { next: first, longest }
    }

    /// The next pause. `random` is from 0 to 1.
    pub fn pause(&mut self, random: f64) -> Duration {
        let pause = self.next.mul_f64(0.75 + random / 2.0);
        self.next = self.next.saturating_mul(2).min(self.longest);
        pause
    }
}
