//! Each feature of `controller = "native"`, by the built binary: applied, read back with boto3, compared field by field
//! with the document of its name in `tests/aws_native/`, planned again without changes; then changed, and all of it once
//! more. And what AWS cannot say is an error at its line.
//!
//! `TIDEFORM_BLESS=1` writes the documents anew: read them before they are kept.
#![cfg(feature = "aws")]

mod common;
#[path = "aws_native/overrides.rs"]
mod overrides;

use common::{Directory, Ran};
use serde_json::{Value, json};
use tideform_aws_testserver::{Account, AwsServer};

/// A Friday. Berlin is at UTC+1, New York at UTC-5.
const NOW: &str = "2026-11-20T12:00:00Z";

/// A template, a target group behind a balancer, and the group `web-prod` on both: 1 to 20, 2 desired.
const BASE: &str = r#"
ec2, elb, asg = client("ec2"), client("elbv2"), client("autoscaling")
data = {"ImageId": "ami-12c6146b", "InstanceType": "m5.large"}
template = ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)["LaunchTemplate"]
ec2.create_launch_template_version(LaunchTemplateName="web", LaunchTemplateData=data)
subnets = sorted(ec2.describe_subnets()["Subnets"], key=lambda s: s["AvailabilityZone"])[:2]
group = elb.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=subnets[0]["VpcId"])["TargetGroups"][0]
balancer = elb.create_load_balancer(Name="shop", Subnets=[s["SubnetId"] for s in subnets])["LoadBalancers"][0]
elb.create_listener(LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=80,
    DefaultActions=[{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}])
asg.create_auto_scaling_group(AutoScalingGroupName="web-prod", MinSize=1, MaxSize=20, DesiredCapacity=2,
    LaunchTemplate={"LaunchTemplateName": "web", "Version": "$Default"},
    VPCZoneIdentifier=",".join(s["SubnetId"] for s in subnets), TargetGroupARNs=[group["TargetGroupArn"]])
out = {"template": template["LaunchTemplateId"], "subnet": subnets[0]["SubnetId"]}
"#;

/// All that AWS shows of a group's scaling, without what differs from run to run.
const READ: &str = r#"
import re
asg, cw = client("autoscaling"), client("cloudwatch")
noise = {"PolicyARN", "AutoScalingGroupName", "ScheduledActionARN", "Alarms", "AlarmArn", "AlarmName", "PolicyName", "Time",
    "ScheduledActionName", "AlarmConfigurationUpdatedTimestamp", "StateUpdatedTimestamp", "StateReason", "StateValue",
    "StateReasonData", "StateTransitionedTimestamp", "AlarmActions", "LaunchTemplateId", "GlobalTimeout"}
def clean(x):
    if isinstance(x, dict):
        return {k: clean(v) for k, v in x.items() if k not in noise and v not in (None, [], {})}
    if isinstance(x, list):
        return [clean(v) for v in x]
    if isinstance(x, datetime.datetime):
        return x.strftime("%Y-%m-%dT%H:%M:%SZ")
    return re.sub(r"/[0-9a-f]{16}", "/ID", x) if isinstance(x, str) else x
group = asg.describe_auto_scaling_groups(AutoScalingGroupNames=["web-prod"])["AutoScalingGroups"][0]
keep = ["MinSize", "MaxSize", "DesiredCapacity", "DefaultInstanceWarmup", "CapacityRebalance", "TerminationPolicies",
    "InstanceMaintenancePolicy", "MixedInstancesPolicy", "LaunchTemplate", "EnabledMetrics"]
policies = {p["PolicyName"]: p for p in asg.describe_policies(AutoScalingGroupName="web-prod")["ScalingPolicies"]}
alarms = {a["AlarmName"]: a for a in cw.describe_alarms(AlarmNamePrefix="tideform/")["MetricAlarms"]}
actions = {a["ScheduledActionName"]: a for a in asg.describe_scheduled_actions(AutoScalingGroupName="web-prod", MaxRecords=100)["ScheduledUpdateGroupActions"]}
for a in actions.values():
    if a.get("Recurrence"):
        a.pop("StartTime", None)
