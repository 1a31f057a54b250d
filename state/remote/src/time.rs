//! The machine's time, as the protocol needs it: a date to tell others, and a duration that no clock change moves.

use std::time::{Duration, Instant};

use jiff::Timestamp;

/// The time of a run.
pub trait Time: Send + Sync + std::fmt::Debug {
    /// The machine's clock.
    fn wall(&self) -> Timestamp;
    /// Since the process began, or some other fixed moment.
    fn elapsed(&self) -> Duration;
}

/// The system's clocks.
#[derive(Debug)]
pub struct SystemTime(Instant);

impl Default for SystemTime {
    fn default() -> SystemTime {
        SystemTime(Instant::now())
    }
}

impl Time for SystemTime {
    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
