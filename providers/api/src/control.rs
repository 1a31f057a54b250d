//! Policies and scheduled actions of a cloud's own: what is there, and what the files want there.
//!
//! What a control says is a flat map of the provider's own words. The provider alone reads it; everyone else only
//! compares it, value by value, and shows it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tideform_policies::calendar::Held;

use crate::live::LiveGroup;

/// What a control says, setting by setting.
pub type Settings = BTreeMap<String, Value>;

/// What kind of control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlKind {
    /// Moves the capacity by a metric: must not act beside the loop.
    Dynamic,
    /// Moves limits or capacity by time.
    Schedule,
}

/// A policy or a scheduled action of the cloud's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Control {
    /// Its name there; ours begin with `tideform/<workspace>/`.
    pub name: String,
    /// What kind.
    pub kind: ControlKind,
    /// It acts.
    pub enabled: bool,
    /// For people: `target tracking, cpu at 60`.
    pub summary: String,
    /// What it says; empty where the provider cannot say it in the words of [`ControlSpec`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: Settings,
    /// The limits that it writes when it acts: nobody has changed these by hand.
    #[serde(default)]
    pub writes: Writes,
    /// Why `settings` is empty: what of it no file can say, a lowercase fragment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beyond: Option<String>,
}

/// The limits that a scheduled action writes; `None`: it leaves them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writes {
    /// The smallest capacity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// The largest capacity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
}

/// A control as the files want it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlSpec {
    /// Its name there: `tideform/<workspace>/<group>/<block>`, or that of an adopted one.
    pub name: String,
    /// What kind.
    pub kind: ControlKind,
    /// Where the files say so, as a path in the resolved group: `metric.cpu`.
    pub path: String,
    /// For people: `target tracking, cpu at 60`.
    pub summary: String,
    /// All that it says: enough to make it.
    pub settings: Settings,
}

/// Before the time in the last part of a dated control's name.
const DATED: &str = "window-";
/// The time itself, in UTC.
const DATED_TIME: &str = "%Y%m%dT%H%M%SZ";

/// The last part of the name of a control that acts once. Such ones are made ahead of time, the loop renews them, and
/// the cloud forgets each once it has acted.
pub fn dated_block(at: Timestamp) -> String {
    format!("{DATED}{}", at.strftime(DATED_TIME))
}

/// When a dated control of ours acts; `None`: it is none.
pub fn dated_at(name: &str) -> Option<Timestamp> {
    let (_, block) = name.rsplit_once('/')?;
    let time = jiff::civil::DateTime::strptime(DATED_TIME, block.strip_prefix(DATED)?).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

/// Whether a control is named as what this workspace made.
pub fn is_ours(name: &str, workspace: &str) -> bool {
    name.strip_prefix("tideform/")
        .and_then(|rest| rest.strip_prefix(workspace))
        .is_some_and(|rest| rest.starts_with('/'))
}

/// What a provider knows beside the group when it says which controls the files want.
#[derive(Clone, Copy, Debug)]
pub struct ControlContext<'a> {
    /// Whose they will be.
    pub workspace: &'a str,
    /// Now.
    pub now: Timestamp,
    /// What people have asked for beside the files.
    pub held: &'a Held,
    /// The group is paused: what no pause of the cloud's own reaches is to stand still too.
    pub is_paused: bool,
    /// Only what moves by time, in the order of [`ControlKind::Schedule`]: the loop renews it, and asks for no more.
    pub only_schedules: bool,
    /// The group as it is; `None`: it is still to be created.
    pub live: Option<&'a LiveGroup>,
    /// The controls as they were last applied, where that is known: an adopted one that somebody has changed is told
    /// by its name.
    pub applied: &'a [ControlSpec],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dated_control_is_known_by_its_name() {
        let at: Timestamp = "2026-11-27T11:00:00Z".parse().unwrap();
        assert_eq!(dated_block(at), "window-20261127T110000Z");
        assert_eq!(
            dated_at("tideform/shop/web/window-20261127T110000Z"),
            Some(at)
        );
        for other in [
            "tideform/shop/web/window-open",
            "tideform/shop/web/window-20261127T110000Z-open",
            "window-20261127T110000Z",
            "tideform/shop/web/cpu",
        ] {
            assert_eq!(dated_at(other), None, "{other}");
        }
    }

    #[test]
    fn ours_begin_with_the_whole_workspace() {
        assert!(is_ours("tideform/shop/web/cpu", "shop"));
        assert!(!is_ours("tideform/shop-eu/web/cpu", "shop"));
        assert!(!is_ours("cpu", "shop"));
    }
}
