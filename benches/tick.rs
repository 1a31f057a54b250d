//! One tick of the loop over ten thousand groups on the mock cloud, in process: decisions, calls and records included.
//!
//! ```text
//! cargo bench --no-default-features --bench tick [-- GROUPS]
//! ```
//!
//! The first tick moves every group (an intent, a call and an event each); the later ones hold, which is what a fleet
//! does most of the time. `benches/fleet.rs` measures whole processes.

#[path = "../tests/loop_support/mod.rs"]
mod loop_support;

use std::io::Write as _;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use loop_support::{Stage, group, holder};
use tideform::reconcile::{Options, Stop, TickReport, Watcher, run_loop};
use tideform_policies::model::Direction;

struct Printer {
    began: Instant,
}

#[async_trait]
impl Watcher for Printer {
    fn tick(&mut self, report: &TickReport) {
        let seconds = self.began.elapsed().as_secs_f64();
        say(&format!(
            "tick {:>2}   {seconds:>7.3} s   {} due, {} out, {} hold, {} failed",
            report.number,
            report.groups.len(),
            report.decisions(Direction::Out),
            report.decisions(Direction::Hold),
            report.failed().count(),
        ));
        self.began = Instant::now();
    }
}

#[tokio::main]
async fn main() {
    let groups: usize = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(10_000);
    let began = Instant::now();
    let fleet: Vec<_> = (0..groups)
        .map(|n| (group(&format!("g{n:05}"), |_| {}), 4))
        .collect();
    let mut stage = Stage::new("360", &fleet);
    say(&format!(
        "{groups} groups made and applied in {:.1} s",
        began.elapsed().as_secs_f64()
    ));

    say("one daemon of six ticks");
    let options = Options {
        stop_after_ticks: Some(6),
        ..Options::every(Duration::from_secs(60), holder("bench"), stage.source())
    };
    let mut watcher = Printer {
        began: Instant::now(),
    };
    run(&mut stage, options, &mut watcher).await;

    say("three runs, as a scheduled job does them");
    for _ in 0..3 {
        stage.pass(60);
        let options = stage.once();
        let mut watcher = Printer {
            began: Instant::now(),
        };
        run(&mut stage, options, &mut watcher).await;
    }
    let size = std::fs::metadata(stage.path()).map_or(0, |file| file.len());
    say(&format!(
        "state {} MiB, peak memory {} MiB",
        size / 1024 / 1024,
        peak_mib()
    ));
}

async fn run(stage: &mut Stage, options: Options, watcher: &mut Printer) {
    if let Err(error) = run_loop(&mut stage.state, options, Stop::never(), watcher).await {
        say(&format!("failed: {error}"));
    }
}

/// The most memory that this process ever had; 0 where the system does not say.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|line| {
            line.trim()
                .trim_end_matches(" kB")
                .trim()
                .parse::<u64>()
                .ok()
        })
        .map_or(0, |kib| kib / 1024)
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
