//! How far back decisions look: what has to be read of a metric, and what a simulation has to keep.

use std::collections::BTreeMap;
use std::time::Duration;

use tideform_policies::defaults::FRESH_PERIODS;
use tideform_policies::model::{Breach, Group, Metric, MetricSource, Name, OnMissing, Rule};

/// How long a sample counts as fresh: [`FRESH_PERIODS`] and the source's delay.
pub fn freshness(metric: &Metric) -> Duration {
    let periods = metric.period.saturating_mul(FRESH_PERIODS);
    periods.saturating_add(metric.delay)
}

/// How far back each metric is looked at: far enough for its own breach, `last`, and every formula and guard over it.
pub fn reach(group: &Group) -> BTreeMap<Name, Duration> {
    let metrics = &group.policy.metrics;
    let mut spans: BTreeMap<Name, Duration> = metrics
        .iter()
        .map(|metric| {
            let mut span = freshness(metric);
            if matches!(metric.rule, Some(Rule::Steps(_))) {
                span = span.max(breach_span(&metric.breach, metric));
            }
            if metric.on_missing == OnMissing::Last {
                span = span.max(metric.max_age.saturating_add(metric.delay));
            }
            (metric.name.clone(), span)
        })
        .collect();
    for guard in &group.policy.guards {
        for name in guard.when.metrics() {
            if let Some(metric) = group.metric(&name) {
                // A tripped guard lets go once its condition has failed for `release`: both windows are read.
                let span = breach_span(&guard.breach, metric).saturating_add(guard.release);
                raise(&mut spans, &name, span);
            }
        }
    }
    // Formulas may be built on formulas. Loading refuses cycles, so as many rounds as metrics settle it.
    for _ in 0..metrics.len() {
        let mut changed = false;
        for metric in metrics {
            let MetricSource::Formula(formula) = &metric.source else {
                continue;
            };
            let Some(span) = spans.get(&metric.name).copied() else {
                continue;
            };
            for input in formula.metrics() {
                changed |= raise(&mut spans, &input, span);
            }
        }
        if !changed {
            break;
        }
    }
    spans
}

/// Raises the span of `name` to at least `span`; says whether it rose.
fn raise(spans: &mut BTreeMap<Name, Duration>, name: &Name, span: Duration) -> bool {
    match spans.get_mut(name) {
        Some(current) if *current < span => {
            *current = span;
            true
        }
        _ => false,
    }
}

/// The time that a breach looks at, and one freshness more so that its oldest period is complete.
fn breach_span(breach: &Breach, metric: &Metric) -> Duration {
    let window = match *breach {
        Breach::Now => Duration::ZERO,
        Breach::For(duration) => duration,
        Breach::Of { periods, .. } => metric.period.saturating_mul(periods),
    };
    window.saturating_add(freshness(metric))
}
