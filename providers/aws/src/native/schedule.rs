//! Windows as scheduled actions: all schedules and surges together, since an action writes plain numbers. Pure.
//!
//! At each edge an action writes the smallest and largest capacity that hold from then on. Where windows never meet,
//! each recurring one is two actions by cron; else, and for what no cron can say, the coming edges become dated
//! actions, which the loop renews.

use jiff::{SignedDuration, Timestamp};
use tideform_policies::calendar::CompiledSchedule;
use tideform_policies::model::{Group, Limits, Name, Schedule, Surge, Window};
use tideform_provider::Unsupported;

use super::compile::Compiled;
use super::model::{Native, Scheduled};

/// How far ahead windows are looked at: four of every weekday and both clock changes' neighbors.
const HORIZON: SignedDuration = SignedDuration::from_hours(35 * 24);
/// Dated actions made ahead. Source: Amazon EC2 Auto Scaling quotas, 125 scheduled actions a group.
const DATED: usize = 60;

/// Everything that moves the limits by time.
struct Windows<'a> {
    limits: Limits,
    schedules: Vec<(&'a Schedule, CompiledSchedule)>,
    /// Started surges: floor, from, until.
    surges: Vec<(u32, Timestamp, Timestamp)>,
}

/// The scheduled actions of a group.
///
/// # Errors
/// What cannot be said: windows of a group without limits.
pub(super) fn actions(
    group: &Group,
    surges: &[(Name, Timestamp)],
    now: Timestamp,
) -> Result<Vec<Compiled>, Vec<Unsupported>> {
    if group.policy.schedules.is_empty() && surges.is_empty() {
        return Ok(Vec::new());
    }
    let Some(windows) = Windows::of(group, surges) else {
        return Err(vec![Unsupported {
            path: "schedule".to_owned(),
            what: "AWS's scheduled actions write both limits, and this group has none".to_owned(),
            help: "Write `limits { min = ..., max = ... }`.".to_owned(),
        }]);
    };
    if let Some(recurring) = windows.by_cron(now) {
        return Ok(recurring);
    }
    Ok(windows.dated(now))
}

