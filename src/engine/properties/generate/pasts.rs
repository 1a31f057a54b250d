//! Memories: written by anybody, or come from a life of decisions.

use jiff::{SignedDuration, Timestamp};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use tideform_policies::model::{Capacity, MetricReading, Policy, Sample};

use super::{capacity, near, second, value};
use crate::engine::testing::group;
use crate::engine::{
    Action, BY_TIDEFORM, FallbackMemory, GuardMemory, Memory, MissingSince, Observation,
    Recommendation, Rules, decide_quiet,
};

/// Where a memory comes from.
#[derive(Clone, Debug)]
pub(super) enum Past {
    /// From a file that anybody may have written.
    Any(Memory),
    /// From decisions that were made.
    Lived { ticks: Vec<Tick>, follows: bool },
}

/// One decision of a life, and what became of it.
#[derive(Clone, Debug)]
pub(in crate::engine::properties) struct Tick {
    /// Seconds since the one before.
    pub(in crate::engine::properties) gap: i64,
    /// What cpu, queue and errors say; `None` says nothing.
    pub(in crate::engine::properties) values: [Option<f64>; 3],
    /// Whether the change is carried out.
    pub(in crate::engine::properties) is_accepted: bool,
    /// A capacity that somebody else sets afterwards.
    pub(in crate::engine::properties) foreign: Option<u32>,
}

pub(in crate::engine::properties) fn ticks(most: usize) -> BoxedStrategy<Vec<Tick>> {
    let value = || option::weighted(0.85, value());
    let tick = (
        prop_oneof![6 => Just(60_i64), 3 => 1..600_i64, 1 => Just(0_i64)],
        (value(), value(), value()),
        prop::bool::weighted(0.9),
        option::weighted(0.05, capacity()),
    )
        .prop_map(|(gap, (cpu, queue, errors), is_accepted, foreign)| Tick {
            gap,
            values: [cpu, queue, errors],
            is_accepted,
            foreign,
        });
    vec(tick, 0..most).boxed()
}

pub(super) fn past() -> BoxedStrategy<Past> {
    prop_oneof![
        1 => any_memory().prop_map(Past::Any),
        1 => (ticks(12), prop::bool::weighted(0.8))
            .prop_map(|(ticks, follows)| Past::Lived { ticks, follows }),
    ]
    .boxed()
}

fn any_memory() -> BoxedStrategy<Memory> {
    let action = (near(), capacity(), capacity(), prop::bool::weighted(0.8));
    let guard = (0..3_u8, any::<bool>(), option::of(near()), near());
    (
        vec(action, 0..6),
        vec((near(), capacity()), 0..6),
        vec(guard, 0..2),
        option::weighted(0.3, (select(vec!["cpu", "queue", "gone"]), near())),
        option::weighted(0.2, near()),
    )
        .prop_map(
            |(actions, recommendations, guards, missing, fallback)| Memory {
                actions: actions
                    .into_iter()
                    .map(|(at, from, to, is_ours)| Action {
                        at,
                        from: Capacity(from),
                        to: Capacity(to),
                        by: if is_ours { BY_TIDEFORM } else { "console" }.into(),
                    })
                    .collect(),
                recommendations: recommendations
                    .into_iter()
                    .map(|(at, desired)| Recommendation {
                        at,
                        desired: Capacity(desired),
                    })
                    .collect(),
                guards: guards
                    .into_iter()
                    .map(|(name, is_tripped, since, seen)| GuardMemory {
                        guard: format!("g{name}").into(),
                        is_tripped,
                        since,
                        seen,
                    })
                    .collect(),
                missing: missing
                    .into_iter()
                    .map(|(metric, since)| MissingSince {
                        metric: metric.into(),
                        since,
                    })
                    .collect(),
                fallback: fallback.map(|until| FallbackMemory { until }),
            },
        )
        .boxed()
}

/// A life under a policy that ends at `at(0.0)`: what it remembers, and the capacity that it has come to.
pub(super) fn live(policy: &Policy, ticks: &[Tick]) -> (Memory, Capacity) {
    let rules = Rules::new(&group(policy.clone()));
    let mut life = Life::new(second(-ticks.iter().map(|tick| tick.gap).sum::<i64>()));
    for tick in ticks {
        life.tick(tick);
        let (seen, now) = (life.seen.clone(), life.now);
        let desired = decide_quiet(&rules, &seen, &mut life.memory, now).desired;
        life.conclude(tick, desired);
    }
    (life.memory, life.seen.desired)
}

/// A group that lives from tick to tick.
#[derive(Clone, Debug)]
pub(in crate::engine::properties) struct Life {
    pub(in crate::engine::properties) now: Timestamp,
    pub(in crate::engine::properties) seen: Observation,
    pub(in crate::engine::properties) memory: Memory,
}

impl Life {
    pub(in crate::engine::properties) fn new(now: Timestamp) -> Life {
        Life {
            now,
            seen: Observation {
                desired: Capacity(4),
                ..Observation::default()
            },
            memory: Memory::default(),
        }
    }

    /// Time passes, and samples come in; the last eight stay.
    pub(in crate::engine::properties) fn tick(&mut self, tick: &Tick) {
        let gap = SignedDuration::from_secs(tick.gap);
        self.now = self.now.checked_add(gap).unwrap_or(Timestamp::MAX);
        for (name, value) in ["cpu", "queue", "errors"].into_iter().zip(tick.values) {
            let Some(value) = value else { continue };
            let reading = self.seen.metrics.get_or_empty(&name.into());
            if let MetricReading::Group(samples) = reading {
                samples.retain(|sample| sample.at < self.now);
                samples.push(Sample {
                    at: self.now,
                    value,
                });
                let outdated = samples.len().saturating_sub(8);
                samples.drain(..outdated);
            }
        }
    }

    /// The change is carried out, or not.
    pub(in crate::engine::properties) fn conclude(&mut self, tick: &Tick, desired: Capacity) {
        let mut change = |to: Capacity, by: &'static str| {
            self.memory.record(Action {
                at: self.now,
                from: self.seen.desired,
                to,
                by: by.into(),
            });
            self.seen.desired = to;
        };
        if tick.is_accepted {
            change(desired, BY_TIDEFORM);
        }
        if let Some(foreign) = tick.foreign {
            change(Capacity(foreign), "console");
        }
    }
}
