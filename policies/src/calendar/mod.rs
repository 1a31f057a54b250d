//! When schedules are open: pure functions from a schedule and a time to windows.
//!
//! A window is counted in wall-clock time of its zone: ten hours from 08:00 end at 18:00 on every day of the
//! year, also on the two days on which the clock changes. It reads no clock and does no I/O.

mod cron;
mod kept;
mod limits;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, Zoned};
use thiserror::Error;

use kept::Kept;

pub use cron::{CronError, CronExpression};
pub use limits::{Floor, Held, TimedLimits};

use crate::model::{Schedule, Window};

/// A time in which a schedule is open: from `start`, up to but not including `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OpenWindow {
    /// Included.
    pub start: Timestamp,
    /// Excluded.
    pub end: Timestamp,
}

/// Why a schedule cannot be computed. Schedules from files are checked; one from an old state may not be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CalendarError {
    /// The cron expression.
    #[error("cron `{text}` {error}")]
    Cron {
        /// As written.
        text: String,
        /// What is wrong.
        error: CronError,
    },
    /// The zone.
    #[error("unknown time zone `{0}`")]
    Timezone(String),
}

/// A schedule made ready to be asked often: its cron and its zone are parsed once, and the answer to the
/// last question is kept for as long as it holds.
///
/// Asking minute by minute costs tens of nanoseconds inside a window or between two, and some microseconds at
/// its edges. Thousands of groups with the same schedule share its parsed form and its newest answer. It can be
/// shared between threads.
#[derive(Debug)]
pub struct CompiledSchedule {
    shared: Arc<Shared>,
    /// Our own newest answer: two simulations at different times do not push each other out.
    last: Mutex<Option<Answer>>,
    /// The same, to be read without a lock.
    kept: Kept,
}

/// What all compiled schedules with the same window have in common.
#[derive(Debug)]
struct Shared {
    rule: CompiledRule,
    last: Mutex<Option<Answer>>,
    /// How far the windows around the newest question are known to follow each other without a break.
    run: Mutex<Option<Run>>,
}

/// Windows that follow each other without a break.
#[derive(Clone, Copy, Debug)]
struct Run {
    from: Timestamp,
    /// Open up to here at least.
    end: Timestamp,
    /// And no further.
    closes: bool,
}

/// How far ahead the end of windows that follow each other is looked for.
const LOOK_AHEAD: SignedDuration = SignedDuration::from_hours(8 * 24);

/// Parsed windows by what was parsed. A memo of a pure function: it changes no answer, and stays small.
static PARSED: Mutex<Option<HashMap<Window, Arc<Shared>>>> = Mutex::new(None);

/// At most so many windows are remembered.
const MOST_PARSED: usize = 1_024;

/// The value behind a lock. A poisoned lock only means that another thread ended while it held plain data.
fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
enum CompiledRule {
    Recurring {
        cron: Box<CronExpression>,
        zone: TimeZone,
        duration: Duration,
        except: Vec<Date>,
    },
    Once(OpenWindow),
}

#[derive(Clone, Copy, Debug)]
struct Answer {
    from: Timestamp,
    until: Timestamp,
    window: Option<OpenWindow>,
}

impl CompiledRule {
    fn of(window: &Window) -> Result<CompiledRule, CalendarError> {
        Ok(match window {
            Window::Recurring {
                cron,
                timezone,
                duration,
                except,
            } => CompiledRule::Recurring {
                cron: Box::new(CronExpression::parse(cron).map_err(|error| {
                    CalendarError::Cron {
                        text: cron.clone(),
                        error,
                    }
                })?),
                zone: TimeZone::get(timezone)
                    .map_err(|_| CalendarError::Timezone(timezone.clone()))?,
                duration: *duration,
                except: except.clone(),
            },
            Window::Once { start, end, .. } => CompiledRule::Once(OpenWindow {
                start: *start,
                end: *end,
            }),
        })
    }
}

impl CompiledSchedule {
    /// Makes a schedule ready.
    ///
    /// # Errors
    /// [`CalendarError`] where the cron or the zone is not usable.
    pub fn new(schedule: &Schedule) -> Result<CompiledSchedule, CalendarError> {
        CompiledSchedule::of_window(&schedule.when)
    }

