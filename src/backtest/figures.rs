//! What a backtest says, as numbers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cost::HOURS_PER_MONTH;
use crate::simulate::Measures;

/// The load that was replayed, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadFacts {
    /// Where it comes from, for people.
    pub source: String,
    /// When it begins.
    pub start: Timestamp,
    /// When it ends.
    pub end: Timestamp,
    /// The length of a step.
    pub step_s: u64,
    /// How many.
    pub steps: usize,
    /// Steps in which the value before stands in for a missing one.
    pub held: usize,
    /// Steps whose load is a lower bound.
    pub lower_bounds: usize,
}

/// What came of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Instance-hours that are paid for.
    pub instance_hours: f64,
    /// What a month of that load costs, in US dollars; `None`: no price is known.
    pub cost_usd_per_month: Option<f64>,
    /// The share of minutes within the SLO.
    pub slo_percent: f64,
    /// Minutes above it.
    pub short_minutes: f64,
    /// Changes of the capacity asked for, a day.
    pub actions_per_day: f64,
    /// Of all changes those that took back the one before, within 15 minutes of it.
    pub flapping: u64,
    /// Unit-hours that were missing.
    pub missing_unit_hours: f64,
    /// Units in service, mean over time.
    pub mean_capacity: f64,
    /// Most units in service.
    pub peak_capacity: u32,
    /// J over J* of the optimum at each of the penalties; `None` where the optimum costs nothing.
    pub regret: [Option<f64>; 3],
}

/// What the best that anybody could have done costs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Optimum {
    /// What a missing unit counts as, in prices of one on demand.
    pub penalty: f64,
    /// Instance-hours that it pays for.
    pub instance_hours: f64,
    /// What a month of that load costs it, in US dollars; `None`: no price is known.
    pub cost_usd_per_month: Option<f64>,
    /// The share of the time within the SLO.
    pub slo_percent: f64,
    /// Minutes above it.
    pub short_minutes: f64,
    /// Unit-hours that it leaves missing.
    pub missing_unit_hours: f64,
    /// How it was found, and whether it is the optimum or a lower bound.
    pub method: String,
}

/// What came of a backtest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Played {
    /// The load.
    pub load: LoadFacts,
    /// What was last applied; `None`: nothing was.
    pub now: Option<Figures>,
    /// What is planned.
    pub planned: Figures,
    /// At each of the penalties.
    pub optimum: [Optimum; 3],
    /// What a reader should know.
    pub notes: Vec<String>,
}

impl Played {
    /// Whether the plan makes no difference on this load.
    pub fn is_same(&self) -> bool {
        self.now.as_ref() == Some(&self.planned)
    }
}

/// Dollars of so many hours, as dollars of a month.
pub(super) fn a_month(usd: f64, hours: f64) -> f64 {
    rounded(usd / hours.max(f64::MIN_POSITIVE) * HOURS_PER_MONTH)
}

/// Without the noise of sums of floats: to millionths.
pub(super) fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

impl Figures {
    /// From what was measured.
    ///
    /// - `has_price`: its dollars are dollars.
    /// - `regret`: at each of the penalties.
    pub(super) fn of(measures: &Measures, has_price: bool, regret: [Option<f64>; 3]) -> Figures {
        let hours = measures.duration_s / 3_600.0;
        Figures {
            instance_hours: rounded(measures.on_demand_hours + measures.spot_hours),
            cost_usd_per_month: has_price.then(|| a_month(measures.cost_usd, hours)),
            slo_percent: rounded(measures.slo_attainment_percent),
            short_minutes: rounded(measures.short_minutes),
            actions_per_day: rounded(measures.moves_per_day()),
            flapping: measures.moves.reversals,
            missing_unit_hours: rounded(measures.missing_unit_hours),
            mean_capacity: rounded(measures.mean_capacity),
            peak_capacity: measures.peak_capacity,
            regret: regret.map(|regret| regret.map(rounded)),
        }
    }
}
