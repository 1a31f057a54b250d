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
        // What weighs nothing brings the group no nearer to its number.
        .filter(|instance| !instance.protected && instance.weight > 0)
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

#[cfg(test)]
mod tests {
    use tideform_policies::model::{Capacity, Limits};

    use super::*;
    use crate::engine::Memory;
    use crate::engine::testing::{at, cpu_rules, decided, instance, seen};

    /// `name age flags`: `x` unhealthy, `p` protected, `d` draining, a digit its weight.
    fn named(order: VictimOrder, max: u32, current: u32, instances: &[&str]) -> String {
        let rules = cpu_rules(|policy| {
            policy.scale_in.order = order;
            policy.limits = Limits::new(Capacity(0), Capacity(max));
        });
        let mut seen = seen(current, &[], at(0.0));
        seen.instances = Some(
            instances
                .iter()
                .map(|text| {
                    let mut words = text.split_whitespace();
                    let name = words.next().expect("a name");
                    let age = words.next().and_then(|w| w.parse().ok()).expect("an age");
                    let mut instance = instance(name, age);
                    for flag in words.flat_map(str::chars) {
                        match flag {
                            'x' => instance.state = InstanceState::Unhealthy,
                            'd' => instance.state = InstanceState::Draining,
                            'p' => instance.protected = true,
                            digit => instance.weight = digit.to_digit(10).expect("a weight"),
                        }
                    }
                    instance
                })
                .collect(),
        );
        decided(&rules, &seen, &Memory::default(), at(0.0))
            .victims
            .join(" ")
    }

    #[test]
    fn the_unhealthy_end_first_then_by_order_and_protected_and_draining_never() {
        use VictimOrder::{Default, Newest, Oldest};
        let four = &["a 40", "b 30", "c 20", "d 10"];
        for (order, max, current, instances, want) in [
            (Newest, 2, 4, &four[..], "d c"),
            (Oldest, 2, 4, &four[..], "a b"),
            (Default, 2, 4, &four[..], ""),
            (Newest, 2, 4, &["a 40", "b 30 x", "c 20", "d 10"][..], "b d"),
            (Default, 2, 4, &["a 40", "b 30 x", "c 20", "d 10"][..], "b"),
            (
                Newest,
                2,
                4,
                &["a 40", "b 30", "c 20 p", "d 10 p"][..],
                "b a",
            ),
            (
                Newest,
                1,
                4,
                &["a 40 p", "b 30 p", "c 20 p", "d 10"][..],
                "d",
            ),
            (
                Newest,
                2,
                4,
                &["a 40", "b 30", "c 20", "d 10", "e 5 d"][..],
                "d c",
            ),
            // Of what was asked for and never came, nothing has to end.
            (Newest, 2, 4, &["a 40", "b 30", "c 20"][..], "c"),
            (Newest, 3, 4, &["a 40", "b 30", "c 20"][..], ""),
            // In units, and never below the number.
            (Newest, 5, 8, &["a 40 2", "b 30 2", "c 20 4"][..], "b"),
            (Newest, 4, 8, &["a 40 2", "b 30 2", "c 20 4"][..], "c"),
            (Newest, 9, 4, &four[..], ""),
            // What weighs nothing does not end for it.
            (Newest, 3, 4, &["a 40 2", "b 30 2", "c 20 0"][..], ""),
            (Newest, 2, 4, &["a 40 2", "b 30 2", "c 20 0"][..], "b"),
        ] {
            assert_eq!(
                named(order, max, current, instances),
                want,
                "{order:?} {max} {instances:?}"
            );
        }
    }
}
