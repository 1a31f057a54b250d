use std::collections::BTreeSet;

use tideform_policies::model::{
    Adjustment, Blocks, Breach, GuardEffect, Lifecycle, RateAmount, Rule, Share, StepBound,
    VictimOrder,
};

use super::*;
use crate::engine::reason::{Abstention, Basis, Bound, Combination, Substitute};
use crate::engine::testing::{
    above, at, cpu_rules, decided, group, instance, limits, metric, mins, plain, seen, track,
};
use crate::engine::{Action, Memory, Observation, Pause, Recommendation, Rules, kinds, nearest};

fn explained(rules: &Rules, seen: &Observation, memory: &Memory, note: Option<&str>) -> String {
    let mut decision = decided(rules, seen, memory, at(0.0));
    let nearest = nearest(rules, seen, memory, at(0.0), &decision);
    decision.nearest = Some(Box::new(nearest));
    let explanation = explain(rules.group(), &decision, at(0.0), note);
    let subjects = explanation.subject_width();
    let mut lines = vec![explanation.headline.clone()];
    lines.extend(layout(&explanation.reasons, 4, subjects, None));
    lines.push("  otherwise".to_owned());
    lines.extend(layout(&explanation.otherwise, 4, subjects, None));
    lines.join("\n")
}

#[test]
fn a_decision_reads_as_a_headline_a_line_for_each_reason_and_what_would_differ() {
    let rules = cpu_rules(|policy| policy.limits = limits(2, 12));
    let seen = seen(6, &[("cpu", 82.0)], at(0.0));
    assert_eq!(
        explained(&rules, &seen, &Memory::default(), Some("+0.29 USD/h")),
        "\
group.web   6 -> 9   scale out by 3   +0.29 USD/h
    cpu        82 % against a target of 60 % wants 9
    combined   the largest want is 9
    limits     2 to 12, not reached
  otherwise
    cpu        at 90.1 % it would scale out to 10; at 80 % it would scale out to 8; at 50 % it would scale in to 5"
    );
}

#[test]
fn a_group_that_holds_says_what_would_move_it() {
    let rules = cpu_rules(|policy| {
        policy.limits = limits(2, 12);
        policy.scale_in.cooldown = mins(10);
    });
    let mut memory = Memory {
        recommendations: [Recommendation {
            at: at(-9.0),
            desired: Capacity(6),
        }]
        .into(),
        ..Memory::default()
    };
    memory.record(Action {
        at: at(-9.0),
        from: Capacity(4),
        to: Capacity(6),
        by: "tideform".into(),
    });
    let seen = seen(6, &[("cpu", 61.04)], at(0.0));
    assert_eq!(
        explained(&rules, &seen, &memory, None),
        "\
group.web   6   hold
    cpu        61 % against a target of 60 % is within the tolerance of 10 %: wants 6
    combined   the largest want is 6
    limits     2 to 12, not reached
  otherwise
    cpu        at 66.1 % it would scale out to 7
    scale in   at no value of any metric until 12:01Z: cooldown"
    );
}

#[test]
fn what_holds_a_decision_is_said_with_its_end_in_short_times_that_are_alike() {
    let rules = cpu_rules(|policy| {
        policy.scale_in.cooldown = mins(10);
        policy.scale_in.stabilization = mins(5);
    });
    let mut memory = Memory::default();
    memory.record(Action {
        at: at(-6.0),
        from: Capacity(4),
        to: Capacity(6),
        by: "tideform".into(),
    });
    memory.recommendations.push(Recommendation {
        at: at(-2.0),
        desired: Capacity(5),
    });
    let seen = seen(6, &[("cpu", 30.0)], at(0.0));
    assert_eq!(
        explained(&rules, &seen, &memory, None),
        "\
group.web   6   hold
    cpu             30 % against a target of 60 % wants 3
    combined        the largest want is 3
    stabilization   3 -> 5: 5 was recommended at 11:58Z and counts for 5m, until 12:03Z
    cooldown        5 -> 6: scale in waits until 12:04Z, 10m after the scale out at 11:54Z
    limits          0 to 100, not reached
  otherwise
    cpu             at 66.1 % it would scale out to 7
    scale in        at no value of any metric until 12:04Z: cooldown
    time alone      at 12:04Z it would scale in to 3 if the metrics stay as they are: the cooldown ends
    cooldown        binds: without it scale in to 5"
    );
}

