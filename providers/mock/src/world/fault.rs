//! What goes wrong in a world: calls that fail or lag, capacity that is not there, instances that are taken away.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tideform_policies::model::Lifecycle;

use super::moment::Moment;
use crate::lenient::When;

/// A call of the provider, by the name of its trait method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the methods of `Provider`")]
pub enum Call {
    Identity,
    ReadGroups,
    FindGroups,
    OwnedGroups,
    ReadMetrics,
    CreateGroup,
    UpdateGroup,
    DeleteGroup,
    SetDesired,
    TerminateInstance,
    Prices,
}

impl Call {
    /// The name of the trait method.
    pub const fn name(self) -> &'static str {
        match self {
            Call::Identity => "identity",
            Call::ReadGroups => "read_groups",
            Call::FindGroups => "find_groups",
            Call::OwnedGroups => "owned_groups",
            Call::ReadMetrics => "read_metrics",
            Call::CreateGroup => "create_group",
            Call::UpdateGroup => "update_group",
            Call::DeleteGroup => "delete_group",
            Call::SetDesired => "set_desired",
            Call::TerminateInstance => "terminate_instance",
            Call::Prices => "prices",
        }
    }

    /// Whether it changes the world.
    pub const fn is_write(self) -> bool {
        match self {
            Call::CreateGroup
            | Call::UpdateGroup
            | Call::DeleteGroup
            | Call::SetDesired
            | Call::TerminateInstance => true,
            Call::Identity
            | Call::ReadGroups
            | Call::FindGroups
            | Call::OwnedGroups
            | Call::ReadMetrics
            | Call::Prices => false,
        }
    }
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The call is refused for its rate; nothing is done.
    Throttle,
    /// The provider is not there; nothing is done.
    Unavailable,
    /// The call is not allowed; nothing is done.
    Denied,
    /// No answer, and nothing was done. A read is unavailable instead.
    TimeoutBefore,
    /// No answer, though it was done. A read is unavailable instead.
    TimeoutAfter,
    /// Reads of a group show what was before its last change, for so long after it.
    Lag,
    /// Launches fail.
    NoCapacity,
    /// The provider takes spot instances back, after a notice.
    InterruptSpot,
    /// Instances break, and are replaced by the health check.
    Break,
}

impl FaultKind {
    /// Whether it strikes a call, and so can be scripted for the next one.
    pub const fn strikes_calls(self) -> bool {
        match self {
            FaultKind::Throttle
            | FaultKind::Unavailable
            | FaultKind::Denied
            | FaultKind::TimeoutBefore
            | FaultKind::TimeoutAfter => true,
            FaultKind::Lag
            | FaultKind::NoCapacity
            | FaultKind::InterruptSpot
            | FaultKind::Break => false,
        }
    }
}

/// Something that goes wrong again and again, drawn from the world's seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// For calls and launches the share that is struck, 0 to 1; for instances how many times an hour each is struck.
    pub rate: f64,
    /// Only these calls; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<Call>,
    /// Only these groups, by name; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Only from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<When>,
    /// Only before then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<When>,
    /// Only launches of this kind; `None`: of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// How long before it is taken a spot instance is told.
    #[serde(with = "crate::lenient::duration")]
    pub notice: Duration,
    /// How long a read shows the old state.
    #[serde(with = "crate::lenient::duration")]
    pub lag: Duration,
}

impl Fault {
    /// A fault of this kind everywhere and always, with the defaults: every call, once an hour, 2 minutes' notice, 30
    /// seconds' lag.
    pub fn new(kind: FaultKind) -> Fault {
        Fault {
            kind,
            rate: 1.0,
            calls: Vec::new(),
            groups: Vec::new(),
            from: None,
            until: None,
            lifecycle: None,
            notice: Duration::from_secs(120),
            lag: Duration::from_secs(30),
        }
    }

    /// Whether it can strike this group at this time.
    pub fn covers(&self, group: Option<&str>, start: Moment, at: Moment) -> bool {
        self.rate > 0.0
            && self.from.is_none_or(|from| from.moment(start) <= at)
            && self.until.is_none_or(|until| at < until.moment(start))
            && (self.groups.is_empty()
                || group.is_some_and(|name| self.groups.iter().any(|other| other == name)))
    }

    /// Whether it can strike this call.
    pub fn covers_call(&self, call: Call) -> bool {
        self.kind.strikes_calls() && (self.calls.is_empty() || self.calls.contains(&call))
    }
}

/// A fault that strikes the next calls that it fits, in the order in which it was added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScriptedFault {
    /// What; only kinds that strike calls.
    pub kind: FaultKind,
    /// Which call; `None`: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Call>,
    /// Which group; `None`: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// So many calls are still let through first.
    #[serde(default)]
    pub skip: u32,
    /// So many calls are struck.
    pub times: u32,
}
