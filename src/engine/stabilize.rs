//! Stabilization: of the recommendations in the look-back, the one that moves least.
//!
//! Source: Kubernetes HorizontalPodAutoscaler, `behavior`. A move held back never becomes one the other way.

use tideform_policies::model::{Capacity, Direction};

use super::memory::Memory;
use super::moment::{Moment, Sink};
use super::reason::Reason;
use super::recommendations::Recommendation;

/// Holds the number inside the band of what was recommended lately, and logs it.
#[inline]
pub(super) fn stabilize(
    moment: &Moment<'_>,
    number: u32,
    memory: &mut Memory,
    sink: &mut impl Sink,
) -> u32 {
    let (now, current) = (moment.now, moment.current);
    if memory.recommendations.is_empty() {
        // Seen for the first time: what is there counts as recommended.
        memory.log(now, Capacity(current));
    }
    if number == current {
        // No look-back makes a move of it.
        memory.log(now, Capacity(number));
        return number;
    }
    let window_out = moment.policy.scale_out.stabilization;
    let window_in = moment.policy.scale_in.stabilization;
    let this = Recommendation {
        at: now,
        desired: Capacity(number),
    };
    let remembered = &memory.recommendations;
    let lowest = match remembered.lowest(now, window_out) {
        Some(low) if low.desired < this.desired => low,
        Some(_) | None => this,
    };
    let highest = match remembered.highest(now, window_in) {
        Some(high) if high.desired >= this.desired => high,
        Some(_) | None => this,
    };
    let raised = current.max(lowest.desired.get());
    let kept = raised.min(highest.desired.get());
    memory.log(now, Capacity(number));
    if kept != number {
        let direction = Direction::between(Capacity(current), Capacity(number));
        let (window, by) = match direction {
            Direction::In => (window_in, highest),
            Direction::Hold | Direction::Out => (window_out, lowest),
        };
        sink.say(|| Reason::Stabilized {
            direction,
            window,
            recommended_at: by.at,
            before: Capacity(number),
            after: Capacity(kept),
        });
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testing::{at, check_decisions, cpu_rules, mins, seen};
    use crate::engine::{Rules, decide};

    fn windows(out: u64, r#in: u64) -> Rules {
        cpu_rules(|policy| {
            policy.scale_out.stabilization = mins(out);
            policy.scale_in.stabilization = mins(r#in);
        })
    }

    #[test]
    fn a_dip_between_two_peaks_removes_nothing() {
        check_decisions(
            &windows(0, 5),
            6,
            "| at | cpu | desired | kinds       |
             | 0  | 90  | 9       | !stabilized |
             | 1  | 30  | 9       | stabilized  |
             | 4  | 30  | 9       | stabilized  |
             | 5  | 30  | 5       | !stabilized |
             | 6  | 90  | 8       | !stabilized |",
        );
    }

    #[test]
    fn of_equal_recommendations_the_newest_is_named_since_it_holds_for_longest() {
        for (list, current, cpu, next_change) in [
            // Held out by the 5 of three minutes ago, not by the one of four.
            ([(-4.0, 5), (-3.5, 9), (-3.0, 5), (-1.0, 9)], 5, 120.0, 2.0),
            // Held in by the 9 of three minutes ago.
            ([(-4.0, 9), (-3.5, 5), (-3.0, 9), (-1.0, 5)], 9, 30.0, 2.0),
        ] {
            let rules = windows(5, 5);
            let mut memory = Memory::default();
            for (minutes, desired) in list {
                memory.log(at(minutes), Capacity(desired));
            }
            let decision = decide(
                &rules,
                &seen(current, &[("cpu", cpu)], at(0.0)),
                &memory,
                at(0.0),
            );
            assert_eq!(decision.desired.get(), current, "{list:?}");
            let by = decision.reasons.iter().find_map(|reason| match reason {
                Reason::Stabilized { recommended_at, .. } => Some(*recommended_at),
                _ => None,
            });
            assert_eq!(by, Some(at(next_change - 5.0)), "{list:?}");
            assert_eq!(decision.next_change, Some(at(next_change)), "{list:?}");
        }
    }

    #[test]
    fn a_group_seen_for_the_first_time_has_its_capacity_recommended() {
        check_decisions(
            &windows(0, 5),
            6,
            "| at | cpu | desired | kinds       |
             | 0  | 30  | 6       | stabilized  |
             | 4  | 30  | 6       | stabilized  |
             | 5  | 30  | 3       | !stabilized |",
        );
    }

    #[test]
    fn a_job_that_runs_less_often_than_the_window_still_scales_in() {
        check_decisions(
            &windows(0, 5),
            8,
            "| at | cpu | desired | kinds       |
             | 0  | 60  | 8       |             |
             | 10 | 30  | 4       | !stabilized |
             | 20 | 30  | 2       | !stabilized |",
        );
    }

    #[test]
    fn the_band_of_both_windows_decides_as_in_the_hpa() {
        // From the conformance data: current, wish, log of (age in s, number), windows out and in, answer.
        for (current, wish, log, out, r#in, answer) in [
            (100, 5, vec![], 0, 0, 5),
            (100, 3, vec![(120, 4), (60, 5)], 0, 180, 5),
            (100, 3, vec![(120, 1), (60, 2)], 300, 0, 3),
            (1, 100, vec![(600, 10), (540, 9)], 0, 0, 100),
            (5, 10, vec![(240, 7), (120, 8)], 300, 600, 7),
            (5, 5, vec![(60, 5)], 300, 600, 5),
            // A move that is held back never becomes one the other way, or a larger one.
            (5, 3, vec![(60, 8)], 300, 300, 5),
            (5, 6, vec![(60, 8)], 300, 300, 6),
            (5, 8, vec![(60, 3)], 300, 300, 5),
            (5, 4, vec![(60, 3)], 300, 300, 4),
            (
                2,
                4,
                vec![(295, 2), (236, 3), (177, 19), (118, 10), (59, 3)],
                300,
                300,
                2,
            ),
            (
                10,
                8,
                vec![(540, 10), (480, 9), (420, 8), (300, 9), (60, 9)],
                0,
                600,
                10,
            ),
        ] {
            let rules = cpu_rules(|policy| {
                policy.scale_out.stabilization = std::time::Duration::from_secs(out);
                policy.scale_in.stabilization = std::time::Duration::from_secs(r#in);
            });
            let now = at(0.0);
            let mut memory = Memory::default();
            for (age, desired) in &log {
                memory.recommendations.push(Recommendation {
                    at: at(-f64::from(*age) / 60.0),
                    desired: Capacity(*desired),
                });
            }
            let seen = seen(current, &[], now);
            let moment = Moment::new(&rules, &seen, now);
            let got = stabilize(&moment, wish, &mut memory, &mut super::super::moment::Quiet);
            assert_eq!(got, answer, "{current} {wish} {log:?}");
            assert_eq!(
                memory.recommendations.last().map(|r| r.desired),
                Some(Capacity(wish))
            );
        }
    }

    #[test]
    fn what_is_remembered_is_the_wish_before_stabilization() {
        let rules = windows(0, 5);
        let decision = decide(
            &rules,
            &seen(6, &[("cpu", 30.0)], at(0.0)),
            &Memory::default(),
            at(0.0),
        );
        let wishes: Vec<u32> = decision
            .memory
            .recommendations
            .iter()
            .map(|r| r.desired.get())
            .collect();
        assert_eq!(wishes, [6, 3]);
        assert_eq!(decision.next_change, Some(at(5.0)));
    }
}
