//! A group that comes under management just as it is: nothing that scales it changes, only who owns it. Pure.

use super::*;

/// Whether apply would only write the owner's tag and the state.
///
/// Under native control the cloud goes on by itself with what it has. Under the loop a group changes as soon as anything
/// in its files can move it.
pub(super) fn changes_nothing(
    situation: &Situation<'_>,
    group: &Group,
    live: Option<&LiveGroup>,
    steps: &[Step],
) -> bool {
    let Some(live) = live else { return false };
    // A resource that somebody else's tag is on is taken from them.
    if live.owner.is_some() || situation.applied.is_some() {
        return false;
    }
    let only_owns = steps.iter().all(|step| match step {
        Step::Update { change, .. } => change
            .changes
            .iter()
            .all(|attribute| matches!(attribute, AttributeChange::Owner(Some(_)))),
        Step::Create { .. } | Step::Delete { .. } => false,
    });
    only_owns
        && match group.controller {
            Controller::Native => true,
            Controller::Tideform => never_moves(group, live),
        }
}

/// Whether the loop would leave the group's capacity alone for ever.
fn never_moves(group: &Group, live: &LiveGroup) -> bool {
    let policy = &group.policy;
    let limits = policy.limits.unwrap_or(live.attributes.limits);
    policy.metrics.iter().all(|metric| metric.rule.is_none())
        && policy.schedules.is_empty()
        && policy.surges.is_empty()
        && policy.forecast.is_none()
        && !policy.scale_in.enabled
        && group.adopt == Adopt::None
        && wanted::between(live.desired, limits) == live.desired
}

/// Leaves the lines that say what is taken over. All else is as it was.
pub(super) fn keep_what_is_taken(changes: &mut Vec<PlannedChange>) {
    changes.retain(|change| change.action == ChangeAction::Adopt || change.path == "owner");
    for change in changes {
        if change.path == "owner" {
            change.action = ChangeAction::Adopt;
        }
    }
}
