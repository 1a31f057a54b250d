//! What backtests add to a plan: a hundred groups whose policy changes, with two weeks of samples a minute each, as a whole
//! process.
//!
//! ```text
//! cargo bench --no-default-features --bench backtest [-- GROUPS]
//! ```
//!
//! The first plan has no history, and says so; the second replays it. The difference is what backtests cost, reading the
//! state included. Times are for reading, not for tests: they depend on the machine's mood.

#[path = "cases/services.rs"]
mod services;

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use services::{Services, report, run};
use tideform_policies::model::GroupAddress;
use tideform_state::{CapacitySample, MetricSample, OpenMode, State};

/// When the mock cloud's clock stands still.
const NOW: &str = "2026-01-19T12:00:00Z";
const MINUTES: i64 = 14 * 24 * 60;

fn main() -> Result<(), Box<dyn Error>> {
    let groups = services::asked(100);
    let directory = tempfile::tempdir()?;
    let path = directory.path();
    std::fs::write(path.join("fleet.hcl"), fleet(groups, 60)?)?;
    run(path, &["apply", "--auto-approve"])?;
    std::fs::write(path.join("fleet.hcl"), fleet(groups, 50)?)?;
    let without = best_of_three(path)?;
    let began = Instant::now();
    remember(&path.join(".tideform/default.db"), groups)?;
    report(&format!(
        "{groups} groups with {MINUTES} samples each, recorded in {:.1} s",
        began.elapsed().as_secs_f64()
    ));
    let with = best_of_three(path)?;
    report(&format!("plan without history      {without:>6.2} s"));
    report(&format!("plan with backtests       {with:>6.2} s"));
    report(&format!(
        "what they add             {:>6.2} s",
        with - without
    ));
    Ok(())
}

fn fleet(groups: usize, target: u32) -> Result<String, std::fmt::Error> {
    let policy = format!(
        r#"
  metric "cpu" {{
    track {{ target = {target} }}
  }}
  scale_out {{
    cooldown = "2m"
    rate {{
      add = "100%"
      per = "5m"
    }}
  }}
  scale_in {{
    cooldown      = "5m"
    stabilization = "10m"
  }}
"#
    );
    services::hcl(&Services {
        groups,
        start: NOW,
        policy: &policy,
        boot: "90s",
        max: 40,
    })
}

/// Two weeks of a load with days, as a loop would have recorded it.
fn remember(file: &Path, groups: usize) -> Result<(), Box<dyn Error>> {
    let mut state = State::open(file, OpenMode::ReadWrite)?;
    let now: Timestamp = NOW.parse()?;
    for n in 0..groups {
        let group = GroupAddress::new(&format!("service-{n}"));
        let (mut capacity, mut metrics) = (Vec::new(), Vec::new());
        for minute in 0..MINUTES {
            let at = now - SignedDuration::from_mins(MINUTES - minute);
            let day = (minute as f64 / 1_440.0 + n as f64 / 37.0) * std::f64::consts::TAU;
            // Noise that repeats after some hours.
            let noise = ((minute * 7_919 + n as i64 * 104_729) % 611) as f64 / 611.0;
            let load = 1_000.0 * (1.1 + day.sin()) * (0.85 + 0.3 * noise);
            let units = (1_000.0 * (1.1 + day.sin()) / 60.0).ceil().max(1.0);
            metrics.push(MetricSample {
                group: group.clone(),
                metric: "cpu".into(),
                at,
                value: (load / units).min(100.0),
            });
            capacity.push(CapacitySample {
                group: group.clone(),
                at,
                desired: units as u32,
                ready: units as u32,
                on_demand: units as u32,
                spot: 0,
                units: units as u32,
                on_demand_usd_per_hour: Some(0.1),
                spot_usd_per_hour: None,
            });
        }
        state.write(|tx| {
            tx.record_capacity(&capacity)?;
            tx.record_metrics(&metrics)
        })?;
    }
    Ok(())
}

fn best_of_three(directory: &Path) -> Result<f64, Box<dyn Error>> {
    let mut best = f64::INFINITY;
    for _ in 0..3 {
        best = best.min(run(directory, &["plan"])?);
    }
    Ok(best)
}
