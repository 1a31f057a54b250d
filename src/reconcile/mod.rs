//! The scaling loop: observe, decide, record the intent, act, record the outcome.
//!
//! It runs what was last applied, from the state, never the files.

mod listen;
mod load;
mod metrics;
mod progress;
mod record;
mod settle;
mod shell;
mod step;
#[cfg(test)]
mod step_tests;
mod stop;
#[cfg(test)]
pub(crate) mod testing;
mod visit;

pub use listen::{Shared, bind, serve};
pub use load::overrides_by_group;
pub use metrics::{CONTENT_TYPE, GroupMetrics, LoopMetrics};
pub use progress::{Alerts, Condition, Progress, back_off, describe_back_off};
pub use settle::{
    Act, CALL_STARTS_WITHIN, CALL_TAKES_AT_MOST, LONGEST_CALL, OpenIntent, Settled,
    counts_as_action, settle,
};
pub use shell::{Finished, Options, ProviderSource, ReconcileError, Silent, Watcher, run_loop};
pub use step::{
    Call, Effect, Event, LoopState, Moment, NewIntent, Pace, Settings, StopReason, TickRecord,
    TickReport, step,
};
pub use stop::{Stop, StopHandle, stop_pair};
pub use visit::{
    ActAnswer, Closed, Context, GroupReport, GroupRun, GroupWrite, Note, PlannedAct, Seen, Visit,
    VisitResult, after_act, count_ready, visit,
};
