//! What goes wrong, and by hand.

use std::time::Duration;

use serde_json::json;
use tideform_mock::admin::Process;
use tideform_mock::world::fault::{Call, FaultKind, ScriptedFault};
use tideform_policies::model::{InstanceState, Lifecycle, Share};
use tideform_provider::{AttributeChange, Control, ControlKind, LiveMix, Provider, ProviderError};

use crate::support::{Cloud, Done, MINUTE, asg, run, spec};

fn scripted(kind: FaultKind) -> ScriptedFault {
    ScriptedFault {
        kind,
        call: Some(Call::SetDesired),
        group: None,
        skip: 0,
        times: 1,
    }
}

fn mix(spot: f64) -> LiveMix {
    LiveMix {
        on_demand_base: 0,
        spot: Share(spot),
        types: Vec::new(),
        allocation: None,
        rebalance: None,
    }
}

#[test]
fn a_scripted_fault_strikes_the_next_call_as_its_kind_says() -> Done {
    run(async {
        let cloud = Cloud::new(json!({}))?;
        cloud.provider.create_group(&spec("web")?).await?;
        for (kind, error, done) in [
            (
                FaultKind::Throttle,
                "request rate exceeded for `set_desired`",
                false,
            ),
            (
                FaultKind::Unavailable,
                "`set_desired` is unavailable: the mock cloud is not there",
                false,
            ),
            (FaultKind::Denied, "`set_desired` is not allowed", false),
            (
                FaultKind::TimeoutBefore,
                "no answer to `set_desired`",
                false,
            ),
            (FaultKind::TimeoutAfter, "no answer to `set_desired`", true),
        ] {
            cloud.provider.set_desired(&asg("web"), 2).await?;
            cloud.provider.admin().add_fault(scripted(kind))?;
            let answer = cloud.provider.set_desired(&asg("web"), 8).await;
            let said = answer
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default();
            assert!(said.starts_with(error), "{kind:?}: {said}");
            let desired = cloud.live("web").await?.desired;
            assert_eq!(desired, if done { 8 } else { 2 }, "{kind:?}");
            // It struck once.
            cloud.provider.set_desired(&asg("web"), 3).await?;
        }
        Ok(())
    })
}

#[test]
fn scripted_faults_wait_for_their_call_and_count() -> Done {
    run(async {
        let cloud = Cloud::new(json!({}))?;
        cloud.provider.create_group(&spec("web")?).await?;
        cloud.provider.create_group(&spec("api")?).await?;
        let admin = cloud.provider.admin();
        admin.add_fault(ScriptedFault {
            group: Some("web".to_owned()),
            skip: 1,
            times: 2,
            ..scripted(FaultKind::Throttle)
        })?;
        assert!(cloud.provider.set_desired(&asg("api"), 2).await.is_ok());
        let mut answers = Vec::new();
        for _ in 0..4 {
            answers.push(cloud.provider.set_desired(&asg("web"), 2).await.is_ok());
        }
        assert_eq!(answers, [true, false, false, true]);
        admin.add_fault(scripted(FaultKind::Throttle))?;
        admin.clear_faults()?;
        assert!(cloud.provider.set_desired(&asg("web"), 2).await.is_ok());
        assert!(admin.add_fault(scripted(FaultKind::Lag)).is_err());
        Ok(())
    })
}

#[test]
fn drawn_faults_strike_their_share_of_their_calls_alike_for_a_seed() -> Done {
    let struck = |seed: u64| -> Done<Vec<bool>> {
        let mut answers = Vec::new();
        run(async {
            let cloud = Cloud::new(json!({
                "seed": seed, "fault": { "throttle": { "rate": 0.3, "calls": ["set_desired"] } }
            }))?;
            cloud.provider.create_group(&spec("web")?).await?;
            for _ in 0..200 {
                answers.push(cloud.provider.set_desired(&asg("web"), 2).await.is_err());
            }
            assert!(cloud.live("web").await.is_ok());
            Ok(())
        })?;
        Ok(answers)
    };
    let first = struck(1)?;
    let share = first.iter().filter(|struck| **struck).count();
    assert!((40..80).contains(&share), "{share}");
    assert_eq!(first, struck(1)?);
    assert_ne!(first, struck(2)?);
    Ok(())
}

#[test]
fn a_fault_holds_only_within_its_time() -> Done {
    run(async {
        let cloud = Cloud::new(json!({
            "fault": { "out": { "kind": "unavailable", "from": "10m", "until": "2026-01-05T00:20:00Z" } }
        }))?;
        cloud.provider.create_group(&spec("web")?).await?;
        let mut there = Vec::new();
        for _ in 0..3 {
            there.push(cloud.live("web").await.is_ok());
            cloud.wait(MINUTE * 10).await?;
        }
        assert_eq!(there, [true, false, true]);
        Ok(())
    })
}

#[test]
fn a_lagging_read_shows_what_was_before_the_last_change() -> Done {
    run(async {
        let cloud = Cloud::new(json!({ "fault": { "lag": { "lag": "90s" } } }))?;
        cloud.provider.create_group(&spec("web")?).await?;
        cloud.wait(MINUTE * 2).await?;
        cloud.provider.set_desired(&asg("web"), 8).await?;
        assert_eq!(cloud.live("web").await?.desired, 4);
        cloud.wait(MINUTE).await?;
        let stale = cloud.live("web").await?;
        assert_eq!(
            (stale.desired, stale.at.to_string().as_str()),
            (4, "2026-01-05T00:03:00Z")
        );
        cloud.wait(MINUTE).await?;
        assert_eq!(cloud.live("web").await?.desired, 8);
        Ok(())
    })
}

