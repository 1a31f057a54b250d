//! Reading groups.

use serde_json::{Value, json};
use tideform_policies::model::{InstanceState, Lifecycle};
use tideform_provider::{AttributeChange, ControlKind, GroupRequest, Needs, Provider};

use crate::support::{Cloud, Done, asg, mix, owner, run, spec};

#[test]
fn instances_have_their_state_lifecycle_type_and_launch_time() -> Done {
    run(async {
        let cloud = Cloud::new()?;
        cloud.account.stop_clock("2026-03-02T12:00:00Z");
        cloud.account.settings(json!({ "boot_s": 60 }));
        let base = cloud.base();
        let mut wanted = spec("web", &base)?;
        wanted.changes = vec![AttributeChange::Mix(mix(0.5))];
        cloud.provider.create_group(&wanted).await?;
        let live = cloud.live("web").await?;
        assert_eq!(live.instances.len(), 4);
        assert!(
            live.instances
                .iter()
                .all(|i| i.state == InstanceState::Pending)
        );
        cloud.account.advance(60);
        let live = cloud.live("web").await?;
        assert!(
            live.instances
                .iter()
                .all(|i| i.state == InstanceState::InService)
        );
        // One as the base; of the three above it half, rounded to on-demand.
        let spot = live
            .instances
            .iter()
            .filter(|i| i.lifecycle == Lifecycle::Spot);
        assert_eq!(spot.count(), 1);
        for instance in &live.instances {
            let launched = instance.launched_at.ok_or("no launch time")?;
            assert_eq!(launched.to_string(), "2026-03-02T12:00:00Z");
            assert!(matches!(
                instance.instance_type.as_deref(),
                Some("m5.large" | "m5.xlarge")
            ));
            assert_eq!(instance.weight, 1);
        }
        assert_eq!(live.attributes.mix, Some(mix(0.5)));
        assert_eq!(live.owner, Some(owner("group.web")));
        cloud.no_violations()
    })
}

#[test]
fn protected_unhealthy_and_standby_instances_are_seen_as_such() -> Done {
    run(async {
        let cloud = Cloud::with_group(json!({ "MinSize": 1, "DesiredCapacity": 4, "MaxSize": 5 }))?;
        let ids = cloud.account.boto3(
            "
asg = client('autoscaling')
group = asg.describe_auto_scaling_groups()['AutoScalingGroups'][0]
ids = [i['InstanceId'] for i in group['Instances']]
name = group['AutoScalingGroupName']
asg.suspend_processes(AutoScalingGroupName=name, ScalingProcesses=['ReplaceUnhealthy', 'AZRebalance'])
asg.set_instance_protection(AutoScalingGroupName=name, InstanceIds=ids[:1], ProtectedFromScaleIn=True)
asg.set_instance_health(InstanceId=ids[1], HealthStatus='Unhealthy', ShouldRespectGracePeriod=False)
asg.enter_standby(AutoScalingGroupName=name, InstanceIds=ids[2:3], ShouldDecrementDesiredCapacity=True)
out = ids
",
        );
        let live = cloud.live("web-00001").await?;
        let of = |n: usize| {
            let id = ids[n].as_str().unwrap_or_default();
            live.instances.iter().find(|i| &*i.id == id)
        };
        assert!(of(0).ok_or("gone")?.protected);
        assert_eq!(of(1).ok_or("gone")?.state, InstanceState::Unhealthy);
        assert_eq!(of(2), None);
        assert!(!of(3).ok_or("gone")?.protected);
        assert_eq!(live.desired, 3);
        assert_eq!(live.blocked, Vec::<String>::new());
        cloud.no_violations()
    })
}

#[test]
fn owner_tags_name_workspace_state_and_group() -> Done {
    run(async {
        let cloud = Cloud::new()?;
        cloud.account.seed_groups(json!({
            "count": 2, "prefix": "web",
            "tags": { "tideform:workspace": "shop", "tideform:state": "lineage group.web", "team": "a" },
        }));
        cloud
            .account
            .seed_groups(json!({ "count": 1, "prefix": "other" }));
        let live = cloud.live("web-00001").await?;
        assert_eq!(live.owner, Some(owner("group.web")));
        assert_eq!(
            live.attributes.launch.get("tags"),
            Some(&json!({ "team": "a" }))
        );
        assert_eq!(cloud.live("other-00001").await?.owner, None);
        let owned = cloud.provider.owned_groups("shop").await?;
        let names: Vec<&str> = owned.iter().map(|(resource, _)| &*resource.name).collect();
        assert_eq!(names, ["web-00001", "web-00002"]);
        cloud.no_violations()
    })
}

