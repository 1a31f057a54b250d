//! What every provider must do.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tideform_policies::model::VictimOrder;
use tideform_provider::conformance::Conformance;
use tideform_provider::{AttributeChange, Provider};

use crate::support::{Cloud, Done, mix, run, spec};

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
                AttributeChange::Drain(Duration::from_secs(120)),
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
            AttributeChange::Drain(Duration::from_secs(60)),
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
fn an_account_that_is_not_allowed_is_refused_before_anything_is_read() -> Done {
    run(async {
        let cloud = Cloud::new()?;
        let identity = cloud.provider.identity().await?;
        assert_eq!(identity.account, cloud.account.id());
        assert_eq!(identity.region, "us-east-1");
        assert_eq!(cloud.account.count("*", "*"), 1);
        cloud.no_violations()
    })
}
