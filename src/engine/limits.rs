//! Floor and ceiling: what the number is brought between at once, without asking a metric.

use jiff::Timestamp;
use tideform_policies::model::{Capacity, ForecastMode};

use super::moment::{Moment, Sink};
use super::overrides;
use super::reason::{Bound, Reason};

/// What sets a bound, as a place in the rules or the observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Limits,
    Schedule(usize),
    Surge(usize),
    Forecast,
}

/// The floor and the ceiling of a moment. Invariant: `floor <= ceiling`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) floor: u32,
    floor_by: By,
    pub(super) ceiling: u32,
    ceiling_by: By,
}

/// The bounds that hold now. Under a pin they are the limits alone.
///
/// The floor is the largest of the minimums, the ceiling the smallest of the maximums; the limits bound both, and a
/// floor wins over a schedule's ceiling.
#[inline]
pub(super) fn bounds(moment: &Moment<'_>, sink: &mut impl Sink) -> Bounds {
    let (min, max) = match moment.limits {
        Some(limits) => (limits.min().get(), limits.max().get()),
        None => (0, u32::MAX),
    };
    let mut bounds = Bounds {
        floor: min,
        floor_by: By::Limits,
        ceiling: max,
        ceiling_by: By::Limits,
    };
    if overrides::pin(moment).is_some() {
        return bounds;
    }
    for (place, schedule) in moment.policy.schedules.iter().enumerate() {
        match moment.rules.schedules.get(place) {
            Some(Ok(compiled)) if compiled.is_open_at(moment.now) => {
                if let Some(min) = schedule.min {
                    bounds.raise(min.get(), By::Schedule(place));
                }
                if let Some(max) = schedule.max {
                    bounds.lower(max.get(), By::Schedule(place));
                }
            }
            Some(Err(problem)) => sink.say(|| Reason::ScheduleUnusable {
                schedule: schedule.name.clone(),
                problem: problem.clone(),
            }),
            Some(Ok(_)) | None => {}
        }
    }
    for (place, surge) in moment.seen.overrides.surges.iter().enumerate() {
        if surge.from <= moment.now && moment.now < surge.until {
            bounds.raise(surge.min.get(), By::Surge(place));
        }
    }
    if let (Some(forecast), Some(policy)) = (moment.seen.forecast, &moment.policy.forecast) {
        match policy.mode {
            ForecastMode::Scale => bounds.raise(forecast.capacity.get(), By::Forecast),
            ForecastMode::Observe => sink.say(|| Reason::ForecastObserved {
                capacity: forecast.capacity,
                quantile: forecast.quantile,
            }),
        }
    }
    bounds.floor = bounds.floor.min(max);
    if bounds.ceiling < min {
        bounds.ceiling = min;
        bounds.ceiling_by = By::Limits;
    }
    if bounds.ceiling < bounds.floor {
        bounds.ceiling = bounds.floor;
        bounds.ceiling_by = bounds.floor_by;
    }
    bounds
}

impl Bounds {
    /// The floor and the ceiling.
    pub(super) fn ends(&self) -> (Capacity, Capacity) {
        (Capacity(self.floor), Capacity(self.ceiling))
    }

    fn raise(&mut self, floor: u32, by: By) {
        if floor > self.floor {
            self.floor = floor;
            self.floor_by = by;
        }
    }

    fn lower(&mut self, ceiling: u32, by: By) {
        if ceiling < self.ceiling {
            self.ceiling = ceiling;
            self.ceiling_by = by;
        }
    }
}

