//! On-demand and spot: how the number is divided, and the fallback while spot does not launch.
//!
//! Source: AWS Auto Scaling, mixed instances: the base first, then the percentage above the base, the on-demand part
//! rounded up.

use jiff::Timestamp;
use tideform_policies::model::{Capacity, Fallback, InstanceState, Lifecycle, Mix};

use super::decision::MixSplit;
use super::memory::{FallbackMemory, Memory};
use super::moment::{Moment, Sink};
use super::numbers::share_rounded_in;
use super::reason::Reason;
use super::time::later;

/// Divides the number; `None` where the mix is not managed.
#[inline]
pub(super) fn split(
    moment: &Moment<'_>,
    number: u32,
    memory: &mut Memory,
    sink: &mut impl Sink,
) -> Option<MixSplit> {
    let Some(mix) = &moment.policy.mix else {
        memory.fallback = None;
        return None;
    };
    let mut spot = spot_part(mix, number);
    if let Some(until) = fallback_until(moment, mix, memory) {
        // What runs on spot may go on; nothing more is launched there.
        let kept = spot.min(running_spot(moment));
        let moved = Capacity(spot - kept);
        spot = kept;
        sink.say(|| Reason::Fallback {
            until,
            moved,
            lifecycle: Lifecycle::OnDemand,
        });
    }
    let split = MixSplit {
        on_demand: Capacity(number - spot),
        spot: Capacity(spot),
    };
    sink.say(|| Reason::MixSplit {
        on_demand: split.on_demand,
        spot: split.spot,
    });
    Some(split)
}

/// The spot part: of what is above the base, the on-demand share is rounded up.
pub fn spot_part(mix: &Mix, number: u32) -> u32 {
    let above = number.saturating_sub(mix.on_demand_base);
    share_rounded_in(above, mix.spot).min(above)
}

fn running_spot(moment: &Moment<'_>) -> u32 {
    let Some(instances) = &moment.seen.instances else {
        return 0;
    };
    instances
        .iter()
        .filter(|instance| instance.lifecycle == Lifecycle::Spot)
        .filter(|instance| instance.state == InstanceState::InService)
        .fold(0, |sum: u32, instance| sum.saturating_add(instance.weight))
}

/// When the fallback ends, if it holds now.
fn fallback_until(moment: &Moment<'_>, mix: &Mix, memory: &mut Memory) -> Option<Timestamp> {
    let fallback = mix.fallback.as_ref()?;
    let latest = later(moment.now, fallback.duration);
    if let Some(last) = &mut memory.fallback {
        // The clock may have gone back.
        last.until = last.until.min(latest);
        if moment.now < last.until {
            return Some(last.until);
        }
    }
    if failures(moment, memory.fallback) < least_failures(fallback) {
        return None;
    }
    memory.fallback = Some(FallbackMemory { until: latest });
    (moment.now < latest).then_some(latest)
}

fn least_failures(fallback: &Fallback) -> usize {
    usize::try_from(fallback.after.max(1)).unwrap_or(usize::MAX)
}

