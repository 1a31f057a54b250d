//! Changing capacity: what stands in the way, and what happens when the answer does not come.

use serde_json::{Value, json};
use tideform_policies::model::InstanceId;
use tideform_provider::{AttributeChange, Provider, ProviderError};

use crate::support::{Cloud, Done, asg, failure, mix, run, spec};

const NAME: &str = "web-00001";

/// A group of 1 to 5 with 3.
fn cloud() -> Done<Cloud> {
    Cloud::with_group(json!({ "MinSize": 1, "DesiredCapacity": 3, "MaxSize": 5 }))
}

async fn set(cloud: &Cloud, desired: u32) -> Result<(), ProviderError> {
    cloud.provider.set_desired(&asg(NAME), desired).await
}

async fn end(cloud: &Cloud, id: &InstanceId) -> Result<(), ProviderError> {
    cloud.provider.terminate_instance(&asg(NAME), id).await
}

fn writes(cloud: &Cloud) -> usize {
    cloud.account.count("autoscaling", "SetDesiredCapacity")
}

fn fault(kind: &str, op: &str, when: &str) -> Value {
    json!([{ "service": "autoscaling", "op": op, "kind": kind, "when": when }])
}

#[test]
fn a_capacity_outside_the_live_limits_is_refused_and_not_asked_for() -> Done {
    run(async {
        let cloud = cloud()?;
        for (desired, text) in [(6, "capacity 6 is outside"), (0, "capacity 0 is outside")] {
            let error = failure(set(&cloud, desired).await)?;
            assert!(matches!(error, ProviderError::Refused { .. }), "{error}");
            assert!(error.to_string().contains(text), "{error}");
        }
        assert_eq!(writes(&cloud), 0);
        assert_eq!(cloud.live(NAME).await?.desired, 3);
        cloud.no_violations()
    })
}

#[test]
fn what_is_suspended_is_held_in_its_direction_only() -> Done {
    run(async {
        let cloud = cloud()?;
        cloud.account.boto3(
            "client('autoscaling').suspend_processes(AutoScalingGroupName='web-00001', ScalingProcesses=['Launch'])",
        );
        let error = failure(set(&cloud, 4).await)?;
        assert!(matches!(error, ProviderError::Blocked { .. }), "{error}");
        assert!(
            error.to_string().contains("Launch") && error.to_string().contains(NAME),
            "{error}"
        );
        assert_eq!(writes(&cloud), 0);
        set(&cloud, 2).await?;
        assert_eq!(cloud.live(NAME).await?.desired, 2);
        cloud.no_violations()
    })
}

#[test]
fn an_instance_refresh_under_way_holds_changes() -> Done {
    run(async {
        let cloud = cloud()?;
        cloud.account.boto3(
            "client('autoscaling').start_instance_refresh(AutoScalingGroupName='web-00001')",
        );
        let victim = cloud.live(NAME).await?.instances.remove(0);
        for error in [
            failure(set(&cloud, 4).await)?,
            failure(end(&cloud, &victim.id).await)?,
        ] {
            assert!(matches!(error, ProviderError::Blocked { .. }), "{error}");
            assert!(
                error.to_string().contains("instance refresh is under way"),
                "{error}"
            );
        }
        assert_eq!(writes(&cloud), 0);
        assert_eq!(cloud.live(NAME).await?.desired, 3);
        cloud.no_violations()
    })
}

#[test]
fn a_throttled_write_is_made_again_and_counts_once() -> Done {
    run(async {
        let cloud = cloud()?;
        cloud
            .account
            .faults(fault("throttling", "SetDesiredCapacity", "before"));
        set(&cloud, 4).await?;
        assert_eq!(writes(&cloud), 2);
        assert_eq!(cloud.live(NAME).await?.desired, 4);
        cloud.no_violations()
    })
}

