//! Searching a policy's own settings: which values would have done better with a recorded load, judged on time that the search
//! has not seen.
//!
//! ```text
//! load -> split -> train: search the settings -> front, recommended one -> held out: judge it -> propose (a change of the files)
//! ```
//!
//! Everything here is pure: it reads no clock and no file, and the same input and seed give the same answer, in any number of
//! threads. How it searches and judges is in `docs/simulation.md`.
//!
//! - [`settings`]: what can be searched. [`search`]: how, without knowing what. [`split`](split()): what judges.
//! - [`tune`]: all of it. [`propose`]: the recommended values as a change of the user's own files.

pub mod propose;
pub mod render;
pub mod search;
pub mod settings;
mod split;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;
use tideform_policies::model::{Controller, Policy as PolicyModel};

pub use split::{Split, is_short, split};

use crate::engine::Rules;
use crate::simulate::native::Native;
use crate::simulate::trace::Trace;
use crate::simulate::{Measures, Policy, Scenario, Setup, simulate};
use search::{Found, Options, Score, search};
use settings::Setting;

/// The version of [`Tuned`] as JSON.
const FORMAT_VERSION: u32 = 1;
/// How many points of the front are shown.
const SHOWN: usize = 10;
/// What the recommended one may lose to keep a value as it is: noise is no reason for a change.
const WORTH: f64 = 0.002;

/// A part of the load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// When it begins.
    pub start: jiff::Timestamp,
    /// When it ends.
    pub end: jiff::Timestamp,
    /// Steps of the trace.
    pub steps: usize,
}

/// What came of a policy in a part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Came {
    /// What the instances cost.
    pub cost_usd: f64,
    /// Units that were missing, over time.
    pub missing_unit_hours: f64,
    /// The share of minutes within the SLO.
    pub slo_attainment_percent: f64,
    /// Changes of the capacity a day.
    pub moves_per_day: f64,
    /// Cost, and what was missing at the penalty.
    pub objective_usd: f64,
}

/// In both parts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Both {
    /// In the part that the search has seen.
    pub train: Came,
    /// In the part that it has not.
    pub held_out: Came,
}

/// A setting that was searched.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Searched {
    /// `metric.cpu.track.target`.
    pub path: String,
    /// The smallest value that was tried, as the files would write it.
    pub from: String,
    /// The largest.
    pub to: String,
    /// How many values.
    pub values: usize,
    /// What it is.
    pub now: String,
    /// What is recommended on what the search has seen.
    pub best: String,
}

/// A candidate of the front.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// Its values, by setting.
    pub settings: BTreeMap<String, String>,
    /// What came of it.
    #[serde(flatten)]
    pub came: Both,
}

/// What is recommended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The best candidate is better than the policy as it is, in time that the search has not seen, too.
    Better,
    /// No candidate was worth a change in the part that was searched.
    NothingBetter,
    /// The best candidate is no better in the part that was held out: it had learned the past by heart.
    NotConfirmed,
}

/// What a search came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tuned {
    /// Of this structure.
    pub format_version: u32,
    /// The group.
    pub group: String,
    /// What was learned from.
    pub train: Part,
    /// What judged.
    pub held_out: Part,
    /// How many candidates were tried.
    pub candidates: usize,
    /// All there are.
    pub is_whole: bool,
    /// Where the draws come from.
    pub seed: u64,
    /// What a missing unit-hour counts as, in prices of one on demand.
    pub penalty: f64,
    /// Percent of minutes that the SLO asks for.
    pub slo_objective_percent: f64,
    /// What was searched.
    pub settings: Vec<Searched>,
    /// The policy as it is.
    pub now: Both,
    /// The best candidate; as it is, where there is none.
    pub best: Both,
    /// Whether it is recommended.
    pub verdict: Verdict,
    /// Candidates of the front, by rising cost in the part that was searched.
    pub front: Vec<Candidate>,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// The best candidate's values that differ from now, by place in the settings.
    #[serde(skip)]
    pub changes: Vec<(usize, f64)>,
}

