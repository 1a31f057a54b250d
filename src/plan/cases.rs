//! What a backtest of each group compares: its policy as last applied and as planned, with its prices. Pure.

use std::collections::BTreeMap;

use tideform_policies::model::{Group, ProviderAddress};
use tideform_provider::{ItemResult, LiveGroup};

use super::ResourceKey;
use super::cost::{ProviderPrices, as_mix, prices};
use super::types::{Action, GroupPlan, Plan, Record};
use crate::backtest::Case;
use crate::simulate::Prices;

/// The cases of a plan: each group that will be scaled in another way than now.
pub(super) fn cases(
    plan: &Plan,
    live: &BTreeMap<ResourceKey, ItemResult<Option<LiveGroup>>>,
    known: &BTreeMap<ProviderAddress, ProviderPrices>,
) -> Vec<Case> {
    let changed = plan.groups.iter().filter_map(|group| {
        let planned = planned(group)?;
        let now = group.before.as_deref();
        if now.is_some_and(|now| scales_alike(now, planned)) {
            return None;
        }
        let key = (planned.provider.clone(), planned.resource.clone());
        let live = live.get(&key).and_then(|live| live.as_ref().ok()?.as_ref());
        let instance = |group: &Group| {
            let prices = prices(group, live, known);
            let on_demand = prices.on_demand?.usd_per_hour;
            let spot = prices.spot.map_or(on_demand, |spot| spot.usd_per_hour);
            Some(Prices { on_demand, spot })
        };
        Some(Case {
            address: group.address.clone(),
            recorded_as: group
                .moved_from
                .clone()
                .unwrap_or_else(|| group.address.clone()),
            now: now.cloned(),
            planned: planned.clone(),
            is_there: live.is_some(),
            live_limits: live.map(|live| live.attributes.limits),
            live_mix: live
                .and_then(|live| live.attributes.mix.as_ref())
                .map(as_mix),
            prices_now: now.and_then(instance),
            prices_planned: instance(planned),
        })
    });
    changed.collect()
}

/// What a group's policy will be, where the plan changes how it scales.
pub(super) fn planned(group: &GroupPlan) -> Option<&Group> {
    match (group.action, &group.record) {
        (
            Action::Create | Action::Adopt | Action::Update | Action::Replace | Action::Move,
            Record::Write { group, .. },
        ) => Some(group),
        _ => None,
    }
}

/// Whether two groups scale alike on the same load.
fn scales_alike(now: &Group, planned: &Group) -> bool {
    now.policy == planned.policy
        && now.controller == planned.controller
        && now.launch == planned.launch
}