#[test]
fn a_paused_group_says_that_nothing_measured_changes_it() {
    let rules = cpu_rules(|policy| policy.limits = limits(2, 12));
    let mut seen = seen(6, &[("cpu", 82.0)], at(0.0));
    seen.overrides.pause = Some(Pause {
        until: at(24.0 * 60.0 + 30.5),
        reason: Some("maintenance".to_owned()),
        by: "ada".to_owned(),
    });
    assert_eq!(
        explained(&rules, &seen, &Memory::default(), None),
        "\
group.web   6   hold
    cpu          82 % against a target of 60 % wants 9
    combined     the largest want is 9
    limits       2 to 12, not reached
    pause        9 -> 6: paused by ada until 2026-01-06 12:30:30Z (maintenance)
  otherwise
    metrics      no value changes this until 2026-01-06 12:30:30Z: pause
    time alone   at 2026-01-06 12:30:30Z it would scale out to 9 if the metrics stay as they are: the pause ends
    pause        binds: without it scale out to 9"
    );
}

#[test]
fn a_limit_that_binds_says_what_would_be_without_it() {
    let rules = cpu_rules(|policy| policy.limits = limits(2, 12));
    let seen = seen(10, &[("cpu", 90.0)], at(0.0));
    assert_eq!(
        explained(&rules, &seen, &Memory::default(), None),
        "\
group.web   10 -> 12   scale out by 2
    cpu             90 % against a target of 60 % wants 15
    combined        the largest want is 15
    limits          15 -> 12: at most 12
  otherwise
    cpu             at 66 % it would stay at 10; at 53.9 % it would scale in to 9
    limits.max 12   binds: without it scale out to 15"
    );
}

fn queue() -> Rules {
    let mut policy = plain();
    let mut queue = metric(
        "queue",
        Some(Rule::Steps(vec![
            above(100.0, Some(1000.0), Adjustment::Add(2)),
            above(1000.0, None, Adjustment::AddShare(Share(0.5))),
        ])),
    );
    queue.breach = Breach::For(mins(2));
    policy.metrics.push(queue);
    policy.metrics.push(metric("cpu", track(60.0)));
    Rules::new(&group(policy))
}

#[test]
fn a_step_says_how_long_its_value_must_last_and_absent_data_what_data_would_do() {
    let mut seen = seen(6, &[("queue", 99.96)], at(0.0));
    seen.instances = Some((0..6).map(|n| instance(&n.to_string(), 60.0)).collect());
    assert_eq!(
        explained(&queue(), &seen, &Memory::default(), None),
        "\
group.web   6   hold
    queue      99.96 is in no step: no opinion
    cpu        no data
    combined   no metric has an opinion: stays at 6
    limits     0 to 100, not reached
  otherwise
    queue      at 100 for 2m it would scale out to 8
    cpu        with data: at 66.1 % it would scale out to 7; at 50 % it would scale in to 5"
    );
}

#[test]
fn a_narrow_terminal_gets_lines_that_go_on_under_their_beginning() {
    let lines = [
        Line::new("cpu", "82 % against a target of 60 % wants 9"),
        Line::new("limits", "2 to 12, not reached"),
    ];
    assert_eq!(
        layout(&lines, 4, 6, Some(40)),
        [
            "    cpu      82 % against a target of",
            "             60 % wants 9",
            "    limits   2 to 12, not reached",
        ]
    );
    assert_eq!(
        layout(&lines[..1], 0, 3, Some(0))[0],
        "cpu   82 % against a target of"
    );
}

