//! What must hold of every decision, whatever the policy, the observation and the past.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tideform_policies::model::{
    Adjustment, Breach, Capacity, Combine, Direction, Instance, InstanceSample, InstanceState,
    Lifecycle, Limits, Metric, MetricReading, OnMissing, Policy, Rate, RateAmount, Rule, Sample,
    ScaleRules, Scope, Select, Share, VictimOrder, WeightedConstants,
};

use super::testing::{above, at, band, below, decided, group, metric, plain, track};
use super::{Action, BY_TIDEFORM, Memory, Observation, Pause, Pin, Rules, decide};

fn capacity() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0..40_u32, 1 => 0..100_000_u32, 1 => Just(u32::MAX)]
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        10 => 0.0..200.0_f64,
        1 => prop::sample::select(vec![
            0.0, -0.0, -5.0, 1e308, -1e308, 1e-308, f64::NAN, f64::INFINITY, f64::NEG_INFINITY,
        ]),
    ]
}

/// Seconds; mostly minutes.
fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(0), 1..600_u64, Just(1_000_000_000_000_u64)].prop_map(Duration::from_secs)
}

fn share() -> impl Strategy<Value = Share> {
    prop_oneof![0.0..2.0_f64, Just(1e300)].prop_map(Share)
}

fn scale_rules() -> impl Strategy<Value = ScaleRules> {
    let amount = prop_oneof![
        capacity().prop_map(RateAmount::Count),
        share().prop_map(RateAmount::Share)
    ];
    let rate = (amount, time()).prop_map(|(amount, per)| Rate { amount, per });
    (
        prop::bool::weighted(0.9),
        time(),
        time(),
        prop::sample::select(vec![
            Select::Max,
            Select::Min,
            Select::Max,
            Select::Disabled,
        ]),
        prop::collection::vec(rate, 0..3),
        prop::sample::select(vec![
            VictimOrder::Newest,
            VictimOrder::Oldest,
            VictimOrder::Default,
        ]),
    )
        .prop_map(
            |(enabled, cooldown, stabilization, select, rates, order)| ScaleRules {
                enabled,
                cooldown,
                stabilization,
                select,
                rates,
                order,
                order_is_set: false,
                drain: None,
            },
        )
}

fn rule() -> impl Strategy<Value = Option<Rule>> {
    let steps = (capacity(), share(), capacity()).prop_map(|(add, by, remove)| {
        Some(Rule::Steps(vec![
            above(80.0, Some(120.0), Adjustment::Add(add)),
            above(120.0, None, Adjustment::AddShare(by)),
            below(20.0, Some(5.0), Adjustment::Remove(remove)),
            below(5.0, None, Adjustment::RemoveShare(by)),
        ]))
    });
    let bands = (capacity(), share(), capacity()).prop_map(|(set, by, remove)| {
        Some(Rule::Steps(vec![
            band(None, Some(5.0), Adjustment::Set(set)),
            band(Some(5.0), Some(20.0), Adjustment::Remove(remove)),
            band(Some(80.0), None, Adjustment::AddShare(by)),
        ]))
    });
    prop_oneof![
        1 => bands,
        3 => prop::sample::select(vec![60.0, 0.3, 1e-300, 1e300]).prop_map(track),
        1 => steps,
        1 => Just(Some(Rule::Want)),
        1 => Just(None),
    ]
}

fn any_metric(name: &'static str) -> impl Strategy<Value = Metric> {
    let on_missing = prop_oneof![
        Just(OnMissing::Hold),
        Just(OnMissing::Last),
        Just(OnMissing::ScaleOut),
        value().prop_map(OnMissing::Value),
    ];
    let breach = prop_oneof![
        Just(Breach::Now),
        time().prop_map(Breach::For),
        (0..5_u32, 0..5_u32).prop_map(|(breaching, periods)| Breach::Of { breaching, periods }),
    ];
    (rule(), on_missing, breach, any::<bool>(), -1.0..3.0_f64).prop_map(
        move |(rule, on_missing, breach, is_total, weight)| {
            let mut metric = metric(name, rule);
            metric.on_missing = on_missing;
            metric.breach = breach;
            metric.weight = weight;
            if is_total {
                metric.scope = Scope::Group;
            }
            metric
        },
    )
}

pub(super) fn policy() -> impl Strategy<Value = Policy> {
    (
        any_metric("cpu"),
        any_metric("queue"),
        prop::sample::select(vec![
            Combine::Max,
            Combine::Majority,
            Combine::Weighted(WeightedConstants::default()),
        ]),
        scale_rules(),
        scale_rules(),
        prop::option::of((capacity(), capacity())),
        time(),
    )
        .prop_map(|(cpu, queue, combine, out, r#in, limits, warmup)| {
            let mut policy = plain();
            policy.metrics = vec![cpu, queue];
            policy.combine = combine;
            policy.scale_out = out;
            policy.scale_in = r#in;
            policy.limits =
                limits.and_then(|(a, b)| Limits::new(Capacity(a.min(b)), Capacity(a.max(b))));
            policy.warmup = warmup;
            policy
        })
}