for name, a in alarms.items():
    assert a["AlarmActions"] == [policies[name]["PolicyARN"]], a
out = {
    "group": clean({k: group[k] for k in keep if k in group}) | {"Suspended": sorted(p["ProcessName"] for p in group["SuspendedProcesses"])},
    "policies": clean(policies), "alarms": clean(alarms), "actions": clean(actions),
    "hooks": clean(asg.describe_lifecycle_hooks(AutoScalingGroupName="web-prod")["LifecycleHooks"]),
}
"#;

/// An account with the group, and a directory whose files manage it.
struct Shop {
    account: Account<'static>,
    directory: Directory,
    base: Value,
}

impl Shop {
    fn new(body: &str) -> Shop {
        let account = AwsServer::shared().account();
        account.stop_clock(NOW);
        let base = account.boto3(BASE);
        let mut directory = Directory::empty();
        for (name, value) in account.environment() {
            directory.set(&name, &value);
        }
        directory.set("TIDEFORM_TEST_NOW", NOW);
        let shop = Shop {
            account,
            directory,
            base,
        };
        shop.write(body);
        shop
    }

    /// The body of the group: limits of 1 to 20 unless it has some.
    fn write(&self, body: &str) {
        let limits = match body.contains("limits {") {
            true => "",
            false => "  limits {\n    min = 1\n    max = 20\n  }\n",
        };
        let file = format!(
            "tideform {{\n  workspace = \"shop\"\n}}\nprovider \"aws\" {{\n  region = \"us-east-1\"\n}}\n\
             group \"web\" {{\n  provider   = provider.aws\n  controller = \"native\"\n  \
             resource \"asg\" {{ name = \"web-prod\" }}\n{limits}{body}\n}}\n"
        );
        self.directory.write("shop.hcl", &file);
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Ran {
        self.directory.run(arguments)
    }

    #[track_caller]
    fn apply(&self) {
        self.run(&["apply", "--auto-approve"]).exits(0);
    }

    #[track_caller]
    fn reconcile(&self) -> String {
        self.run(&["reconcile", "--once"]).exits(0).stdout
    }

    /// The plan, which has no changes.
    #[track_caller]
    fn unchanged(&self) -> String {
        let plan = self.run(&["plan", "--detailed-exitcode"]).exits(0).stdout;
        assert!(plan.contains("No changes."), "{plan}");
        assert!(!plan.contains("Changed outside"), "{plan}");
        plan
    }

    /// Both clocks, and what AWS does by then.
    fn at(&mut self, from: &str, to: &str) {
        self.account.run_schedules(from, to);
        self.account.stop_clock(to);
        self.directory.set("TIDEFORM_TEST_NOW", to);
    }

    fn seen(&self) -> Value {
        self.account.boto3(READ)
    }

    /// Smallest and largest capacity, desired, suspended processes, names of the actions.
    fn short(&self) -> Value {
        let seen = self.seen();
        let group = &seen["group"];
        let names: Vec<&str> = seen["actions"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(name, _)| name.strip_prefix("tideform/shop/web/"))
            .collect();
        json!([
            group["MinSize"],
            group["MaxSize"],
            group["DesiredCapacity"],
            group["Suspended"],
            names
        ])
    }
}

/// Compares with the document of this name.
#[track_caller]
fn is_as_written(name: &str, seen: &[Value]) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/aws_native")
        .join(format!("{name}.json"));
    if std::env::var_os("TIDEFORM_BLESS").is_some() {
        let text = serde_json::to_string_pretty(&seen).expect("JSON") + "\n";
        std::fs::write(&path, text).expect("the document is written");
        return;
    }
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let expected: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    assert_eq!(seen, expected, "{name}");
}

