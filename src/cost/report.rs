//! Cost reports: rows per group, or per group and day, and their total.
//!
//! Money is rounded to cents and hours to hundredths, such that the rows of a column add up to its total. The total
//! is the rounded exact sum, and so the same whether rows are groups or days. Days are UTC.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tideform_policies::model::{Budget, GroupAddress};
use tideform_state::CapacityRun;

use super::budget::{MonthStatus, month_start, month_status, start_of};
use super::ledger::{LedgerRules, Timeline, Usage};
use super::money::{Money, apportion};

/// The version of the report's JSON.
pub const COST_FORMAT_VERSION: u32 = 1;

/// A hundredth of an hour, in milliseconds.
const HOUR_HUNDREDTH: i128 = 36_000;

/// What a row is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportBy {
    /// A group.
    Group,
    /// A group's day.
    Day,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportRequest {
    /// Included.
    pub from: Timestamp,
    /// Excluded; nothing after `now` is counted.
    pub to: Timestamp,
    /// What a row is about.
    pub by: ReportBy,
    /// Now: whose month is reported, and where the last samples end.
    pub now: Timestamp,
}

impl ReportRequest {
    /// From when on runs are needed: for the rows, for the month, for its projection.
    pub fn needs_from(&self) -> Timestamp {
        let week = SignedDuration::from_hours(7 * 24);
        self.from
            .min(month_start(self.now))
            .min(self.now.checked_sub(week).unwrap_or(self.now))
    }
}

/// What is known of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupHistory {
    /// Whose.
    pub group: GroupAddress,
    /// Its runs from [`ReportRequest::needs_from`] to now, as the state gives them.
    pub runs: Vec<CapacityRun>,
    /// Its budget.
    pub budget: Option<Budget>,
    /// Which gaps are bridged.
    pub rules: LedgerRules,
}

/// The numbers of a row or of the total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CostFigures {
    /// What it cost; `None`: instances ran, and no price is known.
    pub cost_usd: Option<f64>,
    /// Instance-hours on demand.
    pub on_demand_hours: f64,
    /// Instance-hours as spot.
    pub spot_hours: f64,
    /// Instances on average over the observed time; of several groups the sum. `None`: nothing was observed.
    pub mean_instances: Option<f64>,
    /// Most instances at once; in the total the sum over the groups.
    pub peak_instances: u32,
    /// What a fleet on demand, fixed at the group's peak of the whole report, would have cost in this time.
    pub fixed_fleet_usd: f64,
    /// That less the cost.
    pub saved_against_fixed_fleet_usd: f64,
    /// What the same instances would have cost on demand.
    pub all_on_demand_usd: f64,
    /// That less the cost.
    pub saved_against_all_on_demand_usd: f64,
    /// Hours that nobody observed: not in any of the others.
    pub unobserved_hours: f64,
    /// Instance-hours without any known price: not in the cost.
    pub unpriced_hours: f64,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CostRow {
    /// Whose.
    pub group: GroupAddress,
    /// Which day, in UTC; absent where rows are groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<Date>,
    /// The numbers.
    #[serde(flatten)]
    pub figures: CostFigures,
}

/// A report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CostReport {
    /// [`COST_FORMAT_VERSION`].
    pub format_version: u32,
    /// Included.
    pub from: Timestamp,
    /// Excluded.
    pub to: Timestamp,
    /// What a row is about.
    pub by: ReportBy,
    /// By group, then by day. Without those of which nothing is known.
    pub rows: Vec<CostRow>,
    /// Over all rows.
    pub total: CostFigures,
    /// Where each group stands in the month of now.
    pub months: Vec<MonthStatus>,
    /// What limits the numbers: sentences for people.
    pub notes: Vec<String>,
}

struct Exact {
    group: GroupAddress,
    day: Option<Date>,
    usage: Usage,
    /// The group's, over the whole report.
    peak: u32,
}

/// Reports what groups cost.
pub fn report(groups: &[GroupHistory], request: &ReportRequest) -> CostReport {
    let to = request.to.min(request.now);
    let mut exact = Vec::new();
    let mut wholes: BTreeMap<&GroupAddress, Usage> = BTreeMap::new();
    let mut months = Vec::with_capacity(groups.len());
    for history in groups {
        let timeline = Timeline::new(&history.runs, request.now, history.rules);
        months.push(month_status(
            &history.group,
            &timeline,
            history.budget.as_ref(),
            request.now,
        ));
        let whole = timeline.usage(request.from, to);
        if whole == Usage::default() {
            continue;
        }
        wholes.insert(&history.group, whole);
        let mut push = |day: Option<Date>, usage: Usage| {
            if usage != Usage::default() {
                exact.push(Exact {
                    group: history.group.clone(),
                    day,
                    usage,
                    peak: whole.peak,
                });
            }
        };
        match request.by {
            ReportBy::Group => push(None, whole),
            ReportBy::Day => {
                let from = timeline
                    .start()
                    .map_or(request.from, |start| start.max(request.from));
                for (day, from, to) in days(from, to) {
                    push(Some(day), timeline.usage(from, to));
                }
            }
        }
    }
    exact.sort_by(|a, b| (&a.group, a.day).cmp(&(&b.group, b.day)));
    let (figures, mut total) = figures(&exact);
    let means: Vec<f64> = wholes.values().filter_map(Usage::mean_instances).collect();
    total.mean_instances = (!means.is_empty()).then(|| hundredths(means.iter().sum()));
    total.peak_instances = wholes
        .values()
        .fold(0, |sum, whole| sum.saturating_add(whole.peak));
    let rows: Vec<CostRow> = exact
        .into_iter()
        .zip(figures)
        .map(|(exact, figures)| CostRow {
            group: exact.group,
            day: exact.day,
            figures,
        })
        .collect();
    CostReport {
        format_version: COST_FORMAT_VERSION,
        from: request.from,
        to,
        by: request.by,
        notes: notes(&rows, wholes.values()),
        rows,
        total,
        months,
    }
}

