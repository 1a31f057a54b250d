//! The provider's calls.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tideform_policies::model::{
    InstanceModel, InstanceState, InstanceType, Limits, Share, VictimOrder,
};
use tideform_provider::conformance::Conformance;
use tideform_provider::{
    AttributeChange, GroupChange, LiveMix, Owner, PriceRequest, Provider, ProviderError,
};

use crate::support::{Cloud, Done, MINUTE, asg, live, metric, run, spec, values};

fn constant(load: f64) -> serde_json::Value {
    json!({ "load": { "web": { "formula": load.to_string() } } })
}

#[test]
fn the_mock_conforms_to_what_every_provider_must_do() -> Done {
    run(async {
        let cloud = Cloud::new(constant(100.0))?;
        let suite = Conformance {
            spec: spec("web")?,
            changes: vec![
                AttributeChange::Warmup(Duration::from_secs(180)),
                AttributeChange::Order(VictimOrder::Oldest),
                AttributeChange::Drain(Some(Duration::from_secs(120))),
                AttributeChange::Launch(BTreeMap::from([("boot".to_owned(), json!("30s"))])),
                AttributeChange::Mix(LiveMix {
                    on_demand_base: 1,
                    spot: Share(0.5),
                    types: vec![InstanceType {
                        name: "m6i.large".to_owned(),
                        weight: None,
                    }],
                    allocation: Some("price-capacity-optimized".to_owned()),
                    rebalance: Some(true),
                }),
            ],
            metric: "cpu".to_owned(),
            instance_type: "m6i.large".to_owned(),
            pause: MINUTE,
        };
        Ok(suite.run(&cloud.provider).await?)
    })
}

#[test]
fn a_stepped_clock_moves_only_when_it_waits() -> Done {
    run(async {
        let cloud = Cloud::new(json!({}))?;
        let clock = cloud.provider.clock().ok_or("no clock")?;
        assert!(clock.is_stepped());
        assert_eq!(clock.now().to_string(), "2026-01-05T00:00:00Z");
        clock.wait(Duration::from_secs(90)).await;
        assert_eq!(clock.now().to_string(), "2026-01-05T00:01:30Z");
        Ok(())
    })
}

#[test]
fn metrics_follow_from_load_and_serving_capacity() -> Done {
    run(async {
        let cloud = Cloud::new(constant(360.0))?;
        cloud.provider.create_group(&spec("web")?).await?;
        cloud.wait(MINUTE * 5).await?;
        let read = async |name: &str| values(&cloud.provider, metric("web", name, "00:05")?).await;
        // Boot ends at 1:30, so that the step from 2:00 on is served.
        assert_eq!(read("cpu").await?, [90.0, 90.0, 90.0]);
        assert_eq!(read("capacity").await?, [0.0, 0.0, 4.0, 4.0, 4.0]);
        assert_eq!(read("requests").await?, [360.0; 5]);
        assert_eq!(read("requests_per_instance").await?, [90.0; 3]);
        assert_eq!(read("error_rate").await?, [100.0, 100.0, 0.0, 0.0, 0.0]);
        assert!(read("queue_depth").await?.is_empty());
        cloud.provider.set_desired(&asg("web"), 3).await?;
        cloud.wait(MINUTE).await?;
        let rates = values(&cloud.provider, metric("web", "error_rate", "00:06")?).await?;
        assert_eq!(rates.last().map(|rate| rate.round()), Some(17.0));
        let cpu = values(&cloud.provider, metric("web", "cpu", "00:06")?).await?;
        assert_eq!(cpu.last(), Some(&100.0));
        Ok(())
    })
}

#[test]
fn instances_that_did_not_serve_the_newest_step_have_no_value() -> Done {
    run(async {
        let cloud = Cloud::new(constant(200.0))?;
        cloud.provider.create_group(&spec("web")?).await?;
        cloud.wait(MINUTE * 3).await?;
        cloud.provider.set_desired(&asg("web"), 5).await?;
        cloud.wait(MINUTE).await?;
        let mut request = metric("web", "cpu", "00:04")?;
        request.per_instance = true;
        let response = cloud.provider.read_metrics(&[request]).await.remove(0)?;
        let (at, samples) = response.per_instance.ok_or("no values")?;
        assert_eq!(at.to_string(), "2026-01-05T00:04:00Z");
        let values: Vec<Option<f64>> = samples.iter().map(|sample| sample.value).collect();
        assert_eq!(
            values,
            [Some(50.0), Some(50.0), Some(50.0), Some(50.0), None]
        );
        assert!(response.counts_warming);
        Ok(())
    })
}