/// One feature: applied and compared, then changed and compared.
#[track_caller]
fn feature(name: &str, body: &str, changed: &str) {
    let shop = Shop::new(body);
    let fill = |body: &str| body.replace("TEMPLATE", shop.base["template"].as_str().unwrap_or(""));
    let mut seen = Vec::new();
    for body in [body, changed] {
        shop.write(&fill(body).replace("SUBNET", shop.base["subnet"].as_str().unwrap_or("")));
        shop.run(&["plan", "--detailed-exitcode"]).exits(2);
        shop.apply();
        shop.unchanged();
        seen.push(shop.seen());
    }
    is_as_written(name, &seen);
    assert_eq!(shop.account.violations(), Vec::<Value>::new());
}

macro_rules! features {
    ($($name:ident: $body:expr => $changed:expr;)*) => {
        $(
            #[test]
            fn $name() {
                feature(stringify!($name), $body, $changed);
            }
        )*
    };
}

const CPU: &str = "metric \"cpu\" {\n  track { target = 60 }\n}\n";
const QUEUE: &str = "namespace = \"AWS/SQS\"\nname = \"ApproximateNumberOfMessagesVisible\"\ndimensions = { QueueName = \"jobs\" }\n";

features! {
    limits: "limits {\n min = 2\n max = 10\n}" => "limits {\n min = 3\n max = 10\n}";

    predefined_metrics_and_scale_in:
        "metric \"cpu\" {\n track { target = 60 }\n}\nmetric \"network_in\" {\n track { target = 1000000 }\n}\n\
         metric \"requests_per_instance\" {\n track { target = 50 }\n}"
        => "metric \"cpu\" {\n track { target = 55.5 }\n}\nmetric \"network_out\" {\n track { target = 2000000 }\n}\n\
            metric \"requests_per_instance\" {\n track { target = 40 }\n}\nscale_in {\n enabled = false\n}";

    customized_metrics:
        "metric \"wait\" {\n namespace = \"Shop\"\n dimensions = { Service = \"web\" }\n statistic = \"p90\"\n scope = \"shared\"\n\
         period = \"30s\"\n track { target = 2 }\n}\n\
         metric \"load\" {\n namespace = \"Shop\"\n dimensions = { Service = \"web\" }\n scope = \"shared\"\n track { target = 70 }\n}"
        => "metric \"wait\" {\n namespace = \"Shop\"\n dimensions = { Service = \"api\" }\n statistic = \"p99\"\n scope = \"shared\"\n\
            track { target = 2 }\n}\n\
            metric \"load\" {\n namespace = \"Shop\"\n dimensions = { Service = \"web\" }\n statistic = \"maximum\"\n scope = \"shared\"\n\
            period = \"10s\"\n track { target = 70 }\n}";

    metric_math:
        "metric \"jobs\" {\n namespace = \"AWS/SQS\"\n name = \"ApproximateNumberOfMessagesVisible\"\n\
         dimensions = { QueueName = \"jobs\" }\n scope = \"group\"\n track { target = 25 }\n}\n\
         metric \"late\" {\n namespace = \"Shop\"\n dimensions = { Service = \"web\" }\n scope = \"shared\"\n}\n\
         metric \"work\" {\n value = max(metric.late, 1) * metric.jobs / 60\n scope = \"group\"\n track { target = 10 }\n}"
        => "metric \"jobs\" {\n namespace = \"AWS/SQS\"\n name = \"ApproximateNumberOfMessagesVisible\"\n\
            dimensions = { QueueName = \"urgent\" }\n scope = \"group\"\n track { target = 20 }\n}\n\
            metric \"late\" {\n namespace = \"Shop\"\n dimensions = { Service = \"web\" }\n scope = \"shared\"\n}\n\
            metric \"work\" {\n value = metric.late > 5 ? metric.jobs : metric.jobs / 2\n scope = \"group\"\n track { target = 10 }\n}";

    steps:
        &format!("metric \"jobs\" {{\n{QUEUE} scope = \"group\"\n breach = \"3 of 5\"\n on_missing = 0\n\
         step {{\n above = 100\n to = 500\n add = 2\n}}\nstep {{\n above = 1000\n add = \"50%\"\n min_adjustment = 3\n}}\n\
         step {{\n below = 10\n remove = 1\n}}\nstep {{\n below = 2\n remove = \"20%\"\n}}\n}}\n\
         metric \"cpu\" {{\n on_missing = \"scale_out\"\n step {{\n above = 90\n set = 15\n}}\nstep {{\n below = 5\n remove = 1\n}}\n}}\n\
         metric \"network_in\" {{\n on_missing = \"last\"\n breach = \"2m\"\n step {{\n above = 1000000\n add = 1\n}}\n}}")
        => &format!("metric \"jobs\" {{\n{QUEUE} scope = \"group\"\n breach = \"2 of 2\"\n\
         step {{\n above = 200\n add = 3\n}}\nstep {{\n below = 10\n remove = \"10%\"\n min_adjustment = 2\n}}\n}}\n\
         metric \"cpu\" {{\n statistic = \"p95\"\n period = \"5m\"\n step {{\n above = 80\n set = 12\n}}\n}}");

    group_attributes:
        "warmup = \"3m\"\nscale_in {\n order = \"oldest\"\n drain = \"2m\"\n}\nmaintenance {\n min_healthy = \"90%\"\n max_healthy = \"110%\"\n}"
        => "warmup = \"90s\"\nscale_in {\n order = \"newest\"\n drain = \"5m\"\n}\nmaintenance {\n min_healthy = \"50%\"\n max_healthy = \"150%\"\n}";

    mix_of_weighted_types:
        "mix {\n on_demand_base = 2\n spot = \"70%\"\n allocation = \"price-capacity-optimized\"\n rebalance = true\n\
         type \"m5.large\" {\n weight = 1\n}\ntype \"m5.xlarge\" {\n weight = 2\n}\n}"
        => "mix {\n on_demand_base = 0\n spot = \"25%\"\n allocation = \"capacity-optimized\"\n rebalance = false\n\
            types = [\"m5.xlarge\", \"m5.2xlarge\"]\n}";

    recurring_windows:
        "schedule \"office\" {\n cron = \"0 8 * * MON-FRI\"\n timezone = \"Europe/Berlin\"\n duration = \"10h\"\n min = 6\n}\n\
         schedule \"night\" {\n cron = \"0 22 * * *\"\n timezone = \"Europe/Berlin\"\n duration = \"6h\"\n max = 4\n}"
        => "schedule \"office\" {\n cron = \"30 7 * * MON-FRI\"\n timezone = \"Europe/Berlin\"\n duration = \"9h\"\n min = 8\n max = 15\n}";

    dated_windows:
        "schedule \"office\" {\n cron = \"0 8 * * MON-FRI\"\n timezone = \"Europe/Berlin\"\n duration = \"10h\"\n except = [\"2026-11-24\"]\n min = 6\n}\n\
         schedule \"ads\" {\n start = \"2026-11-27T06:00:00\"\n end = \"2026-11-28T02:00:00\"\n timezone = \"America/New_York\"\n min = 12\n}"
        => "schedule \"ads\" {\n start = \"2026-11-27T06:00:00\"\n end = \"2026-11-28T02:00:00\"\n timezone = \"America/New_York\"\n min = 14\n max = 18\n}";

    predictive_scaling:
        "metric \"requests\" {\n namespace = \"Shop\"\n dimensions = { Service = \"web\" }\n statistic = \"sum\"\n scope = \"group\"\n}\n\
         forecast {\n metric = \"requests\"\n per_instance = 50\n lead = \"15m\"\n mode = \"observe\"\n}"
        => "metric \"requests\" {\n namespace = \"Shop\"\n dimensions = { Service = \"web\" }\n statistic = \"sum\"\n scope = \"group\"\n}\n\
            forecast {\n metric = \"requests\"\n per_instance = 60\n lead = \"5m\"\n}";

    template_by_id:
        "launch {\n launch_template = \"TEMPLATE\"\n subnets = [\"SUBNET\"]\n}"
        => "launch {\n launch_template = \"TEMPLATE:2\"\n subnets = [\"SUBNET\"]\n}";
}

