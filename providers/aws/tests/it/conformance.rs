//! What every provider must do.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tideform_policies::model::VictimOrder;
use tideform_provider::conformance::Conformance;
use tideform_provider::{AttributeChange, GroupRequest, Provider, ProviderError};

use crate::support::{Cloud, Done, asg, failure, mix, run, spec};

fn launch(name: &str, value: serde_json::Value) -> AttributeChange {
    AttributeChange::Launch(BTreeMap::from([(name.to_owned(), value)]))
}

#[test]
fn aws_conforms_to_what_every_provider_must_do() -> Done {
    run(async {
        let cloud = Cloud::new()?;
        let base = cloud.base();
        let suite = Conformance {
            spec: spec("web", &base)?,
            changes: vec![
                AttributeChange::Warmup(Duration::from_secs(180)),
                AttributeChange::Order(VictimOrder::Oldest),
                AttributeChange::Drain(Some(Duration::from_secs(120))),
                launch("target_groups", json!([base["target"]])),
                launch("target_groups", json!([])),
                launch("tags", json!({ "team": "store" })),
                launch("launch_template", json!("web:2")),
                AttributeChange::Mix(mix(0.5)),
                launch("launch_template", json!("web")),
            ],
            metric: "cpu".to_owned(),
            instance_type: "m5.large".to_owned(),
            pause: Duration::from_millis(10),
        };
        suite.run(&cloud.provider).await?;
        cloud.no_violations()
    })
}

#[test]
fn a_group_is_created_with_all_that_its_block_says() -> Done {
    run(async {
        let cloud = Cloud::new()?;
        let base = cloud.base();
        let mut wanted = spec("web", &base)?;
        wanted
            .launch
            .insert("target_groups".to_owned(), json!([base["target"]]));
        wanted.changes = vec![
            AttributeChange::Warmup(Duration::from_secs(90)),
            AttributeChange::Order(VictimOrder::Newest),
            AttributeChange::Drain(Some(Duration::from_secs(60))),
            AttributeChange::Mix(mix(0.5)),
        ];
        cloud.provider.create_group(&wanted).await?;
        let live = cloud.live("web").await?;
        assert_eq!(live.attributes.launch, wanted.launch);
        assert_eq!(live.attributes.mix, Some(mix(0.5)));
        assert_eq!(live.attributes.warmup, Some(Duration::from_secs(90)));
        assert_eq!(live.attributes.drain, Some(Duration::from_secs(60)));
        assert_eq!(live.attributes.order, Some(VictimOrder::Newest));
        cloud.no_violations()
    })
}

#[test]
fn who_we_are_is_asked_once() -> Done {
    run(async {
        let cloud = Cloud::new()?;
        for _ in 0..2 {
            let identity = cloud.provider.identity().await?;
            assert_eq!(identity.account, cloud.account.id());
            assert_eq!(identity.region, "us-east-1");
        }
        assert_eq!(cloud.account.count("*", "*"), 1);
        cloud.no_violations()
    })
}

#[test]
fn an_account_that_is_not_allowed_is_refused_before_anything_is_read() -> Done {
    run(async {
        let cloud = Cloud::with_settings(json!({ "allowed_account_ids": ["999999999999"] }))?;
        let request = GroupRequest::whole(asg("web"));
        let error = failure(cloud.provider.read_groups(&[request]).await.remove(0))?;
        assert!(
            matches!(error, ProviderError::Configuration { .. }),
            "{error}"
        );
        assert!(error.to_string().contains(cloud.account.id()), "{error}");
        assert_eq!(cloud.account.count("autoscaling", "*"), 0);
        cloud.no_violations()
    })
}

#[test]
fn weights_of_a_mix_are_kept_and_count_as_capacity() -> Done {
    run(async {
        let cloud = Cloud::new()?;
        let base = cloud.base();
        let mut weighted = mix(0.0);
        for (one, weight) in weighted.types.iter_mut().zip([2, 4]) {
            one.weight = Some(weight);
        }
        let mut wanted = spec("web", &base)?;
        wanted.changes = vec![AttributeChange::Mix(weighted.clone())];
        cloud.provider.create_group(&wanted).await?;
        let live = cloud.live("web").await?;
        assert_eq!(live.attributes.mix, Some(weighted));
        let weights: Vec<u32> = live.instances.iter().map(|i| i.weight).collect();
        assert_eq!(weights.iter().sum::<u32>(), 4, "{weights:?}");
        let victim = live
            .instances
            .iter()
            .find(|i| i.weight == 2)
            .ok_or("none")?;
        cloud
            .provider
            .terminate_instance(&asg("web"), &victim.id)
            .await?;
        assert_eq!(cloud.live("web").await?.desired, 2);
        cloud.no_violations()
    })
}
