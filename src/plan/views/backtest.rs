//! The backtest of a group, as the text and the Markdown view share it.

use std::time::Duration;

use tideform_policies::model::units::format_duration;

use crate::backtest::{Figures, LoadFacts, Played, SHOWN_PENALTY};
use crate::plan::gates::Verdict;
use crate::plan::types::{GroupPlan, Plan, PlannedChange};

/// The columns after the first.
pub(super) const HEAD: [&str; 7] = [
    "HOURS",
    "USD/MONTH",
    "SLO %",
    "SHORT MIN",
    "ACTIONS/DAY",
    "FLAPS",
    "REGRET",
];

/// The width of the first column.
const WHOSE: usize = 7;
/// What 80 columns leave behind the indent.
const WIDTH: usize = 74;

/// A row: whose, then its cells.
pub(super) type Row = (&'static str, [String; 7]);

/// Whether one line is enough: nothing differs, the SLO that measures both is the old one, and no gate stops the group.
pub(super) fn is_one_line(plan: &Plan, group: &GroupPlan, played: &Played) -> bool {
    let is_slo = |change: &PlannedChange| change.path.starts_with("slo.");
    let is_about = |verdict: &Verdict| verdict.stops() && verdict.group == group.address;
    played.is_same() && !group.changes.iter().any(is_slo) && !plan.verdicts.iter().any(is_about)
}

/// Now, planned, optimum.
pub(super) fn rows(played: &Played) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    rows.extend(played.now.iter().map(|now| ("now", cells(now))));
    rows.push(("planned", cells(&played.planned)));
    if let Some(best) = played.optimum.get(SHOWN_PENALTY) {
        let none = || "-".to_owned();
        rows.push((
            "optimum",
            [
                format!("{:.1}", best.instance_hours),
                usd(best.cost_usd_per_month),
                format!("{:.3}", best.slo_percent),
                minutes(best.short_minutes),
                none(),
                none(),
                "1.00".to_owned(),
            ],
        ));
    }
    rows
}

fn cells(figures: &Figures) -> [String; 7] {
    let regret = figures.regret.get(SHOWN_PENALTY).copied().flatten();
    [
        format!("{:.1}", figures.instance_hours),
        usd(figures.cost_usd_per_month),
        format!("{:.3}", figures.slo_percent),
        minutes(figures.short_minutes),
        format!("{:.1}", figures.actions_per_day),
        figures.flapping.to_string(),
        regret.map_or_else(|| "-".to_owned(), |regret| format!("{regret:.2}")),
    ]
}

fn usd(usd: Option<f64>) -> String {
    usd.map_or_else(|| "-".to_owned(), |usd| format!("{usd:.2}"))
}

fn minutes(minutes: f64) -> String {
    if minutes.fract() == 0.0 {
        format!("{minutes:.0}")
    } else {
        format!("{minutes:.1}")
    }
}

/// ``13d of `cpu`, 2026-01-05 00:00Z to 2026-01-18 00:00Z``; of one day the date is said once.
pub(super) fn load(load: &LoadFacts) -> String {
    let length = Duration::from_secs(load.step_s * load.steps as u64);
    let date = |at: jiff::Timestamp| at.strftime("%Y-%m-%d").to_string();
    let time = |at: jiff::Timestamp| at.strftime("%H:%MZ").to_string();
    let (start, end) = (date(load.start), date(load.end));
    let end = if start == end {
        String::new()
    } else {
        format!("{end} ")
    };
    format!(
        "{} of {}, {start} {} to {end}{}",
        format_duration(length),
        load.source,
        time(load.start),
        time(load.end)
    )
}

/// The rows under their head, each column as wide as it must be.
pub(super) fn table(rows: &[Row]) -> Vec<String> {
    let mut widths = HEAD.map(str::len);
    for (_, cells) in rows {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.len());
        }
    }
    // Long numbers keep to the line, closer together.
    let wide = widths.iter().map(|width| width + 2).sum::<usize>() + WHOSE;
    let gap = if wide > WIDTH { " " } else { "  " };
    let line = |whose: &str, cells: Vec<&str>| {
        let mut line = format!("{whose:<WHOSE$}");
        for (width, cell) in widths.iter().zip(cells) {
            line.push_str(&format!("{gap}{cell:>width$}"));
        }
        line
    };
    let head = line("", HEAD.to_vec());
    let rows = rows
        .iter()
        .map(|(whose, cells)| line(whose, cells.iter().map(String::as_str).collect()));
    std::iter::once(head).chain(rows).collect()
}