#[test]
fn a_pin_is_written_by_reconcile_and_ends_without_it() {
    let mut shop = Shop::new(
        "metric \"cpu\" {\n track { target = 60 }\n}\nschedule \"office\" {\n cron = \"0 8 * * *\"\n duration = \"6h\"\n min = 4\n}",
    );
    shop.apply();
    let cron = json!(["office-close", "office-open"]);
    assert_eq!(shop.short(), json!([4, 20, 4, [], cron]));
    let pin = ["scale", "web", "7", "--for", "1h", "--reason", "a test"];
    shop.run(&pin).exits(0);
    // Asked for and not carried out: no drift, and said.
    assert!(
        shop.unchanged()
            .contains("carried out and ended by `tideform reconcile`")
    );
    let status = shop.run(&["status"]).exits(0).stdout;
    assert!(
        status.contains("to be carried out by `tideform reconcile`"),
        "{status}"
    );

    shop.at(NOW, "2026-11-20T12:02:00Z");
    let said = shop.reconcile();
    assert!(
        said.contains("pinned to 7 until 2026-11-20T13:00:00Z"),
        "{said}"
    );
    // Pinned until 13:00; from then on the window that is open, which closes at 14:00; and so on.
    let seen = shop.seen();
    let first: Vec<(&String, &Value, &Value)> = seen["actions"]
        .as_object()
        .into_iter()
        .flatten()
        .take(2)
        .map(|(name, action)| (name, &action["MinSize"], &action["MaxSize"]))
        .collect();
    assert_eq!(
        first,
        [
            (
                &"tideform/shop/web/window-20261120T130000Z".to_owned(),
                &json!(4),
                &json!(20)
            ),
            (
                &"tideform/shop/web/window-20261120T140000Z".to_owned(),
                &json!(1),
                &json!(20)
            ),
        ]
    );
    assert_eq!(seen["group"]["MinSize"], json!(7));
    assert_eq!(seen["group"]["MaxSize"], json!(7));
    assert_eq!(seen["group"]["DesiredCapacity"], json!(7));
    shop.unchanged();
    let status = shop.run(&["status"]).exits(0).stdout;
    assert!(
        status.contains("pin at 7 until") && !status.contains("to be carried out"),
        "{status}"
    );
    let events = shop.run(&["events", "--json"]).exits(0).stdout;
    assert!(
        events.contains("\"kind\":\"pinned\"") && events.contains("a test"),
        "{events}"
    );

    // Nobody runs: AWS ends it by itself.
    shop.at("2026-11-20T12:02:00Z", "2026-11-20T13:00:30Z");
    let seen = shop.seen();
    assert_eq!(
        (&seen["group"]["MinSize"], &seen["group"]["MaxSize"]),
        (&json!(4), &json!(20))
    );
    shop.unchanged();
    // And the loop puts the recurring actions back.
    shop.at("2026-11-20T13:00:30Z", "2026-11-20T13:05:00Z");
    shop.reconcile();
    assert_eq!(shop.short(), json!([4, 20, 7, [], cron]));
    shop.unchanged();
    assert_eq!(shop.account.violations(), Vec::<Value>::new());
}

