//! One metric's opinion: what its rule makes of its value, or why it has none.

use tideform_policies::model::{
    Capacity, Metric, MetricReading, MetricSource, OnMissing, Rule, Scope, Track,
};

use super::breach::is_breached;
use super::memory::{Memory, MissingSince};
use super::moment::{Moment, Sink, Value};
use super::numbers::{at_most, round_out};
use super::reason::{Abstention, Reason, Substitute};
use super::step;
use super::track::{self, Pods, Tracked};

/// What a metric with a rule has to say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Opinion {
    /// Nothing, for want of data.
    NoData,
    /// Nothing, although there is data.
    Abstain,
    /// A capacity, and how strongly: -1 to 1, for `combine = "weighted"`.
    Want { want: u32, score: f64 },
}

/// Asks one metric. It may note in the memory that it has no data.
pub(super) fn opinion(
    moment: &Moment<'_>,
    place: usize,
    rule: &Rule,
    memory: &mut Memory,
    sink: &mut impl Sink,
) -> Opinion {
    let metric = &moment.policy.metrics[place];
    // A mean over no instance says nothing. A wish for a capacity is one also at 0.
    if moment.current == 0 && metric.scope == Scope::Instance && !matches!(rule, Rule::Want) {
        memory.has_data(&metric.name);
        return abstain(metric, None, Abstention::AtZero, sink);
    }
    let value = moment.value(place, moment.now);
    let Some(observed) = value.number() else {
        return missing(moment, metric, value, memory, sink);
    };
    memory.has_data(&metric.name);
    match value {
        Value::Last { value, at } => sink.say(|| Reason::Substituted {
            metric: metric.name.clone(),
            by: Substitute::Last,
            value,
            sampled_at: Some(at),
        }),
        Value::Number(value) => sink.say(|| Reason::Substituted {
            metric: metric.name.clone(),
            by: Substitute::Number,
            value,
            sampled_at: None,
        }),
        Value::Fresh { .. } | Value::Missing { .. } => {}
    }
    let (want, score) = match rule {
        Rule::Track(track) => match tracked(moment, place, metric, track, value, observed) {
            None => return no_data(metric, value, sink),
            Some(tracked) => {
                sink.say(|| Reason::Opinion {
                    metric: metric.name.clone(),
                    observed: tracked.observed,
                    target: track.target,
                    ratio: tracked.ratio,
                    basis: tracked.basis,
                    counted: Capacity(tracked.counted),
                    missing: tracked.missing,
                    unready: tracked.unready,
                    is_within_tolerance: tracked.is_within_tolerance,
                    want: Capacity(tracked.want),
                });
                (tracked.want, score(metric, track, &tracked))
            }
        },
        Rule::Steps(steps) => {
            let Some(found) = step::find(steps, observed) else {
                return abstain(metric, Some(observed), Abstention::NoStep, sink);
            };
            if !is_breached(moment, place, value, |v| step::breaches(steps, found, v)) {
                return abstain(metric, Some(observed), Abstention::BreachTooShort, sink);
            }
            let want = step::want(found, moment.units.ready, moment.current);
            sink.say(|| Reason::Step {
                metric: metric.name.clone(),
                observed,
                when: found.when,
                adjustment: found.adjustment,
                ready: Capacity(moment.units.ready),
                want: Capacity(want),
            });
            (want, direction_score(want, moment.current))
        }
        Rule::Want => {
            let want = round_out(observed);
            sink.say(|| Reason::Want {
                metric: metric.name.clone(),
                observed,
                want: Capacity(want),
            });
            (want, direction_score(want, moment.current))
        }
    };
    if want >= moment.current || !scale_out_is_warming(moment, memory) {
        return Opinion::Want { want, score };
    }
    sink.say(|| Reason::Warming {
        metric: metric.name.clone(),
        wanted: Capacity(want),
        want: Capacity(moment.current),
        ready: Capacity(moment.units.ready),
    });
    Opinion::Want {
        want: moment.current,
        score: score.max(0.0),
    }
}

/// Whether capacity that was asked for is still on its way: fewer are ready than asked for, and the rest is
/// starting, warming up, or was asked for less than `warmup` ago.
fn scale_out_is_warming(moment: &Moment<'_>, memory: &Memory) -> bool {
    if moment.units.ready >= moment.current {
        return false;
    }
    moment.units.warming > 0
        || memory
            .last_out()
            .is_some_and(|action| super::memory::age(moment.now, action.at) < moment.policy.warmup)
}

fn abstain(
    metric: &Metric,
    observed: Option<f64>,
    why: Abstention,
    sink: &mut impl Sink,
) -> Opinion {
    sink.say(|| Reason::Abstained {
        metric: metric.name.clone(),
        observed,
        why,
    });
    Opinion::Abstain
}

