//! What came of a run, as numbers.

use serde::Serialize;

/// How well capacity followed demand, as SPEC's research group measures it.
///
/// Sources: N. Herbst et al., "Ready for Rain? A View from SPEC Research on the Future of Cloud Metrics" (2016), and
/// A. Bauer et al., "Chameleon: A Hybrid, Proactive Auto-Scaling Mechanism on a Level-Playing Field" (2019).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Elasticity {
    /// θU: what was missing, as a share of the demand, mean over time.
    pub under_accuracy_percent: f64,
    /// θO: what was too much, as a share of the demand, mean over time.
    pub over_accuracy_percent: f64,
    /// τU: the share of time in which anything was missing.
    pub under_timeshare_percent: f64,
    /// τO: the share of time in which anything was too much.
    pub over_timeshare_percent: f64,
    /// υ: the share of steps in which demand and capacity moved differently.
    pub instability_percent: f64,
    /// How many more times capacity changed than demand did, an hour; below 0, fewer.
    pub jitter_per_hour: f64,
}

/// Changes of the capacity asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Moves {
    /// For more.
    pub out: u64,
    /// For less.
    pub r#in: u64,
    /// In the other direction than the one before, within 15 minutes of it.
    pub reversals: u64,
}

/// What came of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measures {
    /// How long it was.
    pub duration_s: f64,
    /// In so many steps of the world.
    pub steps: u64,
    /// Each so long.
    pub step_s: f64,
    /// What the instances cost: per second, a minute at least, from launch to the end of the drain.
    pub cost_usd: f64,
    /// Instance-hours on demand that are paid for.
    pub on_demand_hours: f64,
    /// Instance-hours on spot that are paid for.
    pub spot_hours: f64,
    /// Units that were missing, over time.
    pub missing_unit_hours: f64,
    /// Units in service beyond the demand, over time.
    pub surplus_unit_hours: f64,
    /// All that arrived.
    pub load_total: f64,
    /// What of it was dropped.
    pub unserved_total: f64,
    /// Jobs that waited, mean over time.
    pub mean_backlog: f64,
    /// Most jobs that waited at the end of a step.
    pub peak_backlog: f64,
    /// Minutes in which utilization was above the SLO's.
    pub short_minutes: f64,
    /// The share of the other minutes.
    pub slo_attainment_percent: f64,
    /// How well capacity followed demand.
    pub elasticity: Elasticity,
    /// By how much better than a fleet that does not scale, fixed at the mean demand; `None` where a measure is 0, so
    /// that it is not defined.
    pub elastic_speedup: Option<f64>,
    /// Changes of the capacity asked for.
    pub moves: Moves,
    /// Units in service, mean over time.
    pub mean_capacity: f64,
    /// Most units in service.
    pub peak_capacity: u32,
    /// Units needed, mean over time.
    pub mean_demand: f64,
    /// Most units needed.
    pub peak_demand: u32,
    /// What a fleet fixed at the peak demand would have cost, split into on demand and spot as the group is.
    pub fixed_fleet_usd: f64,
    /// Instances that were launched after the start.
    pub launches: u64,
    /// Launches that failed.
    pub failed_launches: u64,
    /// Instances that were taken back.
    pub interruptions: u64,
    /// Instances that broke.
    pub breakdowns: u64,
}

impl Measures {
    /// Days that it was long.
    pub fn days(&self) -> f64 {
        self.duration_s / 86_400.0
    }

    /// Changes a day of the capacity asked for.
    pub fn moves_per_day(&self) -> f64 {
        (self.moves.out + self.moves.r#in) as f64 / self.days().max(f64::MIN_POSITIVE)
    }

    /// The share of the load that was dropped.
    pub fn unserved_percent(&self) -> f64 {
        if self.load_total > 0.0 {
            100.0 * self.unserved_total / self.load_total
        } else {
            0.0
        }
    }

    /// The cost as a share of the fleet fixed at peak; `None` where that costs nothing.
    pub fn cost_of_fixed_percent(&self) -> Option<f64> {
        (self.fixed_fleet_usd > 0.0).then(|| 100.0 * self.cost_usd / self.fixed_fleet_usd)
    }

    /// J: the cost, and for each unit-hour that was missing `penalty` times the price of a unit on demand.
    pub fn objective_usd(&self, penalty: f64, unit_usd_per_hour: f64) -> f64 {
        self.cost_usd + penalty * unit_usd_per_hour * self.missing_unit_hours
    }
}

/// ε: the geometric mean of how much smaller each measure became by scaling. `None` where one of them is 0.
pub fn elastic_speedup(unscaled: &Elasticity, scaled: &Elasticity) -> Option<f64> {
    let measures = |e: &Elasticity| {
        [
            e.under_accuracy_percent,
            e.over_accuracy_percent,
            e.under_timeshare_percent,
            e.over_timeshare_percent,
        ]
    };
    let pairs = measures(unscaled).into_iter().zip(measures(scaled));
    let mut product = 1.0;
    for (without, with) in pairs {
        if without <= 0.0 || with <= 0.0 {
            return None;
        }
        product *= without / with;
    }
    Some(product.powf(0.25))
}
