//! What each kind of policy would have cost: a sketch of five rules, replayed on the trace.
//!
//! Each rule's target is chosen on the first part of the trace, and judged on the part that is held back, against the
//! clairvoyant optimum of that part. The world is simple: steps as long as the trace's, a boot in whole steps, the load
//! of the last step known. `tideform simulate` plays whole policies; this ranks kinds.

use std::collections::VecDeque;
use std::time::Duration;

use serde::Serialize;

use super::hours::Hours;
use super::{DAY_S, HOUR_S, Options, Series, WEEK_S, numbers, predict, windows};
use crate::simulate::optimum;

/// A kind of policy, from simple to elaborate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// As many instances as the peak needed, always.
    #[default]
    FixedFleet,
    /// A metric held at a target.
    TargetTracking,
    /// More instances by the size of the breach.
    Steps,
    /// Target tracking, with floors by the hour.
    Schedule,
    /// Target tracking, with predicted demand as the floor.
    Forecast,
}

impl Kind {
    /// From simple to elaborate.
    pub const ALL: [Kind; 5] = [
        Kind::FixedFleet,
        Kind::TargetTracking,
        Kind::Steps,
        Kind::Schedule,
        Kind::Forecast,
    ];

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Kind::FixedFleet => "fixed fleet",
            Kind::TargetTracking => "target tracking",
            Kind::Steps => "steps",
            Kind::Schedule => "schedule",
            Kind::Forecast => "forecast",
        }
    }
}

/// All kinds on the same time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replay {
    /// Where the part begins that was held back.
    pub from: jiff::Timestamp,
    /// The load that one instance carries within the SLO.
    pub load_per_instance: f64,
    /// Whether that is known, or assumed.
    pub is_assumed: bool,
    /// The most instances that demand ever needs.
    pub peak_instances: u32,
    /// Of missing one instance, in prices of one.
    pub penalty: f64,
    /// The instance-hours of the optimum, in percent of a fleet fixed at the largest demand of the first part.
    pub optimum_percent_of_fixed: f64,
    /// Whether days or weeks are alike enough for schedules and forecasts.
    pub is_regular: bool,
    /// Each kind.
    pub kinds: Vec<Played>,
}

/// What came of a kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Played {
    /// Which.
    pub kind: Kind,
    /// The target that was best on the first part, in percent of an instance; nothing for a fixed fleet.
    pub target_percent: Option<u32>,
    /// Cost and penalty over those of the optimum.
    pub regret: f64,
    /// The stabilization of scaling in that was best with it.
    pub hold_s: Option<u64>,
    /// Its instance-hours, in percent of the fixed fleet's.
    pub percent_of_fixed: f64,
    /// Missing instance-hours, in percent of those demanded.
    pub missing_percent: f64,
    /// Time with any instance missing, in percent.
    pub short_percent: f64,
}

impl Replay {
    /// What came of a kind.
    pub fn of(&self, kind: Kind) -> Option<&Played> {
        self.kinds.iter().find(|played| played.kind == kind)
    }

    /// The simplest kind that is nearly as good as the best: a fixed fleet within 10 %, any other within 3 %.
    /// Schedules and forecasts are not among them where no day is like another.
    pub fn choice(&self) -> Option<&Played> {
        let among = || {
            self.kinds
                .iter()
                .filter(|played| self.is_regular || played.kind < Kind::Schedule)
        };
        let best = among().map(|played| played.regret).min_by(f64::total_cmp)?;
        among().find(|played| {
            let slack = match played.kind {
                Kind::FixedFleet => 1.10,
                Kind::TargetTracking | Kind::Steps | Kind::Schedule | Kind::Forecast => 1.03,
            };
            played.regret <= best * slack
        })
    }
}

/// Of missing one instance, in prices of one.
const PENALTY: f64 = 10.0;
/// What an instance may be used within the SLO, in percent: the model's default.
const SLO_PERCENT: f64 = 80.0;
/// Without a throughput, the 99.9th percentile of the load needs so many.
const ASSUMED_PEAK: f64 = 20.0;
/// The targets tried.
const TARGETS: [u32; 6] = [40, 50, 60, 65, 70, 75];
/// From this utilization on, in percent, an instance counts as full.
const FULL: f64 = 95.0;
/// The lengths of `scale_in.stabilization` tried.
const HOLDS_S: [u64; 3] = [300, 900, 3600];

/// What is chosen on the first part.
#[derive(Clone, Copy, Debug)]
struct Settings {
    target: u32,
    hold_s: u64,
}

/// What is played on.
struct Ground<'a> {
    /// The load, in instances within the SLO.
    load: Vec<f64>,
    demand: Vec<u32>,
    boot: usize,
    step_s: u64,
    day: usize,
    week: Option<usize>,
    hour: usize,
    hours: &'a Hours,
    per_instance: f64,
    knows_load: bool,
}

