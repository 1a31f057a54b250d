//! What the loop must remember of a group besides the engine's memory: when it decided, how often it failed, what it
//! already said. Pure. It is kept in the state, so that `--once` runs behave as one daemon does.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tideform_policies::model::units::format_duration;
use tideform_provider::{AttributeChange, Control, LiveGroup, SwitchedOff};

use crate::observe::after;

/// Longest pause between two visits of a group that fails, unless its own `every` is longer.
pub(crate) const LONGEST_BACK_OFF: Duration = Duration::from_secs(15 * 60);

/// The loop's own memory of one group.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// When it was last visited with an answer: decided, or held by a condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_visit: Option<Timestamp>,
    /// Visits in a row that failed.
    pub failures: u32,
    /// Not visited before this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// What stands in the way now, and was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// Metrics whose failing read was said.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub failing_metrics: BTreeSet<String>,
    /// Budget alerts that were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alerts: Option<Alerts>,
    /// What is to be brought back of a group that the cloud scales.
    #[serde(skip_serializing_if = "Moved::is_nothing")]
    pub moved: Moved,
}

/// What the loop has moved, for people and for a while, of a group that the cloud's own controls scale.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Moved {
    /// Limits and scheduled actions: a pin or a surge.
    pub limits: bool,
    /// The controls are switched off: a pause.
    pub paused: bool,
    /// Adopted scheduled actions that were taken away for as long as a pin or surge holds: as they were.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<Control>,
    /// What somebody else had switched off before the pause did: it stays so.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub off_before: BTreeSet<String>,
}

impl Moved {
    fn is_nothing(&self) -> bool {
        *self == Moved::default()
    }

    /// Remembers an adopted scheduled action before it is taken away. One that somebody made meanwhile under the name of
    /// another that is remembered does not take its place.
    pub(super) fn set_aside(&mut self, control: &Control) {
        if !self.has_set_aside(&control.name) {
            self.set_aside.push(control.clone());
        }
    }

    /// Whether a scheduled action of this name is remembered.
    pub(super) fn has_set_aside(&self, name: &str) -> bool {
        self.set_aside.iter().any(|other| other.name == name)
    }

    /// The group as it would be with what was set aside: whoever compiles its controls gives them back their names.
    pub fn with_set_aside<'a>(
        set_aside: impl IntoIterator<Item = &'a Control>,
        live: &'a LiveGroup,
    ) -> Cow<'a, LiveGroup> {
        let mut whole = Cow::Borrowed(live);
        for control in set_aside {
            if whole
                .controls
                .iter()
                .all(|other| other.name != control.name)
            {
                whole.to_mut().controls.push(control.clone());
            }
        }
        whole
    }

    /// What ends a pause: of what is switched off now, all that was not so before.
    pub fn resume(&self, live: &LiveGroup) -> Option<AttributeChange> {
        if self.off_before.is_empty() && live.is_paused {
            return Some(AttributeChange::Pause(false));
        }
        let ours: Vec<String> = live
            .switched_off
            .iter()
            .filter(|off| off.by_pause && !self.off_before.contains(&off.name))
            .map(|off| off.name.clone())
            .collect();
        (!ours.is_empty()).then_some(AttributeChange::SwitchOn(ours))
    }

    /// What somebody else has switched off.
    pub fn off_by_others<'a>(&self, live: &'a LiveGroup) -> Vec<&'a SwitchedOff> {
        live.switched_off
            .iter()
            .filter(|off| !(self.paused && off.by_pause) || self.off_before.contains(&off.name))
            .collect()
    }
}

/// Why a group is not scaled, although it is decided about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Condition {
    /// Its resource does not exist.
    Missing,
    /// The provider would not carry out a change now.
    Blocked {
        /// What the provider says is in the way.
        reasons: Vec<String>,
    },
    /// Somebody has switched off what scales it in the cloud.
    SwitchedOff {
        /// What is off, what does not happen for that, and what switches it on again.
        reasons: Vec<String>,
    },
    /// Another state's tag is on it.
    Foreign {
        /// Whose.
        owner: String,
    },
    /// No metric has data, and policies of the cloud's own are there: they stay, and go on scaling it.
    NoData {
        /// Their names.
        policies: Vec<String>,
    },
    /// Reading or changing it fails.
    Failing {
        /// The error.
        message: String,
    },
}

impl Condition {
    /// What keeps the cloud from scaling a group by its own controls; `None`: nothing.
    pub fn of_switched_off(off: &[&SwitchedOff]) -> Option<Condition> {
        let reasons: Vec<String> = off.iter().map(|off| words_of(off)).collect();
        (!reasons.is_empty()).then_some(Condition::SwitchedOff { reasons })
    }

    /// One line for people.
    pub fn summary(&self) -> String {
        match self {
            Condition::Missing => "the resource does not exist".to_owned(),
            Condition::Blocked { reasons } => format!("held: {}", reasons.join("; ")),
            Condition::SwitchedOff { reasons } => {
                format!("the cloud is kept from scaling it: {}", reasons.join("; "))
            }
            Condition::Foreign { owner } => format!("held: it belongs to {owner}"),
            Condition::NoData { policies } => {
                const SHOWN: usize = 3;
                let mut names: Vec<String> = policies
                    .iter()
                    .take(SHOWN)
                    .map(|name| format!("`{name}`"))
                    .collect();
                if policies.len() > SHOWN {
                    names.push(format!("{} more", policies.len() - SHOWN));
                }
                let (stay, go) = match policies.len() {
                    1 => ("stays", "goes"),
                    _ => ("stay", "go"),
                };
                format!(
                    "no metric has data: {} {stay}, and {go} on scaling it in the cloud until one has",
                    names.join(", ")
                )
            }
            Condition::Failing { message } => message.clone(),
        }
    }
}

