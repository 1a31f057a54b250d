//! Who scales the group of a scenario: tideform's loop, or the cloud's own policies.

use std::time::Duration;

use super::controller::{At, Controller, Seen};
use super::native::Native;
use super::policy::Policy;
use super::world::{Input, Target};
use crate::engine::explain::Line;

/// Who scales a group.
#[derive(Debug)]
pub enum Own<'r> {
    /// `controller = "tideform"`.
    Loop(Box<Policy<'r>>),
    /// `controller = "native"`.
    Cloud(Box<Native<'r>>),
}

impl Controller for Own<'_> {
    fn every(&self) -> Duration {
        match self {
            Own::Loop(policy) => policy.every(),
            Own::Cloud(native) => native.every(),
        }
    }

    fn inputs(&self) -> Vec<Input> {
        match self {
            Own::Loop(policy) => policy.inputs(),
            Own::Cloud(native) => native.inputs(),
        }
    }

    #[inline]
    fn sample(&mut self, input: usize, at: At, value: Option<f64>) {
        match self {
            Own::Loop(policy) => policy.sample(input, at, value),
            Own::Cloud(native) => native.sample(input, at, value),
        }
    }

    #[inline]
    fn decide(&mut self, seen: &Seen<'_>) -> Target {
        match self {
            Own::Loop(policy) => policy.decide(seen),
            Own::Cloud(native) => native.decide(seen),
        }
    }

    fn decide_aloud(&mut self, seen: &Seen<'_>) -> Target {
        match self {
            Own::Loop(policy) => policy.decide_aloud(seen),
            Own::Cloud(native) => native.decide_aloud(seen),
        }
    }

    fn why(&self) -> Vec<Line> {
        match self {
            Own::Loop(policy) => policy.why(),
            Own::Cloud(native) => native.why(),
        }
    }
}
