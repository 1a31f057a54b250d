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
mod tests {
    use super::*;
    use crate::cost::ledger::tests::{minute, run};
    use crate::cost::{render_csv, render_table};
    use proptest::prelude::*;
    use tideform_policies::model::OnExceed;

    const HOUR: i64 = 60;
    const DAY: i64 = 24 * HOUR;

    fn history(name: &str, runs: Vec<CapacityRun>) -> GroupHistory {
        GroupHistory {
            group: GroupAddress::new(name),
            runs,
            budget: None,
            rules: LedgerRules::default(),
        }
    }

    fn request(from: i64, to: i64, by: ReportBy) -> ReportRequest {
        ReportRequest {
            from: minute(from),
            to: minute(to),
            by,
            now: minute(to),
        }
    }

    /// Day one: 4 on demand; day two: 2 on demand and 6 spot for 12 hours, then 2.
    fn two_days() -> Vec<CapacityRun> {
        vec![
            run(0, DAY, 4, 0),
            run(DAY, DAY + 12 * HOUR, 2, 6),
            run(DAY + 12 * HOUR, 2 * DAY, 2, 0),
        ]
    }

    #[test]
    fn a_group_and_its_days_tell_the_same_story() {
        let groups = [history("web", two_days())];
        let by_day = report(&groups, &request(0, 2 * DAY, ReportBy::Day));
        let days: Vec<_> = by_day
            .rows
            .iter()
            .map(|row| row.day.expect("a day").to_string())
            .collect();
        assert_eq!(days, ["2026-11-01", "2026-11-02"]);
        let [first, second] = [by_day.rows[0].figures, by_day.rows[1].figures];
        assert_eq!(first.cost_usd, Some(9.6));
        assert_eq!((first.on_demand_hours, first.spot_hours), (96.0, 0.0));
        assert_eq!((first.mean_instances, first.peak_instances), (Some(4.0), 4));
        // 8 instances, the peak of the whole report, for 24 hours at 0.10.
        assert_eq!(first.fixed_fleet_usd, 19.2);
        assert_eq!(first.saved_against_fixed_fleet_usd, 9.6);
        assert_eq!(second.cost_usd, Some(7.68));
        assert_eq!((second.on_demand_hours, second.spot_hours), (48.0, 72.0));
        assert_eq!(
            (second.mean_instances, second.peak_instances),
            (Some(5.0), 8)
        );
        assert_eq!(
            (
                second.all_on_demand_usd,
                second.saved_against_all_on_demand_usd
            ),
            (12.0, 4.32)
        );
        let by_group = report(&groups, &request(0, 2 * DAY, ReportBy::Group));
        assert_eq!(by_group.rows.len(), 1);
        assert_eq!(by_group.total, by_day.total);
        assert_eq!(by_group.rows[0].figures, by_group.total);
        assert_eq!(by_group.notes, Vec::<String>::new());
    }

    #[test]
    fn groups_come_in_order_and_those_of_which_nothing_is_known_are_left_out() {
        let groups = [
            history("web", two_days()),
            history("silent", Vec::new()),
            history("api", vec![run(HOUR, 2 * HOUR, 1, 0)]),
        ];
        let report = report(&groups, &request(0, DAY, ReportBy::Group));
        let names: Vec<_> = report.rows.iter().map(|row| row.group.short()).collect();
        assert_eq!(names, ["api", "web"]);
        assert_eq!(report.total.cost_usd, Some(9.7));
        assert_eq!(report.total.peak_instances, 9 - 4);
        assert_eq!(report.months.len(), 3);
        // The api was last seen 22 hours before the end.
        assert_eq!(report.total.unobserved_hours, 22.0);
        assert!(report.notes[0].contains("22 hours"), "{:?}", report.notes);
    }

    #[test]
    fn nothing_after_now_is_counted() {
        let mut request = request(0, 2 * DAY, ReportBy::Day);
        request.now = minute(DAY + HOUR);
        let report = report(&[history("web", two_days())], &request);
        assert_eq!(report.to, request.now);
        assert_eq!(report.rows.len(), 2);
        assert_eq!(report.rows[1].figures.on_demand_hours, 2.0);
    }

    #[test]
    fn an_empty_report_says_what_to_do() {
        let report = report(
            &[history("web", Vec::new())],
            &request(0, DAY, ReportBy::Day),
        );
        assert_eq!((report.rows.len(), report.total.cost_usd), (0, Some(0.0)));
        assert!(report.notes[0].contains("tideform reconcile"));
        assert_eq!(render_table(&report).total, None);
    }

    #[test]
    fn a_group_without_prices_has_an_unknown_cost_not_none() {
        let mut run = run(0, DAY, 2, 0);
        run.sample.on_demand_usd_per_hour = None;
        run.sample.spot_usd_per_hour = None;
        let report = report(
            &[history("web", vec![run])],
            &request(0, DAY, ReportBy::Group),
        );
        assert_eq!(
            (report.rows[0].figures.cost_usd, report.total.cost_usd),
            (None, None)
        );
        assert_eq!(report.total.unpriced_hours, 48.0);
        assert_eq!(render_table(&report).rows[0][1], "unknown");
        assert!(
            render_csv(&report)
                .lines()
                .nth(1)
                .expect("a row")
                .starts_with("group.web,,,48.00,")
        );
    }

