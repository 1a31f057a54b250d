//! An analysis as text, 80 columns wide.

use std::fmt::Write as _;

use super::advice::time;
use super::{Analysis, Anomaly, Kind};

const WIDTH: usize = 80;
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
/// So many of a list are shown; the JSON form has all.
const SHOWN: usize = 5;

/// The analysis for people.
pub fn render(analysis: &Analysis) -> String {
    let mut text = Text::default();
    trace(&mut text, analysis);
    level(&mut text, analysis);
    day(&mut text, analysis);
    week(&mut text, analysis);
    trend(&mut text, analysis);
    spikes(&mut text, analysis);
    anomalies(&mut text, analysis);
    bursts(&mut text, analysis);
    predictability(&mut text, analysis);
    replay(&mut text, analysis);
    advice(&mut text, analysis);
    text.out
}

#[derive(Default)]
struct Text {
    out: String,
}

impl Text {
    fn section(&mut self, name: &str) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out.push_str(name);
        self.out.push('\n');
    }

    fn line(&mut self, line: &str) {
        let _ = writeln!(self.out, "  {line}");
    }

    /// Words in lines of at most 80 columns, the first with a mark before it.
    fn wrap(&mut self, mark: &str, words: &str) {
        let mut line = format!("  {mark}");
        let indent = line.chars().count();
        let mut is_empty = true;
        for word in words.split(' ') {
            let fits = line.chars().count() + 1 + word.chars().count() <= WIDTH;
            if !is_empty && !fits {
                self.out.push_str(&line);
                self.out.push('\n');
                line = " ".repeat(indent);
                is_empty = true;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
            is_empty = false;
        }
        self.out.push_str(&line);
        self.out.push('\n');
    }
}

fn trace(text: &mut Text, analysis: &Analysis) {
    let span = &analysis.trace;
    text.section("Trace");
    let days = (span.steps as u64 * span.step_s) as f64 / 86_400.0;
    text.line(&format!("{} to {}, {days:.1} days", span.from, span.to));
    text.line(&format!(
        "{} steps of {}; hours and days in {}",
        span.steps,
        time(span.step_s),
        span.timezone
    ));
}

fn level(text: &mut Text, analysis: &Analysis) {
    let level = &analysis.level;
    text.section("Level");
    text.line(&format!(
        "base {}   mean {}   median {}   p95 {}   p99.9 {}   peak {}",
        number(level.base),
        number(level.mean),
        number(level.p50),
        number(level.p95),
        number(level.p999),
        number(level.max)
    ));
    let mut rest = format!(
        "peak to mean {:.1}   variation {:.0} %",
        level.peak_to_mean,
        100.0 * level.variation
    );
    if level.zeros_percent > 0.0 {
        let _ = write!(rest, "   no load {:.1} % of the time", level.zeros_percent);
    }
    text.line(&rest);
}

fn day(text: &mut Text, analysis: &Analysis) {
    text.section("Day");
    let Some(daily) = &analysis.daily else {
        text.line("not known: the trace is shorter than two days");
        return;
    };
    text.line(&format!(
        "{}: the hour explains {:.0} %; {}",
        strength(daily.strength),
        100.0 * daily.strength,
        correlation(analysis.autocorrelation.day, "day")
    ));
    let top = largest(&daily.hours);
    const ROWS: usize = 6;
    for row in (1..=ROWS).rev() {
        let mut bars = String::new();
        for mean in &daily.hours {
            bars.push(block(mean.unwrap_or(0.0) / top, row, ROWS));
            bars.push(block(mean.unwrap_or(0.0) / top, row, ROWS));
        }
        let label = match row {
            ROWS => number(top),
            1 => "0".to_owned(),
            _ => String::new(),
        };
        text.line(format!("{label:>9} {bars}").trim_end());
    }
    text.line(&format!(
        "{:>9} {}",
        "", "0     3     6     9     12    15    18    21"
    ));
    text.line(&format!(
        "busiest at {:02}:00, quietest at {:02}:00",
        daily.peak_hour, daily.quiet_hour
    ));
}

