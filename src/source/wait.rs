//! Waiting that ends where the user asks the run to end.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::interrupt::Interrupt;

/// How often a wait looks whether the user asked the run to end.
const INTERRUPT_POLL: Duration = Duration::from_millis(50);

/// The next message of a channel; `None` if there will be none.
///
/// # Errors
/// `System`: the user asks the run to end.
pub(super) fn next<T>(messages: &Receiver<T>, interrupt: &Interrupt) -> Result<Option<T>> {
    loop {
        match messages.recv_timeout(INTERRUPT_POLL) {
            Ok(message) => {
                interrupt.check()?;
                return Ok(Some(message));
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => interrupt.check()?,
        }
    }
}

/// Waits for so long.
///
/// # Errors
/// As [`next`].
pub(super) fn pause(pause: Duration, interrupt: &Interrupt) -> Result<()> {
    let end = Instant::now() + pause;
    loop {
        interrupt.check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(INTERRUPT_POLL));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn a_wait_ends_with_a_message_the_channel_or_the_users_wish() {
        let (interrupt, (sender, messages)) = (Interrupt::default(), sync_channel(1));
        sender.send(7).unwrap();
        assert_eq!(next(&messages, &interrupt).unwrap(), Some(7));
        interrupt.hold().unwrap();
        interrupt.ask();
        assert!(next(&messages, &interrupt).is_err());
        assert!(pause(Duration::from_secs(60), &interrupt).is_err());
        drop(sender);
        assert_eq!(next(&messages, &Interrupt::default()).unwrap(), None);
        assert!(pause(Duration::ZERO, &Interrupt::default()).is_ok());
    }
}
