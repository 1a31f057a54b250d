//! Views of a cost report: a plain table for the terminal, and CSV. Neither is parsed back.

use super::report::{CostFigures, CostReport, ReportBy};

/// A table as text, to be laid out by whoever prints it. Every row has as many cells as the header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CostTable {
    /// The names of the columns.
    pub header: Vec<&'static str>,
    /// Whether a column holds numbers, to be set right.
    pub is_number: Vec<bool>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
    /// The total; absent where there are fewer than two rows.
    pub total: Option<Vec<String>>,
}

/// The report's rows for people: dollars with two decimals, savings with their percentage.
pub fn render_table(report: &CostReport) -> CostTable {
    let by_day = report.by == ReportBy::Day;
    let mut header = vec!["Group"];
    if by_day {
        header.push("Day");
    }
    header.extend([
        "Cost USD",
        "On demand h",
        "Spot h",
        "Mean",
        "Peak",
        "Saved: fixed at peak",
        "Saved: all on demand",
    ]);
    let labels = header.len() - 7;
    let rows = report
        .rows
        .iter()
        .map(|row| {
            let mut cells = vec![row.group.short()];
            if by_day {
                cells.push(row.day.map(|day| day.to_string()).unwrap_or_default());
            }
            cells.extend(cells_of(&row.figures));
            cells
        })
        .collect::<Vec<_>>();
    let total = (rows.len() > 1).then(|| {
        let mut cells = vec!["Total".to_owned()];
        if by_day {
            cells.push(String::new());
        }
        cells.extend(cells_of(&report.total));
        cells
    });
    CostTable {
        is_number: (0..header.len()).map(|i| i >= labels).collect(),
        header,
        rows,
        total,
    }
}

fn cells_of(figures: &CostFigures) -> [String; 7] {
    let saved = |saved: f64, of: f64| match figures.cost_usd {
        None => "unknown".to_owned(),
        Some(_) if of > 0.0 => format!("{saved:.2} ({:.0} %)", saved / of * 100.0),
        Some(_) => format!("{saved:.2}"),
    };
    [
        figures
            .cost_usd
            .map_or_else(|| "unknown".to_owned(), |usd| format!("{usd:.2}")),
        format!("{:.2}", figures.on_demand_hours),
        format!("{:.2}", figures.spot_hours),
        figures
            .mean_instances
            .map_or_else(String::new, |mean| format!("{mean:.2}")),
        figures.peak_instances.to_string(),
        saved(
            figures.saved_against_fixed_fleet_usd,
            figures.fixed_fleet_usd,
        ),
        saved(
            figures.saved_against_all_on_demand_usd,
            figures.all_on_demand_usd,
        ),
    ]
}

/// The report's rows as CSV (RFC 4180, with a header, lines ending in a newline), without the total: whoever reads it
/// adds up. An unknown cost is an empty field.
pub fn render_csv(report: &CostReport) -> String {
    let mut text = String::from(
        "group,day,cost_usd,on_demand_hours,spot_hours,mean_instances,peak_instances,fixed_fleet_usd,\
         saved_against_fixed_fleet_usd,all_on_demand_usd,saved_against_all_on_demand_usd,unobserved_hours,\
         unpriced_hours\n",
    );
    for row in &report.rows {
        let f = &row.figures;
        let cents = |usd: f64| format!("{usd:.2}");
        let fields = [
            quoted(&row.group.to_string()),
            row.day.map(|day| day.to_string()).unwrap_or_default(),
            f.cost_usd.map(cents).unwrap_or_default(),
            cents(f.on_demand_hours),
            cents(f.spot_hours),
            f.mean_instances.map(cents).unwrap_or_default(),
            f.peak_instances.to_string(),
            cents(f.fixed_fleet_usd),
            cents(f.saved_against_fixed_fleet_usd),
            cents(f.all_on_demand_usd),
            cents(f.saved_against_all_on_demand_usd),
            cents(f.unobserved_hours),
            cents(f.unpriced_hours),
        ];
        text.push_str(&fields.join(","));
        text.push('\n');
    }
    text
}

fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