/// Brings the number between floor and ceiling, and only that far.
#[inline]
pub(super) fn clamp(
    moment: &Moment<'_>,
    bounds: &Bounds,
    number: u32,
    sink: &mut impl Sink,
) -> u32 {
    let kept = number.clamp(bounds.floor, bounds.ceiling);
    sink.say(|| {
        let (before, after) = (Capacity(number), Capacity(kept));
        match kept.cmp(&number) {
            std::cmp::Ordering::Greater => Reason::RaisedToFloor {
                bound: named(moment, bounds.floor_by),
                until: until(moment, bounds.floor_by),
                before,
                after,
            },
            std::cmp::Ordering::Less => Reason::LoweredToCeiling {
                bound: named(moment, bounds.ceiling_by),
                until: until(moment, bounds.ceiling_by),
                before,
                after,
            },
            std::cmp::Ordering::Equal => Reason::WithinLimits {
                floor: Capacity(bounds.floor),
                floor_by: named(moment, bounds.floor_by),
                floor_until: until(moment, bounds.floor_by),
                ceiling_by: named(moment, bounds.ceiling_by),
                ceiling_until: until(moment, bounds.ceiling_by),
                ceiling: (bounds.ceiling < u32::MAX).then_some(Capacity(bounds.ceiling)),
            },
        }
    });
    kept
}

fn named(moment: &Moment<'_>, by: By) -> Bound {
    match by {
        By::Limits => Bound::Limits,
        By::Forecast => Bound::Forecast,
        By::Schedule(place) => match moment.policy.schedules.get(place) {
            Some(schedule) => Bound::Schedule(schedule.name.clone()),
            None => Bound::Limits,
        },
        By::Surge(place) => match moment.seen.overrides.surges.get(place) {
            Some(surge) => Bound::Surge(surge.name.clone()),
            None => Bound::Limits,
        },
    }
}

/// When what sets a bound ends, where it does.
fn until(moment: &Moment<'_>, by: By) -> Option<Timestamp> {
    match by {
        By::Limits | By::Forecast => None,
        By::Schedule(place) => {
            let compiled = moment.rules.schedules.get(place)?.as_ref().ok()?;
            compiled.next_edge(moment.now)
        }
        By::Surge(place) => {
            let surge = moment.seen.overrides.surges.get(place)?;
            Some(surge.until)
        }
    }
}

#[cfg(test)]
mod tests {
    use tideform_policies::model::{Forecast, Schedule, Window};

    use super::*;
    use crate::engine::testing::{at, check_decisions, cpu_rules, decided, limits, mins, seen};
    use crate::engine::{ActiveSurge, Decision, ForecastFloor, Memory, Rules};

    fn schedule(name: &str, min: Option<u32>, max: Option<u32>) -> Schedule {
        Schedule {
            name: name.into(),
            when: Window::Once {
                start: at(0.0),
                end: at(60.0),
                timezone: None,
            },
            min: min.map(Capacity),
            max: max.map(Capacity),
        }
    }

    fn bounded(min: u32, max: u32, schedules: Vec<Schedule>) -> Rules {
        cpu_rules(|policy| {
            policy.limits = limits(min, max);
            policy.schedules = schedules;
        })
    }

    fn at_rest(rules: &Rules, current: u32) -> Decision {
        decided(
            rules,
            &seen(current, &[("cpu", 60.0)], at(0.0)),
            &Memory::default(),
            at(0.0),
        )
    }

    #[test]
    fn the_largest_minimum_and_the_smallest_maximum_bound_the_number() {
        for (rules, current, desired) in [
            (bounded(2, 10, vec![]), 1, 2),
            (bounded(2, 10, vec![]), 11, 10),
            (
                bounded(
                    2,
                    10,
                    vec![schedule("a", Some(6), None), schedule("b", Some(4), None)],
                ),
                3,
                6,
            ),
            (
                bounded(
                    2,
                    10,
                    vec![schedule("a", None, Some(6)), schedule("b", None, Some(4))],
                ),
                9,
                4,
            ),
            // Limits bound both.
            (bounded(2, 10, vec![schedule("a", Some(30), None)]), 3, 10),
            (bounded(2, 10, vec![schedule("a", None, Some(0))]), 3, 2),
            // A floor wins over a schedule's ceiling.
            (
                bounded(
                    2,
                    10,
                    vec![schedule("a", Some(6), None), schedule("b", None, Some(4))],
                ),
                3,
                6,
            ),
            (
                bounded(
                    2,
                    10,
                    vec![schedule("a", Some(6), None), schedule("b", None, Some(4))],
                ),
                9,
                6,
            ),
        ] {
            let decision = at_rest(&rules, current);
            assert_eq!(decision.desired.get(), desired, "{:?}", decision.reasons);
        }
    }

