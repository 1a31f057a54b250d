//! What simulated instances cost.

/// Milliseconds of an hour.
const HOUR_MS: f64 = 3_600_000.0;

/// What one instance costs for an hour, in US dollars; finite, not negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    /// On demand.
    pub on_demand: f64,
    /// As spot.
    pub spot: f64,
}

impl Prices {
    /// What instance-milliseconds on demand and on spot cost.
    pub fn cost_usd(&self, billed_ms: [u64; 2]) -> f64 {
        let [on_demand, spot] = billed_ms.map(|ms| ms as f64 / HOUR_MS);
        on_demand * self.on_demand + spot * self.spot
    }
}
