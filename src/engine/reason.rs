//! Why a decision is what it is, as data: one reason per rule that had a say, in the order of the rules.
//!
//! A reason that changes the number carries it before and after; following these from `current` gives
//! `desired`. Text, JSON and the tests are views of these values; none is parsed back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tideform_policies::model::units::seconds;
use tideform_policies::model::{
    Adjustment, Capacity, Change, Direction, GuardEffect, Lifecycle, Name, RateAmount, StepBound,
    VictimOrder,
};

/// What a tracked value is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// A mean over the instances that count, one number for the group.
    Average,
    /// One sample an instance: the HPA's calculation.
    PerInstance,
    /// A total of the group.
    Total,
}

/// Why a metric has no opinion although it has data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Abstention {
    /// The value is in no step.
    NoStep,
    /// The threshold is not breached for long enough yet.
    BreachTooShort,
    /// The group is at 0, and the metric describes an instance.
    AtZero,
    /// It would remove something, but none is ready, and none on its way.
    NoneReady,
}

/// What stands in for a value that is not fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Substitute {
    /// The newest sample, `on_missing = "last"`.
    Last,
    /// A number, `on_missing = n`.
    Number,
}

/// How the opinions became one number.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Combination {
    /// The largest want.
    Max {
        /// Some metric had no data, so that the number may not fall.
        is_held_by_missing_data: bool,
    },
    /// More than half must agree on a direction.
    Majority {
        /// Metrics that want more.
        out: u32,
        /// Metrics that want fewer.
        r#in: u32,
        /// Metrics with a rule.
        of: u32,
    },
    /// The weighted mean of scores.
    Weighted {
        /// -1 to 1.
        score: f64,
        /// Some metric had no data, so that the number may not fall.
        is_held_by_missing_data: bool,
    },
    /// No metric had an opinion.
    NoOpinion,
    /// The group has no rule at all, and wants its floor.
    Floor,
}

/// What stood in for instances without a say, where that mattered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FilledIn {
    /// The mean of those that reported, in the metric's own unit.
    pub measured: f64,
    /// How many instances reported and count.
    pub reported: u32,
    /// What each of the others was taken to have, in the metric's own unit.
    pub stand_in: f64,
}

/// What sets a floor or a ceiling.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", content = "name", rename_all = "snake_case")]
pub enum Bound {
    /// The policy's `limits`, or the live ones.
    #[default]
    Limits,
    /// A schedule.
    Schedule(Name),
    /// A surge.
    Surge(Name),
    /// The forecast.
    Forecast,
}