impl<'a> Windows<'a> {
    fn of(group: &'a Group, started: &[(Name, Timestamp)]) -> Option<Windows<'a>> {
        let limits = group.policy.limits?;
        let schedules = group
            .policy
            .schedules
            .iter()
            .filter_map(|schedule| Some((schedule, CompiledSchedule::new(schedule).ok()?)))
            .collect();
        let surges = started
            .iter()
            .filter_map(|(name, at)| {
                let surge: &Surge = group
                    .policy
                    .surges
                    .iter()
                    .find(|surge| surge.name == *name)?;
                let lead = SignedDuration::try_from(surge.lead).ok()?;
                let duration = SignedDuration::try_from(surge.duration).ok()?;
                Some((
                    surge.min.get(),
                    at.checked_sub(lead).ok()?,
                    at.checked_add(duration).ok()?,
                ))
            })
            .collect();
        Some(Windows {
            limits,
            schedules,
            surges,
        })
    }

    /// The limits that hold at a time. A floor wins over a schedule's ceiling; the group's limits bound both.
    fn at(&self, time: Timestamp) -> (u32, u32) {
        let (least, most) = (self.limits.min().get(), self.limits.max().get());
        let open = || {
            self.schedules
                .iter()
                .filter(|(_, compiled)| compiled.open_at(time).is_some())
                .map(|(schedule, _)| *schedule)
        };
        let floor = open()
            .filter_map(|schedule| schedule.min)
            .map(|min| min.get())
            .chain(
                self.surges
                    .iter()
                    .filter(|(_, from, until)| *from <= time && time < *until)
                    .map(|(min, _, _)| *min),
            )
            .fold(least, u32::max)
            .min(most);
        let ceiling = open()
            .filter_map(|schedule| schedule.max)
            .map(|max| max.get())
            .fold(most, u32::min)
            .max(least);
        (floor, ceiling.max(floor))
    }

    /// Two actions a schedule, where all recur by a cron that can be moved and none ever meets another.
    fn by_cron(&self, now: Timestamp) -> Option<Vec<Compiled>> {
        if !self.surges.is_empty() {
            return None;
        }
        let until = now.checked_add(HORIZON).ok()?;
        let mut spans: Vec<(Timestamp, Timestamp)> = Vec::new();
        let mut actions = Vec::new();
        let outside = (self.limits.min().get(), self.limits.max().get());
        for (schedule, compiled) in &self.schedules {
            let Window::Recurring {
                cron,
                timezone,
                duration,
                except,
            } = &schedule.when
            else {
                return None;
            };
            if !except.is_empty() || duration.as_secs() % 60 != 0 {
                return None;
            }
            let closing = moved(cron, duration.as_secs() / 60)?;
            spans.extend(
                compiled
                    .windows(now, until)
                    .map(|window| (window.start, window.end)),
            );
            let inside = Windows {
                limits: self.limits,
                schedules: vec![(*schedule, CompiledSchedule::new(schedule).ok()?)],
                surges: Vec::new(),
            };
            let first = compiled.windows(now, Timestamp::MAX).next()?;
            for (edge, cron, (min, max)) in [
                ("open", cron.clone(), inside.at(first.start)),
                ("close", closing, outside),
            ] {
                actions.push(action(
                    format!("{}-{edge}", schedule.name),
                    format!("schedule.{}", schedule.name),
                    Scheduled {
                        cron: Some(cron),
                        timezone: Some(timezone.clone()),
                        at: None,
                        min: number(min),
                        max: number(max),
                    },
                ));
            }
        }
        spans.sort();
        let meet = spans.windows(2).any(|pair| pair[0].1 >= pair[1].0);
        (!meet).then_some(actions)
    }

    /// The coming edges, each with what holds from then on.
    fn dated(&self, now: Timestamp) -> Vec<Compiled> {
        let until = now.checked_add(HORIZON).unwrap_or(Timestamp::MAX);
        let mut edges: Vec<Timestamp> = self
            .schedules
            .iter()
            .flat_map(|(_, compiled)| compiled.windows(now, until))
            .flat_map(|window| [window.start, window.end])
            .chain(
                self.surges
                    .iter()
                    .flat_map(|(_, from, until)| [*from, *until]),
            )
            .filter(|edge| *edge > now)
            .collect();
        edges.sort();
        edges.dedup();
        let mut holds = self.at(now);
        let mut actions = Vec::new();
        for edge in edges {
            let next = self.at(edge);
            if next == holds {
                continue;
            }
            holds = next;
            actions.push(action(
                format!("window-{}", edge.strftime("%Y%m%dT%H%M%SZ")),
                "schedule".to_owned(),
                Scheduled {
                    cron: None,
                    timezone: None,
                    at: Some(edge),
                    min: number(next.0),
                    max: number(next.1),
                },
            ));
            if actions.len() == DATED {
                break;
            }
        }
        actions
    }
}

fn action(block: String, path: String, scheduled: Scheduled) -> Compiled {
    Compiled {
        block,
        path,
        native: Native::Scheduled(scheduled),
    }
}

fn number(capacity: u32) -> i32 {
    i32::try_from(capacity).unwrap_or(i32::MAX)
}

/// A cron expression so many minutes later, where that is one: minute and hour are single numbers, and if it ends on
/// another day, only weekdays choose the days.
fn moved(cron: &str, minutes: u64) -> Option<String> {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let [minute, hour, day, month, weekdays] = fields.as_slice() else {
        return None;
    };
    let start = hour.parse::<u64>().ok()? * 60 + minute.parse::<u64>().ok()?;
    let end = start + minutes;
    let (days, rest) = (end / 1440, end % 1440);
    let weekdays = match (*weekdays, days % 7) {
        (same, 0) if days == 0 => same.to_owned(),
        ("*", _) if *day == "*" && *month == "*" => "*".to_owned(),
        (list, shift) if *day == "*" && *month == "*" => later(list, shift)?,
        _ => return None,
    };
    Some(format!(
        "{} {} {day} {month} {weekdays}",
        rest % 60,
        rest / 60
    ))
}

/// Weekdays so many days later, as numbers: `MON-FRI` a day later is `2,3,4,5,6`.
fn later(list: &str, shift: u64) -> Option<String> {
    const NAMES: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    let number = |text: &str| -> Option<u64> {
        let upper = text.to_ascii_uppercase();
        match NAMES.iter().position(|name| *name == upper) {
            Some(day) => Some(day as u64),
            None => text
                .parse::<u64>()
                .ok()
                .filter(|day| *day <= 7)
                .map(|day| day % 7),
        }
    };
    let mut days: Vec<u64> = Vec::new();
    for item in list.split(',') {
        match item.split_once('-') {
            Some((first, last)) => {
                let (first, last) = (number(first)?, number(last)?);
                let last = if last < first { last + 7 } else { last };
                days.extend(first..=last);
            }
            None => days.push(number(item)?),
        }
    }
    let mut days: Vec<u64> = days.into_iter().map(|day| (day + shift) % 7).collect();
    days.sort_unstable();
    days.dedup();
    Some(
        days.iter()
            .map(u64::to_string)
            .collect::<Vec<_>>()
            .join(","),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cron_is_moved_where_it_stays_one() {
        for (cron, minutes, to) in [
            ("0 8 * * MON-FRI", 600, Some("0 18 * * MON-FRI")),
            ("30 22 * * *", 120, Some("30 0 * * *")),
            ("0 22 * * MON-FRI", 600, Some("0 8 * * 2,3,4,5,6")),
            ("0 22 * * SAT", 600, Some("0 8 * * 0")),
            ("0 22 * * 5-7", 180, Some("0 1 * * 0,1,6")),
            ("0 8 1 * *", 60, Some("0 9 1 * *")),
            ("0 23 1 * *", 120, None),
            ("*/5 8 * * *", 60, None),
            ("0 8,20 * * *", 60, None),
        ] {
            assert_eq!(moved(cron, minutes).as_deref(), to, "{cron} + {minutes}");
        }
    }
}
