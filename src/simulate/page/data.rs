//! What the page's script draws from: the whole record as JSON, deflated, in base64, so that it is small and no text in
//! it can end its element.
//!
//! Series are whole numbers, each as the difference from the one before: what does not change costs nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::html::visible;
use super::lanes::Lane;
use super::record::{Between, Column, Decided, Record, Short};
use crate::engine::explain::Line;
use crate::simulate::report::Report;

/// From so many columns on numbers are coarser.
const MANY: usize = 20_000;
/// What stands for a utilization without end.
const ENDLESS: i64 = 1_000_000;
/// Short periods that say what was decided in them, at most.
const MOST_SHORTS: usize = 300;

#[derive(Serialize)]
struct Document<'a> {
    /// Milliseconds since 1970.
    start: i64,
    length: i64,
    step: i64,
    column: i64,
    slo: f64,
    load_unit: f64,
    used_unit: f64,
    endless: i64,
    has_queue: bool,
    series: Vec<(&'static str, Vec<i64>)>,
    changes: Changes,
    lanes: Vec<LaneOf<'a>>,
    shorts: Vec<ShortOf>,
}

#[derive(Serialize)]
struct Changes {
    at: Vec<i64>,
    from: Vec<u32>,
    to: Vec<u32>,
    /// `None`: left out to keep the page small.
    why: Vec<Option<Vec<(String, String)>>>,
}

#[derive(Serialize)]
struct LaneOf<'a> {
    class: &'static str,
    label: String,
    windows: &'a [(i64, i64)],
}

#[derive(Serialize)]
struct ShortOf {
    from: i64,
    to: i64,
    at: i64,
    before: u32,
    after: u32,
    why: Vec<(String, String)>,
}

fn lines(lines: &[Line]) -> Vec<(String, String)> {
    let pair = |line: &Line| (visible(&line.subject), visible(&line.text));
    lines.iter().map(pair).collect()
}

