//! What happens on the wire: calls that hang, break off, or are answered by somebody else. And waits, without any.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::json;
use tideform_aws_testserver::{AwsServer, Fault, FaultProxy};
use tideform_provider::{
    AttributeChange, Clock, ControlSpec, GroupChange, GroupRequest, LiveGroup, Provider,
    ProviderError,
};

use crate::support::{Cloud, Done, asg, at, failure, run};

const NAME: &str = "web-00001";

/// A group of 1 to 5 with 3, a policy with an alarm, and a schedule, behind a proxy. A call takes half a second at most.
fn cloud() -> Done<(Cloud, FaultProxy)> {
    let proxy = FaultProxy::start(AwsServer::shared());
    let cloud = Cloud::with_settings(json!({ "endpoint_url": proxy.url(), "timeout": "1s" }))?;
    cloud.account.seed_groups(json!({
        "count": 1, "prefix": "web", "group": { "MinSize": 1, "DesiredCapacity": 3, "MaxSize": 5 },
    }));
    cloud.account.boto3(
        "
scaling, cloudwatch = client('autoscaling'), client('cloudwatch')
for policy in scaling.describe_policies(PolicyTypes=['StepScaling'])['ScalingPolicies']:
    cloudwatch.put_metric_alarm(AlarmName=policy['PolicyName'], AlarmActions=[policy['PolicyARN']], Namespace='AWS/EC2',
        MetricName='CPUUtilization', Statistic='Average', Period=60, EvaluationPeriods=1, Threshold=80.0,
        ComparisonOperator='GreaterThanThreshold')
scaling.put_lifecycle_hook(AutoScalingGroupName='web-00001', LifecycleHookName='tideform-drain',
    LifecycleTransition='autoscaling:EC2_INSTANCE_TERMINATING', HeartbeatTimeout=120)
",
    );
    Ok((cloud, proxy))
}

/// A clock that stands still, and remembers what it was asked to wait.
#[derive(Debug, Default)]
struct Waits(Mutex<Vec<Duration>>);

#[async_trait]
impl Clock for Waits {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
    async fn wait(&self, duration: Duration) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(duration);
    }
    fn is_stepped(&self) -> bool {
        false
    }
}

#[test]
fn a_write_that_stays_throttled_is_given_up_after_seven_seconds_of_its_clock() -> Done {
    run(async {
        for (status, code) in [
            (400, "Throttling"),
            (503, "RequestLimitExceeded"),
            (429, "TooManyRequestsException"),
        ] {
            let (mut cloud, proxy) = cloud()?;
            let waits = Arc::new(Waits::default());
            cloud.provider = cloud.provider.with_clock(waits.clone());
            proxy.spoil_some(
                "SetDesiredCapacity",
                NAME,
                0,
                99,
                Fault::Answer { status, code },
            );
            let error = failure(cloud.provider.set_desired(&asg(NAME), 4).await)?;
            assert!(matches!(error, ProviderError::Throttled { .. }), "{error}");
            assert!(
                error.to_string().contains("autoscaling:SetDesiredCapacity"),
                "{error}"
            );
            let waited = waits
                .0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            let total: f64 = waited.iter().map(Duration::as_secs_f64).sum();
            assert!((6.0..8.0).contains(&total), "{waited:?}");
            let asked = proxy.passed();
            let asked = asked.iter().filter(|call| call.op == "SetDesiredCapacity");
            assert_eq!(asked.count(), 5, "{code}");
            // By the same clock.
            proxy.heal();
            assert_eq!(cloud.live(NAME).await?.at, Timestamp::UNIX_EPOCH);
            assert_eq!(cloud.live(NAME).await?.desired, 3);
        }
        Ok(())
    })
}

#[test]
fn a_write_that_hangs_is_given_up_in_time_and_never_made_again() -> Done {
    run(async {
        for (fault, desired) in [
            (Fault::HangBefore, 3),
            (Fault::HangAfter, 4),
            (Fault::Late, 3),
        ] {
            let (cloud, proxy) = cloud()?;
            proxy.spoil("SetDesiredCapacity", NAME, fault.clone());
            let error = failure(cloud.provider.set_desired(&asg(NAME), 4).await)?;
            assert!(
                matches!(error, ProviderError::OutcomeUnknown { .. }),
                "{fault:?}: {error}"
            );
            assert!(proxy.left().is_empty());
            assert_eq!(cloud.live(NAME).await?.desired, desired, "{fault:?}");
            // It may take effect after everybody has forgotten it.
            if proxy.deliver_late() == 1 {
                assert_eq!(cloud.live(NAME).await?.desired, 4);
            }
            let asked = proxy.passed();
            let asked = asked.iter().filter(|call| call.op == "SetDesiredCapacity");
            assert_eq!(asked.count(), 1, "{fault:?}");
            cloud.no_violations()?;
        }
        Ok(())
    })
}

