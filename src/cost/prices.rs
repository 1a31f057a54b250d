//! Prices of instances, and where they come from.
//!
//! First what the files say of the group's instance, then what its provider says of the type, then a bundled table of
//! list prices. A spot price that nobody knows is the on-demand price, and said to be.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use tideform_policies::model::{Instance, InstanceModel, InstanceState, Lifecycle, Policy};
use tideform_provider::Prices;
use tideform_state::CapacitySample;

const TABLE: &str = include_str!("prices.csv");

/// The region whose list prices stand in for those that the table lacks.
const TABLE_REGION: &str = "us-east-1";

/// Where a price comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceSource {
    /// The group's `instance` block.
    File,
    /// The provider.
    Provider,
    /// The bundled list prices.
    Table {
        /// Of this region, which may not be the group's.
        region: String,
        /// Of this date.
        date: String,
    },
    /// No spot price is known: the on-demand price of this source.
    OnDemand(Box<PriceSource>),
    /// A mean over types whose prices come from several sources.
    Several,
}

impl std::fmt::Display for PriceSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PriceSource::File => f.write_str("the files"),
            PriceSource::Provider => f.write_str("the provider"),
            PriceSource::Table { region, date } => {
                write!(f, "list prices of {region} as of {date}")
            }
            PriceSource::OnDemand(source) => {
                write!(
                    f,
                    "the on-demand price, from {source}: no spot price is known"
                )
            }
            PriceSource::Several => f.write_str("several sources"),
        }
    }
}

/// A price of one instance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Price {
    /// US dollars per hour; finite, not negative.
    pub usd_per_hour: f64,
    /// Where it comes from.
    pub source: PriceSource,
}

/// What an instance of a group costs on average.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GroupPrices {
    /// On demand; `None`: not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_demand: Option<Price>,
    /// As spot; `None`: not known, nor is the on-demand price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spot: Option<Price>,
    /// The units that an instance counts as on average; 1 without weights.
    pub units_per_instance: f64,
}

impl GroupPrices {
    /// The prices of a recorded sample, which does not say where they came from.
    pub fn of_sample(sample: &CapacitySample) -> GroupPrices {
        let price = |usd_per_hour: Option<f64>| {
            usd_per_hour.map(|usd_per_hour| Price {
                usd_per_hour,
                source: PriceSource::Several,
            })
        };
        let instances = sample.on_demand.saturating_add(sample.spot);
        GroupPrices {
            on_demand: price(sample.on_demand_usd_per_hour),
            spot: price(sample.spot_usd_per_hour),
            units_per_instance: if instances == 0 {
                1.0
            } else {
                f64::from(sample.units) / f64::from(instances)
            },
        }
    }

    /// The price of one unit of capacity for an hour.
    pub fn per_unit(&self, lifecycle: Lifecycle) -> Option<f64> {
        let price = match lifecycle {
            Lifecycle::OnDemand => &self.on_demand,
            Lifecycle::Spot => &self.spot,
        };
        let units = self.units_per_instance;
        (units > 0.0)
            .then(|| price.as_ref().map(|price| price.usd_per_hour / units))
            .flatten()
    }
}

/// All that is known of the prices of a group's instances.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PriceBook {
    file: [Option<f64>; 2],
    provider: BTreeMap<String, Prices>,
    region: Option<String>,
}

impl PriceBook {
    /// From the group's `instance` block, the provider's prices by instance type, and its region.
    pub fn new(
        instance: Option<&InstanceModel>,
        provider: BTreeMap<String, Prices>,
        region: Option<&str>,
    ) -> PriceBook {
        PriceBook {
            file: [
                instance.and_then(|instance| instance.price_usd_per_hour),
                instance.and_then(|instance| instance.spot_price_usd_per_hour),
            ],
            provider,
            region: region.map(str::to_owned),
        }
    }

    /// The price of an instance of this type; `None`: nobody knows.
    pub fn price(&self, instance_type: Option<&str>, lifecycle: Lifecycle) -> Option<Price> {
        match lifecycle {
            Lifecycle::OnDemand => self.own_price(instance_type, lifecycle),
            Lifecycle::Spot => self.own_price(instance_type, lifecycle).or_else(|| {
                let price = self.own_price(instance_type, Lifecycle::OnDemand)?;
                Some(Price {
                    source: PriceSource::OnDemand(Box::new(price.source)),
                    ..price
                })
            }),
        }
    }