/// One reason of a decision: appended in the order of the rules, never rewritten by a later one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Reason {
    /// A tracked metric wants a capacity.
    Opinion {
        /// Which.
        metric: Name,
        /// In the metric's own unit. With samples per instance: the mean that the want follows from.
        observed: f64,
        /// The same unit.
        target: f64,
        /// `observed / target`, for a total divided by the instances too.
        ratio: f64,
        /// What the value is about.
        basis: Basis,
        /// The units that the ratio is multiplied by.
        counted: Capacity,
        /// Instances without a sample; they count against the change.
        #[serde(default, skip_serializing_if = "is_zero")]
        missing: u32,
        /// Instances not ready; they count as 0 on the way out and not at all on the way in.
        #[serde(default, skip_serializing_if = "is_zero")]
        unready: u32,
        /// What `observed` was filled in with; `None`: it is the mean of all that count.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        filled: Option<FilledIn>,
        /// The ratio is so near to 1 that nothing should change.
        is_within_tolerance: bool,
        /// Filled in, the ratio is on the other side of 1 than what was measured, so that nothing should change.
        #[serde(default, skip_serializing_if = "is_false")]
        is_turned_round: bool,
        /// What it wants.
        want: Capacity,
    },
    /// A metric is a capacity itself (`want = metric.x`).
    Want {
        /// Which.
        metric: Name,
        /// Before it is rounded up.
        observed: f64,
        /// What it wants.
        want: Capacity,
    },
    /// A metric is in a step.
    Step {
        /// Which.
        metric: Name,
        /// In the metric's own unit.
        observed: f64,
        /// Where the step applies.
        when: StepBound,
        /// What the step does.
        adjustment: Adjustment,
        /// A smaller change by a percentage becomes this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_adjustment: Option<u32>,
        /// What it is applied to.
        ready: Capacity,
        /// The capacity last asked for, where fewer are ready: the want is no further below it than the step says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        current: Option<Capacity>,
        /// What it wants.
        want: Capacity,
    },
    /// A metric has data, and no opinion.
    Abstained {
        /// Which.
        metric: Name,
        /// In the metric's own unit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        observed: Option<f64>,
        /// Why.
        why: Abstention,
    },
    /// A metric has no data.
    NoData {
        /// Which.
        metric: Name,
        /// Its newest sample, which is too old; `None`: there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        newest_at: Option<Timestamp>,
    },
    /// A value stands in for data that is absent.
    Substituted {
        /// Which metric.
        metric: Name,
        /// What stands in.
        by: Substitute,
        /// In the metric's own unit.
        value: f64,
        /// When it was sampled, for `last`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sampled_at: Option<Timestamp>,
    },
    /// A metric without data adds one instance, once (`on_missing = "scale_out"`).
    AddedOnMissing {
        /// Which.
        metric: Name,
        /// Since when it has been without data.
        since: Timestamp,
        /// What it wants.
        want: Capacity,
    },
    /// A metric would want a larger change than it may in one decision.
    Cut {
        /// Which.
        metric: Name,
        /// How many more or fewer it may want: `max_add` or `max_remove`.
        most: u32,
        /// What it would want.
        wanted: Capacity,
        /// What it wants instead.
        want: Capacity,
    },
    /// A metric would want less, but a scale-out is still warming.
    Warming {
        /// Which.
        metric: Name,
        /// What it would want.
        wanted: Capacity,
        /// What it wants instead: the current capacity.
        want: Capacity,
        /// Ready so far.
        ready: Capacity,
    },
    /// The opinions became one number.
    Combined {
        /// How.
        #[serde(flatten)]
        combination: Combination,
        /// The current capacity.
        before: Capacity,
        /// The number.
        after: Capacity,
    },
    /// A recommendation of the stabilization window holds the number back.
    Stabilized {
        /// Of the move that was held back.
        direction: Direction,
        /// The look-back.
        #[serde(rename = "window_s", with = "seconds")]
        window: std::time::Duration,
        /// When the recommendation that holds was made.
        recommended_at: Timestamp,
        /// The number so far.
        before: Capacity,
        /// The number now.
        after: Capacity,
    },
    /// A limit on the rate of change binds.
    RateLimited {
        /// Of the move.
        direction: Direction,
        /// What the rate that binds allows.
        amount: RateAmount,
        /// Within so long.
        #[serde(rename = "per_s", with = "seconds")]
        per: std::time::Duration,
        /// The capacity at the start of that time.
        base: Capacity,
        /// The furthest that it allows.
        limit: Capacity,
        /// The number so far.
        before: Capacity,
        /// The number now.
        after: Capacity,
    },
    /// Moves by metrics in this direction are switched off.
    DirectionDisabled {
        /// Which.
        direction: Direction,
        /// The number so far.
        before: Capacity,
        /// The number now.
        after: Capacity,
    },
    /// A change was made a short time ago.
    InCooldown {
        /// Of the move.
        direction: Direction,
        /// Of the change that was made.
        after_direction: Direction,
        /// When the change was made.
        changed_at: Timestamp,
        /// When the cooldown ends.
        until: Timestamp,
        /// The number so far.
        before: Capacity,
        /// The number now.
        after: Capacity,
    },
    /// A guard is tripped; alone it changes nothing.
    GuardTripped {
        /// Which.
        guard: Name,
        /// What it does.
        effect: GuardEffect,
        /// When it lets go if its condition stays away; `None` while the condition holds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        releases_at: Option<Timestamp>,
    },
    /// A tripped guard blocks the move.
    Guarded {
        /// Which.
        guard: Name,
        /// What it does.
        effect: GuardEffect,
        /// The number so far.
        before: Capacity,
        /// The number now.
        after: Capacity,
    },
    /// A freeze blocks the move.
    Frozen {
        /// Which.
        freeze: Name,
        /// When it ends.
        until: Timestamp,
        /// Why, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The number so far.
        before: Capacity,
        /// The number now.
        after: Capacity,
    },
    /// The month's money is spent, and growth is blocked.
    OverBudget {
        /// This month so far.
        spent_usd: f64,
        /// The budget.
        monthly_usd: f64,
        /// The number so far.
        before: Capacity,
        /// The number now.
        after: Capacity,
    },
    /// Somebody pinned the capacity.
    Pinned {
        /// When the pin ends.
        until: Timestamp,
        /// Who.
        by: String,
        /// Why, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The number so far.
        before: Capacity,
        /// The number now.
        after: Capacity,
    },
    /// The number was below the floor.
    RaisedToFloor {
        /// What sets the floor.
        #[serde(flatten)]
        bound: Bound,
        /// When that ends, where it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// The number so far.
        before: Capacity,
        /// The number now: the floor.
        after: Capacity,
    },
    /// The number was above the ceiling.
    LoweredToCeiling {
        /// What sets the ceiling.
        #[serde(flatten)]
        bound: Bound,
        /// When that ends, where it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        /// The number so far.
        before: Capacity,
        /// The number now: the ceiling.
        after: Capacity,
    },
    /// The number is between floor and ceiling.
    WithinLimits {
        /// The floor.
        floor: Capacity,
        /// What sets the floor.
        #[serde(default, skip_serializing_if = "is_limits")]
        floor_by: Bound,
        /// When that ends, where it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        floor_until: Option<Timestamp>,
        /// The ceiling; `None`: there are no limits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ceiling: Option<Capacity>,
        /// What sets the ceiling.
        #[serde(default, skip_serializing_if = "is_limits")]
        ceiling_by: Bound,
        /// When that ends, where it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ceiling_until: Option<Timestamp>,
    },
    /// A forecast that only observes would have been a floor.
    ForecastObserved {
        /// What it asks for.
        capacity: Capacity,
        /// Of the predicted distribution; 0 to 1.
        quantile: f64,
    },
    /// A schedule cannot be computed, and is taken as closed.
    ScheduleUnusable {
        /// Which.
        schedule: Name,
        /// Why.
        problem: String,
    },
    /// Somebody paused the group.
    Paused {
        /// When the pause ends.
        until: Timestamp,
        /// Who.
        by: String,
        /// Why, for people.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The number so far.
        before: Capacity,
        /// The number now: the current capacity.
        after: Capacity,
    },
    /// How the number is divided.
    MixSplit {
        /// On demand, in units.
        on_demand: Capacity,
        /// Spot, in units.
        spot: Capacity,
    },
    /// Spot launches failed: on demand for a while.
    Fallback {
        /// When spot is tried again.
        until: Timestamp,
        /// Units that would have been spot.
        moved: Capacity,
        /// What they are instead.
        lifecycle: Lifecycle,
    },
    /// Which instances end.
    Victims {
        /// How many are named.
        instances: u32,
        /// What they weigh together.
        units: Capacity,
        /// How they were chosen, after the unhealthy ones.
        order: VictimOrder,
        /// Units that are left to the backend, or that only protected instances could give.
        #[serde(default, skip_serializing_if = "is_none")]
        left: Capacity,
    },
}