fn week(text: &mut Text, analysis: &Analysis) {
    text.section("Week");
    let Some(weekly) = &analysis.weekly else {
        text.line("not known: the trace is shorter than two weeks");
        text.line(&correlation(analysis.autocorrelation.week, "week"));
        return;
    };
    text.line(&format!(
        "the hour of the week explains {:.0} %; {}",
        100.0 * weekly.strength,
        correlation(analysis.autocorrelation.week, "week")
    ));
    let top = largest(&weekly.weekdays);
    for (name, mean) in WEEKDAYS.iter().zip(weekly.weekdays) {
        let mean = mean.unwrap_or(0.0);
        text.line(format!("{name} {:<40} {}", bar(mean / top, 40), number(mean)).trim_end());
    }
}

fn trend(text: &mut Text, analysis: &Analysis) {
    text.section("Trend");
    let Some(trend) = &analysis.trend else {
        text.line("not known: the trace is shorter than two weeks");
        return;
    };
    text.line(&format!(
        "{}: {:+.1} % a week; the last week is {:.2} times the first",
        if trend.is_clear {
            "clear"
        } else {
            "none that is clear"
        },
        trend.percent_per_week,
        trend.last_to_first_week
    ));
    if let Some(shift) = &trend.shift {
        text.line(&format!(
            "since {} at another level: {} before, {} after",
            shift.date,
            number(shift.before),
            number(shift.after)
        ));
    }
}

fn spikes(text: &mut Text, analysis: &Analysis) {
    let spikes = &analysis.spikes;
    text.section("Spikes");
    if spikes.count == 0 {
        text.line("none: load is never twice what is to be expected");
        return;
    }
    text.line(&format!(
        "{}, {:.1} a week; half reach x{:.1} of what is to be expected or more,",
        spikes.count, spikes.per_week, spikes.median_magnitude
    ));
    text.line(&format!(
        "take {} to their top or longer, and last {} or longer",
        time(spikes.median_rise_s),
        time(spikes.median_length_s)
    ));
    if let Some(recurring) = &spikes.recurring {
        text.line(&format!(
            "they come back: around {:02}:{:02} on {} of {} days",
            recurring.minute_of_day / 60,
            recurring.minute_of_day % 60,
            recurring.days,
            recurring.of_days
        ));
    }
    for spike in spikes.largest.iter().take(SHOWN) {
        text.line(&format!(
            "{}  x{:<7.1} {} against {}, for {}",
            spike.peak_at,
            spike.magnitude,
            number(spike.peak),
            number(spike.baseline),
            time(spike.length_s)
        ));
    }
}

fn anomalies(text: &mut Text, analysis: &Analysis) {
    text.section("Anomalies");
    if analysis.anomalies.is_empty() {
        text.line("none: no day is far from its like");
        return;
    }
    for anomaly in analysis.anomalies.iter().take(2 * SHOWN) {
        match anomaly {
            Anomaly::Day {
                date,
                mean,
                expected,
            } => text.line(&format!(
                "{date} {}  {:+.0} %: {} against {}",
                WEEKDAYS
                    .get(date.weekday().to_monday_zero_offset() as usize)
                    .copied()
                    .unwrap_or_default(),
                100.0 * (mean / expected - 1.0),
                number(*mean),
                number(*expected)
            )),
            Anomaly::Silence { date, hour, hours } => text.line(&format!(
                "{date} from {hour:02}:00  hardly any load for {hours}h"
            )),
        }
    }
    let more = analysis.anomalies.len().saturating_sub(2 * SHOWN);
    if more > 0 {
        text.line(&format!("and {more} more, in the JSON form"));
    }
}

fn bursts(text: &mut Text, analysis: &Analysis) {
    let bursts = &analysis.bursts;
    text.section("Bursts");
    text.line(&format!(
        "within {} (a boot is {}) load rises by x{:.2} or less 99 % of the time,",
        time(bursts.window_s),
        time(bursts.boot_s),
        bursts.rise_p99
    ));
    text.line(&format!(
        "x{:.2} or less 99.9 % of the time, and x{:.1} at most",
        bursts.rise_p999, bursts.rise_max
    ));
}

