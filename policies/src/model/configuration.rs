//! A whole directory, decoded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::address::{GroupAddress, ProviderAddress};
use super::group::Group;
use super::test::Test;
use crate::source::{SourceMap, Span};

/// All that the files of a directory say.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// The `tideform` block.
    pub settings: Settings,
    /// The providers, in the order of the files.
    pub providers: Vec<ProviderConfiguration>,
    /// The groups, by address.
    pub groups: BTreeMap<GroupAddress, Group>,
    /// The `test` blocks, in the order of the files.
    pub tests: Vec<Test>,
    /// Memory and history that move to a new address.
    pub moved: Vec<Moved>,
    /// Groups that are forgotten, without touching what they scale.
    pub removed: Vec<GroupAddress>,
    /// The files, for pointing into them.
    pub sources: SourceMap,
    /// Where the values of the groups come from; asked by [`Configuration::origins`].
    pub layers: crate::layers::Layers,
    /// SHA-256 over the names and bytes of all files and the values of all variables, in hex.
    pub digest: String,
}

/// Where a value of a resolved group was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The place of the value; `None` for a default.
    pub span: Option<Span>,
    /// `default`, `policy.web`, `group.web`.
    pub layer: Arc<str>,
}

impl Configuration {
    /// Where each value of a group comes from, by the path in the resolved group: `limits.max`,
    /// `metric.cpu.track.target`, `scale_in.rate[0].per`; a block's own place under its path (`metric.cpu`), the items
    /// of a list under theirs (`adopt[0]`).
    /// Values that are nowhere in the files have the layer `default`. Empty for an unknown group.
    ///
    /// It merges the group's layers anew: ask for the groups that are shown, not for all.
    pub fn origins(&self, group: &GroupAddress) -> BTreeMap<String, Origin> {
        self.layers.origins(group)
    }

    /// Where the label of a group's own block stands; `None` for an unknown group.
    pub fn label(&self, group: &GroupAddress) -> Option<Span> {
        self.layers.label(group)
    }

    /// The settings whose default holds somewhere in a group, by their names in the schema: `every`,
    /// `metric.track.tolerance`. Empty for an unknown group. It costs as much as [`Configuration::origins`].
    pub fn defaults_in_force(&self, group: &GroupAddress) -> BTreeSet<String> {
        self.layers.defaults_in_force(group)
    }
}

/// The `tideform` block.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Names and tags what this configuration owns. `None`: `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<String>,
    /// Where the state is kept.
    pub backend: Backend,
    /// Where the block is written; `None`: nowhere.
    #[serde(skip)]
    pub span: Option<Span>,
}

/// Where the state is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Backend {
    /// `local`, `s3`. Empty: local.
    pub kind: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, serde_json::Value>,
}

/// A `provider` block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProviderConfiguration {
    /// How groups name it.
    pub address: ProviderAddress,
    /// Attributes by name; a labelled block as `{ "load": { "web": { … } } }`, an unlabelled repeatable one as a
    /// list under its kind, other unlabelled ones as an object. The provider reads it with serde.
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Where the block stands.
    #[serde(skip)]
    pub span: Option<Span>,
}

/// A `moved` block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The old address.
    pub from: GroupAddress,
    /// The new address.
    pub to: GroupAddress,
}
