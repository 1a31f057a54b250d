//! The decision: how many instances a group should have now, and why.
//!
//! [`decide`] is pure. Everything comes in as arguments (the rules, what was observed, what is
//! remembered, the time) and the answer goes out with its reasons. It does no I/O, reads no clock,
//! and never fails: data that is absent or absurd is *no data*. The loop, the simulator, `explain`,
//! `test` and every test call this same function.

mod actions;
mod block;
mod breach;
mod combine;
mod cooldown;
mod decision;
pub mod explain;
mod guard;
mod limits;
mod memory;
mod mix;
mod moment;
mod nearest;
mod next;
mod numbers;
mod observation;
pub mod observe_json;
mod opinion;
mod overrides;
#[cfg(test)]
mod properties;
mod rate;
mod reach;
mod readings;
mod reason;
mod recommendations;
mod rules;
mod stabilize;
mod step;
mod still;
#[cfg(test)]
mod testing;
mod time;
mod track;
mod victims;

pub use actions::{Action, Actions, BY_TIDEFORM};
pub use decision::{Decision, MixSplit, Outcome};
pub use memory::{FallbackMemory, GuardMemory, Memory, MissingSince};
pub use mix::spot_part;
pub use nearest::{ByTime, Edge, Held, Lever, Nearest, NearestValue, Side, nearest};
pub(crate) use numbers::{cut, round_out, share_adjusted};
pub use observation::{
    ActiveSurge, ForecastFloor, Observation, Overrides, Pause, Pin, Spent, Spread, Units,
};
pub use reach::{freshness, reach};
pub use readings::Readings;
pub use reason::{Abstention, Basis, Bound, Combination, Reason, ReasonKind, Substitute, kinds};
pub use recommendations::{Recommendation, Recommendations};
pub use rules::Rules;
pub use still::{Still, still};

use jiff::Timestamp;
use tideform_policies::model::{Capacity, Direction};

use moment::{Moment, Quiet, Sink};

/// Decides, and says why.
///
/// `memory` is not changed: the answer carries the memory to keep, with the new recommendation
/// logged. An accepted change is recorded by the caller with [`Memory::record`], so a dry run
/// touches nothing.
pub fn decide(rules: &Rules, seen: &Observation, memory: &Memory, now: Timestamp) -> Decision {
    let mut memory = memory.clone();
    let mut reasons = Vec::new();
    let moment = Moment::new(rules, seen, now);
    let outcome = run(&moment, &mut memory, &mut reasons);
    let victims = victims::victims(&moment, outcome.desired.get(), &mut reasons);
    Decision {
        current: outcome.current,
        desired: outcome.desired,
        direction: outcome.direction,
        mix: outcome.mix,
        next_change: next::next_change(&moment, &reasons, &memory),
        nearest: None,
        reasons,
        victims,
        memory,
    }
}

/// The same decision without its reasons and victims, for simulations: the memory is updated in place.
///
/// It runs the same code as [`decide`]. With an observation made by [`Observation::of`] no name is searched for.
///
/// Once the lists of the memory have grown to what the policy makes of them, it allocates nothing, with two
/// exceptions: at the edges of a schedule with a cron expression, whose next edge is looked up then; and where samples
/// per instance come in another order than the instances, or of instances that are gone. `tests/allocations.rs` counts.
pub fn decide_quiet(
    rules: &Rules,
    seen: &Observation,
    memory: &mut Memory,
    now: Timestamp,
) -> Outcome {
    run(&Moment::new(rules, seen, now), memory, &mut Quiet)
}

/// The value of a metric as the decision sees it, what stands in for absent data included; `None` is no data.
pub fn metric_value(rules: &Rules, seen: &Observation, name: &str, now: Timestamp) -> Option<f64> {
    use tideform_policies::model::FormulaScope;
    Moment::new(rules, seen, now).at(now).metric(name)
}

/// The capacities that formulas know as `self.*`.
pub fn own_value(
    rules: &Rules,
    seen: &Observation,
    value: tideform_policies::model::OwnValue,
    now: Timestamp,
) -> Option<f64> {
    use tideform_policies::model::FormulaScope;
    Moment::new(rules, seen, now).at(now).own(value)
}

/// Floor and ceiling of now: the limits, and what schedules, surges and the forecast make of them.
pub fn limits_at(rules: &Rules, seen: &Observation, now: Timestamp) -> (Capacity, Capacity) {
    limits::bounds(&Moment::new(rules, seen, now), &mut Quiet).ends()
}

/// Whether the metrics alone move the number, which lies within the limits: nobody has asked for anything else.
#[inline]
fn is_bare(rules: &Rules, seen: &Observation, memory: &Memory) -> bool {
    let overrides = &seen.overrides;
    let limits = rules.group().policy.limits.or(seen.limits);
    rules.is_bare
        && memory.guards.is_empty()
        && overrides.pin.is_none()
        && overrides.pause.is_none()
        && overrides.surges.is_empty()
        && limits.is_none_or(|limits| limits.min() <= seen.desired && seen.desired <= limits.max())
}

/// The metrics want what there is, and nothing else has a say: what all the rules come to.
#[inline]
fn stay(moment: &Moment<'_>, memory: &mut Memory) -> Outcome {
    let current = Capacity(moment.current);
    memory.fallback = None;
    memory.log(moment.now, current);
    Outcome {
        current,
        desired: current,
        direction: Direction::Hold,
        mix: None,
    }
}

/// All rules in their order.
fn run<S: Sink>(moment: &Moment<'_>, memory: &mut Memory, sink: &mut S) -> Outcome {
    memory.settle(moment.rules, moment.now);
    let plain = if S::IS_QUIET {
        combine::plain(moment, memory)
    } else {
        None
    };
    if plain == Some(moment.current) && is_bare(moment.rules, moment.seen, memory) {
        return stay(moment, memory);
    }
    let bounds = limits::bounds(moment, sink);
    let mut number = match plain {
        Some(number) => number,
        None => combine::combine(moment, bounds.floor, memory, sink),
    };
    number = stabilize::stabilize(moment, number, memory, sink);
    let is_guarded = !moment.policy.guards.is_empty() || !memory.guards.is_empty();
    // These only hold moves back, but for the guards, which also move on by themselves.
    if number != moment.current || is_guarded {
        number = rate::limit(moment, number, memory, sink);
        number = cooldown::hold(moment, number, memory, sink);
        number = guard::hold(moment, number, memory, sink);
        number = block::freeze(moment, number, sink);
        number = block::budget(moment, number, sink);
    }
    number = overrides::apply_pin(moment, number, sink);
    number = limits::clamp(moment, &bounds, number, sink);
    number = overrides::apply_pause(moment, number, sink);
    let mix = mix::split(moment, number, memory, sink);
    let (current, desired) = (Capacity(moment.current), Capacity(number));
    Outcome {
        current,
        desired,
        direction: Direction::between(current, desired),
        mix,
    }
}
