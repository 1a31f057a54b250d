//! The shortcuts of the quiet decision: where one is taken, and one thing away from there, it is the loud decision. And
//! what is said beforehand of decisions that change nothing is what comes of making them.

use proptest::prelude::*;
use tideform_policies::model::{
    Capacity, Combine, Metric, MetricReading, MetricSource, Policy, Rule, Sample, Scope,
};

use super::cases;
use super::generate::{Case, any_track, case};
use crate::engine::testing::at;
use crate::engine::{Actions, Observation, Still, Units, decide, decide_quiet, still};

/// What a case keeps of its own, each with a small chance, so that most have no more than one of them.
const KEPT: usize = 10;

/// A group that is settled and near its target, so that little or nothing is to be done.
fn nearly_still() -> impl Strategy<Value = Case> {
    let kept = prop::collection::vec(prop::bool::weighted(0.1), KEPT);
    let near = prop_oneof![3 => 0.95..1.05_f64, 2 => 0.7..1.4_f64, 1 => 0.0..4.0_f64];
    let age = prop_oneof![4 => 0.0..2.0_f64, 1 => -1.0..20.0_f64];
    (case(), any_track(), kept, near, age).prop_map(|(case, track, kept, near, age)| {
        let Case {
            mut policy,
            seen: own,
            memory: past,
        } = case;
        let keeps = |place: usize| kept.get(place).copied().unwrap_or_default();
        let sample = MetricReading::Group(vec![Sample {
            at: at(-age),
            value: track.target * near,
        }]);
        if !keeps(0) {
            policy.combine = Combine::Max;
        }
        if !keeps(1) {
            let is_query = |metric: &Metric| matches!(metric.source, MetricSource::Query(_));
            policy.metrics.retain(is_query);
            for metric in &mut policy.metrics {
                metric.scope = Scope::Instance;
                metric.rule = metric.rule.as_ref().map(|_| Rule::Track(track));
            }
        }
        policy = bare(policy, keeps);
        let desired = Capacity(own.desired.get().clamp(1, 40));
        let mut seen = Observation {
            desired,
            units: Some(Units {
                ready: desired.get() - u32::from(keeps(6) && desired.get() > 1),
                warming: u32::from(keeps(6)),
            }),
            overrides: if keeps(7) {
                own.overrides.clone()
            } else {
                Default::default()
            },
            instances: None,
            metrics: own.metrics.clone(),
            ..own
        };
        if !keeps(8) {
            seen.left_out.clear();
            for metric in &policy.metrics {
                seen.metrics.insert(metric.name.clone(), sample.clone());
            }
        }
        let mut memory = past;
        if !keeps(9) {
            memory.missing.clear();
            memory.guards.clear();
        }
        Case {
            policy,
            seen,
            memory,
        }
    })
}

/// Without what else has a say in the number, but for what is kept.
fn bare(mut policy: Policy, keeps: impl Fn(usize) -> bool) -> Policy {
    if !keeps(2) {
        policy.schedules.clear();
    }
    if !keeps(3) {
        policy.guards.clear();
    }
    if !keeps(4) {
        policy.forecast = None;
    }
    if !keeps(5) {
        policy.mix = None;
    }
    policy
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn the_shortcuts_lead_where_all_the_rules_do(case in nearly_still()) {
        let rules = case.rules();
        let mut memory = case.memory.clone();
        // Twice: the second finds what the first has remembered.
        for now in [at(0.0), at(1.0)] {
            let loud = decide(&rules, &case.seen, &memory, now);
            let quiet = decide_quiet(&rules, &case.seen, &mut memory, now);
            prop_assert_eq!(quiet.current, loud.current);
            prop_assert_eq!(quiet.desired, loud.desired, "{:#?}", loud.reasons);
            prop_assert_eq!(quiet.direction, loud.direction);
            prop_assert_eq!(quiet.mix, loud.mix);
            prop_assert_eq!(&memory, &loud.memory);
        }
    }

    #[test]
    fn a_still_group_stays_as_it_is_and_its_memory_may_hear_of_it_later(
        case in nearly_still(),
        nears in prop::collection::vec(0.8..1.25_f64, 1..12),
        lasts in prop::collection::vec(0.0..3.0_f64, 1..6),
    ) {
        let rules = case.rules();
        let all_ready = Units { ready: case.seen.desired.get(), warming: 0 };
        prop_assume!(case.seen.units == Some(all_ready));
        let mut told = case.memory.clone();
        let first = decide_quiet(&rules, &case.seen, &mut told, at(0.0));
        let Some(still) = still(&rules, &case.seen, &told) else {
            return Ok(());
        };
        prop_assert_eq!(first.current, still.current);
        if first.desired != first.current {
            return Ok(());
        }
        let Some(Rule::Track(track)) = case.policy.metrics[still.metric].rule else {
            return Err(TestCaseError::fail("what is still is tracked"));
        };
        let mut all = told.clone();
        let mut stayed = None;
        let mut minute = 0.0;
        for near in nears {
            minute += 1.0;
            let value = track.target * near;
            let loud = decide(&rules, &sampled(&case, &still, value, minute), &all, at(minute));
            if still.holds_at(value) {
                prop_assert_eq!(loud.desired, still.current, "{:#?}", loud.reasons);
                all = loud.memory;
                stayed = Some(at(minute));
            }
        }
        if let Some(stayed) = stayed {
            told.stayed(stayed, still.current);
        }
        let (mut one, mut other) = (all, told);
        for near in lasts {
            minute += 1.0;
            let seen = sampled(&case, &still, track.target * near, minute);
            let one_way = decide_quiet(&rules, &seen, &mut one, at(minute));
            let other_way = decide_quiet(&rules, &seen, &mut other, at(minute));
            prop_assert_eq!(one_way, other_way);
            prop_assert_eq!(&one.recommendations, &other.recommendations);
        }
        // Of the changes only those that some rule can still see need be the same.
        one.actions = Actions::default();
        other.actions = Actions::default();
        prop_assert_eq!(one, other);
    }
}

/// What was seen, with a fresh sample of the metric that the stillness is about.
fn sampled(case: &Case, still: &Still, value: f64, minute: f64) -> Observation {
    let mut seen = case.seen.clone();
    let name = case.policy.metrics[still.metric].name.clone();
    let sample = Sample {
        at: at(minute),
        value,
    };
    seen.metrics
        .insert(name, MetricReading::Group(vec![sample]));
    seen
}
