//! The load that records tell, and what a backtest makes of it, by hand.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tideform_policies::model::{Capacity, Group, InstanceModel, Limits, Statistic};
use tideform_state::{CapacityRun, CapacitySample, StoredSample};

use super::history::{Instances, Load, NoHistory, Tells, load, teller};
use super::*;
use crate::plan::fixtures::{metric, plain};
use crate::simulate::trace::Trace;

fn start() -> Timestamp {
    "2026-11-02T00:00:00Z".parse().unwrap()
}

fn at(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

/// A sample a minute, from the first minute's end on.
fn minutes(values: impl IntoIterator<Item = f64>) -> Vec<StoredSample> {
    let samples = (1..).zip(values).map(|(minute, value)| StoredSample {
        at: at(60 * minute),
        value,
        rolled_up: None,
    });
    samples.collect()
}

/// `(from, until, desired, ready, units)` in seconds.
fn runs(rows: &[(i64, i64, u32, u32, u32)]) -> Vec<CapacityRun> {
    let run = |(from, until, desired, ready, units): &(i64, i64, u32, u32, u32)| CapacityRun {
        sample: CapacitySample {
            group: GroupAddress::new("web"),
            at: at(*from),
            desired: *desired,
            ready: *ready,
            on_demand: *units,
            spot: 0,
            units: *units,
            on_demand_usd_per_hour: None,
            spot_usd_per_hour: None,
        },
        until: at(*until),
    };
    rows.iter().map(run).collect()
}

fn told(tells: Tells, samples: &[StoredSample], runs: &[CapacityRun]) -> Result<Load, NoHistory> {
    let instances = Instances {
        runs,
        boot: Duration::from_secs(90),
        throughput: 100.0,
    };
    load(&metric("m"), tells, samples, &instances)
}

#[test]
fn a_metric_tells_the_load_by_what_it_is() {
    let steady = runs(&[(0, 7_200, 4, 4, 4)]);
    for (tells, value, expected) in [
        (Tells::Load, 250.0, 250.0),
        // 25 each on four.
        (Tells::LoadOfInstance, 25.0, 100.0),
        // Half of what four carry.
        (Tells::Utilization, 50.0, 200.0),
        (Tells::UtilizationOfLive, 50.0, 200.0),
    ] {
        let load = told(tells, &minutes([value; 60]), &steady).unwrap();
        assert_eq!(load.trace.values(), [expected; 60], "{tells:?}");
        assert_eq!(load.trace.start(), start());
        assert_eq!(load.trace.step(), Duration::from_secs(60));
        assert_eq!((load.held, load.trace.lower_bounds().len()), (0, 0));
    }
}

#[test]
fn a_sum_is_divided_by_its_period() {
    let mut sums = metric("m");
    sums.statistic = Statistic::Sum;
    let instances = Instances {
        runs: &[],
        boot: Duration::ZERO,
        throughput: 100.0,
    };
    let load = load(&sums, Tells::Load, &minutes([600.0; 60]), &instances).unwrap();
    assert_eq!(load.trace.values(), [10.0; 60]);
}

#[test]
fn an_instance_serves_a_boot_after_it_was_launched_and_not_once_it_drains() {
    let changing = runs(&[
        (0, 600, 4, 4, 4),
        // Two more are launched; their warm-up takes 300 s.
        (600, 900, 6, 4, 6),
        (900, 1_500, 6, 6, 6),
        // Two of them drain for two minutes.
        (1_500, 1_620, 4, 4, 6),
        (1_620, 7_200, 4, 4, 4),
    ]);
    let load = told(Tells::LoadOfInstance, &minutes([10.0; 100]), &changing).unwrap();
    let values = load.trace.values();
    // A minute before the launch; the minute of it; half of this minute is 90 s after it; from then on.
    assert_eq!(values[9], 40.0);
    assert_eq!(values[10], 40.0);
    assert_eq!(values[11], 50.0);
    assert_eq!(values[12], 60.0);
    assert_eq!(values[24], 60.0);
    assert_eq!(values[25], 40.0);
    // Starting instances are part of a mean over all that are live.
    let load = told(Tells::UtilizationOfLive, &minutes([10.0; 100]), &changing).unwrap();
    assert_eq!(load.trace.values()[10], 60.0);
}

#[test]
fn saturated_steps_are_lower_bounds() {
    let mut values = [50.0; 60];
    values[7] = 95.0;
    values[9] = 100.0;
    let load = told(
        Tells::Utilization,
        &minutes(values),
        &runs(&[(0, 7_200, 1, 1, 1)]),
    )
    .unwrap();
    assert_eq!(load.trace.lower_bounds(), [7, 9]);
}

#[test]
fn an_hour_without_samples_is_held_and_a_longer_one_ends_the_history() {
    let without = |from: i64, to: i64| -> Vec<StoredSample> {
        let all = minutes((0..300).map(f64::from)).into_iter();
        all.filter(|s| s.at <= at(60 * from) || s.at > at(60 * to))
            .collect()
    };
    let load = told(Tells::Load, &without(100, 160), &[]).unwrap();
    assert_eq!((load.held, load.trace.values().len()), (60, 300));
    assert_eq!(load.trace.values()[99..162], {
        let mut expected = [99.0; 63];
        expected[61] = 160.0;
        expected[62] = 161.0;
        expected
    });
    // The longer part, which is the later one here.
    let load = told(Tells::Load, &without(100, 161), &[]).unwrap();
    assert_eq!((load.held, load.trace.values().len()), (0, 139));
    assert_eq!(load.trace.start(), at(60 * 161));
}

#[test]
fn times_whose_instances_nobody_has_seen_are_left_out() {
    // Nobody looked between 3,600 s and 4,500 s; five minutes of patience are left.
    let seen = runs(&[(0, 3_600, 4, 4, 4), (4_500, 9_000, 4, 4, 4)]);
    let load = told(Tells::Utilization, &minutes([50.0; 150]), &seen).unwrap();
    assert_eq!((load.held, load.trace.values().len()), (10, 150));
}

#[test]
fn samples_that_are_five_minutes_apart_are_steps_of_five_minutes() {
    let apart: Vec<StoredSample> = minutes([30.0; 100])
        .into_iter()
        .skip(4)
        .step_by(5)
        .collect();
    let load = told(Tells::Load, &apart, &[]).unwrap();
    assert_eq!(load.trace.step(), Duration::from_secs(300));
    assert_eq!(load.trace.values(), [30.0; 20]);
}

#[test]
fn what_is_too_short_or_nothing_says_so() {
    let short = told(Tells::Load, &minutes([1.0; 59]), &[]).unwrap_err();
    assert!(short.to_string().starts_with("only 59m of `m`"), "{short}");
    assert_eq!(told(Tells::Load, &[], &[]).unwrap_err(), NoHistory::Nothing);
    assert_eq!(
        told(Tells::Utilization, &minutes([1.0; 90]), &[]).unwrap_err(),
        NoHistory::Nothing
    );
}

#[test]
fn arrivals_are_preferred_to_what_must_be_multiplied() {
    let mut group = plain("web");
    let name = |group: &Group| teller(group).map(|(metric, _)| metric.name.to_string());
    assert_eq!(name(&group).as_deref(), Some("cpu"));
    group.policy.metrics.push(metric("requests"));
    assert_eq!(name(&group).as_deref(), Some("requests"));
    group.policy.metrics = vec![metric("temperature")];
    assert_eq!(name(&group), None);
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
        now,
        planned,
        live_limits: None,
        live_mix: None,
        prices_now: Some(price),
        prices_planned: Some(price),
    }
}

/// Two hours that need two instances.
fn two_hours() -> Load {
    Load {
        trace: Trace::new(start(), Duration::from_secs(60), vec![150.0; 120]).unwrap(),
        source: "a test".to_owned(),
        held: 0,
    }
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
        let all = play_all(&cases, |_| Ok::<_, ()>(Ok(load.clone()))).unwrap();
        serde_json::to_string(&all.values().collect::<Vec<_>>()).unwrap()
    };
    assert_eq!(all(), all());
}

#[test]
fn what_is_created_stands_alone() {
    let played = play(&case(None, fixed(2, 2)), &two_hours()).unwrap();
    assert_eq!(played.now, None);
    assert_eq!(played.planned.instance_hours, 4.0);
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
