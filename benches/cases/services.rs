//! A directory of many groups under one policy, and the built binary in it.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// How the groups of a fleet are.
pub(crate) struct Services<'a> {
    /// How many.
    pub(crate) groups: usize,
    /// The time at which the mock cloud's clock stands.
    pub(crate) start: &'a str,
    /// What stands in the policy besides its warmup.
    pub(crate) policy: &'a str,
    /// How long an instance boots.
    pub(crate) boot: &'a str,
    /// The most instances of a group.
    pub(crate) max: u32,
}

/// The file of a fleet.
pub(crate) fn hcl(services: &Services<'_>) -> Result<String, std::fmt::Error> {
    let Services {
        groups,
        start,
        policy,
        boot,
        max,
    } = services;
    let mut text = format!(
        r#"
provider "mock" {{
  clock = "stepped"
  start = "{start}"
}}

policy "service" {{
  warmup = "1m"
{policy}
}}
"#
    );
    for n in 0..*groups {
        write!(
            text,
            r#"
group "service-{n}" {{
  provider = provider.mock
  use      = [policy.service]
  resource "asg" {{ name = "service-{n}" }}
  launch {{
    boot       = "{boot}"
    throughput = 100
  }}
  limits {{
    min = 1
    max = {max}
  }}
  instance {{ price_usd_per_hour = 0.1 }}
}}
"#
        )?;
    }
    Ok(text)
}

/// Runs the built binary; how long it took, in seconds.
pub(crate) fn run(directory: &Path, arguments: &[&str]) -> Result<f64, Box<dyn Error>> {
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
    Ok(seconds)
}

/// How many groups the arguments ask for.
pub(crate) fn asked(usual: usize) -> usize {
    std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(usual)
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
pub(crate) fn report(line: &str) {
    println!("{line}");
}
