//! The scaling loop: observe, decide, record the intent, act, record the outcome.
//!
//! It runs what was last applied, from the state, never the files.

mod acts;
mod calls;
mod group;
mod lease;
mod listen;
mod load;
mod metrics;
mod native;
mod notes;
mod options;
mod prices;
mod progress;
mod protocol;
mod record;
mod settle;
mod shell;
mod spent;
mod step;
#[cfg(test)]
mod step_tests;
mod stop;
#[cfg(test)]
pub(crate) mod testing;
mod visit;

pub use group::{
    ActAnswer, Closed, Context, GroupReport, GroupRun, GroupWrite, Note, PlannedAct, Seen, Visit,
    VisitResult, count_ready,
};
pub use listen::{Shared, bind, serve};
pub use load::overrides_by_group;
pub use metrics::{CONTENT_TYPE, GroupMetrics, LoopMetrics};
pub(crate) use native::as_it_was;
pub use options::{Finished, Options, ProviderSource, ReconcileError, Silent, Watcher};
pub use progress::{Alerts, Condition, Moved, Progress, back_off, describe_back_off};
pub use protocol::{
    Call, Effect, Event, Moment, NewIntent, Pace, Settings, StopReason, TickRecord, TickReport,
};
pub use settle::{
    Act, CALL_STARTS_WITHIN, CALL_TAKES_AT_MOST, LONGEST_CALL, OpenIntent, Settled,
    counts_as_action, settle,
};

/// What no file can change, for [`crate::defaults`].
pub(crate) mod numbers {
    pub(crate) use super::calls::{CALLS_AT_ONCE, TRIES};
    pub(crate) use super::lease::LEASE_TIME;
    pub(crate) use super::prices::PRICES_LAST;
    pub(crate) use super::progress::LONGEST_BACK_OFF;
    pub(crate) use super::settle::{CALL_STARTS_WITHIN, CALL_TAKES_AT_MOST};
}
pub use shell::run_loop;
pub use step::{LoopState, step};
pub use stop::{Stop, StopHandle, stop_pair};
pub use visit::{after_act, visit};
