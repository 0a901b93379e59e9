//! How far apart companies begin.
//!
//! Companies that begin at the same moment are answered at the same moment, share the cores, end together, and so the next ones begin
//! together as well: the cores then idle while all wait for their answers. Half of the mean distance is enough to part them.

use std::time::{Duration, Instant};

/// The greatest distance that is asked for.
const MOST: Duration = Duration::from_millis(25);

/// The share that the newest distance has in the mean: so those of the last minutes do not slow what is quick now.
const SHARE: u32 = 16;

/// When companies began.
#[derive(Debug, Default)]
pub(super) struct Spacing {
    last: Option<Instant>,
    /// The mean distance between one begin and the next.
    mean: Duration,
}

impl Spacing {
    /// For how long the next company waits before it begins; `None` if it may begin now.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        let begins = self.last? + (self.mean / 2).min(MOST);
        begins.checked_duration_since(now).filter(|wait| !wait.is_zero())
    }

    /// A company begins now.
    pub(super) fn begin(&mut self, now: Instant) {
        if let Some(last) = self.last.replace(now) {
            self.mean = (self.mean * (SHARE - 1) + now.saturating_duration_since(last)) / SHARE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Rounds of companies that all end at the same moment; the distances between the begins of the last round.
    fn last_distances(round: Duration, jobs: usize, rounds: usize) -> Vec<Duration> {
        let (mut spacing, mut distances) = (Spacing::default(), Vec::new());
        let mut now = Instant::now();
        for _ in 0..rounds {
            distances.clear();
            let began = now;
            for _ in 0..jobs {
                let wait = spacing.wait(now).unwrap_or_default();
                distances.push(wait);
                now += wait;
                spacing.begin(now);
            }
            now = now.max(began + round);
        }
        distances.split_off(1)
    }

    #[test]
    fn the_first_companies_begin_at_once() {
        assert!(last_distances(230 * MS, 8, 1).iter().all(Duration::is_zero));
    }

    #[test]
    fn those_that_end_together_begin_apart() {
        let distances = last_distances(230 * MS, 8, 10);
        assert!(distances.iter().all(|distance| *distance > 9 * MS), "{distances:?}");
        assert!(distances.iter().sum::<Duration>() < 150 * MS, "{distances:?}");
    }

    #[test]
    fn the_distance_is_never_long() {
        assert!(last_distances(60_000 * MS, 4, 10).iter().all(|distance| *distance <= MOST));
    }

    #[test]
    fn what_is_quick_after_what_was_slow_is_not_slowed_for_long() {
        let (mut spacing, mut now) = (Spacing::default(), Instant::now());
        for _ in 0..5 {
            spacing.begin(now);
            now += 60_000 * MS;
        }
        let slow = now;
        for _ in 0..400 {
            now += spacing.wait(now).unwrap_or_default();
            spacing.begin(now);
        }
        // Each as far from the one before as is allowed: 25 ms at first.
        assert!(now - slow < 7_000 * MS, "{:?}", now - slow);
    }
}
