//! On-demand and spot: how a capacity is split.

use tideform_provider::LiveMix;

/// How many of `desired` units are on demand; the rest is spot.
///
/// The base first, then `(100 % - spot)` of what is above it, a fraction rounded up in favor of on demand.
/// Source: AWS Auto Scaling, "Auto Scaling groups with multiple instance types and purchase options".
pub fn on_demand_units(mix: Option<&LiveMix>, desired: u32) -> u32 {
    let Some(mix) = mix else { return desired };
    let base = mix.on_demand_base.min(desired);
    let above = f64::from(desired - base);
    let percent = (100.0 - mix.spot.percent()).clamp(0.0, 100.0);
    // The product is exact in percent up to rounding noise, which must not become an instance.
    let on_demand = (above * percent / 100.0 - 1e-9).ceil().max(0.0) as u32;
    base.saturating_add(on_demand).min(desired)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tideform_policies::model::Share;

    #[test]
    fn the_base_is_on_demand_and_fractions_round_up_to_on_demand() {
        for (base, spot, desired, on_demand) in [
            (2, 0.7, 12, 5),
            (2, 0.7, 10, 5),
            (2, 0.7, 3, 3),
            (2, 0.7, 2, 2),
            (2, 0.7, 1, 1),
            (0, 1.0, 7, 0),
            (0, 0.0, 7, 7),
            (0, 0.5, 5, 3),
            (0, 0.1, 10, 9),
            (10, 0.5, 4, 4),
        ] {
            let mix = LiveMix {
                on_demand_base: base,
                spot: Share(spot),
                types: Vec::new(),
                allocation: None,
                rebalance: None,
            };
            assert_eq!(
                on_demand_units(Some(&mix), desired),
                on_demand,
                "{base} {spot} {desired}"
            );
        }
        assert_eq!(on_demand_units(None, 4), 4);
    }
}
