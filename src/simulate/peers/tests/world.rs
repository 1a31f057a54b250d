//! The models in the world: when they ask for what.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::load::LoadInput;
use tideform_policies::model::{Capacity, Group, GroupAddress, Limits};

use super::super::{Common, Peer, Source, conpaas, reg};
use crate::engine::Rules;
use crate::simulate::native::Native;
use crate::simulate::trace::Trace;
use crate::simulate::world::{Boot, Model, Target, WorldMetric};
use crate::simulate::{At, Controller, Given, Prices, Run, Scenario, Setup, Watch, compare};

const HCL: &str = r#"
    provider "mock" {}
    group "web" {
      provider = provider.mock
      resource "asg" { name = "web" }
      warmup = "1m"
      metric "cpu" {
        track { target = 60 }
      }
      limits {
        min = 1
        max = 40
      }
    }
"#;

fn group(hcl: &str) -> Group {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("web.hcl"), hcl).unwrap();
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
    "2026-01-05T00:00:00Z".parse().unwrap()
}

fn setup(initial: u32) -> Setup {
    Setup {
        start: start(),
        step: compare::STEP,
        model: Model {
            boot: Boot::Fixed(Duration::from_secs(90)),
            throughput: 100.0,
            ..Model::default()
        },
        initial: Target::on_demand(initial),
        is_new: false,
        slo_utilization: 100.0,
        mix: None,
        prices: Prices {
            on_demand: 1.0,
            spot: 0.5,
        },
    }
}

fn common(hcl: &str) -> Common {
    Common::of(&group(hcl), &setup(5), None, None, 9)
}

#[derive(Default)]
struct Changes(Vec<(i64, u32)>);

impl Watch for Changes {
    fn changed(&mut self, at: At, _: Target, to: Target) {
        self.0.push((at.ms / 1000, to.desired));
    }
}

/// What is asked for and when, under loads that each last for so many seconds.
fn changes(initial: u32, controller: impl Controller, loads: &[(u64, f64)]) -> Vec<(i64, u32)> {
    let mut run = Run::watched(setup(initial), controller, Changes::default());
    for (seconds, load) in loads {
        (0..seconds / compare::STEP.as_secs()).for_each(|_| run.push(*load));
    }
    run.finish().2.0
}

const JUMP: [(u64, f64); 2] = [(600, 300.0), (1_200, 900.0)];
const DROP: [(u64, f64); 2] = [(600, 900.0), (1_800, 300.0)];

#[test]
fn each_peer_follows_a_jump_at_its_own_pace() {
    for (peer, expected) in [
        // A sample of 15 s; then new pods count as idle until a whole sample of them is there.
        (Peer::Hpa, vec![(615, 9), (720, 15)]),
        // Three data points of a minute; then what warms up is not counted.
        (Peer::AwsTargetTracking, vec![(780, 9), (960, 15)]),
        // Two data points of two minutes: 30 % more, of 5 and 6 one; each time once the last ones are warm.
        (
            Peer::AwsStep,
            vec![
                (840, 6),
                (1_020, 7),
                (1_200, 9),
                (1_380, 11),
                (1_560, 14),
                (1_740, 15),
            ],
        ),
        // A sample of 10 s; then the cooldown.
        (Peer::Nomad, vec![(610, 9), (910, 15)]),
        // A fifth more than the five that are missing; and since nine and a tenth are below ten, a fifth more than nine.
        (Peer::React, vec![(60, 4), (660, 10), (720, 11)]),
        (Peer::Fixed, vec![(0, 9)]),
    ] {
        let controller = peer.controller(&common(HCL));
        assert_eq!(changes(5, controller, &JUMP), expected, "{}", peer.name());
    }
}

#[test]
fn each_peer_follows_a_drop_at_its_own_pace() {
    for (peer, expected) in [
        // The last proposal of fifteen is five minutes old.
        (Peer::Hpa, vec![(900, 5)]),
        // Fifteen data points of a minute.
        (Peer::AwsTargetTracking, vec![(1_500, 5)]),
        (Peer::Nomad, vec![(610, 5)]),
    ] {
        let controller = peer.controller(&common(HCL));
        assert_eq!(changes(15, controller, &DROP), expected, "{}", peer.name());
    }
}

#[test]
fn limits_hold_for_every_peer() {
    for peer in Peer::ALL {
        let common = Common {
            min: 3,
            max: 7,
            ..common(HCL)
        };
        let loads = [(3_600, 2_000.0), (3_600, 0.0)];
        let all = changes(5, peer.controller(&common), &loads);
        assert!(
            all.iter().all(|(_, desired)| (3..=7).contains(desired)),
            "{}: {all:?}",
            peer.name()
        );
        assert!(all.iter().any(|(_, desired)| *desired == 7), "{all:?}");
    }
}

