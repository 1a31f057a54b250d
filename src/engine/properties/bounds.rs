//! Floors and ceilings: reached at once, whatever holds, and no further; a pause alone may leave the group outside.

use proptest::prelude::*;
use tideform_policies::model::{Capacity, OnMissing};

use super::generate::case;
use super::{cases, facts};
use crate::engine::testing::{at, decided, track};
use crate::engine::{Pause, Pin};

proptest! {
    #![proptest_config(cases(80))]

    #[test]
    fn the_number_is_never_outside_the_limits_unless_paused(case in case()) {
        let decision = decided(&case.rules(), &case.seen, &case.memory, at(0.0));
        let (min, max) = facts::limits(&case.policy, &case.seen);
        if !facts::is_paused(&case.seen, at(0.0)) {
            prop_assert!((min..=max).contains(&decision.desired.get()));
        }
        if let Some(split) = decision.mix {
            let sum = u64::from(split.on_demand.get()) + u64::from(split.spot.get());
            prop_assert_eq!(sum, u64::from(decision.desired.get()));
        }
    }

    #[test]
    fn the_number_is_between_the_floor_and_the_ceiling_unless_pinned_or_paused(mut case in case()) {
        case.seen.overrides.pin = None;
        case.seen.overrides.pause = None;
        let desired = decided(&case.rules(), &case.seen, &case.memory, at(0.0)).desired.get();
        let (floor, ceiling) = facts::bounds(&case.policy, &case.seen, at(0.0));
        prop_assert!((floor..=ceiling).contains(&desired), "{desired} in {floor}..={ceiling}");
    }

    /// Without any opinion only the bounds move the group: through cooldowns, windows, rates, guards, freezes, budget
    /// and switched-off directions, and exactly as far as they say.
    #[test]
    fn bounds_are_reached_at_once_whatever_holds_and_no_further(mut case in case()) {
        case.seen.overrides.pin = None;
        case.seen.overrides.pause = None;
        case.seen.metrics = Default::default();
        for metric in &mut case.policy.metrics {
            metric.on_missing = OnMissing::Hold;
            metric.source = crate::engine::testing::metric("x", None).source;
        }
        case.policy.metrics[0].rule = track(60.0);
        let desired = decided(&case.rules(), &case.seen, &case.memory, at(0.0)).desired.get();
        prop_assert_eq!(desired, facts::held(&case, at(0.0)));
    }

    #[test]
    fn a_pin_is_obeyed_inside_the_limits_alone(mut case in case(), capacity in super::generate::capacity()) {
        case.seen.overrides.pause = None;
        case.seen.overrides.pin = Some(Pin {
            capacity: Capacity(capacity),
            until: at(0.5),
            reason: None,
            by: "ada".to_owned(),
        });
        let decision = decided(&case.rules(), &case.seen, &case.memory, at(0.0));
        let (min, max) = facts::limits(&case.policy, &case.seen);
        prop_assert_eq!(decision.desired.get(), capacity.clamp(min, max));
        prop_assert!(decision.has("pinned"));
    }

    #[test]
    fn a_pause_is_obeyed_whatever_else_is_said(mut case in case()) {
        case.seen.overrides.pause = Some(Pause {
            until: at(0.5),
            reason: None,
            by: "ada".to_owned(),
        });
        let decision = decided(&case.rules(), &case.seen, &case.memory, at(0.0));
        prop_assert_eq!(decision.desired, decision.current);
        prop_assert!(decision.has("paused"));
    }

    #[test]
    fn a_pin_or_a_pause_that_has_ended_says_nothing(mut case in case(), capacity in super::generate::capacity()) {
        case.seen.overrides.pin = None;
        case.seen.overrides.pause = None;
        let rules = case.rules();
        let without = decided(&rules, &case.seen, &case.memory, at(0.0));
        case.seen.overrides.pin = Some(Pin {
            capacity: Capacity(capacity),
            until: at(0.0),
            reason: None,
            by: "ada".to_owned(),
        });
        case.seen.overrides.pause = Some(Pause {
            until: at(0.0),
            reason: None,
            by: "ada".to_owned(),
        });
        prop_assert_eq!(decided(&rules, &case.seen, &case.memory, at(0.0)), without);
    }
}
