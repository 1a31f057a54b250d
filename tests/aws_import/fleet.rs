//! Many groups of all kinds at once, as a stranger's account has them.

use tideform_aws_testserver::AwsServer;

use crate::support::{account_with, import};

/// Names and limits of all kinds, most ways of scaling, and much that no file can say.
const FLEET: &str = r#"
elb = client("elbv2")
subnets = ec2.describe_subnets()["Subnets"][:2]
target = elb.create_target_group(Name="shop", Protocol="HTTP", Port=80, VpcId=subnets[0]["VpcId"])["TargetGroups"][0]["TargetGroupArn"]
balancer = elb.create_load_balancer(Name="shop", Subnets=[s["SubnetId"] for s in subnets])["LoadBalancers"][0]["LoadBalancerArn"]
elb.create_listener(LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[{"Type": "forward", "TargetGroupArn": target}])
balancer = balancer.split("loadbalancer/")[1]
ABOVE, BELOW = "GreaterThanThreshold", "LessThanThreshold"
AT_LEAST, AT_MOST = "GreaterThanOrEqualToThreshold", "LessThanOrEqualToThreshold"

# Names and limits.
for name in ("bare", "Web Prod (eu) é/1", "123", "web.prod", "web-prod"):
    group(name)
group("fixed", low=3, high=3, desired=3)
group("empty", low=0, high=0, desired=0)
group("hands", low=0, high=5, desired=1)

# Target tracking.
for name, kind, value in (("cpu", "CPUUtilization", 55.5), ("in", "NetworkIn", 1e9), ("out", "NetworkOut", 123456.789)):
    group("track-" + name)
    track("track-" + name, "p " + name, value, **predefined("ASGAverage" + kind))
group("double")
for policy, value in (("cpu-a", 50.0), ("cpu-b", 70.0)):
    track("double", policy, value, **predefined("ASGAverageCPUUtilization"))
group("grows")
track("grows", "grow", 70.0, DisableScaleIn=True, **predefined("ASGAverageCPUUtilization"))
group("requests", TargetGroupARNs=[target])
track("requests", "requests", 1000.0, PredefinedMetricSpecification={"PredefinedMetricType": "ALBRequestCountPerTarget",
    "ResourceLabel": balancer + "/" + target.split(":")[-1]})
