//! Instances: weights, and boot time against warm-up and cooldown.

use super::Subject;
use crate::codes;
use crate::decode::Context;
use crate::diagnostic::Diagnostic;
use crate::model::units::format_duration;

pub(super) fn check(subject: &Subject<'_>, cx: &mut Context) {
    weights(subject, cx);
    maintenance(subject, cx);
    if subject.is_sound {
        boot(subject, cx);
    }
}

/// Where any type has a weight, every type has one.
fn weights(subject: &Subject<'_>, cx: &mut Context) {
    let Some(mix) = subject.body.block("mix") else {
        return;
    };
    let weighted = mix.blocks_of("type").find(|t| t.get("weight").is_some());
    let bare = mix.blocks_of("type").find(|t| t.get("weight").is_none());
    if let (Some(weighted), Some(bare)) = (weighted, bare) {
        cx.push(
            Diagnostic::error(codes::WEIGHTS, "Weights for some types only")
                .at(bare.span, "has no weight")
                .at(weighted.span_of("weight"), "has one")
                .why("With weights all capacities of the group are in units, and each type must say how many it is.")
                .help("give every type a `weight`, or none"),
        );
    }
}

/// Replacing needs room: fewer than all of desired, or more.
fn maintenance(subject: &Subject<'_>, cx: &mut Context) {
    let (Some(block), Some(maintenance)) = (
        subject.body.block("maintenance"),
        subject.policy.maintenance,
    ) else {
        return;
    };
    let (least, most) = (
        maintenance.min_healthy.percent(),
        maintenance.max_healthy.percent(),
    );
    let problem = |label: String, help: &'static str| {
        Diagnostic::error(codes::SHARE, "Share not usable")
            .at(block.span_of("max_healthy"), label)
            .help(help)
    };
    if most < 100.0 {
        cx.push(problem(
            "must be from 100% to 200%".to_owned(),
            "\"100%\" never starts an instance before another has ended",
        ));
    } else if most - least > 100.0 + 1e-9 {
        cx.push(problem(
            format!("is more than 100 % above `min_healthy`, {least}%"),
            "bring the two nearer to each other",
        ));
    }
}

/// A scale-out must be able to take effect before the next one.
fn boot(subject: &Subject<'_>, cx: &mut Context) {
    let policy = subject.policy;
    let Some(boot) = policy.instance.as_ref().and_then(|instance| instance.boot) else {
        return;
    };
    let has_rule = policy.metrics.iter().any(|metric| metric.rule.is_some());
    let cooldown = policy.scale_out.cooldown;
    if !has_rule || !policy.scale_out.enabled || policy.warmup.max(cooldown) >= boot {
        return;
    }
    let body = subject.body;
    let (place, label) = match body
        .block("scale_out")
        .filter(|b| b.get("cooldown").is_some())
    {
        Some(block) => (
            block.span_of("cooldown"),
            format!("{} are shorter than the boot", format_duration(cooldown)),
        ),
        None if policy.warmup_is_set => (
            body.span_of("warmup"),
            format!(
                "{} are shorter than the boot",
                format_duration(policy.warmup)
            ),
        ),
        None => (
            body.span,
            "neither `warmup` nor a cooldown waits for the boot".to_owned(),
        ),
    };
    let mut diagnostic =
        Diagnostic::warning(codes::SHORT_COOLDOWN, "Cooldown shorter than boot").at(place, label);
    if let Some(instance) = body.block("instance") {
        diagnostic = diagnostic.at(
            instance.span_of("boot"),
            format!("an instance boots for {}", format_duration(boot)),
        );
    }
    cx.push(
        diagnostic
            .why("Before the new instances serve, the load still shows on the others, and further decisions add more than is needed.")
            .help(format!("write warmup = \"{}\"", format_duration(boot))),
    );
}
