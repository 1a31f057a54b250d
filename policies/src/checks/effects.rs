//! Settings that nothing makes use of.

use super::Subject;
use crate::codes;
use crate::decode::Context;
use crate::diagnostic::Diagnostic;
use crate::layers::Merged;
use crate::model::{Combine, GuardEffect, OnMissing, Rule};

pub(super) fn check(subject: &Subject<'_>, cx: &mut Context) {
    let (policy, body) = (subject.policy, subject.body);
    let is_weighted = matches!(policy.combine, Combine::Weighted(_));
    if !is_weighted {
        for name in ["out_above", "in_below", "out_step", "in_step"] {
            unused(body, name, "needs `combine = \"weighted\"`", cx);
        }
    }
    for metric in &policy.metrics {
        let Some(block) = subject.labelled("metric", &metric.name) else {
            continue;
        };
        if !is_weighted {
            for name in ["weight", "threshold"] {
                unused(block, name, "needs `combine = \"weighted\"`", cx);
            }
        }
        if metric.on_missing != OnMissing::Last {
            unused(block, "max_age", "needs `on_missing = \"last\"`", cx);
        }
        if !matches!(metric.rule, Some(Rule::Steps(_))) {
            unused(block, "breach", "needs `step` blocks", cx);
        }
        if metric.rule.is_none() {
            for name in ["max_add", "max_remove"] {
                unused(block, name, "the metric has no rule", cx);
            }
        }
        for step in block.blocks_of("step") {
            let is_share = step
                .adjustment("add", cx)
                .or_else(|| step.adjustment("remove", cx));
            if !matches!(is_share, Some(crate::decode::read::Amount::Share(_))) {
                unused(step, "min_adjustment", "is for changes by a share", cx);
            }
        }
        if let Some(track) = block.block("track")
            && track.get("tolerance_out").is_some()
            && track.get("tolerance_in").is_some()
        {
            unused(track, "tolerance", "both directions have their own", cx);
        }
    }
    for guard in &policy.guards {
        if let (GuardEffect::Cap(cap), Some(limits)) = (guard.effect, policy.limits)
            && cap >= limits.max()
            && let Some(block) = subject.labelled("guard", &guard.name)
        {
            unused(block, "cap", "the group's maximum is not above it", cx);
        }
    }
}

fn unused(block: &Merged<'_>, name: &str, why: &'static str, cx: &mut Context) {
    if block.get(name).is_some() {
        cx.push(
            Diagnostic::warning(codes::NO_EFFECT, "Setting without effect")
                .at(block.span_of(name), why)
                .help(format!("take `{name}` out, or add what it needs")),
        );
    }
}