    /// The same for a window alone.
    ///
    /// # Errors
    /// [`CalendarError`] where the cron or the zone is not usable.
    pub fn of_window(window: &Window) -> Result<CompiledSchedule, CalendarError> {
        let known = open(&PARSED)
            .as_ref()
            .and_then(|parsed| parsed.get(window).cloned());
        let shared = match known {
            Some(shared) => shared,
            None => {
                let shared = Arc::new(Shared {
                    rule: CompiledRule::of(window)?,
                    last: Mutex::new(None),
                    run: Mutex::new(None),
                });
                let mut parsed = open(&PARSED);
                let parsed = parsed.get_or_insert_default();
                if parsed.len() >= MOST_PARSED {
                    parsed.clear();
                }
                parsed.insert(window.clone(), shared.clone());
                shared
            }
        };
        Ok(CompiledSchedule {
            shared,
            last: Mutex::new(None),
            kept: Kept::default(),
        })
    }

    /// Whether a window is open at `now`: some nanoseconds, but for the edges.
    #[inline]
    pub fn is_open_at(&self, now: Timestamp) -> bool {
        match self.kept.is_open_at(now) {
            Some(is_open) => is_open,
            None => self.open_at(now).is_some(),
        }
    }

    /// The window that is open at `now`. Of several that overlap, the one that opened last: it is also the
    /// one that closes last.
    pub fn open_at(&self, now: Timestamp) -> Option<OpenWindow> {
        let (cron, zone) = match &self.shared.rule {
            CompiledRule::Once(window) => {
                return (window.start <= now && now < window.end).then_some(*window);
            }
            CompiledRule::Recurring { cron, zone, .. } => (cron, zone),
        };
        let holds = |answer: &Answer| answer.from <= now && now < answer.until;
        let mut last = open(&self.last);
        if let Some(answer) = last.filter(holds) {
            return answer.window;
        }
        let keep = |answer: &Answer| {
            self.kept
                .keep(answer.from, answer.until, answer.window.is_some());
        };
        if let Some(answer) = open(&self.shared.last).filter(holds) {
            *last = Some(answer);
            keep(&answer);
            return answer.window;
        }
        let window = self.latest_opening(now).filter(|window| now < window.end);
        let mut until = window.map_or(Timestamp::MAX, |window| window.end);
        if let Some(next) = cron.after(&whole_second(now).to_zoned(zone.clone())) {
            until = until.min(next.timestamp());
        }
        let answer = Answer {
            from: window.map_or(now, |window| window.start),
            until,
            window,
        };
        *last = Some(answer);
        keep(&answer);
        *open(&self.shared.last) = Some(answer);
        window
    }

    /// The next window that opens strictly after `after`.
    pub fn next_opening(&self, after: Timestamp) -> Option<OpenWindow> {
        match &self.shared.rule {
            CompiledRule::Once(window) => (window.start > after).then_some(*window),
            CompiledRule::Recurring {
                cron, zone, except, ..
            } => {
                let mut at = whole_second(after).to_zoned(zone.clone());
                // Each round that goes on has met an exception, and there are only so many days of them;
                // one day holds at most 1,500 minutes.
                for _ in 0..=except.len().saturating_mul(1_500) {
                    at = cron.after(&at)?;
                    if !except.contains(&at.date()) {
                        return Some(self.window_from(&at));
                    }
                }
                None
            }
        }
    }

