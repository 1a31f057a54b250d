//! What instances cost: per second from launch to the end of the drain, 60 seconds at least.

use serde::{Deserialize, Serialize};
use tideform_policies::model::Lifecycle;
use tideform_provider::Prices;

use super::instance::WorldInstance;
use super::moment::Moment;

/// What an instance of a type costs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TypePrices {
    /// On demand.
    pub on_demand_usd_per_hour: f64,
    /// As spot.
    pub spot_usd_per_hour: f64,
}

/// What an instance costs where nothing else is said: `m5.large` in us-east-1, on demand and a common spot price.
pub const DEFAULT_PRICES: TypePrices = TypePrices {
    on_demand_usd_per_hour: 0.096,
    spot_usd_per_hour: 0.037,
};

impl From<TypePrices> for Prices {
    fn from(prices: TypePrices) -> Prices {
        Prices {
            on_demand_usd_per_hour: Some(prices.on_demand_usd_per_hour),
            spot_usd_per_hour: Some(prices.spot_usd_per_hour),
        }
    }
}

/// The least that an instance is billed for, in seconds, as EC2 does for Linux.
pub const LEAST_SECONDS: f64 = 60.0;

/// Instance time and money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CostTotals {
    /// Billed seconds on demand.
    pub on_demand_s: f64,
    /// Billed seconds on spot.
    pub spot_s: f64,
    /// Money for both.
    pub cost_usd: f64,
}

impl CostTotals {
    /// Adds an instance that was there until then.
    pub fn add(&mut self, instance: &WorldInstance, until: Moment) {
        let seconds = until.seconds_since(instance.launched_at).max(LEAST_SECONDS);
        match instance.lifecycle {
            Lifecycle::OnDemand => self.on_demand_s += seconds,
            Lifecycle::Spot => self.spot_s += seconds,
        }
        self.cost_usd += seconds * instance.price_usd_per_hour / 3_600.0;
    }

    /// Adds other totals.
    pub fn add_totals(&mut self, other: &CostTotals) {
        self.on_demand_s += other.on_demand_s;
        self.spot_s += other.spot_s;
        self.cost_usd += other.cost_usd;
    }
}
