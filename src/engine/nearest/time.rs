//! When a decision that holds becomes another one by time alone.

use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::{Breach, Capacity, MetricReading, Rule, Sample};

use super::ByTime;
use crate::engine::moment::{Moment, Value};
use crate::engine::next::{Edge, edges};
use crate::engine::reason::{Abstention, Reason};
use crate::engine::time::{age, later};
use crate::engine::{Decision, Observation, Rules, decide_quiet};

/// How far ahead is looked: a metric that stays as it is for longer is nobody's guess.
const AHEAD: Duration = Duration::from_secs(24 * 60 * 60);
/// Most times that are tried.
const MOST_EDGES: usize = 40;
/// Most samples that are added to carry a metric on.
const MOST_SAMPLES: u32 = 2_000;

/// The first time at which something ends or begins and the same metrics give another answer.
pub(super) fn by_time(
    rules: &Rules,
    seen: &Observation,
    decision: &Decision,
    now: Timestamp,
) -> Option<ByTime> {
    let mut tried: Vec<(Timestamp, Edge)> = Vec::new();
    let moment = Moment::new(rules, seen, now);
    edges(
        &moment,
        &decision.reasons,
        &decision.memory,
        &mut |at, edge| {
            if at > now {
                tried.push((at, edge()));
            }
        },
    );
    further(&moment, decision, &mut tried);
    let end = later(now, AHEAD);
    tried.retain(|(at, edge)| *at > now && (*at <= end || is_an_override(edge)));
    if tried.is_empty() {
        return None;
    }
    tried.sort_by_key(|(at, _)| *at);
    tried.dedup_by_key(|(at, _)| *at);
    let mut carried = seen.clone();
    tried.truncate(MOST_EDGES);
    tried.into_iter().find_map(|(at, edge)| {
        carry_on(&moment, &mut carried, at);
        let mut memory = decision.memory.clone();
        let desired = decide_quiet(rules, &carried, &mut memory, at).desired;
        (desired != decision.desired).then_some(ByTime { at, edge, desired })
    })
}

/// What people have asked for ends when they have said, however long that is.
fn is_an_override(edge: &Edge) -> bool {
    matches!(edge, Edge::Pin | Edge::Pause | Edge::Freeze(_))
}

/// Times that matter only once a first one has passed, or while the metrics stay as they are.
fn further(moment: &Moment<'_>, decision: &Decision, tried: &mut Vec<(Timestamp, Edge)>) {
    let policy = moment.policy;
    let has_stabilized = decision.has("stabilized");
    for recommendation in decision.memory.recommendations.iter() {
        if has_stabilized {
            for rules in [&policy.scale_out, &policy.scale_in] {
                let at = later(recommendation.at, rules.stabilization);
                tried.push((at, Edge::Stabilization));
            }
        }
    }
    for reason in &decision.reasons {
        let Reason::Abstained {
            metric: name,
            why: Abstention::BreachTooShort,
            ..
        } = reason
        else {
            continue;
        };
        let Some(metric) = policy.metrics.iter().find(|metric| metric.name == *name) else {
            continue;
        };
        if let Some(Rule::Steps(_)) = metric.rule {
            let window = match metric.breach {
                Breach::Now => Duration::ZERO,
                Breach::For(time) => time,
                Breach::Of { periods, .. } => metric.period.saturating_mul(periods),
            };
            let period = metric.period.max(Duration::from_secs(1));
            for n in 1..=16 {
                let ahead = period.saturating_mul(n);
                tried.push((later(moment.now, ahead), Edge::Breach(name.clone())));
                if ahead >= window {
                    break;
                }
            }
        }
    }
}

/// The metrics that have fresh data go on as they are: a sample a period.
fn carry_on(moment: &Moment<'_>, carried: &mut Observation, at: Timestamp) {
    let policy = moment.policy;
    for (place, metric) in policy.metrics.iter().enumerate() {
        let Value::Fresh { .. } = moment.value(place, moment.now) else {
            continue;
        };
        let before = moment.seen.metrics.get(&metric.name);
        match (before, carried.metrics.get_mut(&metric.name)) {
            (
                Some(MetricReading::PerInstance { at: sampled, .. }),
                Some(MetricReading::PerInstance { at: moved, .. }),
            ) => *moved = later(*sampled, age(at, moment.now)),
            (Some(MetricReading::Group(samples)), Some(MetricReading::Group(moved))) => {
                let Some(last) = samples.iter().rev().find(|sample| sample.value.is_finite())
                else {
                    continue;
                };
                // As old then as it is now.
                let end = later(last.at, age(at, moment.now));
                let period = metric.period.max(Duration::from_secs(1));
                moved.clone_from(samples);
                let gap = age(end, last.at).as_nanos() / period.as_nanos().max(1);
                let count = u32::try_from(gap).unwrap_or(u32::MAX).min(MOST_SAMPLES);
                moved.extend((0..=count).rev().filter_map(|n| {
                    let at = end.checked_sub(period.saturating_mul(n)).ok()?;
                    (at > last.at).then_some(Sample {
                        at,
                        value: last.value,
                    })
                }));
            }
            _ => {}
        }
    }
    carried.desired = Capacity(moment.current);
}
