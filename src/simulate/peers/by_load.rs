//! Published rules that see the load itself: they are told how many units it needs, decide on a regular beat, and know
//! how many they have.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::Statistic;

use super::common::Common;
use crate::simulate::controller::{At, Controller, Seen};
use crate::simulate::world::{Input, Target, WorldMetric};

/// The least demand that a rule is told, so that no rule divides by nothing.
const LEAST_DEMAND: f64 = 0.01;

/// What a rule sees.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Units that the load needed in past slots, with fractions, oldest first; never empty.
    pub demands: &'a VecDeque<f64>,
    /// The newest of them.
    pub demand: f64,
    /// Units asked for.
    pub asked: u32,
    /// Units in service.
    pub serving: u32,
    /// When the slot begins that is decided about.
    pub now: Timestamp,
    /// When the slot of the newest demand began.
    pub before: Timestamp,
    /// Slots from launch to serving.
    pub boot_slots: u32,
}

/// A rule: how many units it wants.
pub trait Rule: Debug {
    /// How many past slots it looks at.
    const SLOTS: usize;

    /// How many units it wants.
    fn want(&mut self, moment: &Moment<'_>) -> u32;
}

/// A rule as a controller.
#[derive(Clone, Debug)]
pub struct ByLoad<R> {
    common: Common,
    rule: R,
    demands: VecDeque<f64>,
    boot_slots: u32,
}

impl<R: Rule> ByLoad<R> {
    /// It, for a group. A slot is the time between two decisions of the policy.
    pub fn new(common: Common, rule: R) -> ByLoad<R> {
        let slots = common.boot.as_secs_f64() / common.every.as_secs_f64().max(1.0);
        ByLoad {
            boot_slots: slots.round() as u32,
            demands: VecDeque::with_capacity(R::SLOTS + 1),
            common,
            rule,
        }
    }
}

impl<R: Rule> Controller for ByLoad<R> {
    fn every(&self) -> Duration {
        self.common.every
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input {
            metric: WorldMetric::Requests,
            statistic: Statistic::Average,
            period: self.common.every,
            delay: self.common.delay,
        }]
    }

    fn sample(&mut self, _: usize, _: At, value: Option<f64>) {
        let Some(load) = value else { return };
        if self.demands.len() >= R::SLOTS {
            self.demands.pop_front();
        }
        self.demands
            .push_back((load / self.common.per_unit).max(LEAST_DEMAND));
    }

    fn decide(&mut self, seen: &Seen<'_>) -> Target {
        let Some(demand) = self.demands.back().copied() else {
            return self.common.ask(seen.fleet.desired());
        };
        let every = jiff::SignedDuration::try_from(self.common.every).unwrap_or_default();
        let want = self.rule.want(&Moment {
            demands: &self.demands,
            demand,
            asked: seen.fleet.desired(),
            serving: seen.fleet.serving(),
            now: seen.now.time,
            before: seen.now.time - every,
            boot_slots: self.boot_slots,
        });
        self.common.ask(want.max(1))
    }
}
