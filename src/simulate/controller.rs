//! Who decides in a simulated world: tideform's engine, or a model of something else.

use std::time::Duration;

use jiff::Timestamp;

use super::world::{Fleet, Input, Target};
use crate::engine::explain::Line;

/// A time in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// Milliseconds since the run began.
    pub ms: i64,
    /// The same for rules that know a calendar.
    pub time: Timestamp,
}

/// What a controller sees when it decides. Metrics have come before, by [`Controller::sample`].
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// When.
    pub now: At,
    /// The instances: capacity asked for, live, in service, warmed up.
    pub fleet: &'a Fleet,
    /// How long one step of the world is, in milliseconds.
    pub step_ms: i64,
}

/// Decides how many instances a simulated group should have.
///
/// The run calls [`Controller::decide`] every [`Controller::every`], beginning at its start; before, it hands over the
/// samples that can be seen by then, oldest first. A controller keeps its own limits and memory: what it asks for is
/// carried out.
pub trait Controller {
    /// How often it decides.
    fn every(&self) -> Duration;

    /// The metrics that it reads. Constant over a run.
    fn inputs(&self) -> Vec<Input>;

    /// A sample of an input, by its place in [`Controller::inputs`], about the period that ended at `at`. `None`: there
    /// was nothing to measure.
    fn sample(&mut self, input: usize, at: At, value: Option<f64>);

    /// The capacity to ask for; the one that was last asked for, to change nothing.
    fn decide(&mut self, seen: &Seen<'_>) -> Target;

    /// The same, keeping what [`Controller::why`] needs.
    fn decide_aloud(&mut self, seen: &Seen<'_>) -> Target {
        self.decide(seen)
    }

    /// The reasons of the last [`Controller::decide_aloud`], in the words of `explain`; none where it has no words.
    fn why(&self) -> Vec<Line> {
        Vec::new()
    }
}

impl<C: Controller + ?Sized> Controller for Box<C> {
    fn every(&self) -> Duration {
        (**self).every()
    }

    fn inputs(&self) -> Vec<Input> {
        (**self).inputs()
    }

    fn sample(&mut self, input: usize, at: At, value: Option<f64>) {
        (**self).sample(input, at, value);
    }

    fn decide(&mut self, seen: &Seen<'_>) -> Target {
        (**self).decide(seen)
    }

    fn decide_aloud(&mut self, seen: &Seen<'_>) -> Target {
        (**self).decide_aloud(seen)
    }

    fn why(&self) -> Vec<Line> {
        (**self).why()
    }
}

/// A fleet that does not scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed(
    /// What it has.
    pub Target,
);

impl Controller for Fixed {
    fn every(&self) -> Duration {
        Duration::from_secs(86_400)
    }

    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    fn sample(&mut self, _: usize, _: At, _: Option<f64>) {}

    fn decide(&mut self, _: &Seen<'_>) -> Target {
        self.0
    }
}
