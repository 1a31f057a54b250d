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

#[cfg(test)]
mod tests {
    use tideform_policies::model::{Blocks, Budget, Freeze};

    use super::*;
    use crate::engine::testing::{at, check_decisions, cpu_rules, decided, seen};
    use crate::engine::{Memory, Spent};

    #[test]
    fn a_freeze_blocks_from_its_start_up_to_its_end() {
        let rules = cpu_rules(|policy| {
            policy.freezes.push(Freeze {
                name: "release".into(),
                start: at(1.0),
                end: at(3.0),
                blocks: Blocks::ScaleIn,
                reason: Some("launch".to_owned()),
            });
        });
        check_decisions(
            &rules,
            16,
            "| at | cpu | desired | kinds   |
             | 0  | 30  | 8       | !frozen |
             | 1  | 30  | 8       | frozen  |
             | 2  | 90  | 12      | !frozen |
             | 2.9| 30  | 12      | frozen  |
             | 3  | 30  | 6       | !frozen |",
        );
    }

    #[test]
    fn a_budget_blocks_growth_only_where_it_says_so() {
        for (on_exceed, spent, cpu, desired) in [
            (OnExceed::BlockScaleOut, Some(100.0), 90.0, 6),
            (OnExceed::BlockScaleOut, Some(99.99), 90.0, 9),
            (OnExceed::BlockScaleOut, Some(500.0), 30.0, 3),
            (OnExceed::BlockScaleOut, None, 90.0, 9),
            (OnExceed::Warn, Some(500.0), 90.0, 9),
        ] {
            let rules = cpu_rules(|policy| {
                policy.budget = Some(Budget {
                    monthly_usd: 100.0,
                    alert: vec![],
                    on_exceed,
                });
            });
            let mut seen = seen(6, &[("cpu", cpu)], at(0.0));
            seen.spent = spent.map(|cost_usd| Spent { cost_usd });
            let decision = decided(&rules, &seen, &Memory::default(), at(0.0));
            assert_eq!(
                decision.desired.get(),
                desired,
                "{on_exceed:?} {spent:?} {cpu}"
            );
        }
    }
}
