//! Each kind of group as it is written.

use serde_json::json;
use tideform_aws_testserver::AwsServer;

use crate::support::{account_with, import};

#[test]
fn limits_warmup_order_tracking_and_windows_are_written_as_they_are() {
    let (account, directory) = account_with(
        AwsServer::shared(),
        r#"
group("web-prod", DefaultInstanceWarmup=120, TerminationPolicies=["OldestInstance", "Default"])
track("web-prod", "cpu-60", 60.0, EstimatedInstanceWarmup=90, **predefined("ASGAverageCPUUtilization"))
track("web-prod", "orders", 12.5, CustomizedMetricSpecification={"Namespace": "Shop", "MetricName": "OrdersPerInstance",
    "Dimensions": [{"Name": "Shop", "Value": "eu \"1\" ${x}"}], "Statistic": "Sum"})
action("web-prod", "morning", Recurrence="0 8 * * MON-FRI", TimeZone="Europe/Berlin", MinSize=4, MaxSize=20)
action("web-prod", "evening", Recurrence="0 18 * * 1-5", TimeZone="Europe/Berlin", MinSize=2, MaxSize=20)
group("theirs")
scaling.delete_tags(Tags=[{"ResourceId": "theirs", "ResourceType": "auto-scaling-group", "Key": "team"}])
"#,
    );
    // The limits that hold at this moment: a window may be open by the clock on the wall.
    account.boto3(
        r#"
from datetime import datetime
from zoneinfo import ZoneInfo
now = datetime.now(ZoneInfo("Europe/Berlin"))
client("autoscaling").update_auto_scaling_group(AutoScalingGroupName="web-prod", MinSize=4 if now.weekday() < 5 and 8 <= now.hour < 18 else 2)
out = None
"#,
    );
    let (file, said) = import(&account, &directory);
    let (head, body) = file.split_once("provider \"aws\"").expect("a provider");
    assert!(
        head.contains("# Written by `tideform import aws`: 1 group of account"),
        "{head}"
    );
    assert_eq!(
        body,
        r#" { region = "us-east-1" }

group "web-prod" {
  provider   = provider.aws
  controller = "native"
  adopt      = ["cpu-60", "evening", "morning", "orders"]
  warmup     = "2m"

  resource "asg" { name = "web-prod" }

  limits {
    min = 2
    max = 20
  }

  metric "cpu" {
    track { target = 60 }
  }

  metric "orders_per_instance" {
    namespace  = "Shop"
    name       = "OrdersPerInstance"
    dimensions = { Shop = "eu \"1\" $${x}" }
    statistic  = "sum"
    track { target = 12.5 }
  }

  schedule "morning" {
    cron     = "0 8 * * MON-FRI"
    timezone = "Europe/Berlin"
    duration = "10h"
    min      = 4
  }

  scale_in { order = "oldest" }
}
"#
    );
    for words in [
        "Wrote 1 group to shop.hcl, with 4 controls of the cloud's own",
        "#       min_size,",
        "#       default_instance_warmup,",
        "from = aws_autoscaling_policy.cpu_60",
        "from = aws_autoscaling_schedule.morning",
        "destroy = false",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(!said.contains("mixed_instances_policy"), "{said}");

    // A change afterwards changes the policy that is there, and keeps what no file says of it.
    directory.write("shop.hcl", &file.replace("target = 60", "target = 50"));
    let plan = directory.run(&["plan", "--detailed-exitcode"]).exits(2);
    for part in ["~   cpu-60", "target   60 -> 50"] {
        assert!(plan.stdout.contains(part), "{}", plan.stdout);
    }
    directory.run(&["apply", "--auto-approve"]).exits(0);
    let now = account.boto3(
        r#"
policies = {p["PolicyName"]: p for p in client("autoscaling").describe_policies()["ScalingPolicies"]}
cpu = policies["cpu-60"]
out = [sorted(policies), cpu["TargetTrackingConfiguration"]["TargetValue"], cpu["EstimatedInstanceWarmup"]]
"#,
    );
    assert_eq!(now, json!([["cpu-60", "orders"], 50.0, 90]));

    // Taken over once is taken over.
    let again = directory
        .run(&["import", "aws", "--filter", "name=web-*"])
        .exits(1);
    assert!(
        again.stderr.contains("Nothing to import"),
        "{}",
        again.stderr
    );
}

#[test]
fn step_policies_keep_their_alarms_and_what_these_do_beside() {
    let (account, directory) = account_with(
        AwsServer::shared(),
        r#"
group("workers", low=1)
step("workers", "out", "cpu-high", [(0.0, 20.0, 10), (20.0, None, 30)], kind="PercentChangeInCapacity", least=2,
    actions=["arn:aws:sns:us-east-1:123456789012:pager"],
    Threshold=70.0, ComparisonOperator="GreaterThanThreshold", TreatMissingData="notBreaching", **cpu("workers"))
step("workers", "in", "cpu-low", [(None, 0.0, -1)],
    Threshold=30.0, ComparisonOperator="LessThanThreshold", **cpu("workers"))
step("workers", "queue", "queue-long", [(0.0, None, 3)], Namespace="AWS/SQS", MetricName="ApproximateNumberOfMessagesVisible",
    Dimensions=[{"Name": "QueueName", "Value": "jobs"}], Statistic="Maximum", Period=60, EvaluationPeriods=5, DatapointsToAlarm=3,
    Threshold=100.0, ComparisonOperator="GreaterThanOrEqualToThreshold", TreatMissingData="ignore")
step("workers", "exact", "ratio-high", [(0.0, None, 15)], kind="ExactCapacity", EvaluationPeriods=1,
    Metrics=[{"Id": "a", "ReturnData": False, "MetricStat": {"Period": 60, "Stat": "Sum", "Metric": {"Namespace": "Shop", "MetricName": "Failed"}}},
        {"Id": "answer", "Expression": "FILL(100*(a / b), 0)", "ReturnData": True},
        {"Id": "b", "ReturnData": False, "MetricStat": {"Period": 60, "Stat": "Sum", "Metric": {"Namespace": "Shop", "MetricName": "All"}}}],
    Threshold=5.0, ComparisonOperator="GreaterThanOrEqualToThreshold")
"#,
    );
    let (file, said) = import(&account, &directory);
    let steps = file.split_once("\n\n  metric").expect("metrics").1;
    assert_eq!(
        format!("  metric{steps}"),
        r#"  metric "cpu" {
    period = "5m"
    breach = "10m"
    # Its alarm goes off above 70, not at 70 itself, and goes on to.
    step {
      above          = 70
      add            = "10%"
      min_adjustment = 2
    }
    step {
      above          = 90
      add            = "30%"
      min_adjustment = 2
    }
    # Its alarm goes off below 30, not at 30 itself, and goes on to.
    step {
      below  = 30
      remove = 1
    }
  }

  metric "queue_depth" {
    namespace  = "AWS/SQS"
    name       = "ApproximateNumberOfMessagesVisible"
    dimensions = { QueueName = "jobs" }
    statistic  = "maximum"
    scope      = "group"
    breach     = "3 of 5"
    on_missing = "last"
    step {
      above = 100
      add   = 3
    }
  }

  metric "failed" {
    namespace = "Shop"
    name      = "Failed"
    statistic = "sum"
  }

  metric "all" {
    namespace = "Shop"
    name      = "All"
    statistic = "sum"
  }

  metric "exact" {
    value      = 100 * (metric.failed / metric.all)
    on_missing = 0
    step {
      above = 5
      set   = 15
    }
  }
}
"#
    );
    assert!(
        said.contains("aws_cloudwatch_metric_alarm.cpu_high"),
        "{said}"
    );
    directory.write(
        "shop.hcl",
        &file.replace("above          = 90", "above          = 95"),
    );
    directory.run(&["apply", "--auto-approve"]).exits(0);
    let now = account.boto3(
        r#"
scaling, cloudwatch = client("autoscaling"), client("cloudwatch")
alarms = {a["AlarmName"]: a for a in cloudwatch.describe_alarms()["MetricAlarms"]}
high = alarms["cpu-high"]
policy = [p for p in scaling.describe_policies()["ScalingPolicies"] if p["PolicyName"] == "out"][0]
out = [sorted(alarms), high["ComparisonOperator"], high["TreatMissingData"], len(high["AlarmActions"]), high["Threshold"],
    [[s.get("MetricIntervalLowerBound"), s["ScalingAdjustment"]] for s in policy["StepAdjustments"]]]
"#,
    );
    assert_eq!(
        now,
        json!([
            ["cpu-high", "cpu-low", "queue-long", "ratio-high"],
            "GreaterThanThreshold",
            "notBreaching",
            2,
            70.0,
            [[0.0, 10], [25.0, 30]],
        ])
    );

    // A policy that goes takes an alarm along that did nothing else, and leaves one that also tells somebody.
    let without: String = file
        .lines()
        .take_while(|line| !line.contains("metric \"cpu\""))
        .map(|line| format!("{line}\n"))
        .collect::<String>()
        + "}\n";
    directory.write("shop.hcl", &without);
    directory.run(&["apply", "--auto-approve"]).exits(0);
    let left = account.boto3(
        r#"
out = [[a["AlarmName"] for a in client("cloudwatch").describe_alarms()["MetricAlarms"]], len(client("autoscaling").describe_policies()["ScalingPolicies"])]
"#,
    );
    assert_eq!(left, json!([["cpu-high"], 0]));
}