#[test]
fn a_pin_that_is_taken_back_leaves_all_as_it_was() {
    let mut shop = Shop::new(CPU);
    shop.apply();
    shop.run(&["scale", "web", "7", "--for", "1h", "--reason", "a test"])
        .exits(0);
    shop.at(NOW, "2026-11-20T12:02:00Z");
    shop.reconcile();
    assert_eq!(
        shop.short(),
        json!([7, 7, 7, [], ["window-20261120T130000Z"]])
    );
    shop.run(&["unpin", "web"]).exits(0);
    shop.unchanged();
    shop.at("2026-11-20T12:02:00Z", "2026-11-20T12:04:00Z");
    shop.reconcile();
    assert_eq!(shop.short(), json!([1, 20, 7, [], []]));
    shop.at("2026-11-20T12:04:00Z", "2026-11-20T12:06:00Z");
    shop.reconcile();
    shop.unchanged();
}

#[test]
fn a_pin_of_a_group_that_leaves_is_taken_back_with_it() {
    let mut shop = Shop::new(CPU);
    shop.apply();
    shop.run(&["scale", "web", "7", "--for", "1h", "--reason", "a test"])
        .exits(0);
    shop.run(&["pause", "web", "--for", "1h"]).exits(0);
    shop.run(&["resume", "web"]).exits(0);
    shop.at(NOW, "2026-11-20T12:02:00Z");
    shop.reconcile();
    let files =
        "tideform {\n  workspace = \"shop\"\n}\nprovider \"aws\" {\n  region = \"us-east-1\"\n}\n";
    shop.directory.write("shop.hcl", files);
    shop.apply();
    assert_eq!(shop.short(), json!([1, 20, 7, [], []]));
}

