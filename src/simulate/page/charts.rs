//! The charts as they stand before any script runs: the whole time, in [`PLACES`] places at most.

use std::fmt::Write as _;

use super::draw::{Grid, Height, Plot, band, edge, path, plot, range, share};
use super::html::{escaped, moment, span};
use super::lanes::Lane;
use super::record::{Between, Column, Decided, Record, reduced};
use super::scale::{Scale, Tick, ticks};
use crate::simulate::render::grouped;
use crate::simulate::report::Report;

/// Places along of a chart that no script has drawn again.
const PLACES: usize = 960;
/// Lines of time, so that their labels have room on a phone.
const MOST_TICKS: i64 = 7;
/// Lines of the grid in the chart of capacity, and in the others.
const CAPACITY_LINES: f64 = 5.0;
const LINES: f64 = 3.0;
/// Utilization is not shown beyond.
const MOST_USED: f64 = 200.0;
/// Changes that say by themselves what they are, where no script runs.
const TITLED: usize = 200;
/// Characters of a lane's label at most.
const LABEL: usize = 44;
/// The height of a lane.
const LANE: f64 = 30.0;

/// What all charts share.
pub(super) struct Charts<'a> {
    report: &'a Report,
    record: &'a Record,
    columns: Vec<Column>,
    ticks: Vec<Tick>,
}

/// The most of a value over all columns.
pub(super) fn most(columns: &[Column], of: impl Fn(&Column) -> f64) -> f64 {
    let finite = columns.iter().map(of).filter(|value| value.is_finite());
    finite.fold(0.0, f64::max)
}

