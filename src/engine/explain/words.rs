//! Each reason as a sentence, and numbers, bounds and adjustments as people write them.

use tideform_policies::model::units::format_duration;
use tideform_policies::model::{
    Adjustment, Blocks, Capacity, Group, GuardEffect, MetricSource, RateAmount, Share, StepBound,
    VictimOrder,
};

use super::arrow;
use crate::engine::reason::{Abstention, Basis, Bound, Combination, Reason, Substitute};

/// What a reason is about, and what it says.
pub fn sentence(group: &Group, reason: &Reason) -> (String, String) {
    let value = |metric: &str, x: f64| with_unit(group, metric, x);
    let (subject, text) = match reason {
        Reason::Opinion {
            metric,
            observed,
            target,
            basis,
            missing,
            unready,
            is_within_tolerance,
            want,
            ..
        } => {
            let observed = value(metric, *observed);
            let target = value(metric, *target);
            let mut aside = Vec::new();
            if *missing > 0 {
                aside.push(format!("{missing} without a sample"));
            }
            if *unready > 0 {
                aside.push(format!("{unready} not ready"));
            }
            let aside = if aside.is_empty() {
                String::new()
            } else {
                format!(" ({})", aside.join(", "))
            };
            let against = match basis {
                Basis::Average | Basis::PerInstance => {
                    format!("{observed}{aside} against a target of {target}")
                }
                Basis::Total => format!("a total of {observed} against {target} an instance"),
            };
            let text = if *is_within_tolerance {
                format!("{against} is near enough, wants {want}")
            } else {
                format!("{against} wants {want}")
            };
            (metric.to_string(), text)
        }
        Reason::Want {
            metric,
            observed,
            want,
        } => (
            metric.to_string(),
            format!("is {}, wants {want}", number(*observed)),
        ),
        Reason::Step {
            metric,
            observed,
            when,
            adjustment,
            min_adjustment,
            ready,
            current,
            want,
        } => (
            metric.to_string(),
            format!(
                "{} {} {}: {}{} with {ready} ready{} wants {want}",
                value(metric, *observed),
                if when.contains(*observed) {
                    "is"
                } else {
                    "is the newest, and enough samples were"
                },
                bound_text(when, &|x| value(metric, x)),
                adjustment_text(adjustment),
                min_adjustment.map_or_else(String::new, |least| format!(" (at least {least})")),
                current.map_or_else(String::new, |current| format!(" of {current}")),
            ),
        ),
        Reason::Abstained {
            metric,
            observed,
            why,
        } => {
            let observed = observed.map_or_else(String::new, |x| format!("{} ", value(metric, x)));
            (
                metric.to_string(),
                match why {
                    Abstention::NoStep => format!("{observed}is in no step, no opinion"),
                    Abstention::BreachTooShort => {
                        format!("{observed}is not breached for long enough yet, no opinion")
                    }
                    Abstention::AtZero => {
                        "has no opinion: there is no instance that it could describe".to_owned()
                    }
                    Abstention::NoneReady => {
                        format!("{observed}would remove instances, but none is ready, no opinion")
                    }
                },
            )
        }
        Reason::NoData { metric, newest_at } => (
            metric.to_string(),
            match newest_at {
                Some(at) => format!("has no data to go by since {at}"),
                None => "has no data".to_owned(),
            },
        ),
        Reason::Substituted {
            metric,
            by,
            value: x,
            sampled_at,
        } => {
            let x = value(metric, *x);
            (
                metric.to_string(),
                match (by, sampled_at) {
                    (Substitute::Last, Some(at)) => {
                        format!("has no data, taken as {x} as last at {at}")
                    }
                    (Substitute::Last | Substitute::Number, _) => {
                        format!("has no data, taken as {x}")
                    }
                },
            )
        }
        Reason::AddedOnMissing {
            metric,
            since,
            want,
        } => (
            metric.to_string(),
            format!("has had no data since {since} and adds one, once: wants {want}"),
        ),
        Reason::Cut {
            metric,
            most,
            wanted,
            want,
        } => (
            metric.to_string(),
            format!(
                "would want {wanted}, but may {} {}: wants {want}",
                if want < wanted { "add" } else { "remove" },
                match most {
                    0 => "none".to_owned(),
                    most => format!("at most {most} at once"),
                }
            ),
        ),
        Reason::Warming {
            metric,
            wanted,
            want,
            ready,
        } => (
            metric.to_string(),
            format!(
                "would want {wanted}, but only {ready} of {want} are ready and the rest is warming: wants {want}"
            ),
        ),
        Reason::Combined {
            combination,
            before,
            after,
        } => (
            "combined".to_owned(),
            combined(combination, *before, *after),
        ),
        Reason::Stabilized {
            window,
            recommended_at,
            before,
            after,
            ..
        } => (
            "stabilization".to_owned(),
            format!(
                "{}: {after} was recommended at {recommended_at}, within the last {}",
                arrow(*before, *after),
                format_duration(*window)
            ),
        ),
        Reason::RateLimited {
            direction,
            amount,
            per,
            base,
            before,
            after,
            ..
        } => (
            "rate".to_owned(),
            format!(
                "{}: {direction} is at most {} in {}, from {base}",
                arrow(*before, *after),
                match amount {
                    RateAmount::Count(n) => n.to_string(),
                    RateAmount::Share(share) => percent(*share),
                },
                format_duration(*per)
            ),
        ),
        Reason::DirectionDisabled {
            direction,
            before,
            after,
        } => (
            direction.to_string(),
            format!("{}: is switched off", arrow(*before, *after)),
        ),
        Reason::InCooldown {
            direction,
            after_direction,
            changed_at,
            until,
            before,
            after,
        } => (
            "cooldown".to_owned(),
            format!(
                "{}: {direction} waits until {until}, after the {after_direction} at {changed_at}",
                arrow(*before, *after)
            ),
        ),
        Reason::GuardTripped {
            guard,
            effect,
            releases_at,
        } => (
            format!("guard {guard}"),
            match releases_at {
                Some(at) => format!("is tripped, {}, until {at}", effect_text(effect)),
                None => format!("is tripped, {}", effect_text(effect)),
            },
        ),
        Reason::Guarded {
            guard,
            effect,
            before,
            after,
        } => (
            format!("guard {guard}"),
            format!("{}: {}", arrow(*before, *after), effect_text(effect)),
        ),
        Reason::Frozen {
            freeze,
            until,
            reason,
            before,
            after,
        } => (
            format!("freeze {freeze}"),
            format!(
                "{}: until {until}{}",
                arrow(*before, *after),
                because(reason)
            ),
        ),
        Reason::OverBudget {
            spent_usd,
            monthly_usd,
            before,
            after,
        } => (
            "budget".to_owned(),
            format!(
                "{}: {spent_usd:.2} USD of {monthly_usd:.2} USD are spent this month",
                arrow(*before, *after)
            ),
        ),
        Reason::Pinned {
            until,
            by,
            reason,
            before,
            after,
        } => (
            "pin".to_owned(),
            format!(
                "metrics want {before}; the pin holds {after} until {until}, by {by}{}",
                because(reason)
            ),
        ),
        Reason::RaisedToFloor {
            bound,
            before,
            after,
        } => (
            bound_name(bound),
            format!("{}: at least {after}", arrow(*before, *after)),
        ),
        Reason::LoweredToCeiling {
            bound,
            before,
            after,
        } => (
            bound_name(bound),
            format!("{}: at most {after}", arrow(*before, *after)),
        ),
        Reason::WithinLimits { floor, ceiling } => (
            "limits".to_owned(),
            match ceiling {
                Some(ceiling) => format!("{floor} to {ceiling}, not reached"),
                None => format!("{floor} and more, not reached"),
            },
        ),
        Reason::ForecastObserved { capacity, quantile } => (
            "forecast".to_owned(),
            format!(
                "asks for {capacity} (quantile {}), and only observes",
                number(*quantile)
            ),
        ),
        Reason::ScheduleUnusable { schedule, problem } => (
            format!("schedule {schedule}"),
            format!("is taken as closed: {problem}"),
        ),
        Reason::Paused {
            until,
            by,
            reason,
            before,
            after,
        } => (
            "pause".to_owned(),
            format!(
                "{}: paused by {by} until {until}{}",
                arrow(*before, *after),
                because(reason)
            ),
        ),
        Reason::MixSplit { on_demand, spot } => (
            "mix".to_owned(),
            format!("{on_demand} on demand, {spot} spot"),
        ),
        Reason::Fallback { until, moved, .. } => (
            "fallback".to_owned(),
            format!("spot does not launch: {moved} on demand instead, until {until}"),
        ),
        Reason::Victims {
            instances,
            order,
            left,
            ..
        } => {
            let order = match order {
                VictimOrder::Newest => ", the newest first",
                VictimOrder::Oldest => ", the oldest first",
                VictimOrder::Default => "",
            };
            let rest = match (left.get(), instances) {
                (0, _) => String::new(),
                (left, _) => format!("; {left} left to the backend"),
            };
            (
                "victims".to_owned(),
                format!("{instances} named, unhealthy ones first{order}{rest}"),
            )
        }
    };
    (subject, text)
}

