//! What comes after the number: the split into on-demand and spot, and who ends.

use std::collections::BTreeSet;

use proptest::prelude::*;
use tideform_policies::model::{Capacity, Instance, InstanceState, Lifecycle, VictimOrder};

use super::cases;
use super::generate::{case, instances};
use crate::engine::Pin;
use crate::engine::testing::{at, decided};

fn exists(instance: &Instance) -> bool {
    matches!(
        instance.state,
        InstanceState::Pending | InstanceState::InService | InstanceState::Unhealthy
    )
}

proptest! {
    #![proptest_config(cases(100))]

    /// The base first, then the share, the on-demand part rounded up; while spot fails, nothing more on spot.
    #[test]
    fn the_mix_is_split_as_aws_splits_it(case in case()) {
        let decision = decided(&case.rules(), &case.seen, &case.memory, at(0.0));
        let Some(mix) = &case.policy.mix else {
            prop_assert_eq!(decision.mix, None);
            return Ok(());
        };
        let Some(split) = decision.mix else {
            return Err(TestCaseError::fail("no split"));
        };
        let n = decision.desired.get();
        let above = n.saturating_sub(mix.on_demand_base);
        let tenths = (mix.spot.fraction() * 10.0).round() as u64;
        let spot = (u64::from(above) * tenths / 10) as u32;
        if decision.has("fallback") {
            let instances = case.seen.instances.iter().flatten();
            let running = instances
                .filter(|i| i.lifecycle == Lifecycle::Spot && i.state == InstanceState::InService)
                .fold(0_u32, |sum, i| sum.saturating_add(i.weight));
            prop_assert_eq!(split.spot.get(), spot.min(running));
        } else {
            prop_assert_eq!(split.spot.get(), spot);
        }
        prop_assert_eq!(split.on_demand.get(), n - split.spot.get());
    }

    #[test]
    fn victims_are_unprotected_and_never_more_than_the_number_asks_for(
        mut case in case(),
        instances in instances(),
        share in 0..5_u32,
    ) {
        case.seen.overrides.pause = None;
        // Somebody shrinks the group, to nothing or by less.
        let units = instances.iter().filter(|i| exists(i)).map(|i| i.weight);
        let current = units.fold(1_u32, u32::saturating_add);
        case.seen.desired = Capacity(current);
        case.seen.instances = Some(instances);
        case.policy.limits = None;
        case.seen.limits = None;
        case.seen.overrides.pin = Some(Pin {
            capacity: Capacity(current / 5 * share),
            until: at(1.0),
            reason: None,
            by: "ada".to_owned(),
        });
        let decision = decided(&case.rules(), &case.seen, &case.memory, at(0.0));
        let named: BTreeSet<_> = decision.victims.iter().cloned().collect();
        prop_assert_eq!(named.len(), decision.victims.len());
        if decision.desired >= decision.current {
            prop_assert!(named.is_empty());
        }
        let instances: Vec<&Instance> = case.seen.instances.iter().flatten().collect();
        let mut units = 0_u64;
        for instance in instances.iter().filter(|instance| named.contains(&instance.id)) {
            prop_assert!(exists(instance) && !instance.protected);
            units += u64::from(instance.weight);
            if case.policy.scale_in.order == VictimOrder::Default {
                prop_assert_eq!(instance.state, InstanceState::Unhealthy);
            }
        }
        let total: u64 = instances.iter().filter(|i| exists(i)).map(|i| u64::from(i.weight)).sum();
        prop_assert!(
            named.is_empty() || total - units >= u64::from(decision.desired.get()),
            "{total} minus {units}"
        );
        // Nobody healthy ends before somebody unhealthy of the same weight or less who could.
        let healthy = instances.iter().filter(|i| named.contains(&i.id) && i.state != InstanceState::Unhealthy);
        let least = healthy.map(|i| i.weight).min();
        let spared = instances.iter().find(|i| {
            i.state == InstanceState::Unhealthy && !i.protected && i.weight > 0 && !named.contains(&i.id)
        });
        if let (Some(least), Some(spared)) = (least, spared) {
            prop_assert!(spared.weight > least, "{} was spared", spared.id);
        }
    }
}
