//! When to send a request again, and when to give up.

use std::time::Duration;

use chrono::Utc;

use super::failure::Failure;
use crate::backoff::Backoff;
use crate::error::Error;

/// The first pause, before jitter.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause, before jitter.
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// The tries of one request inside one window of time, which runs from the first try.
#[derive(Debug)]
pub(crate) struct Retry {
    window: Duration,
    tries: u32,
    backoff: Backoff,
}

/// What to do after a failure.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// Try again after a pause.
    Wait(Duration),
    /// It would be the same again.
    Never,
    /// The window is spent.
    Spent,
    /// The server asked for a longer pause than the window has left.
    TooLong(Duration),
}

impl Retry {
    /// No try yet.
    pub(crate) fn new(window: Duration) -> Self {
        Self { window, tries: 0, backoff: Backoff::new(FIRST_PAUSE, MAX_PAUSE) }
    }

    /// What to do after the next failure, so long after the first try began. `random` is from 0 to 1.
    pub(crate) fn next(&mut self, failure: &Failure, elapsed: Duration, random: f64) -> Next {
        self.tries += 1;
        if !failure.is_transient() {
            return Next::Never;
        }
        let left = self.window.saturating_sub(elapsed);
        let asked = failure.retry_after.unwrap_or_default();
        if asked > left {
            return Next::TooLong(asked);
        }
        // A server that asks for no pause is not asked again without one.
        let pause = self.backoff.pause(random).max(asked);
        if pause > left { Next::Spent } else { Next::Wait(pause) }
    }

    /// How many tries have failed.
    pub(crate) fn tries(&self) -> u32 {
        self.tries
    }
}

/// What there is to do about a failure that passes, where nothing better is known.
pub(super) const AGAIN: &str = " Run again later.";

/// The last failure, once the retry window is spent.
pub(super) fn spent(error: Error, tries: u32, window: Duration) -> Error {
    if tries == 1 {
        return error;
    }
    Error::new(error.kind(), format!("{error} (Sent {tries} times in {} s.)", window.as_secs()))
}

/// A failure after which the API asks to come back later than the retry window allows.
pub(super) fn too_long(error: &Error, asked: Duration, window: Duration) -> Error {
    let seconds = i64::try_from(asked.as_secs()).unwrap_or(i64::MAX);
    let then = chrono::TimeDelta::try_seconds(seconds)
        .and_then(|pause| Utc::now().checked_add_signed(pause))
        .map_or_else(
            || format!("in {seconds} s"),
            |then| format!("at {}", then.format("%Y-%m-%dT%H:%M:%SZ")),
        );
    let what = error.to_string();
    Error::new(
        error.kind(),
        format!(
            "{} Run again {then} (retry window: {} s).",
            what.strip_suffix(AGAIN).unwrap_or(&what),
            window.as_secs()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    fn failure(retry_after: Option<u64>) -> Failure {
        Failure {
            error: Error::transient("busy"),
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    fn seconds(next: Next) -> f64 {
        let Next::Wait(pause) = next else { panic!("{next:?}") };
        pause.as_secs_f64()
    }

    #[test]
    fn pauses_double_from_half_a_second_to_half_a_minute() {
        let mut retry = Retry::new(Duration::from_secs(600));
        let pauses: Vec<f64> =
            (0..8).map(|_| seconds(retry.next(&failure(None), Duration::ZERO, 0.5))).collect();
        assert_eq!(pauses, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]);
        assert_eq!(retry.tries(), 8);
    }

    #[test]
    fn jitter_takes_or_adds_a_quarter() {
        let window = Duration::from_secs(600);
        let least = seconds(Retry::new(window).next(&failure(None), Duration::ZERO, 0.0));
        let most = seconds(Retry::new(window).next(&failure(None), Duration::ZERO, 1.0));
        assert_eq!((least, most), (0.375, 0.625));
    }

    #[test]
    fn no_try_starts_after_the_window() {
        let mut retry = Retry::new(Duration::from_secs(10));
        let late = Duration::from_millis(9_800);
        assert_eq!(retry.next(&failure(None), late, 0.5), Next::Spent);
        assert_eq!(
            Retry::new(Duration::ZERO).next(&failure(None), Duration::ZERO, 0.0),
            Next::Spent
        );
    }

    #[test]
    fn the_server_may_ask_for_a_pause_inside_the_window_only() {
        let mut retry = Retry::new(Duration::from_secs(10));
        assert_eq!(seconds(retry.next(&failure(Some(7)), Duration::from_secs(3), 0.5)), 7.0);
        let asked = retry.next(&failure(Some(8)), Duration::from_secs(3), 0.5);
        assert_eq!(asked, Next::TooLong(Duration::from_secs(8)));
        let absurd = retry.next(&failure(Some(u64::MAX)), Duration::ZERO, 0.5);
        assert_eq!(absurd, Next::TooLong(Duration::from_secs(u64::MAX)));
    }

    #[test]
    fn what_would_be_the_same_again_is_not_tried_again() {
        let mut retry = Retry::new(Duration::from_secs(10));
        let refused = Error::auth("no").into();
        assert_eq!(retry.next(&refused, Duration::ZERO, 0.5), Next::Never);
    }
}
