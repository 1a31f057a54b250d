//! Time, handed to the shell. The core never reads a clock; it gets `now` as an argument.

use async_trait::async_trait;
use jiff::Timestamp;
use std::time::Duration;

/// What time it is, and how to wait.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now, in this clock's world.
    fn now(&self) -> Timestamp;

    /// Waits until this much of the clock's own time has passed. A stepped clock moves itself ahead instead.
    async fn wait(&self, duration: Duration);

    /// Whether time only passes when told to.
    fn is_stepped(&self) -> bool;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn wait(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn is_stepped(&self) -> bool {
        false
    }
}
