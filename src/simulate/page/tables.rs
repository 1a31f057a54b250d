//! The page's cards and tables.

use std::fmt::Write as _;

use super::html::{escaped, moment, span};
use super::record::{Decided, Record};
use crate::engine::explain::Line;
use crate::simulate::compare::{Comparison, Row};
use crate::simulate::render::{grouped, percent};
use crate::simulate::report::{Regret, Report};

/// Moments that the lists of the worst name.
const MOST_MOMENTS: usize = 8;
/// From so many characters on a card's value is written smaller.
const LONG: usize = 11;
/// The width of a bar in the comparison, in pixels.
const BAR: f64 = 64.0;
/// The penalty that the headline is about.
pub(super) const SHOWN_PENALTY: f64 = 10.0;

/// The regret at the penalty that the headline is about.
pub(super) fn shown(report: &Report) -> Option<&Regret> {
    let of = report.regret.iter();
    of.clone()
        .find(|of| of.penalty == SHOWN_PENALTY)
        .or_else(|| of.clone().next())
}

fn regret_of(of: &Regret) -> String {
    of.regret
        .map_or("none".to_owned(), |regret| format!("{regret:.2}"))
}

fn card(name: &str, value: &str, unit: &str, notes: &[String], class: &str) -> String {
    let notes: String = notes
        .iter()
        .map(|note| format!("<p>{}</p>", escaped(note)))
        .collect();
    format!(
        r#"<div class="card {class}"><h3>{}</h3><p class="value{}">{}<span>{}</span></p>{notes}</div>"#,
        escaped(name),
        if value.len() + unit.len() > LONG {
            " is-long"
        } else {
            ""
        },
        escaped(value),
        escaped(unit)
    )
}

/// The headline in a sentence.
pub(super) fn verdict(report: &Report) -> String {
    let m = &report.measures;
    let cost = match shown(report) {
        Some(of) if of.optimum_cost_usd > 0.0 => {
            let more = (m.cost_usd / of.optimum_cost_usd - 1.0) * 100.0;
            let more = if more.abs() < 0.5 {
                "as much as".to_owned()
            } else if more > 0.0 {
                format!("{more:.0} % more than")
            } else {
                format!("{:.0} % less than", -more)
            };
            format!("It paid {more} the best possible fleet")
        }
        Some(_) | None => format!("It paid {} USD", grouped(m.cost_usd, 2)),
    };
    let short = match m.short_minutes.ceil() {
        minutes if minutes <= 0.0 => "was never short of capacity".to_owned(),
        1.0 => "was short of capacity for 1 minute".to_owned(),
        minutes => format!("was short of capacity for {} minutes", grouped(minutes, 0)),
    };
    let slo = report.slo_objective_percent;
    let kept = if m.slo_attainment_percent >= slo {
        "kept"
    } else {
        "missed"
    };
    format!("{cost}, {short}, and {kept} its SLO of {slo} %.")
}