#[test]
fn a_write_whose_answer_is_lost_is_never_made_again() -> Done {
    run(async {
        for kind in [
            "drop",
            "truncate",
            "garbage",
            "html",
            "internal",
            "unavailable",
        ] {
            let cloud = cloud()?;
            let victim = cloud.live(NAME).await?.instances.remove(0);
            cloud
                .account
                .faults(fault(kind, "TerminateInstanceInAutoScalingGroup", "after"));
            let ended = end(&cloud, &victim.id).await;
            let error = failure(ended).map_err(|error| format!("{kind}: {error}"))?;
            assert!(
                matches!(error, ProviderError::OutcomeUnknown { .. }),
                "{kind}: {error}"
            );
            assert!(!error.is_transient());
            let count = cloud
                .account
                .count("autoscaling", "TerminateInstanceInAutoScalingGroup");
            assert_eq!(count, 1, "{kind}");
            assert_eq!(cloud.live(NAME).await?.desired, 2, "{kind}");

            cloud
                .account
                .faults(fault(kind, "SetDesiredCapacity", "after"));
            let error = failure(set(&cloud, 4).await)?;
            assert!(
                matches!(error, ProviderError::OutcomeUnknown { .. }),
                "{kind}: {error}"
            );
            assert_eq!(writes(&cloud), 1, "{kind}");
            assert_eq!(cloud.live(NAME).await?.desired, 4, "{kind}");
            cloud.no_violations()?;
        }
        Ok(())
    })
}

#[test]
fn a_connection_that_is_cut_before_the_write_is_no_known_outcome_either() -> Done {
    run(async {
        let cloud = cloud()?;
        cloud
            .account
            .faults(fault("drop", "SetDesiredCapacity", "before"));
        let error = failure(set(&cloud, 4).await)?;
        assert!(
            matches!(error, ProviderError::OutcomeUnknown { .. }),
            "{error}"
        );
        assert_eq!(writes(&cloud), 1);
        assert_eq!(cloud.live(NAME).await?.desired, 3);
        cloud.no_violations()
    })
}

#[test]
fn a_missing_permission_is_named() -> Done {
    run(async {
        let cloud = cloud()?;
        cloud
            .account
            .allow(Some(&["autoscaling:Describe*", "sts:*", "ec2:Describe*"]));
        let victim = cloud.live(NAME).await?.instances.remove(0);
        let limits = AttributeChange::Warmup(std::time::Duration::from_secs(60));
        for (answer, permission) in [
            (set(&cloud, 4).await, "autoscaling:SetDesiredCapacity"),
            (
                end(&cloud, &victim.id).await,
                "autoscaling:TerminateInstanceInAutoScalingGroup",
            ),
            (
                cloud
                    .provider
                    .update_group(&tideform_provider::GroupChange {
                        resource: asg(NAME),
                        changes: vec![limits],
                    })
                    .await,
                "autoscaling:UpdateAutoScalingGroup",
            ),
        ] {
            let error = failure(answer)?;
            assert!(matches!(error, ProviderError::Denied { .. }), "{error}");
            assert!(
                error
                    .to_string()
                    .contains(&format!("the permission {permission}")),
                "{error}"
            );
        }
        cloud.no_violations()
    })
}

#[test]
fn credentials_that_have_run_out_are_said_to_be_so() -> Done {
    run(async {
        for (kind, op) in [
            ("expired_token", "SetDesiredCapacity"),
            ("expired_token", "DescribeAutoScalingGroups"),
            ("invalid_token", "SetDesiredCapacity"),
        ] {
            let cloud = cloud()?;
            cloud.account.faults(fault(kind, op, "before"));
            let error = failure(set(&cloud, 4).await)?;
            assert!(
                matches!(error, ProviderError::Denied { .. }),
                "{kind} {op}: {error}"
            );
            assert!(
                error.to_string().contains("log in again"),
                "{kind} {op}: {error}"
            );
            assert_eq!(cloud.live(NAME).await?.desired, 3);
        }
        Ok(())
    })
}

#[test]
fn a_group_that_was_deleted_is_not_found_also_between_the_look_and_the_write() -> Done {
    run(async {
        const DELETE: &str = "client('autoscaling').delete_auto_scaling_group(AutoScalingGroupName='web-00001', ForceDelete=True)";
        let cloud = cloud()?;
        let victim = cloud.live(NAME).await?.instances.remove(0);
        // The same questions as below, for the server to have old answers to.
        set(&cloud, 4).await?;
        set(&cloud, 3).await?;
        cloud.account.boto3(DELETE);
        let error = failure(set(&cloud, 4).await)?;
        assert!(matches!(error, ProviderError::NotFound { .. }), "{error}");
        let error = failure(end(&cloud, &victim.id).await)?;
        assert!(matches!(error, ProviderError::NotFound { .. }), "{error}");

        let cloud = self::cloud()?;
        set(&cloud, 4).await?;
        set(&cloud, 3).await?;
        cloud.account.boto3(DELETE);
        cloud.account.faults(json!([
            { "service": "autoscaling", "op": "DescribeAutoScalingGroups", "kind": "stale" },
            { "service": "autoscaling", "op": "DescribeInstanceRefreshes", "kind": "stale" },
        ]));
        let error = failure(set(&cloud, 2).await)?;
        assert!(matches!(error, ProviderError::NotFound { .. }), "{error}");
        cloud.no_violations()
    })
}

