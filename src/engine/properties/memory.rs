//! The memory: decided from and written the same way by all, small for ever, and the same after a night on a disk.

use std::time::Duration;

use proptest::prelude::*;
use tideform_policies::model::{Capacity, OnMissing, Policy};

use super::generate::{Life, Tick, case, policy, ticks};
use super::{cases, few_cases};
use crate::engine::testing::{at, decided, group};
use crate::engine::{Action, Memory, Rules, decide, decide_quiet};

/// Most entries of any list, whatever the windows are.
const MOST: usize = 512;

/// As many decisions a minute apart as fit into the longest of these, and a few at the edges.
fn fitting(windows: impl Iterator<Item = Duration>) -> usize {
    let longest = windows.max().unwrap_or_default();
    usize::try_from(longest.as_secs() / 60).map_or(MOST, |n| (n + 4).min(MOST))
}

fn check_size(policy: &Policy, memory: &Memory) -> Result<(), TestCaseError> {
    let rules = [&policy.scale_out, &policy.scale_in];
    let rates = rules
        .iter()
        .flat_map(|rules| rules.rates.iter().map(|rate| rate.per));
    let counted = rules
        .iter()
        .map(|rules| rules.cooldown)
        .chain(rates)
        .chain([policy.warmup]);
    // Somebody else may change the capacity at each tick too.
    prop_assert!(memory.actions.len() <= (2 * fitting(counted)).min(MOST));
    let windows = rules.iter().map(|rules| rules.stabilization);
    prop_assert!(memory.recommendations.len() <= fitting(windows));
    prop_assert!(memory.guards.len() <= policy.guards.len());
    let asking = policy
        .metrics
        .iter()
        .filter(|metric| metric.on_missing == OnMissing::ScaleOut);
    prop_assert!(memory.missing.len() <= asking.count());
    Ok(())
}

/// A generator that is part of the case: what a long life meets is made from one number.
fn next_random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