fn is_none(capacity: &Capacity) -> bool {
    *capacity == Capacity::ZERO
}

fn is_false(flag: &bool) -> bool {
    !flag
}

fn is_limits(bound: &Bound) -> bool {
    *bound == Bound::Limits
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A kind of reason: its stable name, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonKind {
    /// As in JSON and in `expect { reasons = […] }`.
    pub name: &'static str,
    /// One line.
    pub about: &'static str,
}

macro_rules! kinds {
    ($($variant:ident $name:literal $about:literal,)*) => {
        const KINDS: &[ReasonKind] = &[$(ReasonKind { name: $name, about: $about },)*];

        impl Reason {
            /// Its stable name, as in JSON.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Reason::$variant { .. } => $name,)*
                }
            }
        }
    };
}

kinds! {
    Opinion "opinion" "a tracked metric wants a capacity",
    Want "want" "a metric is a capacity itself",
    Step "step" "a metric is in a step",
    Abstained "abstained" "a metric has data, and no opinion",
    NoData "no_data" "a metric has no data",
    Substituted "substituted" "a value stands in for data that is absent",
    AddedOnMissing "added_on_missing" "a metric without data adds one instance, once",
    Cut "cut" "a metric would want a larger change than it may in one decision",
    Warming "warming" "a metric would want less, but a scale-out is still warming",
    Combined "combined" "the opinions became one number",
    Stabilized "stabilized" "a recommendation of the stabilization window holds the number back",
    RateLimited "rate_limited" "a limit on the rate of change binds",
    DirectionDisabled "direction_disabled" "moves by metrics in this direction are switched off",
    InCooldown "in_cooldown" "a change was made a short time ago",
    GuardTripped "guard_tripped" "a guard is tripped",
    Guarded "guarded" "a tripped guard blocks the move",
    Frozen "frozen" "a freeze blocks the move",
    OverBudget "over_budget" "the month's money is spent, and growth is blocked",
    Pinned "pinned" "somebody pinned the capacity",
    RaisedToFloor "raised_to_floor" "the number was below the floor",
    LoweredToCeiling "lowered_to_ceiling" "the number was above the ceiling",
    WithinLimits "within_limits" "the number is between floor and ceiling",
    ForecastObserved "forecast_observed" "a forecast that only observes would have been a floor",
    ScheduleUnusable "schedule_unusable" "a schedule cannot be computed, and is taken as closed",
    Paused "paused" "somebody paused the group",
    MixSplit "mix_split" "how the number is divided into on-demand and spot",
    Fallback "fallback" "spot launches failed: on demand for a while",
    Victims "victims" "which instances end",
}

