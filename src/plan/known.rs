//! What the state knows, as plain data: read once, before anything is awaited.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tideform_policies::model::{Group, GroupAddress, Name};

use super::types::{Record, StateMark};

/// What the state knows.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Which state.
    pub mark: Option<StateMark>,
    /// What was last applied.
    pub groups: BTreeMap<GroupAddress, Applied>,
    /// What an apply that died was about to record: its changes may be in the cloud, and are no drift.
    pub unfinished: BTreeMap<GroupAddress, Record>,
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
    /// The surges that were started, and when each begins (its lead before that).
    pub surges: Vec<(Name, Timestamp)>,
}

impl Applied {
    /// As last applied, with nothing that moves it.
    pub fn new(group: Group) -> Applied {
        Applied {
            group,
            created: false,
            fallback_is_active: false,
            surges: Vec::new(),
        }
    }
}
