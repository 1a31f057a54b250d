//! What a group costs in a month, before and after the plan. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tideform_policies::model::{
    Group, InstanceState, Lifecycle, MetricSource, Mix, ProviderAddress,
};
use tideform_provider::{LiveGroup, LiveMix, PriceRequest, Prices};

use super::types::{Action, CostChange};
use crate::cost::{GroupPrices, HOURS_PER_MONTH, PriceBook, hourly_cost, monthly_cost};

/// What each provider's instance types cost, and in which region.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProviderPrices {
    /// By instance type.
    pub prices: BTreeMap<String, Prices>,
    /// For the list prices; `None`: not known.
    pub region: Option<String>,
}

/// US dollars for asking CloudWatch for one metric once (GetMetricData: 0.01 USD per 1,000 metrics).
///
/// Source: Amazon CloudWatch pricing, "API requests", us-east-1.
pub const CLOUDWATCH_USD_PER_METRIC_READ: f64 = 0.01 / 1_000.0;

/// The prices that a group's cost needs.
pub(super) fn price_requests(group: &Group, live: Option<&LiveGroup>) -> BTreeSet<PriceRequest> {
    let mix = group.policy.mix.iter().flat_map(|mix| &mix.types);
    let running = || live.iter().flat_map(|live| &live.instances);
    let shares = [
        group.policy.mix.as_ref().map(|mix| mix.spot),
        live.and_then(|live| Some(live.attributes.mix.as_ref()?.spot)),
    ];
    let spot = shares.iter().flatten().any(|share| share.fraction() > 0.0)
        || running().any(|instance| instance.lifecycle == Lifecycle::Spot);
    mix.map(|one| one.name.as_str())
        .chain(running().filter_map(|instance| instance.instance_type.as_deref()))
        .chain(launch_type(group))
        .map(|name| PriceRequest {
            instance_type: name.to_owned(),
            spot,
        })
        .collect()
}

/// The instance type of a group without a mix that is to be created.
fn launch_type(group: &Group) -> Option<&str> {
    group.launch.as_ref()?.attributes.get("type")?.as_str()
}

/// The change in monthly cost of one group; `None` where nothing about its cost changes or is known.
///
/// - `was`: what was last applied; `group`: what will be.
/// - `created_at`: the first desired capacity of a group that is created.
pub(super) fn cost_change(
    action: Action,
    was: Option<&Group>,
    group: &Group,
    live: Option<&LiveGroup>,
    created_at: u32,
    known: &BTreeMap<ProviderAddress, ProviderPrices>,
    now: Timestamp,
) -> Option<CostChange> {
    let before = match (action, live) {
        (Action::Create, _) | (_, None) => Some(0.0),
        (_, Some(live)) => cost_before(was.unwrap_or(group), was, live, known, now).map(rounded),
    };
    let mut change = CostChange {
        before_usd_per_month: before,
        ..CostChange::default()
    };
    match action {
        Action::Destroy => {
            change.after_usd_per_month = Some(0.0);
            return change.before_usd_per_month.map(|_| change);
        }
        // What is let go of costs as before.
        Action::Release | Action::Forget | Action::NoOp | Action::Record => return None,
        Action::Create | Action::Adopt | Action::Update | Action::Replace | Action::Move => {}
    }
    let limits = group
        .policy
        .limits
        .or_else(|| live.map(|live| live.attributes.limits))?;
    let live_mix = live
        .and_then(|live| live.attributes.mix.as_ref())
        .map(as_mix);
    let mix = group.policy.mix.as_ref().or(live_mix.as_ref());
    let prices = prices(group, live, known);
    let current = live.map_or(created_at, |live| live.desired);
    let cost = monthly_cost(&group.policy, limits, mix, current, &prices, now)?;
    let reads = metric_reads(group);
    change.metric_reads_usd_per_month = rounded(reads);
    change.after_usd_per_month = Some(rounded(cost.at_current_usd + reads));
    change.least_usd_per_month = Some(rounded(cost.at_min_usd + reads));
    change.most_usd_per_month = Some(rounded(cost.at_max_usd + reads));
    Some(change)
}

/// What another capacity costs more for an hour; `None` where it is the same or a price is not known.
pub(super) fn hourly_change(
    group: &Group,
    live: &LiveGroup,
    before: u32,
    after: u32,
    known: &BTreeMap<ProviderAddress, ProviderPrices>,
) -> Option<f64> {
    if before == after {
        return None;
    }
    let prices = prices(group, Some(live), known);
    let live_mix = live.attributes.mix.as_ref().map(as_mix);
    let mix = group.policy.mix.as_ref().or(live_mix.as_ref());
    let cost = |capacity| hourly_cost(capacity, mix, &prices);
    Some(rounded(cost(after)? - cost(before)?))
}

/// Without the noise of sums of floats: to millionths of a dollar.
fn rounded(usd: f64) -> f64 {
    (usd * 1e6).round() / 1e6
}

