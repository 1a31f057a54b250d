//! One metric's opinion: what its rule makes of its value, or why it has none.

use tideform_policies::model::{
    Breach, Capacity, Combine, Metric, MetricReading, MetricSource, OnMissing, Rule, Scope, Step,
    StepBound, Track,
};

use super::breach::is_breached;
use super::memory::{Memory, MissingSince};
use super::moment::{Moment, Sink, Value};
use super::numbers::{at_most, round_out};
use super::reason::{Abstention, Reason, Substitute};
use super::step;
use super::track::{self, Gate, Pods, Tracked};

/// What a metric with a rule has to say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Opinion {
    /// Nothing, for want of data.
    NoData,
    /// Nothing, although there is data.
    Abstain,
    /// A capacity, and how strongly: -1 to 1, for `combine = "weighted"`.
    Want { want: u32, score: f64 },
    /// One more for want of data.
    Added { want: u32 },
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
                    filled: tracked.filled,
                    is_within_tolerance: tracked.is_within_tolerance,
                    is_turned_round: tracked.is_turned_round,
                    want: Capacity(tracked.want),
                });
                let score = match moment.policy.combine {
                    Combine::Weighted(_) => score(metric, track, &tracked, moment.current),
                    Combine::Max | Combine::Majority => 0.0,
                };
                (tracked.want, score)
            }
        },
        Rule::Steps(steps) => {
            let found = match acting(moment, place, steps, value, observed) {
                Ok(found) => found,
                Err(why) => return abstain(metric, Some(observed), why, sink),
            };
            let (ready, current) = (moment.units.ready, moment.current);
            let want = step::want(found, ready, current);
            // Of a group that has failed as a whole nothing is removed by a metric's word.
            if want < current && ready == 0 && !scale_out_is_warming(moment, memory) {
                return abstain(metric, Some(observed), Abstention::NoneReady, sink);
            }
            sink.say(|| Reason::Step {
                metric: metric.name.clone(),
                observed,
                when: found.when,
                adjustment: found.adjustment,
                min_adjustment: found.min_adjustment,
                ready: Capacity(ready),
                current: (ready < current).then_some(Capacity(current)),
                want: Capacity(want),
            });
            (want, direction_score(want, current))
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
    let want = cut(moment, metric, want, sink);
    // A want of the present count may come with a score below zero: rounded out, it is that count.
    if (want >= moment.current && score >= 0.0) || !scale_out_is_warming(moment, memory) {
        return Opinion::Want { want, score };
    }
    sink.say(|| Reason::Warming {
        metric: metric.name.clone(),
        wanted: Capacity(want),
        want: Capacity(want.max(moment.current)),
        ready: Capacity(moment.units.ready),
    });
    Opinion::Want {
        want: want.max(moment.current),
        score: score.max(0.0),
    }
}

/// The step that acts: the one that the newest value is in, breached for long enough; or a band that enough of the
/// samples were in, wherever the newest is. Of several the one that wants most.
fn acting<'s>(
    moment: &Moment<'_>,
    place: usize,
    steps: &'s [Step],
    value: Value,
    observed: f64,
) -> Result<&'s Step, Abstention> {
    let breached =
        |step: &Step| is_breached(moment, place, value, |v| step::breaches(steps, step, v));
    let found = step::find(steps, observed);
    let mut best = found.filter(|step| breached(step));
    let counts = matches!(moment.policy.metrics[place].breach, Breach::Of { .. });
    if counts && !matches!(value, Value::Number(_)) {
        let wants = |step: &Step| step::want(step, moment.units.ready, moment.current);
        let bands = steps.iter().filter(|step| {
            matches!(step.when, StepBound::Band { .. }) && !step.when.contains(observed)
        });
        for band in bands.filter(|step| breached(step)) {
            if best.is_none_or(|best| wants(band) > wants(best)) {
                best = Some(band);
            }
        }
    }
    best.ok_or(match found {
        Some(_) => Abstention::BreachTooShort,
        None => Abstention::NoStep,
    })
}

