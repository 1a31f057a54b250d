//! How long a search takes: ten thousand candidates of five settings over fourteen days of minutes, on two cores.
//!
//! `cargo bench --no-default-features --bench tune` searches once and prints the time; `-- jobs 1` in another number of threads.

#[path = "cases/groups.rs"]
mod groups;
#[path = "cases/load.rs"]
mod load;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use tideform::engine::Rules;
use tideform::simulate::world::Boot;
use tideform::simulate::{Given, Prices, Scenario};
use tideform::tune::settings::{Range, Setting, known};
use tideform::tune::{Tuning, split, tune};
use tideform_policies::source::SourceMap;

/// Minutes of fourteen days.
const MINUTES: u32 = 14 * 1_440;
/// What is searched, and in how many steps.
const RANGES: [(&str, f64, f64); 5] = [
    ("metric.cpu.track.target", 30.0, 90.0),
    ("scale_out.cooldown", 0.0, 600.0),
    ("scale_in.cooldown", 0.0, 1_800.0),
    ("scale_in.stabilization", 0.0, 1_800.0),
    ("limits.min", 2.0, 10.0),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let jobs = match arguments.iter().position(|argument| argument == "jobs") {
        Some(at) => arguments.get(at + 1).and_then(|jobs| jobs.parse().ok()),
        None => Some(2),
    };
    match jobs.ok_or("`jobs` takes a number".to_owned()).and_then(run) {
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

fn run(jobs: usize) -> Result<(), String> {
    let trace = load::read(&load::csv(MINUTES)).map_err(|error| error.to_string())?;
    let group = groups::group("one_track");
    let given = Given {
        boot: Some(Boot::Fixed(Duration::from_secs(90))),
        throughput: Some(100.0),
        prices: Some(Prices {
            on_demand: 0.096,
            spot: 0.037,
        }),
        ..Given::default()
    };
    let scenario = Scenario::new(&group, &trace, &given).map_err(|error| error.to_string())?;
    let all = known(
        &Rules::new(&group),
        &BTreeMap::new(),
        &SourceMap::default(),
        false,
    );
    let settings: Vec<Setting> = RANGES
        .into_iter()
        .filter_map(|(path, from, to)| {
            let known = all.iter().find(|known| known.path == path)?;
            let step = None;
            Setting::new(known.clone(), Range { from, to, step })
        })
        .collect();
    let split = split(&trace).ok_or("too short")?;
    let tuning = Tuning {
        budget: 10_000,
        seed: 0,
        jobs,
        penalty: 10.0,
    };
    let began = Instant::now();
    let tuned = tune(&scenario, &split, &settings, &tuning, &|| {});
    let took = began.elapsed().as_secs_f64();
    #[allow(clippy::print_stdout, reason = "a bench reports here")]
    {
        println!(
            "{} candidates of {} settings, {} steps searched and {} held out, {jobs} threads: {took:.1} s",
            tuned.candidates,
            settings.len(),
            tuned.train.steps,
            tuned.held_out.steps,
        );
        println!(
            "held out: {:.2} USD now, {:.2} USD best ({:?})",
            tuned.now.held_out.objective_usd, tuned.best.held_out.objective_usd, tuned.verdict,
        );
    }
    Ok(())
}
