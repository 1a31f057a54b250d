//! The Nomad Autoscaler: its target-value strategy with the agent's defaults.
//!
//! Source: Nomad Autoscaler, "Target Value Strategy Plugin" and "Agent Configuration", `policy`.

use std::time::Duration;

use tideform_mock::world::millis;
use tideform_policies::model::Scope;

use super::common::Common;
use crate::engine::round_out;
use crate::simulate::controller::{At, Controller, Seen};
use crate::simulate::world::{Input, Target};

/// `default_evaluation_interval`.
pub const EVALUATION_INTERVAL: Duration = Duration::from_secs(10);

/// `default_cooldown`; `cooldown_on_scale_up` is the same where it is not given.
pub const COOLDOWN: Duration = Duration::from_secs(300);

/// `threshold` of the strategy.
pub const THRESHOLD: f64 = 0.01;

/// It.
#[derive(Clone, Debug)]
pub struct Nomad {
    common: Common,
    newest: Option<f64>,
    cools_until_ms: i64,
}

/// What the strategy makes of a factor, the newest sample over the target; `None`: nothing.
pub(crate) fn target_value(factor: f64, count: u32) -> Option<u32> {
    let new = if count == 0 {
        (factor > 0.0).then(|| round_out(factor))
    } else {
        let is_near = (1.0 - THRESHOLD - 1e-12..=1.0 + THRESHOLD + 1e-12).contains(&factor);
        (!is_near).then(|| round_out(f64::from(count) * factor))
    };
    new.filter(|new| *new != count)
}

impl Nomad {
    /// It, for a group.
    pub fn new(common: Common) -> Nomad {
        Nomad {
            common,
            newest: None,
            cools_until_ms: i64::MIN,
        }
    }

    fn factor(&self, value: f64, count: u32) -> f64 {
        match self.common.scope {
            // A total is divided among the count in the query.
            Scope::Group => self.common.ratio(value, count),
            Scope::Instance | Scope::Shared => value / self.common.target,
        }
    }
}

impl Controller for Nomad {
    fn every(&self) -> Duration {
        EVALUATION_INTERVAL
    }

    fn inputs(&self) -> Vec<Input> {
        vec![self.common.input(EVALUATION_INTERVAL)]
    }

    fn sample(&mut self, _: usize, _: At, value: Option<f64>) {
        self.newest = value;
    }

    fn decide(&mut self, seen: &Seen<'_>) -> Target {
        let current = seen.fleet.desired();
        let keep = self.common.ask(current);
        if seen.now.ms < self.cools_until_ms {
            return seen.fleet.target();
        }
        let action = self
            .newest
            .and_then(|value| target_value(self.factor(value, current), current));
        let Some(new) = action else {
            return keep;
        };
        let asked = self.common.ask(new);
        if asked.desired != current {
            self.cools_until_ms = seen.now.ms + millis(COOLDOWN);
        }
        asked
    }
}

/// Its settings, in a line.
pub(super) fn settings(common: &Common) -> String {
    format!(
        "{}; target-value every 10s, threshold 1%, cooldown 5m",
        common.aim()
    )
}
