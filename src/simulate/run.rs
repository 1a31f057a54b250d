//! The run: a load goes through a world under a controller, step by step, and is measured.
//!
//! Nothing is kept of the past but the measures, so that memory does not grow with the length of the load; whoever
//! wants to see each step watches ([`Watch`]).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tideform_mock::world::millis;
use tideform_policies::model::Mix;

use crate::engine::spot_part;

use super::controller::{At, Controller, Seen};
use super::measure::{Measures, Tally};
use super::prices::Prices;
use super::trace::Trace;
use super::world::{Feed, Fleet, Model, Queue, Served, Supply, Target, Work};
use crate::engine::explain::Line;

/// What a run needs beside a controller and a load.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// When it begins.
    pub start: Timestamp,
    /// How long each rate of the load holds.
    pub step: Duration,
    /// The world.
    pub model: Model,
    /// What the group has at the start.
    pub initial: Target,
    /// The group is created at the start: its first instances have to boot. Else they have been in service for long.
    pub is_new: bool,
    /// Percent; above it users feel it. Above 0.
    pub slo_utilization: f64,
    /// What instances cost.
    pub prices: Prices,
    /// How a capacity is split, for a fleet that does not scale; `None`: all on demand.
    pub mix: Option<Mix>,
}

impl Setup {
    /// What a fleet fixed at so many units costs in a time, split as the group splits its own.
    pub fn fixed_fleet_usd(&self, units: u32, duration_s: f64) -> f64 {
        let weight = self.model.weight.max(1);
        let spot = self.mix.as_ref().map_or(0, |mix| spot_part(mix, units));
        let instances = |units: u32| f64::from(units.div_ceil(weight));
        let usd_per_hour = instances(units.saturating_sub(spot)) * self.prices.on_demand
            + instances(spot) * self.prices.spot;
        usd_per_hour * duration_s / 3_600.0
    }

    /// The load per second that one unit carries within the SLO.
    pub fn per_unit(&self) -> f64 {
        self.model.throughput * self.slo_utilization / 100.0
    }

    /// The units that a load needs: `ceil(load / (throughput x slo / 100))`.
    #[inline]
    pub fn demand(&self, load: f64) -> u32 {
        crate::engine::round_out(load / self.per_unit())
    }
}

/// One step of a run, once it is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Milliseconds since the run began.
    pub at_ms: i64,
    /// How long it was, in milliseconds.
    pub length_ms: i64,
    /// What was served.
    pub served: Served,
    /// The units that the load needed.
    pub demand: u32,
    /// The capacity asked for, in units.
    pub desired: u32,
}

/// Looks on. `()` does not.
pub trait Watch {
    /// Whether it may ask why, see [`Watch::decided`]; then every decision keeps what its reasons need.
    const ASKS_WHY: bool = false;

    /// A decision that changed what is asked for.
    fn changed(&mut self, at: At, from: Target, to: Target) {
        let _ = (at, from, to);
    }

    /// Any decision, before its step, where [`Watch::ASKS_WHY`]. `why` is worked out only when it is called.
    fn decided(&mut self, at: At, from: Target, to: Target, why: &dyn Fn() -> Vec<Line>) {
        let _ = (at, from, to, why);
    }

    /// A step is over.
    fn step(&mut self, step: &Step) {
        let _ = step;
    }
}

impl Watch for () {}

/// Two look on.
impl<A: Watch, B: Watch> Watch for (A, B) {
    const ASKS_WHY: bool = A::ASKS_WHY || B::ASKS_WHY;

    fn changed(&mut self, at: At, from: Target, to: Target) {
        self.0.changed(at, from, to);
        self.1.changed(at, from, to);
    }

    fn decided(&mut self, at: At, from: Target, to: Target, why: &dyn Fn() -> Vec<Line>) {
        self.0.decided(at, from, to, why);
        self.1.decided(at, from, to, why);
    }

    fn step(&mut self, step: &Step) {
        self.0.step(step);
        self.1.step(step);
    }
}

/// A run in progress.
#[derive(Debug)]
pub struct Run<C, W = ()> {
    setup: Setup,
    controller: C,
    watch: W,
    fleet: Fleet,
    feed: Feed,
    queue: Queue,
    tally: Tally,
    now: At,
    step_ms: i64,
    /// The same where it, and all times, are whole seconds.
    step_s: Option<i64>,
    /// World steps in one step of the load.
    steps_each: u32,
    every_ms: i64,
    decides_at: i64,
    steps: u64,
    per_unit: f64,
    is_faulty: bool,
}

impl<C: Controller> Run<C> {
    /// A run at its start.
    pub fn new(setup: Setup, controller: C) -> Run<C> {
        Run::watched(setup, controller, ())
    }
}

