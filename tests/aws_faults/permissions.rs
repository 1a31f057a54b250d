//! The IAM policies of docs/aws.md are what tideform needs: nothing is denied with them, and nothing in them is unused.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tideform_aws_testserver::AwsServer;

use crate::common::Directory;
use crate::support::cpu;

/// The actions of the n-th JSON document in the section about permissions.
fn documented(n: usize) -> BTreeSet<String> {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/aws.md")).unwrap();
    let section = page.split("\n## Permissions\n").nth(1).unwrap();
    let block = section.split("```json\n").nth(n + 1).unwrap();
    let policy: Value = serde_json::from_str(block.split("```").next().unwrap()).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    statements
        .iter()
        .flat_map(|statement| match &statement["Action"] {
            Value::Array(actions) => actions.clone(),
            action => vec![action.clone()],
        })
        .map(|action| action.as_str().unwrap().to_owned())
        .collect()
}

/// A story in which every feature has its part.
struct Story {
    account: tideform_aws_testserver::Account<'static>,
    directory: Directory,
    base: Value,
}

impl Story {
    fn new() -> Story {
        let account = AwsServer::shared().account();
        let base = account.boto3(
            "
ec2, elb, scaling = client('ec2'), client('elbv2'), client('autoscaling')
data = {'ImageId': 'ami-12c6146b', 'InstanceType': 'm5.large'}
ec2.create_launch_template(LaunchTemplateName='web', LaunchTemplateData=data)
subnets = ec2.describe_subnets()['Subnets'][:2]
targets = [elb.create_target_group(Name=n, Protocol='HTTP', Port=80, VpcId=subnets[0]['VpcId'])['TargetGroups'][0]['TargetGroupArn'] for n in ('a', 'b')]
balancer = elb.create_load_balancer(Name='shop', Subnets=[s['SubnetId'] for s in subnets])['LoadBalancers'][0]
for port, target in enumerate(targets):
    elb.create_listener(LoadBalancerArn=balancer['LoadBalancerArn'], Protocol='HTTP', Port=80 + port,
        DefaultActions=[{'Type': 'forward', 'TargetGroupArn': target}])
scaling.create_auto_scaling_group(AutoScalingGroupName='web-theirs', MinSize=1, MaxSize=5, DesiredCapacity=3,
    LaunchTemplate={'LaunchTemplateName': 'web', 'Version': '$Default'}, VPCZoneIdentifier=subnets[0]['SubnetId'])
out = {'subnet': subnets[0]['SubnetId'], 'targets': targets}
",
        );
        account.clear_log();
        let mut directory = Directory::empty();
        for (name, value) in account.environment() {
            directory.set(&name, &value);
        }
        Story {
            account,
            directory,
            base,
        }
    }

    /// Files of these groups.
    fn write(&self, groups: &[&str]) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let files = format!(
            "tideform {{\n  workspace = \"shop\"\n}}\nprovider \"aws\" {{}}\n{}",
            groups.join("\n")
        )
        .replace("SUBNET", &text(&self.base["subnet"]))
        .replace("TARGET_A", &text(&self.base["targets"][0]))
        .replace("TARGET_B", &text(&self.base["targets"][1]));
        self.directory.write("shop.hcl", &files);
    }

    /// Another client's doing, with its own permissions, and not in the log.
    fn outside(&self, allowed: &BTreeSet<String>, script: &str) -> Value {
        self.account.allow(None);
        let out = self.account.boto3(script);
        self.allow(allowed);
        out
    }

    fn allow(&self, actions: &BTreeSet<String>) {
        let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
        self.account.allow(Some(&actions));
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) {
        self.directory.run(arguments).exits(0);
    }

    /// Lets tideform believe that it is later.
    fn minute(&mut self, n: i64) {
        let now = Timestamp::now() + SignedDuration::from_mins(n);
        self.directory.set("TIDEFORM_TEST_NOW", &now.to_string());
    }

    /// What tideform changed in a group, in the order of its calls.
    fn changes_of(&self, group: &str) -> Vec<String> {
        let log = self.account.log();
        log.iter()
            .filter(|call| {
                call["agent"]
                    .as_str()
                    .is_some_and(|agent| agent.contains("rust"))
            })
            .filter(|call| call["params"].to_string().contains(group))
            .filter_map(|call| call["op"].as_str())
            .filter(|op| !op.starts_with("Describe") && !op.starts_with("Get"))
            .map(str::to_owned)
            .collect()
    }

    /// The actions that tideform called, and those of them that were denied.
    fn called(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let log = self.account.log();
        let ours = log.iter().filter(|call| {
            let agent = call["agent"].as_str().unwrap_or_default();
            agent.contains("rust") && call["action"] != "sts:GetCallerIdentity"
        });
        let (mut all, mut denied) = (BTreeSet::new(), BTreeSet::new());
        for call in ours {
            let action = call["action"].as_str().unwrap_or_default().to_owned();
            if call["status"] == 403 {
                denied.insert(action.clone());
            }
            all.insert(action);
        }
        (all, denied)
    }
}