#[test]
fn a_surge_is_compiled_into_the_windows_and_out_again() {
    let mut shop = Shop::new(&format!(
        "{CPU}surge \"launch\" {{\n min = 8\n lead = \"30m\"\n duration = \"2h\"\n}}"
    ));
    shop.apply();
    shop.run(&["surge", "start", "launch", "--at", "2026-11-20T15:00:00Z"])
        .exits(0);
    shop.unchanged();
    shop.at(NOW, "2026-11-20T12:02:00Z");
    shop.reconcile();
    let edges = json!(["window-20261120T143000Z", "window-20261120T170000Z"]);
    assert_eq!(shop.short(), json!([1, 20, 2, [], edges]));
    shop.unchanged();
    shop.at("2026-11-20T12:02:00Z", "2026-11-20T14:31:00Z");
    assert_eq!(
        shop.short(),
        json!([8, 20, 8, [], ["window-20261120T170000Z"]])
    );
    shop.unchanged();
    shop.run(&["surge", "stop", "launch"]).exits(0);
    shop.reconcile();
    assert_eq!(shop.short(), json!([1, 20, 8, [], []]));
    shop.unchanged();
    assert_eq!(shop.account.violations(), Vec::<Value>::new());
}

#[test]
fn a_pause_switches_the_processes_and_the_forecast_off_and_on() {
    let mut shop = Shop::new(&format!(
        "{CPU}metric \"requests\" {{\n namespace = \"Shop\"\n dimensions = {{ Service = \"web\" }}\n statistic = \"sum\"\n scope = \"group\"\n}}\n\
         forecast {{\n metric = \"requests\"\n per_instance = 50\n}}"
    ));
    shop.apply();
    let mode = |shop: &Shop| {
        shop.seen()["policies"]["tideform/shop/web/forecast"]["PredictiveScalingConfiguration"]["Mode"].clone()
    };
    assert_eq!(mode(&shop), json!("ForecastAndScale"));
    shop.run(&["pause", "web", "--for", "2h"]).exits(0);
    shop.unchanged();
    shop.at(NOW, "2026-11-20T12:02:00Z");
    shop.reconcile();
    assert_eq!(
        shop.short(),
        json!([1, 20, 2, ["AlarmNotification", "ScheduledActions"], []])
    );
    assert_eq!(mode(&shop), json!("ForecastOnly"));
    shop.unchanged();
    let status = shop.run(&["status"]).exits(0).stdout;
    assert!(status.contains("pause until"), "{status}");
    // It runs out.
    shop.at("2026-11-20T12:02:00Z", "2026-11-20T14:01:00Z");
    shop.unchanged();
    let status = shop.run(&["status"]).exits(0).stdout;
    assert!(
        status.contains("the cloud's own policies are switched off"),
        "{status}"
    );
    shop.reconcile();
    assert_eq!(shop.short(), json!([1, 20, 2, [], []]));
    assert_eq!(mode(&shop), json!("ForecastAndScale"));
    shop.unchanged();
    assert_eq!(shop.account.violations(), Vec::<Value>::new());
}

