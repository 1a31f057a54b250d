//! Capacity, metrics, memory and decisions: what the loop records at each tick, and what is kept of it.

use std::time::Duration;

use crate::support::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use tideform_state::*;

fn record(state: &mut State, samples: &[CapacitySample]) {
    state
        .write(|tx| tx.record_capacity(samples))
        .expect("recorded");
}

fn runs(state: &State, from: i64, to: i64) -> Vec<(i64, i64, u32)> {
    let start = at(0).as_second();
    let runs = state.capacity_runs(&web(), at(from), at(to)).expect("read");
    runs.iter()
        .map(|run| {
            (
                run.sample.at.as_second() - start,
                run.until.as_second() - start,
                run.sample.desired,
            )
        })
        .collect()
}

#[test]
fn equal_samples_become_one_run_until_something_differs_or_nobody_looked() {
    let mut state = memory_state();
    for (second, desired) in [
        (0, 4),
        (60, 4),
        (120, 4),
        (180, 6),
        (240, 6),
        (540, 6),
        (841, 6),
    ] {
        record(&mut state, &[capacity(&web(), second, desired)]);
    }
    // 841 comes 301 s after 540: one second more than the gap.
    assert_eq!(
        runs(&state, 0, 999),
        [(0, 120, 4), (180, 540, 6), (841, 841, 6)]
    );
    let last = state.last_capacity(&web()).expect("read").expect("there");
    assert_eq!(last.sample, capacity(&web(), 841, 6));
}

#[test]
fn recording_twice_is_recording_once_and_the_past_does_not_change() {
    let mut state = memory_state();
    record(
        &mut state,
        &[capacity(&web(), 0, 4), capacity(&web(), 60, 5)],
    );
    record(
        &mut state,
        &[
            capacity(&web(), 0, 4),
            capacity(&web(), 60, 9),
            capacity(&web(), 30, 9),
        ],
    );
    assert_eq!(runs(&state, 0, 999), [(0, 0, 4), (60, 60, 5)]);
}

#[test]
fn a_range_carries_in_the_run_before_it() {
    let mut state = memory_state();
    for (second, desired) in [(0, 1), (60, 2), (120, 3), (180, 4)] {
        record(&mut state, &[capacity(&web(), second, desired)]);
    }
    let cases: [((i64, i64), &[u32]); 5] = [
        ((130, 150), &[3]),
        ((60, 120), &[2, 3]),
        ((61, 180), &[2, 3, 4]),
        ((-50, -10), &[]),
        ((500, 600), &[4]),
    ];
    for ((from, to), expected) in cases {
        let found: Vec<_> = runs(&state, from, to).iter().map(|run| run.2).collect();
        assert_eq!(found, expected, "{from} to {to}");
    }
    assert_eq!(
        state.capacity_runs(&api(), at(0), at(99)).expect("read"),
        []
    );
}

