//! Windows as scheduled actions: all schedules, surges and a pin together, since an action writes plain numbers. Pure.
//!
//! At each edge an action writes the smallest and largest capacity that hold from then on. Where windows never meet,
//! each recurring one is two actions by cron; else, and for what no cron can say, the coming edges become dated
//! actions, which the loop renews.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use tideform_policies::calendar::{Held, TimedLimits};
use tideform_policies::model::{Adopt, Group, Limits, Policy, Schedule, Window};
use tideform_provider::{ControlContext, ControlKind, LiveGroup, Unsupported, dated_block};

use super::compile::Compiled;
use super::model::{Native, Scheduled};

/// How far ahead windows are looked at to see whether they meet, and dated actions are made: to the end of a day, so
/// that there is something to renew once a day.
const HORIZON_DAYS: i64 = 35;
/// Most scheduled actions of a group. Source: Amazon EC2 Auto Scaling quotas.
const MOST: usize = 125;
/// Most dated actions made ahead: the others are left for those that follow, and for people's own.
const DATED: usize = 100;
/// With room for fewer the loop would have to come by all the time.
const LEAST: usize = 10;

/// The scheduled actions of a group.
///
/// # Errors
/// What cannot be said: windows of a group without limits, and more actions than a group may have.
pub(super) fn actions(
    group: &Group,
    context: &ControlContext<'_>,
) -> Result<Vec<Compiled>, Vec<Unsupported>> {
    let policy = &group.policy;
    let Some(path) = first_window(policy).or_else(|| {
        // A pin of a group without windows.
        (!context.held.is_empty()).then(|| "limits".to_owned())
    }) else {
        return Ok(Vec::new());
    };
    let Some(timed) = TimedLimits::new(policy, context.held) else {
        return Err(vec![Unsupported {
            path,
            what: "AWS's scheduled actions write both limits, and this group has none".to_owned(),
            help: "Write `limits { min = ..., max = ... }`.".to_owned(),
        }]);
    };
    let foreign = foreign_actions(group, context.live);
    let room = MOST.saturating_sub(foreign);
    let recurring = by_cron(policy, &timed, context);
    let needed = recurring.as_ref().map_or(LEAST, Vec::len);
    if needed > room {
        return Err(vec![Unsupported {
            path,
            what: format!(
                "a group has at most {MOST} scheduled actions, {foreign} are not tideform's, and it needs {needed}"
            ),
            help: "Take some of the others away, or use `controller = \"tideform\"`.".to_owned(),
        }]);
    }
    Ok(recurring.unwrap_or_else(|| dated(&timed, context.now, DATED.min(room))))
}

fn first_window(policy: &Policy) -> Option<String> {
    let schedule = policy.schedules.first();
    schedule
        .map(|schedule| format!("schedule.{}", schedule.name))
        .or_else(|| Some(format!("surge.{}", policy.surges.first()?.name)))
}

/// Scheduled actions that others made, and that are not adopted: those become the files' own.
fn foreign_actions(group: &Group, live: Option<&LiveGroup>) -> usize {
    let is_adopted =
        |name: &String| matches!(&group.adopt, Adopt::Named(names) if names.contains(name));
    live.into_iter()
        .flat_map(|live| &live.controls)
        .filter(|control| {
            control.kind == ControlKind::Schedule
                && !control.name.starts_with("tideform/")
                && !is_adopted(&control.name)
        })
        .count()
}

/// Two actions a schedule, where all recur by a cron that can be moved and none ever meets another.
fn by_cron(
    policy: &Policy,
    timed: &TimedLimits<'_>,
    context: &ControlContext<'_>,
) -> Option<Vec<Compiled>> {
    if !context.held.is_empty() {
        return None;
    }
    let now = context.now;
    let until = now
        .checked_add(SignedDuration::from_hours(24 * HORIZON_DAYS))
        .ok()?;
    let mut spans: Vec<(Timestamp, Timestamp)> = Vec::new();
    let mut actions = Vec::new();
    for (schedule, compiled) in timed.schedules() {
        let (cron, timezone, duration) = match &schedule.when {
            // It is over, and says nothing any more.
            Window::Once { end, .. } if *end <= now => continue,
            Window::Once { .. } => return None,
            Window::Recurring { except, .. } if !except.is_empty() => return None,
            Window::Recurring {
                cron,
                timezone,
                duration,
                ..
            } => (cron, timezone, duration),
        };
        if duration.as_secs() % 60 != 0 {
            return None;
        }
        let closing = moved(cron, duration.as_secs() / 60)?;
        // Longer than one window by more than a clock change: it meets itself.
        let longest = SignedDuration::try_from(*duration).ok()? + SignedDuration::from_hours(3);
        for window in compiled.windows(now, until) {
            if window.end.duration_since(window.start) > longest {
                return None;
            }
            spans.push((window.start, window.end));
        }
        let first = compiled.windows(now, Timestamp::MAX).next()?;
        let inside = alone(policy, schedule, first.start)?;
        for (edge, cron, limits) in [
            ("open", cron.clone(), inside),
            ("close", closing, timed.outside()),
        ] {
            actions.push(action(
                format!("{}-{edge}", schedule.name),
                format!("schedule.{}", schedule.name),
                limits,
                |min, max| Scheduled {
                    cron: Some(cron),
                    timezone: Some(timezone.clone()),
                    at: None,
                    min: Some(min),
                    max: Some(max),
                    desired: None,
                    until: None,
                },
            ));
        }
    }
    spans.sort();
    let meet = spans.windows(2).any(|pair| pair[0].1 >= pair[1].0);
    (!meet).then_some(actions)
}