#[test]
fn metrics_of_ones_own_and_a_loads_own_name_can_be_read() -> Done {
    run(async {
        let cloud = Cloud::new(json!({
            "load": { "web": { "formula": "50", "metric": "orders" } },
            "metric": { "errors": { "formula": "minute", "scale": 2 }, "other": { "value": 1, "resource": "api" } }
        }))?;
        cloud.provider.create_group(&spec("web")?).await?;
        cloud.wait(MINUTE * 3).await?;
        let read = async |name: &str| values(&cloud.provider, metric("web", name, "00:03")?).await;
        assert_eq!(read("orders").await?, [50.0; 3]);
        assert_eq!(read("errors").await?, [0.0, 2.0, 4.0]);
        assert!(read("other").await?.is_empty());
        assert!(read("unknown").await?.is_empty());
        let names = cloud.provider.capabilities().metric_names;
        assert!(names.contains(&"orders".to_owned()) && names.contains(&"errors".to_owned()));
        Ok(())
    })
}

#[test]
fn samples_are_published_after_the_delay_and_kept_for_the_retention() -> Done {
    run(async {
        let cloud = Cloud::new(json!({
            "load": { "web": { "formula": "t / 60" } }, "delay": "2m", "retention": "10m"
        }))?;
        cloud.provider.create_group(&spec("web")?).await?;
        cloud.wait(MINUTE * 30).await?;
        let read = values(&cloud.provider, metric("web", "requests", "00:30")?).await?;
        assert_eq!(read.last(), Some(&27.0));
        assert_eq!(read.first(), Some(&17.0));
        Ok(())
    })
}

#[test]
fn a_queue_builds_up_drains_and_grows_old() -> Done {
    run(async {
        // 10 jobs a second for ten minutes, then none; two workers do 4 a second each.
        let cloud = Cloud::new(json!({
            "load": { "jobs": { "kind": "queue", "formula": "t < 600 ? 10 : 0" } }
        }))?;
        let mut group = spec("jobs")?;
        group.desired = 2;
        group.launch = BTreeMap::from([
            ("boot".to_owned(), json!("0s")),
            ("throughput".to_owned(), json!(4)),
        ]);
        cloud.provider.create_group(&group).await?;
        cloud.wait(MINUTE * 20).await?;
        let depth = values(&cloud.provider, metric("jobs", "queue_depth", "00:20")?).await?;
        assert_eq!(depth.get(..3), Some(&[120.0, 240.0, 360.0][..]));
        assert_eq!(depth.get(9), Some(&1_200.0));
        assert_eq!(depth.get(10..14), Some(&[720.0, 240.0, 0.0, 0.0][..]));
        let age = values(&cloud.provider, metric("jobs", "oldest_age", "00:20")?).await?;
        assert_eq!(age.get(9), Some(&120.0));
        assert_eq!(age.get(10), Some(&(60.0 + 72.0)));
        assert_eq!(age.get(13), Some(&0.0));
        let cpu = values(&cloud.provider, metric("jobs", "cpu", "00:20")?).await?;
        assert_eq!(cpu.get(9), Some(&100.0));
        assert_eq!(cpu.get(12), Some(&50.0));
        assert_eq!(cpu.get(13), Some(&0.0));
        Ok(())
    })
}

#[test]
fn a_group_at_zero_still_shows_its_queue() -> Done {
    run(async {
        let cloud = Cloud::new(json!({ "load": { "jobs": { "kind": "queue", "formula": "1" } } }))?;
        let mut group = spec("jobs")?;
        group.limits = Limits::new(0.into(), 5.into()).ok_or("limits")?;
        group.desired = 0;
        cloud.provider.create_group(&group).await?;
        cloud.wait(MINUTE * 2).await?;
        let read = async |name: &str| values(&cloud.provider, metric("jobs", name, "00:02")?).await;
        assert_eq!(read("queue_depth").await?, [60.0, 120.0]);
        assert!(read("cpu").await?.is_empty());
        Ok(())
    })
}

#[test]
fn what_is_refused_says_why() -> Done {
    run(async {
        let cloud = Cloud::new(json!({}))?;
        cloud.provider.create_group(&spec("web")?).await?;
        let said = |answer: Result<(), ProviderError>| {
            answer
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default()
        };
        assert_eq!(
            said(cloud.provider.set_desired(&asg("web"), 11).await),
            "`set_desired` was refused: desired 11 is above max 10"
        );
        let mut wrong = spec("api")?;
        wrong.launch.insert("bot".to_owned(), json!("1m"));
        assert_eq!(
            said(cloud.provider.create_group(&wrong).await),
            "`create_group` was refused: launch: bot: the mock cloud has no launch attribute `bot`"
        );
        let change = GroupChange {
            resource: asg("web"),
            changes: vec![
                AttributeChange::Order(VictimOrder::Oldest),
                AttributeChange::RemoveControl("cpu".to_owned()),
            ],
        };
        assert_eq!(
            said(cloud.provider.update_group(&change).await),
            "control `cpu` does not exist"
        );
        // All or none: the order before the control was not kept.
        assert_eq!(cloud.live("web").await?.attributes.order, None);
        let mut other = asg("web");
        other.kind = "vm".into();
        assert!(said(cloud.provider.set_desired(&other, 2).await).contains("only `asg`"));
        Ok(())
    })
}