const MADE: &str = r#"
group "made" {
  provider = provider.aws
  resource "asg" { name = "web-made" }
  limits {
    min = 2
    max = 10
  }
  launch {
    launch_template = "web"
    subnets         = ["SUBNET"]
    target_groups   = ["TARGET_A"]
    tags            = { team = "shop" }
  }
  warmup = "1m"
  mix {
    on_demand_base = 1
    spot           = "50%"
    types          = ["m5.large", "m5.xlarge"]
    fallback {
      after = 3
    }
  }
  metric "cpu" {
    track { target = 60 }
  }
  metric "requests_per_instance" {
    track { target = 100 }
  }
  scale_in {
    drain = "2m"
  }
}
"#;

const THEIRS: &str = r#"
group "theirs" {
  provider = provider.aws
  resource "asg" { name = "web-theirs" }
  limits {
    min = 1
    max = 6
  }
  metric "cpu" {
    track { target = 60 }
  }
  scale_in {
    stabilization = "0s"
    drain         = "1m"
  }
}
"#;

const NATIVE: &str = r#"
group "native" {
  provider   = provider.aws
  controller = "native"
  resource "asg" { name = "web-native" }
  limits {
    min = 1
    max = 10
  }
  launch {
    launch_template = "web"
    subnets         = ["SUBNET"]
  }
  CONTROLS
}
"#;

const CONTROLS: &str = r#"
  metric "cpu" {
    track { target = 60 }
  }
  metric "jobs" {
    namespace  = "AWS/SQS"
    name       = "ApproximateNumberOfMessagesVisible"
    dimensions = { QueueName = "jobs" }
    scope      = "group"
    track { target = 100 }
  }
  metric "queue" {
    namespace  = "AWS/SQS"
    name       = "ApproximateNumberOfMessagesVisible"
    dimensions = { QueueName = "jobs" }
    scope      = "group"
    step {
      above = 1000
      add   = 5
    }
  }
  schedule "office" {
    cron     = "0 8 * * MON-FRI"
    duration = "10h"
    min      = 4
  }
"#;

const IMPORTED: &str = "
scaling, elb = client('autoscaling'), client('elbv2')
target = elb.describe_target_groups(Names=['a'])['TargetGroups'][0]
group = 'web-imported'
scaling.create_auto_scaling_group(AutoScalingGroupName=group, MinSize=1, MaxSize=5, AvailabilityZones=['us-east-1a'],
    LaunchTemplate={'LaunchTemplateName': 'web', 'Version': '$Default'}, TargetGroupARNs=[target['TargetGroupArn']])
scaling.put_lifecycle_hook(AutoScalingGroupName=group, LifecycleHookName='drain', HeartbeatTimeout=300,
    LifecycleTransition='autoscaling:EC2_INSTANCE_TERMINATING', DefaultResult='CONTINUE')
label = target['LoadBalancerArns'][0].split('loadbalancer/')[1] + '/' + target['TargetGroupArn'].split(':')[-1]
scaling.put_scaling_policy(AutoScalingGroupName=group, PolicyName='requests', PolicyType='TargetTrackingScaling',
    TargetTrackingConfiguration={'TargetValue': 600.0, 'PredefinedMetricSpecification': {
        'PredefinedMetricType': 'ALBRequestCountPerTarget', 'ResourceLabel': label}})
policy = scaling.put_scaling_policy(AutoScalingGroupName=group, PolicyName='out', PolicyType='StepScaling',
    AdjustmentType='ChangeInCapacity', StepAdjustments=[{'MetricIntervalLowerBound': 0.0, 'ScalingAdjustment': 1}])