/// The load that one instance carries within the SLO, however short the trace; nothing where neither the options nor
/// the load say it.
pub(super) fn load_per_instance(series: &Series, options: &Options) -> Option<f64> {
    let per_instance = match options.throughput {
        Some(throughput) => throughput * SLO_PERCENT / 100.0,
        None => numbers::quantile(&numbers::sorted(&series.values), 0.999) / ASSUMED_PEAK,
    };
    (per_instance > 0.0).then_some(per_instance)
}

pub(super) fn of(
    series: &Series,
    hours: &Hours,
    options: &Options,
    per_instance: f64,
    is_regular: bool,
) -> Option<Replay> {
    let from = predict::held_back(series)?;
    let day = series.steps_in(DAY_S)?;
    let load: Vec<f64> = series.values.iter().map(|v| v / per_instance).collect();
    let ground = Ground {
        demand: load.iter().map(|load| load.ceil() as u32).collect(),
        load,
        boot: ((options.boot.as_secs() + series.step_s / 2) / series.step_s) as usize,
        step_s: series.step_s,
        day,
        week: series.steps_in(WEEK_S).filter(|week| from >= 2 * week),
        hour: (HOUR_S / series.step_s).max(1) as usize,
        hours,
        per_instance,
        knows_load: options.throughput.is_some(),
    };
    let steps = ground.demand.len();
    let peak = *ground.demand.get(..from)?.iter().max()?;
    let held_back = ground.demand.get(from..)?;
    let step = Duration::from_secs(series.step_s);
    let best = optimum::solve(&optimum::Problem {
        demand: optimum::Demand::Steps(held_back),
        weight: 1,
        step,
        boot: step * u32::try_from(ground.boot).ok()?,
        drain: Duration::ZERO,
        minimum_billing: Duration::ZERO,
        start: *held_back.first()?,
        min: 0,
        max: None,
        rate_out: None,
        rate_in: None,
        price_usd_per_hour: 1.0,
        on_demand_usd_per_hour: 1.0,
        penalty: PENALTY,
    })
    .ok()?;
    let step_hours = series.step_s as f64 / HOUR_S as f64;
    let fixed_hours = f64::from(peak) * held_back.len() as f64 * step_hours;
    let demanded: f64 = held_back.iter().map(|demand| f64::from(*demand)).sum();
    let kinds = Kind::ALL
        .iter()
        .map(|kind| {
            let rule = Rule::new(*kind, &ground, from, peak);
            let best_settings = rule.best_settings(&ground, from);
            let score = rule.play(&ground, from..steps, best_settings);
            Played {
                kind: *kind,
                target_percent: (*kind != Kind::FixedFleet).then_some(best_settings.target),
                hold_s: (*kind != Kind::FixedFleet).then_some(best_settings.hold_s),
                regret: score.objective() * step_hours / best.objective_usd.max(f64::MIN_POSITIVE),
                percent_of_fixed: 100.0 * numbers::ratio(score.paid * step_hours, fixed_hours),
                missing_percent: 100.0 * numbers::ratio(score.missing, demanded),
                short_percent: 100.0 * score.short / held_back.len() as f64,
            }
        })
        .collect();
    Some(Replay {
        from: series.at(from),
        load_per_instance: per_instance,
        is_assumed: options.throughput.is_none(),
        peak_instances: ground.demand.iter().copied().max()?,
        penalty: PENALTY,
        optimum_percent_of_fixed: 100.0
            * numbers::ratio(best.account.instance_hours(), fixed_hours),
        is_regular,
        kinds,
    })
}

/// Instance-steps.
#[derive(Clone, Copy, Debug, Default)]
struct Score {
    paid: f64,
    missing: f64,
    short: f64,
}

impl Score {
    fn objective(&self) -> f64 {
        self.paid + PENALTY * self.missing
    }
}

/// A rule, and what it has learned from the first part.
struct Rule {
    kind: Kind,
    peak: u32,
    /// Whether it tracks the load of an instance, not its utilization.
    knows_load: bool,
    /// The floor of each step.
    floors: Vec<u32>,
}

impl Rule {
    fn new(kind: Kind, ground: &Ground<'_>, from: usize, peak: u32) -> Rule {
        let floors = match kind {
            Kind::FixedFleet | Kind::TargetTracking | Kind::Steps => Vec::new(),
            Kind::Schedule => scheduled(ground, from),
            Kind::Forecast => predicted(ground),
        };
        Rule {
            kind,
            peak,
            knows_load: ground.knows_load,
            floors,
        }
    }