group("p99")
track("p99", "p99", 250.0, CustomizedMetricSpecification={"Metrics": [series("m", "Shop", "Latency", "p99", {"Svc": "a"}, True)]})
group("backlog")
track("backlog", "backlog per instance", 100.0, CustomizedMetricSpecification={"Metrics": [
    series("m1", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Sum", {"QueueName": "q"}), in_service("m2", "backlog"),
    {"Id": "e1", "Label": "each", "Expression": "m1 / m2", "ReturnData": True}]})
group("unit")
track("unit", "unit", 50.0, CustomizedMetricSpecification={"Namespace": "Shop", "MetricName": "Latency", "Statistic": "Average",
    "Unit": "Milliseconds"})

# Steps.
group("steps")
step("steps", "out", "steps-high", [(0.0, 10.0, 1), (10.0, 20.0, 2), (20.0, None, 4)], Threshold=60.0,
    ComparisonOperator=AT_LEAST, **cpu("steps"))
step("steps", "in", "steps-low", [(-20.0, 0.0, -1), (None, -20.0, -2)], Threshold=40.0, ComparisonOperator=AT_MOST, **cpu("steps"))
group("percent")
step("percent", "more", "percent-high", [(0.0, None, 25)], kind="PercentChangeInCapacity", least=3, Threshold=80.0,
    ComparisonOperator=ABOVE, **cpu("percent"))
step("percent", "less", "percent-low", [(None, 0.0, -25)], kind="PercentChangeInCapacity", Threshold=20.0,
    ComparisonOperator=BELOW, **cpu("percent"))
group("exact")
step("exact", "exact", "exact-high", [(0.0, 100.0, 10), (100.0, None, 20)], kind="ExactCapacity", Namespace="AWS/SQS",
    MetricName="ApproximateNumberOfMessagesVisible", Dimensions=[{"Name": "QueueName", "Value": "j"}], Statistic="Average",
    Period=60, EvaluationPeriods=1, Threshold=1000.0, ComparisonOperator=AT_LEAST)
group("both-kinds")
track("both-kinds", "cpu", 60.0, **predefined("ASGAverageCPUUtilization"))
step("both-kinds", "burst", "burst", [(0.0, None, 5)], Threshold=90.0, ComparisonOperator=AT_LEAST,
    **cpu("both-kinds", Period=60, EvaluationPeriods=3, DatapointsToAlarm=2))
group("latency")
step("latency", "slow", "slow", [(0.0, None, 2)], Namespace="AWS/ApplicationELB", MetricName="TargetResponseTime",
    Dimensions=[{"Name": "LoadBalancer", "Value": balancer}], ExtendedStatistic="p95", Period=60, EvaluationPeriods=3,
    Threshold=0.5, ComparisonOperator=ABOVE, TreatMissingData="notBreaching")
group("simple")
scaling.put_scaling_policy(AutoScalingGroupName="simple", PolicyName="old", PolicyType="SimpleScaling",
    AdjustmentType="ChangeInCapacity", ScalingAdjustment=1, Cooldown=300)

# Scheduled actions that are no windows.
group("night", low=0, high=0, desired=0)
action("night", "stop", Recurrence="0 20 * * *", MinSize=0, MaxSize=0)
action("night", "start", Recurrence="0 6 * * *", MinSize=2, MaxSize=10)
group("asking")
action("asking", "up", Recurrence="0 8 * * *", MinSize=4, MaxSize=10, DesiredCapacity=4)
action("asking", "down", Recurrence="0 20 * * *", MinSize=1, MaxSize=10, DesiredCapacity=1)
group("once")
action("once", "sale", StartTime=datetime.datetime(2099, 1, 1), MinSize=10, MaxSize=30)

# Mixes.
def mixed(name, overrides=(), **distribution):
    template = {"LaunchTemplateSpecification": TEMPLATE, **({"Overrides": list(overrides)} if overrides else {})}
    spread = {"InstancesDistribution": distribution} if distribution else {}
    group(name, MixedInstancesPolicy={"LaunchTemplate": template, **spread})
types = [{"InstanceType": kind} for kind in ("m5.large", "m6i.large", "m5a.large")]
mixed("spot", OnDemandBaseCapacity=0, OnDemandPercentageAboveBaseCapacity=0, SpotAllocationStrategy="capacity-optimized")
mixed("half", types, OnDemandPercentageAboveBaseCapacity=50, SpotAllocationStrategy="price-capacity-optimized")
mixed("defaults", types)
mixed("needs", [{"InstanceRequirements": {"VCpuCount": {"Min": 2}, "MemoryMiB": {"Min": 4096}}}],
    OnDemandPercentageAboveBaseCapacity=50, SpotAllocationStrategy="price-capacity-optimized")
mixed("cheapest", types, SpotAllocationStrategy="lowest-price", SpotInstancePools=4, SpotMaxPrice="0.05")

# Attributes.
group("kept", DefaultInstanceWarmup=0, TerminationPolicies=["NewestInstance"], DefaultCooldown=60,
    InstanceMaintenancePolicy={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 110})
group("order", TerminationPolicies=["OldestLaunchTemplate", "OldestInstance"])
group("hooked")
scaling.put_lifecycle_hook(AutoScalingGroupName="hooked", LifecycleHookName="theirs", HeartbeatTimeout=120,
    LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING", DefaultResult="CONTINUE")
group("paused")
track("paused", "cpu", 50.0, **predefined("ASGAverageCPUUtilization"))
scaling.suspend_processes(AutoScalingGroupName="paused", ScalingProcesses=["AlarmNotification"])

# Predictive scaling beyond the pairs.
def predicting(name, specification, **more):
    group(name)
    scaling.put_scaling_policy(AutoScalingGroupName=name, PolicyName="ahead", PolicyType="PredictiveScaling",
        PredictiveScalingConfiguration={"MetricSpecifications": [{"TargetValue": 40.0, **specification}], **more})
predicting("beyond", {"PredefinedMetricPairSpecification": {"PredefinedMetricType": "ASGCPUUtilization"}},
    Mode="ForecastOnly", MaxCapacityBreachBehavior="IncreaseMaxCapacity", MaxCapacityBuffer=10)
predicting("names", {"PredefinedScalingMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
    "PredefinedLoadMetricSpecification": {"PredefinedMetricType": "ASGTotalCPUUtilization"}}, Mode="ForecastAndScale")
"#;

#[test]
fn a_fleet_of_all_kinds_plans_to_no_changes_and_is_taken_over_without_any() {
    let (account, directory) = account_with(AwsServer::shared(), FLEET);
    let (file, said) = import(&account, &directory);
    let of = |part: &str| file.matches(part).count();
    assert_eq!(of("\ngroup \""), 37, "{file}");
    assert!(!file.contains("Planning this"), "{file}");
    for label in ["g-123", "Web-Prod-eu-1", "web-prod", "web-prod-2"] {
        assert_eq!(of(&format!("\ngroup \"{label}\" {{")), 1, "{label}");
    }
    // What is left says why, and what to do.
    assert_eq!(of("  # Left as it is, not managed: "), 9, "{file}");
    assert_eq!(of("  # Why: "), 9, "{file}");
    assert_eq!(of("  # Write "), 9, "{file}");
    assert!(
        said.contains("Wrote 37 groups to shop.hcl, with 18 controls"),
        "{said}"
    );
}
