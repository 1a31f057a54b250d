//! How long a year of minutes takes: reading it, one tracked metric with cooldowns, stabilization and rates, all of it.
//!
//! `cargo bench --bench simulate -- --quick` measures time, `-- cpu` only what a run takes of a processor; the bench
//! `instructions` counts.

#[path = "cases/counting.rs"]
mod counting;
#[path = "cases/demand.rs"]
mod demand;
#[path = "cases/groups.rs"]
mod groups;
#[path = "cases/load.rs"]
mod load;
#[path = "cases/year.rs"]
mod year;

use std::hint::black_box;

use criterion::Criterion;
use tideform::engine::Rules;
use tideform::simulate::Sight;
use tideform::simulate::optimum::solve;

/// Minutes of a year.
const YEAR: u32 = 525_600;

/// Runs of which the least time is taken.
const RUNS: u32 = 15;

fn main() {
    if std::env::args().any(|argument| argument == "cpu") {
        return cpu();
    }
    let mut criterion = Criterion::default().configure_from_args();
    benchmark(&mut criterion);
    criterion.final_summary();
}

fn sight(name: &str) -> Sight {
    Sight::of_provider(name)
}

fn benchmark(criterion: &mut Criterion) {
    let text = load::csv(YEAR);
    let Ok(trace) = load::read(&text) else { return };
    let rules = Rules::new(&groups::group("one_track"));
    let mut group = criterion.benchmark_group("a year of minutes");
    group.sample_size(10);
    group.bench_function("read", |bencher| {
        bencher.iter(|| black_box(load::read(&text)))
    });
    for provider in ["aws", "mock"] {
        group.bench_function(format!("run as on {provider}"), |bencher| {
            bencher.iter(|| black_box(year::run(&rules, sight(provider), &trace)));
        });
    }
    group.bench_function("file in, measures out", |bencher| {
        bencher.iter(|| {
            let trace = load::read(&text).ok();
            black_box(trace.map(|trace| year::run(&rules, sight("aws"), &trace)))
        });
    });
    group.finish();
}

#[allow(clippy::print_stdout, reason = "a bench reports here")]
fn cpu() {
    let text = load::csv(YEAR);
    let Ok(trace) = load::read(&text) else { return };
    let rules = Rules::new(&groups::group("one_track"));
    let say = |what: &str, run: &mut dyn FnMut()| {
        let least = counting::least_cpu(RUNS, run);
        println!("{what:<24}{:>8.1} ms", least.as_secs_f64() * 1_000.0);
    };
    println!("a year of minutes, user CPU, least of {RUNS}:");
    say("read", &mut || {
        black_box(load::read(&text).ok());
    });
    for provider in ["aws", "mock"] {
        say(&format!("run as on {provider}"), &mut || {
            black_box(year::run(&rules, sight(provider), &trace));
        });
    }
    say("file in, measures out", &mut || {
        let trace = load::read(&text).ok();
        black_box(trace.map(|trace| year::run(&rules, sight("aws"), &trace)));
    });
    for peak in [60.0, 1000.0] {
        let demand = demand::demand(365, peak);
        say(&format!("optimum, up to {peak}"), &mut || {
            black_box(solve(&demand::problem(&demand)).ok());
        });
    }
}