    fn best_settings(&self, ground: &Ground<'_>, from: usize) -> Settings {
        // Two days to fill what a forecast looks back on.
        let first = (2 * ground.day).min(from / 2);
        let judged = |settings| self.play(ground, first..from, settings).objective();
        HOLDS_S
            .into_iter()
            .flat_map(|hold_s| TARGETS.map(|target| Settings { target, hold_s }))
            .map(|settings| (settings, judged(settings)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .map_or(
                Settings {
                    target: TARGETS[0],
                    hold_s: HOLDS_S[0],
                },
                |(settings, _)| settings,
            )
    }

    fn play(&self, ground: &Ground<'_>, over: std::ops::Range<usize>, settings: Settings) -> Score {
        let target = settings.target;
        let hold = settings.hold_s.div_ceil(ground.step_s) as usize;
        let mut score = Score::default();
        let mut ready = ground.demand.get(over.start).copied().unwrap_or(0);
        let mut booting: VecDeque<u32> = std::iter::repeat_n(0, ground.boot).collect();
        let mut on_the_way = 0;
        let mut wishes: VecDeque<(usize, u32)> = VecDeque::new();
        for at in over {
            let here = booting.pop_front().unwrap_or(0);
            ready += here;
            on_the_way -= here;
            let alive = ready + on_the_way;
            let seen = at.checked_sub(1).map_or(0.0, |before| ground.load[before]);
            let wish = self.wish(seen, ready, alive, target);
            let floor = self.floors.get(at).copied().unwrap_or(0);
            // The largest wish of the window.
            while wishes.back().is_some_and(|(_, last)| *last <= wish) {
                wishes.pop_back();
            }
            wishes.push_back((at, wish));
            while wishes.front().is_some_and(|(then, _)| then + hold < at) {
                wishes.pop_front();
            }
            let steady = wishes.front().map_or(wish, |(_, most)| *most);
            let wanted = wish.max(steady.min(alive)).max(floor).max(1);
            let wanted = if self.kind == Kind::FixedFleet {
                self.peak.max(1)
            } else {
                wanted
            };
            if wanted > alive {
                if ground.boot == 0 {
                    ready += wanted - alive;
                } else {
                    on_the_way += wanted - alive;
                }
            } else {
                ready -= (alive - wanted).min(ready);
            }
            if ground.boot > 0 {
                booting.push_back(wanted.saturating_sub(alive));
            }
            let missing = ground.demand[at].saturating_sub(ready);
            score.paid += f64::from(ready + on_the_way);
            score.missing += f64::from(missing);
            score.short += f64::from(u8::from(missing > 0));
        }
        score
    }

    /// What the rule wants of its metric alone.
    fn wish(&self, seen: f64, ready: u32, alive: u32, target: u32) -> u32 {
        let used = SLO_PERCENT * seen / f64::from(ready.max(1));
        let target = f64::from(target);
        // A share of the ready, rounded as steps do.
        let share = |share: f64| ((f64::from(ready) * share) as u32).max(1);
        let add = |of: f64| (ready + share(of)).max(alive);
        let remove = |of: f64| ready.saturating_sub(share(of)).min(alive);
        if self.kind == Kind::Steps {
            return match used {
                used if used >= FULL => add(1.0),
                used if used >= target + 15.0 => add(0.5),
                used if used >= target => add(0.2),
                used if used < 0.5 * target => remove(0.25),
                used if used < 0.75 * target => remove(0.1),
                _ => alive,
            };
        }
        // The load is known where the throughput is; a utilization is cut at 100 %, and from 95 % on a step helps.
        let shown = if self.knows_load {
            used
        } else {
            used.min(100.0)
        };
        let wish = if (shown / target - 1.0).abs() <= 0.1 {
            alive
        } else {
            let proportional = (f64::from(ready) * shown / target).ceil() as u32;
            proportional.max(if shown > target { alive } else { 0 })
        };
        if !self.knows_load && used >= FULL {
            wish.max(add(0.5))
        } else {
            wish
        }
    }
}

/// Floors in the busy times of the first part, from a boot before they begin.
fn scheduled(ground: &Ground<'_>, from: usize) -> Vec<u32> {
    let cell = |step: usize| ground.hours.of_step.get(step).map(|cell| *cell as usize);
    let windows = windows::of(
        ground.hours,
        0..cell(from).unwrap_or(0),
        ground.week.is_some(),
    );
    let floor: Vec<u32> = ground
        .hours
        .cells
        .iter()
        .map(|cell| {
            let busy = windows.iter().filter(|window| window.holds(cell));
            let load = busy.map(|window| window.load).fold(0.0, f64::max);
            (load / ground.per_instance).ceil() as u32
        })
        .collect();
    let of = |step: usize| {
        let cell = cell(step.min(ground.load.len().saturating_sub(1)));
        cell.and_then(|cell| floor.get(cell).copied()).unwrap_or(0)
    };
    (0..ground.load.len())
        .map(|step| of(step).max(of(step + ground.boot)))
        .collect()
}

/// Floors by prediction: the last three days, or weeks, at the level of the last hour, and a tenth more.
fn predicted(ground: &Ground<'_>) -> Vec<u32> {
    let season = ground.week.unwrap_or(ground.day);
    // Known is the load of the step before.
    let ahead = ground.boot + 1;
    let last = ground.load.len().saturating_sub(1);
    (0..ground.load.len())
        .map(|step| {
            let at = step + ground.boot;
            let predicted = (at <= last)
                .then(|| {
                    predict::season(&ground.load, at, ahead, season, ground.hour).or_else(|| {
                        predict::season(&ground.load, at, ahead, ground.day, ground.hour)
                    })
                })
                .flatten();
            (predicted.unwrap_or(0.0) * 1.1).ceil() as u32
        })
        .collect()
}
