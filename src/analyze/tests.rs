//! Made-up loads of which the answer is known, recorded ones of which the numbers are, and policies that are valid.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tideform_policies::load::LoadInput;

use super::{Analysis, Anomaly, Days, Kind, Options, advice, analyze, numbers, render};
use crate::simulate::trace::{Reading, Trace};

const DAY: usize = 288;
const MONDAY: &str = "2026-01-05T00:00:00Z";

/// A trace in steps of 5 minutes from a Monday on; the load of each by its number, with a little noise.
fn trace(days: usize, load: impl Fn(usize) -> f64) -> Trace {
    let start: Timestamp = MONDAY.parse().expect("a time");
    let mut state = 7_u64;
    let values = (0..days * DAY)
        .map(|step| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let noise = (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5;
            (load(step) * (1.0 + 0.04 * noise)).max(0.0)
        })
        .collect();
    Trace::new(start, Duration::from_secs(300), values).expect("a trace")
}

/// 100 at midnight UTC, 300 at noon.
fn wave(step: usize) -> f64 {
    let turn = step as f64 / DAY as f64 * std::f64::consts::TAU;
    200.0 - 100.0 * turn.cos()
}

fn look(trace: &Trace) -> Analysis {
    analyze(trace, &Options::default())
}

fn recorded(file: &str) -> Trace {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples")
        .join(file);
    let text = std::fs::read(&path).expect("the example is there");
    Trace::parse(&text, Reading::default()).expect("a trace")
}

fn near(found: Option<f64>, expected: Option<f64>) -> bool {
    match (found, expected) {
        (Some(found), Some(expected)) => (found - expected).abs() < 0.0006,
        (None, None) => true,
        _ => false,
    }
}

/// Computed by a few lines of Python from the same files.
#[test]
fn recorded_traces_have_the_numbers_that_others_compute() {
    let cases = [
        (
            "web-shop/traffic/ecommerce-api.csv",
            88.912,
            3.155,
            0.515,
            0.688,
            Some(0.337),
            1.311,
            None,
        ),
        (
            "queue-worker/traffic/purchases.csv",
            5.039,
            10.122,
            1.453,
            0.258,
            Some(0.025),
            43.662,
            Some(1.528),
        ),
        (
            "environments/traffic/mongo-app.csv",
            4991.71,
            2.309,
            0.413,
            0.988,
            None,
            1.598,
            None,
        ),
    ];
    for (file, mean, peak, variation, day, week, step_up, growth) in cases {
        let analysis = look(&recorded(file));
        let found = analysis.level.mean / mean;
        assert!(
            (found - 1.0).abs() < 1e-4,
            "{file}: mean {}",
            analysis.level.mean
        );
        let compared = [
            (Some(analysis.level.peak_to_mean), Some(peak)),
            (Some(analysis.level.variation), Some(variation)),
            (analysis.autocorrelation.day, Some(day)),
            (analysis.autocorrelation.week, week),
            (Some(analysis.bursts.largest_step_up), Some(step_up)),
            (
                analysis
                    .trend
                    .as_ref()
                    .map(|trend| trend.last_to_first_week),
                growth,
            ),
        ];
        for (place, (found, expected)) in compared.into_iter().enumerate() {
            assert!(
                near(found, expected),
                "{file}, {place}: {found:?}, not {expected:?}"
            );
        }
    }
}

#[test]
fn a_daily_wave_is_explained_by_the_hour_and_noise_is_not() {
    let daily = look(&trace(14, wave)).daily.expect("two weeks");
    assert!(daily.strength > 0.98, "{}", daily.strength);
    assert!([11, 12].contains(&daily.peak_hour), "{}", daily.peak_hour);
    let mut state = 99_u64;
    let noise: Vec<f64> = (0..14 * DAY)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f64
        })
        .collect();
    let daily = look(&trace(14, |step| noise[step]))
        .daily
        .expect("two weeks");
    assert!(daily.strength < 0.05, "{}", daily.strength);
}

#[test]
fn hours_are_those_of_the_zone() {
    let tokyo = Options {
        timezone: TimeZone::get("Asia/Tokyo").expect("a zone"),
        ..Options::default()
    };
    let daily = analyze(&trace(14, wave), &tokyo).daily.expect("two weeks");
    assert!([20, 21].contains(&daily.peak_hour), "{}", daily.peak_hour);
}

#[test]
fn quiet_weekends_are_a_pattern_of_the_week_and_give_a_window_on_workdays() {
    let office = |step: usize| {
        let hour = step % DAY / 12;
        let busy = (9..17).contains(&hour) && step / DAY % 7 < 5;
        if busy { 300.0 } else { 100.0 }
    };
    let analysis = look(&trace(28, office));
    let weekly = analysis.weekly.expect("four weeks");
    assert!(weekly.strength > 0.95 && weekly.gain > 0.1, "{weekly:?}");
    let [window] = analysis.busy.as_slice() else {
        panic!("{:?}", analysis.busy)
    };
    assert_eq!(
        (window.days, window.from_hour, window.hours),
        (Days::Workdays, 9, 8)
    );
}

