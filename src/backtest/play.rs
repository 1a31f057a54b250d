//! Plays one case: both policies in the same world, and the optimum. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use tideform_policies::model::{Group, Limits};

use super::figures::{Figures, LoadFacts, Optimum, Played, a_month, rounded};
use super::{Case, NoBacktest, PENALTIES};
use crate::cost::BILLING_MINIMUM;
use crate::history::{Load, is_free_of_throughput};
use crate::simulate::optimum::{Demand, Problem, Run, Solution, solve_within};
use crate::simulate::trace::Trace;
use crate::simulate::world::Work;
use crate::simulate::{self, Given, Measures, Note, Prices, Scenario, Setup, compare};

/// The work that one optimum may take, in arcs looked at: some tenths of a second. Loads in minutes need none of it.
const MOST_WORK: u64 = 10_000_000;

/// What an instance costs where nobody knows: only ratios are told then.
const SOME_PRICE: Prices = Prices {
    on_demand: 1.0,
    spot: 1.0,
};

/// Plays a case.
///
/// Both run through the planned group's world, from the same start and without chance. Where only one of them looks at a
/// queue, load waits in one for both.
///
/// # Errors
/// [`NoBacktest`]: what is missing for it.
pub fn play(case: &Case, load: &Load) -> Result<Played, NoBacktest> {
    let trace = &load.trace;
    let has_price =
        case.prices_planned.is_some() && (case.now.is_none() || case.prices_now.is_some());
    let price =
        |prices: Option<Prices>| if has_price { prices } else { None }.unwrap_or(SOME_PRICE);
    let given = Given {
        throughput: in_units(case, load),
        live_limits: case.live_limits,
        live_mix: case.live_mix.clone(),
        prices: Some(price(case.prices_planned)),
        ..Given::default()
    };
    let mut planned = Scenario::new(&case.planned, trace, &given)?;
    let mut now = match &case.now {
        Some(now) => {
            // The world is one: what an instance does, and when users feel it. The policy keeps what it believes.
            let mut group = now.clone();
            group.policy.slo = case.planned.policy.slo;
            let world = &planned.setup.model;
            let given = Given {
                boot: Some(world.boot),
                throughput: Some(world.throughput),
                latency_s: Some(world.latency_s),
                prices: Some(price(case.prices_now)),
                initial: case.now_desired,
                ..given
            };
            Some(Scenario::new(&group, trace, &given)?)
        }
        None => None,
    };
    if let Some(now) = &mut now {
        let waits = |scenario: &Scenario| scenario.setup.model.work == Work::Queue;
        if waits(now) || waits(&planned) {
            now.setup.model.work = Work::Queue;
            planned.setup.model.work = Work::Queue;
        }
        // What is live is what both begin with.
        planned.setup.initial = now.setup.initial;
    }
    let mut notes = case.notes.clone();
    let measures_now = match now.as_ref().map(|now| run(now, trace)) {
        Some(Ok(measures)) => Some(measures),
        // What was applied must be comparable; what somebody else made need not be.
        Some(Err(why @ NoBacktest::NothingToDecideBy(_))) if case.now != case.was => {
            notes.push(format!("what is live cannot be simulated: {why}"));
            now = None;
            None
        }
        Some(Err(why)) => return Err(why),
        None => None,
    };
    let measures = run(&planned, trace)?;
    let optimum = optimum(
        case,
        now.as_ref(),
        measures_now.as_ref(),
        &planned,
        &measures,
        trace,
    )?;
    let figures = |measures: &Measures| {
        let mut regret = [None; 3];
        for ((regret, penalty), best) in regret.iter_mut().zip(PENALTIES).zip(&optimum) {
            let objective = measures.objective_usd(penalty, best.unit_usd_per_hour);
            *regret = (best.objective_usd > 0.0).then(|| objective / best.objective_usd);
        }
        Figures::of(measures, has_price, regret)
    };
    let hours = trace.length().as_secs_f64() / 3_600.0;
    Ok(Played {
        load: LoadFacts {
            source: load.source.clone(),
            start: trace.start(),
            end: trace.end(),
            step_s: trace.step().as_secs(),
            steps: trace.values().len(),
            held: load.held + trace.filled(),
            lower_bounds: trace.lower_bounds().len(),
        },
        now: measures_now.as_ref().map(figures),
        planned: figures(&measures),
        notes: {
            let is_new_slo = |was: &Group| was.policy.slo != case.planned.policy.slo;
            if now.is_some() && case.was.as_ref().is_some_and(is_new_slo) {
                notes.push("the SLO changes: all are measured by the new one".to_owned());
            }
            notes.extend(said(now.as_ref(), &planned, load, has_price));
            notes
        },
        optimum: optimum.each_ref().map(|best| best.said(has_price, hours)),
    })
}

