//! The load that records tell, by hand.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tideform_policies::model::{Group, Sample, Statistic};
use tideform_state::CapacitySample;

use super::*;
use crate::plan::fixtures::{metric, plain};

fn start() -> Timestamp {
    "2026-11-02T00:00:00Z".parse().unwrap()
}

fn at(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

/// A sample a minute, from the first minute's end on.
fn minutes(values: impl IntoIterator<Item = f64>) -> Vec<Recorded> {
    let samples = (1..).zip(values).map(|(minute, value)| Recorded {
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

fn told(tells: Tells, samples: &[Recorded], runs: &[CapacityRun]) -> Result<Load, NoHistory> {
    counted(tells, samples, Counted::Runs(runs.to_vec()))
}

const UNIT: Unit = Unit {
    boot: Duration::from_secs(90),
    throughput: Some(100.0),
};

fn records(tells: Tells, samples: &[Recorded], counted: Counted) -> Records {
    Records {
        metric: metric("m"),
        tells,
        samples: samples.to_vec(),
        counted,
        source: "`m`".to_owned(),
    }
}

fn counted(tells: Tells, samples: &[Recorded], counted: Counted) -> Result<Load, NoHistory> {
    records(tells, samples, counted).load(UNIT)
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
    let mut sums = records(
        Tells::Load,
        &minutes([600.0; 60]),
        Counted::Runs(Vec::new()),
    );
    sums.metric.statistic = Statistic::Sum;
    let load = sums.load(UNIT).unwrap();
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
    let without = |from: i64, to: i64| -> Vec<Recorded> {
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
    let apart: Vec<Recorded> = minutes([30.0; 100])
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

/// Samples of a metric of what was in service, a minute each.
fn in_service(values: impl IntoIterator<Item = f64>) -> Counted {
    let samples = (1..).zip(values).map(|(minute, value)| Sample {
        at: at(60 * minute),
        value,
    });
    Counted::Samples(samples.collect(), Duration::from_secs(60))
}

#[test]
fn what_a_provider_counted_is_multiplied_minute_by_minute() {
    let counts = (0..60).map(|minute| if minute < 30 { 2.0 } else { 4.5 });
    for (tells, each) in [
        (Tells::LoadOfInstance, 50.0),
        (Tells::Utilization, 50.0),
        (Tells::UtilizationOfLive, 50.0),
    ] {
        let load = counted(tells, &minutes([50.0; 60]), in_service(counts.clone())).unwrap();
        let values = load.trace.values();
        assert_eq!(
            (values[29], values[30]),
            (2.0 * each, 4.5 * each),
            "{tells:?}"
        );
    }
}

#[test]
fn samples_of_five_minutes_are_means_of_five_of_the_counts() {
    let apart: Vec<Recorded> = minutes([50.0; 60]).into_iter().skip(4).step_by(5).collect();
    let mut records = records(
        Tells::Utilization,
        &apart,
        in_service((0..60).map(|minute| f64::from(minute % 5))),
    );
    records.metric.period = Duration::from_secs(300);
    let load = records.load(UNIT).unwrap();
    assert_eq!(load.trace.values(), [100.0; 12]);
}

#[test]
fn a_count_that_is_missing_is_the_one_before_for_five_minutes() {
    let Counted::Samples(mut samples, period) = in_service([3.0; 90]) else {
        unreachable!()
    };
    samples.retain(|sample| sample.at <= at(600) || sample.at > at(1_200));
    let gone = counted(
        Tells::Utilization,
        &minutes([50.0; 90]),
        Counted::Samples(samples, period),
    );
    let load = gone.unwrap();
    assert_eq!((load.held, load.trace.values().len()), (5, 90));
    let none = counted(Tells::Utilization, &minutes([50.0; 90]), in_service([]));
    assert_eq!(none, Err(NoHistory::Nothing));
}

#[test]
fn a_roll_up_is_about_all_its_steps_and_the_finer_record_counts() {
    let mut samples = minutes([30.0; 70]);
    // The first ten minutes are two roll-ups; the second overlaps with a finer sample.
    samples.drain(..9);
    for (end, value) in [(300, 10.0), (600, 20.0)].into_iter().rev() {
        samples.insert(
            0,
            Recorded {
                at: at(end),
                rolled_up: Some(Duration::from_secs(300)),
                value,
            },
        );
    }
    let load = told(Tells::Load, &samples, &[]).unwrap();
    assert_eq!(load.trace.start(), start());
    let values = load.trace.values();
    assert_eq!(values[..5], [10.0; 5]);
    assert_eq!(values[5..9], [20.0; 4]);
    assert_eq!(values[10..], [30.0; 60]);
    assert_eq!(load.held, 0);
}

#[test]
fn without_throughput_the_load_is_counted_in_units() {
    let silent = Unit {
        throughput: None,
        ..UNIT
    };
    let counts = in_service([4.0; 60]);
    let load = records(Tells::Utilization, &minutes([50.0; 60]), counts).load(silent);
    let load = load.unwrap();
    assert_eq!((load.trace.values()[0], load.is_in_units), (2.0, true));
    let arrivals = records(Tells::Load, &minutes([50.0; 60]), Counted::Runs(Vec::new()));
    assert!(!arrivals.load(silent).unwrap().is_in_units);
}

#[test]
fn the_longer_history_wins_and_what_failed_is_said() {
    let of = |minutes_of: usize, source: &str| {
        let mut load = told(Tells::Load, &minutes(vec![1.0; minutes_of]), &[])?;
        load.source = source.to_owned();
        Ok(load)
    };
    let failed = || {
        Err(NoHistory::Unread {
            source_name: "CloudWatch".to_owned(),
            why: "access denied".to_owned(),
        })
    };
    let source = |load: Result<Load, NoHistory>| load.map(|load| load.source);
    for (state, provider, expected) in [
        (90, 120, "provider"),
        (120, 120, "state"),
        (120, 90, "state"),
    ] {
        let better = better(of(state, "state"), of(provider, "provider"));
        assert_eq!(source(better).as_deref(), Ok(expected));
    }
    assert_eq!(
        source(better(Err(NoHistory::Nothing), of(60, "provider"))).as_deref(),
        Ok("provider")
    );
    let short = better(of(60, "state"), failed()).unwrap();
    assert_eq!(
        short.notes,
        ["no longer history: it could not be read from CloudWatch: access denied"]
    );
    let neither = better(Err(NoHistory::Nothing), failed()).unwrap_err();
    assert_eq!(
        neither.to_string(),
        "nothing is recorded of this group yet; it could not be read from CloudWatch: access denied"
    );
    let same = better(Err(NoHistory::NoMetric), Err(NoHistory::NoMetric)).unwrap_err();
    assert_eq!(same, NoHistory::NoMetric);
}
