//! A report as text, in 80 columns. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use tideform_policies::model::units::format_duration;

use super::report::Report;

/// Where the second column begins.
const INDENT: usize = 17;
/// No line is longer.
const WIDTH: usize = 80;

/// The facts and the table of measures.
pub fn table(report: &Report) -> String {
    let m = &report.measures;
    let mut text = String::new();
    let mut row = |name: &str, lines: &[String]| {
        for (n, line) in lines.iter().enumerate() {
            let name = if n == 0 { name } else { "" };
            let _ = writeln!(text, "  {name:<width$}{line}", width = INDENT - 2);
        }
    };
    let mut cost = vec![format!("{} USD", grouped(m.cost_usd, 2))];
    if let Some(percent) = m.cost_of_fixed_percent() {
        cost.push(format!(
            "{percent:.1} % of a fleet fixed at the peak demand of {} ({} USD)",
            m.peak_demand,
            grouped(m.fixed_fleet_usd, 2)
        ));
        let instances = f64::from(m.peak_demand.div_ceil(report.world.weight.max(1)));
        let hours = m.duration_s / 3_600.0;
        let all_on_demand = instances * hours * report.world.on_demand_usd_per_hour;
        if (all_on_demand - m.fixed_fleet_usd).abs() >= 0.005 {
            cost.push(format!(
                "both with the group's mix; that fleet all on demand: {} USD",
                grouped(all_on_demand, 2)
            ));
        }
    }
    row("cost", &cost);
    let mut hours = format!("{} on demand", grouped(m.on_demand_hours, 1));
    if m.spot_hours > 0.0 {
        let _ = write!(hours, ", {} spot", grouped(m.spot_hours, 1));
    }
    row("instance-hours", &[hours]);
    let slo = report.slo_objective_percent;
    let verdict = if m.slo_attainment_percent >= slo {
        "kept"
    } else {
        "missed"
    };
    row(
        "SLO",
        &[
            format!(
                "{} % of minutes at or below {} % utilization",
                percent(m.slo_attainment_percent),
                report.slo_utilization_percent
            ),
            format!(
                "objective {slo} %: {verdict}, {} minutes short",
                grouped(m.short_minutes, 0)
            ),
        ],
    );
    row(
        "missing",
        &[format!(
            "{} unit-hours; {:.3} % of the load unserved",
            grouped(m.missing_unit_hours, 2),
            m.unserved_percent()
        )],
    );
    if m.peak_backlog > 0.0 {
        row(
            "backlog",
            &[format!(
                "mean {}, peak {}",
                grouped(m.mean_backlog, 1),
                grouped(m.peak_backlog, 0)
            )],
        );
    }
    row(
        "capacity",
        &[format!(
            "mean {:.1}, peak {}; demand mean {:.1}, peak {}",
            m.mean_capacity, m.peak_capacity, m.mean_demand, m.peak_demand
        )],
    );
    row(
        "changes",
        &[
            format!(
                "{:.1} a day: {} out, {} in",
                m.moves_per_day(),
                grouped(m.moves.out as f64, 0),
                grouped(m.moves.r#in as f64, 0)
            ),
            format!(
                "{} {} within 15 minutes",
                grouped(m.moves.reversals as f64, 0),
                match m.moves.reversals {
                    1 => "reversal",
                    _ => "reversals",
                }
            ),
        ],
    );
    if m.failed_launches + m.interruptions + m.breakdowns > 0 {
        row(
            "faults",
            &[format!(
                "{} launches failed, {} instances taken back, {} broken",
                grouped(m.failed_launches as f64, 0),
                grouped(m.interruptions as f64, 0),
                grouped(m.breakdowns as f64, 0)
            )],
        );
    }
    let e = &m.elasticity;
    let speedup = m
        .elastic_speedup
        .map_or("not defined".to_owned(), |s| format!("{s:.2}"));
    row(
        "elasticity",
        &[
            format!(
                "accuracy {:.2} % under, {:.2} % over",
                e.under_accuracy_percent, e.over_accuracy_percent
            ),
            format!(
                "time {:.2} % under, {:.2} % over",
                e.under_timeshare_percent, e.over_timeshare_percent
            ),
            format!(
                "instability {:.1} %, jitter {:.2} an hour, speedup {speedup}",
                e.instability_percent, e.jitter_per_hour
            ),
        ],
    );
    text.push('\n');
    text.push_str(&regret(report));
    for note in &report.notes {
        text.push('\n');
        wrap(&mut text, "  note:", 8, note);
    }
    text
}

fn regret(report: &Report) -> String {
    let mut text =
        String::from("  against the clairvoyant optimum (J = cost + penalty x what was missing)\n");
    let _ = writeln!(
        text,
        "  {:>7}  {:>16}  {:>16}  {:>7}  found by",
        "penalty", "policy, USD", "optimum, USD", "regret"
    );
    for of in &report.regret {
        let regret = of
            .regret
            .map_or("-".to_owned(), |regret| format!("{regret:.3}"));
        let method = of.method.split(',').next().unwrap_or(&of.method);
        let _ = writeln!(
            text,
            "  {:>7}  {:>16}  {:>16}  {regret:>7}  {method}{}",
            of.penalty,
            grouped(of.policy_usd, 2),
            grouped(of.optimum_usd, 2),
            if of.method.contains("bound") {
                ", a bound"
            } else {
                ""
            }
        );
    }
    text
}

/// The first line: what was simulated.
pub fn heading(report: &Report) -> String {
    let (trace, world) = (&report.trace, &report.world);
    let seconds = |s: f64| format_duration(Duration::from_secs_f64(s.max(0.0)));
    let minute = "%Y-%m-%d %H:%MZ";
    let mut text = format!(
        "group.{}   {} to {}\n",
        report.group,
        trace.start.strftime(minute),
        trace.end.strftime(minute),
    );
    let facts = format!(
        "{} {} of {}; decides every {}; boot {}, {} per second and unit",
        grouped(trace.steps as f64, 0),
        if trace.steps == 1 { "step" } else { "steps" },
        seconds(trace.step_s as f64),
        seconds(world.every_s),
        seconds((world.boot_s * 1000.0).round() / 1000.0),
        world.throughput,
    );
    wrap(&mut text, " ", 2, &facts);
    text
}

/// A text in lines of at most [`WIDTH`]: the first behind `begin`, the others behind so many spaces.
pub(super) fn wrap(text: &mut String, begin: &str, indent: usize, said: &str) {
    let mut length = begin.chars().count();
    text.push_str(begin);
    for word in said.split_whitespace() {
        if length + word.chars().count() + 1 > WIDTH && length > indent {
            let _ = write!(text, "\n{:width$}", "", width = indent - 1);
            length = indent - 1;
        }
        text.push(' ');
        text.push_str(word);
        length += word.chars().count() + 1;
    }
    text.push('\n');
}

/// As many decimals as it takes not to say 100 of what is not.
pub(super) fn percent(value: f64) -> String {
    for decimals in 2..6 {
        let said = format!("{value:.decimals$}");
        if value >= 100.0 || said.parse().is_ok_and(|said: f64| said < 100.0) {
            return said;
        }
    }
    "99.99999".to_owned()
}

/// `1,234,567.89`.
pub(super) fn grouped(value: f64, decimals: usize) -> String {
    let said = format!("{value:.decimals$}");
    let (whole, rest) = said.split_at(said.find('.').unwrap_or(said.len()));
    let (sign, digits) = whole
        .strip_prefix('-')
        .map_or(("", whole), |digits| ("-", digits));
    let mut out = String::from(sign);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_no_share_below_100_is_called_100() {
        for (value, decimals, said) in [
            (0.0, 2, "0.00"),
            (999.0, 0, "999"),
            (1_000.0, 0, "1,000"),
            (1_234_567.891, 2, "1,234,567.89"),
            (-1_234.5, 1, "-1,234.5"),
        ] {
            assert_eq!(grouped(value, decimals), said);
        }
        for (value, said) in [
            (99.5, "99.50"),
            (99.996, "99.996"),
            (99.999_999, "99.99999"),
            (100.0, "100.00"),
        ] {
            assert_eq!(percent(value), said);
        }
    }

    #[test]
    fn notes_are_wrapped_at_80_columns() {
        let mut text = String::new();
        wrap(
            &mut text,
            "  note:",
            8,
            &"a word of some length ".repeat(12),
        );
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
        assert!(text.lines().count() > 3);
    }
}
