//! The built binary with its state in a bucket: every run in a fresh directory, as on a bare CI runner.
#![cfg(feature = "aws")]

mod common;

use std::process::Child;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::Directory;
use serde_json::{Value, json};
use tideform_aws_testserver::{Account, AwsServer};

const FILES: &str = r#"
tideform {
  workspace = "shop"
  BACKEND
}

provider "aws" {}

policy "web" {
  metric "cpu" {
    track { target = 60 }
  }
  scale_out {
    cooldown = "10m"
  }
}

group "web" {
  provider = provider.aws
  use      = [policy.web]
  resource "asg" { name = "web-prod" }

  limits {
    min = 1
    max = 10
  }
  launch {
    launch_template = "web"
    subnets         = ["SUBNET"]
  }
}
"#;

const KEY: &str = "tideform/shop.db";

/// A bucket and a network, and files that use them.
struct Shop<'a> {
    account: Account<'a>,
    files: String,
}

impl Shop<'_> {
    fn new() -> Shop<'static> {
        let account = AwsServer::shared().account();
        let subnet = account.boto3(&format!(
            r#"
client("s3").create_bucket(Bucket="{}")
ec2 = client("ec2")
ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData={{"ImageId": "ami-12c6146b", "InstanceType": "m5.large"}})
out = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
"#,
            bucket(&account)
        ));
        let backend = format!("backend \"s3\" {{ bucket = \"{}\" }}", bucket(&account));
        let files = FILES
            .replace("SUBNET", subnet.as_str().expect("a subnet"))
            .replace("BACKEND", &backend);
        Shop { account, files }
    }

    /// With the group applied.
    fn applied() -> Shop<'static> {
        let shop = Shop::new();
        shop.runner().run(&["apply", "--auto-approve"]).exits(0);
        shop
    }

    /// A fresh checkout, with nothing but the files.
    fn runner(&self) -> Directory {
        self.runner_with(&self.files)
    }

    fn runner_with(&self, files: &str) -> Directory {
        let mut runner = Directory::with(&[("shop.hcl", files)]);
        for (name, value) in self.account.environment() {
            runner.set(&name, &value);
        }
        runner
    }

    fn desired(&self) -> Value {
        self.account.boto3(
            r#"
groups = client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
out = groups[0]["DesiredCapacity"] if groups else None
"#,
        )
    }

    /// Puts a load that three instances carry.
    fn load(&self) {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_secs();
        let minute = now - now % 60;
        let points: Vec<Value> = (1..=5).map(|n| json!([minute - n * 60, 180.0])).collect();
        self.account.metrics(json!([{
            "namespace": "AWS/EC2",
            "name": "CPUUtilization",
            "dimensions": { "AutoScalingGroupName": "web-prod" },
            "unit": "Percent",
            "points": points,
        }]));
    }

    /// Runs Python with `s3`, `bucket` and `key`.
    fn s3(&self, script: &str) -> Value {
        let bucket = bucket(&self.account);
        self.account.boto3(&format!(
            "s3, bucket, key = client(\"s3\"), \"{bucket}\", \"{KEY}\"\n{script}"
        ))
    }

    /// Waits until this holds: the log has a request when its answer is on the way.
    fn wait(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        }
    }

    /// Waits until a run has the lock, and has looked whether its copy is the newest.
    fn wait_for_lock(&self) {
        self.wait("a run with the lock", |shop| {
            let log = shop.account.log();
            let lock = format!("{KEY}.lock");
            let locked = log
                .iter()
                .position(|call| call["op"] == "PutObject" && call["params"]["Key"] == lock);
            locked.is_some_and(|n| {
                log[n..]
                    .iter()
                    .any(|call| call["op"] == "GetObject" && call["params"]["Key"] == KEY)
            })
        });
    }

    fn events(&self) -> String {
        self.runner().run(&["events"]).exits(0).stdout
    }

    fn writes(&self) -> Vec<String> {
        let log = self.account.log();
        log.iter()
            .filter(|call| call["service"] == "s3" && call["op"] == "PutObject")
            .map(|call| call["params"]["Key"].as_str().unwrap_or("").to_owned())
            .collect()
    }
}

fn bucket(account: &Account<'_>) -> String {
    format!("states-{}", account.id())
}

/// A run that goes on beside the test; killed with it.
struct Beside(Child);

impl Beside {
    fn start(runner: &Directory, arguments: &[&str]) -> Beside {
        Beside(runner.command(arguments).spawn().unwrap())
    }

