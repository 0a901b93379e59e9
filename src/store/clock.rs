//! Time, as the tries of a store see it: handed in, so that a test plays hours in a moment.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use async_trait::async_trait;

/// A clock that pauses can be waited for by.
#[async_trait]
pub trait Clock: Debug + Send + Sync {
    /// The time since some moment before the first call.
    fn now(&self) -> Duration;

    /// Waits.
    async fn sleep(&self, pause: Duration);
}

/// The clock of this machine.
#[derive(Debug)]
pub(super) struct Machine(pub(super) Instant);

#[async_trait]
impl Clock for Machine {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep(&self, pause: Duration) {
        tokio::time::sleep(pause).await;
    }
}