    /// The next time after `after` at which the schedule opens or closes. A window that opens before the one
    /// before it has closed is no edge.
    ///
    /// Of windows that follow each other without a break for more than eight days the end is not looked for, so
    /// that one that never closes costs little; what was found is kept for the next question.
    pub fn next_edge(&self, after: Timestamp) -> Option<Timestamp> {
        let Some(open_now) = self.open_at(after) else {
            return self.next_opening(after).map(|window| window.start);
        };
        let horizon = after.checked_add(LOOK_AHEAD).unwrap_or(Timestamp::MAX);
        let known = *open(&self.shared.run);
        let mut run = match known {
            Some(run) if run.from <= after && after < run.end => run,
            Some(_) | None => Run {
                from: open_now.start,
                end: open_now.end,
                closes: false,
            },
        };
        while !run.closes && run.end <= horizon {
            // The last one that opens before or as this one closes reaches furthest.
            match self.latest_opening(run.end) {
                Some(next) if next.end > run.end => run.end = next.end,
                Some(_) | None => run.closes = true,
            }
        }
        *open(&self.shared.run) = Some(run);
        // Which windows were looked at before must not change the answer, so what lies past the horizon does not
        // count, but for a single window as long as that.
        if run.end <= horizon {
            return Some(run.end);
        }
        let closes = match self.latest_opening(open_now.end) {
            Some(next) => next.end <= open_now.end,
            None => true,
        };
        (closes && open_now.end > horizon).then_some(open_now.end)
    }

