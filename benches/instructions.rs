//! How many instructions a decision takes, a step of a simulation and one of the optimum, whatever the machine's mood: it
//! runs itself under valgrind.
//!
//! Each figure is the difference of two runs of different length, so that start-up does not count.

mod cases;
#[path = "cases/counting.rs"]
mod counting;
#[path = "cases/demand.rs"]
mod demand;
#[path = "cases/load.rs"]
mod load;
#[path = "cases/year.rs"]
mod year;

use std::hint::black_box;
use std::process::ExitCode;

use cases::{Case, MEASURED, group};
use tideform::engine::Rules;
use tideform::simulate::Sight;
use tideform::simulate::optimum::solve;

/// Decisions of the shorter run; the other one makes twice as many. Two and four days.
const STEPS: u64 = 2_880;

/// Days of the shorter run of a load; the other one takes twice as many.
const DAYS: u32 = 28;

/// The minutes of a day.
const MINUTES: u32 = 1_440;

const WAYS: [&str; 4] = ["feed", "quiet", "loud", "explained"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, name, way, steps] = &arguments[..]
        && command == "run"
    {
        let steps = steps.parse().unwrap_or(0);
        match name.as_str() {
            "load" => run_load(way, steps),
            "optimum" => run_optimum(way, steps),
            name => run(name, way, steps.into()),
        }
        return ExitCode::SUCCESS;
    }
    match report() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            #[allow(clippy::print_stderr, reason = "a bench reports here")]
            {
                eprintln!("error: {problem}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run(name: &str, way: &str, steps: u64) {
    let mut case = Case::new(name);
    for _ in 0..steps {
        case.feed();
        match way {
            "quiet" => {
                black_box(case.decide_quiet());
            }
            "loud" => {
                black_box(case.decide());
            }
            "explained" => {
                black_box(case.explain());
            }
            _ => {
                black_box(&case);
            }
        }
    }
}

/// Makes a load of so many days, and goes as far with it as the way says.
fn run_load(way: &str, days: u32) {
    let text = load::csv(days * MINUTES);
    if way == "write" {
        black_box(&text);
        return;
    }
    let Ok(trace) = load::read(&text) else { return };
    if way == "read" {
        black_box(&trace);
        return;
    }
    let rules = Rules::new(&group("one_track"));
    black_box(year::run(&rules, Sight::of_provider(way), &trace));
}

/// Makes a demand of so many days, up to so many instances, and solves it unless there are none.
fn run_optimum(peak: &str, days: u32) {
    let (peak, is_solved) = match peak.strip_prefix("only ") {
        Some(peak) => (peak, false),
        None => (peak, true),
    };
    let demand = demand::demand(days as usize, peak.parse().unwrap_or(0.0));
    let problem = demand::problem(&demand);
    if is_solved {
        black_box(solve(&problem).ok());
    } else {
        black_box(&problem);
    }
}

#[allow(clippy::print_stdout, reason = "a bench reports here")]
fn report() -> Result<(), String> {
    println!("instructions a decision, without feeding the observation:");
    for name in MEASURED {
        let mut counts = [0; WAYS.len()];
        for (count, way) in counts.iter_mut().zip(WAYS) {
            *count = each(name, way, STEPS, STEPS)?;
        }
        let [feed, quiet, loud, explained] = counts;
        let [quiet, loud, explained] = [quiet, loud, explained].map(|way| way.saturating_sub(feed));
        println!(
            "{name:<17} quiet {quiet:>6}   loud {loud:>6}   explained {explained:>8}   (feeding {feed})"
        );
    }
    println!("instructions a step of a simulation, by minutes:");
    let a_minute = |name: &str, way: &str| each(name, way, DAYS.into(), (DAYS * MINUTES).into());
    let (write, read) = (a_minute("load", "write")?, a_minute("load", "read")?);
    println!("{:<28}{:>6}", "read", read.saturating_sub(write));
    for way in ["aws", "mock"] {
        let run = a_minute("load", way)?.saturating_sub(read);
        println!("{:<28}{run:>6}", format!("run as on {way}"));
    }
    for peak in ["60", "1000"] {
        let made = a_minute("optimum", &format!("only {peak}"))?;
        let solved = a_minute("optimum", peak)?.saturating_sub(made);
        println!("{:<28}{solved:>6}", format!("optimum, up to {peak}"));
    }
    Ok(())
}

/// The instructions of each of `steps`, by a run of this length and one of twice the length.
fn each(name: &str, way: &str, length: u64, steps: u64) -> Result<u64, String> {
    let count = |length: u64| counting::instructions(&["run", name, way, &length.to_string()]);
    Ok((count(2 * length)? - count(length)?) / steps)
}
