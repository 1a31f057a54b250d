//! A scenario played through, with the optimum beside it: what `simulate` prints and what plans compare. Pure.

use serde::Serialize;

use super::measure::Measures;
use super::optimum::{Demand, Path, Problem, ProblemError, Run as Stretch, Solution, solve};
use super::run::{Run, Watch};
use super::scenario::Scenario;
use super::trace::Trace;

/// What a missing unit counts as, in prices of one on demand.
pub const PENALTIES: [f64; 3] = [3.0, 10.0, 30.0];

/// The version of [`Report`] as JSON.
const REPORT_FORMAT_VERSION: u32 = 1;

/// A policy against the clairvoyant optimum, at one penalty.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Regret {
    /// What a missing unit counts as, in prices of one on demand.
    pub penalty: f64,
    /// J of the policy: its cost, and the penalty for what was missing.
    pub policy_usd: f64,
    /// J* of the optimum.
    pub optimum_usd: f64,
    /// J / J*; `None` where the optimum costs nothing.
    pub regret: Option<f64>,
    /// What the optimum pays for instances.
    pub optimum_cost_usd: f64,
    /// What it leaves missing.
    pub optimum_missing_unit_hours: f64,
    /// How it was found, and whether it is the optimum or a lower bound.
    pub method: String,
}

/// A scenario played through.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Of this structure.
    pub format_version: u32,
    /// The group.
    pub group: String,
    /// The load.
    pub trace: TraceFacts,
    /// The world.
    pub world: WorldFacts,
    /// What came of it.
    pub measures: Measures,
    /// The share of minutes that the SLO asks for, in percent.
    pub slo_objective_percent: f64,
    /// Above this utilization users feel it.
    pub slo_utilization_percent: f64,
    /// Against the optimum.
    pub regret: Vec<Regret>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// The load, in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceFacts {
    /// When it begins.
    pub start: jiff::Timestamp,
    /// When it ends.
    pub end: jiff::Timestamp,
    /// The length of a step.
    pub step_s: u64,
    /// How many.
    pub steps: usize,
    /// Steps whose load is a lower bound.
    pub lower_bounds: usize,
    /// Steps that were filled in.
    pub filled: usize,
}

/// The world, in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorldFacts {
    /// From launch to serving, mean.
    pub boot_s: f64,
    /// From the end of service to the end.
    pub drain_s: f64,
    /// Load per second that a unit carries.
    pub throughput: f64,
    /// Units of an instance.
    pub weight: u32,
    /// What an instance costs on demand.
    pub on_demand_usd_per_hour: f64,
    /// What an instance costs as spot.
    pub spot_usd_per_hour: f64,
    /// The capacity at the start, in units.
    pub initial: u32,
    /// How often the policy decides.
    pub every_s: f64,
    /// The length of a step of the world.
    pub step_s: f64,
    /// All randomness came from here.
    pub seed: u64,
}

/// Plays a scenario through, and finds the optimum.
///
/// # Errors
/// [`ProblemError`]: the optimum's numbers cannot be computed with.
pub fn play<W: Watch>(
    scenario: &Scenario,
    trace: &Trace,
    watch: W,
) -> Result<(Report, W), ProblemError> {
    let (report, watch, _) = play_beside_optimum(scenario, trace, watch)?;
    Ok((report, watch))
}

