//! What the state knows, as plain data: read once, before anything is awaited.

use std::collections::BTreeMap;

use tideform_policies::model::{Group, GroupAddress, ProviderAddress};
use tideform_provider::Identity;

use super::types::StateMark;

/// What the state knows.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Which state.
    pub mark: Option<StateMark>,
    /// What was last applied.
    pub groups: BTreeMap<GroupAddress, Applied>,
    /// Who we were at each provider when something was last applied.
    pub identities: BTreeMap<ProviderAddress, Identity>,
}

/// What was last applied to a group, and what moves it at this moment.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The resolved group.
    pub group: Group,
    /// Tideform created the resource.
    pub created: bool,
    /// The spot fallback is on: the live mix is on demand only, and that is no drift.
    pub fallback_is_active: bool,
}
