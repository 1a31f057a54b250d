//! On-demand and spot: how the number is divided, and the fallback while spot does not launch.
//!
//! Source: AWS Auto Scaling, mixed instances: the base first, then the percentage above the base, the on-demand part
//! rounded up.

use jiff::Timestamp;
use tideform_policies::model::{Capacity, Fallback, InstanceState, Lifecycle, Mix};

use super::decision::MixSplit;
use super::memory::{FallbackMemory, Memory, later};
use super::moment::{Moment, Sink};
use super::numbers::share_rounded_in;
use super::reason::Reason;

/// Divides the number; `None` where the mix is not managed.
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
    let mut spot = spot_of(mix, number);
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
fn spot_of(mix: &Mix, number: u32) -> u32 {
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
