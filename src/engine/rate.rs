//! Limits on the rate of change, and directions that are switched off.
//!
//! Source: Kubernetes HorizontalPodAutoscaler, `behavior`: the size at the start of each period is reconstructed
//! from the changes of both directions since.

use tideform_policies::model::{Capacity, Direction, Rate, RateAmount, ScaleRules, Select};

use super::memory::Memory;
use super::moment::{Moment, Sink};
use super::numbers::share_rounded_out;
use super::reason::Reason;
use super::time::is_within;

/// Cuts a move to what the rates of its direction allow.
pub(super) fn limit(
    moment: &Moment<'_>,
    number: u32,
    memory: &Memory,
    sink: &mut impl Sink,
) -> u32 {
    let current = moment.current;
    let direction = Direction::between(Capacity(current), Capacity(number));
    let rules = match direction {
        Direction::Hold => return number,
        Direction::Out => &moment.policy.scale_out,
        Direction::In => &moment.policy.scale_in,
    };
    if !rules.enabled || rules.select == Select::Disabled {
        sink.say(|| Reason::DirectionDisabled {
            direction,
            before: Capacity(number),
            after: Capacity(current),
        });
        return current;
    }
    let Some(binding) = binding(moment, rules, direction, memory) else {
        return number;
    };
    let kept = match direction {
        Direction::Out | Direction::Hold => number.min(binding.limit.max(current)),
        Direction::In => number.max(binding.limit.min(current)),
    };
    if kept != number {
        sink.say(|| Reason::RateLimited {
            direction,
            amount: binding.rate.amount,
            per: binding.rate.per,
            base: Capacity(binding.base),
            limit: Capacity(binding.limit),
            before: Capacity(number),
            after: Capacity(kept),
        });
    }
    kept
}

/// The rate that binds, and what it allows.
#[derive(Clone, Copy, Debug)]
struct Binding {
    rate: Rate,
    base: u32,
    limit: u32,
}

fn binding(
    moment: &Moment<'_>,
    rules: &ScaleRules,
    direction: Direction,
    memory: &Memory,
) -> Option<Binding> {
    let mut binding: Option<Binding> = None;
    for rate in &rules.rates {
        let base = size_before(moment, rate, memory);
        let limit = allowed(rate.amount, base, direction);
        let is_further = |than: u32| match direction {
            Direction::Out | Direction::Hold => limit > than,
            Direction::In => limit < than,
        };
        let takes = binding.is_none_or(|so_far| match rules.select {
            Select::Max | Select::Disabled => is_further(so_far.limit),
            Select::Min => !is_further(so_far.limit) && limit != so_far.limit,
        });
        if takes {
            binding = Some(Binding {
                rate: *rate,
                base,
                limit,
            });
        }
    }
    binding
}

/// The furthest capacity that a rate allows from the size at the start of its period. A percentage that allows
/// any change allows at least one.
fn allowed(amount: RateAmount, base: u32, direction: Direction) -> u32 {
    match (amount, direction) {
        (RateAmount::Count(n), Direction::Out | Direction::Hold) => base.saturating_add(n),
        (RateAmount::Count(n), Direction::In) => base.saturating_sub(n),
        (RateAmount::Share(share), Direction::Out | Direction::Hold) => {
            base.saturating_add(share_rounded_out(base, share))
        }
        (RateAmount::Share(share), Direction::In) => {
            base.saturating_sub(share_rounded_out(base, share))
        }
    }
}

