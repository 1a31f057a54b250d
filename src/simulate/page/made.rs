//! How the page was made: enough to make it again.

use std::fmt::Write as _;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tideform_policies::model::units::format_duration;

use super::Origin;
use super::html::{escaped, moment};
use super::record::Record;
use crate::simulate::render::grouped;
use crate::simulate::report::Report;
use crate::simulate::scenario::Scenario;
use crate::simulate::trace::Trace;
use crate::simulate::world::{Boot, Work};

/// A load's digest, so that two pages can be known to be of the same.
fn digest(trace: &Trace) -> String {
    let mut hash = Sha256::new();
    hash.update(trace.start().as_second().to_be_bytes());
    hash.update(trace.step().as_secs().to_be_bytes());
    for value in trace.values() {
        hash.update(value.to_be_bytes());
    }
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn boot(boot: Boot) -> String {
    match boot {
        Boot::Fixed(boot) => format_duration(boot),
        Boot::Between(from, to) => {
            format!(
                "{} to {}, evenly",
                format_duration(from),
                format_duration(to)
            )
        }
        Boot::Skewed { median, p95 } => {
            format!(
                "p50 {}, p95 {}",
                format_duration(median),
                format_duration(p95)
            )
        }
    }
}

/// Facts by name.
pub(super) fn facts(
    report: &Report,
    record: &Record,
    scenario: &Scenario,
    trace: &Trace,
    origin: &Origin,
) -> String {
    let model = &scenario.setup.model;
    let group = scenario.group();
    let seconds = |s: f64| format_duration(Duration::from_secs_f64(s.max(0.0)));
    let ms = |ms: i64| format_duration(Duration::from_millis(ms.unsigned_abs()));
    let faults = &model.faults;
    let mut rows: Vec<(&str, String)> = vec![
        ("Group", group.address.to_string()),
        ("Written in", origin.files.join(", ")),
        ("Configuration", format!("sha256 {}", origin.digest)),
        (
            "Scaled by",
            match group.controller {
                tideform_policies::model::Controller::Tideform => "tideform's loop",
                tideform_policies::model::Controller::Native => "the cloud's own policies",
            }
            .to_owned(),
        ),
        ("Decides every", seconds(report.world.every_s)),
        ("Load", origin.load.clone()),
        (
            "Of",
            format!(
                "{} to {} UTC, {} {} of {}",
                moment(report.trace.start, 0),
                moment(report.trace.end, 0),
                grouped(report.trace.steps as f64, 0),
                match report.trace.steps {
                    1 => "step",
                    _ => "steps",
                },
                seconds(report.trace.step_s as f64)
            ),
        ),
        ("Digest of the load", format!("sha256 {}", digest(trace))),
        ("Simulated in steps of", ms(record.step_ms)),
        (
            "Drawn in columns of",
            if record.column_ms == record.step_ms {
                format!("{}, every step", ms(record.column_ms))
            } else {
                format!(
                    "{}, with the least and the most of each",
                    ms(record.column_ms)
                )
            },
        ),
        ("Boot", boot(model.boot)),
        ("Drain", format_duration(model.drain)),
        (
            "One unit carries",
            format!("{} per second", report.world.throughput),
        ),
        ("One instance has", format!("{} units", report.world.weight)),
        (
            "Prices",
            format!(
                "{} USD an hour on demand, {} as spot",
                report.world.on_demand_usd_per_hour, report.world.spot_usd_per_hour
            ),
        ),
        ("Capacity at the start", report.world.initial.to_string()),
        (
            "What is not served",
            match model.work {
                Work::Requests => "is dropped",
                Work::Queue => "waits",
            }
            .to_owned(),
        ),
        (
            "Faults",
            format!(
                "{} % of launches fail, {} % of spot launches; a spot instance is taken back {} times an hour, any breaks {} times",
                faults.failed_launches * 100.0,
                faults.failed_spot_launches * 100.0,
                faults.interruptions_per_hour,
                faults.breakdowns_per_hour
            ),
        ),
        ("Noise", format!("{} %", model.noise * 100.0)),
        ("Seed", report.world.seed.to_string()),
        ("Made by", format!("tideform {}", origin.version)),
    ];
    if report.world.weight == 1 {
        rows.retain(|(name, _)| *name != "One instance has");
    }
    let mut out = String::from(r#"<dl class="facts">"#);
    for (name, value) in rows {
        let _ = write!(
            out,
            "<div><dt>{}</dt><dd>{}</dd></div>",
            escaped(name),
            escaped(&value)
        );
    }
    out + "</dl>"
}

/// What a reader should know.
pub(super) fn notes(report: &Report) -> String {
    if report.notes.is_empty() {
        return String::new();
    }
    let items: String = report
        .notes
        .iter()
        .map(|note| format!("<li>{}</li>", escaped(note)))
        .collect();
    format!(r#"<aside class="notes"><h2>Please note</h2><ul>{items}</ul></aside>"#)
}

/// What the files set, with where.
pub(super) fn settings(origin: &Origin) -> String {
    if origin.settings.is_empty() {
        return String::new();
    }
    let rows: String = origin
        .settings
        .iter()
        .map(|setting| {
            format!(
                r#"<tr><th scope="row"><code>{}</code></th><td><code>{}</code></td><td>{}</td></tr>"#,
                escaped(&setting.path),
                escaped(&setting.value),
                escaped(&setting.origin)
            )
        })
        .collect();
    format!(
        r#"<details><summary>What the files set ({} values)</summary><div class="wide" tabindex="0" role="region" aria-label="What the files set"><table class="settings"><caption>What the files set</caption><thead><tr><th scope="col">Setting</th><th scope="col">Value</th><th scope="col">Written in</th></tr></thead><tbody>{rows}</tbody></table></div></details>"#,
        origin.settings.len()
    )
}
