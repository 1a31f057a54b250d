//! How long a year of minutes takes: reading it, one tracked metric with cooldowns, stabilization and rates, all of it.
//!
//! `cargo bench --bench simulate -- --quick` measures time; `-- instructions` counts what a step takes, by running itself
//! under valgrind, as the bench `instructions` does for a decision.

#[path = "cases/groups.rs"]
mod groups;
#[path = "cases/load.rs"]
mod load;
#[path = "cases/year.rs"]
mod year;

use std::hint::black_box;
use std::process::{Command, ExitCode};

use criterion::Criterion;
use tideform::engine::Rules;
use tideform::simulate::Sight;

/// Minutes of a year.
const YEAR: u32 = 525_600;
/// Steps of the shorter run that is counted; the other one takes twice as many. Four weeks.
const STEPS: u32 = 40_320;

fn sight(name: &str) -> Sight {
    Sight::of_provider(name)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, way, steps] = &arguments[..]
        && command == "run"
    {
        run(way, steps.parse().unwrap_or(0));
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "instructions") {
        return match report() {
            Ok(()) => ExitCode::SUCCESS,
            Err(problem) => {
                #[allow(clippy::print_stderr, reason = "a bench reports here")]
                {
                    eprintln!("error: {problem}");
                }
                ExitCode::FAILURE
            }
        };
    }
    let mut criterion = Criterion::default().configure_from_args();
    benchmark(&mut criterion);
    criterion.final_summary();
    ExitCode::SUCCESS
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

fn run(way: &str, steps: u32) {
    let text = load::csv(steps);
    let rules = Rules::new(&groups::group("one_track"));
    if way == "write" {
        black_box(&text);
        return;
    }
    let Ok(trace) = load::read(&text) else { return };
    if way != "read" {
        black_box(year::run(&rules, sight(way), &trace));
    }
}

#[allow(clippy::print_stdout, reason = "a bench reports here")]
fn report() -> Result<(), String> {
    let count = |way: &str| -> Result<u64, String> {
        Ok((counted(way, 2 * STEPS)? - counted(way, STEPS)?) / u64::from(STEPS))
    };
    let write = count("write")?;
    let read = count("read")?;
    println!("instructions a step: read {}", read - write);
    for way in ["aws", "mock"] {
        println!(
            "instructions a step: run as on {way} {}",
            count(way)? - read
        );
    }
    Ok(())
}

/// The instructions of one run.
fn counted(way: &str, steps: u32) -> Result<u64, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args(["run", way, &steps.to_string()])
        .output()
        .map_err(|error| format!("valgrind could not be started: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    said.lines()
        .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
        .filter(|_| output.status.success())
        .ok_or_else(|| format!("valgrind failed: {said}"))
}