/// No more at once than `max_add`, no fewer than `max_remove`.
fn cut(moment: &Moment<'_>, metric: &Metric, wanted: u32, sink: &mut impl Sink) -> u32 {
    let Some(want) = most(metric, wanted, moment.current) else {
        return wanted;
    };
    sink.say(|| Reason::Cut {
        metric: metric.name.clone(),
        most: want.abs_diff(moment.current),
        wanted: Capacity(wanted),
        want: Capacity(want),
    });
    want
}

/// The capacity at `max_add` or `max_remove`, where it is nearer than what is wanted.
#[inline]
pub(super) fn most(metric: &Metric, wanted: u32, current: u32) -> Option<u32> {
    let most = if wanted > current {
        metric.max_add
    } else {
        metric.max_remove
    };
    let most = most.filter(|most| wanted.abs_diff(current) > *most)?;
    Some(if wanted > current {
        current.saturating_add(most)
    } else {
        current.saturating_sub(most)
    })
}

/// Whether capacity that was asked for is still on its way: fewer are ready than asked for, and the rest is
/// starting, warming up, or was asked for less than `warmup` ago.
fn scale_out_is_warming(moment: &Moment<'_>, memory: &Memory) -> bool {
    if moment.units.ready >= moment.current {
        return false;
    }
    moment.units.warming > 0
        || memory.last_out().is_some_and(|action| {
            super::time::is_within(moment.now, action.at, moment.policy.warmup)
        })
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
    Opinion::Added { want }
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
            if let (Some(Some(spread)), Value::Fresh { .. } | Value::Last { .. }) =
                (moment.seen.spreads.get(place), value)
            {
                let is_utilization = moment.rules.metrics[place].is_utilization;
                return track::spread(track, observed, *spread, current, is_utilization);
            }
            if let (
                Some(MetricReading::PerInstance { values, .. }),
                Value::Fresh { at, .. } | Value::Last { at, .. },
            ) = (moment.seen.metrics.at(place, &metric.name), value)
            {
                let is_utilization = moment.rules.metrics[place].is_utilization;
                return track::per_instance(
                    track,
                    &Pods {
                        instances: moment.seen.instances.as_deref(),
                        values,
                        current,
                        gate: match metric.initialization {
                            Some(std::time::Duration::ZERO) => None,
                            Some(initialization) => Some(initialization),
                            // Booting costs CPU; a request that is served counts from the first one.
                            None => is_utilization.then_some(moment.policy.warmup),
                        }
                        .map(|initialization| Gate {
                            initialization,
                            sampled_at: at,
                            period: metric.period,
                        }),
                        now: moment.now,
                        is_utilization,
                    },
                );
            }
            let counted = averaged(moment, place, metric);
            (counted > 0).then(|| track::average(track, observed, counted, current))
        }
        Scope::Shared => {
            let counted = averaged(moment, place, metric);
            track::shared(track, observed, counted, current)
        }
    }
}

/// The units that the samples are about.
fn averaged(moment: &Moment<'_>, place: usize, metric: &Metric) -> u32 {
    // While nothing is warming it makes no difference.
    if moment.units.warming > 0 && counts_warming(moment, place, metric) {
        moment.live()
    } else {
        moment.units.ready
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
///
/// At 0 there is nothing that the total could be divided among: the score is the direction of the want.
fn score(metric: &Metric, track: &Track, tracked: &Tracked, current: u32) -> f64 {
    if current == 0 {
        return direction_score(tracked.want, 0);
    }
    // What instances without a say were taken to use has turned the ratio around: it keeps, whatever the ratio is now.
    let keeps = tracked.is_within_tolerance || tracked.is_turned_round;
    if keeps && (tracked.missing > 0 || tracked.unready > 0) {
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
    #[inline]
    fn has_data(&mut self, metric: &str) {
        if self.missing.is_empty() {
            return;
        }
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

#[cfg(test)]
mod tests;