#[test]
fn without_capacity_launches_fail_are_told_and_tried_again() -> Done {
    run(async {
        let cloud = Cloud::new(json!({
            "fault": { "no_capacity": { "lifecycle": "spot", "until": "3m" } }
        }))?;
        let mut group = spec("web")?;
        group.changes = vec![AttributeChange::Mix(mix(0.5))];
        cloud.provider.create_group(&group).await?;
        let live = cloud.live("web").await?;
        assert_eq!(live.instances.len(), 2);
        assert!(
            live.instances
                .iter()
                .all(|i| i.lifecycle == Lifecycle::OnDemand)
        );
        cloud.wait(MINUTE * 2).await?;
        let failed = cloud.live("web").await?.failed_launches;
        assert_eq!(failed.len(), 3);
        assert!(
            failed
                .iter()
                .all(|launch| launch.lifecycle == Lifecycle::Spot)
        );
        cloud.wait(MINUTE).await?;
        assert_eq!(cloud.live("web").await?.instances.len(), 4);
        Ok(())
    })
}

#[test]
fn spot_instances_are_taken_back_after_a_notice_and_replaced() -> Done {
    run(async {
        let cloud = Cloud::new(json!({
            "fault": { "interrupt_spot": { "rate": 6, "notice": "2m" } }
        }))?;
        let mut group = spec("web")?;
        group.desired = 10;
        group.changes = vec![AttributeChange::Mix(mix(0.5))];
        cloud.provider.create_group(&group).await?;
        let before = cloud.live("web").await?;
        cloud.wait(Duration::from_secs(3_600)).await?;
        let after = cloud.live("web").await?;
        assert_eq!(after.instances.len(), 10);
        let kept = |lifecycle| {
            let same = |i: &&tideform_policies::model::Instance| i.lifecycle == lifecycle;
            before
                .instances
                .iter()
                .filter(same)
                .filter(|i| after.instances.iter().any(|j| j.id == i.id))
                .count()
        };
        assert_eq!(kept(Lifecycle::OnDemand), 5);
        assert!(kept(Lifecycle::Spot) < 3, "{}", kept(Lifecycle::Spot));
        Ok(())
    })
}

#[test]
fn broken_instances_stop_serving_and_are_replaced() -> Done {
    run(async {
        let cloud = Cloud::new(json!({}))?;
        cloud.provider.create_group(&spec("web")?).await?;
        cloud.wait(MINUTE * 2).await?;
        let victim = cloud.live("web").await?.instances[1].id.clone();
        cloud.provider.admin().mark_unhealthy("web", &victim)?;
        let states = |live: &tideform_provider::LiveGroup| {
            live.instances
                .iter()
                .filter(|i| i.state == InstanceState::InService)
                .count()
        };
        assert_eq!(states(&cloud.live("web").await?), 3);
        cloud.wait(MINUTE * 4).await?;
        let live = cloud.live("web").await?;
        assert_eq!(states(&live), 4);
        assert!(live.instances.iter().all(|i| i.id != victim));
        Ok(())
    })
}

#[test]
fn hands_in_the_world_are_seen_by_reads() -> Done {
    run(async {
        let cloud = Cloud::new(json!({}))?;
        cloud.provider.create_group(&spec("web")?).await?;
        cloud.wait(MINUTE * 2).await?;
        let admin = cloud.provider.admin();
        let first = cloud.live("web").await?.instances[0].id.clone();

        admin.put_control(
            "web",
            Control {
                name: "cpu-60".to_owned(),
                kind: ControlKind::Dynamic,
                enabled: true,
                summary: "target tracking, cpu at 60".to_owned(),
                settings: Default::default(),
                writes: Default::default(),
                beyond: None,
            },
        )?;
        assert_eq!(cloud.live("web").await?.controls.len(), 1);
        admin.remove_control("web", "cpu-60")?;
        assert!(admin.remove_control("web", "cpu-60").is_err());

        admin.protect("web", &first, true)?;
        cloud.provider.set_desired(&asg("web"), 1).await?;
        let live = cloud.live("web").await?;
        assert_eq!(
            live.instances.iter().map(|i| &i.id).collect::<Vec<_>>(),
            [&first]
        );
        assert!(matches!(
            cloud.provider.terminate_instance(&asg("web"), &first).await,
            Err(ProviderError::Refused { .. })
        ));
        admin.terminate("web", &first)?;
        assert!(
            cloud
                .live("web")
                .await?
                .instances
                .iter()
                .all(|i| i.id != first)
        );

        admin.suspend("web", Process::Launch, true)?;
        cloud.provider.set_desired(&asg("web"), 5).await?;
        let live = cloud.live("web").await?;
        assert_eq!(
            (live.instances.len(), live.blocked),
            (1, vec!["launch suspended".to_owned()])
        );
        admin.suspend("web", Process::Launch, false)?;
        assert_eq!(cloud.live("web").await?.instances.len(), 5);

        assert!(admin.set_desired("web", 99).is_err());
        assert!(admin.set_desired("nowhere", 1).is_err());
        admin.delete_group("web")?;
        assert!(cloud.live("web").await.is_err());
        assert!(admin.show()?.cost.cost_usd > 0.0);
        Ok(())
    })
}
