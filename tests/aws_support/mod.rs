//! A stage for the built binary in an account of the AWS API server: one group, time that only passes when told to.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses its part of it"
)]

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tideform_aws_testserver::{Account, AwsServer};
use tideform_state::{Event, EventFilter, OpenMode, State};

use crate::common::{Directory, Ran};

/// The name of the group in AWS; `group.web` in the files.
pub const NAME: &str = "web-prod";

/// The binary, its files, and the account that it works in. Both run by one clock.
pub struct Stage {
    pub account: Account<'static>,
    pub directory: Directory,
    pub now: Timestamp,
}

impl Stage {
    /// With these files, in an account with the launch template `web`.
    pub fn new(files: &str) -> Stage {
        let account = AwsServer::shared().account();
        account.boto3(
            r#"
client("ec2").create_launch_template(LaunchTemplateName="web",
    LaunchTemplateData={"ImageId": "ami-12c6146b", "InstanceType": "m5.large"})
"#,
        );
        let mut directory = Directory::with(&[("shop.hcl", files)]);
        for (name, value) in account.environment() {
            directory.set(&name, &value);
        }
        // Half a minute into the minute, so that one period of every metric is still open.
        let second = Timestamp::now().as_second();
        let now = Timestamp::from_second(second - second.rem_euclid(60) + 30).unwrap();
        let mut stage = Stage {
            account,
            directory,
            now,
        };
        stage.set_clock();
        stage
    }

    fn set_clock(&mut self) {
        self.account.stop_clock(&self.now.to_string());
        self.directory
            .set("TIDEFORM_TEST_NOW", &self.now.to_string());
    }

    /// Lets time pass, here and there.
    pub fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
        self.set_clock();
    }

    /// Makes the group, with `more` members, and lets it be half an hour old.
    pub fn group(&mut self, desired: u32, more: &str) {
        self.account.boto3(&format!(
            r#"
members = dict(AutoScalingGroupName="{NAME}", MinSize=1, MaxSize=10, DesiredCapacity={desired}, AvailabilityZones=["us-east-1a"],
    LaunchTemplate={{"LaunchTemplateName": "web", "Version": "$Default"}})
members.update({{{more}}})
if "MixedInstancesPolicy" in members:
    members.pop("LaunchTemplate")
client("autoscaling").create_auto_scaling_group(**members)
"#
        ));
        self.pass(1800);
    }

    /// Asks Auto Scaling for something, with a client that is not this project's. `G` is the group's name.
    #[track_caller]
    pub fn scaling(&self, script: &str) -> Value {
        self.account.boto3(&format!(
            "scaling, cloudwatch, G = client('autoscaling'), client('cloudwatch'), '{NAME}'\n{script}"
        ))
    }

    pub fn write(&self, files: &str) {
        self.directory.write("shop.hcl", files);
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.directory.run(arguments)
    }

    #[track_caller]
    pub fn apply(&self) -> Ran {
        self.run(&["apply", "--auto-approve"]).exits(0)
    }

    /// One run of the loop, a minute after the last.
    #[track_caller]
    pub fn reconcile(&mut self) -> Ran {
        self.pass(60);
        self.run(&["reconcile", "--once"]).exits(0)
    }

    /// Plans, and fails unless there is nothing to do.
    #[track_caller]
    pub fn plans_nothing(&self) {
        let plan = self.run(&["plan", "--detailed-exitcode"]);
        assert!(
            plan.code == Some(0) && plan.stdout.contains("No changes."),
            "{}\n{}",
            plan.stdout,
            plan.stderr
        );
    }

    /// Puts the same value for each of the last minutes.
    pub fn metric(&self, namespace: &str, name: &str, dimensions: &Value, value: f64) {
        let minute = self.now.as_second() - self.now.as_second().rem_euclid(60);
        let points: Vec<Value> = (0..=10).map(|n| json!([minute - n * 60, value])).collect();
        self.account.metrics(json!([{
            "namespace": namespace, "name": name, "dimensions": dimensions, "points": points,
        }]));
    }

    /// One run of the loop after minutes at this CPU.
    #[track_caller]
    pub fn reconcile_at(&mut self, cpu: f64) -> Ran {
        // Older minutes had other values: none of them is looked at any more.
        self.pass(900);
        self.cpu(cpu);
        self.run(&["reconcile", "--once"]).exits(0)
    }

    /// Minutes at this CPU.
    pub fn cpu(&self, cpu: f64) {
        let group = json!({ "AutoScalingGroupName": NAME });
        self.metric("AWS/EC2", "CPUUtilization", &group, cpu);
    }

    #[track_caller]
    pub fn desired(&self) -> Value {
        self.scaling("out = scaling.describe_auto_scaling_groups()['AutoScalingGroups'][0]['DesiredCapacity']")
    }

    /// The instances that are there, oldest first.
    #[track_caller]
    pub fn instances(&self) -> Vec<String> {
        let ids = self.scaling(
            r#"
group = scaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
there = [i["InstanceId"] for i in group["Instances"] if not i["LifecycleState"].startswith("Terminat")]
machines = [i for r in client("ec2").describe_instances(InstanceIds=there)["Reservations"] for i in r["Instances"]] if there else []
out = [i["InstanceId"] for i in sorted(machines, key=lambda i: i["LaunchTime"])]
"#,
        );
        ids.as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_str().unwrap().to_owned())
            .collect()
    }

    /// What was asked for with this operation so far: a parameter of each request that was answered well.
    #[track_caller]
    pub fn asked(&self, op: &str, parameter: &str) -> Vec<Value> {
        self.account
            .log()
            .iter()
            .filter(|entry| entry["op"] == op && entry["status"] == 200)
            .map(|entry| entry["params"][parameter].clone())
            .collect()
    }

    pub fn state(&self) -> State {
        let path = self.directory.file(".tideform/shop.db");
        State::open(path, OpenMode::ReadOnly).unwrap()
    }

    pub fn events(&self) -> Vec<Event> {
        self.state().events(&EventFilter::default()).unwrap()
    }

    /// How many events say this.
    pub fn said(&self, text: &str) -> usize {
        let events = self.events();
        events.iter().filter(|e| e.text.contains(text)).count()
    }

    /// What every test ends with: nothing was sent that AWS's own models forbid.
    #[track_caller]
    pub fn no_violations(&self) {
        assert_eq!(self.account.violations(), Vec::<Value>::new());
    }
}

/// A text that must be in another one, however its lines are broken and its columns set.
#[track_caller]
pub fn has(text: &str, wanted: &str) {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words(text).contains(&words(wanted)),
        "no `{wanted}` in:\n{text}"
    );
}
