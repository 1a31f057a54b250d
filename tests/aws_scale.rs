//! A thousand groups on AWS: how many calls the built binary makes, and what it takes of the machine.
#![cfg(feature = "aws")]

mod common;

use std::collections::BTreeMap;
use std::process::Command;

use common::Directory;
use serde_json::{Value, json};
use tideform_aws_testserver::{Account, AwsServer};

const FILES: &str = r#"
tideform {
  workspace = "shop"
}

provider "aws" {}

policy "web" {
  metric "cpu" {
    track { target = 60 }
  }
}

group "web" {
  for_each = toset([for n in range(1, 1001) : format("web-%05d", n)])
  provider = provider.aws
  use      = [policy.web]
  coexist  = true
  resource "asg" { name = each.key }
  limits {
    min = 1
    max = 10
  }
}
"#;

/// What a process took.
struct Taken {
    peak_mib: f64,
    cpu_s: f64,
    stdout: String,
}

/// Runs the binary under a Python that has no other child, and asks the operating system about it.
fn measured(directory: &Directory, arguments: &[&str]) -> Taken {
    const MEASURE: &str = "
import json, resource, subprocess, sys
ran = subprocess.run(sys.argv[1:], capture_output=True, text=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
peak = used.ru_maxrss / (1024 if sys.platform == 'darwin' else 1)
print(json.dumps([ran.returncode, ran.stdout, ran.stderr, peak / 1024, used.ru_utime + used.ru_stime]))
";
    let inner = directory.command(arguments);
    let mut command = Command::new(tideform_aws_testserver::python());
    command
        .args(["-B", "-c", MEASURE])
        .arg(inner.get_program())
        .args(inner.get_args())
        .current_dir(directory.path())
        .env_clear()
        .envs(
            inner
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        );
    let output = command.output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(answer[0], 0, "{}{}", answer[1], answer[2]);
    Taken {
        peak_mib: answer[3].as_f64().unwrap(),
        cpu_s: answer[4].as_f64().unwrap(),
        stdout: answer[1].as_str().unwrap().to_owned(),
    }
}

fn shop(account: &Account<'_>) -> Directory {
    let mut directory = Directory::with(&[("shop.hcl", FILES)]);
    for (name, value) in account.environment() {
        directory.set(&name, &value);
    }
    directory
}

/// The calls of an account so far, by operation.
fn calls(account: &Account<'_>) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    for call in account.log() {
        let op = call["op"].as_str().unwrap_or_default().to_owned();
        *calls.entry(op).or_default() += 1;
    }
    calls
}

#[test]
fn a_thousand_groups_are_planned_in_sixty_calls_and_two_hundred_megabytes() {
    let account = AwsServer::shared().account();
    account.seed_groups(json!({
        "count": 1000, "prefix": "web", "group": { "MinSize": 1 },
    }));
    let shop = shop(&account);
    account.clear_log();
    let taken = measured(&shop, &["plan", "--json"]);
    let plan: Value = serde_json::from_str(&taken.stdout).unwrap();
    let groups = plan["groups"].as_array().map_or(0, Vec::len);
    assert_eq!(
        groups,
        1000,
        "{}",
        &taken.stdout[..taken.stdout.len().min(2000)]
    );
    let calls = calls(&account);
    let count: usize = calls.values().sum();
    show(&format!(
        "{count} calls, {:.2} CPU s, {:.0} MiB",
        taken.cpu_s, taken.peak_mib
    ));
    assert!(count <= 60, "{count} calls: {calls:?}");
    assert!(taken.peak_mib < 200.0, "{:.0} MiB", taken.peak_mib);
    // The time is the emulator's; our own is to stay in the order of a second, in a debug build too.
    assert!(taken.cpu_s < 20.0, "{:.1} CPU s", taken.cpu_s);
    assert_eq!(account.violations(), Vec::<Value>::new());
}

#[expect(
    clippy::print_stdout,
    reason = "figures for docs/performance.md, with --nocapture"
)]
fn show(line: &str) {
    println!("{line}");
}