#[test]
fn growth_is_a_trend_and_a_jump_is_a_shift() {
    let steady = look(&trace(42, wave)).trend.expect("six weeks");
    assert!(!steady.is_clear && steady.shift.is_none(), "{steady:?}");
    let growing = |step: usize| wave(step) * (1.0 + 0.05 * step as f64 / (7 * DAY) as f64);
    let growing = look(&trace(42, growing)).trend.expect("six weeks");
    assert!(growing.is_clear, "{growing:?}");
    assert!(
        (3.5..5.5).contains(&growing.percent_per_week),
        "{growing:?}"
    );
    let jump = |step: usize| wave(step) * if step < 20 * DAY { 1.0 } else { 1.6 };
    let shift = look(&trace(42, jump)).trend.and_then(|trend| trend.shift);
    let shift = shift.expect("a shift");
    assert_eq!(shift.date.to_string(), "2026-01-25");
    assert!((shift.after / shift.before - 1.6).abs() < 0.05, "{shift:?}");
}

#[test]
fn spikes_are_measured_against_what_was_to_be_expected() {
    // Four times the load for 15 minutes, on the third day at noon; the wave itself is none.
    let spike = |step: usize| {
        wave(step)
            * if (0..3).contains(&(step as i64 - (2 * DAY + 144) as i64)) {
                4.0
            } else {
                1.0
            }
    };
    let spikes = look(&trace(7, spike)).spikes;
    assert_eq!(spikes.count, 1, "{spikes:?}");
    let largest = &spikes.largest[0];
    assert_eq!(largest.from.to_string(), "2026-01-07T12:00:00Z");
    assert_eq!(largest.length_s, 900);
    assert!((3.8..4.2).contains(&largest.magnitude), "{largest:?}");
    assert!(spikes.recurring.is_none());
}

#[test]
fn spikes_at_the_same_hour_recur_and_get_a_window() {
    let backup = |step: usize| {
        if (30..33).contains(&(step % DAY)) {
            800.0
        } else {
            200.0
        }
    };
    let analysis = look(&trace(14, backup));
    let recurring = analysis.spikes.recurring.expect("every night");
    assert_eq!(
        (recurring.minute_of_day, recurring.days, recurring.of_days),
        (150, 14, 14)
    );
    assert!(analysis.advice.policy.contains("schedule \"spikes\""));
}

#[test]
fn a_holiday_and_an_outage_are_anomalies() {
    let load = |step: usize| match step {
        step if step / DAY == 17 => 0.4 * wave(step),
        step if (24 * DAY + 120..24 * DAY + 156).contains(&step) => 0.0,
        step => wave(step),
    };
    let anomalies = look(&trace(28, load)).anomalies;
    let texts: Vec<String> = anomalies
        .iter()
        .map(|anomaly| match anomaly {
            Anomaly::Day { date, .. } => format!("day {date}"),
            Anomaly::Silence { date, hour, hours } => format!("silence {date} {hour} {hours}"),
        })
        .collect();
    assert_eq!(texts, ["day 2026-01-22", "silence 2026-01-29 10 3"]);
}

#[test]
fn bursts_are_what_load_can_rise_by_within_a_boot() {
    // Doubles every 10 minutes for half an hour, once.
    let ramp = |step: usize| match step {
        1000..1006 => 100.0 * 2.0_f64.powf((step - 999) as f64 / 2.0),
        _ => 100.0,
    };
    let boot = |minutes: u64| Options {
        boot: Duration::from_secs(60 * minutes),
        ..Options::default()
    };
    let trace = trace(4, ramp);
    let short = analyze(&trace, &boot(5)).bursts;
    let long = analyze(&trace, &boot(20)).bursts;
    assert!((1.3..1.5).contains(&short.rise_max), "{short:?}");
    assert!((3.8..4.2).contains(&long.rise_max), "{long:?}");
    assert!(short.rise_p99 < 1.06 && !short.is_coarse());
    assert!(analyze(&trace, &boot(1)).bursts.is_coarse());
}

#[test]
fn a_season_is_predicted_better_than_by_the_load_of_now() {
    let predictability = look(&trace(21, wave)).predictability.expect("three weeks");
    for horizon in &predictability.horizons {
        if horizon.ahead_s >= 3600 && horizon.ahead_s < 86_400 {
            assert!(horizon.season_percent < 2.0, "{horizon:?}");
            assert!(horizon.naive_percent > 5.0, "{horizon:?}");
        }
    }
}

#[test]
fn predictions_use_only_what_was_before() {
    // After the held-back part begins the load is another: errors there say that nothing of it was known.
    let days = 20;
    let from = days * DAY * 7 / 10;
    let load = |step: usize| {
        if step < from {
            100.0
        } else {
            100.0 + (step * 7919 % 200) as f64
        }
    };
    let predictability = look(&trace(days, load)).predictability.expect("days");
    for horizon in &predictability.horizons {
        assert!(horizon.best_season_percent() > 15.0, "{horizon:?}");
    }
}