#[test]
fn without_a_metric_that_is_tracked_peers_hold_cpu_and_say_so() {
    let steps = HCL.replace("track { target = 60 }", "step {\n above = 80\n add = 1\n }");
    let common = common(&steps);
    assert_eq!(common.source, Source::Assumed);
    assert_eq!((common.metric, common.target), (WorldMetric::Cpu, 60.0));
    assert!(Peer::Hpa.settings(&common).contains("cpu (assumed) at 60"));
}

#[test]
fn settings_fit_a_line() {
    for peer in Peer::ALL {
        let settings = peer.settings(&common(HCL));
        let line = format!("  {}: {settings}", peer.name());
        assert!(line.len() <= 80, "{}: {line}", line.len());
        assert_eq!(Peer::named(peer.name()), Some(peer));
    }
}

#[test]
fn a_total_is_divided_among_the_instances() {
    let total = HCL.replace(
        "metric \"cpu\" {",
        "metric \"requests\" {\n scope = \"group\"",
    );
    for (peer, expected) in [
        (Peer::Hpa, vec![(615, 10), (630, 15)]),
        (Peer::AwsTargetTracking, vec![(780, 15)]),
        (Peer::Nomad, vec![(610, 15)]),
    ] {
        let controller = peer.controller(&common(&total));
        assert_eq!(changes(5, controller, &JUMP), expected, "{}", peer.name());
    }
}

fn native(hcl: &str) -> Rules {
    Rules::new(&group(hcl))
}

#[test]
fn a_native_group_with_one_target_does_what_target_tracking_does() {
    let rules = native(HCL);
    for loads in [JUMP, DROP] {
        let peer = Peer::AwsTargetTracking.controller(&common(HCL));
        assert_eq!(
            changes(8, Native::new(&rules), &loads),
            changes(8, peer, &loads)
        );
    }
}

#[test]
fn a_native_group_steps_with_alarms_of_m_of_n() {
    let rules = native(
        &HCL.replace(
            "track { target = 60 }",
            r#"breach = "2 of 3"
            step {
              above = 80
              add   = 2
            }
            step {
              above = 95
              add   = "50%"
            }
            step {
              below  = 30
              remove = 1
            }"#,
        )
        .replace("warmup = \"1m\"", "warmup = \"3m\""),
    );
    // Two adjustment types are two policies, of which the larger wins: 2 more from 80 to 95, and none of them above;
    // half more from 95 on. The change waits for the second data point, the next for boot and warmup.
    let out = changes(4, Native::new(&rules), &[(600, 300.0), (900, 1_000.0)]);
    assert_eq!(out, [(720, 6), (1_020, 9), (1_320, 13)]);
    let out = changes(4, Native::new(&rules), &[(600, 300.0), (240, 350.0)]);
    assert_eq!(out, [(720, 6)]);
    // Every minute, for as long as the alarm lasts.
    let down = changes(6, Native::new(&rules), &[(600, 300.0), (300, 100.0)]);
    assert_eq!(down, [(720, 5), (780, 4), (840, 3)]);
}

#[test]
fn a_native_groups_schedules_move_its_limits() {
    let rules = native(&HCL.replace(
        "limits {",
        r#"schedule "morning" {
             start    = "2026-01-05T00:10:00"
             end      = "2026-01-05T00:20:00"
             timezone = "UTC"
             min      = 8
           }
           schedule "lunch" {
             start    = "2026-01-05T00:30:00"
             end      = "2026-01-05T00:40:00"
             timezone = "UTC"
             max      = 3
           }
           limits {"#,
    ));
    let steady = changes(5, Native::new(&rules), &[(3_000, 300.0)]);
    // Eight at 37 % are below 54 % for fifteen minutes only once the window is over; three are full, and grow again.
    assert_eq!(steady, [(600, 8), (1_560, 5), (1_800, 3), (2_400, 5)]);
    let rules = native(&HCL.replace("limits {", "enabled_by_limits {").replace(
        "enabled_by_limits {\n        min = 1\n        max = 40\n      }",
        "",
    ));
    let live = Limits::new(Capacity(2), Capacity(6));
    let held = Native::new(&rules).with_live_limits(live);
    assert_eq!(changes(5, held, &JUMP), [(780, 6)]);
}

#[test]
fn a_native_group_watches_formulas_and_fills_gaps() {
    let rules = native(&HCL.replace(
        "track { target = 60 }",
        r#"}
        metric "spare" {
          value = 100 - metric.cpu
          step {
            below = 20
            add   = 3
          }"#,
    ));
    let out = changes(4, Native::new(&rules), &[(600, 300.0), (120, 380.0)]);
    assert_eq!(out, [(660, 7)]);
}

#[test]
fn predictors_are_those_of_numpy() {
    let values: VecDeque<f64> = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4]
        .map(f64::from)
        .into();
    for (got, expected) in [
        (reg::quadratic_next(&values), 3.683_333_333_333_346),
        (conpaas::autoregression(&values), 4.783_587_757_271_968),
        (conpaas::line(&values, 2.0), 6.494_736_842_105_264),
    ] {
        assert!((got - expected).abs() < 1e-9, "{got} {expected}");
    }
}

