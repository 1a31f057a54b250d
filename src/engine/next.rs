//! When a decision may change by time alone, without new data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tideform_policies::model::{Breach, Name};

use super::memory::Memory;
use super::moment::Moment;
use super::reason::{Reason, Substitute};
use super::time::{age, later};

/// What ends or begins at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "edge", content = "name", rename_all = "snake_case")]
pub enum Edge {
    /// A recommendation leaves the stabilization window.
    Stabilization,
    /// A change ceases to count against a rate.
    Rate,
    /// A cooldown ends.
    Cooldown,
    /// A pin ends.
    Pin,
    /// A pause ends.
    Pause,
    /// Spot is tried again.
    Fallback,
    /// An instance has warmed up.
    Warmup,
    /// A metric has breached its threshold for long enough.
    Breach(Name),
    /// The last sample of a metric is too old to stand in.
    DataTooOld(Name),
    /// A guard has seen its condition for long enough, or not seen it for long enough.
    Guard(Name),
    /// A schedule opens or closes.
    Schedule(Name),
    /// A surge begins or ends.
    Surge(Name),
    /// A freeze begins or ends.
    Freeze(Name),
}

/// The earliest such time after now. `memory` is the one after the decision.
pub(super) fn next_change(
    moment: &Moment<'_>,
    reasons: &[Reason],
    memory: &Memory,
) -> Option<Timestamp> {
    let mut earliest: Option<Timestamp> = None;
    edges(moment, reasons, memory, &mut |at, _| {
        if at > moment.now && earliest.is_none_or(|so_far| at < so_far) {
            earliest = Some(at);
        }
    });
    earliest
}

/// All such times, past ones among them: the end of what the reasons name, a guard that is about to trip, an edge of a
/// schedule, a surge or a freeze, the end of a warm-up.
pub(super) fn edges(
    moment: &Moment<'_>,
    reasons: &[Reason],
    memory: &Memory,
    each: &mut impl FnMut(Timestamp, &dyn Fn() -> Edge),
) {
    let now = moment.now;
    for reason in reasons {
        match reason {
            Reason::Stabilized {
                recommended_at,
                window,
                ..
            } => each(later(*recommended_at, *window), &|| Edge::Stabilization),
            Reason::InCooldown { until, .. } => each(*until, &|| Edge::Cooldown),
            Reason::Pinned { until, .. } => each(*until, &|| Edge::Pin),
            Reason::Paused { until, .. } => each(*until, &|| Edge::Pause),
            Reason::Fallback { until, .. } => each(*until, &|| Edge::Fallback),
            Reason::GuardTripped {
                guard,
                releases_at: Some(at),
                ..
            } => each(*at, &|| Edge::Guard(guard.clone())),
            // The oldest change that counts against the rate ceases to.
            Reason::RateLimited { per, .. } => {
                let oldest = memory
                    .actions
                    .iter()
                    .find(|action| age(now, action.at) < *per);
                if let Some(action) = oldest {
                    each(later(action.at, *per), &|| Edge::Rate);
                }
            }
            Reason::Substituted {
                metric,
                by: Substitute::Last,
                sampled_at: Some(at),
                ..
            } => {
                let metrics = &moment.policy.metrics;
                if let Some(known) = metrics.iter().find(|known| known.name == *metric) {
                    each(later(*at, known.max_age), &|| {
                        Edge::DataTooOld(metric.clone())
                    });
                }
            }
            _ => {}
        }
    }
    for guard in &moment.policy.guards {
        if let Breach::For(time) = guard.breach
            && let Some(standing) = memory.guard(&guard.name).filter(|m| !m.is_tripped)
            && let Some(since) = standing.since
        {
            each(later(since, time), &|| Edge::Guard(guard.name.clone()));
        }
    }
    let schedules = &moment.policy.schedules;
    for (schedule, compiled) in schedules.iter().zip(&moment.rules.schedules) {
        if let Some(at) = compiled.as_ref().ok().and_then(|c| c.next_edge(now)) {
            each(at, &|| Edge::Schedule(schedule.name.clone()));
        }
    }
    for surge in &moment.seen.overrides.surges {
        for at in [surge.from, surge.until] {
            each(at, &|| Edge::Surge(surge.name.clone()));
        }
    }
    for freeze in &moment.policy.freezes {
        for at in [freeze.start, freeze.end] {
            each(at, &|| Edge::Freeze(freeze.name.clone()));
        }
    }
    for instance in moment.seen.instances.iter().flatten() {
        if let Some(since) = instance.in_service_at.or(instance.launched_at) {
            each(later(since, moment.policy.warmup), &|| Edge::Warmup);
        }
    }
}