/// The limits inside a window of this schedule.
fn alone(policy: &Policy, schedule: &Schedule, open: Timestamp) -> Option<Limits> {
    let policy = Policy {
        schedules: vec![schedule.clone()],
        ..policy.clone()
    };
    Some(TimedLimits::new(&policy, &Held::default())?.at(open))
}

/// The coming edges, each with what holds from then on: whole days of them, up to the horizon and up to `most`, so that
/// the list stays the same through a day but for what has acted.
fn dated(timed: &TimedLimits<'_>, now: Timestamp, most: usize) -> Vec<Compiled> {
    let zoned = now.to_zoned(TimeZone::UTC);
    let today = zoned.start_of_day().map_or(now, |day| day.timestamp());
    let day = |n: i64| {
        zoned
            .start_of_day()
            .and_then(|day| day.checked_add(n.days()))
            .map_or(Timestamp::MAX, |day| day.timestamp())
    };
    let changes = timed.changes(today, day(HORIZON_DAYS + 1));
    let until = (1..=HORIZON_DAYS + 1)
        .rev()
        .map(day)
        .find(|end| changes.iter().filter(|(at, _)| at <= end).count() <= most)
        .unwrap_or_else(|| day(1));
    timed
        .changes(now, until)
        .into_iter()
        .take(most)
        .map(|(at, limits)| {
            action(
                dated_block(at),
                "schedule".to_owned(),
                limits,
                |min, max| Scheduled {
                    cron: None,
                    timezone: None,
                    at: Some(at),
                    min: Some(min),
                    max: Some(max),
                    desired: None,
                    until: None,
                },
            )
        })
        .collect()
}

fn action(
    block: String,
    path: String,
    limits: Limits,
    scheduled: impl FnOnce(i32, i32) -> Scheduled,
) -> Compiled {
    let number = |capacity: u32| i32::try_from(capacity).unwrap_or(i32::MAX);
    let scheduled = scheduled(number(limits.min().get()), number(limits.max().get()));
    Compiled {
        block,
        path,
        native: Native::Scheduled(scheduled),
    }
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

/// A cron expression in one spelling: weekdays as numbers, single blanks.
pub(super) fn normal_cron(cron: &str) -> String {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    match fields.as_slice() {
        [rest @ .., weekdays] if rest.len() == 4 => {
            let weekdays = later(weekdays, 0).unwrap_or_else(|| (*weekdays).to_owned());
            format!("{} {weekdays}", rest.join(" "))
        }
        fields => fields.join(" "),
    }
}

/// How many minutes after one cron expression another one fires, each time the same; `None`: no fixed span.
pub(crate) fn minutes_between(open: &str, close: &str) -> Option<u64> {
    let minute_of_day = |cron: &str| -> Option<u64> {
        let mut fields = cron.split_whitespace();
        let minute: u64 = fields.next()?.parse().ok()?;
        let hour: u64 = fields.next()?.parse().ok()?;
        Some(hour * 60 + minute)
    };
    let first = (minute_of_day(close)? + 1440 - minute_of_day(open)?) % 1440;
    (0..7)
        .map(|days| first + days * 1440)
        .filter(|minutes| *minutes > 0)
        .find(|minutes| {
            moved(open, *minutes).is_some_and(|moved| normal_cron(&moved) == normal_cron(close))
        })
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
    fn the_span_between_two_crons_is_found_where_it_is_fixed() {
        for (open, close, minutes) in [
            ("0 8 * * MON-FRI", "0 18 * * 1-5", Some(600)),
            ("0 22 * * MON-FRI", "0 8 * * TUE-SAT", Some(600)),
            ("0 20 * * FRI", "0 6 * * MON", Some(58 * 60)),
            ("0 8 * * *", "0 7 * * *", Some(23 * 60)),
            ("0 8 * * MON-FRI", "0 18 * * *", None),
            ("*/5 8 * * *", "0 18 * * *", None),
        ] {
            assert_eq!(minutes_between(open, close), minutes, "{open}, {close}");
        }
    }

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