#[test]
fn a_price_that_is_none_is_refused() {
    let mut state = memory_state();
    for price in [f64::NAN, f64::INFINITY, -0.1] {
        let sample = CapacitySample {
            spot_usd_per_hour: Some(price),
            ..capacity(&web(), 0, 4)
        };
        let error = state
            .write(|tx| tx.record_capacity(&[sample]))
            .expect_err("refused");
        assert!(
            matches!(error, StateError::Unrecordable { .. }),
            "{error:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn runs_say_the_same_as_the_samples_that_made_them(
        steps in prop::collection::vec((1i64..400, 0u32..3), 1..40)
    ) {
        let mut state = memory_state();
        let mut second = 0;
        let mut seen = Vec::new();
        for (gap, desired) in steps {
            second += gap;
            seen.push((second, desired));
            record(&mut state, &[capacity(&web(), second, desired)]);
        }
        let runs = runs(&state, 0, second);
        for (second, desired) in &seen {
            let covering: Vec<_> = runs.iter().filter(|run| run.0 <= *second && *second <= run.1).collect();
            prop_assert_eq!(covering.len(), 1);
            prop_assert_eq!(covering[0].2, *desired);
        }
        prop_assert!(runs.iter().all(|run| seen.iter().any(|s| s.0 == run.0) && seen.iter().any(|s| s.0 == run.1)));
        prop_assert_eq!(state.check().expect("checked"), vec![]);
    }
}

fn metric(second: i64, value: f64) -> MetricSample {
    MetricSample {
        group: web(),
        metric: "cpu".into(),
        at: at(second),
        value,
    }
}

fn values(state: &State, from: i64, to: i64) -> Vec<f64> {
    let samples = state
        .metric_samples(&web(), "cpu", at(from), at(to))
        .expect("read");
    samples.into_iter().map(|sample| sample.value).collect()
}

#[test]
fn a_metric_sample_is_kept_once_with_its_newest_value_and_ranges_include_their_ends() {
    let mut state = memory_state();
    let samples = [
        metric(120, 3.0),
        metric(0, 1.0),
        metric(60, 2.0),
        metric(60, 2.5),
    ];
    state
        .write(|tx| tx.record_metrics(&samples))
        .expect("recorded");
    state
        .write(|tx| tx.record_metrics(&samples))
        .expect("recorded");
    assert_eq!(values(&state, 0, 120), [1.0, 2.5, 3.0]);
    assert_eq!(values(&state, 1, 119), [2.5]);
    assert_eq!(state.sampled_metrics(&web()).expect("read"), ["cpu".into()]);
    let nan = state.write(|tx| tx.record_metrics(&[metric(0, f64::NAN)]));
    assert!(matches!(nan, Err(StateError::Unrecordable { .. })));
}

#[test]
fn old_samples_become_means_and_then_go() {
    let mut state = memory_state();
    // 1,800,000,000 is a multiple of 300: buckets end at 0, 300, 600.
    let samples: Vec<_> = (1..=15).map(|i| metric(i * 60, i as f64)).collect();
    state
        .write(|tx| tx.record_metrics(&samples))
        .expect("recorded");
    let retention = Retention {
        metrics: Duration::from_secs(300),
        rollups: Duration::from_secs(1000),
        ..Retention::default()
    };
    let pruned = state
        .write(|tx| tx.prune(at(930), &retention))
        .expect("pruned");
    assert_eq!((pruned.metric_samples, pruned.metric_rollups), (10, 0));
    let kept = state
        .metric_samples(&web(), "cpu", at(0), at(900))
        .expect("read");
    let rolled: Vec<_> = kept
        .iter()
        .filter(|s| s.rolled_up == Some(ROLLUP_PERIOD))
        .collect();
    assert_eq!(
        rolled.iter().map(|s| (s.at, s.value)).collect::<Vec<_>>(),
        [(at(300), 3.0), (at(600), 8.0)]
    );
    assert_eq!(kept.len(), 2 + 5);
    // Again: nothing is counted twice.
    state
        .write(|tx| tx.prune(at(930), &retention))
        .expect("pruned");
    assert_eq!(
        state
            .metric_samples(&web(), "cpu", at(0), at(900))
            .expect("read"),
        kept
    );
    let pruned = state
        .write(|tx| tx.prune(at(1400), &retention))
        .expect("pruned");
    assert_eq!(pruned.metric_rollups, 1);
}

#[test]
fn pruning_keeps_the_last_decision_and_all_events() {
    let mut state = memory_state();
    populate(&mut state).expect("populated");
    let events = state.events(&EventFilter::default()).expect("read").len();
    let far = at(500 * 24 * 3600);
    let pruned = state
        .write(|tx| tx.prune(far, &Retention::default()))
        .expect("pruned");
    assert_eq!(
        (
            pruned.capacity_samples,
            pruned.decisions,
            pruned.metric_rollups
        ),
        (2, 1, 2)
    );
    assert!(state.decision_at(&web(), far).expect("read").is_some());
    assert_eq!(
        state.events(&EventFilter::default()).expect("read").len(),
        events
    );
    assert_eq!(state.check().expect("checked"), []);
}

#[test]
fn a_decision_is_kept_when_it_changed_something_or_its_reasons_are_of_other_kinds() {
    let mut state = memory_state();
    let ticks = [
        (0, "a", false),
        (60, "a", false),
        (120, "a", true),
        (180, "b", false),
        (240, "b", false),
        (300, "b", false),
    ];
    for (second, signature, changed) in ticks {
        let tick = TickRecord {
            decisions: vec![decision(&web(), second, signature, changed)],
            ..TickRecord::default()
        };
        state.write(|tx| tx.record_tick(&tick)).expect("recorded");
    }
    for (asked, found) in [
        (0, 0),
        (60, 0),
        (119, 0),
        (120, 120),
        (179, 120),
        (240, 180),
        (299, 180),
        (300, 300),
        (999, 300),
    ] {
        let stored = state
            .decision_at(&web(), at(asked))
            .expect("read")
            .expect("there");
        assert_eq!(stored.at, at(found), "asked for {asked}");
        assert_eq!(
            stored.decision.read::<Value>().expect("JSON"),
            json!({ "at_s": found })
        );
        assert_eq!(stored.changed, found == 120);
    }
    assert_eq!(state.decision_at(&web(), at(-1)).expect("read"), None);
    assert_eq!(state.last_decisions().expect("read")[&web()].at, at(300));
}

#[test]
fn shadow_decisions_stand_beside_the_real_ones() {
    let mut state = memory_state();
    let shadow = DecisionRecord {
        shadow: true,
        memory: None,
        ..decision(&web(), 90, "a", true)
    };
    let tick = TickRecord {
        decisions: vec![decision(&web(), 60, "a", false), shadow],
        ..TickRecord::default()
    };
    state.write(|tx| tx.record_tick(&tick)).expect("recorded");
    assert_eq!(state.last_decisions().expect("read")[&web()].at, at(60));
    let newest = state
        .decision_at(&web(), at(99))
        .expect("read")
        .expect("there");
    assert!(newest.shadow && newest.at == at(90));
    let memory: Value = state
        .memory(&web())
        .expect("read")
        .expect("there")
        .read()
        .expect("JSON");
    assert_eq!(memory, json!({ "actions": [60] }));
}

#[test]
fn memory_stays_where_a_tick_brings_none() {
    let mut state = memory_state();
    for (second, memory) in [(0, true), (60, false)] {
        let mut record = decision(&web(), second, "a", false);
        if !memory {
            record.memory = None;
        }
        let tick = TickRecord {
            decisions: vec![record],
            ..TickRecord::default()
        };
        state.write(|tx| tx.record_tick(&tick)).expect("recorded");
    }
    let memories = state.memories().expect("read");
    assert_eq!(memories[&web()].as_str(), r#"{"actions":[0]}"#);
}
