//! `tideform reconcile` as a process: one at a time, beside other commands, over what was applied.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Child;
use std::time::Duration;

use common::Directory;
use tideform_mock::admin::Admin;

fn shop(clock: &str, max: u32) -> String {
    format!(
        r#"
provider "mock" {{
  clock = "{clock}"
  load "default" {{ formula = "360" }}
}}

group "web" {{
  provider = provider.mock
  warmup   = "0s"
  resource "asg" {{ name = "web" }}
  metric "cpu" {{
    track {{ target = 60 }}
  }}
  launch {{
    boot       = "60s"
    throughput = 100
  }}
  limits {{
    min = 4
    max = {max}
  }}
}}
"#
    )
}

fn admin(directory: &Directory) -> Admin {
    Admin::open(&directory.file(".tideform/mock.world")).unwrap()
}

fn desired(directory: &Directory) -> u32 {
    admin(directory)
        .show_group("web")
        .unwrap()
        .unwrap()
        .live
        .desired
}

/// A shop in stepped time, applied, with its first instances in service.
fn applied() -> Directory {
    let directory = Directory::with(&[("shop.hcl", &shop("stepped", 20))]);
    directory.run(&["apply", "--auto-approve"]).exits(0);
    admin(&directory).advance(Duration::from_secs(300)).unwrap();
    directory
}

/// A daemon that is ended with the value.
struct Daemon {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Daemon {
    /// Starts one on a shop in real time, and waits for its first run.
    fn start(directory: &Directory, arguments: &[&str]) -> Daemon {
        let mut child = directory
            .command(&[&["reconcile", "--interval", "1h", "--json"], arguments].concat())
            .spawn()
            .unwrap();
        let stdout = child.stdout.take().unwrap();
        let mut daemon = Daemon {
            child,
            lines: BufReader::new(stdout).lines(),
        };
        let first = daemon.lines.next().expect("a first run").unwrap();
        assert!(first.contains(r#""run":1"#), "{first}");
        daemon
    }

    fn terminate(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        let sent = std::process::Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap();
        assert!(sent.success());
        let status = self.child.wait().unwrap();
        let mut said = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut said)
            .unwrap();
        (status.code(), said)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_second_loop_says_who_holds_the_lease_and_leaves() {
    let directory = Directory::with(&[("shop.hcl", &shop("real", 20))]);
    directory.run(&["apply", "--auto-approve"]).exits(0);
    let daemon = Daemon::start(&directory, &[]);
    let pid = daemon.child.id();
    for arguments in [
        &["reconcile", "--once"][..],
        &["reconcile", "--interval", "1h"],
    ] {
        let second = directory.run(arguments).exits(4);
        assert!(
            second.stderr.contains(&format!("process {pid} on ")),
            "{}",
            second.stderr
        );
        assert!(
            second.stderr.contains("reconcile --interval 1h"),
            "{}",
            second.stderr
        );
    }
    // A dry run changes nothing, so it disturbs nobody.
    directory
        .run(&["reconcile", "--once", "--dry-run"])
        .exits(0);
    let (code, _) = daemon.terminate();
    assert_eq!(code, Some(0), "asked to stop is not a failure");
    directory.run(&["reconcile", "--once"]).exits(0);
}

#[test]
fn an_apply_gets_in_between_the_ticks_of_a_daemon_and_a_pause_at_any_time() {
    let directory = Directory::with(&[("shop.hcl", &shop("real", 20))]);
    directory.run(&["apply", "--auto-approve"]).exits(0);
    let daemon = Daemon::start(&directory, &[]);
    directory.run(&["pause", "web", "--for", "1h"]).exits(0);
    directory.write("shop.hcl", &shop("real", 9));
    directory
        .run(&["apply", "--auto-approve", "--lock-timeout", "60s"])
        .exits(0);
    let max = admin(&directory)
        .show_group("web")
        .unwrap()
        .unwrap()
        .live
        .attributes
        .limits
        .max();
    assert_eq!(max.get(), 9);
    let (code, said) = daemon.terminate();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn editing_a_file_without_an_apply_changes_nothing_that_the_loop_does() {
    let directory = applied();
    directory.write("shop.hcl", &shop("stepped", 5));
    directory.run(&["reconcile", "--once"]).exits(0);
    assert_eq!(desired(&directory), 6, "the limit of 5 was not applied");
    directory.write("shop.hcl", "this is no configuration {");
    admin(&directory).advance(Duration::from_secs(60)).unwrap();
    directory.run(&["reconcile", "--once"]).exits(0);
    std::fs::remove_file(directory.file("shop.hcl")).unwrap();
    admin(&directory).advance(Duration::from_secs(60)).unwrap();
    directory.run(&["reconcile", "--once"]).exits(0);
}

#[test]
fn a_dry_run_prints_what_it_would_do_and_does_not() {
    let directory = applied();
    let ran = directory
        .run(&["reconcile", "--once", "--dry-run"])
        .exits(0);
    assert!(ran.stdout.contains("4 -> 6"), "{}", ran.stdout);
    assert_eq!(desired(&directory), 4);
    let ran = directory.run(&["reconcile", "--once"]).exits(0);
    assert!(ran.stdout.contains("4 -> 6"), "{}", ran.stdout);
    assert_eq!(desired(&directory), 6);
}

#[test]
fn a_daemon_in_stepped_time_moves_the_world_by_its_interval() {
    let directory = applied();
    let before = admin(&directory).now().unwrap();
    directory
        .run(&["reconcile", "--interval", "1m", "--ticks", "10"])
        .exits(0);
    assert_eq!(
        admin(&directory).now().unwrap(),
        before + Duration::from_secs(9 * 60)
    );
    assert_eq!(desired(&directory), 6);
}

#[test]
fn a_loop_over_nothing_says_so() {
    let directory = Directory::empty();
    let ran = directory.run(&["reconcile", "--once"]).exits(1);
    assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("apply"),
        "it says what to do: {}",
        ran.stderr
    );
}

#[test]
fn a_group_that_is_gone_fails_the_run_and_names_it() {
    let directory = applied();
    admin(&directory).delete_group("web").unwrap();
    let ran = directory.run(&["reconcile", "--once"]).exits(1);
    assert!(ran.stderr.contains("group.web"), "{}", ran.stderr);
    assert!(ran.stderr.contains("does not exist"), "{}", ran.stderr);
}

#[test]
fn a_daemon_answers_for_its_metrics_and_its_health() {
    let directory = Directory::with(&[("shop.hcl", &shop("real", 20))]);
    directory.run(&["apply", "--auto-approve"]).exits(0);
    // A port that was free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let daemon = Daemon::start(&directory, &["--listen", &address.to_string()]);
    let ask = |path: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask("/healthz").starts_with("HTTP/1.1 200 OK"));
    assert!(ask("/readyz").starts_with("HTTP/1.1 200 OK"));
    let metrics = ask("/metrics");
    for line in [
        r#"tideform_desired_capacity{group="group.web"} 4"#,
        r#"tideform_decisions_total{group="group.web",direction="hold"} 1"#,
        "tideform_ticks_total 1",
        "tideform_lease_held 1",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
    let (code, _) = daemon.terminate();
    assert_eq!(code, Some(0));
}
