//! Decisions that are not made since they are known to change nothing, against all of them.

use std::time::Duration;

use proptest::prelude::*;
use tideform_policies::load::LoadInput;
use tideform_policies::model::{Group, GroupAddress, MetricSource, Rule, Scope, Share};

use super::super::asked::Pinned;
use super::super::world::{Boot, Faults, Model, Target};
use super::super::{Measures, Prices, Run, Setup, Step, Watch};
use super::*;
use crate::simulate::world::Fleet;

const HCL: &str = r#"
    provider "mock" {}
    group "web" {
      provider = provider.mock
      resource "asg" { name = "web" }
      warmup = "3m"
      metric "cpu" {
        track { target = 60 }
      }
      limits {
        min = 2
        max = 40
      }
      scale_out {
        cooldown = "2m"
        rate {
          add = 4
          per = "1m"
        }
      }
      scale_in {
        cooldown = "10m"
        rate {
          remove = "10%"
          per    = "5m"
        }
      }
    }
"#;

fn group() -> Group {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("web.hcl"), HCL).unwrap();
    let (mut configuration, diagnostics) = tideform_policies::read(&LoadInput {
        directory: directory.path().to_owned(),
        environment: Vec::new(),
        arguments: Vec::new(),
    });
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    configuration
        .groups
        .remove(&GroupAddress::new("web"))
        .unwrap()
}

fn start() -> Timestamp {
    "2026-01-30T22:00:00Z".parse().unwrap()
}

/// Writes down what is asked for at each step; where it may ask why, every decision is made.
#[derive(Default)]
struct Path<const ASKS: bool>(Vec<u32>);

impl<const ASKS: bool> Watch for Path<ASKS> {
    const ASKS_WHY: bool = ASKS;

    fn step(&mut self, step: &Step) {
        self.0.push(step.desired);
    }
}

fn run<const ASKS: bool>(
    rules: &Rules,
    sight: Sight,
    model: &Model,
    asked: &Asked,
    loads: &[f64],
) -> (Measures, Vec<u32>) {
    let prices = Prices {
        on_demand: 1.0,
        spot: 0.4,
    };
    let setup = Setup {
        start: start(),
        step: Duration::from_secs(60),
        model: model.clone(),
        initial: Target::on_demand(8),
        is_new: false,
        slo_utilization: 85.0,
        prices,
        mix: None,
    };
    let policy = Policy::new(rules, sight, prices).with_asked(asked.clone());
    let mut run = Run::watched(setup, policy, Path::<ASKS>::default());
    run.extend(loads);
    let (measures, _, path) = run.finish();
    (measures, path.0)
}

/// What differs between the worlds and the policies.
#[derive(Clone, Debug)]
struct Way {
    provider: &'static str,
    stabilization: u64,
    tolerance: (f64, f64),
    is_total: bool,
    noise: f64,
    failing: f64,
    delay: u64,
    period: u64,
    every: u64,
    is_pinned: bool,
    breakdowns: f64,
}

fn ways() -> impl Strategy<Value = Way> {
    (
        prop::sample::select(vec!["mock", "aws", "other"]),
        prop::sample::select(vec![0, 300, 900]),
        (0.0..0.3_f64, 0.0..0.3_f64),
        prop::bool::weighted(0.1),
        prop::sample::select(vec![0.0, 0.0, 0.1]),
        prop::sample::select(vec![0.0, 0.0, 0.3]),
        prop::sample::select(vec![0, 0, 120]),
        prop::sample::select(vec![60, 60, 300]),
        (
            prop::sample::select(vec![60, 60, 180, 3_600]),
            prop::bool::weighted(0.2),
            prop::sample::select(vec![0.0, 0.0, 0.2]),
        ),
    )
        .prop_map(
            |(
                provider,
                stabilization,
                tolerance,
                is_total,
                noise,
                failing,
                delay,
                period,
                (every, is_pinned, breakdowns),
            )| {
                Way {
                    provider,
                    stabilization,
                    tolerance,
                    is_total,
                    noise,
                    failing,
                    delay,
                    period,
                    every,
                    is_pinned,
                    breakdowns,
                }
            },
        )
}