fn size_before(moment: &Moment<'_>, rate: &Rate, memory: &Memory) -> u32 {
    let mut size = i64::from(moment.current);
    for action in memory.actions.iter().rev() {
        if !is_within(moment.now, action.at, rate.per) {
            break;
        }
        size += i64::from(action.from.get()) - i64::from(action.to.get());
    }
    u32::try_from(size.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tideform_policies::model::Share;

    use super::*;
    use crate::engine::testing::{at, check_decisions, cpu_rules, seen};
    use crate::engine::{Action, Rules};

    fn count(n: u32, seconds: u64) -> Rate {
        Rate {
            amount: RateAmount::Count(n),
            per: Duration::from_secs(seconds),
        }
    }

    fn share(percent: f64, seconds: u64) -> Rate {
        Rate {
            amount: RateAmount::Share(Share(percent / 100.0)),
            per: Duration::from_secs(seconds),
        }
    }

    fn limited(
        rates: Vec<Rate>,
        select: Select,
        current: u32,
        wish: u32,
        actions: &[(u64, u32, u32)],
    ) -> u32 {
        let rules: Rules = cpu_rules(|policy| {
            for rules in [&mut policy.scale_out, &mut policy.scale_in] {
                rules.rates = rates.clone();
                rules.select = select;
            }
        });
        let mut memory = Memory::default();
        for (age, from, to) in actions {
            memory.record(Action {
                at: at(-(*age as f64) / 60.0),
                from: Capacity(*from),
                to: Capacity(*to),
                by: "tideform".into(),
            });
        }
        let seen = seen(current, &[], at(0.0));
        let moment = Moment::new(&rules, &seen, at(0.0));
        limit(&moment, wish, &memory, &mut super::super::moment::Quiet)
    }

    #[test]
    fn rates_limit_as_the_hpas_policies_do() {
        use Select::{Disabled, Max, Min};
        for (rates, select, current, wish, want) in [
            (vec![count(2, 60), share(50.0, 60)], Min, 1, 9, 2),
            (vec![count(4, 60)], Max, 5, 99, 9),
            (vec![count(4, 60)], Disabled, 5, 99, 5),
            (vec![share(20.0, 60)], Max, 10, 0, 8),
            (vec![share(10.0, 60), count(5, 60)], Max, 100, 0, 90),
            (vec![count(4, 60), share(10.0, 60)], Max, 80, 0, 72),
            (vec![count(4, 60), share(10.0, 60)], Min, 80, 0, 76),
            (vec![share(900.0, 60)], Max, 1, 99, 10),
            (vec![count(1, 600)], Max, 1000, 0, 999),
            // A percentage that allows any change allows at least one.
            (vec![share(10.0, 60)], Max, 3, 9, 4),
            (vec![share(10.0, 60)], Max, 3, 0, 2),
            (vec![], Max, 3, 99, 99),
            (
                vec![count(u32::MAX, 60)],
                Max,
                u32::MAX - 1,
                u32::MAX,
                u32::MAX,
            ),
        ] {
            let got = limited(rates.clone(), select, current, wish, &[]);
            assert_eq!(got, want, "{rates:?} {select:?} from {current} to {wish}");
        }
    }

    #[test]
    fn of_several_rates_the_one_that_is_selected_binds_whatever_their_order() {
        for (rates, current, wish, furthest, nearest) in [
            (vec![count(4, 60), share(100.0, 60)], 10, 99, 20, 14),
            (vec![count(4, 60), share(100.0, 60)], 4, 99, 8, 8),
            (vec![count(4, 60), share(50.0, 60)], 10, 0, 5, 6),
        ] {
            let mut rates = rates;
            for _ in 0..2 {
                rates.reverse();
                for (select, want) in [(Select::Max, furthest), (Select::Min, nearest)] {
                    let got = limited(rates.clone(), select, current, wish, &[]);
                    assert_eq!(got, want, "{rates:?} {select:?} from {current} to {wish}");
                }
            }
        }
    }

    #[test]
    fn of_rates_that_allow_the_same_the_first_is_named() {
        // From 4 both allow 8 on the way out, and 2 on the way in.
        for cpu in [600.0, 0.0] {
            for select in [Select::Max, Select::Min] {
                let rules = cpu_rules(|policy| {
                    policy.scale_out.rates = vec![count(4, 60), share(100.0, 60)];
                    policy.scale_in.rates = vec![count(2, 60), share(50.0, 60)];
                    policy.scale_out.select = select;
                    policy.scale_in.select = select;
                });
                let seen = seen(4, &[("cpu", cpu)], at(0.0));
                let decision =
                    crate::engine::testing::decided(&rules, &seen, &Memory::default(), at(0.0));
                let amount = decision.reasons.iter().find_map(|reason| match reason {
                    Reason::RateLimited { amount, .. } => Some(*amount),
                    _ => None,
                });
                assert!(
                    matches!(amount, Some(RateAmount::Count(_))),
                    "{select:?} at {cpu}: {:?}",
                    decision.reasons
                );
            }
        }
    }

    #[test]
    fn the_next_change_is_when_the_oldest_counted_one_ceases_to_count() {
        let rules = cpu_rules(|policy| policy.scale_out.rates = vec![count(2, 600)]);
        let mut memory = Memory::default();
        for (minutes, from, to) in [(-15.0, 3, 4), (-7.0, 4, 5), (-2.0, 5, 6)] {
            memory.record(Action {
                at: at(minutes),
                from: Capacity(from),
                to: Capacity(to),
                by: "tideform".into(),
            });
        }
        let seen = seen(6, &[("cpu", 120.0)], at(0.0));
        let decision = crate::engine::testing::decided(&rules, &seen, &memory, at(0.0));
        assert_eq!(decision.desired, Capacity(6));
        assert_eq!(decision.next_change, Some(at(3.0)));
    }

    #[test]
    fn changes_of_both_directions_within_the_period_count() {
        for (current, wish, actions, want) in [
            // Four were added 30 s ago already.
            (9, 20, vec![(30, 5, 9)], 9),
            (9, 20, vec![(60, 5, 9)], 13),
            (7, 20, vec![(30, 5, 7)], 9),
            // Added and removed again: the period began at 5.
            (5, 20, vec![(40, 5, 9), (20, 9, 5)], 9),
            // The limit lies on the wrong side: a wish to grow never becomes a shrink.
            (12, 20, vec![(30, 5, 12)], 12),
            (2, 0, vec![(30, 9, 2)], 2),
            // Removed lately: the way back up is free.
            (2, 20, vec![(30, 9, 2)], 13),
        ] {
            let got = limited(vec![count(4, 60)], Select::Max, current, wish, &actions);
            assert_eq!(got, want, "{current} to {wish} after {actions:?}");
        }
    }

    #[test]
    fn a_burst_grows_by_its_rate_each_period() {
        let rules = cpu_rules(|policy| policy.scale_out.rates = vec![share(100.0, 60)]);
        check_decisions(
            &rules,
            2,
            "| at  | cpu | desired | kinds        |
             | 0   | 600 | 4       | rate_limited |
             | 0.5 | 600 | 4       | rate_limited |
             | 1   | 600 | 8       | rate_limited |
             | 2   | 61  | 8       | !rate_limited |",
        );
    }

    #[test]
    fn a_direction_that_is_switched_off_never_moves_by_metrics() {
        let rules = cpu_rules(|policy| policy.scale_in.enabled = false);
        check_decisions(
            &rules,
            6,
            "| at | cpu | desired | kinds              |
             | 0  | 30  | 6       | direction_disabled |
             | 1  | 90  | 9       | !direction_disabled |",
        );
    }
}
