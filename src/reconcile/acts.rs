//! The calls that carry out a decision. Pure: what is live and what was decided in, calls in their order out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tideform_policies::model::{
    Adopt, Capacity, Change, Group, Instance, InstanceState, Share, VictimOrder,
};
use tideform_provider::{AttributeChange, ControlKind, LiveGroup, LiveMix};

use super::group::PlannedAct;
use super::settle::Act;
use crate::engine::Decision;

/// Takes away what tideform made, or took over, when the cloud scaled the group: two must not.
pub(super) fn plan_controls(live: &LiveGroup, workspace: &str, adopt: &Adopt) -> Vec<PlannedAct> {
    let ours = format!("tideform/{workspace}/");
    let is_ours = |name: &String| {
        name.starts_with(&ours)
            || match adopt {
                Adopt::None => false,
                Adopt::All => true,
                Adopt::Named(names) => names.contains(name),
            }
    };
    live.controls
        .iter()
        .filter(|control| control.kind == ControlKind::Dynamic && is_ours(&control.name))
        .map(|control| PlannedAct {
            act: Act::Change(AttributeChange::RemoveControl(control.name.clone())),
            change: unmoved(live),
        })
        .collect()
}

/// Spot or on demand, where a fallback begins or ends. Apart from fallbacks the mix is `apply`'s.
pub(super) fn plan_mix(
    group: &Group,
    live: &LiveGroup,
    decision: &Decision,
    now: Timestamp,
) -> Option<PlannedAct> {
    let mix = group.policy.mix.as_ref()?;
    let fallback = decision
        .memory
        .fallback
        .filter(|_| mix.fallback.is_some())?;
    let is_falling_back = now < fallback.until;
    let wanted = if is_falling_back {
        Share(0.0)
    } else {
        mix.spot
    };
    let live_mix = live.attributes.mix.as_ref()?;
    // After a fallback only its own doing is undone: any other share is somebody's change, and drift.
    let is_ours = is_falling_back || live_mix.spot == Share(0.0);
    if live_mix.spot == wanted || !is_ours {
        return None;
    }
    let changed = LiveMix {
        spot: wanted,
        ..live_mix.clone()
    };
    Some(PlannedAct {
        act: Act::Change(AttributeChange::Mix(changed)),
        change: unmoved(live),
    })
}

pub(super) fn unmoved(live: &LiveGroup) -> Change<Capacity> {
    Change {
        before: Capacity(live.desired),
        after: Capacity(live.desired),
    }
}

/// How far the group itself lets the decision go, and what keeps it from going all the way.
///
/// Its own limits may be narrower than the files' where somebody moved them, and of protected instances none ends: a
/// capacity below them would be asked for again and again, or end whatever loses its protection next.
pub(super) fn within_reach(
    live: &LiveGroup,
    current: Capacity,
    wanted: Capacity,
) -> (Capacity, Vec<String>) {
    let limits = live.attributes.limits;
    let mut desired = wanted;
    let mut why = Vec::new();
    let outside = || {
        format!(
            "{wanted} is outside the group's own limits, {} to {}; `tideform plan` shows who changed them",
            limits.min(),
            limits.max()
        )
    };
    if wanted > current && wanted > limits.max() {
        desired = limits.max().max(current);
        why.push(outside());
    }
    if wanted < current && wanted < limits.min() {
        desired = limits.min().min(current);
        why.push(outside());
    }
    let protected = live
        .instances
        .iter()
        .filter(|instance| instance.protected && is_there(instance))
        .fold(Capacity(0), |sum, instance| {
            sum.saturating_add(instance.weight)
        });
    if wanted < current && desired < protected {
        desired = protected.min(current);
        why.push(format!(
            "{protected} of {current} are protected from scale-in, and {wanted} is wanted"
        ));
    }
    (desired, why)
}

fn is_there(instance: &Instance) -> bool {
    match instance.state {
        InstanceState::Pending | InstanceState::InService | InstanceState::Unhealthy => true,
        InstanceState::Draining | InstanceState::Ended => false,
    }
}

