//! Policies and scheduled actions of a cloud's own: what is there, and what the files want there.
//!
//! What a control says is a flat map of the provider's own words. The provider alone reads it; everyone else only
//! compares it, value by value, and shows it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tideform_policies::model::Name;

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

/// What a provider knows beside the group when it says which controls the files want.
#[derive(Clone, Copy, Debug)]
pub struct ControlContext<'a> {
    /// Whose they will be.
    pub workspace: &'a str,
    /// Now.
    pub now: Timestamp,
    /// Surges that were started, with the time that each starts at.
    pub surges: &'a [(Name, Timestamp)],
    /// The group as it is; `None`: it is still to be created.
    pub live: Option<&'a LiveGroup>,
}
