//! What blocks or slows a move by metrics is obeyed; the bounds and a pin alone go past it.

use std::time::Duration;

use proptest::prelude::*;
use tideform_policies::model::{
    BinaryOperator, Blocks, Breach, Capacity, Combine, Direction, Expression, Freeze, Guard,
    GuardEffect, MetricReading, MetricSource, OnExceed, Sample, Select,
};

use super::generate::{Case, capacity, case, formula, length};
use super::{cases, facts};
use crate::engine::testing::{at, decided, metric, track};

/// Without overrides: what is left is moved by metrics and bounds alone.
fn by_metrics() -> impl Strategy<Value = Case> {
    case().prop_map(|mut case| {
        case.seen.overrides.pin = None;
        case.seen.overrides.pause = None;
        case
    })
}

/// Nothing but the metric holds the group back, and that wants a move: out with `is_out`, else in.
fn eager(case: &mut Case, is_out: bool) {
    let policy = &mut case.policy;
    policy.metrics = vec![metric("cpu", track(60.0))];
    policy.combine = Combine::Max;
    policy.warmup = Duration::ZERO;
    policy.guards.clear();
    policy.freezes.clear();
    policy.budget = None;
    policy.scale_out = crate::engine::testing::plain().scale_out;
    policy.scale_in = crate::engine::testing::plain().scale_in;
    case.seen.left_out.clear();
    case.seen.instances = None;
    let sample = Sample {
        at: at(0.0),
        value: if is_out { 240.0 } else { 15.0 },
    };
    let reading = MetricReading::Group(vec![sample]);
    case.seen.metrics.insert("cpu".into(), reading);
}

fn blocks() -> impl Strategy<Value = Blocks> {
    prop::sample::select(vec![Blocks::ScaleIn, Blocks::ScaleOut, Blocks::All])
}

