//! When a decision may change by time alone, without new data.
//!
//! The promise: up to [`next_change`], whoever decides again from the same observation gets the same number and the
//! same mix. It is a bound, not a forecast: when the time comes, the answer may also stay.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tideform_policies::model::{
    Breach, Capacity, Combine, Direction, Metric, MetricReading, MetricSource, Name, OnMissing,
};

use super::memory::Memory;
use super::moment::Moment;
use super::reason::{Abstention, Reason};
use super::time::{earlier, later};

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
    /// The last sample of a metric is too old to count or to stand in.
    DataTooOld(Name),
    /// A sample that a clock ahead of ours took comes to count.
    DataDue(Name),
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
/// schedule, a surge or a freeze, the end of a warm-up, a change that ceases to count against a rate, a sample that
/// becomes too old or comes to count.
pub(super) fn edges(
    moment: &Moment<'_>,
    reasons: &[Reason],
    memory: &Memory,
    each: &mut impl FnMut(Timestamp, &dyn Fn() -> Edge),
) {
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
            // A scale-out warms for as long as what it asked for may still come.
            Reason::Warming { .. } => {
                if let Some(action) = memory.last_out() {
                    each(later(action.at, moment.policy.warmup), &|| Edge::Warmup);
                }
            }
            Reason::Abstained {
                metric,
                why: Abstention::BreachTooShort,
                ..
            } => absences(moment, metric, each),
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
        if let Some(at) = compiled.as_ref().ok().and_then(|c| c.next_edge(moment.now)) {
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
        for since in [instance.in_service_at, instance.launched_at]
            .into_iter()
            .flatten()
        {
            each(later(since, moment.policy.warmup), &|| Edge::Warmup);
            for metric in &moment.policy.metrics {
                if let Some(initialization) = metric.initialization {
                    each(later(since, initialization), &|| Edge::Warmup);
                }
            }
        }
    }
    rates(moment, reasons, memory, each);
    samples(moment, reasons, each);
}

/// A number that stands in for absent data breaches for as long as the data has been absent.
fn absences(moment: &Moment<'_>, name: &Name, each: &mut impl FnMut(Timestamp, &dyn Fn() -> Edge)) {
    let metrics = &moment.policy.metrics;
    let Some(place) = metrics.iter().position(|metric| metric.name == *name) else {
        return;
    };
    let metric = &metrics[place];
    let OnMissing::Value(_) = metric.on_missing else {
        return;
    };
    let period = match metric.source {
        MetricSource::Query(_) => metric.period,
        MetricSource::Formula(_) => moment.rules.metrics[place].inputs.period,
    };
    let absent = match metric.breach {
        Breach::Now => Duration::ZERO,
        Breach::For(time) => time,
        Breach::Of { breaching, .. } => period.saturating_mul(breaching),
    };
    moment.walk_back(place, |at, _| {
        each(later(at, absent), &|| Edge::Breach(name.clone()));
        false
    });
}

/// Changes that cease to count against a rate of the move's direction; those of the other direction too, since what
/// was removed lately may be added again without counting.
fn rates(
    moment: &Moment<'_>,
    reasons: &[Reason],
    memory: &Memory,
    each: &mut impl FnMut(Timestamp, &dyn Fn() -> Edge),
) {
    let wanted = reasons.iter().rev().find_map(|reason| match reason {
        Reason::Combined { after, .. } | Reason::Stabilized { after, .. } => Some(*after),
        _ => None,
    });
    let current = Capacity(moment.current);
    let rules = match Direction::between(current, wanted.unwrap_or(current)) {
        Direction::Hold => return,
        Direction::Out => &moment.policy.scale_out,
        Direction::In => &moment.policy.scale_in,
    };
    for rate in &rules.rates {
        for action in memory.actions.iter() {
            each(later(action.at, rate.per), &|| Edge::Rate);
        }
    }
}

