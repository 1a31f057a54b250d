//! A simulation as one page of HTML that needs nothing else: for a review, a mail, an archive.
//!
//! In: the report, the record of its run, the comparison. Out: text, the same for the same input. It loads nothing, and
//! says so to the browser (a Content-Security-Policy of hashes); without a script the charts and tables are all there.
//! Never reads a file or a clock. Every text that comes from outside goes through [`html::escaped`].

mod charts;
mod data;
mod draw;
mod html;
mod lanes;
mod made;
mod record;
mod scale;
mod tables;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

pub use record::{Between, Column, Decided, Record, Recorder, Short};

use super::compare::Comparison;
use super::optimum::Path;
use super::report::Report;
use super::scenario::Scenario;
use super::trace::Trace;
use html::{escaped, moment, span};

const TEMPLATE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// No page is larger, in bytes, unless its tables alone are.
const MOST_BYTES: usize = 1_900_000;

/// A value that the files set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// `metric.cpu.track.target`.
    pub path: String,
    /// As it is written.
    pub value: String,
    /// `group.web, shop.hcl:14:22`.
    pub origin: String,
}

/// Where a simulation comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The files that the group is written in.
    pub files: Vec<String>,
    /// The configuration's digest.
    pub digest: String,
    /// What the files set.
    pub settings: Vec<Setting>,
    /// The load, as it was named.
    pub load: String,
    /// The program's version.
    pub version: String,
}

/// All that a page is about.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// What came of it.
    pub report: &'a Report,
    /// What was, over time.
    pub record: &'a Record,
    /// The group and its world.
    pub scenario: &'a Scenario,
    /// The load.
    pub trace: &'a Trace,
    /// What others would have done.
    pub comparison: Option<&'a Comparison>,
    /// Where it comes from.
    pub origin: &'a Origin,
}

/// The optimum that a page shows, of one for each of [`super::PENALTIES`].
pub fn shown_path(optimum: &[Path]) -> &Path {
    const NONE: &Path = &Path::NONE;
    let place = super::PENALTIES
        .iter()
        .position(|penalty| *penalty == tables::SHOWN_PENALTY);
    place.and_then(|place| optimum.get(place)).unwrap_or(NONE)
}

/// The page.
pub fn render(page: &Page<'_>) -> String {
    render_within(page, MOST_BYTES)
}

/// The page, in so many bytes: reasons of the smallest changes are left out, and it says so.
fn render_within(page: &Page<'_>, most_bytes: usize) -> String {
    let (report, record) = (page.report, page.record);
    let lanes = lanes::lanes(page.scenario.group(), report.trace.start, record);
    let charts = charts::Charts::new(report, record);
    let backlog = charts.backlog();
    let group = page.scenario.group().address.to_string();
    let from = moment(report.trace.start, 0);
    let to = moment(report.trace.end, 0);
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    let compared = page.comparison.map(tables::compared).unwrap_or_default();
    let peers = page.comparison.map(tables::settings).unwrap_or_default();
    let fill = |name: &str, data: &str, left_out: &str| -> String {
        match name {
            "policy" => escaped(&policy),
            "style" => STYLE.to_owned(),
            "script" => SCRIPT.to_owned(),
            "data" => data.to_owned(),
            "left-out" => escaped(left_out),
            "group" => escaped(&group),
            "from" => escaped(&from),
            "to" => escaped(&to),
            "length" => escaped(&span(record.length_ms)),
            "load-name" => escaped(file_name(&page.origin.load)),
            "verdict" => escaped(&tables::verdict(report)),
            "cards" => tables::cards(report, record),
            "notes" => made::notes(report),
            "chart-capacity" => charts.capacity(),
            "chart-changes" => charts.changes(),
            "chart-lanes" => charts.lanes(&lanes),
            "chart-used" => charts.used(),
            "chart-load" => charts.load(),
            "chart-backlog" => backlog.clone().unwrap_or_default(),
            "slo" => format!("{}", report.slo_utilization_percent),
            "regrets" => tables::regrets(report),
            "compared" => compared.clone(),
            "peers" => peers.clone(),
            "shorts" => tables::shorts(report, record),
            "changes" => tables::changes(report, record),
            "measures" => tables::measures(report),
            "facts" => made::facts(report, record, page.scenario, page.trace, page.origin),
            "settings" => made::settings(page.origin),
            "version" => escaped(&page.origin.version),
            _ => String::new(),
        }
    };
    let has = |name: &str| match name {
        "compared" => page.comparison.is_some(),
        "chart-backlog" => backlog.is_some(),
        _ => true,
    };
    let changes = record.changes.len();
    let mut reasoned = changes;
    loop {
        let data = data::packed(report, record, &lanes, reasoned);
        let left_out = match changes - reasoned {
            0 => String::new(),
            n => format!(
                "To keep this page small, the {n} smallest of {changes} changes are without their reasons: simulate a shorter \
                 time (--from, --to) to see them. "
            ),
        };
        let text = filled(TEMPLATE, |name| fill(name, &data, &left_out), has);
        if text.len() <= most_bytes || reasoned == 0 {
            return text;
        }
        reasoned /= 2;
    }
}

/// A template with its places filled: `{{name}}`; `{{#name}}` to `{{/name}}` is left out where there is no such thing.
/// What is filled in is not looked at again.
fn filled(template: &str, fill: impl Fn(&str) -> String, has: impl Fn(&str) -> bool) -> String {
    let mut out = String::new();
    let mut hidden: Option<&str> = None;
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        if hidden.is_none() {
            out.push_str(before);
        }
        if let Some(opens) = name.strip_prefix('#') {
            if hidden.is_none() && !has(opens) {
                hidden = Some(opens);
            }
        } else if let Some(closes) = name.strip_prefix('/') {
            if hidden == Some(closes) {
                hidden = None;
            }
        } else if hidden.is_none() {
            out.push_str(&fill(name));
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A path without its folders.
fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// A source of a Content-Security-Policy.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}
