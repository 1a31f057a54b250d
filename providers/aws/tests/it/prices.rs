//! Prices of spot.

use serde_json::json;
use tideform_provider::{PriceRequest, Provider, ProviderError};

use crate::support::{Cloud, Done, run};

fn requests(wanted: &[(&str, bool)]) -> Vec<PriceRequest> {
    wanted
        .iter()
        .map(|&(name, spot)| PriceRequest {
            instance_type: name.to_owned(),
            spot,
        })
        .collect()
}

#[test]
fn spot_costs_the_mean_over_zones_and_is_asked_for_where_it_may_run() -> Done {
    run(async {
        let cloud = Cloud::new()?;
        cloud.account.spot_prices(json!([
            { "type": "m5.large", "az": "us-east-1a", "price": 0.05, "at": "2026-01-01T00:00:00Z" },
            { "type": "m5.large", "az": "us-east-1a", "price": 0.03, "at": "2026-02-01T00:00:00Z" },
            { "type": "m5.large", "az": "us-east-1b", "price": 0.04, "at": "2026-02-01T00:00:00Z" },
            { "type": "m5.large", "az": "us-east-1a", "price": 9.0, "product": "Windows" },
            { "type": "c5.large", "az": "us-east-1a", "price": 0.02 },
        ]));
        let wanted = requests(&[
            ("m5.large", true),
            ("no.such-type", true),
            ("c5.large", false),
        ]);
        let answers = cloud.provider.prices(&wanted).await;
        let [large, unknown, unasked] = &answers[..] else {
            return Err(format!("{answers:?}").into());
        };
        let price = large.as_ref().ok().copied().flatten();
        let price = price.ok_or("no price of m5.large")?;
        assert_eq!(price.on_demand_usd_per_hour, None);
        assert!((price.spot_usd_per_hour.unwrap_or(0.0) - 0.035).abs() < 1e-9);
        assert!(matches!(unknown, Ok(None)), "{unknown:?}");
        assert!(matches!(unasked, Ok(None)), "{unasked:?}");

        // On demand alone costs no call: there is no API to ask.
        let calls = cloud.account.count("ec2", "DescribeSpotPriceHistory");
        cloud
            .provider
            .prices(&requests(&[("m5.large", false)]))
            .await;
        assert_eq!(
            cloud.account.count("ec2", "DescribeSpotPriceHistory"),
            calls
        );
        assert_eq!(calls, 1);
        cloud.no_violations()
    })
}

#[test]
fn who_may_not_read_prices_is_told_the_permission_for_each_type() -> Done {
    run(async {
        let cloud = Cloud::new()?;
        cloud.account.allow(Some(&["sts:*"]));
        let wanted = requests(&[("m5.large", true), ("c5.large", true)]);
        for answer in cloud.provider.prices(&wanted).await {
            let Err(error @ ProviderError::Denied { .. }) = answer else {
                return Err("not denied".into());
            };
            let text = error.to_string();
            assert!(text.contains("ec2:DescribeSpotPriceHistory"), "{text}");
        }
        Ok(())
    })
}
