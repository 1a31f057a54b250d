//! Metrics of CloudWatch as the loop decides on them: predefined names, any other series, percentiles, rates, formulas.

use serde_json::{Value, json};

use crate::aws_support::{Stage, has};

/// A metric of a group with 2 instances: its block, and what it makes of them.
struct Case {
    block: &'static str,
    wants: u32,
    /// As `explain` says it.
    words: &'static str,
}

const CASES: [Case; 8] = [
    Case {
        block: "metric \"queue_depth\" {\n  dimensions = { QueueName = \"jobs\" }\n  scope = \"group\"\n  track { target = 25 }\n}",
        wants: 5,
        words: "queue_depth a total of 120",
    },
    Case {
        // 1800 a minute are 30 a second.
        block: "metric \"requests_per_instance\" {\n  track { target = 10 }\n}",
        wants: 6,
        words: "requests_per_instance 30 against",
    },
    Case {
        block: "metric \"requests\" {\n  scope = \"group\"\n  track { target = 20 }\n}",
        wants: 3,
        words: "requests a total of 60",
    },
    Case {
        block: "metric \"latency\" {\n  statistic = \"p90\"\n  step {\n    above = 0.8\n    add   = 2\n  }\n}",
        wants: 4,
        words: "latency 0.9 s",
    },
    Case {
        // 360 of 3600 requests.
        block: "metric \"error_rate\" {\n  step {\n    above = 10\n    add   = 1\n  }\n}",
        wants: 3,
        words: "error_rate 10 %",
    },
    Case {
        block: "metric \"orders\" {\n  namespace = \"Shop\"\n  name = \"Orders\"\n  dimensions = { Site = \"eu\" }\n  statistic = \"rate\"\n  scope = \"group\"\n  track { target = 2 }\n}",
        wants: 5,
        words: "orders a total of 10",
    },
    Case {
        block: "metric \"orders\" {\n  namespace = \"Shop\"\n  name = \"Orders\"\n  dimensions = { Site = \"eu\" }\n  statistic = \"maximum\"\n  step {\n    above = 250\n    add   = 4\n  }\n}",
        wants: 6,
        words: "orders 300 is at",
    },
    Case {
        block: "metric \"queue_depth\" {\n  dimensions = { QueueName = \"jobs\" }\n}\nmetric \"requests\" {}\nmetric \"both\" {\n  value = metric.queue_depth / 10 + metric.requests\n  scope = \"group\"\n  track { target = 9 }\n}",
        wants: 8,
        words: "both a total of 72",
    },
];

/// A load balancer with a target group: the tails of their ARNs, as CloudWatch names them, and the target group's ARN.
fn balancer(stage: &Stage) -> Value {
    stage.account.boto3(
        "
ec2, elb = client('ec2'), client('elbv2')
subnets = sorted(ec2.describe_subnets()['Subnets'], key=lambda s: s['AvailabilityZone'])[:2]
group = elb.create_target_group(Name='web', Protocol='HTTP', Port=80, VpcId=subnets[0]['VpcId'])['TargetGroups'][0]['TargetGroupArn']
balancer = elb.create_load_balancer(Name='shop', Subnets=[s['SubnetId'] for s in subnets])['LoadBalancers'][0]['LoadBalancerArn']
elb.create_listener(LoadBalancerArn=balancer, Protocol='HTTP', Port=80, DefaultActions=[{'Type': 'forward', 'TargetGroupArn': group}])
out = [group, {'TargetGroup': group.split(':')[-1], 'LoadBalancer': balancer.split('loadbalancer/')[-1]}]
",
    )
}

/// The group of the n-th case.
fn name(n: usize) -> String {
    format!("m-{:05}", n + 1)
}

#[test]
fn the_loop_decides_on_what_cloudwatch_has_and_leaves_the_open_period_out() {
    let mut files = "tideform {\n  workspace = \"shop\"\n}\nprovider \"aws\" {}\n".to_owned();
    for (n, case) in CASES.iter().enumerate() {
        files.push_str(&format!(
            "group \"g{n}\" {{\n  provider = provider.aws\n  resource \"asg\" {{ name = \"{}\" }}\n  warmup = \"0s\"\n{}\n}}\n",
            name(n),
            case.block
        ));
    }
    let mut stage = Stage::new(&files);
    stage.account.seed_groups(json!({
        "count": CASES.len(), "prefix": "m", "policies": [], "schedules": [],
        "group": { "MinSize": 1, "DesiredCapacity": 2, "MaxSize": 10 },
    }));
    stage.pass(1800);
    let target = balancer(&stage);
    let arn = target[0].as_str().unwrap();
    stage.scaling(&format!(
        "for g in scaling.describe_auto_scaling_groups()['AutoScalingGroups']:
    scaling.attach_load_balancer_target_groups(AutoScalingGroupName=g['AutoScalingGroupName'], TargetGroupARNs=['{arn}'])"
    ));
    stage.apply();

    let minute = stage.now.as_second() - stage.now.as_second().rem_euclid(60);
    let series = |namespace: &str, name: &str, dimensions: &Value, values: &[f64]| {
        let closed = (1..=5).flat_map(|n| {
            values
                .iter()
                .map(move |value| json!([minute - n * 60, value]))
        });
        // The minute that is still open has a value that would move every group.
        let points: Vec<Value> = closed.chain([json!([minute, 1e7])]).collect();
        json!({ "namespace": namespace, "name": name, "dimensions": dimensions, "points": points })
    };
    let alb = |name: &str, values: &[f64]| series("AWS/ApplicationELB", name, &target[1], values);
    let tenths: Vec<f64> = (1..=11).map(|n| f64::from(n) / 10.0 - 0.1).collect();
    stage.account.metrics(json!([
        series(
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            &json!({ "QueueName": "jobs" }),
            &[120.0]
        ),
        // The other queue is nobody's.
        series(
            "AWS/SQS",
            "ApproximateNumberOfMessagesVisible",
            &json!({ "QueueName": "mail" }),
            &[9e6]
        ),
        alb("RequestCount", &[3600.0]),
        alb("RequestCountPerTarget", &[1800.0]),
        alb("HTTPCode_Target_5XX_Count", &[360.0]),
        alb("TargetResponseTime", &tenths),
        series(
            "Shop",
            "Orders",
            &json!({ "Site": "eu" }),
            &[100.0, 200.0, 300.0]
        ),
    ]));
    stage.account.clear_log();
    let ran = stage.run(&["reconcile", "--once"]).exits(0).stdout;
    for (n, case) in CASES.iter().enumerate() {
        has(&ran, &format!("group.g{n} 2 -> {}", case.wants));
        let explained = stage.run(&["explain", &format!("g{n}")]).exits(0).stdout;
        has(&explained, case.words);
    }
    // All of it is one question, and one more for the target group.
    assert_eq!(stage.account.count("cloudwatch", "GetMetricData"), 1);
    assert_eq!(stage.account.count("*", "DescribeTargetGroups"), 1);
    stage.no_violations();
}
