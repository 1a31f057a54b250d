//! Drain: a lifecycle hook, compared with what the load balancer needs.

use serde_json::{Value, json};

use crate::aws_support::{Stage, has};
use crate::files;

const DRAIN: &str = "  scale_in { drain = \"2m\" }";

const HOOKS: &str = "out = [[h['LifecycleHookName'], h['LifecycleTransition'], h['HeartbeatTimeout'], h['DefaultResult']]
    for h in scaling.describe_lifecycle_hooks(AutoScalingGroupName=G)['LifecycleHooks']]";

#[test]
fn an_ending_instance_waits_for_its_drain_and_the_hook_goes_with_the_line_that_asked_for_it() {
    let mut stage = Stage::new(&files(DRAIN));
    stage.group(4, "");
    stage.scaling(
        "scaling.put_lifecycle_hook(AutoScalingGroupName=G, LifecycleHookName='theirs',
    LifecycleTransition='autoscaling:EC2_INSTANCE_LAUNCHING', HeartbeatTimeout=60, DefaultResult='CONTINUE')",
    );
    stage.apply();
    let ours = json!([
        "tideform-drain",
        "autoscaling:EC2_INSTANCE_TERMINATING",
        120,
        "CONTINUE"
    ]);
    let theirs = json!([
        "theirs",
        "autoscaling:EC2_INSTANCE_LAUNCHING",
        60,
        "CONTINUE"
    ]);
    assert_eq!(stage.scaling(HOOKS), json!([theirs, ours]));
    stage.plans_nothing();

    stage.reconcile_at(30.0);
    let states = "out = sorted(i['LifecycleState'] for i in scaling.describe_auto_scaling_groups()['AutoScalingGroups'][0]['Instances'])";
    let draining = [
        "InService",
        "InService",
        "Terminating:Wait",
        "Terminating:Wait",
    ];
    assert_eq!(stage.scaling(states), json!(draining));
    // Draining instances are no capacity: the loop asks for nothing more.
    let group = json!({ "AutoScalingGroupName": "web-prod" });
    stage.metric("AWS/EC2", "CPUUtilization", &group, 60.0);
    let ran = stage.reconcile();
    has(&ran.stdout, "2   hold");
    stage.pass(120);
    assert_eq!(stage.scaling(states), json!(["InService", "InService"]));

    stage.write(&files(""));
    let plan = stage.run(&["plan"]).exits(0).stdout;
    has(&plan, "scale_in.drain");
    stage.apply();
    assert_eq!(stage.scaling(HOOKS), json!([theirs]));
    stage.plans_nothing();

    stage.write(&files(DRAIN));
    stage.apply();
    stage.write("tideform {\n  workspace = \"shop\"\n}\nprovider \"aws\" {}\n");
    stage.apply();
    assert_eq!(stage.scaling(HOOKS), json!([theirs]), "a group that leaves");
    stage.no_violations();
}

/// Two target groups, with these deregistration delays.
fn target_groups(stage: &Stage, delays: [u32; 2]) -> Vec<String> {
    let arns = stage.account.boto3(&format!(
        "elb = client('elbv2')
vpc = client('ec2').describe_vpcs()['Vpcs'][0]['VpcId']
out = []
for name, delay in zip(['front', 'back'], {delays:?}):
    arn = elb.create_target_group(Name=name, Protocol='HTTP', Port=80, VpcId=vpc)['TargetGroups'][0]['TargetGroupArn']
    elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=[{{'Key': 'deregistration_delay.timeout_seconds', 'Value': str(delay)}}])
    out.append(arn)
"
    ));
    let text = |arn: &Value| arn.as_str().unwrap().to_owned();
    arns.as_array().unwrap().iter().map(text).collect()
}

const ASKED: &str = "DescribeTargetGroupAttributes";

#[test]
fn a_deregistration_delay_that_outlasts_the_drain_is_a_warning_that_says_what_to_set() {
    let mut stage = Stage::new(&files(DRAIN));
    let [front, back] = target_groups(&stage, [300, 60]).try_into().unwrap();
    stage.group(2, &format!("'TargetGroupARNs': ['{front}', '{back}']"));
    let plan = stage.run(&["plan"]).exits(0);
    let said = format!("{}{}", plan.stdout, plan.stderr);
    has(&said, "P0610");
    has(&said, "target group `front` of asg `web-prod`");
    has(&said, "drain = \"5m\"");
    has(&said, "deregistration delay of target group `front` to 2m");
    assert!(!said.contains("`back`"), "{said}");
    assert_eq!(stage.account.count("*", ASKED), 2);
    // A warning stops nothing, and applying asks for no delay again but for its plan.
    stage.apply();
    assert_eq!(stage.account.count("*", ASKED), 4);
    stage.reconcile_at(60.0);
    assert_eq!(stage.account.count("*", ASKED), 4);

    stage.write(&files("  scale_in { drain = \"5m\" }"));
    let plan = stage.run(&["plan"]).exits(0);
    assert!(!plan.stderr.contains("P0610"), "{}", plan.stderr);

    // Without `drain` nobody asks.
    stage.write(&files(""));
    stage.apply();
    stage.account.clear_log();
    stage.run(&["plan"]).exits(0);
    assert_eq!(stage.account.count("*", ASKED), 0);
    assert_eq!(
        stage.account.count("autoscaling", "DescribeLifecycleHooks"),
        0
    );
    stage.no_violations();
}

#[test]
fn a_delay_that_may_not_be_read_is_said_and_stops_nothing() {
    let mut stage = Stage::new(&files(DRAIN));
    let [front, _] = target_groups(&stage, [300, 60]).try_into().unwrap();
    stage.group(2, &format!("'TargetGroupARNs': ['{front}']"));
    stage.account.allow(Some(&[
        "sts:*",
        "autoscaling:*",
        "ec2:Describe*",
        "cloudwatch:*",
        "elasticloadbalancing:DescribeTargetGroups",
    ]));
    let plan = stage.run(&["plan"]).exits(0);
    let said = format!("{}{}", plan.stdout, plan.stderr);
    has(&said, "elasticloadbalancing:DescribeTargetGroupAttributes");
    stage.apply();
}
