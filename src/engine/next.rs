//! When a decision may change by time alone, without new data.

use jiff::Timestamp;

use super::memory::later;
use super::moment::Moment;
use super::reason::Reason;

/// The earliest such time after now: the end of what the reasons name, an edge of a schedule, a surge or a freeze,
/// the end of a warm-up.
pub(super) fn next_change(moment: &Moment<'_>, reasons: &[Reason]) -> Option<Timestamp> {
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
        _ => None,
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
        .chain(schedules)
        .chain(surges)
        .chain(freezes)
        .chain(warmups)
        .filter(|at| *at > now)
        .min()
}