/// The number is no further than where the bounds bring a group that nothing else moves.
fn check_blocked(case: &Case, direction: Direction, desired: u32) -> Result<(), TestCaseError> {
    let held = facts::held(case, at(0.0));
    match direction {
        Direction::Out => prop_assert!(desired <= held, "{desired} past {held}"),
        Direction::In => prop_assert!(desired >= held, "{desired} below {held}"),
        Direction::Hold => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(80))]

    /// Switched-off directions, `select = "disabled"`, cooldowns, freezes and the budget.
    #[test]
    fn a_blocked_direction_is_moved_by_the_bounds_alone(case in by_metrics()) {
        let desired = decided(&case.rules(), &case.seen, &case.memory, at(0.0)).desired.get();
        for direction in [Direction::Out, Direction::In] {
            if facts::is_blocked(&case, direction, at(0.0)) {
                check_blocked(&case, direction, desired)?;
            }
        }
    }

    #[test]
    fn a_cooldown_is_broken_by_the_bounds_alone_and_is_no_longer_than_written(
        mut case in by_metrics(),
        cooldowns in (length(), length()),
    ) {
        case.policy.scale_out.cooldown = cooldowns.0;
        case.policy.scale_in.cooldown = cooldowns.1;
        let decision = decided(&case.rules(), &case.seen, &case.memory, at(0.0));
        for direction in [Direction::Out, Direction::In] {
            let cooling = facts::cooling(&case.policy, &case.memory, direction, at(0.0));
            if cooling.is_some() {
                check_blocked(&case, direction, decision.desired.get())?;
            }
            let is_held = decision.reasons.iter().any(|reason| matches!(
                reason, crate::engine::Reason::InCooldown { direction: held, .. } if *held == direction
            ));
            prop_assert!(cooling.is_some() || !is_held);
        }
    }

    #[test]
    fn a_rate_is_exceeded_by_the_bounds_alone(case in by_metrics()) {
        let desired = decided(&case.rules(), &case.seen, &case.memory, at(0.0)).desired.get();
        let (floor, ceiling) = facts::bounds(&case.policy, &case.seen, at(0.0));
        let current = case.seen.desired.get();
        if let Some(most) = facts::furthest(&case, Direction::Out, at(0.0)) {
            let most = most.max(current).clamp(floor, ceiling);
            prop_assert!(desired <= most, "{desired} past {most}");
        }
        if let Some(least) = facts::furthest(&case, Direction::In, at(0.0)) {
            let least = least.min(current).clamp(floor, ceiling);
            prop_assert!(desired >= least, "{desired} below {least}");
        }
    }

    #[test]
    fn a_window_lets_no_move_past_what_was_recommended_in_it(case in by_metrics()) {
        let desired = decided(&case.rules(), &case.seen, &case.memory, at(0.0)).desired.get();
        let (floor, ceiling) = facts::bounds(&case.policy, &case.seen, at(0.0));
        let current = case.seen.desired.get();
        let (lowest, _) = facts::band(&case.policy, &case.memory, current, u32::MAX, at(0.0));
        let (_, highest) = facts::band(&case.policy, &case.memory, current, 0, at(0.0));
        prop_assert!(desired <= lowest.max(current).clamp(floor, ceiling));
        prop_assert!(desired >= highest.min(current).clamp(floor, ceiling));
    }

    #[test]
    fn a_direction_that_is_switched_off_is_moved_by_the_bounds_alone(
        mut case in by_metrics(),
        is_out in any::<bool>(),
        by_select in any::<bool>(),
    ) {
        eager(&mut case, is_out);
        let (direction, rules) = if is_out {
            (Direction::Out, &mut case.policy.scale_out)
        } else {
            (Direction::In, &mut case.policy.scale_in)
        };
        if by_select {
            rules.select = Select::Disabled;
        } else {
            rules.enabled = false;
        }
        let desired = decided(&case.rules(), &case.seen, &case.memory, at(0.0)).desired.get();
        check_blocked(&case, direction, desired)?;
    }

    #[test]
    fn a_freeze_is_obeyed(mut case in by_metrics(), blocks in blocks(), is_out in any::<bool>()) {
        eager(&mut case, is_out);
        case.policy.freezes.push(Freeze {
            name: "release".into(),
            start: at(0.0),
            end: at(0.5),
            blocks,
            reason: None,
        });
        let desired = decided(&case.rules(), &case.seen, &case.memory, at(0.0)).desired.get();
        for direction in [Direction::Out, Direction::In] {
            if facts::covers(blocks, direction) {
                check_blocked(&case, direction, desired)?;
            }
        }
    }

    #[test]
    fn a_budget_that_is_used_up_blocks_growth(mut case in by_metrics(), spent in 100.0..1e9_f64) {
        eager(&mut case, true);
        case.policy.budget = Some(tideform_policies::model::Budget {
            monthly_usd: 100.0,
            alert: Vec::new(),
            on_exceed: OnExceed::BlockScaleOut,
        });
        case.seen.spent = Some(crate::engine::Spent { cost_usd: spent });
        let desired = decided(&case.rules(), &case.seen, &case.memory, at(0.0)).desired.get();
        check_blocked(&case, Direction::Out, desired)?;
    }

    #[test]
    fn a_guard_whose_condition_holds_is_obeyed_and_one_without_samples_is_not_tripped(
        mut case in by_metrics(),
        effect in prop_oneof![
            blocks().prop_map(GuardEffect::Block),
            capacity().prop_map(|cap| GuardEffect::Cap(Capacity(cap))),
        ],
        is_bad in prop::bool::weighted(0.8),
        is_out in any::<bool>(),
    ) {
        eager(&mut case, is_out);
        case.policy.metrics.push(metric("pain", None));
        let pain = Expression::Binary(
            BinaryOperator::Greater,
            Expression::Metric("pain".into()).into(),
            Expression::Number(10.0).into(),
        );
        case.policy.guards.insert(0, Guard {
            name: "pain".into(),
            when: formula(pain),
            breach: Breach::Now,
            effect,
            release: std::time::Duration::from_secs(300),
        });
        if is_bad {
            let sample = Sample { at: at(0.0), value: 50.0 };
            case.seen.metrics.insert("pain".into(), MetricReading::Group(vec![sample]));
        }
        let decision = decided(&case.rules(), &case.seen, &case.memory, at(0.0));
        let is_tripped = decision.reasons.iter().any(|reason| matches!(
            reason, crate::engine::Reason::GuardTripped { guard, .. } if &**guard == "pain"
        ));
        prop_assert_eq!(is_tripped, is_bad);
        if !is_bad {
            return Ok(());
        }
        let desired = decision.desired.get();
        match effect {
            GuardEffect::Block(blocks) => {
                for direction in [Direction::Out, Direction::In] {
                    if facts::covers(blocks, direction) {
                        check_blocked(&case, direction, desired)?;
                    }
                }
            }
            GuardEffect::Cap(cap) => {
                let (floor, ceiling) = facts::bounds(&case.policy, &case.seen, at(0.0));
                let most = cap.get().max(case.seen.desired.get()).clamp(floor, ceiling);
                prop_assert!(desired <= most, "{desired} past {most}");
            }
        }
    }

    /// A cap removes nothing: where there is growth or none, it changes no decision that shrinks.
    #[test]
    fn a_cap_never_removes(mut case in by_metrics(), cap in capacity()) {
        case.policy.guards.clear();
        let free = decided(&case.rules(), &case.seen, &case.memory, at(0.0)).desired;
        case.policy.guards.push(Guard {
            name: "capped".into(),
            when: formula(Expression::Bool(true)),
            breach: Breach::Now,
            effect: GuardEffect::Cap(Capacity(cap)),
            release: std::time::Duration::ZERO,
        });
        let capped = decided(&case.rules(), &case.seen, &case.memory, at(0.0)).desired;
        if free <= case.seen.desired {
            prop_assert_eq!(capped, free);
        } else {
            prop_assert!(case.seen.desired <= capped && capped <= free);
        }
    }

}