fn predictability(text: &mut Text, analysis: &Analysis) {
    let Some(predictability) = &analysis.predictability else {
        text.section("Predictability");
        text.line("not known: it takes three days");
        return;
    };
    text.section(&format!("Predictability (from {} on)", predictability.from));
    text.line("error in % of the load   as now   day before   week before   season at level");
    for horizon in &predictability.horizons {
        text.line(&format!(
            "{:<22} {:>8.1} {:>12.1} {:>13} {:>17.1}",
            format!("{} ahead", time(horizon.ahead_s)),
            horizon.naive_percent,
            horizon.day_before_percent,
            horizon
                .week_before_percent
                .map_or_else(|| "-".to_owned(), |percent| format!("{percent:.1}")),
            horizon.season_percent
        ));
    }
}

fn replay(text: &mut Text, analysis: &Analysis) {
    let Some(replay) = &analysis.replay else {
        return;
    };
    text.section(&format!(
        "Kinds of policy (a sketch, from {} on)",
        replay.from
    ));
    text.line(&format!(
        "an instance carries {}{}; missing one costs {:.0} of its prices",
        number(replay.load_per_instance),
        if replay.is_assumed { ", assumed" } else { "" },
        replay.penalty
    ));
    text.line("kind             target  hold   regret   hours of fixed   missing      short");
    for played in &replay.kinds {
        text.line(&format!(
            "{:<15} {:>7} {:>5} {:>8.2} {:>14.0} % {:>7.2} % {:>8.2} %{}",
            played.kind.name(),
            played
                .target_percent
                .map_or_else(|| "-".to_owned(), |target| format!("{target} %")),
            played.hold_s.map_or_else(|| "-".to_owned(), time),
            played.regret,
            played.percent_of_fixed,
            played.missing_percent,
            played.short_percent,
            if played.kind == analysis.advice.kind {
                " <"
            } else {
                ""
            }
        ));
    }
    text.line(&format!(
        "{:<15} {:>7} {:>5} {:>8.2} {:>14.0} %",
        "optimum", "-", "-", 1.0, replay.optimum_percent_of_fixed
    ));
}

fn advice(text: &mut Text, analysis: &Analysis) {
    let advice = &analysis.advice;
    text.section(&format!(
        "Advice: {}",
        match advice.kind {
            Kind::FixedFleet => "a fixed fleet",
            Kind::TargetTracking => "target tracking",
            Kind::Steps => "step scaling",
            Kind::Schedule => "target tracking, with a schedule",
            Kind::Forecast => "target tracking, with a forecast",
        }
    ));
    for line in &advice.because {
        text.wrap("- ", line);
    }
    if !advice.beware.is_empty() {
        text.section("Beware");
        for line in &advice.beware {
            text.wrap("- ", line);
        }
    }
    text.section("A policy to begin with");
    for line in advice.policy.lines() {
        if line.is_empty() {
            text.out.push('\n');
        } else {
            text.line(line);
        }
    }
}

/// A load, short enough for a line of six.
fn number(value: f64) -> String {
    let short = |unit: f64, name: &str| format!("{}{name}", super::advice::number(value / unit));
    match value.abs() {
        v if v >= 1e9 => short(1e9, "G"),
        v if v >= 1e6 => short(1e6, "M"),
        v if v >= 1e5 => short(1e3, "k"),
        _ => super::advice::number(value),
    }
}

fn strength(share: f64) -> &'static str {
    match share {
        share if share >= 0.8 => "very regular",
        share if share >= 0.5 => "regular",
        share if share >= super::REGULAR => "a weak pattern",
        _ => "no pattern",
    }
}

fn correlation(with: Option<f64>, season: &str) -> String {
    match with {
        Some(with) => format!("correlation with the {season} before {with:.2}"),
        None => format!("no {season} before to compare with"),
    }
}

fn largest(means: &[Option<f64>]) -> f64 {
    let top = means.iter().flatten().copied().fold(0.0, f64::max);
    if top > 0.0 { top } else { 1.0 }
}

/// The piece of a column that a row shows, rows counted from 1 at the bottom.
fn block(share: f64, row: usize, rows: usize) -> char {
    const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let eighths = (share * (8 * rows) as f64).round() as usize;
    EIGHTHS[eighths.saturating_sub(8 * (row - 1)).min(8)]
}

fn bar(share: f64, width: usize) -> String {
    "█".repeat((share.clamp(0.0, 1.0) * width as f64).round() as usize)
}
