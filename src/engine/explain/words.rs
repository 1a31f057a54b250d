//! Each reason as a sentence, and numbers, bounds and adjustments as people write them.

use jiff::Timestamp;
use tideform_policies::model::units::format_duration;
use tideform_policies::model::{
    Adjustment, Blocks, Breach, Capacity, Direction, Group, GuardEffect, RateAmount, Rule,
    StepBound, VictimOrder,
};

use super::numbers::{number, number_beside, percent, unit};
use super::times::Times;
use super::{Line, arrow};
use crate::engine::reason::{Abstention, Basis, Bound, Combination, Reason, Substitute};
use crate::engine::time::{age, later};

/// Whose words, and for which text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'a> {
    pub(super) group: &'a Group,
    pub(super) times: Times,
    /// The capacity last asked for, where it is known.
    pub(super) current: Option<Capacity>,
    /// The number that floor and ceiling were held against, where it is known.
    pub(super) bounded: Option<Capacity>,
}

impl Words<'_> {
    /// What a reason is about, and what it says.
    pub(super) fn line(&self, reason: &Reason) -> Line {
        let (subject, text) = sentence(self, reason);
        Line { subject, text }
    }

    fn value(&self, metric: &str, x: f64) -> String {
        format!("{}{}", number(x), unit(self.group, metric))
    }

    /// A value that a rule of the metric was applied to, with as many digits as show on which side of its bounds.
    fn value_beside(&self, metric: &str, x: f64, marks: &[f64]) -> String {
        format!("{}{}", number_beside(x, marks), unit(self.group, metric))
    }

    /// ` of 10 %`, ` of +5/-20 %`: the tolerance of a tracked metric; empty where the policy is no longer that of the
    /// decision.
    fn tolerance(&self, metric: &str, ratio: f64) -> String {
        let Some(Rule::Track(track)) = self.group.metric(metric).and_then(|m| m.rule.as_ref())
        else {
            return String::new();
        };
        let (down, up) = (track.tolerance_in, track.tolerance_out);
        if ratio < 1.0 - down.fraction() - 1e-9 || ratio > 1.0 + up.fraction() + 1e-9 {
            return String::new();
        }
        if down == up {
            format!(" of {}", percent(up))
        } else {
            let (up, down) = (number(up.percent()), number(down.percent()));
            format!(" of +{up}/-{down} %")
        }
    }

    /// `limits.min`, `surge campaign, until 11:50Z`: what sets an end, and until when.
    fn set_by(&self, bound: &Bound, end: &str, until: Option<Timestamp>) -> String {
        let name = match bound {
            Bound::Limits => format!("limits.{end}"),
            bound => bound_name(bound),
        };
        let until = until.map(|at| format!(", until {}", self.times.text(at)));
        format!("{name}{}", until.unwrap_or_default())
    }

    /// Where the metric's steps begin and end.
    fn bounds(&self, metric: &str) -> Vec<f64> {
        let Some(Rule::Steps(steps)) = self.group.metric(metric).and_then(|m| m.rule.as_ref())
        else {
            return Vec::new();
        };
        steps
            .iter()
            .flat_map(|step| match step.when {
                StepBound::Above { from, to } | StepBound::Below { from, to } => [Some(from), to],
                StepBound::Band { from, to } => [from, to],
            })
            .flatten()
            .collect()
    }
}

/// Where the want of a tracked metric changes: the ends of its tolerance, and the whole capacities around the want.
fn marks(
    group: &Group,
    metric: &str,
    target: f64,
    is_total: bool,
    counted: u32,
    want: u32,
) -> Vec<f64> {
    let counted = f64::from(counted.max(1));
    let unit = if is_total { target } else { target / counted };
    let middle = unit * counted;
    let want = f64::from(want);
    let mut marks = vec![middle, unit * want, unit * (want - 1.0)];
    if let Some(Rule::Track(track)) = group.metric(metric).and_then(|m| m.rule.as_ref()) {
        marks.push(middle * (1.0 + track.tolerance_out.fraction()));
        marks.push(middle * (1.0 - track.tolerance_in.fraction()));
    }
    marks
}

