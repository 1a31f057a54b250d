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
