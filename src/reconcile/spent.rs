//! What groups with a budget have cost this month, counted on from visit to visit. Reads the state only.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tideform_policies::model::{Group, GroupAddress};
use tideform_state::{State, StateError};

use crate::cost::{LedgerRules, Timeline, Usage, month_start};
use crate::engine::Spent;

/// What groups with a budget have cost since the first of the month, UTC: what was counted at the visit before, and
/// what came since. A run that has just begun counts the whole month.
#[derive(Debug, Default)]
pub(super) struct Ledgers(BTreeMap<GroupAddress, Ledger>);

#[derive(Debug)]
struct Ledger {
    month: Timestamp,
    counted_to: Timestamp,
    spent: Usage,
}

impl Ledgers {
    pub(super) fn spent(
        &mut self,
        state: &State,
        group: &Group,
        now: Timestamp,
    ) -> Result<Option<Spent>, StateError> {
        if group.policy.budget.is_none() {
            return Ok(None);
        }
        let month = month_start(now);
        let begin = || Ledger {
            month,
            counted_to: month,
            spent: Usage::default(),
        };
        let ledger = self.0.entry(group.address.clone()).or_insert_with(begin);
        if ledger.month != month || now < ledger.counted_to {
            *ledger = begin();
        }
        let runs = state.capacity_runs(&group.address, ledger.counted_to, now)?;
        let rules = LedgerRules::for_interval(group.policy.every);
        let timeline = Timeline::new(&runs, now, rules);
        // What lies behind the last sample is counted for now only: the next one may say otherwise.
        let seen_to = runs.last().map_or(ledger.counted_to, |run| {
            run.until.clamp(ledger.counted_to, now)
        });
        ledger
            .spent
            .add(&timeline.usage(ledger.counted_to, seen_to));
        ledger.counted_to = seen_to;
        let mut spent = ledger.spent;
        spent.add(&timeline.usage(seen_to, now));
        Ok(Some(Spent {
            cost_usd: spent.cost.usd(),
        }))
    }
}
