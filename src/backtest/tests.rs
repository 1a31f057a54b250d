//! What a backtest makes of a load, by hand.

use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::{Capacity, Group, InstanceModel, Limits};

use super::*;
use crate::history::Load;
use crate::plan::fixtures::{metric, plain};
use crate::simulate::trace::Trace;

fn start() -> Timestamp {
    "2026-11-02T00:00:00Z".parse().unwrap()
}

/// `limits min..=max`, 0.1 USD an hour, 100 per second.
fn fixed(min: u32, max: u32) -> Group {
    let mut group = plain("web");
    group.policy.limits = Limits::new(Capacity(min), Capacity(max));
    group.policy.instance = Some(InstanceModel {
        boot: Some(Duration::from_secs(60)),
        throughput: Some(100.0),
        ..InstanceModel::default()
    });
    group
}

fn case(now: Option<Group>, planned: Group) -> Case {
    let price = crate::simulate::Prices {
        on_demand: 0.1,
        spot: 0.1,
    };
    Case {
        address: planned.address.clone(),
        recorded_as: planned.address.clone(),
        was: now.clone(),
        now,
        now_desired: None,
        planned,
        is_there: true,
        live_limits: None,
        live_mix: None,
        prices_now: Some(price),
        prices_planned: Some(price),
        notes: Vec::new(),
    }
}

/// Two hours that need two instances.
fn two_hours() -> Load {
    let trace = Trace::new(start(), Duration::from_secs(60), vec![150.0; 120]).unwrap();
    Load::given(trace, "a test")
}

#[test]
fn both_run_from_what_is_live_and_the_optimum_is_free_within_the_limits_of_either() {
    let played = play(&case(Some(fixed(2, 2)), fixed(4, 4)), &two_hours()).unwrap();
    let (now, planned) = (played.now.as_ref().unwrap(), &played.planned);
    assert_eq!((now.instance_hours, planned.instance_hours), (4.0, 8.0));
    // 0.1 USD x 730 hours x 2, then x 4.
    assert_eq!(now.cost_usd_per_month, Some(146.0));
    assert_eq!(planned.cost_usd_per_month, Some(292.0));
    assert_eq!((now.short_minutes, planned.short_minutes), (0.0, 0.0));
    // One action in two hours.
    assert_eq!((now.actions_per_day, planned.actions_per_day), (0.0, 12.0));
    assert_eq!(now.regret, [Some(1.0); 3]);
    assert_eq!(planned.regret, [Some(2.0); 3]);
    assert_eq!(played.optimum[SHOWN_PENALTY].instance_hours, 4.0);
    assert!(!played.is_same());
}

#[test]
fn a_new_slo_measures_both_and_is_said() {
    let mut planned = fixed(2, 2);
    planned.policy.slo.utilization = 40.0;
    let played = play(&case(Some(fixed(2, 2)), planned), &two_hours()).unwrap();
    assert!(played.is_same());
    assert_eq!(played.planned.slo_percent, 0.0);
    let note = "the SLO changes: all are measured by the new one";
    assert!(played.notes.iter().any(|said| said == note), "{played:?}");
}

#[test]
fn the_regret_of_now_does_not_follow_the_prices_that_are_planned() {
    for (planned_usd, expected) in [(0.05, 0.5), (0.1, 1.0), (0.2, 2.0)] {
        let mut case = case(Some(fixed(2, 2)), fixed(2, 2));
        case.prices_planned = Some(crate::simulate::Prices {
            on_demand: planned_usd,
            spot: planned_usd,
        });
        let played = play(&case, &two_hours()).unwrap();
        assert_eq!(played.now.unwrap().regret, [Some(1.0); 3]);
        assert_eq!(played.planned.regret, [Some(expected); 3]);
    }
}

#[test]
fn what_is_missing_costs_its_penalty() {
    let played = play(&case(Some(fixed(1, 1)), fixed(1, 2)), &two_hours()).unwrap();
    let now = played.now.unwrap();
    assert_eq!((now.short_minutes, now.slo_percent), (120.0, 0.0));
    assert_eq!(now.missing_unit_hours, 2.0);
    // J: 0.2 USD, and ten times 0.1 USD for each of two hours. J*: two instances all the time, and the minute of a boot.
    let best = 0.4 + 10.0 * 0.1 / 60.0;
    let regret = now.regret[SHOWN_PENALTY].unwrap();
    assert!((regret - 2.2 / best).abs() < 1e-5, "{regret}");
    let optimum = &played.optimum[SHOWN_PENALTY];
    assert_eq!((optimum.short_minutes, optimum.instance_hours), (1.0, 4.0));
}