fn any_instance() -> impl Strategy<Value = Instance> {
    (
        0..6_u32,
        prop::sample::select(vec![
            InstanceState::InService,
            InstanceState::InService,
            InstanceState::Pending,
            InstanceState::Unhealthy,
            InstanceState::Draining,
            InstanceState::Ended,
        ]),
        prop::option::of(-20.0..20.0_f64),
        any::<bool>(),
        prop_oneof![5 => Just(1_u32), 1 => capacity()],
    )
        .prop_map(|(id, state, age, protected, weight)| Instance {
            id: format!("i-{id}").into(),
            state,
            launched_at: age.map(at),
            in_service_at: age.map(at),
            ready: None,
            ready_changed_at: None,
            lifecycle: Lifecycle::OnDemand,
            protected,
            instance_type: None,
            weight,
        })
}

fn reading() -> impl Strategy<Value = MetricReading> {
    let group = prop::collection::vec((-20.0..3.0_f64, value()), 0..6).prop_map(|mut list| {
        list.sort_by(|a, b| a.0.total_cmp(&b.0));
        MetricReading::Group(
            list.into_iter()
                .map(|(minutes, value)| Sample {
                    at: at(minutes),
                    value,
                })
                .collect(),
        )
    });
    let each = (
        -5.0..2.0_f64,
        prop::collection::vec((0..6_u32, prop::option::of(value())), 0..6),
    )
        .prop_map(|(minutes, list)| MetricReading::PerInstance {
            at: at(minutes),
            values: list
                .into_iter()
                .map(|(id, value)| InstanceSample {
                    id: format!("i-{id}").into(),
                    value,
                    of: None,
                })
                .collect(),
        });
    prop_oneof![group, each]
}

pub(super) fn observation() -> impl Strategy<Value = Observation> {
    (
        capacity(),
        prop::option::of(prop::collection::vec(any_instance(), 0..6)),
        prop::option::of(reading()),
        prop::option::of(reading()),
        prop::option::of((capacity(), -5.0..5.0_f64)),
        prop::option::weighted(0.1, -5.0..5.0_f64),
    )
        .prop_map(|(desired, instances, cpu, queue, pin, pause)| {
            let mut seen = Observation {
                desired: Capacity(desired),
                instances,
                ..Observation::default()
            };
            for (name, reading) in [("cpu", cpu), ("queue", queue)] {
                if let Some(reading) = reading {
                    seen.metrics.insert(name.into(), reading);
                }
            }
            let by = || "ada".to_owned();
            seen.overrides.pin = pin.map(|(capacity, until)| Pin {
                capacity: Capacity(capacity),
                until: at(until),
                reason: None,
                by: by(),
            });
            seen.overrides.pause = pause.map(|until| Pause {
                until: at(until),
                reason: None,
                by: by(),
            });
            seen
        })
}