/// How a policy is tuned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuning {
    /// How many candidates are tried at most.
    pub budget: usize,
    /// All chance comes from here.
    pub seed: u64,
    /// In so many threads.
    pub jobs: usize,
    /// What a missing unit-hour counts as, in prices of one on demand.
    pub penalty: f64,
}

/// A policy with other values, in a part of the load.
struct Judge<'a> {
    scenario: &'a Scenario,
    settings: &'a [Setting],
    part: &'a Trace,
    setup: Setup,
}

impl Judge<'_> {
    fn new<'a>(scenario: &'a Scenario, settings: &'a [Setting], part: &'a Trace) -> Judge<'a> {
        let mut setup = scenario.setup.clone();
        setup.start = part.start();
        if part.start() != scenario.setup.start {
            // The part begins with what its own first load needs, as the whole does.
            let first = part.values().first().copied().unwrap_or(0.0);
            let needed = setup.demand(first);
            let limits = scenario.limits();
            let desired = limits.map_or(needed, |limits| {
                needed.clamp(limits.min().get(), limits.max().get())
            });
            setup.initial = scenario.policy().split(desired);
        }
        Judge {
            scenario,
            settings,
            part,
            setup,
        }
    }

    /// `None`: the values contradict each other.
    fn measures(&self, point: &[u32]) -> Option<Measures> {
        let mut group = self.scenario.group().clone();
        let values = self.settings.iter().zip(point);
        let values = values.map(|(setting, place)| (setting, setting.value(*place)));
        if !settings::apply(values, &mut group.policy) {
            return None;
        }
        let rules = Rules::new(&group);
        let (limits, mix) = (self.scenario.live_limits, self.scenario.live_mix.clone());
        let setup = self.setup.clone();
        Some(match group.controller {
            Controller::Tideform => {
                let policy = Policy::new(&rules, self.scenario.sight, setup.prices);
                let policy = policy.with_live_limits(limits).with_live_mix(mix);
                simulate(setup, policy, self.part)
            }
            Controller::Native => {
                let native = Native::new(&rules).with_live_limits(limits);
                simulate(setup, native.with_live_mix(mix), self.part)
            }
        })
    }

    fn score(&self, point: &[u32]) -> Option<Score> {
        let measures = self.measures(point)?;
        Some(Score {
            cost: measures.cost_usd,
            missing: measures.missing_unit_hours,
            attainment: measures.slo_attainment_percent,
        })
    }
}

