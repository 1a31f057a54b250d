//! A decision without reasons allocates nothing in the steady state: simulations make half a million in a year.

#[path = "../benches/cases/mod.rs"]
mod cases;

use allocation_counter::measure;

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