    #[test]
    fn the_month_stands_beside_the_rows() {
        let mut web = history("web", two_days());
        web.budget = Some(Budget {
            monthly_usd: 20.0,
            alert: vec![50.0, 80.0, 100.0],
            on_exceed: OnExceed::Warn,
        });
        let report = report(&[web], &request(DAY, 2 * DAY, ReportBy::Group));
        let month = &report.months[0];
        assert_eq!((month.spent_usd, month.used_percent), (17.28, Some(86.4)));
        assert_eq!(month.crossed_percent, [50.0, 80.0]);
        assert_eq!(month.projected_usd, Some(259.2));
    }

    #[test]
    fn runs_are_asked_for_back_to_the_month_or_the_week_before() {
        let mut request = request(10 * DAY, 11 * DAY, ReportBy::Day);
        assert_eq!(request.needs_from(), minute(0));
        request.now = minute(2 * DAY);
        assert_eq!(request.needs_from(), minute(-5 * DAY));
        request.from = minute(-90 * DAY);
        assert_eq!(request.needs_from(), minute(-90 * DAY));
    }

    #[test]
    fn the_table_and_the_csv_show_the_rows() {
        let groups = [
            history("web", two_days()),
            GroupHistory {
                group: GroupAddress::keyed("svc", "a,b"),
                ..history("", vec![run(0, 2 * DAY, 1, 0)])
            },
        ];
        let report = report(&groups, &request(0, 2 * DAY, ReportBy::Group));
        let table = render_table(&report);
        assert_eq!(table.header.len(), table.is_number.len());
        assert_eq!(
            table.rows,
            [
                [
                    "svc.a,b",
                    "4.80",
                    "48.00",
                    "0.00",
                    "1.00",
                    "1",
                    "0.00 (0 %)",
                    "0.00 (0 %)"
                ],
                [
                    "web",
                    "17.28",
                    "144.00",
                    "72.00",
                    "4.50",
                    "8",
                    "21.12 (55 %)",
                    "4.32 (20 %)"
                ],
            ]
        );
        assert_eq!(
            table.total.expect("two rows"),
            [
                "Total",
                "22.08",
                "192.00",
                "72.00",
                "5.50",
                "9",
                "21.12 (49 %)",
                "4.32 (16 %)"
            ]
        );
        let csv = render_csv(&report);
        let lines: Vec<_> = csv.lines().collect();
        assert_eq!(lines[0].split(',').count(), 13);
        assert_eq!(
            lines[1],
            r#""group.svc[""a,b""]",,4.80,48.00,0.00,1.00,1,4.80,0.00,4.80,0.00,0.00,0.00"#
        );
        assert_eq!(
            lines[2],
            "group.web,,17.28,144.00,72.00,4.50,8,38.40,21.12,21.60,4.32,0.00,0.00"
        );
    }

    #[test]
    fn the_report_is_read_back_from_its_json() {
        let report = report(
            &[history("web", two_days())],
            &request(0, 2 * DAY, ReportBy::Day),
        );
        let text = serde_json::to_string(&report).expect("JSON");
        assert_eq!(
            serde_json::from_str::<CostReport>(&text).expect("read"),
            report
        );
        assert!(
            text.contains(r#""day":"2026-11-01","cost_usd":9.6,"#),
            "{text}"
        );
    }

    proptest! {
        #[test]
        fn the_shown_rows_add_up_to_the_total_in_every_column_and_view(
            groups in prop::collection::vec(
                prop::collection::vec((1i64..700, 0u32..9, 0u32..9, 0.0f64..0.3), 1..12), 1..6)
        ) {
            let groups: Vec<_> = groups.into_iter().enumerate().map(|(i, steps)| {
                let mut at = 0;
                let runs = steps.into_iter().map(|(length, on_demand, spot, price)| {
                    let mut run = run(at, at + length, on_demand, spot);
                    run.sample.on_demand_usd_per_hour = Some(price);
                    run.sample.spot_usd_per_hour = Some(price / 3.0);
                    at += length;
                    run
                }).collect();
                history(&format!("g{i}"), runs)
            }).collect();
            let by = |by| report(&groups, &request(0, 9 * DAY, by));
            let (days, whole) = (by(ReportBy::Day), by(ReportBy::Group));
            prop_assert_eq!(days.total, whole.total);
            for report in [days, whole] {
                let columns: [fn(&CostFigures) -> f64; 8] = [
                    |f| f.cost_usd.unwrap_or(0.0),
                    |f| f.on_demand_hours,
                    |f| f.spot_hours,
                    |f| f.fixed_fleet_usd,
                    |f| f.saved_against_fixed_fleet_usd,
                    |f| f.all_on_demand_usd,
                    |f| f.saved_against_all_on_demand_usd,
                    |f| f.unobserved_hours,
                ];
                for (i, column) in columns.iter().enumerate() {
                    let hundredths = |f: &CostFigures| (column(f) * 100.0).round() as i64;
                    let sum: i64 = report.rows.iter().map(|row| hundredths(&row.figures)).sum();
                    prop_assert_eq!(sum, hundredths(&report.total), "column {}", i);
                }
            }
        }
    }
}
