//! The loop's lease: taken, renewed, given to whoever asks for it between two ticks, given back.

use std::sync::Arc;
use std::time::Duration;

use tideform_state::{Lease, StateError};

use super::options::{ReconcileError, Watcher};
use super::protocol::{Event, TickRecord};
use super::shell::Shell;
use super::stop::Stop;
use crate::backend::ASK_EVERY;
use crate::observe::chain;

/// How long a lease lasts without renewal. On the same machine a holder that died loses it at once.
pub(crate) const LEASE_TIME: Duration = Duration::from_secs(120);
/// How often a waiting loop looks whether somebody wants the lease, or whether it is free.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long a shadow waits for the lock of a shared state, to record what it would have done.
const SHADOW_PATIENCE: Duration = Duration::from_secs(30);

impl Shell<'_> {
    /// Takes the lease or renews it; waits for it where somebody else has it and there is time to wait.
    pub(super) async fn take_lease(
        &mut self,
        stop: &mut Stop,
        watcher: &mut dyn Watcher,
    ) -> Result<Event, ReconcileError> {
        let clock = Arc::clone(&self.options.machine_clock);
        if let Some(lease) = self.lease.take() {
            match self.state.renew_lease(&lease, clock.now(), LEASE_TIME) {
                Ok(lease) => return Ok(self.leased(lease)),
                Err(StateError::LeaseLost { to: Some(holder) }) => {
                    return Ok(Event::LeaseHeld(holder.to_string()));
                }
                // Nobody has it: it was broken, or given back for somebody who is done with it.
                Err(StateError::LeaseLost { to: None }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // Between its ticks a daemon lets others in, and waits until they are done.
        let patience = if self.ticks > 0 {
            Duration::MAX
        } else {
            self.options.lock_timeout
        };
        let began = clock.now();
        if let Some(answer) = self.enter_shared(patience, stop, watcher).await? {
            return Ok(answer);
        }
        let mut has_asked = false;
        let answer = loop {
            let now = clock.now();
            match self
                .state
                .acquire_lease(&self.options.holder, now, LEASE_TIME)
            {
                Ok(lease) => return Ok(self.leased(lease)),
                Err(StateError::LeaseHeld { holder, .. }) => {
                    let waited = Duration::try_from(now.duration_since(began)).unwrap_or_default();
                    if waited >= patience || stop.is_asked() {
                        break Event::LeaseHeld(holder.to_string());
                    }
                    // Asked for anew each time, so that one who dies while waiting does not hold up the others.
                    self.state
                        .request_lease(&self.options.holder, now, LOOK_EVERY * 10)?;
                    has_asked = true;
                    tokio::select! {
                        () = clock.wait(LOOK_EVERY) => {}
                        () = stop.asked() => {}
                    }
                }
                Err(StateError::Busy) => clock.wait(LOOK_EVERY).await,
                Err(error) => return Err(error.into()),
            }
        };
        if has_asked {
            self.state.withdraw_lease_request(&self.options.holder)?;
        }
        Ok(answer)
    }

    /// Takes the lock of a shared state, and begins with its newest copy. Answers who has it where there is no more time
    /// to wait. While the loop goes on, a store that cannot be reached is waited for.
    async fn enter_shared(
        &mut self,
        patience: Duration,
        stop: &mut Stop,
        watcher: &mut dyn Watcher,
    ) -> Result<Option<Event>, ReconcileError> {
        let clock = Arc::clone(&self.options.machine_clock);
        let began = clock.now();
        let mut was_told = false;
        loop {
            let held = match self.state.enter(&self.options.holder).await {
                Ok(()) => return Ok(None),
                Err(StateError::LeaseHeld { holder, .. }) => Some(holder.to_string()),
                Err(error @ StateError::Remote { .. }) if self.ticks > 0 && !stop.is_asked() => {
                    if !std::mem::replace(&mut was_told, true) {
                        watcher.trouble(&format!("{}; trying again until it works", chain(&error)));
                    }
                    None
                }
                Err(error) => return Err(error.into()),
            };
            let waited = Duration::try_from(clock.now().duration_since(began)).unwrap_or_default();
            if let Some(holder) = held
                && (waited >= patience || stop.is_asked())
            {
                return Ok(Some(Event::LeaseHeld(holder)));
            }
            tokio::select! {
                () = clock.wait(ASK_EVERY.min(patience.saturating_sub(waited))) => {}
                () = stop.asked() => {}
            }
        }
    }

    /// Whether a tick can be recorded: a shadow takes the lock of a shared state only for this moment.
    pub(super) async fn may_record(
        &mut self,
        record: &TickRecord,
        stop: &mut Stop,
        watcher: &mut dyn Watcher,
    ) -> bool {
        if !record.is_shadow || !self.state.is_shared() {
            return true;
        }
        match self.enter_shared(SHADOW_PATIENCE, stop, watcher).await {
            Ok(None) => true,
            Ok(Some(_)) => {
                watcher.trouble("another process works with the shared state: this run's decisions are not recorded");
                false
            }
            Err(error) => {
                watcher.trouble(&format!(
                    "this run's decisions are not recorded: {}",
                    chain(&error)
                ));
                false
            }
        }
    }

    /// Uploads what a tick recorded, and lets others work with a shared state until the next.
    pub(super) async fn leave_shared(&mut self, watcher: &mut dyn Watcher) {
        if !self.state.is_shared() {
            return;
        }
        self.give_back_lease();
        if let Err(error) = self.state.leave().await {
            // The working copy goes on with it: the next tick uploads it, unless somebody else has got on meanwhile.
            watcher.trouble(&format!(
                "what this run recorded could not be uploaded yet: {}",
                chain(&error)
            ));
        }
    }

    pub(super) fn leased(&mut self, lease: Lease) -> Event {
        let until = lease.until;
        self.lease = Some(lease);
        if let Some(shared) = &self.options.shared {
            shared.update(|metrics| metrics.is_lease_held = true);
        }
        Event::Leased(until)
    }

    pub(super) fn give_back_lease(&mut self) {
        if let Some(lease) = self.lease.take() {
            // One that cannot be given back runs out by itself.
            let _ = self.state.release_lease(&lease);
        }
        if let Some(shared) = &self.options.shared {
            shared.update(|metrics| metrics.is_lease_held = false);
        }
    }

    pub(super) fn tend_lease(&mut self) -> Result<(), ReconcileError> {
        let Some(lease) = &self.lease else {
            return Ok(());
        };
        let now = self.options.machine_clock.now();
        if !self.state.lease_requests(now)?.is_empty() {
            self.give_back_lease();
            return Ok(());
        }
        let left = Duration::try_from(lease.until.duration_since(now)).unwrap_or_default();
        if left < LEASE_TIME / 2 {
            self.lease = match self.state.renew_lease(lease, now, LEASE_TIME) {
                Ok(lease) => Some(lease),
                // The next tick finds out who has it.
                Err(StateError::LeaseLost { .. }) => None,
                // Tried again with the next look.
                Err(StateError::Busy) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
        }
        Ok(())
    }
}