#[test]
fn dated_windows_are_renewed_and_no_plan_sees_the_time_go_by() {
    let mut shop = Shop::new(
        "schedule \"office\" {\n cron = \"0 8 * * *\"\n timezone = \"Europe/Berlin\"\n duration = \"10h\"\n min = 6\n}\n\
         schedule \"overseas\" {\n cron = \"0 8 * * *\"\n timezone = \"America/New_York\"\n duration = \"10h\"\n min = 9\n}",
    );
    let plan = shop.run(&["plan"]).exits(0).stdout;
    assert!(
        plan.contains("`tideform reconcile` must run, and renews them"),
        "{plan}"
    );
    assert!(
        plan.contains("Let `tideform reconcile` run at least once a day"),
        "{plan}"
    );
    shop.apply();
    let count = |shop: &Shop| shop.short()[4].as_array().map(Vec::len);
    // Overseas opens at 13:00 UTC, while the office is open until 17:00; it closes at 23:00. Three edges a
    // day, of which one is over today.
    assert_eq!(shop.short()[0], json!(6));
    assert_eq!(count(&shop), Some(98));
    shop.unchanged();
    let mut then = NOW.to_owned();
    for (to, min, reconciles) in [
        ("2026-11-20T13:01:00Z", 9, false),
        ("2026-11-20T13:02:00Z", 9, true),
        ("2026-11-21T06:00:00Z", 1, false),
        ("2026-11-21T07:30:00Z", 6, true),
        ("2026-11-30T23:30:00Z", 1, false),
        ("2026-11-30T23:32:00Z", 1, true),
        // Nobody came for longer than they last.
        ("2027-02-10T15:00:00Z", 1, false),
        ("2027-02-10T15:02:00Z", 9, true),
    ] {
        shop.at(&then, to);
        shop.unchanged();
        if reconciles {
            shop.reconcile();
            shop.unchanged();
        }
        assert_eq!(shop.short()[0], json!(min), "{to}");
        then = to.to_owned();
    }
    assert!(count(&shop) > Some(90), "{:?}", count(&shop));
    assert_eq!(shop.account.violations(), Vec::<Value>::new());
}

