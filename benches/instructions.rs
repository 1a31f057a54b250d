//! How many instructions one decision takes, whatever the machine's mood: it runs itself under valgrind.
//!
//! Each figure is the difference of two runs of different length, so that start-up does not count.

mod cases;

use std::hint::black_box;
use std::process::{Command, ExitCode};

use cases::{Case, MEASURED};

/// Decisions of the shorter run; the other one makes twice as many. Two and four days.
const STEPS: u64 = 2_880;

const WAYS: [&str; 4] = ["feed", "quiet", "loud", "explained"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, name, way, steps] = &arguments[..]
        && command == "run"
    {
        run(name, way, steps.parse().unwrap_or(0));
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

#[allow(clippy::print_stdout, reason = "a bench reports here")]
fn report() -> Result<(), String> {
    println!("instructions a decision, without feeding the observation:");
    for name in MEASURED {
        let mut counts = [0; WAYS.len()];
        for (count, way) in counts.iter_mut().zip(WAYS) {
            *count = (counted(name, way, 2 * STEPS)? - counted(name, way, STEPS)?) / STEPS;
        }
        let [feed, quiet, loud, explained] = counts;
        let [quiet, loud, explained] = [quiet, loud, explained].map(|way| way.saturating_sub(feed));
        println!(
            "{name:<17} quiet {quiet:>6}   loud {loud:>6}   explained {explained:>8}   (feeding {feed})"
        );
    }
    Ok(())
}

/// The instructions of one run.
fn counted(name: &str, way: &str, steps: u64) -> Result<u64, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args(["run", name, way, &steps.to_string()])
        .output()
        .map_err(|error| {
            format!(
                "valgrind could not be started ({error}); it counts the instructions, so install it \
                 (`apt-get install valgrind`), or run the bench `decide`, which needs nothing"
            )
        })?;
    let said = String::from_utf8_lossy(&output.stderr);
    said.lines()
        .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
        .filter(|_| output.status.success())
        .ok_or_else(|| format!("valgrind failed: {said}"))
}