/// Hours that go up and down, jump, and fall silent, with some noise on them.
fn loads() -> impl Strategy<Value = Vec<f64>> {
    let piece = (
        prop_oneof![6 => 100.0..1_500.0_f64, 1 => Just(0.0), 1 => Just(9_000.0)],
        0.0..0.3_f64,
        20..120_usize,
    );
    prop::collection::vec(piece, 1..6).prop_map(|pieces| {
        let mut noise = 0.37_f64;
        let mut loads = Vec::new();
        let mut level = 480.0;
        for (next, spread, minutes) in pieces {
            for _ in 0..minutes {
                noise = (noise * 3.9 * (1.0 - noise)).clamp(0.01, 0.99);
                level += (next - level) * 0.1;
                loads.push(level * (1.0 + spread * (noise - 0.5)));
            }
        }
        loads
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(150) })]

    #[test]
    fn leaving_out_decisions_that_change_nothing_changes_nothing(way in ways(), loads in loads()) {
        let mut group = group();
        group.policy.every = Duration::from_secs(way.every);
        group.policy.scale_in.stabilization = Duration::from_secs(way.stabilization);
        let metric = &mut group.policy.metrics[0];
        metric.period = Duration::from_secs(way.period);
        metric.delay = Duration::from_secs(way.delay);
        if let Some(Rule::Track(track)) = &mut metric.rule {
            (track.tolerance_out, track.tolerance_in) =
                (Share(way.tolerance.0), Share(way.tolerance.1));
            if way.is_total {
                track.target = 60.0;
            }
        }
        if way.is_total {
            metric.scope = Scope::Group;
            if let MetricSource::Query(query) = &mut metric.source {
                "requests".clone_into(&mut query.name);
            }
        }
        let rules = Rules::new(&group);
        let model = Model {
            boot: Boot::Fixed(Duration::from_secs(90)),
            throughput: 100.0,
            noise: way.noise,
            faults: Faults {
                failed_launches: way.failing,
                breakdowns_per_hour: way.breakdowns,
                ..Faults::default()
            },
            ..Model::default()
        };
        let sight = Sight::of_provider(way.provider);
        let mut asked = Asked::default();
        if way.is_pinned {
            let at = |minutes| start() + SignedDuration::from_mins(minutes);
            asked.pins.push(Pinned { capacity: Capacity(20), from: at(30), until: at(90) });
        }
        let all = run::<true>(&rules, sight, &model, &asked, &loads);
        let some = run::<false>(&rules, sight, &model, &asked, &loads);
        prop_assert_eq!(all, some);
    }
}

#[test]
fn most_decisions_of_a_calm_day_are_left_out() {
    let group = group();
    let rules = Rules::new(&group);
    for provider in ["mock", "aws"] {
        let prices = Prices {
            on_demand: 1.0,
            spot: 0.4,
        };
        let mut policy = Policy::new(&rules, Sight::of_provider(provider), prices);
        let model = Model {
            throughput: 100.0,
            ..Model::default()
        };
        let target = Target::on_demand(8);
        let fleet = Fleet::new(&model, target, false, Duration::from_secs(60));
        let start: Timestamp = "2026-01-05T00:00:00Z".parse().unwrap();
        let mut left_out = 0;
        for minute in 1..=60 {
            let now = At {
                ms: minute * 60_000,
                time: start + SignedDuration::from_mins(minute),
            };
            policy.sample(0, now, Some(58.0));
            assert_eq!(
                policy.decide(&Seen {
                    now,
                    fleet: &fleet,
                    step_ms: 60_000
                }),
                target
            );
            left_out += u32::from(policy.rest.since_memory == Some(now.time));
        }
        assert_eq!(left_out, 59, "{provider}: the first is made");
    }
}
