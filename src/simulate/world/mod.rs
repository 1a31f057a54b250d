//! The simulated cloud of one group, in virtual time: the rules of the mock cloud, in cohorts instead of instances.
//!
//! - [`Model`]: what it runs by. [`Fleet`]: the instances. [`Feed`]: how steps become samples of metrics.
//! - [`latency()`]: how long a request takes.
//!
//! Times are milliseconds since the start of the run. All randomness is drawn from the model's seed by the mock cloud's
//! hash, [`tideform_mock::world::random`]: the same seed and input give the same run.

mod feed;
mod fleet;
mod latency;
mod model;
mod served;
#[cfg(test)]
mod tests;

pub use feed::{Feed, Input, WorldMetric};
pub use fleet::{Fleet, Happened, Target};
pub use latency::{latency, latency_quantile};
pub use model::{Boot, Faults, Model, Work};
pub use served::{Queue, Served, Supply};