/// Samples that become too old, and samples of the future that come to count.
fn samples(
    moment: &Moment<'_>,
    reasons: &[Reason],
    each: &mut impl FnMut(Timestamp, &dyn Fn() -> Edge),
) {
    let policy = moment.policy;
    // What formulas read may matter in any way.
    let is_read = !policy.guards.is_empty()
        || policy.metrics.iter().any(|metric| {
            metric.rule.is_some() && matches!(metric.source, MetricSource::Formula(_))
        });
    // Silence brings what the metrics want nearer to the current capacity. Where this moves nothing now, it will not.
    let is_overridden = reasons
        .iter()
        .any(|reason| matches!(reason, Reason::Pinned { .. } | Reason::Paused { .. }));
    let moves_nothing =
        policy.combine == Combine::Max && by_metrics(moment, reasons) == moment.current;
    let wants_no_less = policy.combine == Combine::Max
        && reasons.iter().any(
            |reason| matches!(reason, Reason::Combined { before, after, .. } if after >= before),
        );
    for (metric, rules) in policy.metrics.iter().zip(&moment.rules.metrics) {
        let is_asked = metric.rule.is_some() && !moment.seen.left_out.contains(&metric.name);
        if !is_asked && !is_read {
            continue;
        }
        let Some(reading) = moment.seen.metrics.get(&metric.name) else {
            continue;
        };
        let is_spared = is_overridden
            || !is_read
                && metric.on_missing == OnMissing::Hold
                && (moves_nothing || wants_no_less && !wants_more(metric, moment, reasons));
        let horizon = later(moment.now, metric.period);
        let (newest, future) = match reading {
            MetricReading::PerInstance { at, .. } => (
                (*at <= horizon).then_some(*at),
                (*at > moment.now).then_some(*at),
            ),
            MetricReading::Group(samples) => {
                let seen = samples.partition_point(|sample| sample.at <= horizon);
                let past = samples.partition_point(|sample| sample.at <= moment.now);
                let mut lately = samples.iter().take(seen).rev();
                let newest = lately.find(|sample| sample.value.is_finite());
                (newest.map(|s| s.at), samples.get(past).map(|s| s.at))
            }
        };
        if let Some(newest) = newest.filter(|_| !is_spared) {
            let mut ages = vec![rules.fresh];
            if metric.on_missing == OnMissing::Last {
                ages.push(metric.max_age);
            }
            for age in ages {
                each(after(newest, age), &|| {
                    Edge::DataTooOld(metric.name.clone())
                });
            }
        }
        let Some(future) = future else { continue };
        // From one period before its time it counts as the newest. Formulas and guards also step through the times
        // of samples up to now, and what was taken at this very moment is seen beside it only now.
        let mut due = |at| each(at, &|| Edge::DataDue(metric.name.clone()));
        if let MetricReading::Group(samples) = reading {
            let unseen = samples.partition_point(|sample| sample.at <= horizon);
            if let Some(sample) = samples.get(unseen) {
                due(earlier(sample.at, metric.period));
            }
        } else {
            due(earlier(future, metric.period));
        }
        if is_read {
            due(future);
            due(after(moment.now, Duration::ZERO));
        }
    }
}

/// What the metrics come to before pins and bounds.
fn by_metrics(moment: &Moment<'_>, reasons: &[Reason]) -> u32 {
    let of_metrics = |reason: &&Reason| {
        !matches!(
            reason,
            Reason::Pinned { .. }
                | Reason::RaisedToFloor { .. }
                | Reason::LoweredToCeiling { .. }
                | Reason::Paused { .. }
        )
    };
    let mut changes = reasons.iter().filter(of_metrics).filter_map(Reason::change);
    changes
        .next_back()
        .map_or(moment.current, |change| change.after.get())
}

