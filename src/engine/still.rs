//! How far a metric may go before a group that stays as it is has to be decided about again.
//!
//! It decides nothing: it says of which decisions it is known beforehand that they change nothing, so that a simulation
//! need not ask for them. What the engine would have remembered of them, [`Memory::stayed`] adds.

use jiff::Timestamp;
use tideform_policies::model::{Capacity, Rule};

use super::is_bare;
use super::memory::Memory;
use super::observation::Observation;
use super::rules::Rules;

/// A value nearer than this to the edge of the tolerance is decided about.
const MARGIN: f64 = 1e-6;

/// A group that stays as it is for as long as one metric stays within its tolerance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Still {
    /// The metric, by its place in the policy.
    pub metric: usize,
    /// What is asked for, and stays so.
    pub current: Capacity,
    low: f64,
    high: f64,
}

impl Still {
    /// Whether nothing changes at this value of the metric, freshly sampled and with one value for the group, where all
    /// that is asked for is ready and nothing is warming, and whatever else was observed is as it was.
    #[inline]
    pub fn holds_at(&self, value: f64) -> bool {
        self.low < value && value < self.high
    }
}

/// What can be said beforehand of a group with one metric with a rule, which is tracked by its mean, and in whose number
/// nobody and nothing else has a say. Neither has the time, so it holds until what is asked for changes, or something
/// else is observed.
pub fn still(rules: &Rules, seen: &Observation, memory: &Memory) -> Option<Still> {
    let [metric] = rules.tracked.as_deref()? else {
        return None;
    };
    let is_alone = is_bare(rules, seen, memory)
        && memory.missing.is_empty()
        && seen.left_out.is_empty()
        && seen.desired > Capacity(0);
    if !is_alone {
        return None;
    }
    let Some(Rule::Track(track)) = &rules.group().policy.metrics.get(*metric)?.rule else {
        return None;
    };
    let low = track.target * (1.0 - track.tolerance_in.fraction() + MARGIN);
    let high = track.target * (1.0 + track.tolerance_out.fraction() - MARGIN);
    (low.is_finite() && high.is_finite()).then_some(Still {
        metric: *metric,
        current: seen.desired,
        low,
        high,
    })
}

impl Memory {
    /// Remembers that nothing changed up to a time, as if it had been decided at that time and before.
    #[inline]
    pub fn stayed(&mut self, at: Timestamp, current: Capacity) {
        self.log(at, current);
    }
}