/// Every kind at least once, as a stranger reads it.
fn each_kind() -> Vec<(Reason, &'static str)> {
    let (n, cpu): (fn(u32) -> Capacity, _) = (Capacity, || "cpu".into());
    let opinion = |observed, basis, missing, is_within_tolerance, want| Reason::Opinion {
        metric: "cpu".into(),
        observed,
        target: 60.0,
        ratio: observed / 60.0,
        basis,
        counted: Capacity(6),
        missing,
        unready: 0,
        filled: None,
        is_within_tolerance,
        is_turned_round: false,
        want: Capacity(want),
    };
    let step = |observed, current| Reason::Step {
        metric: "queue".into(),
        observed,
        when: StepBound::Above {
            from: 100.0,
            to: None,
        },
        adjustment: Adjustment::Add(2),
        min_adjustment: None,
        ready: Capacity(6),
        current,
        want: Capacity(8),
    };
    let abstained = |observed, why| Reason::Abstained {
        metric: "queue".into(),
        observed,
        why,
    };
    let combined = |combination, before, after| Reason::Combined {
        combination,
        before: Capacity(before),
        after: Capacity(after),
    };
    vec![
        (
            opinion(82.04, Basis::Average, 0, false, 9),
            "cpu   82 % against a target of 60 % wants 9",
        ),
        (
            opinion(80.04, Basis::Average, 0, false, 9),
            "cpu   80.04 % against a target of 60 % wants 9",
        ),
        (
            opinion(66.04, Basis::PerInstance, 2, false, 7),
            "cpu   66.04 % (2 without a sample) against a target of 60 % wants 7",
        ),
        (
            opinion(61.0, Basis::Average, 0, true, 6),
            "cpu   61 % against a target of 60 % is within the tolerance of 10 %: wants 6",
        ),
        (
            opinion(500.0, Basis::Total, 0, false, 9),
            "cpu   a total of 500 % against 60 % an instance wants 9",
        ),
        (
            Reason::Want {
                metric: "wanted".into(),
                observed: 7.001,
                want: n(8),
            },
            "wanted   is 7.001: wants 8",
        ),
        (
            step(150.0, None),
            "queue   150 is at or above 100: add 2 with 6 ready, wants 8",
        ),
        (
            step(150.0, Some(n(8))),
            "queue   150 is at or above 100: add 2 with 6 ready of 8, wants 8",
        ),
        (
            abstained(Some(99.999), Abstention::NoStep),
            "queue   99.999 is in no step: no opinion",
        ),
        (
            abstained(Some(150.0), Abstention::BreachTooShort),
            "queue   150 has not breached for 2m yet: no opinion",
        ),
        (
            abstained(None, Abstention::AtZero),
            "queue   no opinion: at 0 there is no instance that it could describe",
        ),
        (
            abstained(Some(5.0), Abstention::NoneReady),
            "queue   5 would remove instances, but none is ready: no opinion",
        ),
        (
            Reason::NoData {
                metric: cpu(),
                newest_at: None,
            },
            "cpu   no data",
        ),
        (
            Reason::NoData {
                metric: cpu(),
                newest_at: Some(at(-10.0)),
            },
            "cpu   no usable data since 11:50Z",
        ),
        (
            Reason::Substituted {
                metric: cpu(),
                by: Substitute::Last,
                value: 61.0,
                sampled_at: Some(at(-10.0)),
            },
            "cpu   no fresh data: taken as 61 %, as last seen at 11:50Z",
        ),
        (
            Reason::Substituted {
                metric: cpu(),
                by: Substitute::Number,
                value: 0.0,
                sampled_at: None,
            },
            "cpu   no data: taken as 0 %, as its `on_missing` says",
        ),
        (
            Reason::AddedOnMissing {
                metric: cpu(),
                since: at(-10.0),
                want: n(7),
            },
            "cpu   no data since 11:50Z: adds one, once, wants 7",
        ),
        (
            Reason::Cut {
                metric: cpu(),
                most: 2,
                wanted: n(9),
                want: n(8),
            },
            "cpu   would want 9, but may add at most 2 at once: wants 8",
        ),
        (
            Reason::Warming {
                metric: cpu(),
                wanted: n(3),
                want: n(6),
                ready: n(4),
            },
            "cpu   would want 3, but 4 of 6 are ready and the rest is on its way: wants 6",
        ),
        (
            combined(
                Combination::Max {
                    is_held_by_missing_data: false,
                },
                6,
                9,
            ),
            "combined   the largest want is 9",
        ),
        (
            combined(
                Combination::Max {
                    is_held_by_missing_data: true,
                },
                6,
                6,
            ),
            "combined   stays at 6: nothing is removed while a metric has no data",
        ),
        (
            combined(
                Combination::Majority {
                    out: 2,
                    r#in: 0,
                    of: 3,
                },
                6,
                8,
            ),
            "combined   of 3 metrics 2 want more and 0 want fewer: 8",
        ),
        (
            combined(
                Combination::Weighted {
                    score: 0.4567,
                    is_held_by_missing_data: false,
                },
                6,
                9,
            ),
            "combined   the weighted score is 0.457: 9",
        ),
        (
            combined(Combination::NoOpinion, 6, 6),
            "combined   no metric has an opinion: stays at 6",
        ),
        (
            combined(Combination::Floor, 6, 2),
            "combined   no metric has a rule: the floor of 2",
        ),
        (
            Reason::Stabilized {
                direction: Direction::In,
                window: mins(5),
                recommended_at: at(-2.0),
                before: n(3),
                after: n(5),
            },
            "stabilization   3 -> 5: 5 was recommended at 11:58Z and counts for 5m, until 12:03Z",
        ),
        (
            Reason::RateLimited {
                direction: Direction::Out,
                amount: RateAmount::Share(Share(1.0)),
                per: mins(1),
                base: n(6),
                limit: n(12),
                before: n(15),
                after: n(12),
            },
            "rate   15 -> 12: at most 100 % more in 1m, counted from 6",
        ),
        (
            Reason::RateLimited {
                direction: Direction::In,
                amount: RateAmount::Count(1),
                per: mins(90),
                base: n(6),
                limit: n(5),
                before: n(3),
                after: n(5),
            },
            "rate   3 -> 5: at most 1 fewer in 1h30m, counted from 6",
        ),
        (
            Reason::DirectionDisabled {
                direction: Direction::In,
                before: n(3),
                after: n(6),
            },
            "scale in   3 -> 6: switched off in the policy",
        ),
        (
            Reason::InCooldown {
                direction: Direction::In,
                after_direction: Direction::Out,
                changed_at: at(-6.0),
                until: at(4.0),
                before: n(5),
                after: n(6),
            },
            "cooldown   5 -> 6: scale in waits until 12:04Z, 10m after the scale out at 11:54Z",
        ),
        (
            Reason::GuardTripped {
                guard: "errors".into(),
                effect: GuardEffect::Block(Blocks::ScaleIn),
                releases_at: Some(at(5.0)),
            },
            "guard errors   tripped: no scale in, until 12:05Z if its condition stays away",
        ),
        (
            Reason::GuardTripped {
                guard: "errors".into(),
                effect: GuardEffect::Cap(n(9)),
                releases_at: None,
            },
            "guard errors   tripped: no growth past 9, while its condition holds",
        ),
        (
            Reason::Guarded {
                guard: "errors".into(),
                effect: GuardEffect::Block(Blocks::All),
                before: n(9),
                after: n(6),
            },
            "guard errors   9 -> 6: no move",
        ),
        (
            Reason::Frozen {
                freeze: "release".into(),
                until: at(2880.0),
                reason: Some("launch".into()),
                before: n(3),
                after: n(6),
            },
            "freeze release   3 -> 6: no such move until 2026-01-07 12:00Z (launch)",
        ),
        (
            Reason::OverBudget {
                spent_usd: 412.5,
                monthly_usd: 400.0,
                before: n(9),
                after: n(6),
            },
            "budget   9 -> 6: no scale out, 412.50 of 400.00 USD are spent this month",
        ),
        (
            Reason::Pinned {
                until: at(30.0),
                by: "ada".into(),
                reason: None,
                before: n(9),
                after: n(12),
            },
            "pin   metrics want 9; the pin holds 12 until 12:30Z, by ada",
        ),
        (
            Reason::RaisedToFloor {
                bound: Bound::Schedule("office".into()),
                until: None,
                before: n(3),
                after: n(6),
            },
            "schedule office   3 -> 6: at least 6",
        ),
        (
            Reason::RaisedToFloor {
                bound: Bound::Forecast,
                until: None,
                before: n(3),
                after: n(6),
            },
            "forecast   3 -> 6: at least 6",
        ),
        (
            Reason::LoweredToCeiling {
                bound: Bound::Limits,
                until: None,
                before: n(15),
                after: n(12),
            },
            "limits   15 -> 12: at most 12",
        ),
        (
            Reason::WithinLimits {
                floor: n(2),
                floor_by: Bound::Limits,
                floor_until: None,
                ceiling: None,
                ceiling_by: Bound::Limits,
                ceiling_until: None,
            },
            "limits   2 and more, not reached",
        ),
        (
            Reason::ForecastObserved {
                capacity: n(9),
                quantile: 0.9,
            },
            "forecast   asks for 9 (quantile 0.9), and only observes",
        ),
        (
            Reason::ScheduleUnusable {
                schedule: "office".into(),
                problem: "no such zone".into(),
            },
            "schedule office   is taken as closed: no such zone",
        ),
        (
            Reason::Paused {
                until: at(30.0),
                by: "ada".into(),
                reason: Some("launch".into()),
                before: n(9),
                after: n(6),
            },
            "pause   9 -> 6: paused by ada until 12:30Z (launch)",
        ),
        (
            Reason::MixSplit {
                on_demand: n(6),
                spot: n(5),
            },
            "mix   6 on demand, 5 spot",
        ),
        (
            Reason::Fallback {
                until: at(30.0),
                moved: n(5),
                lifecycle: Lifecycle::OnDemand,
            },
            "fallback   spot does not launch: 5 on demand instead, until 12:30Z",
        ),
        (
            Reason::Victims {
                instances: 2,
                units: n(2),
                order: VictimOrder::Newest,
                left: n(1),
            },
            "victims   2 named: unhealthy ones first, then the newest; 1 left to the backend",
        ),
    ]
}