/// All kinds of reasons, in the order of the rules.
pub fn kinds() -> &'static [ReasonKind] {
    KINDS
}

impl Reason {
    /// The number before and after, for the reasons that change it or could have.
    pub fn change(&self) -> Option<Change<Capacity>> {
        match self {
            Reason::Combined { before, after, .. }
            | Reason::Stabilized { before, after, .. }
            | Reason::RateLimited { before, after, .. }
            | Reason::DirectionDisabled { before, after, .. }
            | Reason::InCooldown { before, after, .. }
            | Reason::Guarded { before, after, .. }
            | Reason::Frozen { before, after, .. }
            | Reason::OverBudget { before, after, .. }
            | Reason::Pinned { before, after, .. }
            | Reason::RaisedToFloor { before, after, .. }
            | Reason::LoweredToCeiling { before, after, .. }
            | Reason::Paused { before, after, .. } => Some(Change {
                before: *before,
                after: *after,
            }),
            Reason::Opinion { .. }
            | Reason::Want { .. }
            | Reason::Step { .. }
            | Reason::Abstained { .. }
            | Reason::NoData { .. }
            | Reason::Substituted { .. }
            | Reason::AddedOnMissing { .. }
            | Reason::Cut { .. }
            | Reason::Warming { .. }
            | Reason::GuardTripped { .. }
            | Reason::WithinLimits { .. }
            | Reason::ForecastObserved { .. }
            | Reason::ScheduleUnusable { .. }
            | Reason::MixSplit { .. }
            | Reason::Fallback { .. }
            | Reason::Victims { .. } => None,
        }
    }
}