    fn own_price(&self, instance_type: Option<&str>, lifecycle: Lifecycle) -> Option<Price> {
        let [on_demand, spot] = self.file;
        let file = match lifecycle {
            Lifecycle::OnDemand => on_demand,
            Lifecycle::Spot => spot,
        };
        let usable = |price: &f64| price.is_finite() && *price >= 0.0;
        if let Some(usd_per_hour) = file.filter(usable) {
            return Some(Price {
                usd_per_hour,
                source: PriceSource::File,
            });
        }
        let instance_type = instance_type?;
        let provider = self
            .provider
            .get(instance_type)
            .and_then(|prices| match lifecycle {
                Lifecycle::OnDemand => prices.on_demand_usd_per_hour,
                Lifecycle::Spot => prices.spot_usd_per_hour,
            });
        if let Some(usd_per_hour) = provider.filter(usable) {
            return Some(Price {
                usd_per_hour,
                source: PriceSource::Provider,
            });
        }
        // A list price of spot beside a known price on demand would compare what does not belong together.
        let has_on_demand = |prices: &Prices| prices.on_demand_usd_per_hour.is_some();
        if lifecycle == Lifecycle::Spot
            && (on_demand.is_some() || self.provider.get(instance_type).is_some_and(has_on_demand))
        {
            return None;
        }
        let (prices, source) = bundled_price(instance_type, self.region.as_deref())?;
        let usd_per_hour = match lifecycle {
            Lifecycle::OnDemand => prices.on_demand_usd_per_hour?,
            Lifecycle::Spot => prices.spot_usd_per_hour?,
        };
        Some(Price {
            usd_per_hour,
            source,
        })
    }

    /// The mean price of instances of these types, one entry an instance; `None` where one has none. No type at all
    /// is one instance of an unknown type.
    pub fn mean<'a>(
        &self,
        types: impl IntoIterator<Item = Option<&'a str>>,
        lifecycle: Lifecycle,
    ) -> Option<Price> {
        let mut sum = 0.0;
        let mut count = 0_u32;
        let mut source: Option<PriceSource> = None;
        for instance_type in types {
            let price = self.price(instance_type, lifecycle)?;
            sum += price.usd_per_hour;
            count += 1;
            source = Some(match source {
                None => price.source,
                Some(source) if source == price.source => source,
                Some(_) => PriceSource::Several,
            });
        }
        match source {
            None => self.price(None, lifecycle),
            Some(source) => Some(Price {
                usd_per_hour: sum / f64::from(count),
                source,
            }),
        }
    }

    /// What a policy's instances will cost: the mean over the types of its mix, each as likely as the other; without
    /// a mix, over what is live.
    pub fn planned(&self, policy: &Policy, live: &[Instance]) -> GroupPrices {
        let types: Vec<(Option<&str>, u32)> = match &policy.mix {
            Some(mix) if !mix.types.is_empty() => mix
                .types
                .iter()
                .map(|t| (Some(t.name.as_str()), t.weight.unwrap_or(1)))
                .collect(),
            _ => paid(live)
                .map(|instance| (instance.instance_type.as_deref(), instance.weight))
                .collect(),
        };
        let names = || types.iter().map(|(name, _)| *name);
        let units: f64 = types.iter().map(|(_, weight)| f64::from(*weight)).sum();
        GroupPrices {
            on_demand: self.mean(names(), Lifecycle::OnDemand),
            spot: self.mean(names(), Lifecycle::Spot),
            units_per_instance: if types.is_empty() {
                1.0
            } else {
                units / types.len() as f64
            },
        }
    }

    /// What the instances that are paid for now cost: each kind the mean over its own, or as planned where there is
    /// none. For capacity samples.
    pub fn running(&self, policy: &Policy, live: &[Instance]) -> GroupPrices {
        let planned = self.planned(policy, live);
        let mean = |lifecycle: Lifecycle, planned: Option<Price>| {
            let mut types = paid(live)
                .filter(|instance| instance.lifecycle == lifecycle)
                .map(|instance| instance.instance_type.as_deref())
                .peekable();
            if types.peek().is_none() {
                return planned;
            }
            self.mean(types, lifecycle)
        };
        GroupPrices {
            on_demand: mean(Lifecycle::OnDemand, planned.on_demand),
            spot: mean(Lifecycle::Spot, planned.spot),
            units_per_instance: planned.units_per_instance,
        }
    }
}