/// The same, with the capacity paths of the optimum, in instances: one for each of [`PENALTIES`].
///
/// # Errors
/// [`ProblemError`]: the optimum's numbers cannot be computed with.
pub fn play_beside_optimum<W: Watch>(
    scenario: &Scenario,
    trace: &Trace,
    watch: W,
) -> Result<(Report, W, Vec<Path>), ProblemError> {
    let mut run = Run::watched(scenario.setup.clone(), scenario.controller(), watch);
    let step_s = run.step_length().as_secs_f64();
    run.extend(trace.values());
    let (measures, _, watch) = run.finish();
    let setup = &scenario.setup;
    let group = scenario.group();
    let best = Yardstick::of(scenario, trace, &measures)?;
    let regret = best.regret(&measures);
    let paths = best.solutions.into_iter().map(|(_, best)| best.path);
    let paths = paths.collect();
    let report = Report {
        format_version: REPORT_FORMAT_VERSION,
        group: group.address.short(),
        trace: TraceFacts {
            start: trace.start(),
            end: trace.end(),
            step_s: trace.step().as_secs(),
            steps: trace.values().len(),
            lower_bounds: trace.lower_bounds().len(),
            filled: trace.filled(),
        },
        world: WorldFacts {
            boot_s: setup.model.boot.mean().as_secs_f64(),
            drain_s: setup.model.drain.as_secs_f64(),
            throughput: setup.model.throughput,
            weight: setup.model.weight,
            on_demand_usd_per_hour: setup.prices.on_demand,
            spot_usd_per_hour: setup.prices.spot,
            initial: setup.initial.desired,
            every_s: group.policy.every.as_secs_f64(),
            step_s,
            seed: setup.model.seed,
        },
        regret,
        measures,
        slo_objective_percent: group.policy.slo.objective,
        slo_utilization_percent: setup.slo_utilization,
        notes: scenario.notes.iter().map(ToString::to_string).collect(),
    };
    Ok((report, watch, paths))
}

/// The optimum of a load, at each of [`PENALTIES`]: what runs are measured by. Runs in one table share one.
pub struct Yardstick {
    /// Each with its penalty.
    solutions: Vec<(f64, Solution)>,
    /// A unit's price on demand.
    unit_usd_per_hour: f64,
}

impl Yardstick {
    /// The optimum pays for an instance what this run paid on average, so that a mix of spot and on demand is compared
    /// with the same mix; where nothing ran, the price on demand. Boots take the shortest time that they can.
    ///
    /// # Errors
    /// [`ProblemError`]: the optimum's numbers cannot be computed with.
    pub fn of(
        scenario: &Scenario,
        trace: &Trace,
        payer: &Measures,
    ) -> Result<Yardstick, ProblemError> {
        let setup = &scenario.setup;
        let weight = setup.model.weight.max(1);
        let runs: Vec<Stretch> = scenario
            .demand(trace)
            .into_iter()
            .map(|(demand, steps)| Stretch { demand, steps })
            .collect();
        let hours = payer.on_demand_hours + payer.spot_hours;
        let price = if hours > 0.0 {
            payer.cost_usd / hours
        } else {
            setup.prices.on_demand
        };
        let limits = scenario.limits();
        let best = |penalty: f64| {
            let solution = solve(&Problem {
                demand: Demand::Runs(&runs),
                weight,
                step: setup.step,
                boot: setup.model.boot.shortest(),
                drain: setup.model.drain,
                minimum_billing: crate::cost::BILLING_MINIMUM,
                start: setup.initial.desired.div_ceil(weight),
                min: limits.map_or(0, |limits| limits.min().get().div_ceil(weight)),
                max: limits.map(|limits| limits.max().get().div_ceil(weight)),
                rate_out: None,
                rate_in: None,
                price_usd_per_hour: price,
                on_demand_usd_per_hour: setup.prices.on_demand,
                penalty,
            })?;
            Ok((penalty, solution))
        };
        Ok(Yardstick {
            solutions: PENALTIES.into_iter().map(best).collect::<Result<_, _>>()?,
            unit_usd_per_hour: setup.prices.on_demand / f64::from(weight),
        })
    }

    /// A run's J over the optimum's, at each penalty. It may be below 1 where the run paid less for an instance than
    /// the one that set the price.
    pub fn regret(&self, measures: &Measures) -> Vec<Regret> {
        let of = |(penalty, solution): &(f64, Solution)| {
            let policy_usd = measures.objective_usd(*penalty, self.unit_usd_per_hour);
            let optimum_usd = solution.objective_usd;
            Regret {
                penalty: *penalty,
                policy_usd,
                optimum_usd,
                regret: (optimum_usd > 0.0).then(|| policy_usd / optimum_usd),
                optimum_cost_usd: solution.cost_usd,
                optimum_missing_unit_hours: solution.account.missing_unit_hours(),
                method: solution.method.name().to_owned(),
            }
        };
        self.solutions.iter().map(of).collect()
    }
}
