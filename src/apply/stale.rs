//! Whether state or cloud has moved since a plan was made: checked before anything is changed.

use serde_json::Value as Json;
use thiserror::Error;
use tideform_provider::{LiveAttributes, LiveGroup, Owner};
use tideform_state::{State, StateError};

use super::step::Seen;
use super::{ApplyError, FailedChange};
use crate::plan::{GroupPlan, Plan, fingerprint};

/// Something has moved since the plan was made. Nothing was changed: plan again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the plan is stale: {what} was {planned} when it was made, and is {found} now")]
pub struct Stale {
    /// `the state's serial`, `limits.max of group.web`.
    pub what: String,
    /// What it was when the plan was made.
    pub planned: String,
    /// What it is now.
    pub found: String,
    /// It is one group's own affair: its resource is gone, or another state has it now.
    pub is_groups_own: bool,
}

fn stale(
    what: impl Into<String>,
    planned: impl Into<String>,
    found: impl Into<String>,
) -> ApplyError {
    ApplyError::Stale(Box::new(Stale {
        what: what.into(),
        planned: planned.into(),
        found: found.into(),
        is_groups_own: false,
    }))
}

/// The state's lineage and serial, and its workspace.
pub(super) fn check_state(plan: &Plan, state: &State) -> Result<(), ApplyError> {
    let meta = state.meta()?;
    if meta.workspace != plan.workspace {
        return Err(ApplyError::State(StateError::WrongWorkspace {
            recorded: meta.workspace,
            expected: plan.workspace.clone(),
        }));
    }
    match &plan.state {
        None if meta.serial != 0 => Err(stale(
            "the state",
            "not there",
            format!("at serial {}", meta.serial),
        )),
        None => Ok(()),
        Some(mark) if mark.lineage != meta.lineage => {
            Err(stale("the state", mark.lineage.as_str(), meta.lineage))
        }
        Some(mark) if mark.serial != meta.serial => Err(stale(
            "the state's serial, which rises with every apply,",
            mark.serial.to_string(),
            meta.serial.to_string(),
        )),
        Some(_) => Ok(()),
    }
}

/// The resources that the plan rests on. One that cannot be read is left to its own group's failure, and so is one that
/// is gone, or that another state has taken over: those groups are answered, and the others go on.
///
/// # Errors
/// Something else has moved, or nothing that the plan would change is there any more.
pub(super) fn check_cloud(
    plan: &Plan,
    seen: &Seen,
    lineage: &str,
) -> Result<Vec<FailedChange>, ApplyError> {
    let mut gone = Vec::new();
    let mut first = None;
    for group in plan.groups.iter().filter(|group| group.has_work()) {
        let Some(stale) = difference(group, seen, lineage) else {
            continue;
        };
        if !stale.is_groups_own {
            return Err(ApplyError::Stale(Box::new(stale)));
        }
        gone.push(FailedChange {
            address: group.address.clone(),
            message: format!("nothing was changed: {stale}"),
        });
        first.get_or_insert(stale);
    }
    let with_work = plan.groups.iter().filter(|group| group.has_work()).count();
    match first {
        Some(stale) if gone.len() == with_work => Err(ApplyError::Stale(Box::new(stale))),
        _ => Ok(gone),
    }
}

/// What has moved of a group's resources; `None`: nothing, or it cannot be read.
pub(super) fn difference(group: &GroupPlan, seen: &Seen, lineage: &str) -> Option<Stale> {
    let applied = group.before.as_deref();
    let key = (group.provider.clone(), group.resource.clone());
    let what = format!("{} {}", group.resource.kind, group.resource.name);
    if let Some(Ok(live)) = seen.get(&key) {
        let found = live.as_ref().map(|live| fingerprint(live, applied));
        match (&group.fingerprint, &found) {
            (planned, found) if planned == found => {}
            (None, _) => return Some(existence(&what, "not there", "there")),
            (_, None) => {
                return Some(Stale {
                    is_groups_own: true,
                    ..existence(&what, "there", "gone")
                });
            }
            _ if let Some(owner) = live.as_ref().and_then(|live| stranger(live, lineage)) => {
                return Some(Stale {
                    what: format!("the owner of {what}"),
                    planned: "another".to_owned(),
                    found: format!("{} of workspace {}", owner.group, owner.workspace),
                    is_groups_own: true,
                });
            }
            (Some(planned), Some(found)) => {
                let moved = live
                    .as_ref()
                    .zip(group.live.as_ref())
                    .and_then(|(live, before)| {
                        attribute(&group.address.to_string(), before, &live.attributes)
                    });
                return Some(moved.unwrap_or_else(|| Stale {
                    what: format!(
                        "the owner or a scaling policy of {what} ({})",
                        group.address
                    ),
                    planned: format!("fingerprint {}", short(planned)),
                    found: short(found).to_owned(),
                    is_groups_own: false,
                }));
            }
        }
    }
    let old = group.old.as_ref()?;
    let key = (old.provider.clone(), old.resource.clone());
    let Some(Ok(live)) = seen.get(&key) else {
        return None;
    };
    let found = live.as_ref().map(|live| fingerprint(live, applied));
    (found != old.fingerprint).then(|| Stale {
        what: format!("{} {}", old.resource.kind, old.resource.name),
        planned: old.fingerprint.as_deref().map_or("gone", short).to_owned(),
        found: found.as_deref().map_or("gone", short).to_owned(),
        is_groups_own: found.is_none(),
    })
}

fn existence(what: &str, planned: &str, found: &str) -> Stale {
    Stale {
        what: what.to_owned(),
        planned: planned.to_owned(),
        found: found.to_owned(),
        is_groups_own: false,
    }
}

/// Whose the group is, where that is another state.
fn stranger<'a>(live: &'a LiveGroup, lineage: &str) -> Option<&'a Owner> {
    live.owner.as_ref().filter(|owner| owner.state != lineage)
}

fn short(fingerprint: &str) -> &str {
    fingerprint.get(..12).unwrap_or(fingerprint)
}

/// The first attribute that differs.
fn attribute(address: &str, planned: &LiveAttributes, found: &LiveAttributes) -> Option<Stale> {
    let planned = serde_json::to_value(planned).ok()?;
    let found = serde_json::to_value(found).ok()?;
    let (path, planned, found) = first_difference("", &planned, &found)?;
    Some(Stale {
        what: format!("{path} of {address}"),
        planned,
        found,
        is_groups_own: false,
    })
}

fn first_difference(path: &str, a: &Json, b: &Json) -> Option<(String, String, String)> {
    let (Json::Object(left), Json::Object(right)) = (a, b) else {
        let text = |value: &Json| match value {
            Json::Null => "not set".to_owned(),
            value => value.to_string(),
        };
        return (a != b).then(|| (path.to_owned(), text(a), text(b)));
    };
    left.keys().chain(right.keys()).find_map(|key| {
        let name = key.strip_suffix("_s").unwrap_or(key);
        let path = if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        };
        let of =
            |object: &serde_json::Map<String, Json>| object.get(key).cloned().unwrap_or_default();
        first_difference(&path, &of(left), &of(right))
    })
}
