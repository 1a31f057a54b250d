//! A policy, what a user would use instead, and the optimum, on the same load in the same world.
//!
//! All run in steps of [`STEP`], so that none is helped or hurt by how often it decides: in a world of minutes a boot of
//! 90 s takes two minutes for whoever decides every minute.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::controller::Controller;
use super::measure::Measures;
use super::optimum::ProblemError;
use super::peers::{Common, Peer};
use super::render::{grouped, percent, wrap};
use super::report::{Regret, Yardstick};
use super::run::{Run, Setup};
use super::scenario::Scenario;
use super::trace::Trace;

/// The longest step of the world; the beats of all peers are multiples of it.
pub const STEP: Duration = Duration::from_secs(5);

/// The penalty of the optimum that the table shows.
const SHOWN_PENALTY: f64 = 10.0;

/// One scaler and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// How it is called.
    pub name: String,
    /// Its settings, in a line.
    pub settings: String,
    /// What came of it.
    pub measures: Measures,
    /// Against the optimum at the policy's mean price, the same for all rows.
    pub regret: Vec<Regret>,
}

/// The policy first, then its peers in the order in which they were asked for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The length of a step of the world, at most.
    pub step_s: u64,
    /// One for each.
    pub rows: Vec<Row>,
}

/// A load through a controller, in steps of [`STEP`] or shorter.
pub fn run(setup: &Setup, trace: &Trace, controller: impl Controller) -> Measures {
    let load = trace.step().as_secs().max(1);
    let (mut step, mut rest) = (load, STEP.as_secs());
    while rest != 0 {
        (step, rest) = (rest, step % rest);
    }
    let setup = Setup {
        step: Duration::from_secs(step),
        ..setup.clone()
    };
    let mut run = Run::new(setup, controller);
    for load_now in trace.values() {
        for _ in 0..load / step {
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

/// What the peers of a scenario are told.
pub fn common(scenario: &Scenario, trace: &Trace) -> Common {
    let peak = trace.values().iter().copied().fold(0.0, f64::max);
    let peak = scenario.setup.demand(peak);
    let mix = scenario.live_mix.as_ref();
    Common::of(
        scenario.group(),
        &scenario.setup,
        scenario.limits(),
        mix,
        peak,
    )
}

/// The group's own scaler on a load, and the optimum.
///
/// # Errors
/// [`ProblemError`] of the optimum.
pub fn own(scenario: &Scenario, trace: &Trace, name: &str) -> Result<Row, ProblemError> {
    let measures = run(&scenario.setup, trace, scenario.controller());
    let best = Yardstick::of(scenario, trace, &measures)?;
    Ok(own_row(name, &best, measures))
}

fn own_row(name: &str, best: &Yardstick, measures: Measures) -> Row {
    Row {
        name: name.to_owned(),
        settings: "as the files say".to_owned(),
        regret: best.regret(&measures),
        measures,
    }
}

/// The policy and its peers on a load, each in a thread of its own. One optimum, which pays what the policy paid, is
/// the yardstick of all, so that the regrets order them as J does.
///
/// # Errors
/// [`ProblemError`] of the optimum.
pub fn compare(
    scenario: &Scenario,
    trace: &Trace,
    peers: &[Peer],
) -> Result<Comparison, ProblemError> {
    let common = &common(scenario, trace);
    let setup = &scenario.setup;
    let rows = std::thread::scope(|scope| {
        let running: Vec<_> = peers
            .iter()
            .map(|peer| scope.spawn(move || run_peer(setup, trace, *peer, common)))
            .collect();
        let measures = run(setup, trace, scenario.controller());
        let best = Yardstick::of(scenario, trace, &measures)?;
        let mut rows = vec![own_row("policy", &best, measures)];
        for (peer, running) in peers.iter().zip(running) {
            let measures = match running.join() {
                Ok(measures) => measures,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            rows.push(Row {
                name: peer.name().to_owned(),
                settings: peer.settings(common),
                regret: best.regret(&measures),
                measures,
            });
        }
        Ok(rows)
    })?;
    Ok(Comparison {
        step_s: STEP.as_secs(),
        rows,
    })
}

/// The comparison as text, in 80 columns.
pub fn table(comparison: &Comparison) -> String {
    let mut text = format!(
        "  compared, all in steps of {}s\n  {:<19}{:>9}{:>9}{:>9}{:>9}{:>8}{:>7}{:>6}\n",
        comparison.step_s, "", "cost,", "instance", "missing", "SLO", "minutes", "moves", "flap-"
    );
    let _ = writeln!(
        text,
        "  {:<19}{:>9}{:>9}{:>9}{:>9}{:>8}{:>7}{:>6}",
        "", "USD", "hours", "hours", "%", "short", "a day", "ping"
    );
    for row in &comparison.rows {
        let m = &row.measures;
        let _ = writeln!(
            text,
            "  {:<19}{:>9}{:>9}{:>9}{:>9}{:>8}{:>7}{:>6}",
            row.name,
            brief(m.cost_usd),
            brief(m.on_demand_hours + m.spot_hours),
            brief(m.missing_unit_hours),
            percent(m.slo_attainment_percent),
            brief(m.short_minutes.round()),
            brief(m.moves_per_day()),
            brief(m.moves.reversals as f64),
        );
    }
    let policy = comparison.rows.first();
    let shown = policy.and_then(|row| row.regret.iter().find(|of| of.penalty == SHOWN_PENALTY));
    if let (Some(best), Some(policy)) = (shown, policy) {
        // It pays for an instance what the policy paid.
        let paid = policy.measures.on_demand_hours + policy.measures.spot_hours;
        let hours = best.optimum_cost_usd * paid / policy.measures.cost_usd.max(f64::MIN_POSITIVE);
        let _ = writeln!(
            text,
            "  {:<19}{:>9}{:>9}{:>9}",
            format!("optimum at {SHOWN_PENALTY}"),
            brief(best.optimum_cost_usd),
            brief(hours),
            brief(best.optimum_missing_unit_hours),
        );
    }
    let _ = write!(text, "\n  {:<19}", "regret at penalty");
    for of in policy.into_iter().flat_map(|row| &row.regret) {
        let _ = write!(text, "{:>9}", of.penalty);
    }
    text.push('\n');
    for row in &comparison.rows {
        let _ = write!(text, "  {:<19}", row.name);
        for of in &row.regret {
            let regret = of
                .regret
                .map_or("-".to_owned(), |regret| format!("{regret:.3}"));
            let _ = write!(text, "{regret:>9}");
        }
        text.push('\n');
    }
    text.push('\n');
    for row in comparison.rows.iter().skip(1) {
        wrap(&mut text, &format!("  {}:", row.name), 4, &row.settings);
    }
    text
}

/// A number in at most eight characters: grouped, with as many decimals as help; in thousands or millions where it is
/// long.
fn brief(value: f64) -> String {
    let size = value.abs();
    if size >= 1e8 {
        format!("{}M", grouped(value / 1e6, 0))
    } else if size >= 1e5 {
        format!("{}k", grouped(value / 1e3, 0))
    } else if size >= 1e3 || value == value.round() {
        grouped(value, 0)
    } else if size >= 100.0 {
        grouped(value, 1)
    } else {
        grouped(value, 2)
    }
}