fn no_data(metric: &Metric, value: Value, sink: &mut impl Sink) -> Opinion {
    sink.say(|| Reason::NoData {
        metric: metric.name.clone(),
        newest_at: match value {
            Value::Fresh { at, .. } | Value::Last { at, .. } => Some(at),
            Value::Missing { newest_at } => newest_at,
            Value::Number(_) => None,
        },
    });
    Opinion::NoData
}

/// Absent data: `scale_out` adds one, once; everything else is no data.
fn missing(
    moment: &Moment<'_>,
    metric: &Metric,
    value: Value,
    memory: &mut Memory,
    sink: &mut impl Sink,
) -> Opinion {
    if metric.on_missing != OnMissing::ScaleOut {
        return no_data(metric, value, sink);
    }
    let since = memory.has_no_data(&metric.name, moment.now);
    // Once: after any growth since then, there is nothing to add.
    if memory.last_out().is_some_and(|action| action.at >= since) {
        return no_data(metric, value, sink);
    }
    let want = moment.current.saturating_add(1);
    sink.say(|| Reason::AddedOnMissing {
        metric: metric.name.clone(),
        since,
        want: Capacity(want),
    });
    Opinion::Want { want, score: 1.0 }
}

fn tracked(
    moment: &Moment<'_>,
    place: usize,
    metric: &Metric,
    track: &Track,
    value: Value,
    observed: f64,
) -> Option<Tracked> {
    let current = moment.current;
    match metric.scope {
        Scope::Group => {
            let counted = match moment.live() {
                0 => current,
                live => live,
            };
            Some(track::total(track, observed, counted, current))
        }
        Scope::Instance => {
            if let (
                Some(MetricReading::PerInstance { values, .. }),
                Value::Fresh { .. } | Value::Last { .. },
            ) = (moment.seen.metrics.get(&metric.name), value)
            {
                return track::per_instance(
                    track,
                    &Pods {
                        instances: moment.seen.instances.as_deref(),
                        values,
                        current,
                        initialization: metric.initialization.unwrap_or(moment.policy.warmup),
                        now: moment.now,
                        is_utilization: moment.rules.metrics[place].is_utilization,
                    },
                );
            }
            let counted = if counts_warming(moment, place, metric) {
                moment.live()
            } else {
                moment.units.ready
            };
            (counted > 0).then(|| track::average(track, observed, counted, current))
        }
    }
}

/// Whether the samples average also the instances that are still warming.
fn counts_warming(moment: &Moment<'_>, place: usize, metric: &Metric) -> bool {
    let named = &moment.seen.counts_warming;
    if named.is_empty() {
        return false;
    }
    match &metric.source {
        MetricSource::Query(_) => named.contains(&metric.name),
        MetricSource::Formula(_) => moment.rules.metrics[place]
            .inputs
            .queries
            .iter()
            .any(|input| named.contains(&moment.policy.metrics[*input].name)),
    }
}

/// `(value - target) / threshold`, cut to -1 … 1, and zero inside the threshold.
fn score(metric: &Metric, track: &Track, tracked: &Tracked) -> f64 {
    if tracked.is_within_tolerance && tracked.missing > 0 {
        return 0.0;
    }
    let deviation = track.target * (tracked.ratio - 1.0);
    let tolerance = if deviation > 0.0 {
        track.tolerance_out
    } else {
        track.tolerance_in
    };
    let threshold = match metric.threshold {
        Some(threshold) if threshold > 0.0 => threshold,
        _ => track.target * tolerance.fraction(),
    };
    if at_most(deviation.abs(), threshold) {
        0.0
    } else if threshold > 0.0 {
        (deviation / threshold).clamp(-1.0, 1.0)
    } else {
        deviation.signum()
    }
}

fn direction_score(want: u32, current: u32) -> f64 {
    match want.cmp(&current) {
        std::cmp::Ordering::Less => -1.0,
        std::cmp::Ordering::Equal => 0.0,
        std::cmp::Ordering::Greater => 1.0,
    }
}

impl Memory {
    /// The metric has data: what was noted about its absence is forgotten.
    fn has_data(&mut self, metric: &str) {
        self.missing.retain(|missing| &*missing.metric != metric);
    }

    /// The metric has no data: since when.
    fn has_no_data(
        &mut self,
        metric: &tideform_policies::model::Name,
        now: jiff::Timestamp,
    ) -> jiff::Timestamp {
        if let Some(missing) = self.missing.iter().find(|m| m.metric == *metric) {
            return missing.since;
        }
        self.missing.push(MissingSince {
            metric: metric.clone(),
            since: now,
        });
        now
    }
}
