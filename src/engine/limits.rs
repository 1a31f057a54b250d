//! Floor and ceiling: what the number is brought between at once, without asking a metric.

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
            Some(Ok(compiled)) => {
                if compiled.open_at(moment.now).is_some() {
                    if let Some(min) = schedule.min {
                        bounds.raise(min.get(), By::Schedule(place));
                    }
                    if let Some(max) = schedule.max {
                        bounds.lower(max.get(), By::Schedule(place));
                    }
                }
            }
            Some(Err(problem)) => sink.say(|| Reason::ScheduleUnusable {
                schedule: schedule.name.clone(),
                problem: problem.clone(),
            }),
            None => {}
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
                before,
                after,
            },
            std::cmp::Ordering::Less => Reason::LoweredToCeiling {
                bound: named(moment, bounds.ceiling_by),
                before,
                after,
            },
            std::cmp::Ordering::Equal => Reason::WithinLimits {
                floor: Capacity(bounds.floor),
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