/// 1, 2 or 5 of a power of ten, not above the value.
fn round_unit(value: f64) -> f64 {
    if !(value.is_finite() && value > 0.0) {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let fits = [5.0, 2.0].into_iter().find(|n| n * power <= value);
    fits.unwrap_or(1.0) * power
}

fn differences(values: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut before = 0;
    values
        .map(|value| value - std::mem::replace(&mut before, value))
        .collect()
}

/// The least and the most of a value, in whole numbers; the least only where it differs.
fn series(
    columns: &[Column],
    names: (&'static str, &'static str),
    of: impl Fn(&Column) -> (i64, i64),
    into: &mut Vec<(&'static str, Vec<i64>)>,
) {
    into.push((names.0, differences(columns.iter().map(|c| of(c).1))));
    if columns.iter().any(|c| of(c).0 != of(c).1) {
        into.push((names.1, differences(columns.iter().map(|c| of(c).0))));
    }
}

/// The record for the script. Of the changes only the `reasoned` largest say why.
pub(super) fn packed(
    report: &Report,
    record: &Record,
    lanes_of: &[Lane],
    reasoned: usize,
) -> String {
    let columns = &record.columns;
    let is_long = columns.len() > MANY;
    let peak = super::charts::most(columns, |c| c.load.most);
    let load_unit = round_unit(peak / if is_long { 1_000.0 } else { 10_000.0 });
    let used_unit = if is_long { 0.5 } else { 0.1 };
    let slo = report.slo_utilization_percent;
    let whole = |of: Between<u32>| (i64::from(of.least), i64::from(of.most));
    let used = |value: f64| {
        if !value.is_finite() {
            return ENDLESS;
        }
        let units = value / used_unit;
        // What is above the SLO stays above it, and what is not does not get there.
        let rounded = if value > slo {
            units.ceil()
        } else {
            units.round().min((slo / used_unit).floor())
        };
        (rounded as i64).min(ENDLESS)
    };
    let load = |value: f64| (value / load_unit).round() as i64;
    let mut all = Vec::new();
    let both = |of: Between<f64>, by: &dyn Fn(f64) -> i64| (by(of.least), by(of.most));
    series(
        columns,
        ("load", "load_least"),
        |c| both(c.load, &load),
        &mut all,
    );
    series(
        columns,
        ("needed", "needed_least"),
        |c| whole(c.needed),
        &mut all,
    );
    series(
        columns,
        ("ready", "ready_least"),
        |c| whole(c.ready),
        &mut all,
    );
    series(
        columns,
        ("pending", "pending_least"),
        |c| whole(c.pending),
        &mut all,
    );
    series(columns, ("live", "live_least"), |c| whole(c.live), &mut all);
    series(
        columns,
        ("desired", "desired_least"),
        |c| whole(c.desired),
        &mut all,
    );
    series(
        columns,
        ("optimum", "optimum_least"),
        |c| whole(c.optimum),
        &mut all,
    );
    series(
        columns,
        ("used", "used_least"),
        |c| both(c.used, &used),
        &mut all,
    );
    let missing = differences(columns.iter().map(|c| i64::from(c.missing)));
    all.push(("missing", missing));
    let short_of = differences(columns.iter().map(|c| i64::from(c.short_of)));
    all.push(("short_of", short_of));
    let has_queue = report.measures.peak_backlog > 0.0;
    if has_queue {
        let jobs = |value: f64| value.round() as i64;
        series(
            columns,
            ("backlog", "backlog_least"),
            |c| both(c.backlog, &jobs),
            &mut all,
        );
    }
    let document = Document {
        start: report.trace.start.as_millisecond(),
        length: record.length_ms,
        step: record.step_ms,
        column: record.column_ms,
        slo,
        load_unit,
        used_unit,
        endless: ENDLESS,
        has_queue,
        series: all,
        changes: changes(&record.changes, reasoned),
        lanes: lanes_of
            .iter()
            .map(|lane| LaneOf {
                class: lane.kind.class(),
                label: visible(&lane.label),
                windows: &lane.windows,
            })
            .collect(),
        shorts: shorts(&record.shorts),
    };
    // Numbers and texts always have a JSON.
    let json = serde_json::to_vec(&document).unwrap_or_default();
    STANDARD.encode(miniz_oxide::deflate::compress_to_vec(&json, 8))
}

fn changes(all: &[Decided], reasoned: usize) -> Changes {
    let mut largest: Vec<usize> = (0..all.len()).collect();
    if all.len() > reasoned {
        largest.sort_by_key(|place| {
            all.get(*place)
                .map(|of| (std::cmp::Reverse(of.size()), of.at_ms))
        });
        largest.truncate(reasoned);
        largest.sort_unstable();
    }
    let mut largest = largest.into_iter().peekable();
    Changes {
        at: differences(all.iter().map(|of| of.at_ms)),
        from: all.iter().map(|of| of.from).collect(),
        to: all.iter().map(|of| of.to).collect(),
        why: all
            .iter()
            .enumerate()
            .map(|(place, of)| largest.next_if_eq(&place).map(|_| lines(&of.why)))
            .collect(),
    }
}

/// Those in which most was missing, in the order of time.
fn shorts(all: &[Short]) -> Vec<ShortOf> {
    let mut worst: Vec<&Short> = all.iter().collect();
    worst.sort_by_key(|of| (std::cmp::Reverse(of.missing_unit_ms), of.from_ms));
    worst.truncate(MOST_SHORTS);
    worst.sort_by_key(|of| of.from_ms);
    worst
        .into_iter()
        .filter_map(|short| {
            let decided = short.decided.as_ref()?;
            Some(ShortOf {
                from: short.from_ms,
                to: short.to_ms,
                at: decided.at_ms,
                before: decided.from,
                after: decided.to,
                why: lines(&decided.why),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_differences() {
        assert_eq!(differences([5, 5, 7, 3].into_iter()), [5, 0, 2, -4]);
    }

    #[test]
    fn units_are_round_and_not_above_what_they_are_of() {
        for (value, unit) in [
            (1.0, 1.0),
            (3.7, 2.0),
            (0.09, 0.05),
            (7_000.0, 5_000.0),
            (0.0, 1.0),
        ] {
            assert!((round_unit(value) - unit).abs() < 1e-12, "{value}");
        }
    }

    #[test]
    fn only_the_largest_changes_say_why_and_stay_in_the_order_of_time() {
        let change = |at_ms: i64, to: u32| Decided {
            at_ms,
            from: 10,
            to,
            why: vec![Line {
                subject: "cpu".to_owned(),
                text: to.to_string(),
            }],
        };
        let all = [change(0, 11), change(5, 30), change(7, 2)];
        let said: Vec<bool> = changes(&all, 2).why.iter().map(Option::is_some).collect();
        assert_eq!(said, [false, true, true]);
        assert_eq!(changes(&all, 2).at, [0, 5, 2]);
    }
}