#[test]
fn instances_go_from_pending_to_draining() -> Done {
    run(async {
        let cloud = Cloud::new(json!({}))?;
        let mut group = spec("web")?;
        group.changes = vec![
            AttributeChange::Drain(Some(MINUTE * 2)),
            AttributeChange::Order(VictimOrder::Newest),
        ];
        cloud.provider.create_group(&group).await?;
        let states = async || -> Done<Vec<InstanceState>> {
            let live = live(&cloud.provider, "web").await?;
            Ok(live
                .instances
                .iter()
                .map(|instance| instance.state)
                .collect())
        };
        assert_eq!(states().await?, [InstanceState::Pending; 4]);
        cloud.wait(Duration::from_secs(90)).await?;
        assert_eq!(states().await?, [InstanceState::InService; 4]);
        cloud.provider.set_desired(&asg("web"), 3).await?;
        assert_eq!(states().await?[3], InstanceState::Draining);
        cloud.wait(MINUTE * 2).await?;
        assert_eq!(states().await?, [InstanceState::InService; 3]);
        Ok(())
    })
}

#[test]
fn the_instance_block_holds_where_launch_says_nothing() -> Done {
    run(async {
        let cloud = Cloud::new(constant(100.0))?;
        let mut group = spec("web")?;
        group.launch = BTreeMap::from([("boot".to_owned(), json!("0s"))]);
        group.instance = Some(InstanceModel {
            boot: Some(MINUTE * 9),
            throughput: Some(50.0),
            ..InstanceModel::default()
        });
        cloud.provider.create_group(&group).await?;
        cloud.wait(MINUTE).await?;
        let cpu = async || values(&cloud.provider, metric("web", "cpu", "00:30")?).await;
        assert_eq!(cpu().await?, [50.0]);
        let change = |value| GroupChange {
            resource: asg("web"),
            changes: vec![AttributeChange::Launch(BTreeMap::from([(
                "throughput".to_owned(),
                value,
            )]))],
        };
        cloud.provider.update_group(&change(json!(25))).await?;
        cloud.wait(MINUTE).await?;
        cloud.provider.update_group(&change(json!(null))).await?;
        cloud.wait(MINUTE).await?;
        assert_eq!(cpu().await?, [50.0, 100.0, 50.0]);
        Ok(())
    })
}

#[test]
fn prices_are_the_providers_or_those_of_m5_large() -> Done {
    run(async {
        let cloud = Cloud::new(json!({ "price": { "big": { "on_demand_usd_per_hour": 1.0 } } }))?;
        let types = ["big", "other"].map(|name| PriceRequest {
            instance_type: name.to_owned(),
            spot: true,
        });
        let prices: Vec<Option<(Option<f64>, Option<f64>)>> = cloud
            .provider
            .prices(&types)
            .await
            .into_iter()
            .map(|answer| {
                let prices = answer.ok().flatten()?;
                Some((prices.on_demand_usd_per_hour, prices.spot_usd_per_hour))
            })
            .collect();
        assert_eq!(
            prices,
            [
                Some((Some(1.0), Some(0.37))),
                Some((Some(0.096), Some(0.037)))
            ]
        );
        Ok(())
    })
}

#[test]
fn the_account_is_the_worlds_own_id() -> Done {
    run(async {
        let (one, two) = (
            Cloud::new(json!({}))?,
            Cloud::new(json!({ "region": "moon" }))?,
        );
        let (first, second) = (
            one.provider.identity().await?,
            two.provider.identity().await?,
        );
        assert!(first.account.starts_with("mock-"), "{}", first.account);
        assert_ne!(first.account, second.account);
        assert_eq!((&*first.region, &*second.region), ("mock-1", "moon"));
        let owner = Owner {
            workspace: "shop".to_owned(),
            state: "lineage".to_owned(),
            group: "group.web".to_owned(),
        };
        one.provider.create_group(&spec("web")?).await?;
        let owned = one.provider.owned_groups("shop").await?;
        assert_eq!(owned, [(asg("web"), owner)]);
        Ok(())
    })
}
