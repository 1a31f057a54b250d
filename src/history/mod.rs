//! The load that there was of a group, from what was recorded of it.
//!
//! ```text
//! the state's records --------+
//!                             +-> Records -> Records::load() -> Load -> `simulate`, a plan's backtest
//! a provider's own metrics ---+
//! ```
//!
//! The loop keeps samples of the metrics and what the group had; a provider keeps its metrics for days or months. A metric
//! of the group's arrivals is the load; a mean over the instances is the load once it is multiplied by the instances that
//! served. Only [`Records::of_state`] and [`read()`] read anything; nothing here simulates or decides.

mod load;
mod read;
mod served;
mod teller;
#[cfg(test)]
mod tests;
mod unit;

use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::units::format_duration;
use tideform_policies::model::{Group, GroupAddress, Metric, Name, Sample};
use tideform_state::{CapacityRun, State, StateError};

pub use read::{Asked, read};
pub use teller::{Tells, teller};
pub use unit::{Unit, is_free_of_throughput};

use crate::simulate::trace::Trace;

/// How far back is looked, where nobody says more: as long as the state keeps samples as they were read.
pub const HISTORY: Duration = Duration::from_secs(14 * 86_400);

/// Where no sample is for so long at most, the load before stands in for it. A longer silence ends a history.
pub const LONGEST_HELD: Duration = Duration::from_secs(3_600);

/// A shorter history is none.
pub const SHORTEST: Duration = Duration::from_secs(3_600);

/// A history of the state that is so long is enough: the provider is not asked for a longer one.
pub const ENOUGH: Duration = Duration::from_secs(86_400);

/// From this utilization on a load that follows from it is a lower bound.
pub const SATURATED_PERCENT: f64 = 95.0;

/// A load, and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// The load.
    pub trace: Trace,
    /// Where it comes from, for people: a metric, a file.
    pub source: String,
    /// Steps in which the load before stands in for a missing sample.
    pub held: usize,
    /// It is counted in units at full use, since nobody says what one carries.
    pub is_in_units: bool,
    /// What else a reader should know of it.
    pub notes: Vec<String>,
}

impl Load {
    /// A trace that somebody gives.
    pub fn given(trace: Trace, source: impl Into<String>) -> Load {
        Load {
            trace,
            source: source.into(),
            held: 0,
            is_in_units: false,
            notes: Vec::new(),
        }
    }
}

/// Why there is no history: a lowercase fragment.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoHistory {
    /// There is no state, or it knows nothing of the group.
    #[error("nothing is recorded of this group yet")]
    Nothing,
    /// The provider has no sample of it.
    #[error("{source_name} has nothing of `{metric}`")]
    NothingThere {
        /// Whose metrics: `CloudWatch`.
        source_name: String,
        /// Of which metric.
        metric: Name,
    },
    /// The provider has the metric, and nobody knows how many instances it was the mean of.
    #[error("{source_name} has `{metric}` and not how many instances it is the mean of; {help}")]
    NoCapacity {
        /// Whose metrics.
        source_name: String,
        /// Of which metric.
        metric: Name,
        /// What to do.
        help: String,
    },
    /// The provider was asked, and did not answer.
    #[error("it could not be read from {source_name}: {why}")]
    Unread {
        /// Whose metrics.
        source_name: String,
        /// What it said.
        why: String,
    },
    /// The metric's source keeps nothing that could be asked for.
    #[error("{0} keeps no history of its metrics")]
    NotKept(String),
    /// No metric tells the load.
    #[error("no metric of the policy tells its load; add one such as `metric \"requests\" {{}}`")]
    NoMetric,
    /// Not enough of it.
    #[error(
        "only {} of {of} without a longer gap is recorded, and it takes {}",
        format_duration(*found),
        format_duration(SHORTEST)
    )]
    TooShort {
        /// Of what.
        of: String,
        /// The longest stretch.
        found: Duration,
    },
    /// Too many groups of one plan have none in the state.
    #[error(
        "more than {0} groups of this plan have none of their own: `--history provider` asks their providers all the same"
    )]
    NotAsked(usize),
    /// Neither here nor there.
    #[error("{0}; {1}")]
    Neither(Box<NoHistory>, Box<NoHistory>),
}