#[test]
fn what_aws_cannot_say_is_an_error_at_its_line() {
    let shop = Shop::new("");
    let with_cpu = |more: &str| format!("{CPU}{more}");
    for (body, line) in [
        (with_cpu("combine = \"majority\"\n"), "combine"),
        (with_cpu("scale_out {\n cooldown = \"5m\"\n}\n"), "cooldown"),
        (with_cpu("scale_in {\n cooldown = \"5m\"\n}\n"), "cooldown"),
        (with_cpu("scale_in {\n stabilization = \"20m\"\n}\n"), "stabilization"),
        (with_cpu("scale_out {\n rate {\n add = 2\n per = \"1m\"\n}\n}\n"), "rate"),
        (with_cpu("scale_out {\n enabled = false\n}\n"), "enabled"),
        (
            with_cpu("guard \"g\" {\n when = metric.cpu > 90\n blocks = \"scale_in\"\n}\n"),
            "guard",
        ),
        (
            with_cpu("freeze \"f\" {\n start = \"2026-12-01T00:00:00Z\"\n end = \"2026-12-05T00:00:00Z\"\n blocks = \"all\"\n}\n"),
            "freeze",
        ),
        (
            with_cpu("mix {\n spot = \"50%\"\n types = [\"m5.large\"]\n fallback {\n after = 3\n}\n}\n"),
            "fallback",
        ),
        (with_cpu("mix {\n spot = \"12.5%\"\n types = [\"m5.large\"]\n}\n"), "spot"),
        (
            with_cpu("mix {\n types = [\"m5.large\"]\n allocation = \"cheapest\"\n}\n"),
            "allocation",
        ),
        (with_cpu("maintenance {\n min_healthy = \"33.3%\"\n max_healthy = \"100%\"\n}\n"), "min_healthy"),
        (with_cpu("scale_in {\n drain = \"10s\"\n}\n"), "drain"),
        ("metric \"cpu\" {\n period = \"5m\"\n track { target = 60 }\n}\n".to_owned(), "period"),
        ("metric \"cpu\" {\n breach = \"5m\"\n track { target = 60 }\n}\n".to_owned(), "breach"),
        ("metric \"cpu\" {\n on_missing = \"last\"\n track { target = 60 }\n}\n".to_owned(), "on_missing"),
        ("metric \"cpu\" {\n max_add = 2\n track { target = 60 }\n}\n".to_owned(), "max_add"),
        (
            "metric \"cpu\" {\n track {\n target = 60\n tolerance = \"5%\"\n}\n}\n".to_owned(),
            "tolerance",
        ),
        ("metric \"cpu\" {\n want = true\n}\n".to_owned(), "metric"),
        (
            "metric \"cpu\" {\n step {\n from = 10\n to = 20\n add = 1\n}\n}\n".to_owned(),
            "metric",
        ),
        (
            "metric \"cpu\" {\n step {\n above = 80\n add = \"12.5%\"\n}\n}\n".to_owned(),
            "metric",
        ),
        (
            "metric \"cpu\" {\n step {\n above = 80\n add = \"10%\"\n}\nstep {\n above = 90\n add = \"20%\"\n min_adjustment = 2\n}\n}\n".to_owned(),
            "metric",
        ),
        (with_cpu("forecast {\n metric = \"cpu\"\n per_instance = 60\n quantile = 0.5\n}\n"), "quantile"),
        (with_cpu("forecast {\n metric = \"cpu\"\n per_instance = 60\n history = \"14d\"\n}\n"), "history"),
        (with_cpu("forecast {\n metric = \"cpu\"\n per_instance = 60\n lead = \"2h\"\n}\n"), "lead"),
    ] {
        shop.write(&body);
        let refused = shop.run(&["plan", "--no-color"]).exits(1).stderr;
        assert!(refused.contains("error[P0602]"), "{body}\n{refused}");
        assert!(refused.contains("help: "), "{body}\n{refused}");
        // The source line that asks for it is shown under its place.
        let shown = refused
            .lines()
            .any(|shown| shown.contains(" | ") && shown.contains(line));
        assert!(refused.contains("shop.hcl:") && shown, "{line}: {body}\n{refused}");
    }
    // Windows, and nothing to go back to.
    let text = shop.directory.read("shop.hcl").replace(
        "  limits {\n    min = 1\n    max = 20\n  }\n",
        "  schedule \"s\" {\n cron = \"0 8 * * *\"\n duration = \"1h\"\n min = 3\n}\n",
    );
    shop.directory.write("shop.hcl", &text);
    let refused = shop.run(&["plan"]).exits(1).stderr;
    assert!(refused.contains("this group has none"), "{refused}");
}

#[test]
fn an_override_needs_limits_to_go_back_to() {
    let shop = Shop::new(CPU);
    let text = shop.directory.read("shop.hcl");
    let text = text.replace("  limits {\n    min = 1\n    max = 20\n  }\n", "");
    shop.directory.write("shop.hcl", &text);
    shop.apply();
    let refused = shop
        .run(&["scale", "web", "5", "--for", "1h", "--reason", "a test"])
        .exits(1);
    assert!(
        refused.stderr.contains("without `limits`"),
        "{}",
        refused.stderr
    );
    shop.run(&["pause", "web"]).exits(0);
}
