//! Steps that overlap, and thresholds that can never be met.

use std::time::Duration;

use super::{Subject, steps};
use crate::codes;
use crate::decode::Context;
use crate::defaults;
use crate::diagnostic::Diagnostic;
use crate::layers::Merged;
use crate::model::units::format_duration;
use crate::model::{Breach, Metric, Rule, StepBound};
use crate::source::Span;

pub(super) fn check(subject: &Subject<'_>, cx: &mut Context) {
    for metric in &subject.policy.metrics {
        let Some(block) = subject.labelled("metric", &metric.name) else {
            continue;
        };
        if block
            .blocks_of("step")
            .any(|step| step.get("from").is_some() || step.get("to").is_some())
        {
            steps::check(block, cx);
        } else {
            overlap(block, cx);
        }
        if block.get("period").is_none_or(|a| !cx.is_bad(a.span)) {
            breach(metric.breach, metric.period, block, cx);
        }
        if subject.is_capped(metric) {
            capped(metric, block, cx);
        }
    }
    for guard in &subject.policy.guards {
        if let Some(block) = subject.labelled("guard", &guard.name) {
            breach(guard.breach, subject.policy.every, block, cx);
        }
    }
}

/// Each value of a metric meets at most one step.
fn overlap(block: &Merged<'_>, cx: &mut Context) {
    let bounds = |name: &str| -> Vec<(f64, Span)> {
        let mut list: Vec<(f64, Span)> = block
            .blocks_of("step")
            .filter_map(|step| Some((step.number(name, cx)?, step.span_of(name))))
            .collect();
        list.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        list
    };
    let (above, below) = (bounds("above"), bounds("below"));
    let report = |at: Span, label: String, other: Span| {
        Diagnostic::error(codes::OVERLAPPING_STEPS, "Steps that overlap")
            .at(at, label)
            .at(other, "the other step")
    };
    for (name, list) in [("above", &above), ("below", &below)] {
        for pair in list.windows(2) {
            if let [(a, first), (b, second)] = pair
                && a == b
            {
                cx.push(
                    report(*second, format!("a second step `{name}` {b}"), *first)
                        .help("give each step of a direction another bound"),
                );
            }
        }
    }
    // Both include their own number.
    if let (Some((low, low_span)), Some((high, high_span))) = (above.first(), below.last())
        && low <= high
    {
        cx.push(
            report(
                *high_span,
                format!("from {low} to {high} both steps apply"),
                *low_span,
            )
            .help(format!(
                "put `below` under {low}, so that there is a band without change"
            )),
        );
    }
}

fn breach(breach: Breach, period: Duration, block: &Merged<'_>, cx: &mut Context) {
    let never = |label: String| {
        Diagnostic::error(codes::NEVER_MET, "Threshold that can never be met")
            .at(block.span_of("breach"), label)
    };
    let longest = defaults::LONGEST_BREACH;
    let too_long = || {
        format!(
            "is longer than the {} of samples that are looked at",
            format_duration(longest)
        )
    };
    match breach {
        Breach::Of { breaching, periods } if breaching > periods => cx.push(
            never(format!(
                "{breaching} of {periods} periods are more than there are"
            ))
            .help(format!("write \"{periods} of {breaching}\"")),
        ),
        Breach::Of { periods, .. } if period.saturating_mul(periods) > longest => {
            cx.push(never(too_long()).help("ask for fewer periods"));
        }
        Breach::For(duration) if duration > longest => {
            cx.push(never(too_long()).help("write at most \"1d\""));
        }
        Breach::Now | Breach::For(_) | Breach::Of { .. } => {}
    }
}

/// A utilization never shows more than 100 %.
fn capped(metric: &Metric, block: &Merged<'_>, cx: &mut Context) {
    let never = |span: Span, label: String| {
        Diagnostic::error(codes::NEVER_MET, "Threshold that can never be met")
            .at(span, label)
            .why("A utilization is cut at 100 %, however large the load.")
    };
    match &metric.rule {
        Some(Rule::Track(track)) => {
            let out = track.target * (1.0 + track.tolerance_out.fraction());
            // At exactly 100 a full group is over the target only without tolerance.
            if out >= 100.0
                && let Some(track_block) = block.block("track")
            {
                cx.push(
                    never(
                        track_block.span_of("target"),
                        format!("scales out above {}, which is never shown", round(out)),
                    )
                    .help("lower the target or the tolerance, or track a metric of the load"),
                );
            }
        }
        Some(Rule::Steps(steps)) => {
            let unmet = steps.iter().filter_map(|step| match step.when {
                StepBound::Above { from, .. } if from > 100.0 => Some(("above", from)),
                StepBound::Band {
                    from: Some(from), ..
                } if from > 100.0 => Some(("from", from)),
                _ => None,
            });
            for (name, from) in unmet {
                let place = block
                    .blocks_of("step")
                    .find(|step| step.number(name, cx) == Some(from))
                    .map_or(block.span, |step| step.span_of(name));
                cx.push(never(place, format!("{from} is never shown")));
            }
        }
        Some(Rule::Want) | None => {}
    }
}

/// For people: no more digits than they wrote.
pub(super) fn round(n: f64) -> f64 {
    (n * 100.0).round() / 100.0
}
