//! A decision without reasons allocates nothing in the steady state: simulations make half a million in a year.

#[path = "../benches/cases/mod.rs"]
mod cases;

use std::time::Duration;

use allocation_counter::measure;
use jiff::Timestamp;
use tideform::engine::Rules;
use tideform::simulate::world::{Model, Target};
use tideform::simulate::{Policy, Prices, Run, Setup, Sight};

use cases::{Case, MEASURED};

/// Minutes of a day.
const DAY: u64 = 1_440;

/// Warms up for some days, then counts the minutes of a further one in which anything was allocated.
fn allocating_minutes(name: &str, warm_up: u64) -> (Vec<u64>, u32) {
    let mut case = Case::new(name);
    let mut changes = 0;
    for _ in 0..warm_up * DAY {
        case.feed();
        case.decide_quiet();
    }
    let minutes = (0..DAY).filter(|_| {
        measure(|| {
            case.feed();
            let outcome = case.decide_quiet();
            changes += u32::from(outcome.current != outcome.desired);
        })
        .count_total
            > 0
    });
    let minutes = minutes.collect();
    (minutes, changes)
}

#[test]
fn a_quiet_decision_and_feeding_it_allocate_nothing_once_warm() {
    for name in MEASURED.into_iter().chain(["rich"]) {
        let (minutes, changes) = allocating_minutes(name, 2);
        // A schedule looks its next edge up in the cron library, which allocates.
        let edges = match name {
            "schedules_guards" | "rich" => 4,
            _ => 0,
        };
        assert!(minutes.len() <= edges, "{name}: {minutes:?}");
        assert!(
            changes > 5 || name == "per_instance",
            "{name}: {changes} changes"
        );
    }
}

#[test]
fn a_run_of_twice_the_length_needs_no_more_memory() {
    let rules = Rules::new(&cases::group("one_track"));
    let prices = Prices {
        on_demand: 0.1,
        spot: 0.05,
    };
    let most = |days: u64| {
        let setup = Setup {
            start: Timestamp::from_second(1_767_571_200).unwrap_or_default(),
            step: Duration::from_secs(60),
            model: Model::default(),
            initial: Target::on_demand(6),
            is_new: false,
            slo_utilization: 85.0,
            mix: None,
            prices,
        };
        let policy = Policy::new(&rules, Sight::of_provider("mock"), prices);
        let mut run = Run::new(setup, policy);
        measure(|| {
            for minute in 0..days * DAY {
                let hour = (minute % DAY) as f64 / 60.0;
                run.push(900.0 - 60.0 * (hour - 12.0).abs());
            }
        })
        .bytes_max
    };
    let (short, long) = (most(20), most(40));
    assert!(long <= short + 1_024, "{short} bytes, then {long}");
    assert!(short < 200_000, "{short} bytes");
}

#[test]
fn what_allocates_is_seen() {
    for name in MEASURED {
        let mut case = Case::new(name);
        case.feed();
        let reasons = measure(|| drop(std::hint::black_box(case.decide())));
        assert!(reasons.count_total > 0, "{name}: with reasons");
        let explained = measure(|| drop(std::hint::black_box(case.explain())));
        assert!(
            explained.count_total > reasons.count_total,
            "{name}: with the nearest answers"
        );
    }
}