    /// The windows that touch the time from `from` up to `to`, in order; those that overlap or meet are one.
    /// The first may have opened before `from`; the last may close after `to`.
    pub fn windows(&self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = OpenWindow> {
        let mut next = self.merged_at(from, to).or_else(|| {
            let first = self.next_opening(from)?;
            Some(self.merge_on(first, to))
        });
        std::iter::from_fn(move || {
            let window = next.filter(|window| window.start < to)?;
            next = self
                .next_opening(window.end)
                .map(|opening| self.merge_on(opening, to));
            Some(window)
        })
    }

    /// The window open at `now`, with all that follow it without a break, looking no further than `to` (and at
    /// most some thousand windows).
    fn merged_at(&self, now: Timestamp, to: Timestamp) -> Option<OpenWindow> {
        let window = self.open_at(now)?;
        Some(self.merge_on(window, to))
    }

    fn merge_on(&self, mut window: OpenWindow, to: Timestamp) -> OpenWindow {
        for _ in 0..20_000 {
            if window.end >= to {
                break;
            }
            // The last one that opens before or as this one closes reaches furthest.
            match self.latest_opening(window.end) {
                Some(next) if next.end > window.end => window.end = next.end,
                _ => break,
            }
        }
        window
    }

    /// The window that opened last, up to and including `now`, and may still be open.
    fn latest_opening(&self, now: Timestamp) -> Option<OpenWindow> {
        let CompiledRule::Recurring {
            cron,
            zone,
            duration,
            except,
        } = &self.shared.rule
        else {
            return None;
        };
        // No clock change is longer than a day.
        let longest = SignedDuration::try_from(*duration)
            .unwrap_or(SignedDuration::MAX)
            .saturating_add(SignedDuration::from_hours(26));
        let earliest = now.checked_sub(longest).unwrap_or(Timestamp::MIN);
        let mut at = whole_second(now).to_zoned(zone.clone());
        for _ in 0..=except.len().saturating_mul(1_500) {
            let opening = cron.until(&at)?;
            if opening.timestamp() < earliest {
                return None;
            }
            if !except.contains(&opening.date()) {
                return Some(self.window_from(&opening));
            }
            at = opening
                .checked_sub(SignedDuration::from_secs(1))
                .ok()
                .filter(|before| before.timestamp() < opening.timestamp())?;
        }
        None
    }

    /// From an opening to its close, in wall-clock time. Where the close falls into the hour that comes twice,
    /// it is the first of the two, unless the window opened in the second.
    fn window_from(&self, opening: &Zoned) -> OpenWindow {
        let start = opening.timestamp();
        let CompiledRule::Recurring { zone, duration, .. } = &self.shared.rule else {
            return OpenWindow { start, end: start };
        };
        let end = SignedDuration::try_from(*duration)
            .ok()
            .and_then(|duration| opening.datetime().checked_add(duration).ok())
            .and_then(|close| {
                let ambiguous = zone.to_ambiguous_zoned(close);
                let in_second_pass = matches!(
                    ambiguous.offset(),
                    AmbiguousOffset::Fold { after, .. } if after == opening.offset()
                );
                if in_second_pass {
                    ambiguous.later()
                } else {
                    ambiguous.compatible()
                }
                .ok()
            })
            .map_or(Timestamp::MAX, |close| close.timestamp());
        OpenWindow { start, end }
    }
}

/// The windows of a schedule that touch the time from `from` up to `to`; for the calendar of a plan.
///
/// # Errors
/// [`CalendarError`] where the cron or the zone is not usable.
pub fn windows(
    schedule: &Schedule,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<OpenWindow>, CalendarError> {
    let compiled = CompiledSchedule::new(schedule)?;
    Ok(compiled.windows(from, to).collect())
}

/// Cron knows no part of a second; the second in which `time` lies decides.
fn whole_second(time: Timestamp) -> Timestamp {
    let floor = time.as_nanosecond().div_euclid(1_000_000_000);
    i64::try_from(floor)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Capacity;

    fn recurring(cron: &str, zone: &str, hours: f64, except: &[&str]) -> CompiledSchedule {
        let schedule = Schedule {
            name: "office".into(),
            when: Window::Recurring {
                cron: cron.to_owned(),
                timezone: zone.to_owned(),
                duration: Duration::from_secs_f64(hours * 3600.0),
                except: except.iter().map(|d| d.parse().expect("a date")).collect(),
            },
            min: Some(Capacity(6)),
            max: None,
        };
        CompiledSchedule::new(&schedule).expect("a schedule")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    fn show(window: Option<OpenWindow>) -> String {
        window.map_or("closed".to_owned(), |w| format!("{} {}", w.start, w.end))
    }

    #[test]
    fn a_window_keeps_its_wall_clock_hours_on_both_sides_of_a_clock_change() {
        let office = recurring("0 8 * * *", "Europe/Berlin", 10.0, &[]);
        for (now, want) in [
            // The Saturday before, the Sunday of, and the Monday after: 08:00 to 18:00 in Berlin.
            (
                "2026-03-28T12:00:00Z",
                "2026-03-28T07:00:00Z 2026-03-28T17:00:00Z",
            ),
            ("2026-03-29T05:59:59Z", "closed"),
            (
                "2026-03-29T06:00:00Z",
                "2026-03-29T06:00:00Z 2026-03-29T16:00:00Z",
            ),
            ("2026-03-29T16:00:00Z", "closed"),
            (
                "2026-10-24T12:00:00Z",
                "2026-10-24T06:00:00Z 2026-10-24T16:00:00Z",
            ),
            ("2026-10-25T06:59:59Z", "closed"),
            (
                "2026-10-25T12:00:00Z",
                "2026-10-25T07:00:00Z 2026-10-25T17:00:00Z",
            ),
        ] {
            assert_eq!(show(office.open_at(at(now))), want, "{now}");
        }
    }

    #[test]
    fn a_night_across_a_clock_change_is_an_hour_shorter_or_longer() {
        let night = recurring("0 22 * * *", "Europe/Berlin", 8.0, &[]);
        let length = |now: &str| {
            let window = night.open_at(at(now)).expect("open");
            window.end.duration_since(window.start).as_hours()
        };
        assert_eq!(length("2026-03-27T23:00:00Z"), 8);
        assert_eq!(length("2026-03-28T23:00:00Z"), 7);
        assert_eq!(length("2026-10-24T23:00:00Z"), 9);
    }

    #[test]
    fn an_opening_in_the_gap_comes_when_the_gap_ends_and_in_the_fold_once() {
        let early = recurring("30 2 * * *", "Europe/Berlin", 1.0, &[]);
        let spring: Vec<_> = early
            .windows(at("2026-03-28T12:00:00Z"), at("2026-03-30T12:00:00Z"))
            .map(|w| show(Some(w)))
            .collect();
        assert_eq!(
            spring,
            [
                "2026-03-29T01:00:00Z 2026-03-29T02:00:00Z",
                "2026-03-30T00:30:00Z 2026-03-30T01:30:00Z"
            ]
        );
        let autumn: Vec<_> = early
            .windows(at("2026-10-24T12:00:00Z"), at("2026-10-26T12:00:00Z"))
            .map(|w| show(Some(w)))
            .collect();
        // 02:30 in summer time until 03:30 in winter time: an hour by the clock on the wall.
        assert_eq!(
            autumn,
            [
                "2026-10-25T00:30:00Z 2026-10-25T02:30:00Z",
                "2026-10-26T01:30:00Z 2026-10-26T02:30:00Z"
            ]
        );
    }

    #[test]
    fn short_windows_in_the_hour_that_comes_twice_close_in_their_own_pass() {
        let often = recurring("*/30 * * * *", "Europe/Berlin", 0.25, &[]);
        for now in [
            "2026-10-25T00:05:00Z",
            "2026-10-25T01:05:00Z",
            "2026-10-25T01:35:00Z",
        ] {
            let window = often.open_at(at(now)).expect("open");
            assert_eq!(
                window.end.duration_since(window.start).as_mins(),
                15,
                "{now}"
            );
        }
        assert_eq!(often.open_at(at("2026-10-25T01:20:00Z")), None);
    }

    #[test]
    fn exceptions_are_dates_of_the_zone() {
        // 08:00 in Auckland on the 25th is the evening of the 24th in UTC.
        let office = recurring("0 8 * * *", "Pacific/Auckland", 10.0, &["2026-12-25"]);
        assert!(office.open_at(at("2026-12-23T20:00:00Z")).is_some());
        assert!(office.open_at(at("2026-12-24T20:00:00Z")).is_none());
        assert!(office.open_at(at("2026-12-25T20:00:00Z")).is_some());
        let next = office
            .next_opening(at("2026-12-24T00:00:00Z"))
            .expect("a next one");
        assert_eq!(next.start, at("2026-12-25T19:00:00Z"));
    }

    #[test]
    fn an_exception_does_not_hide_a_long_window_that_opened_before_it() {
        let long = recurring("0 8 * * *", "UTC", 30.0, &["2026-01-02"]);
        assert_eq!(
            show(long.open_at(at("2026-01-02T12:00:00Z"))),
            "2026-01-01T08:00:00Z 2026-01-02T14:00:00Z"
        );
        assert_eq!(long.open_at(at("2026-01-02T15:00:00Z")), None);
    }

    #[test]
    fn windows_that_meet_are_one_and_no_edge() {
        let halves = recurring("0 0,12 * * MON", "UTC", 12.0, &[]);
        let list: Vec<_> = halves
            .windows(at("2026-01-04T00:00:00Z"), at("2026-01-13T00:00:00Z"))
            .map(|w| show(Some(w)))
            .collect();
        assert_eq!(
            list,
            [
                "2026-01-05T00:00:00Z 2026-01-06T00:00:00Z",
                "2026-01-12T00:00:00Z 2026-01-13T00:00:00Z"
            ]
        );
        assert_eq!(
            halves.next_edge(at("2026-01-05T06:00:00Z")),
            Some(at("2026-01-06T00:00:00Z"))
        );
        assert_eq!(
            halves.next_edge(at("2026-01-06T06:00:00Z")),
            Some(at("2026-01-12T00:00:00Z"))
        );
    }

    #[test]
    fn a_window_that_never_closes_is_one_window() {
        let always = recurring("*/10 * * * *", "Europe/Berlin", 1.0, &[]);
        let list: Vec<_> = always
            .windows(at("2026-01-05T00:00:00Z"), at("2026-01-12T00:00:00Z"))
            .collect();
        assert_eq!(list.len(), 1);
        assert!(list[0].end >= at("2026-01-12T00:00:00Z"));
    }

    #[test]
    fn what_never_closes_has_no_edge_and_a_long_window_has_one() {
        let from = at("2026-01-05T06:30:00Z");
        for (cron, hours) in [
            ("0 0 * * *", 24.0),
            ("*/10 * * * *", 1.0),
            ("0 0 * * *", 300.0),
        ] {
            let always = recurring(cron, "Europe/Berlin", hours, &[]);
            let mut now = from;
            for _ in 0..100 {
                assert_eq!(always.next_edge(now), None, "{cron} at {now}");
                now += SignedDuration::from_hours(7);
            }
        }
        let long = recurring("0 0 1 * *", "UTC", 24.0 * 20.0, &[]);
        for now in [
            "2026-01-01T00:00:00Z",
            "2026-01-05T00:00:00Z",
            "2026-01-20T12:00:00Z",
        ] {
            assert_eq!(
                long.next_edge(at(now)),
                Some(at("2026-01-21T00:00:00Z")),
                "{now}"
            );
        }
        // Eight days without a break and a gap: known once it is near enough, whoever asked what before.
        let days = recurring("0 0 1-20 * *", "UTC", 24.0, &[]);
        for (now, edge) in [
            ("2026-01-02T00:00:00Z", None),
            ("2026-01-12T23:00:00Z", None),
            ("2026-01-13T00:00:00Z", Some("2026-01-21T00:00:00Z")),
            ("2026-01-20T00:00:00Z", Some("2026-01-21T00:00:00Z")),
            ("2026-01-02T00:00:00Z", None),
            ("2026-01-22T00:00:00Z", Some("2026-02-01T00:00:00Z")),
        ] {
            assert_eq!(days.next_edge(at(now)), edge.map(at), "{now}");
        }
    }

    #[test]
    fn a_window_opens_once_with_its_start_and_closes_with_its_end() {
        let schedule = Schedule {
            name: "sale".into(),
            when: Window::Once {
                start: at("2026-11-27T11:00:00Z"),
                end: at("2026-11-28T07:00:00Z"),
                timezone: None,
            },
            min: Some(Capacity(30)),
            max: None,
        };
        let sale = CompiledSchedule::new(&schedule).expect("a schedule");
        assert_eq!(sale.open_at(at("2026-11-27T10:59:59Z")), None);
        assert!(sale.open_at(at("2026-11-27T11:00:00Z")).is_some());
        assert_eq!(sale.open_at(at("2026-11-28T07:00:00Z")), None);
        assert_eq!(
            sale.next_edge(at("2026-11-01T00:00:00Z")),
            Some(at("2026-11-27T11:00:00Z"))
        );
        assert_eq!(
            sale.next_edge(at("2026-11-27T12:00:00Z")),
            Some(at("2026-11-28T07:00:00Z"))
        );
        assert_eq!(sale.next_edge(at("2026-12-01T00:00:00Z")), None);
    }

    #[test]
    fn asking_in_any_order_gives_the_answers_of_the_list_of_windows() {
        let kept = recurring(
            "15 6-20/3 * * MON-FRI",
            "America/New_York",
            2.0,
            &["2026-03-09"],
        );
        let mut now = at("2026-03-05T00:00:00Z");
        let mut times = Vec::new();
        while now < at("2026-03-12T00:00:00Z") {
            times.push(now);
            now += SignedDuration::from_mins(47);
        }
        // Forward, then backward over the same times.
        let forward: Vec<_> = times.iter().map(|t| kept.open_at(*t)).collect();
        let backward: Vec<_> = times.iter().rev().map(|t| kept.open_at(*t)).collect();
        let windows: Vec<_> = kept.windows(times[0], now).collect();
        for (i, time) in times.iter().enumerate() {
            let want = windows
                .iter()
                .find(|window| window.start <= *time && *time < window.end)
                .copied();
            assert_eq!(forward[i], want, "{time}");
            assert_eq!(backward[times.len() - 1 - i], want, "{time}");
        }
        assert!(forward.iter().any(Option::is_some) && forward.iter().any(Option::is_none));
    }

    #[test]
    fn an_unknown_zone_or_cron_is_an_error() {
        let window = |cron: &str, timezone: &str| Window::Recurring {
            cron: cron.to_owned(),
            timezone: timezone.to_owned(),
            duration: Duration::from_secs(60),
            except: Vec::new(),
        };
        assert!(CompiledSchedule::of_window(&window("0 8 * * *", "Europe/Berln")).is_err());
        assert!(CompiledSchedule::of_window(&window("0 8 * *", "Europe/Berlin")).is_err());
    }
}
