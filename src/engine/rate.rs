//! Limits on the rate of change, and directions that are switched off.
//!
//! Source: Kubernetes HorizontalPodAutoscaler, `behavior`: the size at the start of each period is reconstructed
//! from the changes of both directions since.

use tideform_policies::model::{Capacity, Direction, Rate, RateAmount, ScaleRules, Select};

use super::memory::{Memory, age};
use super::moment::{Moment, Sink};
use super::numbers::share_rounded_out;
use super::reason::Reason;

/// Cuts a move to what the rates of its direction allow.
pub(super) fn limit(
    moment: &Moment<'_>,
    number: u32,
    memory: &Memory,
    sink: &mut impl Sink,
) -> u32 {
    let current = moment.current;
    let direction = Direction::between(Capacity(current), Capacity(number));
    let rules = match direction {
        Direction::Hold => return number,
        Direction::Out => &moment.policy.scale_out,
        Direction::In => &moment.policy.scale_in,
    };
    if !rules.enabled || rules.select == Select::Disabled {
        sink.say(|| Reason::DirectionDisabled {
            direction,
            before: Capacity(number),
            after: Capacity(current),
        });
        return current;
    }
    let Some(binding) = binding(moment, rules, direction, memory) else {
        return number;
    };
    let kept = match direction {
        Direction::Out | Direction::Hold => number.min(binding.limit.max(current)),
        Direction::In => number.max(binding.limit.min(current)),
    };
    if kept != number {
        sink.say(|| Reason::RateLimited {
            direction,
            amount: binding.rate.amount,
            per: binding.rate.per,
            base: Capacity(binding.base),
            limit: Capacity(binding.limit),
            before: Capacity(number),
            after: Capacity(kept),
        });
    }
    kept
}

/// The rate that binds, and what it allows.
#[derive(Clone, Copy, Debug)]
struct Binding {
    rate: Rate,
    base: u32,
    limit: u32,
}

fn binding(
    moment: &Moment<'_>,
    rules: &ScaleRules,
    direction: Direction,
    memory: &Memory,
) -> Option<Binding> {
    let mut binding: Option<Binding> = None;
    for rate in &rules.rates {
        let base = size_before(moment, rate, memory);
        let limit = allowed(rate.amount, base, direction);
        let is_further = |than: u32| match direction {
            Direction::Out | Direction::Hold => limit > than,
            Direction::In => limit < than,
        };
        let takes = binding.is_none_or(|so_far| match rules.select {
            Select::Max | Select::Disabled => is_further(so_far.limit),
            Select::Min => !is_further(so_far.limit) && limit != so_far.limit,
        });
        if takes {
            binding = Some(Binding {
                rate: *rate,
                base,
                limit,
            });
        }
    }
    binding
}

/// The furthest capacity that a rate allows from the size at the start of its period. A percentage that allows
/// any change allows at least one.
fn allowed(amount: RateAmount, base: u32, direction: Direction) -> u32 {
    match (amount, direction) {
        (RateAmount::Count(n), Direction::Out | Direction::Hold) => base.saturating_add(n),
        (RateAmount::Count(n), Direction::In) => base.saturating_sub(n),
        (RateAmount::Share(share), Direction::Out | Direction::Hold) => {
            base.saturating_add(share_rounded_out(base, share))
        }
        (RateAmount::Share(share), Direction::In) => {
            base.saturating_sub(share_rounded_out(base, share))
        }
    }
}

fn size_before(moment: &Moment<'_>, rate: &Rate, memory: &Memory) -> u32 {
    let mut size = i64::from(moment.current);
    for action in memory.actions.iter().rev() {
        if age(moment.now, action.at) >= rate.per {
            break;
        }
        size += i64::from(action.from.get()) - i64::from(action.to.get());
    }
    u32::try_from(size.max(0)).unwrap_or(u32::MAX)
}
