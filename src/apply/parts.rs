//! The parts of a group's calls, and which of them are live: each is judged by itself, by what is there now. Pure.
//!
//! A step may be many calls (whose the group is, its own fields, each policy), and an answer that was lost, or a process
//! that died, says nothing about the others.

use serde::Serialize;
use serde_json::Value as Json;
use tideform_policies::model::units::format_duration;
use tideform_provider::{AttributeChange, GroupSpec, LiveGroup, SwitchedOff};

use super::step::Seen;
use crate::plan::{Step, same_value};

/// One thing that a group's calls change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// For people: `limits 2 to 12`.
    pub text: String,
    /// It is live.
    pub is_done: bool,
}

/// The parts of steps, in the order in which they are carried out; `None`: a resource cannot be read.
pub(super) fn parts(steps: &[Step], seen: &Seen, lineage: &str) -> Option<Vec<Part>> {
    let parts: Option<Vec<Vec<Part>>> = steps
        .iter()
        .map(|step| parts_of(step, seen, lineage))
        .collect();
    Some(parts?.into_iter().flatten().collect())
}

/// Whether all of a step is live; `None`: its resource cannot be read.
pub(super) fn is_in_effect(step: &Step, seen: &Seen, lineage: &str) -> Option<bool> {
    Some(
        parts_of(step, seen, lineage)?
            .iter()
            .all(|part| part.is_done),
    )
}

/// How many of them are done, and which: `1 of 3 parts are done: limits 2 to 12`.
pub(super) fn in_words(parts: &[Part]) -> String {
    const SHOWN: usize = 5;
    let done: Vec<&str> = parts
        .iter()
        .filter(|part| part.is_done)
        .map(|part| part.text.as_str())
        .collect();
    let mut names: Vec<String> = done
        .iter()
        .take(SHOWN)
        .map(|&text| text.to_owned())
        .collect();
    if done.len() > SHOWN {
        names.push(format!("and {} more", done.len() - SHOWN));
    }
    let are = if done.len() == 1 { "is" } else { "are" };
    let which = if names.is_empty() { "" } else { ": " };
    format!(
        "{} of {} parts {are} done{which}{}",
        done.len(),
        parts.len(),
        names.join(", ")
    )
}

fn parts_of(step: &Step, seen: &Seen, lineage: &str) -> Option<Vec<Part>> {
    let key = (step.provider().clone(), step.resource().clone());
    let live = seen.get(&key)?.as_ref().ok()?.as_ref();
    let resource = step.resource();
    let named = |what: &str, is_done| Part {
        text: format!("{what} {} {}", resource.kind, resource.name),
        is_done,
    };
    Some(match step {
        Step::Delete { .. } => vec![named("delete", live.is_none())],
        Step::Create { spec, .. } => {
            let is_there = live.is_some_and(|live| is_ours(spec, live, lineage));
            // Its own fields come with it; policies and schedules are calls of their own.
            let controls = spec.changes.iter().filter(|change| is_control(change));
            let controls = controls.map(|change| Part {
                text: text(change),
                is_done: is_there
                    && live.is_some_and(|live| is_live(change, &spec.changes, live, lineage)),
            });
            std::iter::once(named("create", is_there))
                .chain(controls)
                .collect()
        }
        Step::Update { change, .. } => {
            let all = change.changes.as_slice();
            let mut changes: Vec<&AttributeChange> = all.iter().collect();
            changes.sort_by_key(|change| rank(change));
            changes
                .into_iter()
                .map(|change| Part {
                    text: text(change),
                    is_done: live.is_some_and(|live| is_live(change, all, live, lineage)),
                })
                .collect()
        }
    })
}

fn is_ours(spec: &GroupSpec, live: &LiveGroup, lineage: &str) -> bool {
    live.owner
        .as_ref()
        .is_some_and(|owner| owner.state == lineage && owner.group == spec.owner.group)
}

fn is_control(change: &AttributeChange) -> bool {
    matches!(
        change,
        AttributeChange::PutControl(_) | AttributeChange::RemoveControl(_)
    )
}

