//! Freezes and the budget: moves by metrics that are blocked for reasons outside the group.

use tideform_policies::model::{Capacity, Direction, OnExceed};

use super::moment::{Moment, Sink};
use super::reason::Reason;

/// Holds a move that a freeze blocks.
pub(super) fn freeze(moment: &Moment<'_>, number: u32, sink: &mut impl Sink) -> u32 {
    let current = moment.current;
    let direction = Direction::between(Capacity(current), Capacity(number));
    for freeze in &moment.policy.freezes {
        if freeze.start <= moment.now && moment.now < freeze.end && freeze.blocks.covers(direction)
        {
            sink.say(|| Reason::Frozen {
                freeze: freeze.name.clone(),
                until: freeze.end,
                reason: freeze.reason.clone(),
                before: Capacity(number),
                after: Capacity(current),
            });
            return current;
        }
    }
    number
}

/// Holds growth once the month's money is spent, where the policy asks for it.
pub(super) fn budget(moment: &Moment<'_>, number: u32, sink: &mut impl Sink) -> u32 {
    let current = moment.current;
    let (Some(budget), Some(spent)) = (&moment.policy.budget, moment.seen.spent) else {
        return number;
    };
    if number <= current
        || budget.on_exceed != OnExceed::BlockScaleOut
        || spent.cost_usd < budget.monthly_usd
    {
        return number;
    }
    sink.say(|| Reason::OverBudget {
        spent_usd: spent.cost_usd,
        monthly_usd: budget.monthly_usd,
        before: Capacity(number),
        after: Capacity(current),
    });
    current
}