impl Reason {
    /// When what it says ceases to hold, where it says so.
    pub fn ends(&self) -> Option<Timestamp> {
        match self {
            Reason::InCooldown { until, .. }
            | Reason::Frozen { until, .. }
            | Reason::Pinned { until, .. }
            | Reason::Paused { until, .. } => Some(*until),
            Reason::RaisedToFloor { until, .. } | Reason::LoweredToCeiling { until, .. } => *until,
            Reason::Stabilized {
                recommended_at,
                window,
                ..
            } => recommended_at.checked_add(*window).ok(),
            _ => None,
        }
    }

    /// What it is about: the name of a metric, schedule, surge, guard or freeze; `limits` or `forecast` of a bound.
    pub fn subject(&self) -> Option<&str> {
        match self {
            Reason::Opinion { metric, .. }
            | Reason::Want { metric, .. }
            | Reason::Step { metric, .. }
            | Reason::Abstained { metric, .. }
            | Reason::NoData { metric, .. }
            | Reason::Substituted { metric, .. }
            | Reason::AddedOnMissing { metric, .. }
            | Reason::Cut { metric, .. }
            | Reason::Warming { metric, .. } => Some(metric),
            Reason::GuardTripped { guard, .. } | Reason::Guarded { guard, .. } => Some(guard),
            Reason::Frozen { freeze, .. } => Some(freeze),
            Reason::ScheduleUnusable { schedule, .. } => Some(schedule),
            Reason::RaisedToFloor { bound, .. } | Reason::LoweredToCeiling { bound, .. } => {
                Some(match bound {
                    Bound::Limits => "limits",
                    Bound::Schedule(name) | Bound::Surge(name) => name,
                    Bound::Forecast => "forecast",
                })
            }
            Reason::Combined { .. }
            | Reason::Stabilized { .. }
            | Reason::RateLimited { .. }
            | Reason::DirectionDisabled { .. }
            | Reason::InCooldown { .. }
            | Reason::OverBudget { .. }
            | Reason::Pinned { .. }
            | Reason::WithinLimits { .. }
            | Reason::ForecastObserved { .. }
            | Reason::Paused { .. }
            | Reason::MixSplit { .. }
            | Reason::Fallback { .. }
            | Reason::Victims { .. } => None,
        }
    }

