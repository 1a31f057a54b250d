//! How a loop is run, who watches it, and how it can end.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use thiserror::Error;
use tideform_policies::model::{GroupAddress, ProviderAddress};
use tideform_provider::{Clock, ProviderError, SystemClock};
use tideform_state::{BoxError, LeaseHolder, State, StateError};

use super::listen::Shared;
use super::protocol::{Pace, TickReport};
use crate::registry::{Providers, RegistryError};

/// Why a loop could not begin or go on. What was done until then is recorded.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// Somebody else holds the lease. Nothing was changed.
    #[error("the lease is held by {holder}")]
    LeaseHeld {
        /// Who, for people.
        holder: String,
    },
    /// Nothing was applied yet.
    #[error("nothing was applied yet")]
    NothingApplied,
    /// The state cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The providers that were applied cannot be opened.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A provider does not say who we are there.
    #[error("{provider} does not say who we are there")]
    Identity {
        /// Which.
        provider: ProviderAddress,
        /// Why.
        source: ProviderError,
    },
    /// Applying the followed directory failed in a way that ends the loop.
    #[error("the followed directory cannot be applied")]
    Follow {
        /// Why.
        source: BoxError,
    },
}

/// Where the providers come from.
#[derive(Clone, Debug)]
pub enum ProviderSource {
    /// Opened as they were last applied; paths in them are relative to this directory.
    Applied {
        /// The configuration's directory.
        directory: PathBuf,
    },
    /// These, whatever was applied: simulations, tests, the demo.
    Fixed(Providers),
}

/// How a loop is run.
#[derive(Clone)]
pub struct Options {
    /// One run, or a daemon.
    pub pace: Pace,
    /// Decide and record the decisions as such, but touch nothing.
    pub is_shadow: bool,
    /// Only these groups; `None`: all.
    pub only: Option<BTreeSet<GroupAddress>>,
    /// Stop by itself after so many ticks.
    pub stop_after_ticks: Option<u64>,
    /// Stop by itself at the first tick at or after this, by the loop's clock.
    pub stop_at: Option<Timestamp>,
    /// Who we are to the lease.
    pub holder: LeaseHolder,
    /// Who we are in events.
    pub actor: String,
    /// How long to wait for the lease at the beginning.
    pub lock_timeout: Duration,
    /// Where the providers come from.
    pub providers: ProviderSource,
    /// What `--listen` serves; `None`: nothing.
    pub shared: Option<Shared>,
    /// The clock that leases run by.
    pub machine_clock: Arc<dyn Clock>,
}

impl Options {
    /// One run, with everything else as it is when nothing is said.
    pub fn once(holder: LeaseHolder, providers: ProviderSource) -> Options {
        Options {
            pace: Pace::Once,
            is_shadow: false,
            only: None,
            stop_after_ticks: None,
            stop_at: None,
            holder,
            actor: "reconcile".to_owned(),
            lock_timeout: Duration::ZERO,
            providers,
            shared: None,
            machine_clock: Arc::new(SystemClock),
        }
    }

    /// A daemon, with everything else as it is when nothing is said.
    pub fn every(interval: Duration, holder: LeaseHolder, providers: ProviderSource) -> Options {
        Options {
            pace: Pace::Every(interval),
            ..Options::once(holder, providers)
        }
    }
}

/// Who watches a loop.
#[async_trait]
pub trait Watcher: Send {
    /// A tick is over, and recorded.
    fn tick(&mut self, report: &TickReport);

    /// Something went wrong that the loop goes on in spite of.
    fn trouble(&mut self, what: &str) {
        let _ = what;
    }

    /// Whether there is something to apply before the next tick: then the lease is given back first.
    fn wants_to_apply(&mut self) -> bool {
        false
    }

    /// Applies it. The loop goes on with what was applied.
    ///
    /// # Errors
    /// Only what must end the loop.
    async fn apply(&mut self, state: &mut State) -> Result<(), BoxError> {
        let _ = state;
        Ok(())
    }
}

/// A watcher that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

#[async_trait]
impl Watcher for Silent {
    fn tick(&mut self, _: &TickReport) {}
}

/// How a loop ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// It was asked to stop; else it had done what it was to do.
    pub was_asked: bool,
    /// Ticks that were completed.
    pub ticks: u64,
    /// Visits that failed in the last tick.
    pub failed_groups: usize,
}