proptest! {
    #![proptest_config(cases(500))]

    /// How often anyone looks makes no difference to a guard: it is followed through the times of its samples.
    #[test]
    fn a_guard_stands_where_its_samples_put_it_however_often_anyone_looked(
        values in prop::collection::vec((1..5_i64, prop::sample::select(vec![0.0, 50.0])), 1..12),
        looks in prop::collection::vec(1..200_i64, 1..40),
        breach in prop_oneof![
            Just(Breach::Now),
            (1..8_u64).prop_map(|n| Breach::For(std::time::Duration::from_secs(n * 30))),
            (1..3_u32, 0..3_u32).prop_map(|(m, n)| Breach::Of { breaching: m, periods: m + n }),
        ],
        release in (0..10_u64).prop_map(|n| std::time::Duration::from_secs(n * 30)),
    ) {
        let mut policy = crate::engine::testing::plain();
        let pain = metric("pain", None);
        prop_assert!(matches!(pain.source, MetricSource::Query(_)));
        policy.metrics.push(pain);
        policy.guards.push(Guard {
            name: "pain".into(),
            when: formula(Expression::Binary(
                BinaryOperator::Greater,
                Expression::Metric("pain".into()).into(),
                Expression::Number(10.0).into(),
            )),
            breach,
            effect: GuardEffect::Block(Blocks::All),
            release,
        });
        let rules = crate::engine::Rules::new(&crate::engine::testing::group(policy));
        let mut time = 0;
        let samples: Vec<Sample> = values
            .iter()
            .map(|(gap, value)| {
                time += gap * 60;
                Sample { at: super::generate::second(time), value: *value }
            })
            .collect();
        let end = time + 60;
        let seen_at = |now: i64| {
            let now = super::generate::second(now);
            let mut seen = crate::engine::testing::seen(6, &[], now);
            let known = samples.iter().filter(|sample| sample.at <= now).copied().collect();
            seen.metrics.insert("pain".into(), MetricReading::Group(known));
            seen
        };
        let is_tripped = |looks: &[i64]| {
            let mut memory = crate::engine::Memory::default();
            let mut last = None;
            for now in looks {
                let decision = decided(&rules, &seen_at(*now), &memory, super::generate::second(*now));
                memory = decision.memory.clone();
                last = Some(decision.has("guard_tripped"));
            }
            last
        };
        let mut now = 0;
        let gaps = looks.iter().cycle().map(|gap| { now += gap; now });
        let some: Vec<i64> = gaps.take_while(|now| *now < end).chain([end]).collect();
        let many: Vec<i64> = (0..end).step_by(15).chain([end]).collect();
        prop_assert_eq!(is_tripped(&some), is_tripped(&many));
    }
}
