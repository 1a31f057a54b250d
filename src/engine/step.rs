//! Step scaling, as AWS does it: which step a value is in, and what the step makes of the ready capacity.

use tideform_policies::model::{Adjustment, Step, StepBound};

use super::numbers::share_adjusted;

/// The step that a value is in; of several (none overlap, once checked) the outermost.
pub(super) fn find(steps: &[Step], value: f64) -> Option<&Step> {
    steps.iter().rev().find(|step| match step.when {
        StepBound::Above { from, to } => value >= from && to.is_none_or(|to| value < to),
        StepBound::Below { from, to } => value <= from && to.is_none_or(|to| value > to),
    })
}

/// Whether a value breaches the threshold of the side that `step` is on: that of its nearest step.
pub(super) fn breaches(steps: &[Step], step: &Step, value: f64) -> bool {
    match step.when {
        StepBound::Above { .. } => steps
            .iter()
            .any(|other| matches!(other.when, StepBound::Above { from, .. } if value >= from)),
        StepBound::Below { .. } => steps
            .iter()
            .any(|other| matches!(other.when, StepBound::Below { from, .. } if value <= from)),
    }
}

/// What a step wants.
///
/// The adjustment is applied to the `ready` capacity. On the way out what is still warming counts as asked for
/// already, so the want is never below `current`; on the way in never above it: where more is ready than was asked
/// for, a removal smaller than the difference does nothing.
pub(super) fn want(step: &Step, ready: u32, current: u32) -> u32 {
    let at_least = |change: u32| match step.min_adjustment {
        Some(least) if change > 0 => change.max(least),
        _ => change,
    };
    match step.adjustment {
        Adjustment::Add(n) => ready.saturating_add(n).max(current),
        Adjustment::AddShare(share) => ready
            .saturating_add(at_least(share_adjusted(ready, share)))
            .max(current),
        Adjustment::Remove(n) => ready.saturating_sub(n).min(current),
        Adjustment::RemoveShare(share) => ready
            .saturating_sub(at_least(share_adjusted(ready, share)))
            .min(current),
        Adjustment::Set(n) => n,
    }
}