/// The days of a time in UTC, the first and the last cut to it.
fn days(from: Timestamp, to: Timestamp) -> impl Iterator<Item = (Date, Timestamp, Timestamp)> {
    let mut next = (from < to).then(|| from.to_zoned(TimeZone::UTC).date());
    std::iter::from_fn(move || {
        let day = next?;
        let start = start_of(day)?;
        if start >= to {
            return None;
        }
        let tomorrow = day.tomorrow().ok();
        let end = tomorrow.and_then(start_of).unwrap_or(Timestamp::MAX);
        next = tomorrow;
        Some((day, start.max(from), end.min(to)))
    })
}

fn hundredths(x: f64) -> f64 {
    (x * 100.0).round() / 100.0
}

/// Rounds all rows, column by column, and makes the total. Mean and peak of the total are the caller's.
fn figures(rows: &[Exact]) -> (Vec<CostFigures>, CostFigures) {
    let mut figures = vec![CostFigures::default(); rows.len()];
    let mut total = CostFigures::default();
    let mut column = |value: fn(&Exact) -> i128, unit: i128, set: fn(&mut CostFigures, f64)| {
        let exact: Vec<i128> = rows.iter().map(value).collect();
        let (rounded, sum) = apportion(&exact, unit);
        for (figures, rounded) in figures.iter_mut().zip(rounded) {
            set(figures, rounded as f64 / 100.0);
        }
        set(&mut total, sum as f64 / 100.0);
    };
    column(
        |row| row.usage.cost.units(),
        Money::CENT,
        |f, x| f.cost_usd = Some(x),
    );
    column(
        |row| i128::from(row.usage.on_demand_ms),
        HOUR_HUNDREDTH,
        |f, x| f.on_demand_hours = x,
    );
    column(
        |row| i128::from(row.usage.spot_ms),
        HOUR_HUNDREDTH,
        |f, x| f.spot_hours = x,
    );
    column(
        |row| row.usage.fixed_fleet(row.peak).units(),
        Money::CENT,
        |f, x| f.fixed_fleet_usd = x,
    );
    column(
        |row| row.usage.all_on_demand.units(),
        Money::CENT,
        |f, x| f.all_on_demand_usd = x,
    );
    column(
        |row| i128::from(row.usage.unobserved_ms),
        HOUR_HUNDREDTH,
        |f, x| f.unobserved_hours = x,
    );
    column(
        |row| i128::from(row.usage.unpriced_ms),
        HOUR_HUNDREDTH,
        |f, x| f.unpriced_hours = x,
    );
    for (figures, row) in figures.iter_mut().zip(rows) {
        figures.mean_instances = row.usage.mean_instances().map(hundredths);
        figures.peak_instances = row.usage.peak;
    }
    let mut all_unpriced = !rows.is_empty();
    for (figures, row) in figures.iter_mut().zip(rows) {
        save(figures);
        if row.usage.unpriced_ms > 0 && row.usage.cost == Money::ZERO {
            figures.cost_usd = None;
        } else {
            all_unpriced = false;
        }
    }
    save(&mut total);
    if all_unpriced {
        total.cost_usd = None;
    }
    (figures, total)
}

/// From the rounded numbers, so that savings add up too.
fn save(figures: &mut CostFigures) {
    let cost = figures.cost_usd.unwrap_or(0.0);
    figures.saved_against_fixed_fleet_usd = hundredths(figures.fixed_fleet_usd - cost);
    figures.saved_against_all_on_demand_usd = hundredths(figures.all_on_demand_usd - cost);
}

fn notes<'a>(rows: &[CostRow], wholes: impl Iterator<Item = &'a Usage>) -> Vec<String> {
    let mut all = Usage::default();
    for whole in wholes {
        all.add(whole);
    }
    let hours = |ms: i64| hundredths(ms as f64 / 3_600_000.0);
    let mut notes = Vec::new();
    if rows.is_empty() {
        notes.push(
            "Nothing was recorded in this time: `tideform reconcile` records what groups have."
                .to_owned(),
        );
    }
    if all.unobserved_ms > 0 {
        notes.push(format!(
            "Nobody observed the groups for {} hours in all; what ran then is not counted.",
            hours(all.unobserved_ms)
        ));
    }
    if all.unpriced_ms > 0 {
        notes.push(format!(
            "No price is known for {} instance-hours; set `instance {{ price_usd_per_hour }}`.",
            hours(all.unpriced_ms)
        ));
    }
    if all.spot_at_on_demand_price_ms > 0 {
        notes.push(format!(
            "No spot price is known for {} instance-hours; they count at the on-demand price.",
            hours(all.spot_at_on_demand_price_ms)
        ));
    }
    notes
}

#[cfg(test)]
mod tests;