proptest! {
    #![proptest_config(cases(100))]

    #[test]
    fn the_same_question_has_the_same_answer(case in case()) {
        let rules = case.rules();
        let first = decide(&rules, &case.seen, &case.memory, at(0.0));
        prop_assert_eq!(&decide(&rules, &case.seen, &case.memory, at(0.0)), &first);
        // Rules compiled again have forgotten nothing.
        prop_assert_eq!(decide(&case.rules(), &case.seen, &case.memory, at(0.0)), first);
    }

    /// A look changes nothing that a second look at the same time would see.
    #[test]
    fn deciding_again_from_its_own_memory_gives_the_same_number(case in case()) {
        let rules = case.rules();
        let first = decided(&rules, &case.seen, &case.memory, at(0.0));
        let again = decided(&rules, &case.seen, &first.memory, at(0.0));
        prop_assert_eq!(again.desired, first.desired, "{:#?}\n{:#?}", first.reasons, again.reasons);
        prop_assert_eq!(again.mix, first.mix);
    }

    #[test]
    fn loud_and_quiet_agree_on_number_direction_mix_and_memory(case in case()) {
        let rules = case.rules();
        let loud = decide(&rules, &case.seen, &case.memory, at(0.0));
        let mut memory = case.memory.clone();
        let quiet = decide_quiet(&rules, &case.seen, &mut memory, at(0.0));
        prop_assert_eq!(quiet.current, loud.current);
        prop_assert_eq!(quiet.desired, loud.desired);
        prop_assert_eq!(quiet.direction, loud.direction);
        prop_assert_eq!(quiet.mix, loud.mix);
        prop_assert_eq!(memory, loud.memory);
    }

    #[test]
    fn a_memory_that_was_written_and_read_decides_the_same(policy in policy(), ticks in ticks(20)) {
        let rules = Rules::new(&group(policy));
        let mut kept = Life::new(at(0.0));
        let mut stored = Life::new(at(0.0));
        for tick in &ticks {
            kept.tick(tick);
            stored.tick(tick);
            let text = serde_json::to_string(&stored.memory).expect("JSON");
            stored.memory = serde_json::from_str(&text).expect("a memory");
            prop_assert_eq!(&stored.memory, &kept.memory);
            let (seen, now) = (kept.seen.clone(), kept.now);
            let loud = decided(&rules, &seen, &kept.memory, now);
            let quiet = decide_quiet(&rules, &stored.seen, &mut stored.memory, now);
            prop_assert_eq!(quiet.desired, loud.desired);
            prop_assert_eq!(&stored.memory, &loud.memory);
            kept.memory = loud.memory;
            kept.conclude(tick, loud.desired);
            stored.conclude(tick, quiet.desired);
        }
    }

    #[test]
    fn memory_stays_small_whatever_it_was_and_whatever_the_clock_does(
        mut case in case(),
        jumps in prop::collection::vec((any::<i32>(), ticks(8)), 1..6),
        crowd in prop_oneof![5 => Just(0), 1 => 0..1_000_u32],
    ) {
        case.seen.overrides = Default::default();
        let rules = case.rules();
        let mut life = Life::new(at(0.0));
        life.memory = case.memory;
        // Somebody else has been busy.
        for n in 0..crowd {
            life.memory.record(Action {
                at: at(-f64::from(n)),
                from: Capacity(n % 7),
                to: Capacity(n % 5),
                by: "console".into(),
            });
        }
        for (jump, ticks) in jumps {
            let jump = jiff::SignedDuration::from_secs(i64::from(jump));
            life.now = life.now.checked_add(jump).unwrap_or(life.now);
            for tick in &ticks {
                life.tick(tick);
                let (seen, now) = (life.seen.clone(), life.now);
                let desired = decide_quiet(&rules, &seen, &mut life.memory, now).desired;
                life.conclude(tick, desired);
                let memory = &life.memory;
                prop_assert!(memory.actions.len() <= MOST && memory.recommendations.len() <= MOST);
                prop_assert!(memory.guards.len() <= case.policy.guards.len());
                prop_assert!(memory.missing.len() <= case.policy.metrics.len());
                prop_assert!(memory.actions.is_sorted_by_key(|action| action.at));
            }
        }
    }
}

proptest! {
    #![proptest_config(few_cases(2))]

    /// Minutes, with gaps of up to three days, until a year is over.
    #[test]
    fn memory_is_bounded_by_the_windows_over_a_year_of_minutes(
        mut policy in policy(),
        seed in 1..u64::MAX,
        is_long in any::<bool>(),
    ) {
        if is_long {
            policy.warmup = Duration::from_secs(200 * 86_400);
        } else {
            let short = Duration::from_secs(1_800);
            policy.warmup = policy.warmup.min(short);
            for rules in [&mut policy.scale_out, &mut policy.scale_in] {
                rules.cooldown = rules.cooldown.min(short);
                rules.stabilization = rules.stabilization.min(short);
                for rate in &mut rules.rates {
                    rate.per = rate.per.min(short);
                }
            }
        }
        let rules = Rules::new(&group(policy.clone()));
        let mut life = Life::new(at(0.0));
        let year = at(365.0 * 24.0 * 60.0);
        let mut state = seed;
        while life.now < year {
            let random = next_random(&mut state);
            let load = |bits: u64| (!bits.is_multiple_of(16)).then(|| f64::from((bits >> 4) as u16) / 400.0);
            let tick = Tick {
                gap: match random % 128 {
                    0 => (next_random(&mut state) % 259_200).max(60) as i64,
                    1..16 => 600,
                    _ => 60,
                },
                values: [load(random >> 8), load(random >> 24), load(random >> 40)],
                is_accepted: !random.is_multiple_of(7),
                foreign: random.is_multiple_of(101).then_some((random >> 56) as u32),
            };
            life.tick(&tick);
            let seen = std::mem::take(&mut life.seen);
            let desired = decide_quiet(&rules, &seen, &mut life.memory, life.now).desired;
            life.seen = seen;
            check_size(&policy, &life.memory)?;
            life.conclude(&tick, desired);
        }
    }
}