/// The cards of the headline.
pub(super) fn cards(report: &Report, record: &Record) -> String {
    let m = &report.measures;
    let mut out = String::new();
    if let Some(of) = shown(report) {
        let others = report
            .regret
            .iter()
            .filter(|other| other.penalty != of.penalty);
        let others: Vec<String> = others
            .map(|other| format!("{} at {}", regret_of(other), other.penalty))
            .collect();
        let notes = [
            format!("at a penalty of {}; {}", of.penalty, others.join(", ")),
            "1 is the best that anybody could do".to_owned(),
        ];
        out += &card("Regret", &regret_of(of), "", &notes, "is-first");
        let mut notes = vec![format!("optimum {} USD", grouped(of.optimum_cost_usd, 2))];
        if let Some(percent) = m.cost_of_fixed_percent() {
            notes.push(format!("{percent:.0} % of a fleet fixed at peak"));
        }
        out += &card("Cost", &grouped(m.cost_usd, 2), " USD", &notes, "");
    }
    let longest = record.shorts.iter().map(|short| short.length_ms()).max();
    let notes = match longest {
        Some(longest) => vec![
            format!(
                "{} {}, the longest {}",
                grouped(record.shorts.len() as f64, 0),
                if record.shorts.len() == 1 {
                    "period"
                } else {
                    "periods"
                },
                span(longest)
            ),
            format!("{} unit-hours missing", grouped(m.missing_unit_hours, 2)),
        ],
        None => vec!["capacity was always enough".to_owned()],
    };
    out += &card("Short", &grouped(m.short_minutes, 0), " min", &notes, "");
    let is_kept = m.slo_attainment_percent >= report.slo_objective_percent;
    let verdict = if is_kept { "✓ kept" } else { "✕ missed" };
    let notes = [
        format!("{verdict}: objective {} %", report.slo_objective_percent),
        format!(
            "of minutes at or below {} % utilization",
            report.slo_utilization_percent
        ),
    ];
    let class = if is_kept { "is-kept" } else { "is-missed" };
    out += &card(
        "SLO",
        &percent(m.slo_attainment_percent),
        " %",
        &notes,
        class,
    );
    let notes = [
        format!(
            "{} out, {} in",
            grouped(m.moves.out as f64, 0),
            grouped(m.moves.r#in as f64, 0)
        ),
        format!(
            "{} reversed within 15 minutes",
            grouped(m.moves.reversals as f64, 0)
        ),
    ];
    out += &card(
        "Changes",
        &format!("{:.1}", m.moves_per_day()),
        " a day",
        &notes,
        "",
    );
    out
}

/// Rows of name, value, meaning.
fn measure_rows(report: &Report) -> Vec<(&'static str, String, String)> {
    let m = &report.measures;
    let e = &m.elasticity;
    let slo = report.slo_utilization_percent;
    let mut rows: Vec<(&str, String, String)> = vec![
        (
            "Cost",
            format!("{} USD", grouped(m.cost_usd, 2)),
            "What all instances cost, each from launch to the end of its drain, a minute at least."
                .to_owned(),
        ),
        (
            "Fixed fleet",
            format!("{} USD", grouped(m.fixed_fleet_usd, 2)),
            format!(
                "What a fleet fixed at the peak demand of {} units would have cost, with the group's mix.",
                m.peak_demand
            ),
        ),
        (
            "Instance-hours",
            format!(
                "{} on demand, {} spot",
                grouped(m.on_demand_hours, 1),
                grouped(m.spot_hours, 1)
            ),
            "Hours that are paid for.".to_owned(),
        ),
        (
            "Short",
            format!("{} minutes", grouped(m.short_minutes, 0)),
            format!(
                "Minutes in which utilization was above the SLO's {slo} %: less was in service than the load needed."
            ),
        ),
        (
            "SLO attainment",
            format!("{} %", percent(m.slo_attainment_percent)),
            format!(
                "The share of the other minutes. The objective is {} %.",
                report.slo_objective_percent
            ),
        ),
        (
            "Missing",
            format!("{} unit-hours", grouped(m.missing_unit_hours, 2)),
            "Units needed and not in service, summed over time.".to_owned(),
        ),
        (
            "Unserved",
            format!("{:.3} %", m.unserved_percent()),
            "The share of all load that was above what the units in service carry.".to_owned(),
        ),
    ];
    if m.peak_backlog > 0.0 {
        rows.push((
            "Backlog",
            format!(
                "mean {}, peak {}",
                grouped(m.mean_backlog, 1),
                grouped(m.peak_backlog, 0)
            ),
            "Jobs that waited.".to_owned(),
        ));
    }
    rows.extend([
        (
            "Capacity",
            format!("mean {:.1}, peak {}", m.mean_capacity, m.peak_capacity),
            "Units in service.".to_owned(),
        ),
        (
            "Demand",
            format!("mean {:.1}, peak {}", m.mean_demand, m.peak_demand),
            format!("Units that the load needs to stay at or below {slo} % utilization."),
        ),
        (
            "Changes",
            format!("{:.1} a day", m.moves_per_day()),
            format!("How often the capacity asked for changed: {} times out, {} in.", m.moves.out, m.moves.r#in),
        ),
        (
            "Reversals",
            grouped(m.moves.reversals as f64, 0),
            "Changes in the other direction than the one before, within 15 minutes of it: flapping.".to_owned(),
        ),
        (
            "Launches",
            grouped(m.launches as f64, 0),
            format!("Instances started. {} launches failed, {} instances were taken back, {} broke.", m.failed_launches, m.interruptions, m.breakdowns),
        ),
        (
            "Accuracy, under",
            format!("{:.2} %", e.under_accuracy_percent),
            "θU: what was missing as a share of the demand, mean over time. 0 is best.".to_owned(),
        ),
        (
            "Accuracy, over",
            format!("{:.2} %", e.over_accuracy_percent),
            "θO: what was too much as a share of the demand, mean over time. 0 is best.".to_owned(),
        ),
        (
            "Time, under",
            format!("{:.2} %", e.under_timeshare_percent),
            "τU: the share of time in which anything was missing.".to_owned(),
        ),
        (
            "Time, over",
            format!("{:.2} %", e.over_timeshare_percent),
            "τO: the share of time in which anything was too much.".to_owned(),
        ),
        (
            "Instability",
            format!("{:.1} %", e.instability_percent),
            "υ: the share of steps in which demand and capacity moved differently.".to_owned(),
        ),
        (
            "Jitter",
            format!("{:.2} an hour", e.jitter_per_hour),
            "How many more times capacity changed than demand did; below 0, fewer.".to_owned(),
        ),
        (
            "Elastic speedup",
            m.elastic_speedup.map_or("not defined".to_owned(), |s| format!("{s:.2}")),
            "ε: by how much better than a fleet fixed at the mean demand. Above 1 scaling helped.".to_owned(),
        ),
    ]);
    rows
}

/// All measures with what they mean.
pub(super) fn measures(report: &Report) -> String {
    let rows: String = measure_rows(report)
        .into_iter()
        .map(|(name, value, meaning)| {
            format!(
                r#"<tr><th scope="row">{}</th><td class="number">{}</td><td class="meaning">{}</td></tr>"#,
                escaped(name),
                escaped(&value),
                escaped(&meaning)
            )
        })
        .collect();
    format!(
        r#"<table class="measures"><caption class="unseen">Measures</caption><thead><tr><th scope="col">Measure</th><th scope="col" class="number">Value</th><th scope="col">Meaning</th></tr></thead><tbody>{rows}</tbody></table>"#
    )
}

/// Against the optimum, at each penalty.
pub(super) fn regrets(report: &Report) -> String {
    let rows: String = report
        .regret
        .iter()
        .map(|of| {
            format!(
                r#"<tr><th scope="row" class="number">{}</th><td class="number">{}</td><td class="number">{}</td><td class="number">{}</td><td class="number">{}</td><td class="number strong">{}</td><td>{}</td></tr>"#,
                of.penalty,
                grouped(of.policy_usd, 2),
                grouped(of.optimum_usd, 2),
                grouped(of.optimum_cost_usd, 2),
                grouped(of.optimum_missing_unit_hours, 2),
                regret_of(of),
                escaped(&of.method)
            )
        })
        .collect();
    let heads = [
        ("Penalty", true),
        ("J of the policy, USD", true),
        ("J of the optimum, USD", true),
        ("its cost, USD", true),
        ("its missing unit-hours", true),
        ("Regret", true),
        ("Found by", false),
    ];
    format!(
        r#"<table><caption class="unseen">Against the clairvoyant optimum</caption><thead><tr>{}</tr></thead><tbody>{rows}</tbody></table>"#,
        heading(&heads)
    )
}

fn heading(names: &[(&str, bool)]) -> String {
    names
        .iter()
        .map(|(name, is_number)| {
            let class = if *is_number { r#" class="number""# } else { "" };
            format!(r#"<th scope="col"{class}>{}</th>"#, escaped(name))
        })
        .collect()
}

fn compared_row(row: &Row, worst: f64, is_own: bool) -> String {
    let m = &row.measures;
    let regrets: String = row
        .regret
        .iter()
        .map(|of| {
            let bar = match of.regret {
                Some(regret) if of.penalty == SHOWN_PENALTY && worst > 0.0 => format!(
                    r#"<svg class="bar" aria-hidden="true" width="{BAR}" height="10"><rect width="{:.1}" height="10"/></svg>"#,
                    (regret / worst).clamp(0.0, 1.0) * BAR
                ),
                _ => String::new(),
            };
            format!(r#"<td class="number">{bar}{}</td>"#, regret_of(of))
        })
        .collect();
    let numbers: String = [
        grouped(m.cost_usd, 2),
        grouped(m.on_demand_hours + m.spot_hours, 0),
        grouped(m.missing_unit_hours, 2),
        percent(m.slo_attainment_percent),
        grouped(m.short_minutes, 0),
        format!("{:.1}", m.moves_per_day()),
        grouped(m.moves.reversals as f64, 0),
    ]
    .iter()
    .map(|number| format!(r#"<td class="number">{number}</td>"#))
    .collect();
    format!(
        r#"<tr{}><th scope="row">{}</th>{regrets}{numbers}</tr>"#,
        if is_own { r#" class="own""# } else { "" },
        escaped(&row.name),
    )
}

/// What others would have done.
pub(super) fn compared(comparison: &Comparison) -> String {
    let worst = comparison
        .rows
        .iter()
        .flat_map(|row| &row.regret)
        .filter(|of| of.penalty == SHOWN_PENALTY)
        .filter_map(|of| of.regret)
        .fold(0.0, f64::max);
    let rows: String = comparison
        .rows
        .iter()
        .enumerate()
        .map(|(place, row)| compared_row(row, worst, place == 0))
        .collect();
    let penalties: Vec<String> = comparison
        .rows
        .first()
        .map(|row| {
            let of = row.regret.iter();
            of.map(|of| format!("Regret at {}", of.penalty)).collect()
        })
        .unwrap_or_default();
    let mut heads: Vec<(&str, bool)> = vec![("Scaler", false)];
    heads.extend(penalties.iter().map(|name| (name.as_str(), true)));
    heads.extend([
        ("Cost, USD", true),
        ("Instance-hours", true),
        ("Missing unit-hours", true),
        ("SLO, %", true),
        ("Short minutes", true),
        ("Changes a day", true),
        ("Reversals", true),
    ]);
    format!(
        r#"<table class="compared"><caption>The same load and world, all in steps of {} s</caption><thead><tr>{}</tr></thead><tbody>{rows}</tbody></table>"#,
        comparison.step_s,
        heading(&heads)
    )
}

/// How the others were set.
pub(super) fn settings(comparison: &Comparison) -> String {
    let mut out = String::from(r#"<dl class="peers">"#);
    for row in comparison.rows.iter().skip(1) {
        let _ = write!(
            out,
            "<div><dt>{}</dt><dd>{}</dd></div>",
            escaped(&row.name),
            escaped(&row.settings)
        );
    }
    out + "</dl>"
}

/// Reasons as a list.
fn reasons(lines: &[Line]) -> String {
    let mut out = String::from(r#"<dl class="why">"#);
    for line in lines {
        let _ = write!(
            out,
            "<div><dt>{}</dt><dd>{}</dd></div>",
            escaped(&line.subject),
            escaped(&line.text)
        );
    }
    out + "</dl>"
}

fn arrow(of: &Decided) -> String {
    if of.from == of.to {
        format!("{} (hold)", of.from)
    } else {
        format!("{} → {}", of.from, of.to)
    }
}

/// A moment in a list: when, what, and why.
fn told(when: &str, what: &str, detail: &str, decided: &str) -> String {
    format!(
        r#"<li><p class="when">{}</p><p class="what">{} <span>{}</span></p>{decided}</li>"#,
        escaped(when),
        escaped(what),
        escaped(detail)
    )
}

/// The periods in which most was missing, with what was decided then.
pub(super) fn shorts(report: &Report, record: &Record) -> String {
    if record.shorts.is_empty() {
        return r#"<p>Nowhere: what was in service was always enough.</p>"#.to_owned();
    }
    let mut worst: Vec<_> = record.shorts.iter().collect();
    worst.sort_by_key(|of| (std::cmp::Reverse(of.missing_unit_ms), of.from_ms));
    let items: String = worst
        .iter()
        .take(MOST_MOMENTS)
        .map(|short| {
            let decided = match &short.decided {
                Some(decided) => format!(
                    r#"<p class="then">First decision after it began, {}: {}</p>{}"#,
                    moment(report.trace.start, decided.at_ms),
                    escaped(&arrow(decided)),
                    reasons(&decided.why)
                ),
                None => r#"<p class="then">It was over before the next decision.</p>"#.to_owned(),
            };
            told(
                &format!("{} UTC", moment(report.trace.start, short.from_ms)),
                &format!("⚠ short for {}", span(short.length_ms())),
                &format!(
                    "{} missing at most, {} unit-hours",
                    short.most_missing,
                    grouped(short.missing_unit_hours(), 2)
                ),
                &decided,
            )
        })
        .collect();
    let intro = listed(
        "short period",
        record.shorts.len(),
        "in which most was missing",
    );
    format!(r#"<p>{intro}</p><ol class="moments">{items}</ol>"#)
}

fn listed(what: &str, n: usize, worst: &str) -> String {
    if n > MOST_MOMENTS {
        format!(
            "The {MOST_MOMENTS} of {} {what}s {worst}, the largest first.",
            grouped(n as f64, 0)
        )
    } else if n == 1 {
        format!("The only {what}.")
    } else {
        format!("All {n} {what}s, the largest first.")
    }
}

/// The largest changes, with their reasons.
pub(super) fn changes(report: &Report, record: &Record) -> String {
    if record.changes.is_empty() {
        return r#"<p>The capacity asked for never changed.</p>"#.to_owned();
    }
    let mut largest: Vec<&Decided> = record.changes.iter().collect();
    largest.sort_by_key(|of| (std::cmp::Reverse(of.size()), of.at_ms));
    let items: String = largest
        .iter()
        .take(MOST_MOMENTS)
        .map(|change| {
            let (mark, way) = if change.to > change.from {
                ("▲", "out")
            } else {
                ("▼", "in")
            };
            told(
                &format!("{} UTC", moment(report.trace.start, change.at_ms)),
                &format!("{mark} {}", arrow(change)),
                &format!("scale {way} by {}", change.size()),
                &reasons(&change.why),
            )
        })
        .collect();
    let intro = listed("change", record.changes.len(), "of the capacity asked for");
    format!(
        r#"<p>{intro} Reasons are in the words of <code>tideform explain</code>.</p><ol class="moments">{items}</ol>"#
    )
}