#[test]
fn a_policy_is_no_different_from_itself_and_the_same_bytes_come_twice() {
    let case = case(Some(fixed(2, 10)), fixed(2, 10));
    let mut load = two_hours();
    let wave = (0..120).map(|minute| 400.0 + 300.0 * (f64::from(minute) / 9.0).sin());
    load.trace = Trace::new(start(), Duration::from_secs(60), wave.collect()).unwrap();
    let once = play(&case, &load).unwrap();
    assert!(once.is_same());
    assert!(once.planned.actions_per_day > 0.0);
    let other = fixed(3, 10);
    let cases = [
        case.clone(),
        Case {
            address: GroupAddress::new("other"),
            planned: other,
            ..case
        },
    ];
    let all = || {
        let all = play_all(cases.len(), |send| {
            cases.iter().for_each(|case| send(case, Ok(load.clone())));
            Ok::<_, ()>(())
        })
        .unwrap();
        serde_json::to_string(&all.values().collect::<Vec<_>>()).unwrap()
    };
    assert_eq!(all(), all());
}

#[test]
fn what_is_live_and_cannot_be_simulated_is_left_out_and_said() {
    let mut case = case(Some(fixed(2, 2)), fixed(4, 4));
    // Nothing scales it: it stays at what it has, whatever the first load needs.
    case.now_desired = Some(3);
    let mut free = fixed(1, 9);
    free.policy.metrics.clear();
    free.controller = tideform_policies::model::Controller::Native;
    case.now = Some(free);
    let played = play(&case, &two_hours()).unwrap();
    assert_eq!(played.now.unwrap().instance_hours, 6.0);
    let mut odd = fixed(2, 4);
    odd.policy.metrics = vec![tideform_policies::model::Metric {
        rule: Some(crate::plan::fixtures::track(60.0)),
        ..metric("temperature")
    }];
    case.now = Some(odd);
    let played = play(&case, &two_hours()).unwrap();
    assert_eq!(played.now, None);
    assert!(played.notes[0].starts_with("what is live cannot be simulated: `temperature`"));
}

#[test]
fn what_is_created_stands_alone() {
    let played = play(&case(None, fixed(2, 2)), &two_hours()).unwrap();
    assert_eq!(played.now, None);
    assert_eq!(played.planned.instance_hours, 4.0);
}

#[test]
fn a_load_that_is_counted_in_units_needs_no_throughput() {
    let said = play(&case(Some(fixed(1, 1)), fixed(2, 2)), &two_hours()).unwrap();
    let silent = |min, max| {
        let mut group = fixed(min, max);
        if let Some(instance) = &mut group.policy.instance {
            instance.throughput = None;
        }
        group
    };
    let mut load = two_hours();
    load.trace = Trace::new(start(), Duration::from_secs(60), vec![1.5; 120]).unwrap();
    load.is_in_units = true;
    let played = play(&case(Some(silent(1, 1)), silent(2, 2)), &load).unwrap();
    assert_eq!((&played.now, &played.planned), (&said.now, &said.planned));
    assert!(
        played.notes[0].contains("counted in instances"),
        "{:?}",
        played.notes
    );
    // A policy that looks at the arrivals themselves would not understand it.
    let mut by_load = silent(2, 2);
    by_load.policy.metrics.push(metric("requests"));
    let error = play(&case(Some(silent(1, 1)), by_load), &load).unwrap_err();
    assert_eq!(error, NoBacktest::NoThroughput);
}

#[test]
fn without_throughput_or_a_metric_that_can_be_simulated_there_is_none() {
    let mut group = fixed(2, 4);
    group.policy.instance = None;
    assert_eq!(
        play(&case(None, group), &two_hours()).unwrap_err(),
        NoBacktest::NoThroughput
    );
    let mut group = fixed(2, 4);
    group.policy.metrics = vec![tideform_policies::model::Metric {
        rule: Some(crate::plan::fixtures::track(60.0)),
        ..metric("temperature")
    }];
    let error = play(&case(None, group), &two_hours()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("`temperature` cannot be told"),
        "{error}"
    );
}
