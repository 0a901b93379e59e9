//! Whether the user asked the run to end before its time: Ctrl-C, or SIGTERM from a scheduler.
//!
//! Most of a run may be ended at any instant, since nothing of it lasts. Where something would be left
//! behind, the run is [held](Interrupt::hold): it then learns of the wish, tidies up and ends by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Error, Result};

/// The wish to end, shared by whoever hears it and whoever has to tidy up.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    flags: Arc<Flags>,
    /// Whether somebody else holds the run from its beginning to its end.
    is_part: bool,
}

#[derive(Debug, Default)]
struct Flags {
    is_asked: AtomicBool,
    is_held: AtomicBool,
}

impl Interrupt {
    /// Takes the wish. True if the process may simply end: nothing would be left behind, or it is asked
    /// for the second time.
    pub fn ask(&self) -> bool {
        let before = self.flags.is_asked.swap(true, Ordering::SeqCst);
        before || !self.flags.is_held.load(Ordering::SeqCst)
    }

    /// The same wish for a part of a run that is held as a whole: holding and releasing the part change nothing.
    pub fn for_part(&self) -> Self {
        Self { flags: self.flags.clone(), is_part: true }
    }

    /// From now on something would be left behind.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn hold(&self) -> Result<()> {
        if !self.is_part {
            self.flags.is_held.store(true, Ordering::SeqCst);
        }
        self.check()
    }

    /// Nothing would be left behind any more, or not yet.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub fn release(&self) -> Result<()> {
        if !self.is_part {
            self.flags.is_held.store(false, Ordering::SeqCst);
        }
        self.check()
    }

    /// True if the user asked the run to end.
    pub fn is_asked(&self) -> bool {
        self.flags.is_asked.load(Ordering::SeqCst)
    }

    /// Goes on unless the user asked the run to end.
    ///
    /// # Errors
    /// `System`: the user did.
    pub fn check(&self) -> Result<()> {
        if self.is_asked() { Err(Self::error()) } else { Ok(()) }
    }

    /// What is said of a run that was ended.
    pub fn error() -> Error {
        Error::system(
            "Interrupted. Nothing from this run was kept, and existing data is unchanged.",
        )
    }

    /// Whether a run ended with this error because the user asked for it.
    pub fn caused(&self, error: &Error) -> bool {
        self.is_asked() && error.to_string() == Self::error().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_holds_nothing_may_end_at_once() {
        let interrupt = Interrupt::default();
        assert!(!interrupt.is_asked());
        assert!(interrupt.ask());
        assert!(interrupt.hold().is_err());
    }

    #[test]
    fn a_held_run_ends_by_itself_unless_asked_twice() {
        let interrupt = Interrupt::default();
        interrupt.hold().unwrap();
        assert!(!interrupt.clone().ask());
        assert!(interrupt.check().is_err());
        assert!(interrupt.ask());
    }

    #[test]
    fn a_part_of_a_held_run_releases_nothing() {
        let interrupt = Interrupt::default();
        interrupt.hold().unwrap();
        let part = interrupt.for_part();
        part.hold().unwrap();
        part.release().unwrap();
        assert!(!interrupt.ask());
        assert!(part.is_asked() && part.check().is_err());
    }
}