pub(super) fn bound_text(when: &StepBound, value: &dyn Fn(f64) -> String) -> String {
    match when {
        StepBound::Above { from, .. } => format!("at or above {}", value(*from)),
        StepBound::Below { from, .. } => format!("at or below {}", value(*from)),
        StepBound::Band { from, to } => match (from, to) {
            (Some(from), Some(to)) => format!("from {} to below {}", value(*from), value(*to)),
            (Some(from), None) => format!("at or above {}", value(*from)),
            (None, Some(to)) => format!("below {}", value(*to)),
            (None, None) => "anywhere".to_owned(),
        },
    }
}

pub(super) fn adjustment_text(adjustment: &Adjustment) -> String {
    match adjustment {
        Adjustment::Add(n) => format!("add {n}"),
        Adjustment::Remove(n) => format!("remove {n}"),
        Adjustment::AddShare(share) => format!("add {}", percent(*share)),
        Adjustment::RemoveShare(share) => format!("remove {}", percent(*share)),
        Adjustment::Set(n) => format!("set {n}"),
    }
}

fn effect_text(effect: &GuardEffect) -> String {
    match effect {
        GuardEffect::Block(Blocks::ScaleIn) => "no scale in".to_owned(),
        GuardEffect::Block(Blocks::ScaleOut) => "no scale out".to_owned(),
        GuardEffect::Block(Blocks::All) => "no move".to_owned(),
        GuardEffect::Cap(cap) => format!("no growth past {cap}"),
    }
}

