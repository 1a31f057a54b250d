//! Budgets: what a group has spent this month, where the month is heading, and which alerts that crosses.
//!
//! Months are calendar months in UTC.

use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tideform_policies::model::{Budget, GroupAddress, OnExceed};

use super::ledger::Timeline;

/// How far back the rate is taken that the rest of the month is projected at.
pub const PROJECTION_WINDOW: SignedDuration = SignedDuration::from_hours(7 * 24);

/// When the month of a time began, in UTC.
pub fn month_start(now: Timestamp) -> Timestamp {
    let day = now.to_zoned(TimeZone::UTC).date();
    start_of(date(day.year(), day.month(), 1)).unwrap_or(now)
}

/// When the next month begins, in UTC.
fn month_end(now: Timestamp) -> Timestamp {
    let day = now.to_zoned(TimeZone::UTC).date();
    day.last_of_month()
        .tomorrow()
        .ok()
        .and_then(start_of)
        .unwrap_or(Timestamp::MAX)
}

pub(super) fn start_of(day: jiff::civil::Date) -> Option<Timestamp> {
    let midnight = day.to_zoned(TimeZone::UTC).ok()?;
    Some(midnight.timestamp())
}

/// A month's money, so far and as it is heading.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spending {
    /// Since the first of the month; exact but for the last digits of a float.
    pub spent_usd: f64,
    /// At the end of the month, if the rest goes on at the mean rate of the last 7 days that were observed. `None`:
    /// nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projected_usd: Option<f64>,
    /// Part of the month so far that nobody observed, in hours: not in `spent_usd`.
    pub unobserved_hours: f64,
}

impl Spending {
    /// Of the month of `now`. The timeline must reach back to [`month_start`], and for a good projection 7 days.
    pub fn of_month(timeline: &Timeline, now: Timestamp) -> Spending {
        let month = timeline.usage(month_start(now), now);
        let week = timeline.usage(now.checked_sub(PROJECTION_WINDOW).unwrap_or(now), now);
        let spent_usd = month.cost.usd();
        let rest_ms = (month_end(now).as_millisecond() - now.as_millisecond()) as f64;
        Spending {
            spent_usd,
            projected_usd: (week.observed_ms > 0)
                .then(|| spent_usd + week.cost.usd() / week.observed_ms as f64 * rest_ms),
            unobserved_hours: month.unobserved_ms as f64 / 3_600_000.0,
        }
    }
}

/// The percentages of `alert` that are reached, rising.
pub fn crossed_alerts(spent_usd: f64, budget: &Budget) -> Vec<f64> {
    if budget.monthly_usd <= 0.0 {
        return budget.alert.clone();
    }
    // Compared in dollars: 80 % of 4,000 is 3,200 without a rounding error.
    budget
        .alert
        .iter()
        .copied()
        .filter(|percent| spent_usd * 100.0 >= budget.monthly_usd * percent)
        .collect()
}

/// Where a group stands in its month.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MonthStatus {
    /// Whose.
    pub group: GroupAddress,
    /// `2026-11`.
    pub month: String,
    /// Since the first of the month, rounded to cents.
    pub spent_usd: f64,
    /// At the end of the month, as [`Spending::projected_usd`], rounded to cents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projected_usd: Option<f64>,
    /// The budget.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_usd: Option<f64>,
    /// The budget's part that is spent, in percent, to a tenth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_percent: Option<f64>,
    /// The alerts that are reached, in percent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crossed_percent: Vec<f64>,
    /// What happens at 100 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_exceed: Option<OnExceed>,
}

