//! Whole policies, observations and pasts, sane and absurd. Times lie around `at(0.0)`, mostly on half minutes, so that
//! edges meet.

mod observations;
mod pasts;
mod policies;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;
use tideform_policies::model::{Policy, Share};

use crate::engine::testing::{at, group};
use crate::engine::{Memory, Observation, Rules};

pub(in crate::engine::properties) use observations::instances;
use observations::observation;
pub(in crate::engine::properties) use pasts::{Life, Tick, ticks};
use pasts::{Past, live, past};
pub(in crate::engine::properties) use policies::{any_track, formula, policy};

/// Everything that a decision at `at(0.0)` is made from.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Case {
    pub(in crate::engine) policy: Policy,
    pub(in crate::engine) seen: Observation,
    pub(in crate::engine) memory: Memory,
}

impl Case {
    pub(in crate::engine::properties) fn rules(&self) -> Rules {
        Rules::new(&group(self.policy.clone()))
    }
}

pub(in crate::engine) fn case() -> BoxedStrategy<Case> {
    (policy(), observation(), past())
        .prop_map(|(policy, mut seen, past)| {
            let memory = match past {
                Past::Any(memory) => memory,
                Past::Lived { ticks, follows } => {
                    let (memory, current) = live(&policy, &ticks);
                    if follows {
                        seen.desired = current;
                    }
                    memory
                }
            };
            Case {
                policy,
                seen,
                memory,
            }
        })
        .boxed()
}

/// So many seconds from `at(0.0)`.
pub(in crate::engine::properties) fn second(seconds: i64) -> Timestamp {
    at(0.0) + SignedDuration::from_secs(seconds)
}

/// Around `at(0.0)`; mostly on half minutes.
pub(in crate::engine::properties) fn near() -> BoxedStrategy<Timestamp> {
    prop_oneof![
        12 => (-80..=16_i64).prop_map(|n| second(n * 30)),
        3 => (-3_000..1_200_i64).prop_map(second),
        1 => select(vec![
            second(-2_592_000), second(2_592_000), Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH,
        ]),
    ]
    .boxed()
}

pub(in crate::engine::properties) fn capacity() -> BoxedStrategy<u32> {
    prop_oneof![12 => 0..40_u32, 1 => 0..100_000_u32, 1 => Just(u32::MAX)].boxed()
}

/// A measured value; one in ten is absurd.
pub(in crate::engine::properties) fn value() -> BoxedStrategy<f64> {
    prop_oneof![
        6 => 0.0..200.0_f64,
        3 => select(vec![0.0, 5.0, 10.0, 20.0, 54.0, 60.0, 66.0, 80.0, 100.0, 120.0]),
        1 => select(vec![
            -0.0, -5.0, 1e308, -1e308, 1e-308, f64::NAN, f64::INFINITY, f64::NEG_INFINITY,
        ]),
    ]
    .boxed()
}

/// Mostly half minutes up to ten minutes; sometimes for ever.
pub(in crate::engine::properties) fn length() -> BoxedStrategy<Duration> {
    prop_oneof![
        4 => Just(0),
        12 => (1..20_u64).prop_map(|n| n * 30),
        3 => 1..600_u64,
        1 => select(vec![86_400, 2_592_000, 1_000_000_000_000, 1_000_000_000_000_000]),
    ]
    .prop_map(Duration::from_secs)
    .boxed()
}

pub(in crate::engine::properties) fn share() -> BoxedStrategy<Share> {
    prop_oneof![
        4 => select(vec![0.0, 0.1, 0.25, 0.5, 0.7, 1.0]),
        4 => 0.0..2.0_f64,
        1 => Just(1e300),
    ]
    .prop_map(Share)
    .boxed()
}