fn bound_name(bound: &Bound) -> String {
    match bound {
        Bound::Limits => "limits".to_owned(),
        Bound::Schedule(name) => format!("schedule {name}"),
        Bound::Surge(name) => format!("surge {name}"),
        Bound::Forecast => "forecast".to_owned(),
    }
}

fn combined(combination: &Combination, before: Capacity, after: Capacity) -> String {
    match combination {
        Combination::Max {
            is_held_by_missing_data: true,
        }
        | Combination::Weighted {
            is_held_by_missing_data: true,
            ..
        } => format!("stays at {after}: nothing is removed while a metric has no data"),
        Combination::Max { .. } => format!("the largest want is {after}"),
        Combination::Majority { out, r#in, of } => {
            let text = format!("of {of} metrics {out} want more and {} want fewer", r#in);
            if before == after {
                format!("{text}: stays at {after}")
            } else {
                format!("{text}: {after}")
            }
        }
        Combination::Weighted { score, .. } => {
            format!("the weighted score is {}: {after}", number(*score))
        }
        Combination::NoOpinion => format!("no metric has an opinion: stays at {after}"),
        Combination::Floor => format!("no metric has a rule: the floor of {after}"),
    }
}

fn because(reason: &Option<String>) -> String {
    reason
        .as_ref()
        .map_or_else(String::new, |reason| format!(" ({reason})"))
}

fn percent(share: Share) -> String {
    format!("{} %", number(share.percent()))
}

/// A value with the unit of the known metrics: percent, seconds.
pub(super) fn with_unit(group: &Group, metric: &str, value: f64) -> String {
    let name = match group.metric(metric).map(|metric| &metric.source) {
        Some(MetricSource::Query(query)) => query.name.to_ascii_lowercase(),
        _ => String::new(),
    };
    let unit = if name == "cpu"
        || name == "memory"
        || name == "error_rate"
        || name.contains("utilization")
    {
        " %"
    } else if name == "latency" {
        " s"
    } else {
        ""
    };
    format!("{}{unit}", number(value))
}

/// At most three decimals; what is tiny or huge in powers of ten.
pub fn number(x: f64) -> String {
    let size = x.abs();
    if x == 0.0 {
        return "0".to_owned();
    }
    if !(1e-3..1e15).contains(&size) {
        return format!("{x:.2e}");
    }
    let text = format!("{x:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}