/// Whether a metric wants more than the current capacity.
fn wants_more(metric: &Metric, moment: &Moment<'_>, reasons: &[Reason]) -> bool {
    reasons.iter().any(|reason| match reason {
        Reason::Opinion {
            metric: name, want, ..
        }
        | Reason::Want {
            metric: name, want, ..
        }
        | Reason::Step {
            metric: name, want, ..
        } => *name == metric.name && want.get() > moment.current,
        _ => false,
    })
}

/// Right after the last moment of what holds for so long, that moment included.
fn after(at: Timestamp, holds: Duration) -> Timestamp {
    later(later(at, holds), Duration::from_nanos(1))
}

#[cfg(test)]
mod tests {
    use tideform_policies::model::{
        Blocks, Freeze, Limits, Mix, OnMissing, Rate, RateAmount, Share,
    };

    use super::*;
    use crate::engine::testing::{at, cpu_rules, decided, instance, mins, seen};
    use crate::engine::{Action, ActiveSurge, FallbackMemory, Observation, Pause, Pin};

    /// The next change of a group at rest whose cpu was sampled at 0.
    fn next(
        change: impl FnOnce(&mut tideform_policies::model::Policy),
        look: impl FnOnce(&mut Observation),
        memory: &Memory,
    ) -> Option<Timestamp> {
        let rules = cpu_rules(change);
        let mut seen = seen(6, &[("cpu", 60.0)], at(0.0));
        look(&mut seen);
        decided(&rules, &seen, memory, at(0.0)).next_change
    }

    #[test]
    fn at_rest_nothing_changes_by_time_alone() {
        assert_eq!(next(|_| {}, |_| {}, &Memory::default()), None);
    }

    #[test]
    fn the_end_of_what_holds_is_a_next_change() {
        let memory = Memory::default();
        let pinned = |seen: &mut Observation| {
            seen.overrides.pin = Some(Pin {
                capacity: Capacity(6),
                until: at(7.0),
                reason: None,
                by: "ada".to_owned(),
            });
        };
        assert_eq!(next(|_| {}, pinned, &memory), Some(at(7.0)));
        let paused = |seen: &mut Observation| {
            seen.overrides.pause = Some(Pause {
                until: at(8.0),
                reason: None,
                by: "ada".to_owned(),
            });
        };
        assert_eq!(next(|_| {}, paused, &memory), Some(at(8.0)));
        let fallback = Memory {
            fallback: Some(FallbackMemory { until: at(9.0) }),
            ..Memory::default()
        };
        let mixed = |policy: &mut tideform_policies::model::Policy| {
            policy.mix = Some(Mix {
                on_demand_base: 0,
                spot: Share(0.5),
                types: vec![],
                allocation: None,
                rebalance: None,
                fallback: Some(tideform_policies::model::Fallback {
                    after: 3,
                    duration: mins(30),
                }),
            });
        };
        assert_eq!(next(mixed, |_| {}, &fallback), Some(at(9.0)));
    }

    #[test]
    fn of_several_the_earliest_after_now_is_next_whatever_their_order() {
        let surge = |from, until| ActiveSurge {
            name: "campaign".into(),
            min: Capacity(1),
            from: at(from),
            until: at(until),
        };
        for (surges, expected) in [
            (vec![surge(5.0, 20.0), surge(3.0, 30.0)], Some(3.0)),
            (vec![surge(3.0, 30.0), surge(5.0, 20.0)], Some(3.0)),
            (vec![surge(-5.0, 20.0), surge(-9.0, 30.0)], Some(20.0)),
            // What begins or ends right now has begun or ended.
            (vec![surge(-5.0, 0.0), surge(0.0, 4.0)], Some(4.0)),
            (vec![surge(-5.0, -1.0)], None),
        ] {
            let got = next(
                |_| {},
                |seen| seen.overrides.surges = surges.clone(),
                &Memory::default(),
            );
            assert_eq!(got, expected.map(at), "{surges:?}");
        }
        let frozen = |policy: &mut tideform_policies::model::Policy| {
            policy.freezes.push(Freeze {
                name: "release".into(),
                start: at(2.0),
                end: at(4.0),
                blocks: Blocks::All,
                reason: None,
            });
        };
        let got = next(
            frozen,
            |seen| seen.overrides.surges = vec![surge(3.0, 9.0)],
            &Memory::default(),
        );
        assert_eq!(got, Some(at(2.0)));
    }

