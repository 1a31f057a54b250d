//! The lease while a plan is carried out: renewed in time, and no call that starts later than it allows.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tideform_state::{Lease, LeaseHolder, State, StateError};

use crate::reconcile::{CALL_TAKES_AT_MOST, LONGEST_CALL};

/// A lease that we hold. It runs by the machine's clock, because it is between processes.
#[derive(Debug)]
pub struct HeldLease {
    lease: Lease,
    time: Duration,
    margin: Duration,
}

impl HeldLease {
    /// How long a lease lasts without renewal.
    pub const TIME: Duration = Duration::from_secs(90);
    /// No call starts later than the lease's end less this: the longest call, and five seconds for a clock's fault.
    pub const MARGIN: Duration = Duration::from_secs(LONGEST_CALL.as_secs() + 5);

    /// Takes the lease.
    ///
    /// # Errors
    /// [`StateError::LeaseHeld`] where another has it.
    pub fn take(state: &mut State, holder: &LeaseHolder) -> Result<HeldLease, StateError> {
        let lease = state.acquire_lease(holder, Timestamp::now(), HeldLease::TIME)?;
        Ok(HeldLease::of(lease))
    }

    /// From a lease that was taken with [`HeldLease::TIME`].
    pub fn of(lease: Lease) -> HeldLease {
        HeldLease {
            lease,
            time: HeldLease::TIME,
            margin: HeldLease::MARGIN,
        }
    }

    /// The lease.
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Renews it where half of it is used up.
    ///
    /// # Errors
    /// [`StateError::LeaseLost`]: stop acting at once.
    pub fn keep(&mut self, state: &mut State) -> Result<(), StateError> {
        let now = Timestamp::now();
        let half = SignedDuration::try_from(self.time / 2).unwrap_or_default();
        if now.saturating_add(half).unwrap_or(Timestamp::MAX) > self.lease.until {
            self.lease = state.renew_lease(&self.lease, now, self.time)?;
        }
        Ok(())
    }

    /// No call may start later, by the machine's clock.
    pub fn call_deadline(&self) -> Timestamp {
        let margin = SignedDuration::try_from(self.margin).unwrap_or_default();
        self.lease
            .until
            .saturating_sub(margin)
            .unwrap_or(Timestamp::MIN)
    }

    /// The same as something to ask before each call.
    pub(super) fn deadline(&self) -> Deadline {
        Deadline(self.call_deadline())
    }

    /// Gives it back; nothing happens where it is lost already.
    ///
    /// # Errors
    /// Only where the file cannot be written.
    pub fn release(self, state: &mut State) -> Result<(), StateError> {
        state.release_lease(&self.lease)
    }
}

/// Until when calls may start, by the machine's clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline(Timestamp);

impl Deadline {
    pub(super) fn has_passed(self) -> bool {
        Timestamp::now() > self.0
    }

    /// How long the calls that have begun by then may still take: the lease holds so long, and a bit longer.
    pub(super) fn left(self) -> Duration {
        let until_then = self.0.duration_since(Timestamp::now());
        Duration::try_from(until_then).unwrap_or_default() + CALL_TAKES_AT_MOST
    }
}