pub(super) fn memory() -> impl Strategy<Value = Memory> {
    prop::collection::vec((-30.0..30.0_f64, capacity(), capacity()), 0..5).prop_map(|list| {
        let mut memory = Memory::default();
        for (minutes, from, to) in list {
            memory.record(Action {
                at: at(minutes),
                from: Capacity(from),
                to: Capacity(to),
                by: BY_TIDEFORM.into(),
            });
            memory.recommendations.push(super::Recommendation {
                at: at(minutes - 1.0),
                desired: Capacity(to),
            });
        }
        memory
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    /// Limits are never broken but by a pause; quiet and loud agree; the reasons add up to the answer; the same
    /// question has the same answer; what is printed reads back.
    #[test]
    fn decisions_keep_their_promises(
        policy in policy(),
        seen in observation(),
        memory in memory(),
    ) {
        let rules = Rules::new(&group(policy));
        let now = at(0.0);
        let decision = decided(&rules, &seen, &memory, now);
        prop_assert_eq!(&decide(&rules, &seen, &memory, now), &decision);
        let policy = &rules.group().policy;
        if decision.has("paused") {
            prop_assert_eq!(decision.desired, decision.current);
        } else if let Some(limits) = policy.limits {
            prop_assert!(limits.min() <= decision.desired && decision.desired <= limits.max());
        }
        prop_assert_eq!(
            decision.direction,
            Direction::between(decision.current, decision.desired)
        );
        let text = serde_json::to_string(&decision).expect("JSON");
        let read: super::Decision = serde_json::from_str(&text).expect("a decision");
        prop_assert_eq!(&read, &decision);
        for reason in &decision.reasons {
            prop_assert!(super::kinds().iter().any(|kind| kind.name == reason.kind()));
            super::explain::sentence(rules.group(), reason);
        }
        super::explain::nearest_changes(rules.group(), &decision);
        prop_assert!(decision.next_change.is_none_or(|at| at > now));
    }

    /// Nothing is removed by metrics while one that must speak has no data.
    #[test]
    fn absent_data_never_removes(
        mut policy in policy(),
        mut seen in observation(),
        memory in memory(),
    ) {
        seen.overrides = Default::default();
        seen.metrics.remove("cpu");
        if policy.metrics[0].rule.is_none() {
            policy.metrics[0].rule = track(60.0);
        }
        policy.metrics[0].on_missing = OnMissing::Hold;
        policy.combine = Combine::Max;
        policy.limits = None;
        let rules = Rules::new(&group(policy));
        let decision = decided(&rules, &seen, &memory, at(0.0));
        prop_assert!(decision.desired >= decision.current, "{:#?}", decision.reasons);
    }

    /// A removal step never removes more than it says, whatever failed.
    #[test]
    fn a_removal_step_never_removes_more_than_it_says(
        policy in policy(),
        mut seen in observation(),
        n in capacity(),
        share in share(),
        is_share in any::<bool>(),
    ) {
        let mut policy = policy;
        let remove = if is_share { Adjustment::RemoveShare(share) } else { Adjustment::Remove(n) };
        policy.metrics.truncate(1);
        policy.metrics[0].rule = Some(Rule::Steps(vec![below(20.0, None, remove)]));
        policy.combine = Combine::Max;
        policy.limits = None;
        seen.limits = None;
        seen.overrides = Default::default();
        let current = seen.desired.get();
        let most = match remove {
            Adjustment::RemoveShare(share) => super::numbers::share_adjusted(current, share),
            _ => n,
        };
        let rules = Rules::new(&group(policy));
        let decision = decided(&rules, &seen, &Memory::default(), at(0.0));
        prop_assert!(
            current.saturating_sub(decision.desired.get()) <= most,
            "{current} minus {most}: {:#?}",
            decision.reasons
        );
    }

    /// More load never asks for fewer.
    #[test]
    fn more_load_never_gives_fewer(
        policy in policy(),
        mut seen in observation(),
        memory in memory(),
        low in 0.0..200.0_f64,
        more in 0.0..200.0_f64,
        is_per_instance in any::<bool>(),
    ) {
        let mut policy = policy;
        policy.metrics[0].rule = track(60.0);
        seen.overrides = Default::default();
        let rules = Rules::new(&group(policy));
        let ids: Vec<_> = match &seen.instances {
            Some(instances) => instances.iter().map(|i| i.id.clone()).collect(),
            None => (0..4).map(|n| format!("i-{n}").into()).collect(),
        };
        let mut with = |value: f64| {
            let reading = if is_per_instance {
                MetricReading::PerInstance {
                    at: at(0.0),
                    values: ids.iter().map(|id| InstanceSample { id: id.clone(), value: Some(value), of: None }).collect(),
                }
            } else {
                MetricReading::Group(vec![Sample { at: at(0.0), value }])
            };
            seen.metrics.insert("cpu".into(), reading);
            decided(&rules, &seen, &memory, at(0.0)).desired
        };
        let (fewer, most) = (with(low), with(low + more));
        prop_assert!(fewer <= most, "{low} wants {fewer}, {} wants {most}", low + more);
    }

    /// Whatever the clock does, the memory stays small.
    #[test]
    fn memory_is_bounded_whatever_the_clock_does(
        policy in policy(),
        jumps in prop::collection::vec((-1e6..1e6_f64, 0.0..500.0_f64), 1..12),
    ) {
        let rules = Rules::new(&group(policy));
        let mut memory = Memory::default();
        let mut current = Capacity(4);
        let mut now = at(0.0);
        for (jump, load) in jumps {
            let jump = SignedDuration::from_secs_f64(jump);
            now = now.checked_add(jump).unwrap_or(Timestamp::MAX);
            for _ in 0..8 {
                let mut seen = Observation { desired: current, ..Observation::default() };
                seen.metrics.insert(
                    "cpu".into(),
                    MetricReading::Group(vec![Sample { at: now, value: load }]),
                );
                let decision = decided(&rules, &seen, &memory, now);
                memory = decision.memory;
                memory.record(Action {
                    at: now,
                    from: current,
                    to: decision.desired,
                    by: BY_TIDEFORM.into(),
                });
                current = decision.desired;
            }
        }
        prop_assert!(memory.actions.len() <= 96 && memory.recommendations.len() <= 96);
        prop_assert!(memory.guards.is_empty() && memory.missing.len() <= 2);
    }
}