#[test]
fn a_comparison_has_the_policy_first_and_no_regret_below_one() {
    let values: Vec<f64> = (0..600)
        .map(|minute| 500.0 + 400.0 * (f64::from(minute) / 60.0).sin())
        .collect();
    let trace = Trace::new(start(), Duration::from_secs(60), values).unwrap();
    let native = Group {
        controller: tideform_policies::model::Controller::Native,
        ..group(HCL)
    };
    let given = Given {
        throughput: Some(100.0),
        boot: Some(Boot::Fixed(Duration::from_secs(90))),
        ..Given::default()
    };
    let scenario = Scenario::new(&native, &trace, &given).unwrap();
    let compared = || compare::compare(&scenario, &trace, &Peer::ALL).unwrap();
    let comparison = compared();
    assert_eq!(comparison, compared());
    assert_eq!(comparison.rows.len(), 1 + Peer::ALL.len());
    let policy = &comparison.rows[0];
    assert_eq!(policy.name, "policy");
    // A native group with one target is target tracking.
    let tracking = &comparison.rows[2];
    assert_eq!(tracking.name, "aws-target-tracking");
    assert_eq!(tracking.measures, policy.measures);
    let fixed = comparison.rows.last().unwrap();
    assert_eq!(fixed.measures.missing_unit_hours, 0.0);
    assert_eq!(fixed.measures.peak_capacity, 9);
    for row in &comparison.rows {
        for of in &row.regret {
            assert!(of.regret.unwrap() >= 1.0, "{} {of:?}", row.name);
        }
    }
    let table = compare::table(&comparison);
    for line in table.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    let optimum = table.lines().find(|line| line.contains("optimum at 10"));
    let words: Vec<&str> = optimum.unwrap().split_whitespace().collect();
    // Without a price an instance-hour costs a dollar.
    assert_eq!(words[3], words[4], "{table}");
}

#[test]
fn one_optimum_is_the_yardstick_of_a_comparison_so_that_regret_orders_as_j_does() {
    // The larger the fleet, the larger its share of spot, and the cheaper its mean instance.
    let hcl = HCL.replace(
        "limits {",
        "mix {\n on_demand_base = 6\n spot = \"100%\"\n }\n limits {",
    );
    let values = (0..600).map(|minute| 900.0 + 800.0 * (f64::from(minute) / 30.0).sin());
    let trace = Trace::new(start(), Duration::from_secs(60), values.collect()).unwrap();
    let given = Given {
        throughput: Some(100.0),
        boot: Some(Boot::Fixed(Duration::from_secs(90))),
        prices: Some(Prices {
            on_demand: 0.1,
            spot: 0.02,
        }),
        ..Given::default()
    };
    let scenario = Scenario::new(&group(&hcl), &trace, &given).unwrap();
    let rows = compare::compare(&scenario, &trace, &Peer::ALL)
        .unwrap()
        .rows;
    let mean = |m: &crate::simulate::Measures| m.cost_usd / (m.on_demand_hours + m.spot_hours);
    let policy = mean(&rows[0].measures);
    assert!(rows.iter().any(|row| mean(&row.measures) < 0.99 * policy));
    for place in 0..3 {
        let mut sorted: Vec<_> = rows.iter().map(|row| &row.regret[place]).collect();
        sorted.sort_by(|a, b| a.policy_usd.total_cmp(&b.policy_usd));
        assert!(sorted.is_sorted_by(|a, b| a.regret <= b.regret));
        let shown = rows[0].regret[place].optimum_usd;
        assert!(sorted.iter().all(|of| of.optimum_usd == shown));
    }
}

#[test]
fn a_fixed_fleet_says_which_limit_keeps_it_from_the_peak_demand() {
    let settings = |min, max, peak_demand| {
        Peer::Fixed.settings(&Common {
            min,
            max,
            peak_demand,
            ..common(HCL)
        })
    };
    assert_eq!(settings(1, 40, 40), "40 instances at all times");
    assert_eq!(settings(0, 40, 1), "1 instance at all times");
    let cut = "12 instances at all times, the limits' maximum; the peak needs 40";
    assert_eq!(settings(1, 12, 40), cut);
    let more = "3 instances at all times, the limits' minimum; the peak needs 1";
    assert_eq!(settings(3, 12, 1), more);
}
