//! What is asked of a provider when a plan is carried out.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tideform_policies::model::units::seconds;
use tideform_policies::model::{InstanceModel, Limits, Maintenance, Resource, VictimOrder};

use crate::control::ControlSpec;
use crate::live::{LiveMix, Owner};

/// One attribute of a group that takes a new value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeChange {
    /// Smallest and largest capacity. The provider brings desired between them, and no further.
    Limits(Limits),
    /// The provider's own warm-up.
    Warmup(#[serde(with = "seconds")] Duration),
    /// Which instances end first.
    Order(VictimOrder),
    /// How long an ending instance may finish its work; `None` takes it away.
    Drain(#[serde(with = "seconds::option")] Option<Duration>),
    /// On-demand and spot.
    Mix(LiveMix),
    /// How many instances there are while the provider replaces some.
    Maintenance(Maintenance),
    /// Provider attributes of `launch`: only those named; null takes one away.
    Launch(BTreeMap<String, serde_json::Value>),
    /// The owner tag; `None` takes it away.
    Owner(Option<Owner>),
    /// Makes a control of ours, or changes it to say this.
    PutControl(ControlSpec),
    /// Removes a control of ours, by name.
    RemoveControl(String),
    /// Switches the cloud's own controls off, all of them, or on again. They stay as they are.
    Pause(bool),
    /// Switches these on again, by their names in [`crate::LiveGroup::switched_off`]: the others were off before a pause.
    SwitchOn(Vec<String>),
}

/// Changes to one group: only the fields that are named, in one call where the provider can.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupChange {
    /// Which.
    pub resource: Resource,
    /// What.
    pub changes: Vec<AttributeChange>,
}

/// A group to create.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupSpec {
    /// What it will be called.
    pub resource: Resource,
    /// Its limits.
    pub limits: Limits,
    /// The first desired capacity; within the limits.
    pub desired: u32,
    /// Whose it is.
    pub owner: Owner,
    /// Further attributes.
    pub changes: Vec<AttributeChange>,
    /// The provider's own attributes of `launch`.
    pub launch: BTreeMap<String, serde_json::Value>,
    /// What one instance is, for a provider that simulates its instances: it holds where `launch` says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceModel>,
}
