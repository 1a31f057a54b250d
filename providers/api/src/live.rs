//! What is live: a group as the provider shows it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tideform_policies::model::units::seconds;
use tideform_policies::model::{
    Instance, InstanceType, Limits, Maintenance, Resource, Share, VictimOrder,
};

use crate::control::Control;

/// Who we are at a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The account; for the mock the world's own id.
    pub account: String,
    /// The region.
    pub region: String,
}

/// Who manages a live group: the owner tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The workspace.
    pub workspace: String,
    /// The state's lineage.
    pub state: String,
    /// The group's address in the files of that workspace, as text.
    pub group: String,
}

/// A group as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveGroup {
    /// What it is.
    pub resource: Resource,
    /// When it was read, by the provider's clock.
    pub at: Timestamp,
    /// The capacity last asked for, by anyone; in units.
    pub desired: u32,
    /// What tideform can manage of it.
    pub attributes: LiveAttributes,
    /// All of them, ended ones aside.
    pub instances: Vec<Instance>,
    /// Whose it is.
    pub owner: Option<Owner>,
    /// Policies and schedules of the cloud's own on it.
    pub controls: Vec<Control>,
    /// All of these are switched off, by whomever.
    #[serde(default)]
    pub is_paused: bool,
    /// What is switched off, by whomever, of what carries out the cloud's own controls and any change of capacity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub switched_off: Vec<SwitchedOff>,
    /// Why no capacity change would be carried out now: a suspended process, a refresh under way. Empty: nothing.
    pub blocked: Vec<String>,
    /// Launches that failed lately, newest last: for the spot fallback.
    pub failed_launches: Vec<FailedLaunch>,
    /// How long its load balancers let an ending instance finish what it has begun.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deregistration: Vec<Deregistration>,
}

/// A part of the cloud that is switched off for one group, so that it is not scaled as its controls say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwitchedOff {
    /// In the provider's word: `AlarmNotification`.
    pub name: String,
    /// For people, a lowercase fragment: what is off, and what does not happen for that.
    pub effect: String,
    /// The command that switches it on again.
    pub resume: String,
    /// A pause switches it off too.
    pub by_pause: bool,
}

/// How long a load balancer lets an ending instance finish what it has begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deregistration {
    /// The load balancer's own part, for people: `target group web`.
    pub target: String,
    /// How long, or why that is not known.
    pub delay: Result<Duration, String>,
}

/// A launch that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailedLaunch {
    /// When.
    pub at: Timestamp,
    /// How it would have been paid for.
    pub lifecycle: tideform_policies::model::Lifecycle,
    /// What the provider said.
    pub message: String,
}

/// What tideform can manage of a group. A `None` is something that this backend does not have, or that is not set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveAttributes {
    /// The group's own limits.
    pub limits: Limits,
    /// The provider's own warm-up attribute.
    #[serde(
        rename = "warmup_s",
        default,
        skip_serializing_if = "Option::is_none",
        with = "seconds::option"
    )]
    pub warmup: Option<Duration>,
    /// Which instances end first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<VictimOrder>,
    /// How long an ending instance may finish its work.
    #[serde(
        rename = "drain_s",
        default,
        skip_serializing_if = "Option::is_none",
        with = "seconds::option"
    )]
    pub drain: Option<Duration>,
    /// On-demand and spot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mix: Option<LiveMix>,
    /// How many instances there are while the provider replaces some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<Maintenance>,
    /// What `launch` made, in the provider's words.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub launch: BTreeMap<String, serde_json::Value>,
    /// The same in other words, where there are some: a template by its id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub launch_also: BTreeMap<String, serde_json::Value>,
}

impl LiveAttributes {
    /// What is live of an attribute of `launch`, in the words of `wanted` where these say the same.
    pub fn launch_as<'a>(
        &'a self,
        name: &str,
        wanted: &serde_json::Value,
    ) -> Option<&'a serde_json::Value> {
        let also = self.launch_also.get(name).filter(|also| *also == wanted);
        also.or_else(|| self.launch.get(name))
    }
}

/// The mix as the provider has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveMix {
    /// In units.
    pub on_demand_base: u32,
    /// The share above the base that is spot.
    pub spot: Share,
    /// In order of preference.
    pub types: Vec<InstanceType>,
    /// The provider's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocation: Option<String>,
    /// Replace spot instances that are about to be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebalance: Option<bool>,
}

/// Prices of one instance type, in US dollars per hour.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prices {
    /// On demand; `None`: the provider does not say.
    pub on_demand_usd_per_hour: Option<f64>,
    /// Spot, where there is one.
    pub spot_usd_per_hour: Option<f64>,
}

/// An instance type whose prices are wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PriceRequest {
    /// As the provider names it.
    pub instance_type: String,
    /// Whether any of them runs or may run as spot: its spot price costs some providers a call.
    pub spot: bool,
}