/// The calls that carry out a decision.
///
/// One absolute number, wherever the provider then ends the right instances by itself: when it grows, when it cannot
/// be told, and when the group's own attribute says the order. A victim that the attribute cannot say (an unhealthy
/// one, or any where the live order is another) is ended by its id, before the number is set.
///
/// - `desired`: what was decided, as far as the group lets it: [`within_reach`].
pub(super) fn plan_acts(
    group: &Group,
    live: &LiveGroup,
    decision: &Decision,
    desired: Capacity,
    chooses_victims: bool,
) -> Vec<PlannedAct> {
    let mut acts = Vec::new();
    let mut current = decision.current;
    if desired < current && chooses_victims {
        let order = group.policy.scale_in.order;
        let attribute_says_it =
            order == VictimOrder::Default || live.attributes.order == Some(order);
        let by_id: BTreeMap<&str, &Instance> = live
            .instances
            .iter()
            .map(|instance| (&*instance.id, instance))
            .collect();
        for id in &decision.victims {
            let Some(instance) = by_id.get(&**id) else {
                continue;
            };
            if attribute_says_it && instance.state != InstanceState::Unhealthy {
                break;
            }
            let next = current.saturating_sub(instance.weight);
            if next < desired {
                break;
            }
            acts.push(PlannedAct {
                act: Act::Terminate {
                    instance: id.clone(),
                },
                change: Change {
                    before: current,
                    after: next,
                },
            });
            current = next;
        }
    }
    if current != desired {
        acts.push(PlannedAct {
            act: Act::SetDesired,
            change: Change {
                before: current,
                after: desired,
            },
        });
    }
    acts
}

#[cfg(test)]
mod tests {
    use tideform_policies::model::Limits;
    use tideform_provider::Control;

    use super::*;
    use crate::reconcile::testing::{instance, live_group};

    #[test]
    fn a_decision_goes_as_far_as_the_groups_own_limits_and_protected_instances_let_it() {
        // current, wanted, MinSize, MaxSize, protected -> asked for, and how many reasons why not all of it
        for (current, wanted, min, max, protected, asked, reasons) in [
            (4, 8, 1, 20, 0, 8, 0),
            (4, 8, 1, 6, 0, 6, 1),
            (4, 8, 1, 4, 0, 4, 1),
            // Somebody lowered the maximum under it: growing further is out of the question, shrinking is not asked for.
            (4, 8, 1, 3, 0, 4, 1),
            (4, 2, 1, 20, 0, 2, 0),
            (4, 2, 3, 20, 0, 3, 1),
            (4, 2, 5, 20, 0, 4, 1),
            (4, 2, 1, 20, 2, 2, 0),
            (4, 2, 1, 20, 3, 3, 1),
            (4, 2, 1, 20, 4, 4, 1),
            (4, 2, 3, 20, 4, 4, 2),
            // Protection is about ending.
            (4, 8, 1, 20, 4, 8, 0),
            (4, 4, 5, 20, 4, 4, 0),
        ] {
            let mut live = live_group("web", current, Timestamp::UNIX_EPOCH);
            live.attributes.limits = Limits::new(Capacity(min), Capacity(max)).unwrap();
            live.instances = (0..current)
                .map(|n| Instance {
                    protected: n < protected,
                    ..instance(
                        &format!("i-{n}"),
                        InstanceState::InService,
                        Timestamp::UNIX_EPOCH,
                    )
                })
                .collect();
            let (found, why) = within_reach(&live, Capacity(current), Capacity(wanted));
            assert_eq!(
                (found, why.len()),
                (Capacity(asked), reasons),
                "{current} {wanted} {min} {max} {protected}: {why:?}"
            );
        }
    }

    #[test]
    fn the_loop_takes_away_our_dynamic_policies_and_adopted_ones_and_no_others() {
        let mut live = live_group("web", 2, Timestamp::UNIX_EPOCH);
        for (name, kind) in [
            ("tideform/shop/web/cpu", ControlKind::Dynamic),
            ("tideform/other/web/cpu", ControlKind::Dynamic),
            ("cpu-60", ControlKind::Dynamic),
            ("nightly", ControlKind::Schedule),
        ] {
            live.controls.push(Control {
                name: name.into(),
                kind,
                enabled: true,
                summary: String::new(),
                settings: Default::default(),
                writes: Default::default(),
                beyond: None,
            });
        }
        for (adopt, expected) in [
            (Adopt::None, vec!["tideform/shop/web/cpu"]),
            (
                Adopt::Named(vec!["cpu-60".into(), "nightly".into()]),
                vec!["tideform/shop/web/cpu", "cpu-60"],
            ),
        ] {
            let removed: Vec<String> = plan_controls(&live, "shop", &adopt)
                .into_iter()
                .filter_map(|planned| match planned.act {
                    Act::Change(AttributeChange::RemoveControl(name)) => Some(name),
                    _ => None,
                })
                .collect();
            assert_eq!(removed, expected, "{adopt:?}");
        }
    }
}
