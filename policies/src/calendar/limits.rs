//! The limits of a group by time: its windows, started surges and a pin, together. Pure.
//!
//! For a backend that knows no floor but the limits themselves: at each edge it is told what holds from then on.

use jiff::{SignedDuration, Timestamp};

use super::CompiledSchedule;
use crate::model::{Capacity, Limits, Name, Policy, Schedule};

/// A floor for a while: a started surge, its lead included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
    /// In units.
    pub min: Capacity,
    /// Included.
    pub from: Timestamp,
    /// Excluded.
    pub until: Timestamp,
}

/// What people have asked for of a group beside its files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// This capacity, until then.
    pub pin: Option<(Capacity, Timestamp)>,
    /// Started surges, also those to come.
    pub floors: Vec<Floor>,
}

impl Held {
    /// The surges of a policy that were started, each with the time that it begins at; those that the policy does not
    /// have are left out.
    pub fn surges(policy: &Policy, started: &[(Name, Timestamp)]) -> Vec<Floor> {
        let floor = |(name, at): &(Name, Timestamp)| {
            let surge = policy.surges.iter().find(|surge| surge.name == *name)?;
            let lead = SignedDuration::try_from(surge.lead).ok()?;
            let duration = SignedDuration::try_from(surge.duration).ok()?;
            Some(Floor {
                min: surge.min,
                from: at.checked_sub(lead).ok()?,
                until: at.checked_add(duration).ok()?,
            })
        };
        started.iter().filter_map(floor).collect()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.pin.is_none() && self.floors.is_empty()
    }
}

/// The limits of a group by time. All edges are whole seconds, rounded up.
#[derive(Debug)]
pub struct TimedLimits<'a> {
    limits: Limits,
    schedules: Vec<(&'a Schedule, CompiledSchedule)>,
    held: Held,
}

impl<'a> TimedLimits<'a> {
    /// `None` for a policy without limits. A schedule that cannot be computed is taken as closed.
    pub fn new(policy: &'a Policy, held: &Held) -> Option<TimedLimits<'a>> {
        Some(TimedLimits {
            limits: policy.limits?,
            schedules: policy
                .schedules
                .iter()
                .filter_map(|schedule| Some((schedule, CompiledSchedule::new(schedule).ok()?)))
                .collect(),
            held: Held {
                pin: held
                    .pin
                    .map(|(capacity, until)| (capacity, whole_second(until))),
                floors: held
                    .floors
                    .iter()
                    .map(|floor| Floor {
                        min: floor.min,
                        from: whole_second(floor.from),
                        until: whole_second(floor.until),
                    })
                    .collect(),
            },
        })
    }

    /// The limits outside of all windows.
    pub fn outside(&self) -> Limits {
        self.limits
    }

    /// The schedules, made ready.
    pub fn schedules(&self) -> impl Iterator<Item = (&'a Schedule, &CompiledSchedule)> {
        self.schedules
            .iter()
            .map(|(schedule, compiled)| (*schedule, compiled))
    }

    /// The limits that hold at a time. A floor wins over a schedule's ceiling; the policy's limits bound both. A pin is
    /// both.
    pub fn at(&self, time: Timestamp) -> Limits {
        let (least, most) = (self.limits.min(), self.limits.max());
        if let Some((capacity, until)) = self.held.pin
            && time < until
        {
            return between(capacity.clamp(least, most), capacity.clamp(least, most));
        }
        let open = || {
            self.schedules()
                .filter(|(_, compiled)| compiled.open_at(time).is_some())
                .map(|(schedule, _)| schedule)
        };
        let surges = self
            .held
            .floors
            .iter()
            .filter(|floor| floor.from <= time && time < floor.until)
            .map(|floor| floor.min);
        let floor = open()
            .filter_map(|schedule| schedule.min)
            .chain(surges)
            .fold(least, Capacity::max)
            .min(most);
        let ceiling = open()
            .filter_map(|schedule| schedule.max)
            .fold(most, Capacity::min)
            .max(floor);
        between(floor, ceiling)
    }

    /// The times after `after` and up to `until` at which the limits change, with what holds from then on.
    pub fn changes(&self, after: Timestamp, until: Timestamp) -> Vec<(Timestamp, Limits)> {
        let mut edges: Vec<Timestamp> = self
            .schedules
            .iter()
            .flat_map(|(_, compiled)| compiled.windows(after, until))
            .flat_map(|window| [window.start, window.end])
            .chain(
                self.held
                    .floors
                    .iter()
                    .flat_map(|floor| [floor.from, floor.until]),
            )
            .chain(self.held.pin.map(|(_, until)| until))
            .filter(|edge| after < *edge && *edge <= until)
            .collect();
        edges.sort();
        edges.dedup();
        let mut holds = self.at(after);
        edges
            .into_iter()
            .filter_map(|edge| {
                let next = self.at(edge);
                let is_change = next != holds;
                holds = next;
                is_change.then_some((edge, next))
            })
            .collect()
    }
}

/// `min` is never above `max` here.
fn between(min: Capacity, max: Capacity) -> Limits {
    Limits::new(min, max)
        .or_else(|| Limits::new(min, min))
        .unwrap_or_else(|| unreachable!("a number is not above itself"))
}

fn whole_second(at: Timestamp) -> Timestamp {
    if at.subsec_nanosecond() == 0 {
        return at;
    }
    let up = at.as_second().saturating_add(1);
    Timestamp::from_second(up).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Surge, Window};

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn policy() -> Policy {
        let daily = |name: &str, cron: &str, hours: u64, min: u32, max: Option<u32>| Schedule {
            name: name.into(),
            when: Window::Recurring {
                cron: cron.into(),
                timezone: "UTC".into(),
                duration: Duration::from_secs(hours * 3600),
                except: Vec::new(),
            },
            min: Some(Capacity(min)),
            max: max.map(Capacity),
        };
        let rules = serde_json::json!({
            "enabled": true, "cooldown_s": 0, "stabilization_s": 0, "select": "max", "rates": [],
            "order": "default", "order_is_set": false
        });
        let mut policy: Policy = serde_json::from_value(serde_json::json!({
            "warmup_s": 0, "warmup_is_set": false, "every_s": 60, "combine": "max", "metrics": [],
            "scale_out": rules, "scale_in": rules, "schedules": [], "surges": [], "guards": [], "freezes": [],
            "limits": { "min": 1, "max": 20 },
            "slo": { "utilization": 100.0, "objective": 99.9 }
        }))
        .expect("a policy");
        policy.schedules = vec![
            daily("office", "0 8 * * *", 10, 6, None),
            daily("noon", "0 12 * * *", 1, 9, Some(4)),
        ];
        policy.surges = vec![Surge {
            name: "launch".into(),
            min: Capacity(15),
            lead: Duration::from_secs(3600),
            duration: Duration::from_secs(7200),
        }];
        policy
    }

