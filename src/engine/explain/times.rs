//! Times in words: short, and alike in all lines of one text.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::engine::decision::Decision;
use crate::engine::reason::Reason;

/// How the times of one text are written. All are UTC, and say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// The day that need not be said.
    day: Option<Date>,
    has_seconds: bool,
}

impl Times {
    /// With day and seconds: `2026-11-27 08:00:00Z`. For lines that stand alone.
    pub fn full() -> Times {
        Times {
            day: None,
            has_seconds: true,
        }
    }

    /// For a decision made at `now`: `08:00Z` on the same day, `2026-11-28 08:00Z` on another; with seconds in every
    /// line if any of its times has some.
    pub fn of(decision: &Decision, now: Timestamp) -> Times {
        let nearest = decision.nearest.as_deref();
        let held = nearest.iter().flat_map(|nearest| &nearest.held);
        let by_time = nearest.and_then(|nearest| nearest.by_time.as_ref());
        let has_seconds = decision
            .reasons
            .iter()
            .chain(held.map(|held| &held.by))
            .flat_map(mentioned)
            .flatten()
            .chain(by_time.map(|by_time| by_time.at))
            .any(|at| at.as_second() % 60 != 0);
        Times {
            day: Some(date(now)),
            has_seconds,
        }
    }

    /// A time in words; what is below a second is cut.
    pub fn text(&self, at: Timestamp) -> String {
        let time = if self.has_seconds {
            "%H:%M:%SZ"
        } else {
            "%H:%MZ"
        };
        if self.day == Some(date(at)) {
            at.strftime(time).to_string()
        } else {
            at.strftime(&format!("%Y-%m-%d {time}")).to_string()
        }
    }
}

fn date(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// The times that a reason's line says.
fn mentioned(reason: &Reason) -> [Option<Timestamp>; 2] {
    match reason {
        Reason::NoData { newest_at, .. } => [*newest_at, None],
        Reason::Substituted { sampled_at, .. } => [*sampled_at, None],
        Reason::AddedOnMissing { since, .. } => [Some(*since), None],
        Reason::Stabilized {
            recommended_at,
            window,
            ..
        } => [
            Some(*recommended_at),
            recommended_at.checked_add(*window).ok(),
        ],
        Reason::InCooldown {
            changed_at, until, ..
        } => [Some(*changed_at), Some(*until)],
        Reason::GuardTripped { releases_at, .. } => [*releases_at, None],
        Reason::RaisedToFloor { until, .. } | Reason::LoweredToCeiling { until, .. } => {
            [*until, None]
        }
        Reason::WithinLimits {
            floor_until,
            ceiling_until,
            ..
        } => [*floor_until, *ceiling_until],
        Reason::Frozen { until, .. }
        | Reason::Pinned { until, .. }
        | Reason::Paused { until, .. }
        | Reason::Fallback { until, .. } => [Some(*until), None],
        Reason::Opinion { .. }
        | Reason::Want { .. }
        | Reason::Step { .. }
        | Reason::Abstained { .. }
        | Reason::Cut { .. }
        | Reason::Warming { .. }
        | Reason::Combined { .. }
        | Reason::RateLimited { .. }
        | Reason::DirectionDisabled { .. }
        | Reason::Guarded { .. }
        | Reason::OverBudget { .. }
        | Reason::ForecastObserved { .. }
        | Reason::ScheduleUnusable { .. }
        | Reason::MixSplit { .. }
        | Reason::Victims { .. } => [None, None],
    }
}