#[test]
fn no_kind_is_better_than_the_optimum() {
    let loads: [&dyn Fn(usize) -> f64; 3] = [
        &wave,
        &|step| if step % 97 < 5 { 900.0 } else { 80.0 },
        &|step| 10.0 + (step * step % 1013) as f64,
    ];
    for load in loads {
        let replay = look(&trace(10, load)).replay.expect("ten days");
        for played in &replay.kinds {
            assert!(played.regret >= 1.0 - 1e-9, "{played:?}");
        }
    }
}

#[test]
fn each_load_gets_the_kind_that_it_asks_for() {
    let flat = look(&trace(10, |_| 200.0));
    assert_eq!(flat.advice.kind, Kind::FixedFleet, "{:?}", flat.replay);
    let gentle = look(&trace(10, |step| {
        // A slow walk up and down without a season.
        let turn = step as f64 / (1.37 * DAY as f64) * std::f64::consts::TAU;
        300.0 - 250.0 * turn.sin()
    }));
    assert_eq!(
        gentle.advice.kind,
        Kind::TargetTracking,
        "{:?}",
        gentle.replay
    );
    // A steep rise each morning, and boots that take longer.
    let steep = trace(21, |step| {
        if (96..200).contains(&(step % DAY)) {
            1000.0
        } else {
            100.0
        }
    });
    let slow = Options {
        boot: Duration::from_secs(1800),
        ..Options::default()
    };
    let steep = analyze(&steep, &slow);
    assert!(steep.advice.kind >= Kind::Schedule, "{:?}", steep.replay);
    let short = look(&trace(2, wave));
    assert_eq!(short.advice.kind, Kind::TargetTracking);
    assert!(short.replay.is_none());
}

/// The problems of a policy that a group uses.
fn problems(policy: &str) -> Vec<String> {
    let directory = tempfile::tempdir().expect("a directory");
    let group = r#"
provider "mock" {}

group "web" {
  provider = provider.mock
  use      = [policy.recommended]
  resource "asg" { name = "web" }
}
"#;
    std::fs::write(directory.path().join("web.hcl"), format!("{policy}{group}")).expect("written");
    let (_, diagnostics) = tideform_policies::read(&LoadInput {
        directory: directory.path().to_owned(),
        ..LoadInput::default()
    });
    diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.code.0 != "P0525")
        .map(|diagnostic| format!("{diagnostic:?}"))
        .collect()
}

#[test]
fn every_advised_policy_is_valid_and_formatted() {
    let nightly = |step: usize| {
        wave(step)
            * if (30..33).contains(&(step % DAY)) {
                6.0
            } else {
                1.0
            }
    };
    for options in [
        Options::default(),
        Options {
            throughput: Some(12.5),
            timezone: TimeZone::get("Europe/Berlin").expect("a zone"),
            boot: Duration::from_secs(1200),
        },
    ] {
        let analysis = analyze(&trace(21, nightly), &options);
        assert!(analysis.spikes.recurring.is_some() && !analysis.busy.is_empty());
        for kind in Kind::ALL {
            let policy = advice::policy(&analysis, &options, kind);
            assert_eq!(
                problems(&policy),
                Vec::<String>::new(),
                "{kind:?}\n{policy}"
            );
            let formatted = tideform_policies::format::format(&policy).expect("syntax");
            assert_eq!(formatted, policy, "{kind:?}");
        }
    }
}

#[test]
fn the_text_is_80_columns_wide() {
    let traces = [
        recorded("web-shop/traffic/ecommerce-api.csv"),
        recorded("queue-worker/traffic/purchases.csv"),
        recorded("environments/traffic/mongo-app.csv"),
        trace(28, |step| 1e7 * wave(step)),
        trace(1, |_| 0.0),
    ];
    for trace in traces {
        let text = render(&look(&trace));
        let long: Vec<&str> = text
            .lines()
            .filter(|line| line.chars().count() > 80)
            .collect();
        assert_eq!(long, Vec::<&str>::new());
        assert!(!text.contains("NaN") && !text.contains("inf "), "{text}");
    }
}

#[test]
fn a_trace_of_two_steps_is_looked_at_all_the_same() {
    for values in [vec![0.0, 0.0], vec![1.0, 5.0]] {
        let start: Timestamp = MONDAY.parse().expect("a time");
        for step in [1, 300, 86_400] {
            let trace = Trace::new(start, Duration::from_secs(step), values.clone());
            let analysis = look(&trace.expect("a trace"));
            assert!(analysis.replay.is_none());
        }
    }
}

#[test]
fn quantiles_lie_between_the_values_beside_them() {
    let sorted = [1.0, 2.0, 4.0];
    assert_eq!(numbers::quantile(&sorted, 0.0), 1.0);
    assert_eq!(numbers::quantile(&sorted, 0.75), 3.0);
    assert_eq!(numbers::quantile(&sorted, 1.0), 4.0);
    assert_eq!(numbers::quantile(&[], 0.5), 0.0);
}