/// Where a group stands in the month of `now`.
pub fn month_status(
    group: &GroupAddress,
    timeline: &Timeline,
    budget: Option<&Budget>,
    now: Timestamp,
) -> MonthStatus {
    let spending = Spending::of_month(timeline, now);
    let cents = |usd: f64| (usd * 100.0).round() / 100.0;
    MonthStatus {
        group: group.clone(),
        month: now.to_zoned(TimeZone::UTC).strftime("%Y-%m").to_string(),
        spent_usd: cents(spending.spent_usd),
        projected_usd: spending.projected_usd.map(cents),
        budget_usd: budget.map(|budget| budget.monthly_usd),
        used_percent: budget
            .filter(|budget| budget.monthly_usd > 0.0)
            .map(|budget| (spending.spent_usd / budget.monthly_usd * 1000.0).round() / 10.0),
        crossed_percent: budget
            .map(|budget| crossed_alerts(spending.spent_usd, budget))
            .unwrap_or_default(),
        on_exceed: budget.map(|budget| budget.on_exceed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::ledger::LedgerRules;
    use crate::cost::ledger::tests::{minute, run};

    const DAY: i64 = 24 * 60;

    fn budget(monthly_usd: f64) -> Budget {
        Budget {
            monthly_usd,
            alert: vec![50.0, 80.0, 100.0],
            on_exceed: OnExceed::BlockScaleOut,
        }
    }

    #[test]
    fn months_begin_and_end_in_utc() {
        let cases = [
            (
                "2026-11-01T00:00:00Z",
                "2026-11-01T00:00:00Z",
                "2026-12-01T00:00:00Z",
            ),
            (
                "2026-12-31T23:59:59Z",
                "2026-12-01T00:00:00Z",
                "2027-01-01T00:00:00Z",
            ),
            (
                "2028-02-29T12:00:00Z",
                "2028-02-01T00:00:00Z",
                "2028-03-01T00:00:00Z",
            ),
        ];
        for (now, start, end) in cases {
            let now: Timestamp = now.parse().expect("a time");
            assert_eq!(month_start(now).to_string(), start);
            assert_eq!(month_end(now).to_string(), end);
        }
    }

    #[test]
    fn the_month_is_projected_at_the_rate_of_the_last_week() {
        // From 25 October: 1 instance; from 8 November: 2. Now 15 November; the month has 30 days.
        let runs = [run(-7 * DAY, 7 * DAY, 1, 0), run(7 * DAY, 14 * DAY, 2, 0)];
        let timeline = Timeline::new(&runs, minute(14 * DAY), LedgerRules::default());
        let spending = Spending::of_month(&timeline, minute(14 * DAY));
        assert!((spending.spent_usd - (7.0 + 14.0) * 2.4).abs() < 1e-9);
        let projected = spending.projected_usd.expect("observed");
        assert!(
            (projected - (21.0 + 16.0 * 2.0) * 2.4).abs() < 1e-9,
            "{projected}"
        );
    }

    #[test]
    fn without_samples_nothing_is_projected() {
        let spending = Spending::of_month(&Timeline::default(), minute(DAY));
        assert_eq!((spending.spent_usd, spending.projected_usd), (0.0, None));
    }

    #[test]
    fn alerts_are_crossed_at_their_percentage() {
        for (spent, crossed) in [
            (0.0, 0),
            (1999.99, 0),
            (2000.0, 1),
            (3200.0, 2),
            (3999.99, 2),
            (9000.0, 3),
        ] {
            assert_eq!(
                crossed_alerts(spent, &budget(4000.0)).len(),
                crossed,
                "{spent}"
            );
        }
        assert_eq!(crossed_alerts(0.0, &budget(0.0)).len(), 3);
    }

    #[test]
    fn a_status_says_the_part_of_the_budget_that_is_used() {
        let runs = [run(0, 10 * DAY, 1, 0)];
        let timeline = Timeline::new(&runs, minute(10 * DAY), LedgerRules::default());
        let group = GroupAddress::new("web");
        let status = month_status(&group, &timeline, Some(&budget(30.0)), minute(10 * DAY));
        assert_eq!((status.month.as_str(), status.spent_usd), ("2026-11", 24.0));
        assert_eq!(
            (status.used_percent, status.projected_usd),
            (Some(80.0), Some(72.0))
        );
        assert_eq!(status.crossed_percent, [50.0, 80.0]);
        let free = month_status(&group, &timeline, None, minute(10 * DAY));
        assert_eq!((free.used_percent, free.budget_usd), (None, None));
    }
}
