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
            unused(body, name, WEIGHTED, cx);
        }
    }
    for metric in &policy.metrics {
        let Some(block) = subject.labelled("metric", &metric.name) else {
            continue;
        };
        if !is_weighted {
            for name in ["weight", "threshold"] {
                unused(block, name, WEIGHTED, cx);
            }
        }
        if metric.on_missing != OnMissing::Last {
            let needs = Needs(
                "needs `on_missing = \"last\"`",
                "write `on_missing = \"last\"`",
            );
            unused(block, "max_age", needs, cx);
        }
        if !matches!(metric.rule, Some(Rule::Steps(_))) {
            let needs = Needs("needs `step` blocks", "give the metric a `step`");
            unused(block, "breach", needs, cx);
        }
        if metric.rule.is_none() {
            for name in ["max_add", "max_remove"] {
                let needs = Needs(
                    "the metric has no rule",
                    "give the metric a `track`, a `step` or `want = true`",
                );
                unused(block, name, needs, cx);
            }
        }
        for step in block.blocks_of("step") {
            let is_share = step
                .adjustment("add", cx)
                .or_else(|| step.adjustment("remove", cx));
            if !matches!(is_share, Some(crate::decode::read::Amount::Share(_))) {
                let needs = Needs(
                    "is for changes by a share",
                    "write `add` or `remove` as a share, such as \"10%\"",
                );
                unused(step, "min_adjustment", needs, cx);
            }
        }
        if let Some(track) = block.block("track")
            && track.get("tolerance_out").is_some()
            && track.get("tolerance_in").is_some()
        {
            let needs = Needs(
                "both directions have their own",
                "leave one of `tolerance_out` and `tolerance_in` to it",
            );
            unused(track, "tolerance", needs, cx);
        }
    }
    for guard in &policy.guards {
        if let (GuardEffect::Cap(cap), Some(limits)) = (guard.effect, policy.limits)
            && cap >= limits.max()
            && let Some(block) = subject.labelled("guard", &guard.name)
        {
            cx.push(
                no_effect(block, "cap", "the group's maximum is not above it")
                    .help("lower `cap` below the group's `max`, or take the guard out"),
            );
        }
    }
}

/// What a setting needs: the words beside the underline, and what to write.
#[derive(Clone, Copy)]
struct Needs(&'static str, &'static str);

const WEIGHTED: Needs = Needs(
    "needs `combine = \"weighted\"`",
    "write `combine = \"weighted\"` in the group or its policy",
);

fn unused(block: &Merged<'_>, name: &str, needs: Needs, cx: &mut Context) {
    let Needs(why, help) = needs;
    if block.get(name).is_some() {
        cx.push(no_effect(block, name, why).help(format!("{help}, or take `{name}` out")));
    }
}

fn no_effect(block: &Merged<'_>, name: &str, why: &'static str) -> Diagnostic {
    Diagnostic::warning(codes::NO_EFFECT, "Setting without effect").at(block.span_of(name), why)
}