impl<'a> Charts<'a> {
    /// Of a run.
    pub(super) fn new(report: &'a Report, record: &'a Record) -> Charts<'a> {
        Charts {
            report,
            record,
            columns: reduced(&record.columns, PLACES),
            ticks: ticks(report.trace.start, record.length_ms, MOST_TICKS),
        }
    }

    fn plot(&self, id: &str, label: String, height: Height, unit: &str, ink: String) -> String {
        plot(&Plot {
            id,
            label,
            height,
            places: self.columns.len(),
            length_ms: self.record.length_ms,
            ticks: &self.ticks,
            unit,
            ink,
        })
    }

    fn spans(&self, of: impl Fn(&Column) -> Option<(f64, f64)>) -> Vec<Option<(f64, f64)>> {
        self.columns.iter().map(of).collect()
    }

    /// What the load needed, and what was there.
    pub(super) fn capacity(&self) -> String {
        let top = most(&self.columns, |c| {
            let there = c.live.most.max(c.desired.most).max(c.optimum.most);
            f64::from(there.max(c.needed.most))
        });
        let height = Height {
            pixels: 280.0,
            scale: Scale::up_to(top, true, CAPACITY_LINES),
        };
        let needed = self.spans(|c| Some((0.0, f64::from(c.needed.most))));
        let pending = self.spans(|c| {
            let (ready, live) = (c.ready.most, c.live.most);
            (live > ready).then(|| (f64::from(ready), f64::from(live)))
        });
        let whole = |of: Between<u32>| (f64::from(of.least), f64::from(of.most));
        let ready: Vec<_> = self.columns.iter().map(|c| whole(c.ready)).collect();
        let optimum: Vec<_> = self.columns.iter().map(|c| whole(c.optimum)).collect();
        let [ready_band, ready] = range("ready", &ready, height);
        let [optimum_band, optimum] = range("optimum", &optimum, height);
        let short = self.spans(|c| {
            let from = f64::from(c.short_of);
            (c.missing > 0).then(|| (from, from + f64::from(c.missing)))
        });
        let desired: Vec<f64> = self
            .columns
            .iter()
            .map(|c| f64::from(c.desired.most))
            .collect();
        let ink = [
            path("needed", &band(&needed, height)),
            ready_band,
            path("pending", &band(&pending, height)),
            optimum_band,
            path("desired", &edge(&desired, height)),
            optimum,
            ready,
            path("short", &band(&short, height)),
        ]
        .concat();
        let m = &self.report.measures;
        let label = format!(
            "Capacity over time in units: needed {} at most, in service {:.1} on average and {} at most, short for {} minutes",
            m.peak_demand,
            m.mean_capacity,
            m.peak_capacity,
            grouped(m.short_minutes, 0)
        );
        self.plot("capacity", label, height, "units", ink)
    }

    /// Utilization of what was in service.
    pub(super) fn used(&self) -> String {
        let slo = self.report.slo_utilization_percent;
        let top = most(&self.columns, |c| c.used.most.min(MOST_USED))
            .max(slo)
            .max(100.0);
        let height = Height {
            pixels: 130.0,
            scale: Scale::up_to(top, true, LINES),
        };
        let used: Vec<_> = self
            .columns
            .iter()
            .map(|c| (c.used.least, c.used.most))
            .collect();
        let [used_band, used] = range("used", &used, height);
        let over = self.spans(|c| (c.used.most > slo).then_some((slo, c.used.most)));
        let limit = edge(&vec![slo; self.columns.len()], height);
        let ink = [
            used_band,
            used,
            path("short", &band(&over, height)),
            path("limit", &limit),
        ]
        .concat();
        let label = format!(
            "Utilization over time in percent; the SLO is at {slo} %, kept in {:.2} % of minutes",
            self.report.measures.slo_attainment_percent
        );
        self.plot("used", label, height, "%", ink)
    }

    /// Arrivals.
    pub(super) fn load(&self) -> String {
        let peak = most(&self.columns, |c| c.load.most);
        let height = Height {
            pixels: 100.0,
            scale: Scale::up_to(peak, false, LINES),
        };
        let load = self.spans(|c| Some((0.0, c.load.most)));
        let floor = self.spans(|c| Some((c.load.least, c.load.most)));
        let ink = [
            path("load", &band(&load, height)),
            path("load-range", &band(&floor, height)),
        ]
        .concat();
        let label = format!(
            "Load over time, per second: {} at most",
            crate::engine::explain::number(peak)
        );
        self.plot("load", label, height, "per s", ink)
    }

    /// Jobs that wait; nothing where none ever did.
    pub(super) fn backlog(&self) -> Option<String> {
        let peak = self.report.measures.peak_backlog;
        (peak > 0.0).then(|| {
            let height = Height {
                pixels: 100.0,
                scale: Scale::up_to(peak, false, LINES),
            };
            let spans = self.spans(|c| Some((0.0, c.backlog.most)));
            let label = format!("Jobs that wait, over time: {} at most", grouped(peak, 0));
            let ink = path("backlog", &band(&spans, height));
            self.plot("backlog", label, height, "jobs", ink)
        })
    }

    /// Changes: out above the line, in below it.
    pub(super) fn changes(&self) -> String {
        let changes = &self.record.changes;
        let largest = changes.iter().map(Decided::size).max().unwrap_or(0);
        let (out, r#in) = (Bars::UP, Bars::DOWN);
        let mut titled: Vec<&Decided> = changes.iter().collect();
        titled.sort_by_key(|of| (std::cmp::Reverse(of.size()), of.at_ms));
        titled.truncate(TITLED);
        titled.sort_by_key(|of| of.at_ms);
        let places = self.columns.len().max(1);
        let x = |at_ms: i64| at_ms as f64 / self.record.length_ms as f64 * places as f64;
        let mut ink = String::new();
        for (class, is_out) in [("out", true), ("in", false)] {
            let bars = if is_out { out } else { r#in };
            let mut d = String::new();
            for change in changes.iter().filter(|of| (of.to > of.from) == is_out) {
                let _ = write!(d, "{}", bars.bar(x(change.at_ms), change.size(), largest));
            }
            ink.push_str(&path(class, &d));
        }
        for change in titled {
            let is_out = change.to > change.from;
            let bars = if is_out { out } else { r#in };
            let mut title = format!(
                "{} {} -> {}",
                moment(self.report.trace.start, change.at_ms),
                change.from,
                change.to
            );
            for line in &change.why {
                let _ = write!(title, "\n{}: {}", line.subject, line.text);
            }
            let _ = write!(
                ink,
                r#"<path class="told" d="{}"><title>{}</title></path>"#,
                bars.bar(x(change.at_ms), change.size(), largest),
                escaped(&title)
            );
        }
        let m = &self.report.measures.moves;
        let label = format!(
            "Changes of the capacity asked for: {} out, drawn above the line, and {} in, drawn below it; {largest} units at most",
            m.out, m.r#in
        );
        let (all, mid) = (Bars::HEIGHT, Bars::HEIGHT / 2.0);
        let grid = Grid::of_time(&self.ticks, self.record.length_ms, all).lines;
        format!(
            r#"<svg class="plot" id="plot-changes" role="img" aria-label="{}" width="100%" height="{all}"><g class="grid">{grid}</g><svg class="ink" viewBox="0 0 {places} {all}" preserveAspectRatio="none" width="100%" height="{all}">{ink}</svg><line class="base" x1="0" x2="100%" y1="{mid}" y2="{mid}"/><g class="labels"></g><text class="side" x="2" y="12">out, {largest} at most</text><text class="side" x="2" y="{}">in</text></svg>"#,
            escaped(&label),
            all - 4.0,
        )
    }

    /// When it was short, and when schedules and freezes were open.
    pub(super) fn lanes(&self, lanes: &[Lane]) -> String {
        let length = self.record.length_ms.max(1) as f64;
        let mut body = String::new();
        for (row, lane) in lanes.iter().enumerate() {
            let y = row as f64 * LANE;
            let _ = write!(
                body,
                r#"<g class="lane {}"><text x="2" y="{}">{}</text><line class="rail" x1="0" x2="100%" y1="{rail}" y2="{rail}"/>"#,
                lane.kind.class(),
                y + 12.0,
                escaped(&shortened(&lane.label)),
                rail = y + 22.0,
            );
            for window in merged(&lane.windows, self.record.length_ms / PLACES as i64) {
                let (from, to) = (window.0 as f64 / length, window.1 as f64 / length);
                let _ = write!(
                    body,
                    r#"<rect x="{}" width="{}" y="{}" height="10"><title>{}: {} to {}, {}</title></rect>"#,
                    share(from),
                    share((to - from).max(0.0)),
                    y + 17.0,
                    escaped(&lane.label),
                    moment(self.report.trace.start, window.0),
                    moment(self.report.trace.start, window.1),
                    span(window.1 - window.0),
                );
            }
            body.push_str("</g>");
        }
        let height = lanes.len() as f64 * LANE + 4.0;
        let grid = Grid::of_time(&self.ticks, self.record.length_ms, height);
        let named: Vec<String> = lanes
            .iter()
            .map(|lane| format!("{}: {} times", lane.label, lane.windows.len()))
            .collect();
        format!(
            r#"<svg class="plot" id="plot-lanes" role="img" aria-label="{}" width="100%" height="{}"><g class="grid">{}</g>{body}<g class="labels">{}</g></svg>"#,
            escaped(&format!("Windows on the time line. {}", named.join("; "))),
            height + 20.0,
            grid.lines,
            grid.labels,
        )
    }
}

/// A label that has room on a phone; whole it stands in the windows' titles, and in what is told of a moment.
fn shortened(label: &str) -> String {
    match label.char_indices().nth(LABEL) {
        Some((end, _)) => format!("{}…", label.get(..end).unwrap_or(label)),
        None => label.to_owned(),
    }
}

/// Windows that are too near to each other to be seen apart are drawn as one.
fn merged(windows: &[(i64, i64)], near_ms: i64) -> Vec<(i64, i64)> {
    let mut out: Vec<(i64, i64)> = Vec::new();
    for window in windows {
        match out.last_mut() {
            Some(last) if window.0 - last.1 < near_ms => last.1 = last.1.max(window.1),
            _ => out.push(*window),
        }
    }
    out
}

/// Bars from the middle of the chart of changes.
#[derive(Clone, Copy)]
struct Bars {
    sign: f64,
}

impl Bars {
    const HEIGHT: f64 = 88.0;
    const UP: Bars = Bars { sign: -1.0 };
    const DOWN: Bars = Bars { sign: 1.0 };

    fn bar(self, x: f64, size: u32, largest: u32) -> String {
        let mid = Bars::HEIGHT / 2.0;
        let length = 4.0 + f64::from(size) / f64::from(largest.max(1)) * (mid - 20.0);
        let y = mid + self.sign * length;
        format!("M{:.2} {mid}V{:.1}", x, y)
    }
}