/// What a reason is about, and what it says.
fn sentence(words: &Words<'_>, reason: &Reason) -> (String, String) {
    let value = |metric: &str, x: f64| words.value(metric, x);
    let time = |at: &Timestamp| words.times.text(*at);
    let (subject, text) = match reason {
        Reason::Opinion {
            metric,
            observed,
            target,
            ratio,
            basis,
            counted,
            missing,
            unready,
            filled,
            is_within_tolerance,
            is_turned_round,
            want,
        } => {
            let is_total = *basis == Basis::Total;
            let is_filled_out = filled.is_some_and(|filled| filled.measured > *target);
            let marks = marks(
                words.group,
                metric,
                *target,
                is_total,
                counted.get(),
                want.get(),
            );
            let observed = words.value_beside(metric, *observed, &marks);
            let target = value(metric, *target);
            let mut aside = Vec::new();
            if *basis == Basis::Average && words.current.is_some_and(|current| current != *counted)
            {
                aside.push(format!("the mean of {counted}"));
            }
            if *missing > 0 && filled.is_none() {
                aside.push(format!("{missing} without a sample"));
            }
            if *unready > 0 && !is_filled_out {
                aside.push(format!("{unready} not ready"));
            }
            let aside = if aside.is_empty() {
                String::new()
            } else {
                format!(" ({})", aside.join(", "))
            };
            let observed = match filled {
                None => observed,
                Some(filled) => {
                    let unready = if is_filled_out { *unready } else { 0 };
                    format!(
                        "{} on {} of {}, {observed} with {} as {}{aside},",
                        words.value_beside(metric, filled.measured, &marks),
                        filled.reported,
                        filled
                            .reported
                            .saturating_add(*missing)
                            .saturating_add(unready),
                        others(*missing, unready),
                        value(metric, filled.stand_in),
                    )
                }
            };
            let aside = if filled.is_none() { aside.as_str() } else { "" };
            let against = match basis {
                Basis::Average | Basis::PerInstance => {
                    format!("{observed}{aside} against a target of {target}")
                }
                Basis::Total => format!("a total of {observed} against {target} an instance"),
            };
            let text = if *is_turned_round {
                let who = match (missing, unready) {
                    (0, _) => "the instances that are not ready turn",
                    (1, 0) => "the missing sample turns",
                    (_, 0) => "the missing samples turn",
                    _ => "the missing samples and what is not ready turn",
                };
                format!("{against}: {who} the change round, wants {want}")
            } else if *is_within_tolerance {
                let tolerance = words.tolerance(metric, *ratio);
                let article = if tolerance.is_empty() { "" } else { "the " };
                format!("{against} is within {article}tolerance{tolerance}: wants {want}")
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
            format!(
                "is {}: wants {want}",
                number_beside(*observed, &[observed.round()])
            ),
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
                "{} {} {}: {}{} with {ready} ready{}, wants {want}",
                words.value_beside(metric, *observed, &words.bounds(metric)),
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
            let observed = observed.map_or_else(String::new, |x| {
                let bounds = words.bounds(metric);
                format!("{} ", words.value_beside(metric, x, &bounds))
            });
            (
                metric.to_string(),
                match why {
                    Abstention::NoStep => format!("{observed}is in no step: no opinion"),
                    Abstention::BreachTooShort => {
                        let breach = words.group.metric(metric).map(|metric| metric.breach);
                        let long = match breach {
                            Some(Breach::For(time)) => format!("for {}", format_duration(time)),
                            Some(Breach::Of { breaching, periods }) => {
                                format!("in {breaching} of {periods} periods")
                            }
                            Some(Breach::Now) | None => "for long enough".to_owned(),
                        };
                        format!("{observed}has not breached {long} yet: no opinion")
                    }
                    Abstention::AtZero => {
                        "no opinion: at 0 there is no instance that it could describe".to_owned()
                    }
                    Abstention::NoneReady => {
                        format!("{observed}would remove instances, but none is ready: no opinion")
                    }
                },
            )
        }
        Reason::NoData { metric, newest_at } => (
            metric.to_string(),
            match newest_at {
                Some(at) => format!("no usable data since {}", time(at)),
                None => "no data".to_owned(),
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
                        format!("no fresh data: taken as {x}, as last seen at {}", time(at))
                    }
                    (Substitute::Last, None) => format!("no fresh data: taken as {x}"),
                    (Substitute::Number, _) => {
                        format!("no data: taken as {x}, as its `on_missing` says")
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
            format!(
                "no data since {}: adds one, once, wants {want}",
                time(since)
            ),
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
            if wanted < want {
                format!(
                    "would want {wanted}, but {ready} of {want} are ready and the rest is on its way: wants {want}"
                )
            } else {
                format!(
                    "speaks for fewer, but {ready} of {want} are ready and the rest is on its way: wants {want}"
                )
            },
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
                "{}: {after} was recommended at {} and counts for {}, until {}",
                arrow(*before, *after),
                time(recommended_at),
                format_duration(*window),
                time(&later(*recommended_at, *window))
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
                "{}: at most {} {} in {}, counted from {base}",
                arrow(*before, *after),
                match amount {
                    RateAmount::Count(n) => n.to_string(),
                    RateAmount::Share(share) => percent(*share),
                },
                match direction {
                    Direction::In => "fewer",
                    Direction::Out | Direction::Hold => "more",
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
            format!("{}: switched off in the policy", arrow(*before, *after)),
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
                "{}: {direction} waits until {}, {} after the {after_direction} at {}",
                arrow(*before, *after),
                time(until),
                format_duration(age(*until, *changed_at)),
                time(changed_at)
            ),
        ),
        Reason::GuardTripped {
            guard,
            effect,
            releases_at,
        } => (
            format!("guard {guard}"),
            match releases_at {
                Some(at) => format!(
                    "tripped: {}, until {} if its condition stays away",
                    effect_text(effect),
                    time(at)
                ),
                None => format!(
                    "tripped: {}, while its condition holds",
                    effect_text(effect)
                ),
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
                "{}: no such move until {}{}",
                arrow(*before, *after),
                time(until),
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
                "{}: no scale out, {spent_usd:.2} of {monthly_usd:.2} USD are spent this month",
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
                "metrics want {before}; the pin holds {after} until {}, by {by}{}",
                time(until),
                because(reason)
            ),
        ),
        Reason::RaisedToFloor {
            bound,
            until,
            before,
            after,
        } => (
            bound_name(bound),
            format!(
                "{}: at least {after}{}",
                arrow(*before, *after),
                until.map_or_else(String::new, |at| format!(", until {}", time(&at)))
            ),
        ),
        Reason::LoweredToCeiling {
            bound,
            until,
            before,
            after,
        } => (
            bound_name(bound),
            format!(
                "{}: at most {after}{}",
                arrow(*before, *after),
                until.map_or_else(String::new, |at| format!(", until {}", time(&at)))
            ),
        ),
        Reason::WithinLimits {
            floor,
            floor_by,
            floor_until,
            ceiling,
            ceiling_by,
            ceiling_until,
        } => {
            let low = words.set_by(floor_by, "min", *floor_until);
            let high = words.set_by(ceiling_by, "max", *ceiling_until);
            let aside = |bound: &Bound, who: &str| match bound {
                Bound::Limits => String::new(),
                _ => format!(" ({who})"),
            };
            let from = format!("{floor}{}", aside(floor_by, &low));
            let to = ceiling.map(|ceiling| format!("{ceiling}{}", aside(ceiling_by, &high)));
            let is_at_floor = words.bounded == Some(*floor) && *floor > Capacity::ZERO;
            let is_at_ceiling = ceiling.is_some() && words.bounded == *ceiling;
            let text = match (is_at_floor, is_at_ceiling, to) {
                (true, true, _) if low == high => {
                    format!("at the floor and the ceiling: {floor} ({low})")
                }
                (true, true, _) => format!("at the floor and the ceiling: {floor} ({low}; {high})"),
                (true, false, Some(to)) => {
                    format!("at the floor: {floor} ({low}); the ceiling is {to}")
                }
                (true, false, None) => format!("at the floor: {floor} ({low})"),
                (false, true, Some(to)) if *ceiling_by == Bound::Limits => {
                    format!("at the ceiling: {to} ({high}); the floor is {from}")
                }
                (false, true, Some(to)) => {
                    format!("at the ceiling: {to}; the floor is {from}")
                }
                (false, _, Some(to)) => format!("{from} to {to}, not reached"),
                (false, _, None) => format!("{from} and more, not reached"),
            };
            ("limits".to_owned(), text)
        }
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
                "{}: paused by {by} until {}{}",
                arrow(*before, *after),
                time(until),
                because(reason)
            ),
        ),
        Reason::MixSplit { on_demand, spot } => (
            "mix".to_owned(),
            format!("{on_demand} on demand, {spot} spot"),
        ),
        Reason::Fallback { until, moved, .. } => (
            "fallback".to_owned(),
            format!(
                "spot does not launch: {moved} on demand instead, until {}",
                time(until)
            ),
        ),
        Reason::Victims {
            instances,
            order,
            left,
            ..
        } => {
            let order = match order {
                VictimOrder::Newest => ", then the newest",
                VictimOrder::Oldest => ", then the oldest",
                VictimOrder::Default => "",
            };
            let rest = match (left.get(), instances) {
                (0, _) => String::new(),
                (left, _) => format!("; {left} left to the backend"),
            };
            (
                "victims".to_owned(),
                format!("{instances} named: unhealthy ones first{order}{rest}"),
            )
        }
    };
    (subject, text)
}

/// `the missing one`, `the 3 missing and 1 not ready`: instances without a say.
fn others(missing: u32, unready: u32) -> String {
    match (missing, unready) {
        (1, 0) => "the missing one".to_owned(),
        (missing, 0) => format!("the {missing} missing ones"),
        (0, 1) => "the one not ready".to_owned(),
        (0, unready) => format!("the {unready} not ready"),
        (missing, unready) => format!("the {missing} missing and {unready} not ready"),
    }
}

fn bound_text(when: &StepBound, value: &dyn Fn(f64) -> String) -> String {
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

fn adjustment_text(adjustment: &Adjustment) -> String {
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

pub(super) fn bound_name(bound: &Bound) -> String {
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