/// `the process Launch is suspended: no instance starts; resume it: ...`.
fn words_of(off: &SwitchedOff) -> String {
    format!("{} (to resume it: `{}`)", off.effect, off.resume)
}

/// Budget alerts of a month.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alerts {
    /// `2026-11`.
    pub month: String,
    /// The largest percentage that was said.
    pub said_percent: f64,
}

impl Progress {
    /// When the group is due. `every` with a tenth of slack: a job that starts a little early is not a job missed.
    pub fn due_at(&self, every: Duration) -> Option<Timestamp> {
        let regular = self.last_visit.map(|last| after(last, every - every / 10));
        match (regular, self.not_before) {
            (Some(a), Some(b)) => Some(a.max(b)),
            (a, b) => a.or(b),
        }
    }

    /// Whether the group is due.
    pub fn is_due(&self, every: Duration, now: Timestamp) -> bool {
        self.due_at(every).is_none_or(|due| due <= now)
    }

    /// A visit that gave an answer.
    pub fn visited(&mut self, now: Timestamp) {
        self.last_visit = Some(now);
        self.failures = 0;
        self.not_before = None;
    }

    /// A visit that failed: the next one waits `every`, then twice that, and so on.
    pub fn failed(&mut self, every: Duration, now: Timestamp) {
        self.last_visit = Some(now);
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(after(now, back_off(every, self.failures) - every / 10));
    }

    /// Whether something stood in the way of its last change.
    pub fn is_held(&self) -> bool {
        matches!(self.condition, Some(Condition::Blocked { .. }))
    }

    /// Takes a new condition, or its end; says whether it is news.
    pub fn set_condition(&mut self, condition: Option<Condition>) -> bool {
        if self.condition == condition {
            return false;
        }
        self.condition = condition;
        true
    }

    /// The alerts of `budget` that are crossed now and were not said this month, rising. Marks them as said.
    pub fn new_alerts(&mut self, month: &str, used_percent: f64, alerts: &[f64]) -> Vec<f64> {
        let said = match &self.alerts {
            Some(alerts) if alerts.month == month => alerts.said_percent,
            _ => 0.0,
        };
        let news: Vec<f64> = alerts
            .iter()
            .copied()
            .filter(|alert| *alert > said && used_percent >= *alert)
            .collect();
        if let Some(last) = news.last() {
            self.alerts = Some(Alerts {
                month: month.to_owned(),
                said_percent: *last,
            });
        }
        news
    }
}

/// The pause after so many failures in a row: `every`, doubled each time, up to a quarter of an hour.
pub fn back_off(every: Duration, failures: u32) -> Duration {
    let factor = 1_u32
        .checked_shl(failures.saturating_sub(1).min(16))
        .unwrap_or(u32::MAX);
    every
        .saturating_mul(factor)
        .min(LONGEST_BACK_OFF.max(every))
}

/// For people: `tried 3 times, next in 4m`.
pub fn describe_back_off(every: Duration, failures: u32) -> String {
    format!(
        "failed {failures} times in a row; next try in {}",
        format_duration(back_off(every, failures))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_group_is_due_each_period_with_a_tenth_of_slack() {
        let mut progress = Progress::default();
        assert!(progress.is_due(MINUTE, at(0)));
        progress.visited(at(0));
        for (seconds, due) in [
            (0, false),
            (30, false),
            (53, false),
            (54, true),
            (60, true),
            (600, true),
        ] {
            assert_eq!(progress.is_due(MINUTE, at(seconds)), due, "{seconds}");
        }
    }

    #[test]
    fn a_failing_group_backs_off_twice_as_long_each_time_up_to_a_quarter_hour() {
        let pauses: Vec<u64> = (1..=7).map(|n| back_off(MINUTE, n).as_secs()).collect();
        assert_eq!(pauses, [60, 120, 240, 480, 900, 900, 900]);
        assert_eq!(back_off(MINUTE, u32::MAX).as_secs(), 900);
        assert_eq!(back_off(Duration::from_secs(3600), 5).as_secs(), 3600);
        let mut progress = Progress::default();
        progress.failed(MINUTE, at(0));
        assert!(progress.is_due(MINUTE, at(60)));
        progress.failed(MINUTE, at(60));
        assert!(!progress.is_due(MINUTE, at(120)));
        assert!(progress.is_due(MINUTE, at(180)));
        progress.visited(at(180));
        assert!(progress.is_due(MINUTE, at(240)));
    }

    #[test]
    fn an_alert_is_given_once_a_month() {
        let mut progress = Progress::default();
        let alerts = [50.0, 80.0, 100.0];
        assert_eq!(
            progress.new_alerts("2026-11", 40.0, &alerts),
            [] as [f64; 0]
        );
        assert_eq!(progress.new_alerts("2026-11", 85.0, &alerts), [50.0, 80.0]);
        assert_eq!(
            progress.new_alerts("2026-11", 90.0, &alerts),
            [] as [f64; 0]
        );
        assert_eq!(progress.new_alerts("2026-11", 130.0, &alerts), [100.0]);
        assert_eq!(progress.new_alerts("2026-12", 60.0, &alerts), [50.0]);
    }

    #[test]
    fn a_condition_is_news_once() {
        let mut progress = Progress::default();
        assert!(progress.set_condition(Some(Condition::Missing)));
        assert!(!progress.set_condition(Some(Condition::Missing)));
        assert!(progress.set_condition(None));
        assert!(!progress.set_condition(None));
    }
}