/// What a unit carries of a load that is counted in units: one. `None`: as the files say.
fn in_units(case: &Case, load: &Load) -> Option<f64> {
    let mut groups = case.now.iter().chain([&case.planned]);
    (load.is_in_units && groups.all(is_free_of_throughput)).then_some(1.0)
}

/// A load through whoever scales the group.
fn run(scenario: &Scenario, trace: &Trace) -> Result<Measures, NoBacktest> {
    let metrics = scenario.group().policy.metrics.iter();
    let ruled: Vec<_> = metrics.filter(|metric| metric.rule.is_some()).collect();
    for note in &scenario.notes {
        if let Note::Unknown(unknown) = note
            && !ruled.is_empty()
            && ruled.iter().all(|metric| unknown.contains(&metric.name))
        {
            return Err(NoBacktest::NothingToDecideBy(unknown.clone()));
        }
    }
    let (load_s, step_s) = (trace.step().as_secs().max(1), common_step(scenario, trace));
    let setup = Setup {
        step: Duration::from_secs(step_s),
        ..scenario.setup.clone()
    };
    let mut run = simulate::Run::new(setup, scenario.controller());
    for load in trace.values() {
        for _ in 0..load_s / step_s {
            run.push(*load);
        }
    }
    Ok(run.finish().0)
}

/// The longest step, in seconds, that cuts neither boot nor drain short: nothing happens between its edges, so that a
/// shorter one says the same and takes longer. At least [`compare::STEP`], where the load allows it.
fn common_step(scenario: &Scenario, trace: &Trace) -> u64 {
    let greatest = |mut a: u64, mut b: u64| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let load_s = trace.step().as_secs().max(1);
    let model = &scenario.setup.model;
    let times = [model.boot.shortest(), model.drain];
    if times.iter().any(|time| time.subsec_nanos() != 0) {
        return greatest(load_s, compare::STEP.as_secs());
    }
    let all = times.iter().map(Duration::as_secs).fold(load_s, greatest);
    all.max(greatest(load_s, compare::STEP.as_secs()))
}

/// An optimum, before it is put into words.
struct Best {
    penalty: f64,
    /// A unit's price on demand, for what was missing.
    unit_usd_per_hour: f64,
    objective_usd: f64,
    cost_usd: f64,
    instance_hours: f64,
    missing_unit_hours: f64,
    short_minutes: f64,
    method: &'static str,
}

impl Best {
    fn said(&self, has_price: bool, hours: f64) -> Optimum {
        let share = self.short_minutes / (hours * 60.0).max(f64::MIN_POSITIVE);
        Optimum {
            penalty: self.penalty,
            instance_hours: rounded(self.instance_hours),
            cost_usd_per_month: has_price.then(|| a_month(self.cost_usd, hours)),
            slo_percent: rounded(100.0 * (1.0 - share)),
            short_minutes: rounded(self.short_minutes),
            missing_unit_hours: rounded(self.missing_unit_hours),
            method: self.method.to_owned(),
        }
    }
}