#[test]
fn a_change_under_way_is_a_conflict() -> Done {
    run(async {
        for kind in ["in_progress", "contention"] {
            let cloud = cloud()?;
            cloud
                .account
                .faults(fault(kind, "SetDesiredCapacity", "before"));
            let error = failure(set(&cloud, 4).await)?;
            assert!(
                matches!(error, ProviderError::Conflict { .. }),
                "{kind}: {error}"
            );
            assert_eq!(writes(&cloud), 1);
        }
        Ok(())
    })
}

#[test]
fn a_protected_victim_and_one_below_the_minimum_are_refused() -> Done {
    run(async {
        let cloud = cloud()?;
        let instances = cloud.live(NAME).await?.instances;
        let [first, second, ..] = instances.as_slice() else {
            return Err("too few instances".into());
        };
        cloud.account.boto3(&format!(
            "client('autoscaling').set_instance_protection(AutoScalingGroupName='web-00001', InstanceIds=['{}'], ProtectedFromScaleIn=True)",
            first.id
        ));
        let error = failure(end(&cloud, &first.id).await)?;
        assert!(matches!(error, ProviderError::Refused { .. }), "{error}");
        assert!(error.to_string().contains("protected"), "{error}");

        end(&cloud, &second.id).await?;
        let live = cloud.live(NAME).await?;
        assert_eq!(live.desired, 2);
        let third = live
            .instances
            .iter()
            .find(|i| !i.protected && i.id != second.id)
            .ok_or("none left")?;
        end(&cloud, &third.id).await?;
        set(&cloud, 1).await?;
        let error = failure(end(&cloud, &first.id).await)?;
        assert!(matches!(error, ProviderError::Refused { .. }), "{error}");
        let count = cloud
            .account
            .count("autoscaling", "TerminateInstanceInAutoScalingGroup");
        assert_eq!(count, 2);

        let smallest =
            Cloud::with_group(json!({ "MinSize": 2, "DesiredCapacity": 2, "MaxSize": 5 }))?;
        let victim = smallest.live(NAME).await?.instances.remove(0);
        let error = failure(end(&smallest, &victim.id).await)?;
        assert!(matches!(error, ProviderError::Refused { .. }), "{error}");
        assert!(
            error.to_string().contains("below its MinSize of 2"),
            "{error}"
        );
        cloud.no_violations()
    })
}

#[test]
fn a_mix_keeps_what_the_files_do_not_say_and_a_new_template_keeps_the_mix() -> Done {
    run(async {
        let cloud = Cloud::new()?;
        let base = cloud.base();
        let mut wanted = spec("web", &base)?;
        wanted.changes = vec![AttributeChange::Mix(mix(0.5))];
        cloud.provider.create_group(&wanted).await?;
        cloud.change("web", AttributeChange::Mix(mix(0.0))).await?;
        let launch = [("launch_template".to_owned(), json!("web:2"))];
        cloud
            .change("web", AttributeChange::Launch(launch.into()))
            .await?;
        let live = cloud.live("web").await?;
        assert_eq!(live.attributes.mix, Some(mix(0.0)));
        assert_eq!(live.attributes.launch["launch_template"], json!("web:2"));
        let seen = cloud.account.boto3(
            "
policy = client('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups'][0]['MixedInstancesPolicy']
out = [policy['LaunchTemplate']['LaunchTemplateSpecification']['Version'],
    [o['InstanceType'] for o in policy['LaunchTemplate']['Overrides']],
    policy['InstancesDistribution']['OnDemandPercentageAboveBaseCapacity']]
",
        );
        assert_eq!(seen, json!(["2", ["m5.large", "m5.xlarge"], 100]));
        cloud.no_violations()
    })
}
