//! A demand of minutes, the same on every run, and the problem of serving it.

use std::time::Duration;

use tideform::simulate::optimum::{Demand, Problem};

/// A step.
pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// The steps of a day.
const DAY: usize = 1440;

/// Days with a peak in the afternoon, and noise that lasts some ten minutes.
pub(crate) fn demand(days: usize, peak: f64) -> Vec<u32> {
    let mut state = 7_u64;
    let mut noise = 0.0;
    (0..days * DAY)
        .map(|minute| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            noise = 0.9 * noise + 0.3 * ((state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5);
            let turn = minute as f64 / DAY as f64 * std::f64::consts::TAU;
            let load = peak * (0.5 - 0.4 * turn.cos()) * (1.0 + 0.3 * noise);
            load.max(0.0).ceil() as u32
        })
        .collect()
}

/// Boots of five minutes, and a missing instance costs ten.
pub(crate) fn problem(demand: &[u32]) -> Problem<'_> {
    Problem {
        demand: Demand::Steps(demand),
        weight: 1,
        step: MINUTE,
        boot: 5 * MINUTE,
        drain: MINUTE,
        minimum_billing: MINUTE,
        start: demand[0],
        min: 1,
        max: Some(2000),
        rate_out: None,
        rate_in: None,
        price_usd_per_hour: 0.1,
        on_demand_usd_per_hour: 0.1,
        penalty: 10.0,
    }
}