#[test]
fn controls_of_others_are_read_with_what_they_say() -> Done {
    run(async {
        let cloud = Cloud::new()?;
        cloud
            .account
            .seed_groups(json!({ "count": 1, "prefix": "web" }));
        let live = cloud.live("web-00001").await?;
        let mut controls: Vec<(&str, ControlKind, Option<&str>)> = live
            .controls
            .iter()
            .map(|control| {
                let kind = control.settings.get("type").and_then(Value::as_str);
                (control.name.as_str(), control.kind, kind)
            })
            .collect();
        controls.sort();
        assert_eq!(
            controls,
            [
                ("burst", ControlKind::Dynamic, Some("step_scaling")),
                ("cpu", ControlKind::Dynamic, Some("target_tracking")),
                ("evening", ControlKind::Schedule, Some("scheduled")),
                ("morning", ControlKind::Schedule, Some("scheduled")),
            ]
        );
        let cpu = live
            .controls
            .iter()
            .find(|c| c.name == "cpu")
            .ok_or("no cpu")?;
        assert_eq!(cpu.summary, "target tracking, cpu at 50");
        assert_eq!(
            json!(cpu.settings),
            json!({
                "type": "target_tracking", "target": 50.0, "scale_in": true,
                "metric": { "predefined": { "name": "ASGAverageCPUUtilization" } },
            })
        );
        let morning = live
            .controls
            .iter()
            .find(|c| c.name == "morning")
            .ok_or("none")?;
        assert_eq!(morning.summary, "`0 8 * * MON-FRI` Europe/Berlin, min 2");
        cloud.no_violations()
    })
}

#[test]
fn suspended_launch_and_terminate_block_a_group() -> Done {
    run(async {
        let cloud = Cloud::with_group(json!({ "MinSize": 1 }))?;
        cloud.account.boto3(
            "client('autoscaling').suspend_processes(AutoScalingGroupName='web-00001', ScalingProcesses=['Launch', 'AZRebalance'])",
        );
        let live = cloud.live("web-00001").await?;
        assert_eq!(live.blocked.len(), 1, "{:?}", live.blocked);
        assert!(live.blocked[0].starts_with("the process Launch is suspended (User suspended"));
        cloud.no_violations()
    })
}

#[test]
fn launches_that_failed_since_the_last_success_are_read() -> Done {
    run(async {
        let cloud = Cloud::new()?;
        let base = cloud.base();
        let mut wanted = spec("web", &base)?;
        wanted.changes = vec![AttributeChange::Mix(mix(1.0))];
        cloud
            .account
            .launch_failures(json!([{ "group": "web", "lifecycle": "spot" }]));
        cloud.provider.create_group(&wanted).await?;
        let live = cloud.live("web").await?;
        assert_eq!(live.instances.len(), 1);
        let failed = live.failed_launches.first().ok_or("no failure")?;
        assert_eq!(failed.lifecycle, Lifecycle::Spot, "{}", failed.message);
        assert!(
            failed.message.to_lowercase().contains("spot"),
            "{}",
            failed.message
        );
        cloud.no_violations()
    })
}

#[test]
fn a_thousand_groups_are_read_with_their_controls_in_sixty_calls() -> Done {
    run(async {
        let cloud = Cloud::new()?;
        let seeded = cloud.account.seed_groups(json!({
            "count": 1000, "prefix": "web", "group": { "MinSize": 1 },
        }));
        let requests: Vec<GroupRequest> = seeded["groups"]
            .as_array()
            .ok_or("no groups")?
            .iter()
            .filter_map(Value::as_str)
            .map(|name| GroupRequest {
                resource: asg(name),
                needs: Needs {
                    policies: true,
                    schedules: true,
                    ..Needs::default()
                },
            })
            .collect();
        cloud.account.clear_log();
        let answers = cloud.provider.read_groups(&requests).await;
        assert_eq!(answers.len(), 1000);
        for (answer, request) in answers.into_iter().zip(&requests) {
            let live = answer?.ok_or("no group")?;
            assert_eq!(live.resource, request.resource);
            assert_eq!(live.controls.len(), 4);
            assert_eq!(live.instances.len(), 1);
            assert!(live.instances.iter().all(|i| i.launched_at.is_some()));
        }
        let calls = cloud.account.count("*", "*");
        assert!(calls <= 60, "{calls} calls");
        for (op, fewest) in [
            ("DescribeAutoScalingGroups", 10),
            ("DescribePolicies", 20),
            ("DescribeScheduledActions", 20),
        ] {
            assert_eq!(cloud.account.count("autoscaling", op), fewest, "{op}");
        }
        let ec2 = cloud.account.count("ec2", "*");
        assert_eq!(calls, 50 + ec2 + 1, "and who we are");
        cloud.no_violations()
    })
}

#[test]
fn failed_launches_of_many_groups_are_found_in_the_accounts_activities() -> Done {
    run(async {
        let cloud = Cloud::new()?;
        cloud.account.launch_failures(json!([
            { "group": "web-00003", "reason": "There is no Spot capacity available." }
        ]));
        let seeded = cloud.account.seed_groups(json!({
            "count": 30, "prefix": "web", "policies": [], "schedules": [],
            "group": { "MinSize": 1, "MaxSize": 5, "DesiredCapacity": 2 },
        }));
        let request = |name: &str| GroupRequest {
            resource: asg(name),
            needs: Needs {
                failed_launches: true,
                ..Needs::default()
            },
        };
        let many: Vec<GroupRequest> = seeded["groups"]
            .as_array()
            .ok_or("no groups")?
            .iter()
            .filter_map(Value::as_str)
            .map(request)
            .collect();
        for (requests, calls) in [(&many[..], 1), (&many[..5], 5)] {
            cloud.account.clear_log();
            let answers = cloud.provider.read_groups(requests).await;
            for answer in answers {
                let live = answer?.ok_or("no group")?;
                let failed = usize::from(&*live.resource.name == "web-00003");
                assert_eq!(live.failed_launches.len(), failed, "{}", live.resource.name);
            }
            let asked = cloud
                .account
                .count("autoscaling", "DescribeScalingActivities");
            assert_eq!(asked, calls);
        }
        cloud.no_violations()
    })
}
