//! What a run costs, whatever the machine's mood: its instructions, and its own time on a processor.

use std::process::Command;
use std::time::Duration;

/// The instructions of this program when it is given these arguments. Valgrind counts them.
///
/// Take the difference of two runs of different length, so that start-up does not count.
#[allow(dead_code, reason = "some only measure time")]
pub(crate) fn instructions(arguments: &[&str]) -> Result<u64, String> {
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(this)
        .args(arguments)
        .output()
        .map_err(|error| {
            format!(
                "valgrind could not be started ({error}); it counts the instructions, so install it \
                 (`apt-get install valgrind`), or run the benches `decide`, `simulate` and `optimum`, which need nothing"
            )
        })?;
    let said = String::from_utf8_lossy(&output.stderr);
    said.lines()
        .find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok())
        .filter(|_| output.status.success())
        .ok_or_else(|| format!("valgrind failed: {said}"))
}

/// The least that one of several runs takes of a processor.
#[allow(dead_code, reason = "some only count")]
pub(crate) fn least_cpu(runs: u32, mut run: impl FnMut()) -> Duration {
    let costs = (0..runs).map(|_| {
        let before = cpu();
        run();
        cpu().saturating_sub(before)
    });
    costs.min().unwrap_or_default()
}

/// The time that this process has been on a processor, in its own code.
fn cpu() -> Duration {
    use nix::sys::resource::{UsageWho, getrusage};
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Duration::ZERO;
    };
    let time = usage.user_time();
    let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
    let micros = u64::try_from(time.tv_usec()).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_micros(micros)
}
