//! Counting as steps pass.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::measures::{Elasticity, Measures, Moves};
use crate::simulate::run::Setup;
use crate::simulate::world::{Fleet, Served};

/// Demands up to this have a place of their own in a list; larger ones are looked up.
const LISTED: usize = 4_096;

/// A reversal within this time is flapping.
const FLAPPING_MS: i64 = 15 * 60_000;

/// The steps in which so much was needed.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    steps: u64,
    short_steps: u64,
    over_steps: u64,
    /// Units that were missing, summed over steps.
    missing: u64,
    /// Units that were too many.
    surplus: u64,
}

/// What is counted as steps pass.
#[derive(Clone, Debug)]
pub struct Tally {
    step_s: f64,
    minute: Minute,
    by_demand: Vec<Bucket>,
    by_large_demand: BTreeMap<u32, Bucket>,
    steps: u64,
    load: f64,
    unserved: f64,
    backlog: f64,
    peak_backlog: f64,
    serving: u64,
    peak_serving: u32,
    previous: Option<(u32, u32)>,
    unstable: u64,
    /// Steps in which capacity changed, less those in which demand did.
    jitter: i64,
    out: u64,
    r#in: u64,
    reversals: u64,
    last_move: Option<(i64, bool)>,
}

/// Minutes that are made of several steps: one counts as short where any of its steps is.
#[derive(Clone, Copy, Debug)]
struct Minute {
    /// Milliseconds; 0 where steps are a minute or longer.
    step_ms: i64,
    /// Of the minute that is open, since 1970.
    into_ms: i64,
    is_short: bool,
    short: u64,
    all: u64,
}

impl Tally {
    /// Nothing counted yet, in steps of so long from then on.
    pub fn new(step: Duration, start: Timestamp) -> Tally {
        let step_ms = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
        Tally {
            step_s: step.as_secs_f64(),
            minute: Minute {
                step_ms: if step_ms < 60_000 { step_ms } else { 0 },
                into_ms: start.as_millisecond().rem_euclid(60_000),
                is_short: false,
                short: 0,
                all: 0,
            },
            by_demand: Vec::new(),
            by_large_demand: BTreeMap::new(),
            steps: 0,
            load: 0.0,
            unserved: 0.0,
            backlog: 0.0,
            peak_backlog: 0.0,
            serving: 0,
            peak_serving: 0,
            previous: None,
            unstable: 0,
            jitter: 0,
            out: 0,
            r#in: 0,
            reversals: 0,
            last_move: None,
        }
    }

    /// A step is over.
    #[inline]
    pub fn step(&mut self, served: &Served, demand: u32) {
        let supply = served.units;
        let bucket = match self.by_demand.get_mut(demand as usize) {
            Some(bucket) => bucket,
            None => self.bucket(demand),
        };
        bucket.steps += 1;
        if demand > supply {
            bucket.short_steps += 1;
            bucket.missing += u64::from(demand - supply);
        } else if supply > demand {
            bucket.over_steps += 1;
            bucket.surplus += u64::from(supply - demand);
        }
        self.steps += 1;
        self.load += served.load;
        self.unserved += served.unserved;
        if served.backlog > 0.0 {
            self.backlog += served.backlog;
            self.peak_backlog = self.peak_backlog.max(served.backlog);
        }
        self.serving += u64::from(supply);
        self.peak_serving = self.peak_serving.max(supply);
        if let Some((demanded, supplied)) = self.previous
            && (demanded != demand || supplied != supply)
        {
            self.unstable += u64::from(demand.cmp(&demanded) != supply.cmp(&supplied));
            self.jitter += i64::from(supplied != supply) - i64::from(demanded != demand);
        }
        self.previous = Some((demand, supply));
        if self.minute.step_ms > 0 {
            self.minute.step(demand > supply);
        }
    }

    #[cold]
    fn bucket(&mut self, demand: u32) -> &mut Bucket {
        let place = demand as usize;
        if place >= LISTED {
            return self.by_large_demand.entry(demand).or_default();
        }
        if self.by_demand.len() <= place {
            self.by_demand.resize(place + 1, Bucket::default());
        }
        &mut self.by_demand[place]
    }

    /// What is asked for has changed.
    pub fn changed(&mut self, at_ms: i64, from: u32, to: u32) {
        let is_out = to > from;
        if is_out {
            self.out += 1;
        } else {
            self.r#in += 1;
        }
        if let Some((last_ms, was_out)) = self.last_move
            && was_out != is_out
            && at_ms - last_ms <= FLAPPING_MS
        {
            self.reversals += 1;
        }
        self.last_move = Some((at_ms, is_out));
    }