    #[test]
    fn windows_surges_and_a_pin_are_one_line_of_limits() {
        let policy = policy();
        let held = Held {
            pin: Some((Capacity(3), at("2026-11-20T09:00:00.2Z"))),
            floors: Held::surges(&policy, &[("launch".into(), at("2026-11-20T20:00:00Z"))]),
        };
        let timed = TimedLimits::new(&policy, &held).expect("limits");
        let now = at("2026-11-20T07:00:00Z");
        assert_eq!(timed.at(now), between(Capacity(3), Capacity(3)));
        let shown: Vec<String> = timed
            .changes(now, at("2026-11-21T00:00:00Z"))
            .into_iter()
            .map(|(at, limits)| format!("{at} {} {}", limits.min(), limits.max()))
            .collect();
        assert_eq!(
            shown,
            [
                // The window that opened during the pin holds after it.
                "2026-11-20T09:00:01Z 6 20",
                // A floor wins over a ceiling.
                "2026-11-20T12:00:00Z 9 9",
                "2026-11-20T13:00:00Z 6 20",
                "2026-11-20T18:00:00Z 1 20",
                "2026-11-20T19:00:00Z 15 20",
                "2026-11-20T22:00:00Z 1 20",
            ]
        );
    }

    #[test]
    fn a_pin_stays_between_the_limits() {
        let mut policy = policy();
        policy.schedules.clear();
        let held = Held {
            pin: Some((Capacity(99), at("2026-11-20T09:00:00Z"))),
            ..Held::default()
        };
        let timed = TimedLimits::new(&policy, &held).expect("limits");
        let now = at("2026-11-20T07:00:00Z");
        assert_eq!(timed.at(now), between(Capacity(20), Capacity(20)));
        assert_eq!(
            timed.changes(now, at("2026-12-20T00:00:00Z")),
            [(
                at("2026-11-20T09:00:00Z"),
                between(Capacity(1), Capacity(20))
            )]
        );
    }
}