    /// As `kill -9` does.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn finishes(mut self) -> bool {
        self.0.wait().unwrap().success()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn every_command_works_from_a_fresh_directory() {
    let shop = Shop::new();
    shop.account.clear_log();
    let init = shop.runner().run(&["init"]).exits(0).stdout;
    assert!(init.contains("made the state s3://states-"), "{init}");
    shop.runner().run(&["plan", "--detailed-exitcode"]).exits(2);
    shop.runner().run(&["apply", "--auto-approve"]).exits(0);
    let plan = shop.runner().run(&["plan", "--detailed-exitcode"]).exits(0);
    assert!(plan.stdout.contains("No changes."), "{}", plan.stdout);

    shop.load();
    shop.runner().run(&["reconcile", "--once"]).exits(0);
    assert_eq!(shop.desired(), json!(3));
    let why = shop.runner().run(&["explain", "web"]).exits(0).stdout;
    assert!(why.contains("1 -> 3"), "{why}");

    let pin = ["scale", "web", "5", "--for", "1h", "--reason", "a test"];
    shop.runner().run(&pin).exits(0);
    let list = shop.runner().run(&["overrides"]).exits(0).stdout;
    assert!(list.contains("a test"), "{list}");
    shop.runner().run(&["unpin", "web"]).exits(0);
    shop.runner().run(&["pause", "web"]).exits(0);
    shop.runner().run(&["resume", "web"]).exits(0);
    for read in [
        &["status"][..],
        &["cost"],
        &["state", "list"],
        &["state", "pull"],
        &["state", "check"],
        &["state", "backup", "copy.db"],
        &["reconcile", "--once", "--dry-run"],
    ] {
        shop.runner().run(read).exits(0);
    }

    let last = shop.runner();
    last.run(&["destroy", "--auto-approve"]).exits(0);
    assert_eq!(shop.desired(), Value::Null);
    let left: Vec<_> = std::fs::read_dir(last.file(".tideform/shared"))
        .unwrap()
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let actions: Vec<String> = shop
        .account
        .actions()
        .into_iter()
        .filter(|action| action.starts_with("s3:"))
        .collect();
    // The permissions that docs/state.md gives.
    assert_eq!(actions, ["s3:GetObject", "s3:PutObject"]);
    assert_eq!(shop.account.violations(), Vec::<Value>::new());
}

#[test]
fn reading_locks_nothing_and_writes_nothing() {
    let shop = Shop::applied();
    shop.account.clear_log();
    for read in ["plan", "status", "events", "overrides", "cost"] {
        shop.runner().run(&[read]).exits(0);
    }
    assert_eq!(shop.writes(), Vec::<String>::new());
}

#[test]
fn a_quiet_run_uploads_the_state_once() {
    let shop = Shop::applied();
    shop.account.clear_log();
    shop.runner().run(&["reconcile", "--once"]).exits(0);
    let lock = format!("{KEY}.lock");
    assert_eq!(shop.writes(), [lock.as_str(), KEY, lock.as_str()]);
}

#[test]
fn an_intent_is_in_the_bucket_before_its_call() {
    let shop = Shop::applied();
    shop.load();
    shop.account.clear_log();
    shop.runner().run(&["reconcile", "--once"]).exits(0);
    let log = shop.account.log();
    let calls: Vec<&str> = log
        .iter()
        .filter(|call| {
            call["op"] == "SetDesiredCapacity"
                || (call["op"] == "PutObject" && call["params"]["Key"] == KEY)
        })
        .filter_map(|call| call["op"].as_str())
        .collect();
    assert_eq!(calls, ["PutObject", "SetDesiredCapacity", "PutObject"]);
}

#[test]
fn where_the_intent_cannot_be_announced_nothing_is_called() {
    let shop = Shop::applied();
    shop.load();
    shop.account.clear_log();
    shop.account.faults(json!([{
        "service": "s3", "op": "PutObject", "match": { "Key": KEY }, "kind": "access_denied", "times": -1
    }]));
    let ran = shop.runner().run(&["reconcile", "--once"]).exits(1);
    assert!(ran.stderr.contains("s3:PutObject"), "{}", ran.stderr);
    assert_eq!(shop.account.count("autoscaling", "SetDesiredCapacity"), 0);
    shop.account.clear_faults();
    shop.runner().run(&["reconcile", "--once"]).exits(0);
    assert_eq!(shop.desired(), json!(3));
}

#[test]
fn an_apply_that_cannot_be_announced_changes_nothing() {
    let shop = Shop::new();
    shop.runner().run(&["init"]).exits(0);
    shop.account.faults(json!([{
        "service": "s3", "op": "PutObject", "match": { "Key": KEY }, "kind": "access_denied", "times": -1
    }]));
    let ran = shop.runner().run(&["apply", "--auto-approve"]).exits(1);
    assert!(ran.stderr.contains("s3:PutObject"), "{}", ran.stderr);
    assert_eq!(shop.desired(), Value::Null);
    shop.account.clear_faults();
    shop.runner().run(&["apply", "--auto-approve"]).exits(0);
    assert_eq!(shop.desired(), json!(1));
}

#[test]
fn credentials_are_those_of_the_profile_and_the_role_of_the_block() {
    let shop = Shop::new();
    let role = format!("arn:aws:iam::{}:role/states", shop.account.id());
    let files = shop
        .files
        .replace("provider \"aws\" {}", "provider \"aws\" { profile = \"ops\" }")
        .replace(
            "backend \"s3\" { ",
            &format!("backend \"s3\" {{\n profile = \"ops\"\n assume_role = \"{role}\"\n session_name = \"states\"\n "),
        )
        .replace("\" }\n}\n\nprovider", "\"\n }\n}\n\nprovider");
    let key = shop.account.access_key();
    let mut runner = Directory::with(&[
        ("shop.hcl", &files),
        (
            "keys",
            &format!(
                "[ops]\naws_access_key_id = {key}\naws_secret_access_key = test-secret-of-no-account\n"
            ),
        ),
    ]);
    for (name, value) in shop.account.environment() {
        if name == "AWS_SHARED_CREDENTIALS_FILE" {
            let file = runner.file("keys").display().to_string();
            runner.set(&name, &file);
        } else if !name.contains("ACCESS_KEY") {
            runner.set(&name, &value);
        }
    }
    shop.account.clear_log();
    runner.run(&["apply", "--auto-approve"]).exits(0);
    assert_eq!(shop.desired(), json!(1));
    let roles: Vec<Value> = shop
        .account
        .log()
        .into_iter()
        .filter(|call| call["op"] == "AssumeRole")
        .map(|call| call["params"]["RoleArn"].clone())
        .collect();
    assert!(
        !roles.is_empty() && roles.iter().all(|found| *found == json!(role)),
        "{roles:?}"
    );
}

#[test]
fn of_two_runs_at_once_one_is_refused_or_waits() {
    let shop = Shop::applied();
    shop.load();
    shop.account.clear_log();
    // The first one has the lock while it reads the groups.
    shop.account.faults(json!([{
        "service": "cloudwatch", "op": "GetMetricData", "kind": "delay", "delay_ms": 8000, "times": 1
    }]));
    let first = shop.runner();
    let first = Beside::start(&first, &["reconcile", "--once"]);
    shop.wait_for_lock();
    let second = shop.runner().run(&["reconcile", "--once"]).exits(4);
    assert!(
        second.stderr.contains("reconcile --once") && second.stderr.contains("process"),
        "{}",
        second.stderr
    );
    let third = shop.runner();
    third.run(&["pause", "web", "--reason", "waited"]).exits(0);
    assert!(first.finishes());
    assert_eq!(shop.desired(), json!(3));
    let events = shop.events();
    assert!(
        events.contains("waited") && events.contains("1 -> 3"),
        "{events}"
    );
}

#[test]
fn a_lock_of_a_run_that_died_ends_by_itself() {
    let shop = Shop::applied();
    shop.account.clear_log();
    shop.account.faults(json!([{
        "service": "cloudwatch", "op": "GetMetricData", "kind": "delay", "delay_ms": 60000, "times": 1
    }]));
    let mut dying = shop.runner();
    dying.set("TIDEFORM_TEST_LOCK_SECONDS", "2");
    let run = Beside::start(&dying, &["reconcile", "--once"]);
    shop.wait_for_lock();
    run.kill();
    let next = shop.runner();
    next.run(&["reconcile", "--once", "--lock-timeout", "60s"])
        .exits(0);
    let events = shop.events();
    assert!(events.contains("was taken from"), "{events}");
}

#[test]
fn what_a_run_that_died_began_is_settled_by_the_next() {
    let shop = Shop::applied();
    shop.load();
    shop.account.clear_log();
    // Done in the cloud, and its answer never seen.
    shop.account.faults(json!([{
        "service": "autoscaling", "op": "SetDesiredCapacity", "kind": "delay", "delay_ms": 60000, "when": "after",
        "times": 1
    }]));
    let dying = shop.runner();
    let run = Beside::start(&dying, &["reconcile", "--once"]);
    shop.wait("the call", |shop| shop.desired() == json!(3));
    run.kill();
    let held = shop.runner().run(&["reconcile", "--once"]).exits(4);
    assert!(held.stderr.contains("state unlock"), "{}", held.stderr);
    let freed = shop
        .runner()
        .run(&["state", "unlock", "--auto-approve"])
        .exits(0);
    assert!(freed.stdout.contains("free"), "{}", freed.stdout);
    shop.runner().run(&["reconcile", "--once"]).exits(0);
    assert_eq!(
        shop.desired(),
        json!(3),
        "the cooldown runs from the call of the run that died"
    );
    let state = shop.runner().run(&["state", "pull"]).exits(0).json();
    assert_eq!(state["open_intents"], json!([]));
    let moves = shop.events().matches("1 -> 3").count();
    assert_eq!(moves, 1, "{}", shop.events());
}

#[test]
fn an_upload_whose_answer_is_lost_is_found_to_be_there() {
    let shop = Shop::applied();
    for key in [KEY.to_owned(), format!("{KEY}.lock")] {
        for kind in ["drop", "internal"] {
            shop.account.faults(json!([{
                "service": "s3", "op": "PutObject", "match": { "Key": key }, "kind": kind, "when": "after", "times": 1
            }]));
            let reason = format!("{kind} of {key}");
            shop.runner()
                .run(&["pause", "web", "--reason", &reason])
                .exits(0);
            let list = shop.runner().run(&["overrides"]).exits(0).stdout;
            assert_eq!(list.matches(&reason).count(), 1, "{list}");
            shop.runner().run(&["resume", "web"]).exits(0);
            shop.account.clear_faults();
        }
    }
}

#[test]
fn what_somebody_else_uploaded_is_never_overwritten() {
    let shop = Shop::applied();
    shop.load();
    shop.account.clear_log();
    shop.account.faults(json!([{
        "service": "cloudwatch", "op": "GetMetricData", "kind": "delay", "delay_ms": 5000, "times": 1
    }]));
    let runner = shop.runner();
    let child = runner.command(&["reconcile", "--once"]).spawn().unwrap();
    shop.wait_for_lock();
    shop.s3(r#"s3.put_object(Bucket=bucket, Key=key, Body=b"somebody else's")"#);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("not overwritten"), "{said}");
    assert_eq!(
        shop.desired(),
        json!(1),
        "nothing is called that is not announced"
    );
    let there = shop.s3(r#"out = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()"#);
    assert_eq!(there, json!("somebody else's"));

    let kept: Vec<_> = std::fs::read_dir(runner.file(".tideform"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("unpublished") && name.ends_with(".db"))
        .collect();
    let [kept] = &kept[..] else {
        panic!("{kept:?}\n{said}");
    };
    let kept = format!(".tideform/{kept}");
    assert!(said.contains(&kept), "{said}");
    let refused = runner.run(&["state", "push", &kept]).exits(1);
    assert!(!refused.stderr.is_empty());
    runner.run(&["state", "push", "--force", &kept]).exits(0);
    shop.runner().run(&["status"]).exits(0);
}

#[test]
fn a_copy_that_could_not_be_uploaded_can_be_pushed_while_nobody_else_has_worked() {
    let shop = Shop::applied();
    shop.account.faults(json!([{
        "service": "s3", "op": "PutObject", "match": { "Key": KEY }, "kind": "access_denied", "times": -1
    }]));
    let runner = shop.runner();
    let failed = runner.run(&["pause", "web", "--reason", "kept"]).exits(1);
    shop.account.clear_faults();
    let line = failed.stderr.replace('\n', " ");
    let start = line.find("state push ").expect("the command") + "state push ".len();
    let file = line[start..].split('`').next().unwrap().trim();
    runner.run(&["state", "push", file]).exits(0);
    let list = shop.runner().run(&["overrides"]).exits(0).stdout;
    assert!(list.contains("kept"), "{list}");
}

#[test]
fn a_damaged_object_is_refused_and_a_cut_answer_is_read_again() {
    let shop = Shop::applied();
    shop.account.faults(json!([{
        "service": "s3", "op": "GetObject", "match": { "Key": KEY }, "kind": "truncate", "times": 2
    }]));
    shop.runner().run(&["status"]).exits(0);
    shop.account.clear_faults();
    shop.s3(r#"
found = s3.get_object(Bucket=bucket, Key=key)
body = bytearray(found["Body"].read())
body[len(body) // 2] ^= 255
s3.put_object(Bucket=bucket, Key=key, Body=bytes(body), Metadata=found["Metadata"])
"#);
    for command in [&["status"][..], &["reconcile", "--once"], &["plan"]] {
        let ran = shop.runner().run(command).exits(1);
        assert!(ran.stderr.contains("damaged"), "{}", ran.stderr);
    }
}

#[test]
fn a_state_that_was_deleted_is_not_made_anew_over_what_runs() {
    let shop = Shop::applied();
    let copy = shop.runner();
    copy.run(&["state", "backup", "copy.db"]).exits(0);
    shop.s3("s3.delete_object(Bucket=bucket, Key=key)");
    let loop_ = shop.runner().run(&["reconcile", "--once"]).exits(1);
    assert!(loop_.stderr.contains("No state here"), "{}", loop_.stderr);
    let apply = shop.runner().run(&["apply", "--auto-approve"]).exits(1);
    assert!(apply.stderr.contains("state"), "{}", apply.stderr);
    copy.run(&["state", "push", "copy.db"]).exits(0);
    shop.runner().run(&["plan", "--detailed-exitcode"]).exits(0);
}

#[test]
fn refusals_of_the_bucket_name_the_permission_and_show_no_secret() {
    let shop = Shop::applied();
    let cases = [
        ("expired_token", "GetObject", "ExpiredToken"),
        ("access_denied", "GetObject", "s3:GetObject"),
        ("access_denied", "PutObject", "s3:PutObject"),
    ];
    for (kind, op, expected) in cases {
        shop.account.faults(json!([{
            "service": "s3", "op": op, "kind": kind, "times": -1
        }]));
        let ran = shop.runner().run(&["pause", "web"]).exits(1);
        assert!(ran.stderr.contains(expected), "{kind}: {}", ran.stderr);
        assert!(!ran.stderr.contains("test-secret"), "{}", ran.stderr);
        shop.account.clear_faults();
    }
    let other = shop.files.replace("bucket = \"states-", "bucket = \"none-");
    let ran = shop.runner_with(&other).run(&["status"]).exits(1);
    assert!(ran.stderr.contains("No such bucket"), "{}", ran.stderr);
}

#[test]
fn a_state_moves_into_the_bucket_and_back() {
    let shop = Shop::new();
    let local = shop.files.replace("backend \"s3\"", "# backend \"s3\"");
    let home = shop.runner_with(&local);
    home.run(&["apply", "--auto-approve"]).exits(0);
    home.write("shop.hcl", &shop.files);
    let refused = home.run(&["plan"]).exits(1);
    assert!(
        refused.stderr.contains("--migrate-state"),
        "{}",
        refused.stderr
    );
    home.run(&["init", "--migrate-state"]).exits(0);
    home.run(&["plan", "--detailed-exitcode"]).exits(0);
    shop.runner().run(&["plan", "--detailed-exitcode"]).exits(0);
    shop.runner()
        .run(&["pause", "web", "--reason", "shared"])
        .exits(0);

    home.write("shop.hcl", &local);
    home.run(&["init", "--migrate-state"]).exits(0);
    let list = home.run(&["overrides"]).exits(0).stdout;
    assert!(list.contains("shared"), "{list}");
    home.run(&["reconcile", "--once"]).exits(0);
    let events = home.run(&["events"]).exits(0).stdout;
    assert!(!events.contains("lease was taken"), "{events}");
}

#[test]
fn a_daemon_lets_others_work_between_its_runs() {
    let shop = Shop::applied();
    shop.account.clear_log();
    let home = shop.runner();
    let daemon = Beside::start(&home, &["reconcile", "--interval", "1s"]);
    shop.wait_for_lock();
    shop.runner()
        .run(&["pause", "web", "--reason", "between"])
        .exits(0);
    let began = Instant::now();
    // Each upload of the daemon carries the override on.
    let puts = shop.writes().len();
    while shop.writes().len() < puts + 9 {
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "no more uploads"
        );
    }
    daemon.kill();
    let list = shop.runner().run(&["overrides"]).exits(0).stdout;
    assert!(list.contains("between"), "{list}");
}
