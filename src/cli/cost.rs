//! `tideform cost`.

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use tideform_policies::model::{Budget, GroupAddress};
use tideform_state::{OpenMode, State};

use super::args::{GroupArgs, Moment, parse_moment};
use super::context::Context;
use super::error::CliError;
use super::output::{DIM, Table, YELLOW, paint};
use super::view;
use super::{CliResult, exit};
use crate::cost::{
    CostReport, GroupHistory, LedgerRules, ReportBy, ReportRequest, render_csv, render_table,
    report,
};

/// Report what the groups cost.
///
/// Reports what the groups cost, from the recorded capacity: cost, instance-hours, mean and peak capacity, savings
/// against a fixed fleet at peak and against all on demand, the budget used, and the month's projection.
#[derive(Args, Debug)]
pub(super) struct CostArgs {
    #[command(flatten)]
    groups: GroupArgs,

    /// From this time, or so long ago; default: 7 days
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = parse_moment)]
    since: Moment,

    /// Up to this time; default: now
    #[arg(long, value_name = "TIME", value_parser = parse_moment)]
    until: Option<Moment>,

    /// A row per group, or a row per group and day
    #[arg(long, value_enum, default_value = "group")]
    by: By,

    /// Print it as JSON
    #[arg(long, conflicts_with = "csv")]
    json: bool,

    /// Print it as CSV
    #[arg(long)]
    csv: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum By {
    Day,
    Group,
}

impl CostArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        let (_, state) = cx.last_state(None, OpenMode::ReadWrite)?;
        let now = cx.now_of(&state)?;
        let request = ReportRequest {
            from: self.since.before(now),
            to: self.until.map_or(now, |until| until.before(now)),
            by: match self.by {
                By::Day => ReportBy::Day,
                By::Group => ReportBy::Group,
            },
            now,
        };
        if request.from >= request.to {
            return Err(CliError::Usage(format!(
                "`--since` ({}) must be before `--until` ({})",
                view::time(request.from),
                view::time(request.to)
            )));
        }
        let histories = histories(&state, &self.groups, request.needs_from(), now)?;
        let report = report(&histories, &request);
        if self.json {
            cx.output.json(&report);
        } else if self.csv {
            cx.output.print(&render_csv(&report));
        } else {
            cx.output.print(&text(&report));
        }
        Ok(exit::WELL)
    }
}

/// What the state knows of the groups that are meant; those that left it are there as long as their samples are.
///
/// # Errors
/// The state cannot be read, or a pattern matches no group.
pub(super) fn histories(
    state: &State,
    groups: &GroupArgs,
    from: Timestamp,
    now: Timestamp,
) -> Result<Vec<GroupHistory>, CliError> {
    let applied = state.applied_groups()?;
    let mut all: Vec<GroupAddress> = applied.keys().cloned().collect();
    for sampled in state.sampled_groups()? {
        if !all.contains(&sampled) {
            all.push(sampled);
        }
    }
    let mut histories = Vec::new();
    for address in groups.select(&all)? {
        let policy = applied.get(&address).map(|applied| &applied.group.policy);
        let budget: Option<Budget> = policy.and_then(|policy| policy.budget.clone());
        histories.push(GroupHistory {
            runs: state.capacity_runs(&address, from, now)?,
            budget,
            rules: policy.map_or_else(LedgerRules::default, |policy| {
                LedgerRules::for_interval(policy.every)
            }),
            group: address,
        });
    }
    Ok(histories)
}

/// The report for people: the table, then the month of each group.
pub(super) fn text(report: &CostReport) -> String {
    if report.rows.is_empty() {
        return format!(
            "Nothing was recorded from {} to {}.\n",
            view::time(report.from),
            view::time(report.to)
        );
    }
    let cells = render_table(report);
    let headings: Vec<String> = cells
        .header
        .iter()
        .map(|name| name.to_uppercase())
        .collect();
    let mut table = Table::new(&headings.iter().map(String::as_str).collect::<Vec<_>>());
    for row in cells.rows {
        table.row(row);
    }
    if let Some(total) = cells.total {
        table.row(total);
    }
    let numbers: Vec<usize> = cells
        .is_number
        .iter()
        .enumerate()
        .filter(|(_, is_number)| **is_number)
        .map(|(column, _)| column)
        .collect();
    table.right(&numbers);
    let mut text = paint(
        DIM,
        format!("# {} to {}", view::time(report.from), view::time(report.to)),
    );
    text.push('\n');
    text.push_str(&table.render());
    for month in &report.months {
        let mut line = format!(
            "\n{}: {} in {}",
            month.group.short(),
            view::usd(month.spent_usd),
            month.month
        );
        if let Some(projected) = month.projected_usd {
            line.push_str(&format!(
                ", {} by its end at the pace of the last week",
                view::usd(projected)
            ));
        }
        if let Some(budget) = month.budget_usd {
            let used = 100.0 * month.spent_usd / budget.max(f64::MIN_POSITIVE);
            let words = format!("; {used:.0} % of the budget of {}", view::usd(budget));
            let is_over = month
                .projected_usd
                .is_some_and(|projected| projected > budget);
            line.push_str(&if is_over { paint(YELLOW, words) } else { words });
        }
        text.push_str(&line);
    }
    if !report.months.is_empty() {
        text.push('\n');
    }
    for note in &report.notes {
        text.push_str(&paint(DIM, note));
        text.push('\n');
    }
    text
}