/// The best answer at each penalty, for both policies: in the planned world, within the limits of either, at what `now`
/// paid for a unit, so that what is planned for the mix or the types moves its own regret and not that of `now`. Where
/// there is no `now`, or it ran nothing, at what the planned policy paid.
fn optimum(
    case: &Case,
    now: Option<&Scenario>,
    measures_now: Option<&Measures>,
    planned: &Scenario,
    measures: &Measures,
    trace: &Trace,
) -> Result<[Best; 3], NoBacktest> {
    let setup = &planned.setup;
    let weight = setup.model.weight.max(1);
    let runs: Vec<Run> = planned
        .demand(trace)
        .into_iter()
        .map(|(demand, steps)| Run { demand, steps })
        .collect();
    let weight_of = |setup: &Setup| f64::from(setup.model.weight.max(1));
    let paid = |(scenario, measures): (&Scenario, &Measures)| {
        let hours = measures.on_demand_hours + measures.spot_hours;
        (hours > 0.0).then(|| measures.cost_usd / hours / weight_of(&scenario.setup))
    };
    let on_demand = now.map_or(setup, |now| &now.setup);
    let on_demand = on_demand.prices.on_demand / weight_of(on_demand);
    let price = now
        .zip(measures_now)
        .and_then(paid)
        .or_else(|| paid((planned, measures)))
        .unwrap_or(on_demand);
    // Free within the limits of either, and of their windows.
    let floor = |group: &Group| lowest(group, case.live_limits);
    let ceiling = |group: &Group| highest(group, case.live_limits);
    let groups = || {
        now.map(Scenario::group)
            .into_iter()
            .chain([planned.group()])
    };
    let min = groups().map(floor).min().unwrap_or(0);
    let max = groups()
        .map(ceiling)
        .reduce(|a, b| Some(a?.max(b?)))
        .flatten();
    let best = |penalty: f64| -> Result<Best, NoBacktest> {
        let solution = solve_within(
            &Problem {
                demand: Demand::Runs(&runs),
                weight,
                step: trace.step(),
                boot: setup.model.boot.shortest(),
                drain: setup.model.drain,
                minimum_billing: BILLING_MINIMUM,
                start: setup.initial.desired.div_ceil(weight),
                min: min.div_ceil(weight),
                max: max.map(|max| max.div_ceil(weight)),
                rate_out: None,
                rate_in: None,
                price_usd_per_hour: price * f64::from(weight),
                on_demand_usd_per_hour: on_demand * f64::from(weight),
                penalty,
            },
            MOST_WORK,
        )?;
        Ok(Best {
            penalty,
            unit_usd_per_hour: on_demand,
            objective_usd: solution.objective_usd,
            cost_usd: solution.cost_usd,
            instance_hours: solution.account.instance_hours(),
            missing_unit_hours: solution.account.missing_unit_hours(),
            short_minutes: short_minutes(&solution, &runs, weight, trace),
            method: solution.method.name(),
        })
    };
    let [first, second, third] = PENALTIES.map(best);
    Ok([first?, second?, third?])
}

fn lowest(group: &Group, live: Option<Limits>) -> u32 {
    let limits = group.policy.limits.or(live);
    limits.map_or(0, |limits| limits.min().get())
}

/// The highest limit, windows included; `None`: there is none.
fn highest(group: &Group, live: Option<Limits>) -> Option<u32> {
    let limits = group.policy.limits.or(live)?;
    let windows = group.policy.schedules.iter();
    let windows = windows.filter_map(|window| window.max.map(|max| max.get()));
    windows.chain([limits.max().get()]).max()
}

/// The minutes in which the optimum's path has less than is demanded.
fn short_minutes(solution: &Solution, runs: &[Run], weight: u32, trace: &Trace) -> f64 {
    let step_ms = trace.step().as_millis() as u64;
    let moments = solution.path.moments();
    let (mut next, mut serving, mut from, mut short_ms) = (0, 0, 0, 0);
    for run in runs {
        let to = from + u64::from(run.steps) * step_ms;
        while from < to {
            while let Some(moment) = moments.get(next)
                && moment.at_ms <= from
            {
                serving = moment.serving.saturating_mul(weight);
                next += 1;
            }
            let until = moments.get(next).map_or(to, |moment| moment.at_ms.min(to));
            if run.demand > serving {
                short_ms += until - from;
            }
            from = until;
        }
    }
    short_ms as f64 / 60_000.0
}

/// What a reader should know of both.
fn said(now: Option<&Scenario>, planned: &Scenario, load: &Load, has_price: bool) -> Vec<String> {
    let mut notes = Vec::new();
    let scenarios = || now.into_iter().chain([planned]);
    let mut said = BTreeSet::new();
    for note in scenarios().flat_map(|scenario| &scenario.notes) {
        match note {
            // Who scales what is in the plan; prices have a note of their own.
            Note::Native | Note::NoPrice => {}
            Note::NoForecast if !scenarios().any(acts_by_forecast) => {}
            note => {
                if said.insert(note.to_string()) {
                    notes.push(note.to_string());
                }
            }
        }
    }
    notes.extend(load.notes.iter().cloned());
    if load.is_in_units {
        notes.push(Note::InUnits.to_string());
    }
    if load.held > 0 {
        notes.push(format!(
            "in {} of {} steps nothing was recorded, and the load before stands in for it",
            load.held,
            load.trace.values().len()
        ));
    }
    if !has_price {
        notes.push("no price is known; set `instance { price_usd_per_hour }`".to_owned());
    }
    notes
}

fn acts_by_forecast(scenario: &Scenario) -> bool {
    let forecast = &scenario.group().policy.forecast;
    forecast
        .as_ref()
        .is_some_and(|forecast| forecast.mode == tideform_policies::model::ForecastMode::Scale)
}
