//! Amazon EC2 Auto Scaling and its alarms: what target tracking and step scaling do, in data points.
//!
//! - `alarm`: M of N data points, and what absent ones stand for.
//! - `policy`: target tracking, steps, and several policies at once.
//! - [`OneMetric`]: policies on one metric, as a controller; groups with more are [`crate::simulate::native`]'s.

mod alarm;
mod policy;

use std::time::Duration;

use tideform_mock::world::millis;

pub use alarm::{Alarm, LOOKED_BACK, Missing, State};
#[cfg(test)]
pub(crate) use policy::Opinion;
pub use policy::{
    Adjustment, HIGH_PERIODS, LOW_OF_TARGET, LOW_PERIODS, Policy, Side, Standing, Step, Stepping,
    Tracking, desired,
};

use super::common::Common;
use crate::simulate::controller::{At, Controller, Seen};
use crate::simulate::world::{Input, Target};

/// An alarm in `ALARM` asks its policy again and again, so often.
///
/// Source: Amazon CloudWatch User Guide, "Alarm actions": once a minute for Auto Scaling.
pub const ACTS_EVERY: Duration = Duration::from_secs(60);

/// How long new instances warm up where neither the policy nor the group says.
///
/// Source: Amazon EC2 Auto Scaling API, EstimatedInstanceWarmup: without it and without a DefaultInstanceWarmup it is the
/// group's default cooldown, 300 s.
pub const WARMUP: Duration = Duration::from_secs(300);

/// Policies that all look at one metric.
#[derive(Clone, Debug)]
pub struct OneMetric {
    common: Common,
    period: Duration,
    policies: Vec<Policy>,
    warmup_ms: i64,
    points: Vec<Option<f64>>,
}

impl OneMetric {
    /// These policies, on data points of this length.
    pub(super) fn new(common: Common, period: Duration, policies: Vec<Policy>) -> OneMetric {
        OneMetric {
            period,
            policies,
            warmup_ms: millis(common.warmup.unwrap_or(WARMUP)),
            points: Vec::new(),
            common,
        }
    }
}

impl Controller for OneMetric {
    fn every(&self) -> Duration {
        ACTS_EVERY.min(self.period)
    }

    fn inputs(&self) -> Vec<Input> {
        vec![self.common.input(self.period)]
    }

    fn sample(&mut self, _: usize, _: At, value: Option<f64>) {
        self.points.push(value);
    }

    fn decide(&mut self, seen: &Seen<'_>) -> Target {
        for point in self.points.drain(..) {
            for policy in &mut self.policies {
                policy.push(point, seen.fleet.serving());
            }
        }
        let standing = Standing {
            in_service: seen.fleet.units(seen.now.ms, self.warmup_ms).ready,
            desired: seen.fleet.desired(),
            min: self.common.min,
            max: self.common.max,
        };
        self.common.ask(desired(self.policies.iter(), standing))
    }
}
