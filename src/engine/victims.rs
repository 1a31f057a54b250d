//! Which instances end on scale-in: the unhealthy first, then by the policy's order; protected and draining never.

use std::cmp::Ordering;

use tideform_policies::model::{Capacity, Instance, InstanceId, InstanceState, VictimOrder};

use super::moment::Moment;
use super::reason::Reason;

/// Names the instances to end. With `order = "default"` only the unhealthy are named; the backend takes the rest.
///
/// An instance that weighs more than what is left to remove is passed over: the group never falls below the number.
pub(super) fn victims(
    moment: &Moment<'_>,
    desired: u32,
    reasons: &mut Vec<Reason>,
) -> Vec<InstanceId> {
    let Some(instances) = &moment.seen.instances else {
        return Vec::new();
    };
    if desired >= moment.current {
        return Vec::new();
    }
    let exists = |instance: &&Instance| match instance.state {
        InstanceState::Pending | InstanceState::InService | InstanceState::Unhealthy => true,
        InstanceState::Draining | InstanceState::Ended => false,
    };
    let total = instances
        .iter()
        .filter(exists)
        .fold(0_u32, |sum, instance| sum.saturating_add(instance.weight));
    // Of what was asked for and never came, nothing has to end.
    let mut left = total.min(moment.current).saturating_sub(desired);
    if left == 0 {
        return Vec::new();
    }
    let order = moment.policy.scale_in.order;
    let mut candidates: Vec<&Instance> = instances
        .iter()
        .filter(exists)
        .filter(|instance| !instance.protected)
        .filter(|instance| order != VictimOrder::Default || is_unhealthy(instance))
        .collect();
    candidates.sort_by(|a, b| before(order, a, b));
    let mut named = Vec::new();
    let mut units = 0_u32;
    for instance in candidates {
        if instance.weight <= left {
            left -= instance.weight;
            units = units.saturating_add(instance.weight);
            named.push(instance.id.clone());
        }
    }
    reasons.push(Reason::Victims {
        instances: u32::try_from(named.len()).unwrap_or(u32::MAX),
        units: Capacity(units),
        order,
        left: Capacity(left),
    });
    named
}

fn is_unhealthy(instance: &Instance) -> bool {
    instance.state == InstanceState::Unhealthy
}

fn before(order: VictimOrder, a: &Instance, b: &Instance) -> Ordering {
    let by_age = match order {
        VictimOrder::Newest => b.launched_at.cmp(&a.launched_at),
        VictimOrder::Oldest | VictimOrder::Default => a.launched_at.cmp(&b.launched_at),
    };
    is_unhealthy(b)
        .cmp(&is_unhealthy(a))
        .then(by_age)
        .then_with(|| a.id.cmp(&b.id))
}