    #[test]
    fn an_instance_that_warms_up_is_a_next_change() {
        let warming = |seen: &mut Observation| {
            seen.instances = Some(vec![instance("a", 60.0), instance("b", 1.0)]);
        };
        assert_eq!(next(|_| {}, warming, &Memory::default()), Some(at(2.0)));
    }

    #[test]
    fn a_last_sample_stands_in_until_it_is_too_old() {
        let rules = cpu_rules(|policy| policy.metrics[0].on_missing = OnMissing::Last);
        let decision = decided(
            &rules,
            &seen(6, &[("cpu", 90.0)], at(-9.0)),
            &Memory::default(),
            at(0.0),
        );
        assert!(decision.has("substituted"));
        let next = decision.next_change.expect("an end");
        assert!(at(6.0) <= next && next <= at(6.001), "{next}");
    }

    /// The rule is that of three periods; what counts for the last time then is too old right after.
    #[test]
    fn a_sample_that_moves_the_group_is_a_next_change_when_it_becomes_too_old() {
        let too_old = after(at(0.0), mins(3));
        for (combine, cpu, on_missing, expected) in [
            (Combine::Max, 90.0, OnMissing::Hold, Some(too_old)),
            (Combine::Max, 30.0, OnMissing::Hold, Some(too_old)),
            // It holds now, and will hold without data.
            (Combine::Max, 60.0, OnMissing::Hold, None),
            (Combine::Max, 60.0, OnMissing::ScaleOut, Some(too_old)),
            (Combine::Max, 60.0, OnMissing::Value(0.0), Some(too_old)),
            (Combine::Majority, 60.0, OnMissing::Hold, Some(too_old)),
        ] {
            let rules = cpu_rules(|policy| {
                policy.combine = combine;
                policy.metrics[0].on_missing = on_missing;
            });
            let mut memory = Memory::default();
            memory.log(at(-60.0), Capacity(6));
            let mut seen = seen(6, &[("cpu", cpu)], at(0.0));
            let decision = decided(&rules, &seen, &memory, at(0.0));
            assert_eq!(decision.next_change, expected, "{cpu} {on_missing:?}");
            // A pin leaves the metrics no say.
            seen.overrides.pin = Some(Pin {
                capacity: Capacity(8),
                until: at(20.0),
                reason: None,
                by: "ada".to_owned(),
            });
            let pinned = decided(&rules, &seen, &memory, at(0.0));
            assert_eq!(pinned.next_change, Some(at(20.0)));
        }
    }

    #[test]
    fn a_removal_that_ceases_to_count_against_a_rate_is_a_next_change() {
        let rules = cpu_rules(|policy| {
            policy.limits = Limits::new(Capacity(0), Capacity(100));
            policy.scale_out.rates = vec![Rate {
                amount: RateAmount::Share(Share(1.0)),
                per: mins(1),
            }];
        });
        let mut memory = Memory::default();
        memory.log(at(-60.0), Capacity(2));
        memory.record(Action::by_tideform(at(-0.5), Capacity(9), Capacity(2)));
        let seen = seen(2, &[("cpu", 240.0)], at(0.0));
        // Of the 9 before the removal all may be added again; soon only of the 2 that are left.
        let decision = decided(&rules, &seen, &memory, at(0.0));
        assert_eq!(decision.desired, Capacity(8));
        assert_eq!(decision.next_change, Some(at(0.5)));
        let later = decided(&rules, &seen, &decision.memory, at(0.5));
        assert_eq!(later.desired, Capacity(4));
    }
}