/// Failed spot launches in a row: since the last one that worked, and since the last fallback ended.
fn failures(moment: &Moment<'_>, last: Option<FallbackMemory>) -> usize {
    let worked = moment
        .seen
        .instances
        .iter()
        .flatten()
        .filter(|instance| instance.lifecycle == Lifecycle::Spot)
        .filter(|instance| instance.state != InstanceState::Ended)
        .filter_map(|instance| instance.launched_at)
        .max();
    moment
        .seen
        .failed_spot_launches
        .iter()
        .filter(|at| worked.is_none_or(|worked| **at > worked))
        .filter(|at| last.is_none_or(|last| **at >= last.until))
        .count()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tideform_policies::model::{Instance, Share};

    use super::*;
    use crate::engine::testing::{at, cpu_rules, decided, instance, seen};
    use crate::engine::{Observation, Rules};

    fn mixed(base: u32, spot: f64) -> Rules {
        cpu_rules(|policy| {
            policy.mix = Some(Mix {
                on_demand_base: base,
                spot: Share(spot / 100.0),
                types: vec![],
                allocation: None,
                rebalance: None,
                fallback: Some(Fallback {
                    after: 3,
                    duration: Duration::from_secs(1800),
                }),
            });
        })
    }

    fn spot(id: &str, minutes: f64) -> Instance {
        Instance {
            lifecycle: Lifecycle::Spot,
            ..instance(id, minutes)
        }
    }

    #[test]
    fn the_base_comes_first_and_the_on_demand_part_is_rounded_up() {
        for (base, percent, desired, split) in [
            (2, 70.0, 12, (5, 7)),
            (2, 70.0, 2, (2, 0)),
            (2, 70.0, 1, (1, 0)),
            (2, 70.0, 3, (3, 0)),
            (2, 70.0, 4, (3, 1)),
            (0, 100.0, 5, (0, 5)),
            (0, 50.0, 5, (3, 2)),
            (0, 0.0, 5, (5, 0)),
            (0, 70.0, 10, (3, 7)),
        ] {
            let seen = seen(desired, &[("cpu", 60.0)], at(0.0));
            let decision = decided(&mixed(base, percent), &seen, &Memory::default(), at(0.0));
            let got = decision.mix.map(|m| (m.on_demand.get(), m.spot.get()));
            assert_eq!(got, Some(split), "{base} {percent} {desired}");
        }
    }

    fn failed(times: &[f64], instances: Option<Vec<Instance>>) -> Observation {
        let mut seen = seen(10, &[("cpu", 60.0)], at(0.0));
        seen.failed_spot_launches = times.iter().map(|minutes| at(*minutes)).collect();
        seen.instances = instances;
        seen
    }

    fn spot_at(seen: &Observation, memory: &Memory, minutes: f64) -> (u32, Memory) {
        let decision = decided(&mixed(0, 50.0), seen, memory, at(minutes));
        (
            decision.mix.map_or(0, |mix| mix.spot.get()),
            decision.memory,
        )
    }

    #[test]
    fn the_fallback_says_how_much_moves_to_on_demand() {
        let two = vec![spot("a", 50.0), spot("b", 50.0)];
        for (instances, expected) in [(None, 5), (Some(two), 3)] {
            let seen = failed(&[-3.0, -2.0, -1.0], instances);
            let decision = decided(&mixed(0, 50.0), &seen, &Memory::default(), at(0.0));
            let moved = decision.reasons.iter().find_map(|reason| match reason {
                Reason::Fallback { moved, .. } => Some(moved.get()),
                _ => None,
            });
            assert_eq!(moved, Some(expected));
        }
    }

    #[test]
    fn failures_up_to_the_launch_that_worked_are_not_counted() {
        let worked_at_one = || Some(vec![spot("a", 1.0)]);
        for (failures, expected) in [
            ([-1.0, -1.0, -1.0], 5),
            ([-0.9, -0.9, -1.0], 5),
            ([-0.9, -0.9, -0.9], 1),
        ] {
            let seen = failed(&failures, worked_at_one());
            let got = spot_at(&seen, &Memory::default(), 0.0).0;
            assert_eq!(got, expected, "{failures:?}");
        }
    }

    #[test]
    fn a_fallback_of_no_length_is_none() {
        let rules = cpu_rules(|policy| {
            policy.mix = mixed(0, 50.0).group().policy.mix.clone();
            if let Some(Mix {
                fallback: Some(fallback),
                ..
            }) = &mut policy.mix
            {
                fallback.duration = Duration::ZERO;
            }
        });
        let seen = failed(&[-3.0, -2.0, -1.0], None);
        let decision = decided(&rules, &seen, &Memory::default(), at(0.0));
        assert!(!decision.has("fallback"), "{:#?}", decision.reasons);
    }

    #[test]
    fn after_enough_failures_in_a_row_it_is_on_demand_for_a_while_and_then_back() {
        let two = failed(&[-2.0, -1.0], None);
        assert_eq!(spot_at(&two, &Memory::default(), 0.0).0, 5);
        let three = failed(&[-3.0, -2.0, -1.0], None);
        let (spot, memory) = spot_at(&three, &Memory::default(), 0.0);
        assert_eq!(spot, 0);
        assert_eq!(memory.fallback, Some(FallbackMemory { until: at(30.0) }));
        assert_eq!(spot_at(&three, &memory, 29.9).0, 0);
        // The old failures are not counted again, new ones are.
        let (spot, memory) = spot_at(&three, &memory, 30.0);
        assert_eq!(spot, 5);
        let again = failed(&[-1.0, 31.0, 32.0, 33.0], None);
        assert_eq!(spot_at(&again, &memory, 34.0).0, 0);
    }

    #[test]
    fn a_launch_that_worked_ends_the_row_and_what_runs_on_spot_goes_on() {
        let worked = failed(&[-9.0, -8.0, -1.0], Some(vec![spot("a", 5.0)]));
        assert_eq!(spot_at(&worked, &Memory::default(), 0.0).0, 5);
        let running = failed(
            &[-3.0, -2.0, -1.0],
            Some(vec![spot("a", 50.0), spot("b", 50.0)]),
        );
        assert_eq!(spot_at(&running, &Memory::default(), 0.0).0, 2);
    }

    #[test]
    fn a_clock_that_goes_back_makes_no_fallback_longer_than_itself() {
        let memory = Memory {
            fallback: Some(FallbackMemory { until: at(9e6) }),
            ..Memory::default()
        };
        let (_, memory) = spot_at(&failed(&[], None), &memory, 0.0);
        assert_eq!(memory.fallback, Some(FallbackMemory { until: at(30.0) }));
    }
}