    /// What came of it, at the end of a run.
    pub fn finish(mut self, setup: &Setup, fleet: &Fleet, end_ms: i64) -> Measures {
        self.minute.close();
        let steps = self.steps.max(1) as f64;
        let hours = self.step_s / 3_600.0;
        let duration_s = self.step_s * self.steps as f64;
        let listed = (0..).zip(self.by_demand.iter().copied());
        let large = self
            .by_large_demand
            .iter()
            .map(|(demand, bucket)| (*demand, *bucket));
        let buckets: Vec<(u32, Bucket)> = listed
            .chain(large)
            .filter(|(_, bucket)| bucket.steps > 0)
            .collect();
        let sum =
            |of: fn(&Bucket) -> u64| buckets.iter().map(|(_, bucket)| of(bucket)).sum::<u64>();
        let demanded: u64 = buckets.iter().map(|(d, b)| u64::from(*d) * b.steps).sum();
        let peak_demand = buckets.last().map_or(0, |(demand, _)| *demand);
        let mean_demand = demanded as f64 / steps;
        let scaled = elasticity(&buckets, steps);
        let still = mean_demand.ceil() as u32;
        let fixed: Vec<(u32, Bucket)> = buckets
            .iter()
            .map(|(demand, bucket)| {
                let bucket = Bucket {
                    missing: u64::from(demand.saturating_sub(still)) * bucket.steps,
                    surplus: u64::from(still.saturating_sub(*demand)) * bucket.steps,
                    short_steps: if *demand > still { bucket.steps } else { 0 },
                    over_steps: if *demand < still { bucket.steps } else { 0 },
                    ..*bucket
                };
                (*demand, bucket)
            })
            .collect();
        let unscaled = elasticity(&fixed, steps);
        let billed = fleet.billed(end_ms);
        let fixed_fleet_usd = setup.fixed_fleet_usd(peak_demand, duration_s);
        let (short, minutes) = if self.minute.all > 0 {
            (self.minute.short as f64, self.minute.all as f64)
        } else {
            let each = self.step_s / 60.0;
            (sum(|b| b.short_steps) as f64 * each, steps * each)
        };
        let happened = fleet.happened();
        Measures {
            duration_s,
            steps: self.steps,
            step_s: self.step_s,
            cost_usd: setup.prices.cost_usd(billed),
            on_demand_hours: billed[0] as f64 / 3_600_000.0,
            spot_hours: billed[1] as f64 / 3_600_000.0,
            missing_unit_hours: sum(|b| b.missing) as f64 * hours,
            surplus_unit_hours: sum(|b| b.surplus) as f64 * hours,
            load_total: self.load * self.step_s,
            unserved_total: self.unserved * self.step_s,
            mean_backlog: self.backlog / steps,
            peak_backlog: self.peak_backlog,
            short_minutes: short,
            slo_attainment_percent: 100.0 * (1.0 - short / minutes),
            elasticity: Elasticity {
                instability_percent: if self.steps > 1 {
                    100.0 * self.unstable as f64 / (steps - 1.0)
                } else {
                    0.0
                },
                jitter_per_hour: self.jitter as f64 / (hours * steps),
                ..scaled
            },
            elastic_speedup: super::elastic_speedup(&unscaled, &scaled),
            moves: Moves {
                out: self.out,
                r#in: self.r#in,
                reversals: self.reversals,
            },
            mean_capacity: self.serving as f64 / steps,
            peak_capacity: self.peak_serving,
            mean_demand,
            peak_demand,
            fixed_fleet_usd,
            launches: happened.launches,
            failed_launches: happened.failed_launches,
            interruptions: happened.interruptions,
            breakdowns: happened.breakdowns,
        }
    }
}

/// The measures of accuracy and time share; where nothing is needed, the surplus counts as a share of one unit.
fn elasticity(buckets: &[(u32, Bucket)], steps: f64) -> Elasticity {
    let mut all = Elasticity::default();
    for (demand, bucket) in buckets {
        let demand = f64::from((*demand).max(1));
        all.under_accuracy_percent += bucket.missing as f64 / demand;
        all.over_accuracy_percent += bucket.surplus as f64 / demand;
        all.under_timeshare_percent += bucket.short_steps as f64;
        all.over_timeshare_percent += bucket.over_steps as f64;
    }
    let percent = 100.0 / steps;
    all.under_accuracy_percent *= percent;
    all.over_accuracy_percent *= percent;
    all.under_timeshare_percent *= percent;
    all.over_timeshare_percent *= percent;
    all
}

impl Minute {
    #[inline]
    fn step(&mut self, is_short: bool) {
        // A minute belongs to the step that begins in it.
        self.is_short |= is_short;
        self.into_ms += self.step_ms;
        if self.into_ms >= 60_000 {
            self.into_ms -= 60_000;
            self.all += 1;
            self.short += u64::from(self.is_short);
            self.is_short = false;
        }
    }

    /// The last minute may be a part of one.
    fn close(&mut self) {
        if self.step_ms > 0 && self.into_ms > 0 {
            self.all += 1;
            self.short += u64::from(self.is_short);
        }
    }
}
