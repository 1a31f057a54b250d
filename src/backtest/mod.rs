//! The backtest of a plan: what is live now and what is planned, on the same recorded load, and the best that anybody
//! could have done with it.
//!
//! ```text
//! what was recorded -> history::Load --+
//! Case (now, planned, prices) ---------+-> play() -> Played -> the plan's views and gates
//! ```
//!
//! Everything here is pure: the same load and policies give the same bytes. It knows no plan, and no records.

mod figures;
mod play;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tideform_policies::model::{Group, GroupAddress, Limits, Mix, Name};

pub use figures::{Figures, LoadFacts, Optimum, Played};
pub use play::play;

use crate::history::{Load, NoHistory};
use crate::simulate::{Prices, ScenarioError};

/// The penalties for which the regret is said, in prices of an instance on demand.
pub const PENALTIES: [f64; 3] = crate::simulate::PENALTIES;

/// The penalty whose optimum and regret are shown to people: the middle one.
pub const SHOWN_PENALTY: usize = 1;

/// What a backtest compares.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The group.
    pub address: GroupAddress,
    /// Where the state has its history: another address, where the plan moves it.
    pub recorded_as: GroupAddress,
    /// What was last applied: it says what was recorded. `None`: nothing was.
    pub was: Option<Group>,
    /// What is live; `None`: nothing that can be simulated, so that what is planned stands alone.
    pub now: Option<Group>,
    /// What `now` has at the start where nothing scales it; `None`: what the first load needs.
    pub now_desired: Option<u32>,
    /// What is planned.
    pub planned: Group,
    /// Its resource is there, so that its provider may have a history of it.
    pub is_there: bool,
    /// The limits that hold where a policy has none.
    pub live_limits: Option<Limits>,
    /// The mix that holds where a policy has none.
    pub live_mix: Option<Mix>,
    /// What an instance costs now; `None`: nobody knows.
    pub prices_now: Option<Prices>,
    /// The same for what is planned.
    pub prices_planned: Option<Prices>,
    /// What of it is not simulated, and what `now` is: sentences without their period.
    pub notes: Vec<String>,
}

/// Why a group has no backtest, and what to add.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoBacktest {
    /// Nothing that was recorded tells a load.
    #[error("{0}; give its load: `--trace FILE`")]
    History(#[from] NoHistory),
    /// Nobody says what an instance carries.
    #[error(
        "nothing says what load one instance carries; set `instance {{ throughput }}` to what it does per second at 100 % utilization"
    )]
    NoThroughput,
    /// A number of the group's that cannot be computed with.
    #[error("the {0} must be above 0 and finite")]
    Number(&'static str),
    /// No metric with a rule follows from load and capacity.
    #[error("{} cannot be told from load and capacity; only metrics that can are simulated", listed(.0))]
    NothingToDecideBy(Vec<Name>),
    /// The optimum cannot be computed. Its numbers were checked before, so this is a bug in tideform.
    #[error("the optimum cannot be computed: {0}")]
    Optimum(#[from] crate::simulate::optimum::ProblemError),
}

impl From<ScenarioError> for NoBacktest {
    fn from(error: ScenarioError) -> NoBacktest {
        match error {
            ScenarioError::NoThroughput => NoBacktest::NoThroughput,
            ScenarioError::Number(what) => NoBacktest::Number(what),
        }
    }
}

fn listed(names: &[Name]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// The backtest of one group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Backtest {
    /// It was played.
    Played(Box<Played>),
    /// There is none.
    Missing {
        /// Why, and what to add.
        why_not: String,
    },
}

impl Backtest {
    /// What came of it, where it was played.
    pub fn played(&self) -> Option<&Played> {
        match self {
            Backtest::Played(played) => Some(played),
            Backtest::Missing { .. } => None,
        }
    }
}

impl From<Result<Played, NoBacktest>> for Backtest {
    fn from(result: Result<Played, NoBacktest>) -> Backtest {
        match result {
            Ok(played) => Backtest::Played(Box::new(played)),
            Err(why) => Backtest::Missing {
                why_not: why.to_string(),
            },
        }
    }
}

/// Plays cases on all cores, as their loads come; the answers do not depend on how many cores there are.
///
/// - `most`: how many cases there are at most.
/// - `read`: finds the loads, and hands each over with its case; others are played meanwhile. It is called here, on this
///   thread: a state is read by one.
///
/// # Errors
/// Those of `read`.
pub fn play_all<'a, E>(
    most: usize,
    read: impl FnOnce(&mut dyn FnMut(&'a Case, Result<Load, NoBacktest>)) -> Result<(), E>,
) -> Result<BTreeMap<GroupAddress, Backtest>, E> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (jobs, queue) = std::sync::mpsc::sync_channel::<(&Case, Load)>(2 * cores);
    let queue = std::sync::Mutex::new(queue);
    let played = std::sync::Mutex::new(BTreeMap::new());
    let keep = |address: &GroupAddress, result: Result<Played, NoBacktest>| {
        let mut played = played
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        played.insert(address.clone(), Backtest::from(result));
    };
    let result = std::thread::scope(|scope| {
        for _ in 0..cores.min(most) {
            scope.spawn(|| {
                loop {
                    let next = queue
                        .lock()
                        .unwrap_or_else(std::sync::PoisonError::into_inner)
                        .recv();
                    let Ok((case, load)) = next else {
                        break;
                    };
                    keep(&case.address, play(case, &load));
                }
            });
        }
        let result = read(&mut |case, load| match load {
            // Nobody receives only where a worker has panicked, and the scope says so.
            Ok(load) => drop(jobs.send((case, load))),
            Err(why) => keep(&case.address, Err(why)),
        });
        drop(jobs);
        result
    });
    result.map(|()| {
        played
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    })
}
