//! How long one decision takes: quiet (as a simulation calls it) and loud (as the loop does).

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use tideform::engine::{Memory, Observation, Rules, decide, decide_quiet};
use tideform_policies::model::{
    Adopt, Breach, Capacity, Combine, Controller, Group, GroupAddress, Limits, Metric, MetricQuery,
    MetricReading, MetricSource, OnMissing, Policy, ProviderAddress, Resource, Rule, Sample,
    ScaleRules, Scope, Select, Share, Slo, Statistic, Track, VictimOrder,
};

/// One tracked metric, and the usual cooldowns and windows.
fn group() -> Group {
    let minutes = |n: u64| Duration::from_secs(n * 60);
    let rules = |cooldown, stabilization| ScaleRules {
        enabled: true,
        cooldown,
        stabilization,
        select: Select::Max,
        rates: Vec::new(),
        order: VictimOrder::Default,
        order_is_set: false,
        drain: None,
    };
    Group {
        address: GroupAddress::new("web"),
        provider: ProviderAddress {
            kind: "mock".into(),
            alias: None,
        },
        resource: Resource {
            kind: "asg".into(),
            name: "web".into(),
        },
        controller: Controller::Tideform,
        adopt: Adopt::None,
        coexist: false,
        launch: None,
        policy: Policy {
            warmup: minutes(3),
            warmup_is_set: false,
            every: minutes(1),
            combine: Combine::Max,
            metrics: vec![Metric {
                name: "cpu".into(),
                source: MetricSource::Query(MetricQuery {
                    provider: None,
                    name: "cpu".to_owned(),
                    namespace: None,
                    dimensions: Default::default(),
                    query: None,
                }),
                statistic: Statistic::Average,
                period: minutes(1),
                delay: Duration::ZERO,
                on_missing: OnMissing::Hold,
                max_age: minutes(15),
                scope: Scope::Instance,
                weight: 1.0,
                threshold: None,
                initialization: None,
                rule: Some(Rule::Track(Track {
                    target: 60.0,
                    tolerance_out: Share(0.1),
                    tolerance_in: Share(0.1),
                })),
                breach: Breach::Now,
                max_add: None,
                max_remove: None,
            }],
            scale_out: rules(minutes(2), Duration::ZERO),
            scale_in: rules(minutes(10), minutes(5)),
            limits: Limits::new(Capacity(2), Capacity(40)),
            schedules: Vec::new(),
            surges: Vec::new(),
            forecast: None,
            guards: Vec::new(),
            freezes: Vec::new(),
            mix: None,
            instance: None,
            budget: None,
            slo: Slo {
                utilization: 100.0,
                objective: 99.9,
            },
        },
    }
}

fn benchmark(criterion: &mut Criterion) {
    let rules = Rules::new(&group());
    let start = Timestamp::UNIX_EPOCH;
    let mut seen = Observation {
        desired: Capacity(6),
        ..Observation::default()
    };
    // Minute after minute, with a load that moves the want.
    let at = |minute: i64| start + SignedDuration::from_mins(minute % 1_000_000);
    let show = |seen: &mut Observation, minute: i64| {
        let sample = Sample {
            at: at(minute),
            value: 50.0 + (minute % 7) as f64 * 4.0,
        };
        match seen.metrics.get_mut("cpu") {
            Some(MetricReading::Group(samples)) => {
                samples.clear();
                samples.push(sample);
            }
            _ => {
                seen.metrics
                    .insert("cpu".into(), MetricReading::Group(vec![sample]));
            }
        }
    };
    criterion.bench_function("decide_quiet, one track metric", |bencher| {
        let mut memory = Memory::default();
        let mut minute = 0;
        bencher.iter(|| {
            minute += 1;
            show(&mut seen, minute);
            black_box(decide_quiet(&rules, &seen, &mut memory, at(minute)))
        });
    });
    criterion.bench_function("decide, one track metric", |bencher| {
        let mut memory = Memory::default();
        let mut minute = 0;
        bencher.iter(|| {
            minute += 1;
            show(&mut seen, minute);
            let decision = decide(&rules, &seen, &memory, at(minute));
            memory = decision.memory.clone();
            black_box(decision)
        });
    });
}

criterion_group!(benches, benchmark);
criterion_main!(benches);