    #[test]
    fn of_equal_bounds_the_limits_are_named_then_the_first_schedule_then_who_lowered() {
        let both = |min, max| vec![schedule("a", min, max), schedule("b", min, max)];
        for (rules, current, expected) in [
            (bounded(6, 10, both(Some(6), None)), 3, Bound::Limits),
            (
                bounded(2, 10, both(Some(6), None)),
                3,
                Bound::Schedule("a".into()),
            ),
            (bounded(2, 6, both(None, Some(6))), 9, Bound::Limits),
            (
                bounded(2, 10, both(None, Some(6))),
                9,
                Bound::Schedule("a".into()),
            ),
            // A ceiling at the smallest limit, or at a floor, is its schedule's; one below is not reached.
            (
                bounded(2, 10, both(None, Some(2))),
                9,
                Bound::Schedule("a".into()),
            ),
            (bounded(2, 10, both(None, Some(1))), 9, Bound::Limits),
            (
                bounded(
                    2,
                    10,
                    vec![schedule("a", Some(6), None), schedule("b", None, Some(6))],
                ),
                9,
                Bound::Schedule("b".into()),
            ),
            (
                bounded(
                    2,
                    10,
                    vec![schedule("a", Some(6), None), schedule("b", None, Some(4))],
                ),
                9,
                Bound::Schedule("a".into()),
            ),
        ] {
            let decision = at_rest(&rules, current);
            let named = decision.reasons.iter().find_map(|reason| match reason {
                Reason::RaisedToFloor { bound, .. } | Reason::LoweredToCeiling { bound, .. } => {
                    Some(bound)
                }
                _ => None,
            });
            assert_eq!(named, Some(&expected), "{:?}", decision.reasons);
        }
    }

    #[test]
    fn a_group_without_limits_has_no_ceiling_to_speak_of() {
        for (limits, ceiling) in [(None, None), (limits(0, 9), Some(Capacity(9)))] {
            let rules = cpu_rules(|policy| policy.limits = limits);
            let decision = at_rest(&rules, 3);
            let expected = Reason::WithinLimits {
                floor: Capacity(0),
                floor_by: Bound::Limits,
                floor_until: None,
                ceiling,
                ceiling_by: Bound::Limits,
                ceiling_until: None,
            };
            assert!(
                decision.reasons.contains(&expected),
                "{:?}",
                decision.reasons
            );
        }
    }

    #[test]
    fn a_floor_is_reached_at_once_without_metrics_and_only_that_far() {
        let rules = cpu_rules(|policy| {
            policy.limits = limits(2, 20);
            policy.schedules = vec![schedule("office", Some(6), None)];
            policy.scale_out.enabled = false;
            policy.scale_in.cooldown = mins(10);
            policy.scale_in.stabilization = mins(5);
        });
        let decision = decided(&rules, &seen(3, &[], at(0.0)), &Memory::default(), at(0.0));
        assert_eq!(decision.desired.get(), 6);
        assert!(decision.reasons.iter().any(|reason| matches!(
            reason,
            Reason::RaisedToFloor { bound: Bound::Schedule(name), before: Capacity(3), after: Capacity(6), until: Some(_) } if &**name == "office"
        )));
        // When the window closes the number falls by the metrics, with all that holds them.
        check_decisions(
            &rules,
            3,
            "| at  | cpu | desired | kinds           |
             | 0   | 60  | 6       | raised_to_floor |
             | 59  | 30  | 6       | raised_to_floor |
             | 60  | 30  | 3       | within_limits   |",
        );
    }