    /// The metric that wants a capacity, and which.
    pub fn want(&self) -> Option<(&Name, Capacity)> {
        match self {
            Reason::Opinion { metric, want, .. }
            | Reason::Want { metric, want, .. }
            | Reason::Step { metric, want, .. }
            | Reason::AddedOnMissing { metric, want, .. }
            | Reason::Cut { metric, want, .. }
            | Reason::Warming { metric, want, .. } => Some((metric, *want)),
            Reason::Abstained { .. }
            | Reason::NoData { .. }
            | Reason::Substituted { .. }
            | Reason::Combined { .. }
            | Reason::Stabilized { .. }
            | Reason::RateLimited { .. }
            | Reason::DirectionDisabled { .. }
            | Reason::InCooldown { .. }
            | Reason::GuardTripped { .. }
            | Reason::Guarded { .. }
            | Reason::Frozen { .. }
            | Reason::OverBudget { .. }
            | Reason::Pinned { .. }
            | Reason::RaisedToFloor { .. }
            | Reason::LoweredToCeiling { .. }
            | Reason::WithinLimits { .. }
            | Reason::ForecastObserved { .. }
            | Reason::ScheduleUnusable { .. }
            | Reason::Paused { .. }
            | Reason::MixSplit { .. }
            | Reason::Fallback { .. }
            | Reason::Victims { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_knows_every_kind_and_no_other() {
        let known: Vec<&str> = kinds().iter().map(|kind| kind.name).collect();
        assert_eq!(tideform_policies::schema::REASON_KINDS, known);
    }

    const DOCS: &str = include_str!("../../docs/decisions.md");

    #[test]
    fn a_reason_knows_what_it_is_about_and_what_is_wanted() {
        let moved = (Capacity(3), Capacity(6));
        let raised = |bound| Reason::RaisedToFloor {
            bound,
            until: None,
            before: moved.0,
            after: moved.1,
        };
        let want = Reason::Want {
            metric: "queue".into(),
            observed: 2.5,
            want: Capacity(3),
        };
        for (reason, subject) in [
            (want.clone(), Some("queue")),
            (raised(Bound::Limits), Some("limits")),
            (raised(Bound::Forecast), Some("forecast")),
            (raised(Bound::Schedule("office".into())), Some("office")),
            (raised(Bound::Surge("campaign".into())), Some("campaign")),
            (
                Reason::Paused {
                    until: Timestamp::UNIX_EPOCH,
                    by: "ada".to_owned(),
                    reason: None,
                    before: moved.0,
                    after: moved.1,
                },
                None,
            ),
        ] {
            assert_eq!(reason.subject(), subject, "{reason:?}");
        }
        assert_eq!(want.want(), Some((&"queue".into(), Capacity(3))));
        assert_eq!(raised(Bound::Limits).want(), None);
    }

    #[test]
    fn every_kind_is_documented_with_its_line_and_no_other_is() {
        let rows: Vec<(&str, &str)> = DOCS
            .lines()
            .filter_map(|line| line.strip_prefix("| `"))
            .filter_map(|line| {
                let (name, rest) = line.split_once("` | ")?;
                Some((name, rest.split_once(" | ")?.0))
            })
            .collect();
        let known: Vec<(&str, &str)> = kinds().iter().map(|kind| (kind.name, kind.about)).collect();
        assert_eq!(rows, known);
    }

    #[test]
    fn counts_of_nothing_are_left_out_of_the_stored_form() {
        let opinion = |missing, unready| Reason::Opinion {
            metric: "cpu".into(),
            observed: 60.0,
            target: 60.0,
            ratio: 1.0,
            basis: Basis::PerInstance,
            counted: Capacity(3),
            missing,
            unready,
            filled: None,
            is_within_tolerance: true,
            is_turned_round: false,
            want: Capacity(3),
        };
        let victims = |left| Reason::Victims {
            instances: 1,
            units: Capacity(1),
            order: VictimOrder::Newest,
            left: Capacity(left),
        };
        for (reason, present, absent) in [
            (opinion(0, 0), vec![], vec!["missing", "unready"]),
            (opinion(2, 0), vec!["missing"], vec!["unready"]),
            (opinion(0, 1), vec!["unready"], vec!["missing"]),
            (victims(0), vec![], vec!["left"]),
            (victims(2), vec!["left"], vec![]),
        ] {
            let json = serde_json::to_value(&reason).expect("JSON");
            assert!(
                present.iter().all(|name| json.get(name).is_some()),
                "{json}"
            );
            assert!(absent.iter().all(|name| json.get(name).is_none()), "{json}");
            let read: Reason = serde_json::from_value(json).expect("a reason");
            assert_eq!(read, reason);
        }
    }

    #[test]
    fn the_kind_is_the_tag_in_json_and_fields_end_in_their_unit() {
        let reason = Reason::Stabilized {
            direction: Direction::In,
            window: std::time::Duration::from_secs(300),
            recommended_at: Timestamp::UNIX_EPOCH,
            before: Capacity(3),
            after: Capacity(6),
        };
        let json = serde_json::to_string(&reason).expect("JSON");
        assert_eq!(
            json,
            r#"{"kind":"stabilized","direction":"in","window_s":300,"recommended_at":"1970-01-01T00:00:00Z","before":3,"after":6}"#
        );
        assert_eq!(
            serde_json::from_str::<Reason>(&json).expect("a reason"),
            reason
        );
        let raised = Reason::RaisedToFloor {
            bound: Bound::Schedule("office".into()),
            until: None,
            before: Capacity(3),
            after: Capacity(6),
        };
        let json = serde_json::to_string(&raised).expect("JSON");
        assert_eq!(
            json,
            r#"{"kind":"raised_to_floor","by":"schedule","name":"office","before":3,"after":6}"#
        );
        assert_eq!(
            serde_json::from_str::<Reason>(&json).expect("a reason"),
            raised
        );
    }
}
