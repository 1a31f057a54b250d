//! What the loop tells Prometheus. Pure: counters in, text out. It never reads a clock or a group.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use tideform_policies::model::{Direction, GroupAddress};

/// The media type of [`LoopMetrics::render`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The numbers of one group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupMetrics {
    /// The capacity last asked for, in units.
    pub desired: u32,
    /// Past its warm-up, in units.
    pub ready: u32,
    /// Decisions since the loop began: scale in.
    pub decisions_in: u64,
    /// Decisions since the loop began: hold.
    pub decisions_hold: u64,
    /// Decisions since the loop began: scale out.
    pub decisions_out: u64,
    /// Visits that failed since the loop began.
    pub errors: u64,
}

/// The numbers of a loop since it began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LoopMetrics {
    /// By group.
    pub groups: BTreeMap<GroupAddress, GroupMetrics>,
    /// Ticks that were completed.
    pub ticks: u64,
    /// How long the last tick took, in seconds of the machine's time.
    pub last_tick_seconds: f64,
    /// How long all ticks took, in seconds of the machine's time.
    pub tick_seconds_sum: f64,
    /// When a tick was last completed without an error of its own, by the loop's clock.
    pub last_success: Option<Timestamp>,
    /// Whether the loop holds the lease now.
    pub is_lease_held: bool,
}

impl LoopMetrics {
    /// Counts a decision.
    pub fn count_decision(&mut self, group: &GroupAddress, direction: Direction) {
        let numbers = self.groups.entry(group.clone()).or_default();
        match direction {
            Direction::In => numbers.decisions_in += 1,
            Direction::Hold => numbers.decisions_hold += 1,
            Direction::Out => numbers.decisions_out += 1,
        }
    }

    /// The Prometheus text format, version 0.0.4.
    pub fn render(&self) -> String {
        let mut text = String::new();
        self.family(
            &mut text,
            "tideform_desired_capacity",
            "gauge",
            "Capacity last asked for, in units.",
            |g, out| {
                out("", f64::from(g.desired));
            },
        );
        self.family(
            &mut text,
            "tideform_ready_capacity",
            "gauge",
            "Capacity past its warm-up, in units.",
            |g, out| {
                out("", f64::from(g.ready));
            },
        );
        self.family(
            &mut text,
            "tideform_decisions_total",
            "counter",
            "Decisions by direction.",
            |g, out| {
                out(",direction=\"in\"", g.decisions_in as f64);
                out(",direction=\"hold\"", g.decisions_hold as f64);
                out(",direction=\"out\"", g.decisions_out as f64);
            },
        );
        self.family(
            &mut text,
            "tideform_group_errors_total",
            "counter",
            "Visits of a group that failed.",
            |g, out| {
                out("", g.errors as f64);
            },
        );
        single(
            &mut text,
            "tideform_ticks_total",
            "counter",
            "Ticks completed.",
            self.ticks as f64,
        );
        let _ = writeln!(
            text,
            "# HELP tideform_tick_seconds Time that ticks took.\n# TYPE tideform_tick_seconds summary"
        );
        let _ = writeln!(
            text,
            "tideform_tick_seconds_sum {}\ntideform_tick_seconds_count {}",
            self.tick_seconds_sum, self.ticks
        );
        single(
            &mut text,
            "tideform_last_tick_seconds",
            "gauge",
            "Time that the last tick took.",
            self.last_tick_seconds,
        );
        single(
            &mut text,
            "tideform_last_success_timestamp_seconds",
            "gauge",
            "When a tick was last completed; 0 for never.",
            self.last_success.map_or(0.0, |at| at.as_second() as f64),
        );
        single(
            &mut text,
            "tideform_lease_held",
            "gauge",
            "1 while the loop holds the lease.",
            if self.is_lease_held { 1.0 } else { 0.0 },
        );
        text
    }

    fn family(
        &self,
        text: &mut String,
        name: &str,
        kind: &str,
        help: &str,
        values: impl Fn(&GroupMetrics, &mut dyn FnMut(&str, f64)),
    ) {
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (address, numbers) in &self.groups {
            let group = escape(&address.to_string());
            values(numbers, &mut |labels, value| {
                let _ = writeln!(text, "{name}{{group=\"{group}\"{labels}}} {value}");
            });
        }
    }
}

fn single(text: &mut String, name: &str, kind: &str, help: &str, value: f64) {
    let _ = writeln!(
        text,
        "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
    );
}

/// A label value: backslash, quote and line feed are escaped, as the format asks.
fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_has_its_lines_and_labels_are_escaped() {
        let mut metrics = LoopMetrics {
            ticks: 3,
            tick_seconds_sum: 1.5,
            ..LoopMetrics::default()
        };
        let group = GroupAddress::keyed("svc", "a\"b");
        metrics.groups.insert(
            group.clone(),
            GroupMetrics {
                desired: 4,
                ready: 3,
                ..GroupMetrics::default()
            },
        );
        metrics.count_decision(&group, Direction::Out);
        let text = metrics.render();
        // The address writes the key as JSON, so a quote in it is escaped twice.
        let label = r#"group="group.svc[\"a\\\"b\"]""#;
        assert!(
            text.contains(&format!("tideform_desired_capacity{{{label}}} 4\n")),
            "{text}"
        );
        assert!(
            text.contains(&format!(
                "tideform_decisions_total{{{label},direction=\"out\"}} 1\n"
            )),
            "{text}"
        );
        assert!(
            text.contains("tideform_tick_seconds_sum 1.5\ntideform_tick_seconds_count 3\n"),
            "{text}"
        );
        assert!(text.contains("tideform_lease_held 0\n"), "{text}");
    }
}