#[test]
fn mixes_hooks_maintenance_and_a_group_that_only_grows_are_written_as_they_are() {
    let (account, directory) = account_with(
        AwsServer::shared(),
        r#"
group("batch.night/1", low=0, high=40, desired=0, CapacityRebalance=True,
    InstanceMaintenancePolicy={"MinHealthyPercentage": 90, "MaxHealthyPercentage": 120},
    MixedInstancesPolicy={"LaunchTemplate": {"LaunchTemplateSpecification": TEMPLATE, "Overrides": [
        {"InstanceType": "m5.large", "WeightedCapacity": "2"}, {"InstanceType": "m5.xlarge", "WeightedCapacity": "4"}]},
        "InstancesDistribution": {"OnDemandBaseCapacity": 2, "OnDemandPercentageAboveBaseCapacity": 30, "SpotAllocationStrategy": "price-capacity-optimized"}})
scaling.put_lifecycle_hook(AutoScalingGroupName="batch.night/1", LifecycleHookName="their-drain",
    LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING", HeartbeatTimeout=300, DefaultResult="CONTINUE")
track("batch.night/1", "grow", 100.0, DisableScaleIn=True, CustomizedMetricSpecification={"Metrics": [
    {**series("backlog", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Sum", {"QueueName": "jobs"})},
    in_service("running", "batch.night/1"),
    {"Id": "each", "Expression": "backlog/running", "ReturnData": True}]})
group("plain", low=0, high=3, desired=1)
"#,
    );
    let (file, said) = import(&account, &directory);
    let body = file.split_once("group \"").expect("a group").1;
    assert_eq!(
        body,
        r#"batch-night-1" {
  provider   = provider.aws
  controller = "native"
  adopt      = ["grow"]

  resource "asg" { name = "batch.night/1" }

  limits {
    min = 0
    max = 40
  }

  mix {
    on_demand_base = 2
    spot           = "70%"
    allocation     = "price-capacity-optimized"
    rebalance      = true

    type "m5.large" { weight = 2 }
    type "m5.xlarge" { weight = 4 }
  }

  maintenance {
    min_healthy = "90%"
    max_healthy = "120%"
  }

  metric "queue_depth" {
    namespace  = "AWS/SQS"
    name       = "ApproximateNumberOfMessagesVisible"
    dimensions = { QueueName = "jobs" }
    statistic  = "sum"
    scope      = "group"
    track { target = 100 }
  }

  scale_in { enabled = false }
}

group "plain" {
  provider   = provider.aws
  controller = "native"

  resource "asg" { name = "plain" }

  limits {
    min = 0
    max = 3
  }
}
"#
    );
    assert!(
        said.contains("mixed_instances_policy[0].launch_template[0].override"),
        "{said}"
    );
}

#[test]
fn an_alarm_that_starts_two_policies_is_one_resource_of_terraforms() {
    let (account, directory) = account_with(
        AwsServer::shared(),
        r#"
def adding(n):
    return scaling.put_scaling_policy(AutoScalingGroupName="web", PolicyName=f"add-{n}", PolicyType="StepScaling",
        AdjustmentType="ChangeInCapacity", StepAdjustments=[{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": n}])["PolicyARN"]
group("web")
cloudwatch.put_metric_alarm(AlarmName="busy", AlarmActions=[adding(1), adding(2)], Threshold=70.0,
    ComparisonOperator="GreaterThanOrEqualToThreshold", **cpu("web"))
"#,
    );
    let (file, said) = import(&account, &directory);
    assert!(
        file.contains("adopt      = [\"add-1\", \"add-2\"]"),
        "{file}"
    );
    assert!(
        said.contains("aws_cloudwatch_metric_alarm.busy\n"),
        "{said}"
    );
    assert!(!said.contains("busy_2"), "{said}");
}

#[test]
fn forecasts_are_written_as_they_are() {
    let (account, directory) = account_with(
        AwsServer::shared(),
        r#"
group("paired")
track("paired", "cpu", 50.0, **predefined("ASGAverageCPUUtilization"))
scaling.put_scaling_policy(AutoScalingGroupName="paired", PolicyName="ahead", PolicyType="PredictiveScaling",
    PredictiveScalingConfiguration={"Mode": "ForecastAndScale", "SchedulingBufferTime": 600, "MetricSpecifications": [
        {"TargetValue": 50.0, "PredefinedMetricPairSpecification": {"PredefinedMetricType": "ASGCPUUtilization"}}]})
group("custom")
scaling.put_scaling_policy(AutoScalingGroupName="custom", PolicyName="ahead", PolicyType="PredictiveScaling",
    PredictiveScalingConfiguration={"Mode": "ForecastOnly", "MetricSpecifications": [{"TargetValue": 120.0,
        "CustomizedLoadMetricSpecification": {"MetricDataQueries": [series("l", "Shop", "Orders", "Sum", {}, True)]},
        "CustomizedScalingMetricSpecification": {"MetricDataQueries": [series("l", "Shop", "Orders", "Sum", {}),
            in_service("n", "custom"), {"Id": "e", "Expression": "l / n", "ReturnData": True}]},
        "CustomizedCapacityMetricSpecification": {"MetricDataQueries": [in_service("n", "custom", True)]}}]})
"#,
    );
    let (file, _) = import(&account, &directory);
    for part in [
        "  metric \"demand\" { name = \"cpu\" }\n\n  forecast {\n    metric       = \"demand\"\n    per_instance = 50\n    lead         = \"10m\"\n  }\n",
        "    metric       = \"orders\"\n    per_instance = 120\n    lead         = \"5m\"\n    mode         = \"observe\"\n",
    ] {
        assert!(file.contains(part), "{part}\n{file}");
    }
}

#[test]
fn what_no_file_can_say_stays_with_a_comment_that_says_why() {
    let (account, directory) = account_with(
        AwsServer::shared(),
        r#"
group("odd")
scaling.put_scaling_policy(AutoScalingGroupName="odd", PolicyName="old", PolicyType="SimpleScaling", AdjustmentType="ChangeInCapacity", ScalingAdjustment=1)
step("odd", "silent", "silent-low", [(None, 0.0, -1)], Threshold=1.0, ComparisonOperator="LessThanThreshold", TreatMissingData="breaching", **cpu("odd"))
step("odd", "alone", None, [(0.0, None, 1)])
track("odd", "off", 10.0, Enabled=False, **predefined("ASGAverageNetworkIn"))
track("odd", "grow", 70.0, DisableScaleIn=True, **predefined("ASGAverageNetworkOut"))
track("odd", "cpu", 50.0, **predefined("ASGAverageCPUUtilization"))
track("odd", "rate", 50.0, CustomizedMetricSpecification={"Metrics": [series("a", "Shop", "Orders", "Sum", {}),
    {"Id": "r", "Expression": "RATE(a)", "ReturnData": True}]})
track("odd", "samples", 50.0, CustomizedMetricSpecification={"Namespace": "Shop", "MetricName": "Orders", "Statistic": "SampleCount"})
action("odd", "friday", Recurrence="0 8 * * FRI", DesiredCapacity=8)
group("night", low=0, high=0, desired=0)
action("night", "stop", Recurrence="0 20 * * *", MinSize=0, MaxSize=0)
action("night", "start", Recurrence="0 6 * * *", MinSize=2, MaxSize=10)
group("moved")
action("moved", "up", Recurrence="0 8 * * *", MinSize=4, MaxSize=20, DesiredCapacity=4)
action("moved", "down", Recurrence="0 20 * * *", MinSize=2, MaxSize=20, DesiredCapacity=2)
"#,
    );
    let (file, said) = import(&account, &directory);
    for part in [
        "adopt      = [\"cpu\"]",
        "# Left as it is, not managed: old (simple scaling, +1).\n  # Why: simple scaling waits",
        "# Why: it removes instances where data is absent.",
        "# Why: no alarm starts it.",
        "# Why: it is switched off.",
        "# Why: it only adds, and another policy of the group also removes",
        "# Why: the language has no such metric math.",
        "# Why: the language has no statistic SampleCount.",
        "# Why: it asks for a capacity, and windows of the files move the limits.",
        "# Its limits are not managed: scheduled actions that stay move them. They are 2 to 20 now.",
        "# Why: an action of the group also asks for a capacity.",
        "# Why: no action of the group sets 0 to 10 again, the widest of their limits, as one that closes a window does.",
    ] {
        assert!(file.contains(part), "{part}\n{file}");
    }
    assert!(
        said.contains("group.odd: not managed, `alone` stays as it is: no alarm starts it"),
        "{said}"
    );
    let odd = file.split_once("group \"odd\"").expect("the group").1;
    assert!(odd.contains("limits {"), "{file}");
}

#[test]
fn requests_per_target_are_written_by_the_second_as_they_are() {
    let (account, directory) = account_with(
        AwsServer::shared(),
        r#"
elb = client("elbv2")
subnets = ec2.describe_subnets()["Subnets"][:2]
arns = [elb.create_target_group(Name=n, Protocol="HTTP", Port=80, VpcId=subnets[0]["VpcId"])["TargetGroups"][0]["TargetGroupArn"] for n in ("shop", "other")]
balancer = elb.create_load_balancer(Name="shop", Subnets=[s["SubnetId"] for s in subnets])["LoadBalancers"][0]["LoadBalancerArn"]
for port, arn in enumerate(arns):
    elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80 + port, DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}])
def label(arn):
    return balancer.split("loadbalancer/")[1] + "/" + arn.split(":")[-1]
def requests(arn):
    return {"PredefinedMetricSpecification": {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": label(arn)}}
for name, target in (("whole", 600.0), ("odd", 1000.0)):
    group(name, TargetGroupARNs=[arns[0]])
    track(name, "requests", target, **requests(arns[0]))
group("elsewhere", TargetGroupARNs=[arns[0]])
track("elsewhere", "requests", 600.0, **requests(arns[1]))
"#,
    );
    let (file, _) = import(&account, &directory);
    for part in [
        "adopt      = [\"requests\"]",
        "  metric \"requests_per_instance\" {\n    track {\n      target = 10 # a second; 600 a minute\n    }\n  }\n",
        "      target = 1000 / 60 # AWS counts by the minute, tideform by the second\n",
        "# Why: it counts the requests of another target group than the group's first.",
    ] {
        assert!(file.contains(part), "{part}\n{file}");
    }
    // Another target is written by the minute again, and the label stays.
    directory.write("shop.hcl", &file.replace("target = 10 #", "target = 20 #"));
    let plan = directory.run(&["plan", "--detailed-exitcode"]).exits(2);
    for part in ["~   requests ", "600 -> 1200"] {
        assert!(plan.stdout.contains(part), "{part}\n{}", plan.stdout);
    }
    directory.run(&["apply", "--auto-approve"]).exits(0);
    let now = account.boto3(
        r#"
policy = client("autoscaling").describe_policies(AutoScalingGroupName="whole")["ScalingPolicies"][0]["TargetTrackingConfiguration"]
spec = policy["PredefinedMetricSpecification"]
out = [policy["TargetValue"], spec["PredefinedMetricType"], spec["ResourceLabel"].count("targetgroup/shop")]
"#,
    );
    assert_eq!(now, json!([1200.0, "ALBRequestCountPerTarget", 1]));
}
