//! What spot instances cost, by the spot price history. On-demand prices have no API that a scaling role should need:
//! others say those.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, SpotPrice};
use jiff::Timestamp;
use tideform_provider::{ItemResult, PriceRequest, Prices, ProviderError};

use crate::client::Clients;
use crate::error::describe;
use crate::read::all;
use crate::times::date_time;

const REQUEST: &str = "ec2:DescribeSpotPriceHistory";
/// Types of one call: with a dozen zones they stay within one page of 1,000 rows.
const PER_CALL: usize = 50;
/// The product whose prices these are, in both of its names.
const PRODUCTS: [&str; 2] = ["Linux/UNIX", "Linux/UNIX (Amazon VPC)"];

/// The prices of this moment, each the mean over the region's zones, in the order of the requests.
pub(crate) async fn read(
    clients: &Clients,
    requests: &[PriceRequest],
    now: Timestamp,
) -> Vec<ItemResult<Option<Prices>>> {
    let wanted: BTreeSet<&str> = requests
        .iter()
        .filter(|request| request.spot)
        .map(|request| &*request.instance_type)
        .collect();
    let wanted: Vec<&str> = wanted.into_iter().collect();
    let calls = wanted.chunks(PER_CALL).map(|types| async move {
        let answer = history(clients, types, now).await;
        (types, answer)
    });
    let mut found: BTreeMap<&str, ItemResult<Option<f64>>> = BTreeMap::new();
    for (types, answer) in all(calls.collect()).await {
        for &name in types {
            let price = match &answer {
                Ok(rows) => Ok(mean(rows, name)),
                Err(error) => Err(error.again()),
            };
            found.insert(name, price);
        }
    }
    requests
        .iter()
        .map(|request| match found.get(&*request.instance_type) {
            None => Ok(None),
            Some(Err(error)) => Err(error.again()),
            Some(Ok(price)) => Ok(price.map(|spot| Prices {
                on_demand_usd_per_hour: None,
                spot_usd_per_hour: Some(spot),
            })),
        })
        .collect()
}

/// The rows in force now: a history that starts now has the last price of each type and zone. The types are a filter, so
/// that one that does not exist has no price, and takes none from the others.
///
/// Source: Amazon EC2 API, DescribeSpotPriceHistory, "StartTime".
async fn history(
    clients: &Clients,
    types: &[&str],
    now: Timestamp,
) -> Result<Vec<SpotPrice>, ProviderError> {
    let mut pages = clients
        .ec2
        .describe_spot_price_history()
        .filters(
            Filter::builder()
                .name("instance-type")
                .set_values(Some(types.iter().map(|&name| name.to_owned()).collect()))
                .build(),
        )
        .set_product_descriptions(Some(PRODUCTS.map(str::to_owned).to_vec()))
        .start_time(date_time(now))
        .into_paginator()
        .send();
    let mut rows = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| describe(REQUEST, error))?;
        rows.extend(page.spot_price_history.unwrap_or_default());
    }
    Ok(rows)
}

/// The mean over the zones of the newest price of each; `None`: spot is not offered.
fn mean(rows: &[SpotPrice], instance_type: &str) -> Option<f64> {
    let mut newest: BTreeMap<&str, (i64, f64)> = BTreeMap::new();
    for row in rows {
        let is_it = row
            .instance_type()
            .is_some_and(|t| t.as_str() == instance_type);
        let price = row.spot_price().and_then(|text| text.parse::<f64>().ok());
        let (true, Some(zone), Some(price)) = (is_it, row.availability_zone(), price) else {
            continue;
        };
        if !price.is_finite() || price < 0.0 {
            continue;
        }
        let at = row.timestamp().map_or(i64::MIN, |time| time.secs());
        let known = newest.entry(zone).or_insert((at, price));
        if at > known.0 {
            *known = (at, price);
        }
    }
    (!newest.is_empty()).then(|| {
        let sum: f64 = newest.values().map(|(_, price)| price).sum();
        sum / newest.len() as f64
    })
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::DateTime;

    use super::*;

    fn row(name: &str, zone: &str, price: &str, at: i64) -> SpotPrice {
        SpotPrice::builder()
            .instance_type(name.into())
            .availability_zone(zone)
            .spot_price(price)
            .timestamp(DateTime::from_secs(at))
            .build()
    }

    #[test]
    fn a_price_is_the_mean_over_zones_of_the_newest_of_each() {
        let rows = [
            row("m5.large", "a", "0.04", 10),
            row("m5.large", "a", "0.03", 20),
            row("m5.large", "b", "0.05", 5),
            row("m5.large", "c", "much", 5),
            row("c5.large", "a", "9", 30),
        ];
        let price = mean(&rows, "m5.large");
        assert!(
            price.is_some_and(|price| (price - 0.04).abs() < 1e-12),
            "{price:?}"
        );
        assert_eq!(mean(&rows, "t3.micro"), None);
    }
}
