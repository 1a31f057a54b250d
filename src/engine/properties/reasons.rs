//! The reasons explain the number, read back, and can be put into words.

use proptest::prelude::*;
use tideform_policies::model::Direction;

use super::cases;
use super::generate::case;
use super::replay::replay;
use crate::engine::testing::{at, decided};
use crate::engine::{Decision, explain, kinds};

proptest! {
    #![proptest_config(cases(160))]

    #[test]
    fn the_arithmetic_of_the_reasons_gives_the_number(case in case()) {
        let decision = decided(&case.rules(), &case.seen, &case.memory, at(0.0));
        if let Err(why) = replay(&case, &decision, at(0.0)) {
            prop_assert!(false, "{}\n{:#?}", why, decision);
        }
    }

    #[test]
    fn what_is_printed_reads_back_and_can_be_said(case in case()) {
        let rules = case.rules();
        let decision = decided(&rules, &case.seen, &case.memory, at(0.0));
        let text = serde_json::to_string(&decision).expect("JSON");
        let read: Decision = serde_json::from_str(&text).expect("a decision");
        prop_assert_eq!(&read, &decision);
        for reason in &decision.reasons {
            prop_assert!(kinds().iter().any(|kind| kind.name == reason.kind()));
            prop_assert!(!explain::sentence(rules.group(), reason).1.is_empty());
        }
        explain::explain(rules.group(), &decision, at(0.0), None);
    }

    #[test]
    fn the_direction_is_from_current_to_desired(case in case()) {
        let decision = decided(&case.rules(), &case.seen, &case.memory, at(0.0));
        prop_assert_eq!(decision.current, case.seen.desired);
        let expected = if decision.desired > case.seen.desired {
            Direction::Out
        } else if decision.desired < case.seen.desired {
            Direction::In
        } else {
            Direction::Hold
        };
        prop_assert_eq!(decision.direction, expected);
    }
}