    #[test]
    fn without_limits_of_its_own_the_live_ones_hold() {
        let rules = cpu_rules(|policy| policy.limits = None);
        let mut seen = seen(6, &[("cpu", 600.0)], at(0.0));
        seen.limits = limits(1, 8);
        assert_eq!(
            decided(&rules, &seen, &Memory::default(), at(0.0))
                .desired
                .get(),
            8
        );
        seen.limits = None;
        assert_eq!(
            decided(&rules, &seen, &Memory::default(), at(0.0))
                .desired
                .get(),
            60
        );
    }

    #[test]
    fn surges_and_the_forecast_are_floors_while_they_last() {
        let rules = cpu_rules(|policy| {
            policy.limits = limits(2, 20);
            policy.forecast = Some(Forecast {
                metric: "cpu".into(),
                per_instance: 1.0,
                model: "auto".to_owned(),
                quantile: 0.9,
                lead: mins(10),
                history: mins(100),
                mode: ForecastMode::Scale,
            });
        });
        let mut seen = seen(3, &[("cpu", 60.0)], at(0.0));
        seen.overrides.surges.push(ActiveSurge {
            name: "campaign".into(),
            min: Capacity(12),
            from: at(0.0),
            until: at(1.0),
        });
        seen.forecast = Some(ForecastFloor {
            capacity: Capacity(9),
            quantile: 0.9,
            at: at(10.0),
        });
        let bound = |decision: &Decision| {
            decision.reasons.iter().find_map(|reason| match reason {
                Reason::RaisedToFloor { bound, after, .. } => Some((bound.clone(), after.get())),
                _ => None,
            })
        };
        let first = decided(&rules, &seen, &Memory::default(), at(0.0));
        assert_eq!(bound(&first), Some((Bound::Surge("campaign".into()), 12)));
        assert_eq!(first.next_change, Some(at(1.0)));
        let second = decided(&rules, &seen, &Memory::default(), at(1.0));
        assert_eq!(bound(&second), Some((Bound::Forecast, 9)));

        let observing = cpu_rules(|policy| {
            policy.forecast = rules.group().policy.forecast.clone();
            if let Some(forecast) = &mut policy.forecast {
                forecast.mode = ForecastMode::Observe;
            }
        });
        let third = decided(&observing, &seen, &Memory::default(), at(1.0));
        assert_eq!(third.desired.get(), 3);
        assert!(third.has("forecast_observed"));
    }

    #[test]
    fn a_schedules_floor_rises_at_its_hour_on_both_sides_of_a_clock_change() {
        let rules = cpu_rules(|policy| {
            policy.schedules.push(Schedule {
                name: "office".into(),
                when: Window::Recurring {
                    cron: "0 8 * * *".to_owned(),
                    timezone: "Europe/Berlin".to_owned(),
                    duration: mins(600),
                    except: vec![],
                },
                min: Some(Capacity(6)),
                max: None,
            });
        });
        for (now, desired) in [
            ("2026-03-28T06:59:59Z", 3),
            ("2026-03-28T07:00:00Z", 6),
            ("2026-03-29T05:59:59Z", 3),
            ("2026-03-29T06:00:00Z", 6),
            ("2026-10-24T06:00:00Z", 6),
            ("2026-10-25T06:59:59Z", 3),
            ("2026-10-25T07:00:00Z", 6),
        ] {
            let now = now.parse().expect("a time");
            let decision = decided(
                &rules,
                &seen(3, &[("cpu", 60.0)], now),
                &Memory::default(),
                now,
            );
            assert_eq!(decision.desired.get(), desired, "{now}");
        }
    }

    #[test]
    fn a_schedule_that_cannot_be_computed_is_closed_and_says_so() {
        let rules = bounded(
            0,
            10,
            vec![Schedule {
                when: Window::Recurring {
                    cron: "0 8 * * *".to_owned(),
                    timezone: "Mars/Olympus".to_owned(),
                    duration: mins(60),
                    except: vec![],
                },
                ..schedule("old", Some(9), None)
            }],
        );
        let decision = at_rest(&rules, 3);
        assert_eq!(decision.desired.get(), 3);
        assert!(decision.has("schedule_unusable"));
    }
}