client('cloudwatch').put_metric_alarm(AlarmName='busy', AlarmActions=[policy['PolicyARN']], Namespace='AWS/SQS',
    MetricName='ApproximateNumberOfMessagesVisible', Dimensions=[{'Name': 'QueueName', 'Value': 'jobs'}],
    Statistic='Maximum', Period=60, EvaluationPeriods=1, Threshold=100.0, ComparisonOperator='GreaterThanOrEqualToThreshold')
scaling.put_scheduled_update_group_action(AutoScalingGroupName=group, ScheduledActionName='up', Recurrence='0 8 * * *',
    MinSize=2, MaxSize=5)
";

#[test]
fn the_documented_policies_are_enough_and_nothing_in_them_is_unused() {
    let reads = documented(0);
    let all: BTreeSet<String> = reads.union(&documented(1)).cloned().collect();
    let mut story = Story::new();
    let native = NATIVE.replace("CONTROLS", CONTROLS);
    story.write(&[MADE, THEIRS, &native]);

    // A group with everything that an import looks up: hooks, alarms, target groups.
    story.outside(&reads, IMPORTED);
    story.run(&["import", "aws", "--no-terraform"]);
    let (called, denied) = story.called();
    assert_eq!(denied, BTreeSet::new());
    assert!(called.is_subset(&reads), "{called:?}");
    for looked_up in [
        "autoscaling:DescribeLifecycleHooks",
        "cloudwatch:DescribeAlarms",
        "elasticloadbalancing:DescribeTargetGroups",
    ] {
        assert!(called.contains(looked_up), "{looked_up}: {called:?}");
    }
    story.account.clear_log();

    story.allow(&reads);
    story.run(&["plan"]);
    let (called, denied) = story.called();
    assert_eq!(denied, BTreeSet::new());
    assert!(called.is_subset(&reads), "{called:?}");

    story.allow(&all);
    story.run(&["apply", "--auto-approve"]);
    story.run(&["plan"]);
    for group in ["web-made", "web-theirs"] {
        cpu(&story.account, group, 20.0);
    }
    story.outside(
        &all,
        "
scaling = client('autoscaling')
group = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=['web-theirs'])['AutoScalingGroups'][0]
scaling.suspend_processes(AutoScalingGroupName='web-theirs', ScalingProcesses=['ReplaceUnhealthy'])
scaling.set_instance_health(InstanceId=group['Instances'][0]['InstanceId'], HealthStatus='Unhealthy', ShouldRespectGracePeriod=False)
",
    );
    story.run(&["reconcile", "--once"]);
    story.run(&["status"]);

    // A pause of native controls suspends their processes, and its end resumes them.
    story.run(&["pause", "native", "--for", "1h", "--reason", "test"]);
    story.minute(1);
    story.run(&["reconcile", "--once"]);
    story.run(&["resume", "native"]);
    story.minute(2);
    story.run(&["reconcile", "--once"]);

    // Other target groups, tags and limits, no hook; no controls of the cloud's own any more; and one group let go.
    let other = MADE
        .replace("TARGET_A", "TARGET_B")
        .replace("team = \"shop\"", "cost = \"7\"")
        .replace("max = 10", "max = 12")
        .replace("    drain = \"2m\"\n", "");
    let empty = NATIVE.replace("CONTROLS", "");
    story.write(&[&other, &empty]);
    story.run(&["apply", "--auto-approve"]);
    story.run(&["plan"]);
    story.run(&["destroy", "--auto-approve"]);

    // The conditions look at the tag: it comes before all other changes, and goes after them.
    let changes = story.changes_of("web-theirs");
    assert_eq!(
        changes.first().unwrap(),
        "CreateOrUpdateTags",
        "{changes:?}"
    );
    assert_eq!(changes.last().unwrap(), "DeleteTags", "{changes:?}");
    assert!(changes.len() > 3, "{changes:?}");

    let (called, denied) = story.called();
    assert_eq!(denied, BTreeSet::new(), "not in the documents");
    let unused: Vec<_> = all.difference(&called).collect();
    assert!(
        unused.is_empty(),
        "in the documents, and never called: {unused:?}"
    );
    assert!(called.is_subset(&all), "{called:?}");
    assert_eq!(story.account.violations(), Vec::<Value>::new());
}