/// Instances are paid for from launch to the end of drain.
fn paid(live: &[Instance]) -> impl Iterator<Item = &Instance> {
    live.iter()
        .filter(|instance| instance.state != InstanceState::Ended)
}

struct Row {
    prices: Prices,
    date: &'static str,
}

fn table() -> &'static BTreeMap<(&'static str, &'static str), Row> {
    static ROWS: OnceLock<BTreeMap<(&'static str, &'static str), Row>> = OnceLock::new();
    ROWS.get_or_init(|| {
        TABLE
            .lines()
            .skip(1)
            .filter_map(|line| {
                let mut fields = line.split(',');
                let (name, region) = (fields.next()?, fields.next()?);
                let prices = Prices {
                    on_demand_usd_per_hour: Some(fields.next()?.parse().ok()?),
                    spot_usd_per_hour: fields.next()?.parse().ok(),
                };
                let date = fields.next()?;
                Some(((name, region), Row { prices, date }))
            })
            .collect()
    })
}

/// The list prices of an EC2 instance type in a region; where the table lacks the region, those of us-east-1.
pub fn bundled_price(instance_type: &str, region: Option<&str>) -> Option<(Prices, PriceSource)> {
    let asked = region.unwrap_or(TABLE_REGION);
    [asked, TABLE_REGION].into_iter().find_map(|region| {
        let row = table().get(&(instance_type, region))?;
        let source = PriceSource::Table {
            region: region.to_owned(),
            date: row.date.to_owned(),
        };
        Some((row.prices, source))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::monthly::tests::policy;
    use serde_json::json;

    fn model(on_demand: Option<f64>, spot: Option<f64>) -> InstanceModel {
        InstanceModel {
            price_usd_per_hour: on_demand,
            spot_price_usd_per_hour: spot,
            ..InstanceModel::default()
        }
    }

    fn provider(name: &str, on_demand: f64, spot: Option<f64>) -> BTreeMap<String, Prices> {
        let prices = Prices {
            on_demand_usd_per_hour: Some(on_demand),
            spot_usd_per_hour: spot,
        };
        BTreeMap::from([(name.to_owned(), prices)])
    }

    fn instance(name: &str, lifecycle: &str, state: &str) -> Instance {
        serde_json::from_value(json!({
            "id": "i", "state": state, "lifecycle": lifecycle, "instance_type": name
        }))
        .expect("an instance")
    }

    #[test]
    fn every_row_of_the_table_is_read_and_sensible() {
        assert_eq!(table().len(), TABLE.lines().count() - 1);
        for ((name, region), row) in table() {
            let prices = row.prices;
            let spot = prices.spot_usd_per_hour.unwrap_or(0.0);
            assert!(
                prices
                    .on_demand_usd_per_hour
                    .is_some_and(|on_demand| on_demand > 0.0 && spot <= on_demand),
                "{name} in {region}"
            );
            assert_eq!(row.date.len(), "2026-07-20".len());
        }
    }

    #[test]
    fn the_files_come_before_the_provider_and_the_provider_before_the_table() {
        use Lifecycle::{OnDemand, Spot};
        let on_demand = |price: &str| {
            PriceSource::OnDemand(Box::new(match price {
                "file" => PriceSource::File,
                _ => PriceSource::Provider,
            }))
        };
        let list = || PriceSource::Table {
            region: "us-east-1".to_owned(),
            date: "2026-07-20".to_owned(),
        };
        let none = BTreeMap::new;
        let cases = [
            (
                model(Some(0.2), Some(0.1)),
                provider("m6i.large", 9.0, Some(8.0)),
                OnDemand,
                0.2,
                PriceSource::File,
            ),
            (
                model(Some(0.2), Some(0.1)),
                provider("m6i.large", 9.0, Some(8.0)),
                Spot,
                0.1,
                PriceSource::File,
            ),
            (
                model(None, None),
                provider("m6i.large", 9.0, Some(8.0)),
                OnDemand,
                9.0,
                PriceSource::Provider,
            ),
            (
                model(None, None),
                provider("m6i.large", 9.0, Some(8.0)),
                Spot,
                8.0,
                PriceSource::Provider,
            ),
            (model(None, None), none(), OnDemand, 0.096, list()),
            (model(None, None), none(), Spot, 0.03552, list()),
            (model(Some(0.2), None), none(), Spot, 0.2, on_demand("file")),
            (
                model(None, None),
                provider("m6i.large", 9.0, None),
                Spot,
                9.0,
                on_demand("provider"),
            ),
            (
                model(Some(0.2), None),
                provider("m6i.large", 9.0, Some(8.0)),
                Spot,
                8.0,
                PriceSource::Provider,
            ),
        ];
        // AWS says the price of spot and none on demand.
        let spot_only = || {
            BTreeMap::from([(
                "m6i.large".to_owned(),
                Prices {
                    on_demand_usd_per_hour: None,
                    spot_usd_per_hour: Some(0.04),
                },
            )])
        };
        let cases = cases.into_iter().chain([
            (model(None, None), spot_only(), OnDemand, 0.096, list()),
            (
                model(None, None),
                spot_only(),
                Spot,
                0.04,
                PriceSource::Provider,
            ),
        ]);
        for (model, provider, lifecycle, usd_per_hour, source) in cases {
            let book = PriceBook::new(Some(&model), provider, Some("us-east-1"));
            let price = book.price(Some("m6i.large"), lifecycle);
            assert_eq!(
                price,
                Some(Price {
                    usd_per_hour,
                    source
                }),
                "{model:?} {lifecycle:?}"
            );
        }
        assert_eq!(
            PriceBook::default().price(Some("unheard.of"), OnDemand),
            None
        );
        assert_eq!(PriceBook::default().price(None, Spot), None);
    }

    #[test]
    fn a_region_that_the_table_lacks_gets_the_prices_of_another_and_says_so() {
        let (prices, source) = bundled_price("c5.2xlarge", Some("eu-west-2")).expect("known");
        assert_eq!(prices.on_demand_usd_per_hour, Some(0.404));
        assert_eq!(
            source.to_string(),
            "list prices of eu-west-2 as of 2021-06-15"
        );
        let (_, source) = bundled_price("m6i.large", Some("ap-south-1")).expect("known");
        assert_eq!(
            source.to_string(),
            "list prices of us-east-1 as of 2026-07-20"
        );
    }

    #[test]
    fn a_mix_costs_the_mean_of_its_types_and_units_are_shared_out() {
        let policy = policy(json!({
            "mix": { "on_demand_base": 0, "spot": 0.5, "types": [
                { "name": "a", "weight": 1 }, { "name": "b", "weight": 3 }] }
        }));
        let mut prices = provider("a", 0.1, Some(0.05));
        prices.extend(provider("b", 0.3, None));
        let book = PriceBook::new(None, prices, None);
        let group = book.planned(&policy, &[]);
        assert_eq!(group.units_per_instance, 2.0);
        assert_eq!(group.on_demand.as_ref().map(|p| p.usd_per_hour), Some(0.2));
        assert_eq!(group.per_unit(Lifecycle::OnDemand), Some(0.1));
        let spot = group.spot.expect("known");
        assert_eq!(
            (spot.usd_per_hour, spot.source),
            (0.175, PriceSource::Several)
        );
        let unknown = PriceBook::new(None, provider("a", 0.1, None), None).planned(&policy, &[]);
        assert_eq!(
            unknown.on_demand, None,
            "one type without a price leaves no mean"
        );
    }

    #[test]
    fn what_runs_costs_what_its_own_types_cost() {
        let policy = policy(json!({}));
        let mut prices = provider("a", 0.1, Some(0.05));
        prices.extend(provider("b", 0.3, Some(0.1)));
        let book = PriceBook::new(None, prices, None);
        let live = [
            instance("a", "on_demand", "in_service"),
            instance("b", "on_demand", "draining"),
            instance("b", "spot", "pending"),
            instance("b", "on_demand", "ended"),
        ];
        let running = book.running(&policy, &live);
        assert_eq!(running.on_demand.map(|p| p.usd_per_hour), Some(0.2));
        assert_eq!(running.spot.map(|p| p.usd_per_hour), Some(0.1));
        let by_file = PriceBook::new(Some(&model(Some(1.0), None)), BTreeMap::new(), None);
        assert_eq!(
            by_file
                .running(&policy, &[])
                .on_demand
                .map(|p| p.usd_per_hour),
            Some(1.0)
        );
    }
}
