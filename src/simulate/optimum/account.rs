//! What a capacity path pays and misses.

use std::collections::VecDeque;

use super::path::{Path, Step};
use super::problem::Exact;

/// What a path pays, in instance-milliseconds, and what it misses, in unit-milliseconds: exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Paid: from launch to the end of drain, and at least the minimum billing; within the trace.
    pub paid_ms: u64,
    /// Of `paid_ms`, paid for instances that were gone already: the minimum billing.
    pub beyond_life_ms: u64,
    /// Units that demand needed and that did not serve: unit-milliseconds.
    pub missing_ms: u64,
    /// Instances launched.
    pub launches: u64,
    /// Instances terminated.
    pub terminations: u64,
}

const MS_PER_HOUR: f64 = 3_600_000.0;

impl Account {
    /// Paid instance-hours.
    pub fn instance_hours(&self) -> f64 {
        self.paid_ms as f64 / MS_PER_HOUR
    }

    /// Missing unit-hours.
    pub fn missing_unit_hours(&self) -> f64 {
        self.missing_ms as f64 / MS_PER_HOUR
    }

    /// The same bill as if every second were paid only while it lasts.
    pub(super) fn without_minimum_billing(self) -> Account {
        Account {
            paid_ms: self.paid_ms - self.beyond_life_ms,
            beyond_life_ms: 0,
            ..self
        }
    }

    /// Launches what a path needs just in time, and terminates the oldest first, which have paid the minimum soonest.
    pub(super) fn of(exact: &Exact<'_>, path: &Path) -> Account {
        let mut account = Account::default();
        // Serving instances that were launched after the start, oldest first: (launched at, how many).
        let mut launched: VecDeque<(u64, u32)> = VecDeque::new();
        let mut from_start = exact.start;
        for (at, step) in path.changes(exact.start) {
            match step {
                Step::Rise(instances) => {
                    let launch = at.saturating_sub(exact.boot_ms);
                    account.launches += u64::from(instances);
                    // What ends earlier is taken off again at its end.
                    account.paid_ms += u64::from(instances) * (exact.end_ms - launch);
                    launched.push_back((launch, instances));
                }
                Step::Fall(instances) => {
                    account.terminations += u64::from(instances);
                    let gone = (at + exact.drain_ms).min(exact.end_ms);
                    let old = instances.min(from_start);
                    from_start -= old;
                    // Those of the start are paid in full below.
                    account.paid_ms += u64::from(old) * gone;
                    let mut left = instances - old;
                    while left > 0 {
                        let Some((launch, here)) = launched.front_mut() else {
                            break;
                        };
                        let ended = left.min(*here);
                        let least = (*launch + exact.minimum_billing_ms).min(exact.end_ms);
                        let paid_to = gone.max(least);
                        account.paid_ms -= u64::from(ended) * (exact.end_ms - paid_to);
                        account.beyond_life_ms += u64::from(ended) * (paid_to - gone);
                        *here -= ended;
                        left -= ended;
                        if *here == 0 {
                            launched.pop_front();
                        }
                    }
                }
            }
        }
        account.paid_ms += u64::from(from_start) * exact.end_ms;
        account.missing_ms = missing(exact, path);
        account
    }
}

fn missing(exact: &Exact<'_>, path: &Path) -> u64 {
    let moments = path.moments();
    let mut next = 0;
    let mut serving = exact.start;
    let mut missing = 0;
    for stretch in exact.stretches() {
        let mut from = stretch.from_ms;
        while from < stretch.to_ms {
            while let Some(moment) = moments.get(next)
                && moment.at_ms <= from
            {
                serving = moment.serving;
                next += 1;
            }
            let to = moments
                .get(next)
                .map_or(stretch.to_ms, |moment| moment.at_ms.min(stretch.to_ms));
            missing += u64::from(stretch.demand)
                .saturating_sub(u64::from(serving) * u64::from(exact.weight))
                * (to - from);
            from = to;
        }
    }
    missing
}
