//! A policy, what a user would use instead, and the optimum, on the same load in the same world.
//!
//! All run in steps of [`STEP`], so that none is helped or hurt by how often it decides: in a world of minutes a boot of
//! 90 s takes two minutes for whoever decides every minute.

use std::time::Duration;

use tideform_policies::model::Limits;

use super::controller::Controller;
use super::measure::Measures;
use super::optimum::{Demand, Method, Problem, ProblemError, Solution, solve};
use super::peers::{Common, Peer};
use super::run::{Run, Setup};
use super::trace::Trace;

/// The longest step of the world; the beats of all peers are multiples of it.
pub const STEP: Duration = Duration::from_secs(5);

/// The penalties for which the regret is said, in prices of an instance on demand.
pub const PENALTIES: [f64; 3] = [3.0, 10.0, 30.0];

/// The least that an instance is paid for.
const MINIMUM_BILLING: Duration = Duration::from_secs(60);

/// One scaler and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// How it is called.
    pub name: String,
    /// Its settings, in a line.
    pub settings: String,
    /// What came of it.
    pub measures: Measures,
}

/// What the best that anybody could have done costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// In prices of an instance on demand.
    pub penalty: f64,
    /// What its instances cost.
    pub cost_usd: f64,
    /// Instance-hours that it pays for.
    pub instance_hours: f64,
    /// Instance-hours that it misses.
    pub missing_hours: f64,
    /// J*: cost and penalty.
    pub objective_usd: f64,
    /// Which method answered.
    pub method: Method,
}

/// The policy, its peers and the optimum.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The policy first, then the peers in the order in which they were asked for.
    pub rows: Vec<Row>,
    /// For each of [`PENALTIES`].
    pub best: [Best; 3],
    /// What a unit on demand costs for an hour.
    pub unit_usd_per_hour: f64,
}

impl Comparison {
    /// J of a row over J* of the optimum, at each of [`PENALTIES`]; `None` where the optimum costs nothing.
    pub fn regret(&self, row: &Row) -> [Option<f64>; 3] {
        self.best.map(|best| {
            let objective = row
                .measures
                .objective_usd(best.penalty, self.unit_usd_per_hour);
            (best.objective_usd > 0.0).then(|| objective / best.objective_usd)
        })
    }
}

/// A load through a controller, in steps of [`STEP`] or shorter.
pub fn run(setup: &Setup, trace: &Trace, controller: impl Controller) -> Measures {
    let (load, step) = (trace.step().as_secs().max(1), STEP.as_secs());
    let (mut a, mut b) = (load, step);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let setup = Setup {
        step: Duration::from_secs(a),
        ..setup.clone()
    };
    let mut run = Run::new(setup, controller);
    for load_now in trace.values() {
        for _ in 0..load / a {
            run.push(*load_now);
        }
    }
    run.finish().0
}

/// A load through a peer. A fleet that does not scale has been there for long.
fn run_peer(setup: &Setup, trace: &Trace, peer: Peer, common: &Common) -> Measures {
    let controller = peer.controller(common);
    match peer {
        Peer::Fixed => {
            let setup = Setup {
                initial: common.ask(common.peak_demand),
                is_new: false,
                ..setup.clone()
            };
            run(&setup, trace, controller)
        }
        _ => run(setup, trace, controller),
    }
}

/// The largest demand of a load.
pub fn peak_demand(setup: &Setup, trace: &Trace) -> u32 {
    let peak = trace.values().iter().copied().fold(0.0, f64::max);
    setup.demand(peak)
}

/// The optimum of a load at a penalty, from the same start, under the same boot, drain, billing and limits. Prices are
/// those on demand.
///
/// # Errors
/// [`ProblemError`]: what is wrong with the numbers.
pub fn best(
    setup: &Setup,
    trace: &Trace,
    limits: Option<Limits>,
    penalty: f64,
) -> Result<Best, ProblemError> {
    let demand: Vec<u32> = trace
        .values()
        .iter()
        .map(|load| setup.demand(*load))
        .collect();
    let weight = setup.model.weight.max(1);
    let solution: Solution = solve(&Problem {
        demand: Demand::Steps(&demand),
        weight,
        step: trace.step(),
        boot: setup.model.boot.shortest(),
        drain: setup.model.drain,
        minimum_billing: MINIMUM_BILLING,
        start: setup.initial.desired.div_ceil(weight),
        min: limits.map_or(0, |limits| limits.min().get().div_ceil(weight)),
        max: limits.map(|limits| limits.max().get().div_ceil(weight)),
        rate_out: None,
        rate_in: None,
        price_usd_per_hour: setup.prices.on_demand,
        on_demand_usd_per_hour: setup.prices.on_demand,
        penalty,
    })?;
    Ok(Best {
        penalty,
        cost_usd: solution.cost_usd,
        instance_hours: solution.account.instance_hours(),
        missing_hours: solution.account.missing_unit_hours(),
        objective_usd: solution.objective_usd,
        method: solution.method,
    })
}

/// What a unit on demand costs for an hour.
fn unit_usd_per_hour(setup: &Setup) -> f64 {
    setup.prices.on_demand / f64::from(setup.model.weight.max(1))
}

/// The policy, the peers and the optimum on a load. Each runs in a thread of its own.
///
/// # Errors
/// [`ProblemError`] of the optimum.
pub fn compare(
    setup: &Setup,
    trace: &Trace,
    limits: Option<Limits>,
    policy: (String, impl Controller),
    common: &Common,
    peers: &[Peer],
) -> Result<Comparison, ProblemError> {
    let (name, controller) = policy;
    let (measures, best) = std::thread::scope(|scope| {
        let peers: Vec<_> = peers
            .iter()
            .map(|peer| scope.spawn(|| run_peer(setup, trace, *peer, common)))
            .collect();
        let mut measures = vec![run(setup, trace, controller)];
        let best = PENALTIES.map(|penalty| best(setup, trace, limits, penalty));
        for peer in peers {
            match peer.join() {
                Ok(came_of_it) => measures.push(came_of_it),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        (measures, best)
    });
    let [first, second, third] = best;
    let names = std::iter::once((name, "as the files say".to_owned())).chain(
        peers
            .iter()
            .map(|peer| (peer.name().to_owned(), peer.settings(common))),
    );
    Ok(Comparison {
        rows: names
            .zip(measures)
            .map(|((name, settings), measures)| Row {
                name,
                settings,
                measures,
            })
            .collect(),
        best: [first?, second?, third?],
        unit_usd_per_hour: unit_usd_per_hour(setup),
    })
}
