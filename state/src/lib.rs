//! The SQLite state of tideform: what was last applied, events, intents, capacity and metric samples, decision
//! memory, overrides, and the lease.
//!
//! Callers give and get plain data, never rows or SQL. Nothing here reads a clock: every time is an argument. There
//! are no secrets in it: callers keep them out of what they hand over.
//!
//! - Reads are methods of [`State`]. All writes are methods of [`Transaction`], inside [`State::write`]: one closure
//!   is one transaction, is one commit, so a `kill -9` leaves all of it or nothing. Every commit is on the disk
//!   (`synchronous = FULL`) when `write` returns.
//! - Times are kept in whole milliseconds; what is finer is cut off. Ranges include both of their ends.
//! - Groups are named by their address. Moving a group takes its memory, history and events along; forgetting it
//!   keeps its history.
//! - SQLite is blocking; calls are short. In async code call directly or in `spawn_blocking`.

mod applied;
mod capacity;
mod check;
mod error;
mod events;
mod export;
mod identity;
mod intents;
mod json;
mod lease;
mod memory;
mod metrics;
mod open;
mod overrides;
mod retention;
mod schema;
mod shared;
mod time;
mod write;

pub use applied::{
    AppliedGroup, ApplyId, ApplyOutcome, ApplyRecord, NewApply, Ownership, RunningOutcome,
};
pub use capacity::{CapacityRun, CapacitySample, MERGE_GAP};
pub use check::Problem;
pub use error::{BoxError, StateError};
pub use events::{Event, EventFilter, EventId, EventKind, NewEvent};
pub use export::{EXPORT_FORMAT_VERSION, StateStatistics};
pub use identity::{Meta, NewState, ProviderIdentity};
pub use intents::{Intent, IntentId, IntentKind, NewIntent, Outcome, Settlement};
pub use json::JsonText;
pub use lease::{Lease, LeaseHolder, LeaseRequest};
pub use memory::{DecisionRecord, StoredDecision, TickRecord};
pub use metrics::{MetricSample, StoredSample};
pub use open::{OpenMode, State};
pub use overrides::{NewOverride, Override, OverrideId, OverrideKind};
pub use retention::{Pruned, ROLLUP_PERIOD, Retention};
pub use schema::SCHEMA_VERSION;
pub use shared::{Entered, Remote};
pub use write::Transaction;