/// Searches settings on the earlier part of a load, and judges the best candidate on the later one. `tick` is called for each
/// candidate, from any thread.
pub fn tune(
    scenario: &Scenario,
    split: &Split,
    settings: &[Setting],
    tuning: &Tuning,
    tick: &(dyn Fn() + Sync),
) -> Tuned {
    let unit_usd_per_hour =
        scenario.setup.prices.on_demand / f64::from(scenario.setup.model.weight.max(1));
    let weight = tuning.penalty * unit_usd_per_hour;
    let train = Judge::new(scenario, settings, &split.train);
    let held_out = Judge::new(scenario, settings, &split.held_out);
    let sizes: Vec<u32> = settings
        .iter()
        .map(|setting| u32::try_from(setting.points.len()).unwrap_or(u32::MAX))
        .collect();
    let start: Vec<u32> = settings.iter().map(Setting::now).collect();
    let options = Options {
        budget: tuning.budget,
        seed: tuning.seed,
        jobs: tuning.jobs,
        weight,
    };
    let mut found = search(
        &sizes,
        start.clone(),
        &options,
        &|point| train.score(point),
        tick,
    );
    let objective = scenario.group().policy.slo.objective;
    let best = recommend(&found, &start, weight, objective, &|point| {
        train.score(point)
    });
    let candidates = found.tried.len();
    // Taking back what is not worth a change may come to values that the search has not tried.
    if !found.tried.iter().any(|tried| tried.point == best) {
        found.tried.push(search::Tried {
            point: best.clone(),
            score: train.score(&best),
        });
    }
    let both = |point: &[u32]| -> Option<Both> {
        let came = |judge: &Judge<'_>| {
            let measures = judge.measures(point)?;
            Some(Came {
                cost_usd: measures.cost_usd,
                missing_unit_hours: measures.missing_unit_hours,
                slo_attainment_percent: measures.slo_attainment_percent,
                moves_per_day: measures.moves_per_day(),
                objective_usd: measures.objective_usd(tuning.penalty, unit_usd_per_hour),
            })
        };
        Some(Both {
            train: came(&train)?,
            held_out: came(&held_out)?,
        })
    };
    let nothing = Came {
        cost_usd: 0.0,
        missing_unit_hours: 0.0,
        slo_attainment_percent: 0.0,
        moves_per_day: 0.0,
        objective_usd: 0.0,
    };
    // The policy as it is has been validated: it can be played.
    let now = both(&start).unwrap_or(Both {
        train: nothing,
        held_out: nothing,
    });
    let came = both(&best).unwrap_or(now);
    let verdict = if best == start {
        Verdict::NothingBetter
    } else if is_better(&came.held_out, &now.held_out, objective) {
        Verdict::Better
    } else {
        Verdict::NotConfirmed
    };
    let values = |point: &[u32]| -> Vec<f64> {
        let places = settings.iter().zip(point);
        places
            .map(|(setting, place)| setting.value(*place))
            .collect()
    };
    let written = |point: &[u32]| -> Vec<String> {
        let values = settings.iter().zip(values(point));
        values
            .map(|(setting, value)| setting.known.unit.written(value))
            .collect()
    };
    let best_written = written(&best);
    Tuned {
        format_version: FORMAT_VERSION,
        group: scenario.group().address.to_string(),
        train: Part::of(&split.train),
        held_out: Part::of(&split.held_out),
        candidates,
        is_whole: found.is_whole,
        seed: tuning.seed,
        penalty: tuning.penalty,
        slo_objective_percent: objective,
        settings: settings
            .iter()
            .zip(best_written)
            .map(|(setting, best)| Searched::of(setting, best))
            .collect(),
        now,
        best: came,
        verdict,
        front: shown(&found, &best, weight)
            .into_iter()
            .filter_map(|point| {
                let paths = settings.iter().map(|setting| setting.known.path.clone());
                Some(Candidate {
                    settings: paths.zip(written(point)).collect(),
                    came: both(point)?,
                })
            })
            .collect(),
        notes: notes(scenario, split),
        changes: values(&best)
            .into_iter()
            .zip(settings)
            .enumerate()
            .filter(|(_, (value, setting))| *value != setting.known.now)
            .map(|(place, (value, _))| (place, value))
            .collect(),
    }
}

/// The policy with the best candidate's values, from the one that the files say.
pub fn tuned_policy(tuned: &Tuned, settings: &[Setting], policy: &PolicyModel) -> PolicyModel {
    let mut policy = policy.clone();
    let changes = tuned.changes.iter();
    let values = changes.filter_map(|(place, value)| Some((settings.get(*place)?, *value)));
    settings::apply(values, &mut policy);
    policy
}

