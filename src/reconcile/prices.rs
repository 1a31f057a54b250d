//! Asks providers for the prices of what is live.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::{GroupAddress, Lifecycle, ProviderAddress};
use tideform_provider::PriceRequest;

use super::group::Seen;
use super::shell::Shell;
use crate::registry::Providers;

/// Prices are asked for again after this.
pub(crate) const PRICES_LAST: Duration = Duration::from_secs(3600);

impl Shell<'_> {
    /// Asks for the prices of instance types that are live and whose group does not say its own.
    pub(super) async fn read_prices(
        &mut self,
        providers: &Providers,
        seen: &BTreeMap<GroupAddress, Seen>,
        now: Timestamp,
    ) {
        let is_old = self.prices_read.is_none_or(|read| {
            Duration::try_from(now.duration_since(read)).is_ok_and(|age| age >= PRICES_LAST)
        });
        let mut wanted: BTreeMap<ProviderAddress, BTreeMap<String, bool>> = BTreeMap::new();
        for (address, seen) in seen {
            let (Seen::Live(observed), Some(group)) = (seen, self.compiled.group(address)) else {
                continue;
            };
            let mix = group.policy.mix.as_ref();
            let has_spot = mix.is_some_and(|mix| mix.spot.fraction() > 0.0);
            for instance in &observed.live.instances {
                let Some(kind) = &instance.instance_type else {
                    continue;
                };
                let key = (group.provider.clone(), kind.to_string());
                if is_old || !self.recorder.prices.contains_key(&key) {
                    let spot = wanted.entry(key.0).or_default().entry(key.1).or_default();
                    *spot |= has_spot || instance.lifecycle == Lifecycle::Spot;
                }
            }
        }
        if is_old {
            self.prices_read = Some(now);
        }
        for (address, kinds) in wanted {
            let Some(provider) = providers.get(&address) else {
                continue;
            };
            let requests: Vec<PriceRequest> = kinds
                .into_iter()
                .map(|(instance_type, spot)| PriceRequest {
                    instance_type,
                    spot,
                })
                .collect();
            let answers = provider.prices(&requests).await;
            for (PriceRequest { instance_type, .. }, answer) in requests.into_iter().zip(answers) {
                // A price that cannot be read is asked for again with the next tick; the old one holds until then.
                if let Ok(prices) = answer {
                    self.recorder
                        .prices
                        .insert((address.clone(), instance_type), prices);
                }
            }
        }
    }
}