async fn read(cloud: &Cloud) -> Done<Result<LiveGroup, ProviderError>> {
    let mut answers = cloud
        .provider
        .read_groups(&[GroupRequest::whole(asg(NAME))])
        .await;
    let answer = answers.pop().ok_or("no answer")?;
    Ok(match answer {
        Ok(live) => {
            let mut live = live.ok_or("no group")?;
            live.at = at("2026-01-01T00:00:00Z")?;
            Ok(live)
        }
        Err(error) => Err(error),
    })
}

#[test]
fn a_read_gives_all_that_there_is_or_fails() -> Done {
    run(async {
        let (cloud, proxy) = cloud()?;
        let whole = read(&cloud).await??;
        assert_eq!(whole.controls.len(), 4);
        assert!(whole.attributes.drain.is_some());
        for op in [
            "DescribeAutoScalingGroups",
            "DescribePolicies",
            "DescribeScheduledActions",
            "DescribeLifecycleHooks",
            "DescribeScalingActivities",
            "DescribeInstances",
            "DescribeAlarms",
        ] {
            for fault in [
                Fault::Half,
                Fault::Page,
                Fault::Flipped,
                Fault::CutInside,
                Fault::CutBefore,
                Fault::HangBefore,
            ] {
                proxy.spoil(op, "", fault.clone());
                match read(&cloud).await? {
                    Ok(live) => assert_eq!(live, whole, "{op} {fault:?}"),
                    // And then it is asked again, by the caller.
                    Err(error) => {
                        assert!(error.is_transient(), "{op} {fault:?}: {error}");
                        assert!(error.to_string().contains(op), "{op} {fault:?}: {error}");
                    }
                }
                assert_eq!(proxy.left(), [], "{op} {fault:?}: it was never asked");
            }
        }
        cloud.no_violations()
    })
}

#[test]
fn an_alarm_is_put_only_by_aws_own_word() -> Done {
    run(async {
        for (fault, is_known) in [
            (Fault::Page, false),
            (Fault::Flipped, false),
            (Fault::CutInside, false),
            (Fault::CutAfter, false),
            (Fault::HangAfter, false),
            (
                Fault::Answer {
                    status: 500,
                    code: "InternalServiceError",
                },
                false,
            ),
            // AWS answers nothing where we answer an empty map: half of that is whole.
            (Fault::Half, true),
        ] {
            let (cloud, proxy) = cloud()?;
            let spec = step_policy(&cloud).await?;
            proxy.spoil("PutMetricAlarm", "tideform/shop/web/cpu-out", fault.clone());
            let change = GroupChange {
                resource: asg(NAME),
                changes: vec![AttributeChange::PutControl(spec)],
            };
            let answer = cloud.provider.update_group(&change).await;
            assert_eq!(proxy.left(), [], "{fault:?}");
            match answer {
                Ok(()) => assert!(is_known, "{fault:?}: it was taken for AWS's word"),
                Err(error @ ProviderError::OutcomeUnknown { .. }) => {
                    assert!(!is_known, "{fault:?}: {error}");
                    assert!(
                        error.to_string().contains("cloudwatch:PutMetricAlarm"),
                        "{error}"
                    );
                }
                Err(error) => return Err(format!("{fault:?}: {error}").into()),
            }
            let asked = proxy.passed();
            let asked = asked.iter().filter(|call| call.op == "PutMetricAlarm");
            assert_eq!(asked.count(), 1, "{fault:?}");
            cloud.no_violations()?;
        }
        Ok(())
    })
}

/// The seeded step policy and its alarm as they are read, under a name of ours.
async fn step_policy(cloud: &Cloud) -> Done<ControlSpec> {
    let live = cloud.live(NAME).await?;
    let burst = live
        .controls
        .into_iter()
        .find(|control| control.name == "burst")
        .ok_or("no step policy")?;
    Ok(ControlSpec {
        name: "tideform/shop/web/cpu-out".to_owned(),
        kind: burst.kind,
        path: "metric.cpu".to_owned(),
        summary: burst.summary,
        settings: burst.settings,
    })
}
