//! Cooldowns: for a while after a change no move in a direction.

use std::time::Duration;

use tideform_policies::model::{Capacity, Direction};

use super::actions::Action;
use super::memory::Memory;
use super::moment::{Moment, Sink};
use super::reason::Reason;
use super::time::{is_within, later};

/// Holds a move whose direction is cooling. Only tideform's own accepted changes count; a scale-in also waits its
/// cooldown after a scale-out.
pub(super) fn hold(moment: &Moment<'_>, number: u32, memory: &Memory, sink: &mut impl Sink) -> u32 {
    let current = moment.current;
    let direction = Direction::between(Capacity(current), Capacity(number));
    let Some((action, cooldown)) = cooling(moment, direction, memory) else {
        return number;
    };
    sink.say(|| Reason::InCooldown {
        direction,
        after_direction: action.direction(),
        changed_at: action.at,
        until: later(action.at, cooldown),
        before: Capacity(number),
        after: Capacity(current),
    });
    current
}

/// The change after which this direction is cooling, and for how long.
fn cooling<'m>(
    moment: &Moment<'_>,
    direction: Direction,
    memory: &'m Memory,
) -> Option<(&'m Action, Duration)> {
    let (cooldown, counts): (_, fn(Direction) -> bool) = match direction {
        Direction::Hold => return None,
        Direction::Out => (moment.policy.scale_out.cooldown, |of| of == Direction::Out),
        Direction::In => (moment.policy.scale_in.cooldown, |of| of != Direction::Hold),
    };
    let action = memory
        .actions
        .iter()
        .rev()
        .find(|action| action.is_by_tideform() && counts(action.direction()))?;
    is_within(moment.now, action.at, cooldown).then_some((action, cooldown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{at, check_decisions, cpu_rules, decided, limits, mins, seen};

    #[test]
    fn cooldown_holds_scale_in_and_lets_scale_out_through() {
        let rules = cpu_rules(|policy| {
            policy.limits = limits(2, 10);
            policy.scale_in.cooldown = mins(5);
        });
        check_decisions(
            &rules,
            8,
            "| at | cpu | desired | kinds        |
             | 0  | 30  | 4       | !in_cooldown |
             | 1  | 30  | 4       | in_cooldown  |
             | 2  | 90  | 6       | !in_cooldown |
             | 4  | 60  | 6       |              |
             | 6  | 30  | 6       | in_cooldown  |
             | 7  | 30  | 3       | !in_cooldown |",
        );
    }

    #[test]
    fn scale_out_waits_only_for_scale_out() {
        let rules = cpu_rules(|policy| policy.scale_out.cooldown = mins(2));
        check_decisions(
            &rules,
            4,
            "| at | cpu | desired | kinds        |
             | 0  | 30  | 2       |              |
             | 0.5| 90  | 3       | !in_cooldown |
             | 1  | 90  | 3       | in_cooldown  |
             | 2.5| 90  | 5       | !in_cooldown |",
        );
    }

    #[test]
    fn changes_by_others_start_no_cooldown() {
        let rules = cpu_rules(|policy| policy.scale_in.cooldown = mins(5));
        for (by, desired) in [("tideform", 6), ("console", 3)] {
            let mut memory = Memory::default();
            memory.record(Action {
                at: at(-1.0),
                from: Capacity(4),
                to: Capacity(6),
                by: by.into(),
            });
            let decision = decided(
                &rules,
                &seen(6, &[("cpu", 30.0)], at(0.0)),
                &memory,
                at(0.0),
            );
            assert_eq!(decision.desired.get(), desired, "{by}");
        }
    }

    #[test]
    fn a_clock_that_goes_back_makes_no_cooldown_longer_than_itself() {
        let rules = cpu_rules(|policy| policy.scale_in.cooldown = mins(5));
        let mut memory = Memory::default();
        memory.record(Action {
            at: at(500_000.0),
            from: Capacity(4),
            to: Capacity(6),
            by: "tideform".into(),
        });
        let first = decided(
            &rules,
            &seen(6, &[("cpu", 30.0)], at(0.0)),
            &memory,
            at(0.0),
        );
        assert!(first.has("in_cooldown"));
        assert_eq!(first.next_change, Some(at(5.0)));
        let later = decided(
            &rules,
            &seen(6, &[("cpu", 30.0)], at(5.0)),
            &first.memory,
            at(5.0),
        );
        assert_eq!(later.desired.get(), 3);
    }
}