/// Whose the group is comes first, then its own fields, then what has calls of its own; letting go comes last.
fn rank(change: &AttributeChange) -> u8 {
    match change {
        AttributeChange::Owner(Some(_)) => 0,
        AttributeChange::Limits(_)
        | AttributeChange::Warmup(_)
        | AttributeChange::Order(_)
        | AttributeChange::Mix(_)
        | AttributeChange::Maintenance(_) => 1,
        AttributeChange::Launch(_) => 2,
        AttributeChange::Drain(_) => 3,
        AttributeChange::PutControl(_) | AttributeChange::RemoveControl(_) => 4,
        AttributeChange::Pause(_) | AttributeChange::SwitchOn(_) => 5,
        AttributeChange::Owner(None) => 6,
    }
}

fn text(change: &AttributeChange) -> String {
    match change {
        AttributeChange::Limits(limits) => format!("limits {} to {}", limits.min(), limits.max()),
        AttributeChange::Warmup(warmup) => format!("warmup {}", format_duration(*warmup)),
        AttributeChange::Order(order) => format!(
            "scale_in.order {}",
            serde_json::to_value(order).unwrap_or_default()
        ),
        AttributeChange::Drain(Some(drain)) => {
            format!("scale_in.drain {}", format_duration(*drain))
        }
        AttributeChange::Drain(None) => "no scale_in.drain".to_owned(),
        AttributeChange::Mix(mix) => format!("mix with {} spot", mix.spot),
        AttributeChange::Maintenance(_) => "maintenance".to_owned(),
        AttributeChange::Launch(attributes) => {
            let names: Vec<String> = attributes
                .keys()
                .map(|name| format!("launch.{name}"))
                .collect();
            names.join(", ")
        }
        AttributeChange::Owner(Some(_)) => "owner".to_owned(),
        AttributeChange::Owner(None) => "no owner".to_owned(),
        AttributeChange::PutControl(spec) => format!("put `{}`", spec.name),
        AttributeChange::RemoveControl(name) => format!("remove `{name}`"),
        AttributeChange::Pause(true) => "switch the cloud's own policies off".to_owned(),
        AttributeChange::Pause(false) => "switch the cloud's own policies on".to_owned(),
        AttributeChange::SwitchOn(names) => format!("switch {} on", names.join(" and ")),
    }
}

/// Whether one of a call's changes is live.
///
/// - `all`: of the call: what is removed may come back under its name.
fn is_live(
    change: &AttributeChange,
    all: &[AttributeChange],
    live: &LiveGroup,
    lineage: &str,
) -> bool {
    let now = &live.attributes;
    match change {
        AttributeChange::Limits(limits) => now.limits == *limits,
        AttributeChange::Warmup(warmup) => now.warmup == Some(*warmup),
        AttributeChange::Order(order) => now.order == Some(*order),
        AttributeChange::Drain(drain) => now.drain == *drain,
        AttributeChange::Mix(mix) => now.mix.as_ref() == Some(mix),
        AttributeChange::Maintenance(wanted) => now.maintenance == Some(*wanted),
        AttributeChange::Pause(is_paused) => live.is_paused == *is_paused,
        AttributeChange::SwitchOn(names) => {
            let is_meant = |off: &SwitchedOff| names.contains(&off.name);
            !live.switched_off.iter().any(is_meant)
        }
        // What the provider does not show cannot be told to be done; asking for it again does no harm.
        AttributeChange::Launch(attributes) => attributes.iter().all(|(name, value)| {
            same_value(now.launch_as(name, value).unwrap_or(&Json::Null), value)
        }),
        AttributeChange::Owner(None) => live.owner.is_none(),
        AttributeChange::Owner(Some(owner)) => live
            .owner
            .as_ref()
            .is_some_and(|live| live.state == lineage && live.group == owner.group),
        AttributeChange::PutControl(spec) => live.controls.iter().any(|control| {
            control.name == spec.name && control.settings == spec.settings && control.enabled
        }),
        AttributeChange::RemoveControl(name) => {
            let comes_back = all.iter().any(
                |change| matches!(change, AttributeChange::PutControl(spec) if spec.name == *name),
            );
            comes_back || live.controls.iter().all(|control| control.name != *name)
        }
    }
}