impl NoHistory {
    /// Both, said once where they are the same.
    #[must_use]
    pub fn and(self, other: NoHistory) -> NoHistory {
        if self == other {
            self
        } else {
            NoHistory::Neither(Box::new(self), Box::new(other))
        }
    }
}

/// The better of two histories, where the provider was asked because the state's is short or none: the longer one. What
/// came of the provider is said where the shorter one is all there is.
///
/// # Errors
/// Both are none: why.
pub fn better(
    state: Result<Load, NoHistory>,
    provider: Result<Load, NoHistory>,
) -> Result<Load, NoHistory> {
    match (state, provider) {
        (Ok(state), Ok(provider)) if provider.trace.length() > state.trace.length() => Ok(provider),
        (Ok(state), Ok(_)) => Ok(state),
        (Ok(mut state), Err(why)) => {
            state.notes.push(format!("no longer history: {why}"));
            Ok(state)
        }
        (Err(_), Ok(provider)) => Ok(provider),
        (Err(state), Err(provider)) => Err(state.and(provider)),
    }
}

/// One sample, as the load is told from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recorded {
    /// The end of what it is about.
    pub at: Timestamp,
    /// How long that was, where it is more than a period: a roll-up.
    pub rolled_up: Option<Duration>,
    /// The value.
    pub value: f64,
}

/// How it is known how many there were.
#[derive(Clone, Debug, PartialEq)]
pub enum Counted {
    /// As the loop saw the group.
    Runs(Vec<CapacityRun>),
    /// As a provider measured what was in service: means of so long.
    Samples(Vec<Sample>, Duration),
}

impl Counted {
    fn is_empty(&self) -> bool {
        match self {
            Counted::Runs(runs) => runs.is_empty(),
            Counted::Samples(samples, _) => samples.is_empty(),
        }
    }
}

/// What was recorded of a group that tells its load.
#[derive(Clone, Debug, PartialEq)]
pub struct Records {
    /// The metric, with the period that the samples have.
    pub metric: Metric,
    /// How it tells the load.
    pub tells: Tells,
    /// Its samples, oldest first.
    pub samples: Vec<Recorded>,
    /// What the group had; empty where the metric is the load.
    pub counted: Counted,
    /// Where it comes from, for people.
    pub source: String,
}

impl Records {
    /// What the loop has recorded of a group in a time: of the metric that tells its load ([`teller`]), and what it had.
    ///
    /// - `group`: says what its metrics mean.
    ///
    /// # Errors
    /// Only where the state cannot be read.
    pub fn of_state(
        state: &State,
        address: &GroupAddress,
        group: &Group,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Result<Records, NoHistory>, StateError> {
        let Some((metric, tells)) = teller(group) else {
            return Ok(Err(NoHistory::NoMetric));
        };
        let samples = state.metric_samples(address, &metric.name, from, to)?;
        let recorded = samples.iter().map(|sample| Recorded {
            at: sample.at,
            rolled_up: sample.rolled_up,
            value: sample.value,
        });
        let samples: Vec<Recorded> = recorded.collect();
        let runs = if tells.needs_capacity() && !samples.is_empty() {
            state.capacity_runs(address, from, to)?
        } else {
            Vec::new()
        };
        if samples.is_empty() || (tells.needs_capacity() && runs.is_empty()) {
            return Ok(Err(NoHistory::Nothing));
        }
        Ok(Ok(Records {
            source: format!("`{}`", metric.name),
            metric: metric.clone(),
            tells,
            samples,
            counted: Counted::Runs(runs),
        }))
    }

    /// Only what was recorded in the last of it.
    #[must_use]
    pub fn newest(mut self, length: Duration) -> Records {
        if let Some(last) = self.samples.last() {
            let from = crate::observe::before(last.at, length);
            self.samples.retain(|sample| sample.at > from);
        }
        self
    }
}