/// The longest step of a world that serves both: neither a step of the load nor the time between two decisions is cut.
fn common_step(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.max(1), b.max(1));
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl<C: Controller, W: Watch> Run<C, W> {
    /// A run at its start, with somebody who looks on.
    pub fn watched(setup: Setup, controller: C, watch: W) -> Run<C, W> {
        let inputs = controller.inputs();
        let load_ms = millis(setup.step).max(1);
        let every_ms = millis(controller.every()).max(1);
        // Samples shorter than a step do not exist: a step is no longer than the shortest.
        let shortest = inputs.iter().map(|input| millis(input.period).max(1000));
        let step_ms = shortest.fold(common_step(load_ms, every_ms), common_step);
        let origin_ms = setup.start.as_millisecond();
        let step = Duration::from_millis(step_ms.unsigned_abs());
        Run {
            fleet: Fleet::new(&setup.model, setup.initial, setup.is_new, step),
            feed: Feed::new(&inputs, &setup.model, step_ms, origin_ms),
            queue: Queue::new(step_ms as f64 / 1000.0),
            tally: Tally::new(step, setup.start),
            now: At {
                ms: 0,
                time: setup.start,
            },
            step_ms,
            step_s: (step_ms % 1000 == 0 && setup.start.subsec_nanosecond() == 0)
                .then_some(step_ms / 1000),
            steps_each: u32::try_from(load_ms / step_ms).unwrap_or(u32::MAX),
            every_ms,
            decides_at: 0,
            steps: 0,
            per_unit: setup.per_unit(),
            is_faulty: setup.model.faults.strike(),
            controller,
            watch,
            setup,
        }
    }

    /// How long one step of the world is.
    pub fn step_length(&self) -> Duration {
        Duration::from_millis(self.step_ms.unsigned_abs())
    }

    /// The next step of the load: a rate, finite and not negative.
    #[inline]
    pub fn push(&mut self, load: f64) {
        let demand = crate::engine::round_out(load / self.per_unit);
        for _ in 0..self.steps_each {
            self.step(load, demand);
        }
    }

    /// The next steps of the load.
    pub fn extend(&mut self, loads: &[f64]) {
        for load in loads {
            self.push(*load);
        }
    }

    #[inline]
    fn step(&mut self, load: f64, demand: u32) {
        let now = self.now;
        if self.is_faulty {
            self.fleet.strike(now.ms, self.steps);
        }
        if self.fleet.next_due() <= now.ms {
            self.fleet.advance(now.ms);
        }
        if self.decides_at == now.ms {
            self.decide();
        }
        let on = Supply {
            units: self.fleet.serving(),
            instances: self.fleet.serving_instances(),
            live: self.fleet.live(),
        };
        let model = &self.setup.model;
        let served = match model.work {
            Work::Requests => Served::requests(load, on, model.throughput),
            Work::Queue => self.queue.step(load, on, model),
        };
        self.tally.step(&served, demand);
        self.watch.step(&Step {
            at_ms: now.ms,
            length_ms: self.step_ms,
            served,
            demand,
            desired: self.fleet.desired(),
        });
        self.steps += 1;
        let end = match self.step_s {
            Some(step_s) => At {
                ms: now.ms + self.step_ms,
                time: Timestamp::from_second(now.time.as_second() + step_s)
                    .unwrap_or(Timestamp::MAX),
            },
            None => at(self.setup.start, now.ms + self.step_ms),
        };
        let controller = &mut self.controller;
        self.feed
            .step(&served, &self.queue, model, end.ms, |input, value| {
                controller.sample(input, end, value);
            });
        self.now = end;
    }

    #[inline]
    fn decide(&mut self) {
        let now = self.now;
        self.decides_at += self.every_ms;
        let (controller, start) = (&mut self.controller, self.setup.start);
        self.feed.publish(now.ms, |input, ms, value| {
            controller.sample(input, at(start, ms), value);
        });
        let before = self.fleet.target();
        let seen = Seen {
            now,
            fleet: &self.fleet,
            step_ms: self.step_ms,
        };
        let after = if W::ASKS_WHY {
            let after = controller.decide_aloud(&seen);
            self.watch.decided(now, before, after, &|| controller.why());
            after
        } else {
            controller.decide(&seen)
        };
        if after != before {
            self.fleet.ask(after, now.ms);
            if after.desired != before.desired {
                self.tally.changed(now.ms, before.desired, after.desired);
            }
            self.watch.changed(now, before, after);
        }
    }

    /// What came of it, the controller, and who looked on.
    pub fn finish(self) -> (Measures, C, W) {
        let measures = self.tally.finish(&self.setup, &self.fleet, self.now.ms);
        (measures, self.controller, self.watch)
    }
}

/// A trace through a controller.
pub fn simulate<C: Controller>(setup: Setup, controller: C, trace: &Trace) -> Measures {
    let mut run = Run::new(setup, controller);
    run.extend(trace.values());
    run.finish().0
}

/// A time of the run. Traces end within time, so that it exists.
#[inline]
fn at(start: Timestamp, ms: i64) -> At {
    let time = if ms % 1000 == 0 {
        Timestamp::new(start.as_second() + ms / 1000, start.subsec_nanosecond()).ok()
    } else {
        start.checked_add(SignedDuration::from_millis(ms)).ok()
    };
    At {
        ms,
        time: time.unwrap_or(Timestamp::MAX),
    }
}
