//! Ten thousand groups in one directory: `validate`, `apply`, a `plan` without changes, and a tick of the loop, each as
//! a whole process, with its time and its peak memory.
//!
//! ```text
//! cargo bench --no-default-features --bench fleet [-- GROUPS]
//! ```
//!
//! Times are for reading, not for tests: they depend on the machine's mood.

#[path = "cases/services.rs"]
mod services;

use std::error::Error;
use std::path::Path;

use services::{Services, report};

/// When the mock cloud's clock begins.
const START: &str = "2026-01-05T12:00:00Z";
const POLICY: &str = r#"
  metric "cpu" {
    track { target = 60 }
  }
  scale_in {
    cooldown = "5m"
  }
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let groups = services::asked(10_000);
    let directory = tempfile::tempdir()?;
    let hcl = services::hcl(&Services {
        groups,
        start: START,
        policy: POLICY,
        boot: "60s",
        max: 10,
    })?;
    std::fs::write(directory.path().join("fleet.hcl"), &hcl)?;
    report(&format!("{groups} groups, {} bytes of HCL", hcl.len()));
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

/// Runs the built binary, and prints its time and the largest memory that any command needed so far.
fn run(directory: &Path, arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    let seconds = services::run(directory, arguments)?;
    let peak =
        nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN)?.max_rss();
    report(&format!(
        "{:<38} {seconds:>7.2} {:>10.0}",
        arguments.join(" "),
        peak as f64 / 1024.0
    ));
    Ok(())
}
