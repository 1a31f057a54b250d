//! Ten thousand groups in one directory: `validate`, `apply`, a `plan` without changes, and a tick of the loop, each as
//! a whole process, with its time and its peak memory.
//!
//! ```text
//! cargo bench --no-default-features --bench fleet [-- GROUPS]
//! ```
//!
//! Times are for reading, not for tests: they depend on the machine's mood.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let groups: usize = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(10_000);
    let directory = tempfile::tempdir()?;
    std::fs::write(directory.path().join("fleet.hcl"), fleet(groups)?)?;
    let bytes = std::fs::metadata(directory.path().join("fleet.hcl"))?.len();
    report(&format!("{groups} groups, {bytes} bytes of HCL"));
    report("command                                seconds   peak MiB");
    run(directory.path(), &["validate"])?;
    run(directory.path(), &["plan"])?;
    run(directory.path(), &["apply", "--auto-approve"])?;
    run(directory.path(), &["plan", "--detailed-exitcode"])?;
    run(directory.path(), &["reconcile", "--once"])?;
    run(directory.path(), &["mock", "advance", "1m"])?;
    run(directory.path(), &["reconcile", "--once"])?;
    run(
        directory.path(),
        &["reconcile", "--interval", "1m", "--ticks", "10"],
    )?;
    Ok(())
}

/// A file with a shared policy and so many groups.
fn fleet(groups: usize) -> Result<String, std::fmt::Error> {
    let mut text = String::from(
        r#"
provider "mock" {
  clock = "stepped"
  start = "2026-01-05T12:00:00Z"
}

policy "service" {
  warmup = "1m"
  metric "cpu" {
    track { target = 60 }
  }
  scale_in {
    cooldown = "5m"
  }
}
"#,
    );
    for n in 0..groups {
        write!(
            text,
            r#"
group "service-{n}" {{
  provider = provider.mock
  use      = [policy.service]
  resource "asg" {{ name = "service-{n}" }}
  launch {{
    boot       = "60s"
    throughput = 100
  }}
  limits {{
    min = 1
    max = 10
  }}
  instance {{ price_usd_per_hour = 0.1 }}
}}
"#
        )?;
    }
    Ok(text)
}

/// Runs the built binary, and prints its time and the largest memory that any command needed so far.
fn run(directory: &Path, arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let output = Command::new(env!("CARGO_BIN_EXE_tideform"))
        .args(arguments)
        .current_dir(directory)
        .env("TIDEFORM_ACTOR", "bench")
        .output()?;
    let seconds = started.elapsed().as_secs_f64();
    if !output.status.success() {
        return Err(format!(
            "`tideform {}` failed: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        )
        .into());
    }
    let peak =
        nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN)?.max_rss();
    report(&format!(
        "{:<38} {seconds:>7.2} {:>10.0}",
        arguments.join(" "),
        peak as f64 / 1024.0
    ));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn report(line: &str) {
    println!("{line}");
}
