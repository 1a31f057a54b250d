//! Time that stands still, jumps back, leaps, or comes near its end does no harm.

use jiff::Timestamp;
use proptest::prelude::*;
use tideform_policies::model::Direction;

use super::generate::{Life, case, near, second, ticks};
use super::{cases, facts};
use crate::engine::testing::{at, decided};
use crate::engine::{Reason, decide};

/// Any time that can be said.
fn any_time() -> impl Strategy<Value = Timestamp> {
    let seconds = Timestamp::MIN.as_second()..=Timestamp::MAX.as_second();
    prop_oneof![
        4 => near(),
        2 => (-4_000_000..4_000_000_i64).prop_map(second),
        2 => seconds.prop_map(|s| Timestamp::from_second(s).unwrap_or(Timestamp::MAX)),
        1 => prop::sample::select(vec![Timestamp::MIN, Timestamp::MAX]),
    ]
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn at_any_time_limits_are_kept_and_the_reasons_add_up(
        case in case(),
        times in prop::collection::vec(any_time(), 1..4),
    ) {
        let rules = case.rules();
        let mut memory = case.memory.clone();
        let (min, max) = facts::limits(&case.policy, &case.seen);
        for now in times {
            // The same time twice is as good as once.
            for _ in 0..2 {
                let decision = decided(&rules, &case.seen, &memory, now);
                if !facts::is_paused(&case.seen, now) {
                    prop_assert!((min..=max).contains(&decision.desired.get()));
                }
                prop_assert!(decision.next_change.is_none_or(|at| at > now));
                memory = decision.memory;
            }
        }
    }

    /// Whatever the memory says of the future: once looked at, each cooldown, window and rate is over when its time is.
    #[test]
    fn after_a_jump_nothing_holds_for_longer_than_written(case in case(), now in any_time()) {
        let rules = case.rules();
        let first = decide(&rules, &case.seen, &case.memory, now);
        for direction in [Direction::Out, Direction::In] {
            let written = facts::rules_of(&case.policy, direction);
            let Ok(over) = now.checked_add(written.cooldown) else { continue };
            let later = decide(&rules, &case.seen, &first.memory, over);
            let is_cooling = later.reasons.iter().any(|reason| {
                matches!(reason, Reason::InCooldown { direction: held, .. } if *held == direction)
            });
            prop_assert!(!is_cooling, "{:#?}", later.reasons);
        }
        for rules_of_one in [&case.policy.scale_out, &case.policy.scale_in] {
            for rate in &rules_of_one.rates {
                let Ok(over) = now.checked_add(rate.per) else { continue };
                let later = decide(&rules, &case.seen, &first.memory, over);
                for reason in &later.reasons {
                    if let Reason::RateLimited { per, base, .. } = reason && *per <= rate.per {
                        prop_assert_eq!(*base, case.seen.desired);
                    }
                }
            }
        }
        let window = case.policy.scale_out.stabilization.max(case.policy.scale_in.stabilization);
        if let Ok(over) = now.checked_add(window) {
            let later = decide(&rules, &case.seen, &first.memory, over);
            prop_assert!(!later.has("stabilized"), "{:#?}", later.reasons);
        }
        if let Some(fallback) = case.policy.mix.as_ref().and_then(|mix| mix.fallback)
            && let Some(memory) = first.memory.fallback
        {
            let latest = now.checked_add(fallback.duration).unwrap_or(Timestamp::MAX);
            prop_assert!(memory.until <= latest);
        }
    }

    /// A life whose clock leaps is remembered as one that went on from there.
    #[test]
    fn what_is_remembered_is_never_of_the_future(
        case in case(),
        now in any_time(),
        ticks in ticks(4),
    ) {
        let rules = case.rules();
        let mut life = Life::new(now);
        life.memory = case.memory.clone();
        for tick in &ticks {
            life.tick(tick);
            let (seen, now) = (life.seen.clone(), life.now);
            let decision = decide(&rules, &seen, &life.memory, now);
            let memory = &decision.memory;
            prop_assert!(memory.actions.iter().all(|action| action.at <= now));
            prop_assert!(memory.recommendations.iter().all(|recommendation| recommendation.at <= now));
            prop_assert!(memory.guards.iter().all(|guard| guard.seen <= now && guard.since <= Some(now)));
            prop_assert!(memory.missing.iter().all(|missing| missing.since <= now));
            life.memory = decision.memory;
            life.conclude(tick, decision.desired);
        }
    }

    /// A leap of a month is like a group that was left alone: only what is remembered for ever counts.
    #[test]
    fn a_month_later_no_short_hold_is_left(mut case in case()) {
        case.seen.overrides = Default::default();
        let rules = case.rules();
        let first = decide(&rules, &case.seen, &case.memory, at(0.0));
        let month = at(31.0 * 24.0 * 60.0);
        let later = decided(&rules, &case.seen, &first.memory, month);
        let day = std::time::Duration::from_secs(86_400);
        for reason in &later.reasons {
            let length = match reason {
                Reason::InCooldown { direction, .. } => facts::rules_of(&case.policy, *direction).cooldown,
                Reason::Stabilized { window, .. } => *window,
                _ => continue,
            };
            prop_assert!(length > day, "{reason:?}");
        }
    }
}
