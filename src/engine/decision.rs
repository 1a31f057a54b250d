//! What a decision is: the number, its reasons, and what to remember.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tideform_policies::model::{Capacity, Direction, InstanceId};

use super::memory::Memory;
use super::nearest::Nearest;
use super::reason::{Combination, Reason};

/// How a capacity is divided into on-demand and spot, in units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MixSplit {
    /// On demand, the base included.
    pub on_demand: Capacity,
    /// Spot.
    pub spot: Capacity,
}

/// The answer of [`super::decide`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// The capacity last asked for.
    pub current: Capacity,
    /// The capacity to ask for.
    pub desired: Capacity,
    /// From `current` to `desired`.
    pub direction: Direction,
    /// In the order of the rules. Following the reasons that carry a change from `current` gives `desired`.
    pub reasons: Vec<Reason>,
    /// Of `desired`; `None` where the mix is not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mix: Option<MixSplit>,
    /// Which instances to end on scale-in, in this order. What they fall short of the change is left to the backend.
    #[serde(default)]
    pub victims: Vec<InstanceId>,
    /// What to remember. An accepted change is not in it yet: see [`Memory::record`].
    pub memory: Memory,
    /// The earliest time at which the answer may change by time alone: the end of a cooldown, a schedule's
    /// edge. `None`: none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_change: Option<Timestamp>,
    /// What would have to differ for another answer, where somebody asked: see [`super::nearest()`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nearest: Option<Box<Nearest>>,
}

impl Decision {
    /// Whether the number rests on more than the absence of data: a metric that had a say, people who said so, a floor
    /// that is the ceiling too, or a group without any metric to wait for.
    pub fn has_basis(&self) -> bool {
        self.reasons.iter().any(|reason| match reason {
            Reason::Opinion { .. }
            | Reason::Want { .. }
            | Reason::Step { .. }
            | Reason::Substituted { .. }
            | Reason::Pinned { .. }
            | Reason::Paused { .. } => true,
            Reason::Combined { combination, .. } => *combination == Combination::Floor,
            Reason::WithinLimits { floor, ceiling, .. } => Some(*floor) == *ceiling,
            Reason::NoData { .. }
            | Reason::AddedOnMissing { .. }
            | Reason::Cut { .. }
            | Reason::Warming { .. }
            | Reason::Stabilized { .. }
            | Reason::RateLimited { .. }
            | Reason::DirectionDisabled { .. }
            | Reason::InCooldown { .. }
            | Reason::GuardTripped { .. }
            | Reason::Guarded { .. }
            | Reason::Frozen { .. }
            | Reason::OverBudget { .. }
            | Reason::RaisedToFloor { .. }
            | Reason::LoweredToCeiling { .. }
            | Reason::ForecastObserved { .. }
            | Reason::ScheduleUnusable { .. }
            | Reason::MixSplit { .. }
            | Reason::Fallback { .. }
            | Reason::Victims { .. } => false,
            // The value of what has no instance to describe is none.
            Reason::Abstained { observed, .. } => observed.is_some(),
        })
    }

    /// Whether any reason is of this kind.
    pub fn has(&self, kind: &str) -> bool {
        self.reasons.iter().any(|reason| reason.kind() == kind)
    }
}

/// The answer of [`super::decide_quiet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The capacity last asked for.
    pub current: Capacity,
    /// The capacity to ask for.
    pub desired: Capacity,
    /// From `current` to `desired`.
    pub direction: Direction,
    /// Of `desired`; `None` where the mix is not managed.
    pub mix: Option<MixSplit>,
}
