//! The scaling loop: observe, decide, record the intent, act, record the outcome.
//!
//! It runs what was last applied, from the state, never the files.

mod listen;
mod metrics;
mod progress;
mod settle;

pub use listen::{Shared, bind, serve};
pub use metrics::{CONTENT_TYPE, GroupMetrics, LoopMetrics};
pub use progress::{Alerts, Condition, Progress, back_off, describe_back_off};
pub use settle::{Act, LONGEST_CALL, OpenIntent, Outcome, Settled, settle};
