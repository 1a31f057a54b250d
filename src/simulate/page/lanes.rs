//! Windows on the time line: short periods, schedules, freezes.

use jiff::Timestamp;
use tideform_policies::calendar::CompiledSchedule;
use tideform_policies::model::{Blocks, Group, Schedule};

use super::html::at;
use super::record::Record;
use crate::simulate::render::grouped;

/// Windows of a lane that are kept at most.
const MOST_WINDOWS: usize = 10_000;
/// Lanes of schedules at most.
pub(super) const MOST_SCHEDULES: usize = 12;

/// What a lane is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Less in service than needed.
    Short,
    /// A schedule is open.
    Schedule,
    /// Moves are blocked.
    Freeze,
}

impl Kind {
    /// In HTML and in the script.
    pub(super) fn class(self) -> &'static str {
        match self {
            Kind::Short => "is-short",
            Kind::Schedule => "is-schedule",
            Kind::Freeze => "is-freeze",
        }
    }
}

/// A row of the time line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lane {
    /// What it is about.
    pub(super) kind: Kind,
    /// `schedule office: at least 6`.
    pub(super) label: String,
    /// Milliseconds since the run began: from, and to, inside the run.
    pub(super) windows: Vec<(i64, i64)>,
}

/// The lanes of a run: short periods, then schedules and freezes that are open in it, in the order of the files.
pub(super) fn lanes(group: &Group, start: Timestamp, record: &Record) -> Vec<Lane> {
    let short = Lane {
        kind: Kind::Short,
        label: match record.shorts.len() {
            0 => "never short".to_owned(),
            1 => "short, once".to_owned(),
            n => format!("short, {} times", grouped(n as f64, 0)),
        },
        windows: record
            .shorts
            .iter()
            .take(MOST_WINDOWS)
            .map(|short| (short.from_ms, short.to_ms))
            .collect(),
    };
    let end = at(start, record.length_ms);
    let inside = |from: Timestamp, to: Timestamp| {
        let ms = |time: Timestamp| {
            let since = time.as_millisecond() - start.as_millisecond();
            since.clamp(0, record.length_ms)
        };
        (ms(from), ms(to))
    };
    let mut all = vec![short];
    for schedule in &group.policy.schedules {
        // Checked when the files were read.
        let Ok(compiled) = CompiledSchedule::new(schedule) else {
            continue;
        };
        let windows: Vec<(i64, i64)> = compiled
            .windows(start, end)
            .take(MOST_WINDOWS)
            .map(|window| inside(window.start, window.end))
            .collect();
        if !windows.is_empty() && all.len() <= MOST_SCHEDULES {
            all.push(Lane {
                kind: Kind::Schedule,
                label: said(schedule),
                windows,
            });
        }
    }
    for freeze in &group.policy.freezes {
        if freeze.start >= end || freeze.end <= start {
            continue;
        }
        let blocks = match freeze.blocks {
            Blocks::ScaleIn => "no scale in",
            Blocks::ScaleOut => "no scale out",
            Blocks::All => "no scaling",
        };
        let reason = freeze
            .reason
            .as_ref()
            .map_or_else(String::new, |reason| format!(" ({reason})"));
        all.push(Lane {
            kind: Kind::Freeze,
            label: format!("freeze {}: {blocks}{reason}", freeze.name),
            windows: vec![inside(freeze.start, freeze.end)],
        });
    }
    all
}

fn said(schedule: &Schedule) -> String {
    let bounds = match (schedule.min, schedule.max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (None, Some(max)) => format!("at most {max}"),
        (None, None) => "no bounds".to_owned(),
    };
    format!("schedule {}: {bounds}", schedule.name)
}
