//! Minimums against maximums, floors against limits, and whether an empty group can grow again.

use super::Subject;
use crate::codes;
use crate::decode::Context;
use crate::diagnostic::Diagnostic;
use crate::layers::Merged;
use crate::model::{Adjustment, Capacity, Metric, Rule, Scope};

pub(super) fn check(subject: &Subject<'_>, cx: &mut Context) {
    let body = subject.body;
    for block in body
        .blocks
        .iter()
        .filter(|block| matches!(block.kind, "limits" | "schedule"))
    {
        if let (Some(min), Some(max)) = (block.capacity("min", cx), block.capacity("max", cx))
            && min > max
        {
            cx.push(
                Diagnostic::error(codes::MIN_ABOVE_MAX, "Minimum above maximum")
                    .at(block.span_of("min"), format!("{min} is above the maximum"))
                    .at(block.span_of("max"), format!("the maximum is {max}"))
                    .help("raise `max` or lower `min`"),
            );
        }
    }
    let Some(limits) = body.block("limits") else {
        return;
    };
    let (least, most) = (limits.capacity("min", cx), limits.capacity("max", cx));
    let floors = body
        .blocks
        .iter()
        .filter(|block| matches!(block.kind, "schedule" | "surge"));
    for block in floors {
        if let (Some(min), Some(most)) = (block.capacity("min", cx), most)
            && min > most
        {
            cx.push(
                Diagnostic::warning(codes::FLOOR_ABOVE_MAX, "Floor above the maximum")
                    .at(block.span_of("min"), format!("{min} is never reached"))
                    .at(limits.span_of("max"), format!("the group stops at {most}"))
                    .why("The limits of a group are stronger than its schedules and surges.")
                    .help("raise `limits.max`, or lower the floor"),
            );
        }
        if let (Some(max), Some(least)) = (block.capacity("max", cx), least)
            && max < least
        {
            cx.push(
                Diagnostic::warning(codes::NO_EFFECT, "Setting without effect")
                    .at(
                        block.span_of("max"),
                        format!("a ceiling of {max} is never reached"),
                    )
                    .at(limits.span_of("min"), format!("the group keeps {least}"))
                    .why("The limits of a group are stronger than its schedules.")
                    .help("lower `limits.min`, or raise the ceiling"),
            );
        }
    }
}

/// With `min = 0` something must be able to leave zero.
pub(super) fn check_zero(subject: &Subject<'_>, cx: &mut Context) {
    let policy = subject.policy;
    let Some(limits) = policy.limits else { return };
    if limits.min() > Capacity::ZERO || limits.max() == Capacity::ZERO {
        return;
    }
    let grows = policy.scale_out.enabled;
    let by_metric = grows && policy.metrics.iter().any(leaves_zero);
    let above_zero = |capacity: Option<Capacity>| capacity.is_some_and(|c| c > Capacity::ZERO);
    let by_floor = policy.schedules.iter().any(|s| above_zero(s.min))
        || !policy.surges.is_empty()
        || policy.forecast.is_some();
    if by_metric || by_floor || is_left_to_people(subject, cx) {
        return;
    }
    let place = subject
        .body
        .block("limits")
        .map_or(subject.body.span, |block: &Merged<'_>| block.span_of("min"));
    let diagnostic = Diagnostic::error(codes::CANNOT_LEAVE_ZERO, "Nothing can leave zero")
        .at(place, "an empty group stays empty")
        .why("An empty group has no instances to measure, so a metric with `scope = \"instance\"` has no opinion there.");
    cx.push(if grows {
        diagnostic.help(
            "write `min = 1`, or add a metric with `scope = \"group\"` or `\"shared\"`, a schedule or a surge with a floor",
        )
    } else {
        diagnostic.help("`scale_out { enabled = false }` keeps metrics from growing it: write `min = 1`")
    });
}

/// Whether neither the cloud nor tideform ever moves the group: it is never emptied either.
fn is_left_to_people(subject: &Subject<'_>, cx: &mut Context) -> bool {
    let policy = subject.policy;
    let words = &["tideform", "native"];
    subject.body.word("controller", words, cx) == Some("native")
        && policy.schedules.is_empty()
        && policy.metrics.iter().all(|metric| metric.rule.is_none())
}

fn leaves_zero(metric: &Metric) -> bool {
    match &metric.rule {
        None => false,
        Some(Rule::Want) => true,
        Some(Rule::Track(_)) => metric.scope != Scope::Instance,
        Some(Rule::Steps(steps)) => {
            metric.scope != Scope::Instance
                && steps.iter().any(|step| match step.adjustment {
                    Adjustment::Add(n) | Adjustment::Set(n) => n > 0,
                    Adjustment::AddShare(_) => true,
                    Adjustment::Remove(_) | Adjustment::RemoveShare(_) => false,
                })
        }
    }
}
