//! When a decision may change by time alone, without new data.

use jiff::Timestamp;
use tideform_policies::model::Breach;

use super::memory::{Memory, age, later};
use super::moment::Moment;
use super::reason::{Reason, Substitute};

/// The earliest such time after now: the end of what the reasons name, a guard that is about to trip, an edge of a
/// schedule, a surge or a freeze, the end of a warm-up. `memory` is the one after the decision.
pub(super) fn next_change(
    moment: &Moment<'_>,
    reasons: &[Reason],
    memory: &Memory,
) -> Option<Timestamp> {
    let now = moment.now;
    let named = reasons.iter().filter_map(|reason| match reason {
        Reason::Stabilized {
            recommended_at,
            window,
            ..
        } => Some(later(*recommended_at, *window)),
        Reason::InCooldown { until, .. }
        | Reason::Pinned { until, .. }
        | Reason::Paused { until, .. }
        | Reason::Fallback { until, .. } => Some(*until),
        Reason::GuardTripped { releases_at, .. } => *releases_at,
        // The oldest change that counts against the rate ceases to.
        Reason::RateLimited { per, .. } => memory
            .actions
            .iter()
            .find(|action| age(now, action.at) < *per)
            .map(|action| later(action.at, *per)),
        Reason::Substituted {
            metric,
            by: Substitute::Last,
            sampled_at: Some(at),
            ..
        } => moment
            .policy
            .metrics
            .iter()
            .find(|known| known.name == *metric)
            .map(|known| later(*at, known.max_age)),
        _ => None,
    });
    let guards = moment.policy.guards.iter().filter_map(|guard| {
        let standing = memory.guard(&guard.name).filter(|m| !m.is_tripped)?;
        match guard.breach {
            Breach::For(time) => Some(later(standing.since?, time)),
            Breach::Now | Breach::Of { .. } => None,
        }
    });
    let schedules = moment
        .rules
        .schedules
        .iter()
        .filter_map(|schedule| schedule.as_ref().ok()?.next_edge(now));
    let surges = moment
        .seen
        .overrides
        .surges
        .iter()
        .flat_map(|surge| [surge.from, surge.until]);
    let freezes = moment
        .policy
        .freezes
        .iter()
        .flat_map(|freeze| [freeze.start, freeze.end]);
    let warmups = moment
        .seen
        .instances
        .iter()
        .flatten()
        .filter_map(|instance| instance.in_service_at.or(instance.launched_at))
        .map(|since| later(since, moment.policy.warmup));
    named
        .chain(guards)
        .chain(schedules)
        .chain(surges)
        .chain(freezes)
        .chain(warmups)
        .filter(|at| *at > now)
        .min()
}
