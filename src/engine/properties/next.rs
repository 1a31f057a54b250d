//! Until `next_change` the answer stays: nothing but time passes, the same was seen, and whoever looks in between
//! finds the same number.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::cases;
use super::generate::{case, second};
use crate::engine::testing::{at, decided};

/// Where no change is known: as far as anyone plans.
fn horizon() -> Timestamp {
    second(7 * 86_400)
}

proptest! {
    #![proptest_config(cases(160))]

    #[test]
    fn until_the_next_change_the_answer_stays(
        case in case(),
        shares in prop::collection::vec(0.0..1.0_f64, 1..4),
    ) {
        let rules = case.rules();
        let first = decided(&rules, &case.seen, &case.memory, at(0.0));
        let end = first.next_change.unwrap_or_else(horizon).min(horizon());
        prop_assert!(end > at(0.0));
        let length = end.duration_since(at(0.0)).as_nanos() as f64;
        let mut looks: Vec<Timestamp> = shares
            .iter()
            .filter_map(|share| {
                let nanoseconds = SignedDuration::from_nanos((share * length) as i64);
                at(0.0).checked_add(nanoseconds).ok()
            })
            .chain([at(0.0) + SignedDuration::from_nanos(1), end - SignedDuration::from_nanos(1)])
            .filter(|look| at(0.0) <= *look && *look < end)
            .collect();
        looks.sort();
        let mut memory = first.memory.clone();
        for look in looks {
            // Somebody who was here last at the decision, and somebody who looks again and again.
            for past in [&first.memory, &memory.clone()] {
                let then = decided(&rules, &case.seen, past, look);
                prop_assert_eq!(
                    (then.desired, then.mix),
                    (first.desired, first.mix),
                    "at {} before {:?}: {:#?}\n{:#?}",
                    look,
                    first.next_change,
                    first.reasons,
                    then.reasons
                );
                memory = then.memory;
            }
        }
    }
}