/// What is live now, held for a month under the policy that was last applied; without one just as it is.
fn cost_before(
    group: &Group,
    was: Option<&Group>,
    live: &LiveGroup,
    known: &BTreeMap<ProviderAddress, ProviderPrices>,
    now: Timestamp,
) -> Option<f64> {
    let prices = prices(group, Some(live), known);
    let mix = live.attributes.mix.as_ref().map(as_mix);
    let mix = mix.as_ref();
    match was {
        Some(was) => {
            let limits = live.attributes.limits;
            let cost = monthly_cost(&was.policy, limits, mix, live.desired, &prices, now)?;
            Some(cost.at_current_usd + metric_reads(was))
        }
        None => Some(hourly_cost(live.desired, mix, &prices)? * HOURS_PER_MONTH),
    }
}

pub(super) fn prices(
    group: &Group,
    live: Option<&LiveGroup>,
    known: &BTreeMap<ProviderAddress, ProviderPrices>,
) -> GroupPrices {
    let provider = known.get(&group.provider);
    let book = PriceBook::new(
        group.policy.instance.as_ref(),
        provider
            .map(|known| known.prices.clone())
            .unwrap_or_default(),
        provider.and_then(|known| known.region.as_deref()),
    );
    let instances = live.map_or(&[][..], |live| live.instances.as_slice());
    let mut prices = book.planned(&group.policy, instances);
    let is_empty = instances
        .iter()
        .all(|instance| instance.state == InstanceState::Ended);
    if is_empty && group.policy.mix.is_none() && launch_type(group).is_some() {
        // Nothing runs yet: what will be launched says the price.
        use tideform_policies::model::Lifecycle;
        prices.on_demand = book.price(launch_type(group), Lifecycle::OnDemand);
        prices.spot = book.price(launch_type(group), Lifecycle::Spot);
    }
    prices
}

pub(super) fn as_mix(live: &LiveMix) -> Mix {
    Mix {
        on_demand_base: live.on_demand_base,
        spot: live.spot,
        types: live.types.clone(),
        allocation: live.allocation.clone(),
        rebalance: live.rebalance,
        fallback: None,
    }
}

/// Reading a group's metrics for a month: each at every decision, where the source charges for it.
fn metric_reads(group: &Group) -> f64 {
    let is_charged = |metric: &&tideform_policies::model::Metric| match &metric.source {
        MetricSource::Query(query) => {
            let provider = query.provider.as_ref().unwrap_or(&group.provider);
            &*provider.kind == "aws"
        }
        MetricSource::Formula(_) => false,
    };
    let metrics = group.policy.metrics.iter().filter(is_charged).count();
    let every = group.policy.every.as_secs_f64();
    if every <= 0.0 {
        return 0.0;
    }
    let reads_a_month = HOURS_PER_MONTH * 3_600.0 / every;
    metrics as f64 * reads_a_month * CLOUDWATCH_USD_PER_METRIC_READ
}

#[cfg(test)]
mod tests {
    use tideform_policies::model::{Capacity, InstanceModel, Limits};

    use super::super::fixtures::{live, plain};
    use super::*;

    fn priced() -> Group {
        let mut group = plain("web");
        group.policy.instance = Some(InstanceModel {
            price_usd_per_hour: Some(0.1),
            ..InstanceModel::default()
        });
        group
    }

    fn change(
        action: Action,
        was: Option<&Group>,
        group: &Group,
        live: Option<&LiveGroup>,
    ) -> Option<CostChange> {
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        cost_change(action, was, group, live, 2, &BTreeMap::new(), now)
    }

    #[test]
    fn raised_limits_cost_what_the_capacity_of_now_becomes() {
        let was = priced();
        let mut group = priced();
        group.policy.limits = Limits::new(Capacity(5), Capacity(10));
        let live = live(&was, 3);
        let change = change(Action::Update, Some(&was), &group, Some(&live)).unwrap();
        // 0.1 USD x 730 hours x 3, then x 5.
        assert_eq!(change.before_usd_per_month, Some(219.0));
        assert_eq!(change.after_usd_per_month, Some(365.0));
        assert_eq!(change.least_usd_per_month, Some(365.0));
        assert_eq!(change.most_usd_per_month, Some(730.0));
        assert_eq!(change.difference(), Some(146.0));
    }

    #[test]
    fn a_created_group_costs_from_nothing_and_a_destroyed_one_to_nothing() {
        let group = priced();
        let created = change(Action::Create, None, &group, None).unwrap();
        assert_eq!(created.difference(), Some(146.0));
        let live = live(&group, 3);
        let destroyed = change(Action::Destroy, Some(&group), &group, Some(&live)).unwrap();
        assert_eq!(destroyed.difference(), Some(-219.0));
        assert_eq!(
            change(Action::Release, Some(&group), &group, Some(&live)),
            None
        );
    }

    #[test]
    fn reading_cloudwatch_is_part_of_the_cost_and_the_mock_is_not() {
        let mut group = priced();
        assert_eq!(metric_reads(&group), 0.0);
        group.provider.kind = "aws".into();
        // One metric each minute: 43,800 reads.
        assert!((metric_reads(&group) - 0.438).abs() < 1e-9);
    }

    #[test]
    fn without_any_price_nothing_is_said() {
        let group = plain("web");
        assert_eq!(change(Action::Create, None, &group, None), None);
    }
}
