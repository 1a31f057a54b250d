//! The coming week of a group: when its schedules, surges and freezes are open. Pure.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tideform_policies::calendar::CompiledSchedule;
use tideform_policies::model::{Blocks, Freeze, Group, Schedule, Surge, Window};

use super::types::{CalendarEntry, CalendarKind};

/// How far the calendar looks.
pub(super) const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The windows from `now` for a week, by start.
///
/// - `surges`: those that were started, with the time that each starts at.
pub(super) fn week(
    group: &Group,
    surges: &[(&Surge, Timestamp)],
    now: Timestamp,
) -> Vec<CalendarEntry> {
    let until = now.saturating_add(WEEK).unwrap_or(Timestamp::MAX);
    let mut entries = Vec::new();
    for schedule in &group.policy.schedules {
        entries.extend(of_schedule(schedule, now, until));
    }
    for (surge, start) in surges {
        entries.extend(of_surge(surge, *start, now, until));
    }
    for freeze in &group.policy.freezes {
        entries.extend(of_freeze(freeze, now, until));
    }
    entries.sort_by(|a, b| (a.start, a.kind, &a.name).cmp(&(b.start, b.kind, &b.name)));
    entries
}

fn of_schedule(
    schedule: &Schedule,
    now: Timestamp,
    until: Timestamp,
) -> impl Iterator<Item = CalendarEntry> {
    let zone = match &schedule.when {
        Window::Recurring { timezone, .. } => Some(timezone.as_str()),
        Window::Once { timezone, .. } => timezone.as_deref(),
    }
    .unwrap_or("UTC");
    // A schedule from an old state may name a zone that is no more; `reconcile` reports it.
    let windows: Vec<_> = CompiledSchedule::new(schedule)
        .map(|compiled| {
            compiled
                .windows(now, until)
                .filter(|window| window.end > now)
                .collect()
        })
        .unwrap_or_default();
    windows.into_iter().map(move |window| CalendarEntry {
        min: schedule.min.map(|n| n.get()),
        max: schedule.max.map(|n| n.get()),
        ..entry(
            CalendarKind::Schedule,
            &schedule.name,
            (window.start, window.end),
            zone,
        )
    })
}

fn of_surge(
    surge: &Surge,
    start: Timestamp,
    now: Timestamp,
    until: Timestamp,
) -> Option<CalendarEntry> {
    let opens = start.checked_sub(signed(surge.lead)).ok()?;
    let closes = start.checked_add(signed(surge.duration)).ok()?;
    (closes > now && opens < until).then(|| CalendarEntry {
        min: Some(surge.min.get()),
        ..entry(CalendarKind::Surge, &surge.name, (opens, closes), "UTC")
    })
}

fn of_freeze(freeze: &Freeze, now: Timestamp, until: Timestamp) -> Option<CalendarEntry> {
    (freeze.end > now && freeze.start < until).then(|| {
        let blocks = match freeze.blocks {
            Blocks::ScaleIn => "no scale in",
            Blocks::ScaleOut => "no scale out",
            Blocks::All => "no scaling",
        };
        CalendarEntry {
            note: Some(match &freeze.reason {
                Some(reason) => format!("{blocks}: {reason}"),
                None => blocks.to_owned(),
            }),
            ..entry(
                CalendarKind::Freeze,
                &freeze.name,
                (freeze.start, freeze.end),
                "UTC",
            )
        }
    })
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

fn entry(
    kind: CalendarKind,
    name: &str,
    (start, end): (Timestamp, Timestamp),
    zone: &str,
) -> CalendarEntry {
    let in_zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let local = |time: Timestamp| {
        time.to_zoned(in_zone.clone())
            .strftime("%a %Y-%m-%d %H:%M")
            .to_string()
    };
    CalendarEntry {
        kind,
        name: name.to_owned(),
        start,
        end,
        timezone: zone.to_owned(),
        local_start: local(start),
        local_end: local(end),
        min: None,
        max: None,
        note: None,
    }
}

#[cfg(test)]
mod tests {
    use tideform_policies::model::Capacity;

    use super::super::fixtures;
    use super::*;

    fn office() -> Group {
        let mut group = fixtures::plain("web");
        group.policy.schedules = vec![Schedule {
            name: "office".into(),
            when: Window::Recurring {
                cron: "0 8 * * MON-FRI".into(),
                timezone: "Europe/Berlin".into(),
                duration: Duration::from_secs(10 * 3600),
                except: Vec::new(),
            },
            min: Some(Capacity(6)),
            max: None,
        }];
        group
    }

    #[test]
    fn the_week_shows_local_times_across_a_clock_change() {
        // Clocks in Berlin go back on Sunday, 2026-10-25.
        let now: Timestamp = "2026-10-23T12:00:00Z".parse().unwrap();
        let shown: Vec<String> = week(&office(), &[], now)
            .iter()
            .map(|e| format!("{} {} {}", e.start, e.local_start, e.local_end))
            .collect();
        assert_eq!(
            shown[..2],
            [
                // Open now: it began before.
                "2026-10-23T06:00:00Z Fri 2026-10-23 08:00 Fri 2026-10-23 18:00",
                "2026-10-26T07:00:00Z Mon 2026-10-26 08:00 Mon 2026-10-26 18:00",
            ]
        );
        assert_eq!(shown.len(), 6);
    }

    #[test]
    fn a_started_surge_and_a_freeze_stand_beside_schedules_by_time() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let mut group = fixtures::plain("web");
        group.policy.freezes = vec![Freeze {
            name: "release".into(),
            start: "2026-11-22T00:00:00Z".parse().unwrap(),
            end: "2026-11-23T00:00:00Z".parse().unwrap(),
            blocks: Blocks::ScaleIn,
            reason: Some("launch".into()),
        }];
        let surge = Surge {
            name: "campaign".into(),
            min: Capacity(20),
            lead: Duration::from_secs(1800),
            duration: Duration::from_secs(7200),
        };
        let entries = week(
            &group,
            &[(&surge, "2026-11-21T18:00:00Z".parse().unwrap())],
            now,
        );
        let shown: Vec<_> = entries
            .iter()
            .map(|e| (e.kind, e.local_start.as_str(), e.min, e.note.as_deref()))
            .collect();
        assert_eq!(
            shown,
            [
                (CalendarKind::Surge, "Sat 2026-11-21 17:30", Some(20), None),
                (
                    CalendarKind::Freeze,
                    "Sun 2026-11-22 00:00",
                    None,
                    Some("no scale in: launch")
                ),
            ]
        );
    }

    #[test]
    fn what_is_over_or_further_than_a_week_is_left_out() {
        let mut group = office();
        group.policy.schedules[0].when = Window::Once {
            start: "2026-11-20T00:00:00Z".parse().unwrap(),
            end: "2026-11-21T00:00:00Z".parse().unwrap(),
            timezone: None,
        };
        for now in ["2026-11-21T00:00:00Z", "2026-11-12T00:00:00Z"] {
            assert!(week(&group, &[], now.parse().unwrap()).is_empty(), "{now}");
        }
    }
}