/// The best candidate that keeps what the SLO asks for, or else what is kept now; and of its values only those that are
/// worth a change.
fn recommend(
    found: &Found,
    start: &[u32],
    weight: f64,
    objective: f64,
    score: &dyn Fn(&[u32]) -> Option<Score>,
) -> Vec<u32> {
    let score_of = |place: usize| found.tried.get(place).and_then(|tried| tried.score);
    let Some(now) = score_of(0) else {
        return start.to_vec();
    };
    let least = now.attainment.min(objective);
    let keeps = |score: &Score| score.attainment >= least;
    let (Some(best), Some(of_best)) = (
        found.best(weight, keeps),
        found.best(weight, keeps).and_then(score_of),
    ) else {
        return start.to_vec();
    };
    let mut point = found
        .tried
        .get(best)
        .map_or_else(|| start.to_vec(), |tried| tried.point.clone());
    let most = of_best.objective(weight) * (1.0 + WORTH);
    for axis in 0..point.len() {
        let mut as_now = point.clone();
        let (Some(place), Some(now)) = (as_now.get_mut(axis), start.get(axis)) else {
            continue;
        };
        if place == now {
            continue;
        }
        *place = *now;
        let without = score(&as_now).filter(keeps);
        if without.is_some_and(|without| without.objective(weight) <= most) {
            point = as_now;
        }
    }
    point
}

/// Whether a policy is better than another in the same time: less cost and shortage together, and no further below the SLO.
fn is_better(one: &Came, other: &Came, objective: f64) -> bool {
    one.objective_usd < other.objective_usd
        && one.slo_attainment_percent >= other.slo_attainment_percent.min(objective)
}

/// Points of the front, evenly, with the recommended one among them.
fn shown<'a>(found: &'a Found, best: &[u32], weight: f64) -> Vec<&'a Vec<u32>> {
    let front = front_with(found, best, weight);
    let is_best = |place: &usize| found.tried.get(*place).is_some_and(|t| t.point == best);
    let at = front.iter().position(is_best);
    let count = front.len().min(SHOWN);
    let last = count.saturating_sub(1).max(1);
    let mut places: Vec<usize> = (0..count)
        .map(|n| n * front.len().saturating_sub(1) / last)
        .collect();
    // It takes the place of its neighbor.
    if let Some(at) = at
        && !places.contains(&at)
        && let Some(nearest) = places.iter_mut().min_by_key(|place| place.abs_diff(at))
    {
        *nearest = at;
    }
    places.dedup();
    let points = places.into_iter().filter_map(|place| {
        let tried = found.tried.get(*front.get(place)?)?;
        Some(&tried.point)
    });
    points.collect()
}

/// The front, with the recommended one in the place of those that are better in both ways by less than is worth a change.
fn front_with(found: &Found, best: &[u32], weight: f64) -> Vec<usize> {
    let mut front = found.front();
    let Some(at) = found.tried.iter().position(|tried| tried.point == best) else {
        return front;
    };
    let score_of = |place: usize| found.tried.get(place).and_then(|tried| tried.score);
    let Some(of_best) = score_of(at).filter(|_| !front.contains(&at)) else {
        return front;
    };
    front.retain(|place| {
        score_of(*place).is_some_and(|other| {
            let is_as_good = other.cost <= of_best.cost && other.missing <= of_best.missing;
            let most = other.objective(weight) * (1.0 + WORTH);
            !(is_as_good && of_best.objective(weight) <= most)
        })
    });
    let costs_less =
        |place: &usize| score_of(*place).is_some_and(|other| other.cost < of_best.cost);
    let next = front.partition_point(costs_less);
    front.insert(next, at);
    front
}

fn notes(scenario: &Scenario, split: &Split) -> Vec<String> {
    let mut notes: Vec<String> = scenario.notes.iter().map(ToString::to_string).collect();
    if is_short(split) {
        notes.push(
            "the trace is short: a part of it has not seen a whole day, so that the hours of the two differ".to_owned(),
        );
    }
    notes
}

impl Part {
    fn of(part: &Trace) -> Part {
        Part {
            start: part.start(),
            end: part.end(),
            steps: part.values().len(),
        }
    }
}

impl Searched {
    fn of(setting: &Setting, best: String) -> Searched {
        let unit = setting.known.unit;
        let written = |value: Option<&f64>| unit.written(*value.unwrap_or(&setting.known.now));
        Searched {
            path: setting.known.path.clone(),
            from: written(setting.points.first()),
            to: written(setting.points.last()),
            values: setting.points.len(),
            now: unit.written(setting.known.now),
            best,
        }
    }
}