#[test]
fn every_kind_of_reason_has_its_line() {
    let rules = queue();
    let words = Words {
        group: rules.group(),
        times: Times::of(
            &decided(&rules, &seen(6, &[], at(0.0)), &Memory::default(), at(0.0)),
            at(0.0),
        ),
        current: Some(Capacity(6)),
        bounded: None,
    };
    let mut said = BTreeSet::new();
    for (reason, text) in each_kind() {
        let Line {
            subject,
            text: line,
        } = words.line(&reason);
        assert_eq!(format!("{subject}   {line}"), text);
        said.insert(reason.kind());
    }
    for kind in kinds() {
        assert!(said.contains(kind.name), "no line for {}", kind.name);
    }
}

#[test]
fn the_short_form_tells_what_decided_and_what_held() {
    let mut policy = plain();
    policy.metrics.push(metric("cpu", track(60.0)));
    policy.metrics.push(metric("memory", track(60.0)));
    policy.metrics.push(metric("disk", None));
    policy.limits = limits(2, 8);
    let rules = Rules::new(&group(policy));
    for (metrics, expected) in [
        (
            vec![("cpu", 90.0), ("memory", 70.0)],
            vec!["opinion", "lowered_to_ceiling"],
        ),
        (vec![("cpu", 60.0), ("memory", 30.0)], vec!["opinion"]),
        (vec![("cpu", 30.0)], vec!["opinion", "no_data", "combined"]),
        (vec![], vec!["no_data", "no_data"]),
    ] {
        let seen = seen(6, &metrics, at(0.0));
        let decision = decided(&rules, &seen, &Memory::default(), at(0.0));
        let kept: Vec<&str> = decision
            .reasons
            .iter()
            .zip(short_form(&decision.reasons))
            .filter(|(_, kept)| *kept)
            .map(|(reason, _)| reason.kind())
            .collect();
        assert_eq!(kept, expected, "{metrics:?}");
    }
}
