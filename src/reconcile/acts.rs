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

/// The calls that carry out a decision.
///
/// One absolute number, wherever the provider then ends the right instances by itself: when it grows, when it cannot
/// be told, and when the group's own attribute says the order. A victim that the attribute cannot say (an unhealthy
/// one, or any where the live order is another) is ended by its id, before the number is set.
pub(super) fn plan_acts(
    group: &Group,
    live: &LiveGroup,
    decision: &Decision,
    chooses_victims: bool,
) -> Vec<PlannedAct> {
    let mut acts = Vec::new();
    let mut current = decision.current;
    if decision.desired < current && chooses_victims {
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
            if next < decision.desired {
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
    if current != decision.desired {
        acts.push(PlannedAct {
            act: Act::SetDesired,
            change: Change {
                before: current,
                after: decision.desired,
            },
        });
    }
    acts
}

#[cfg(test)]
mod tests {
    use tideform_provider::Control;

    use super::*;
    use crate::reconcile::testing::live_group;

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
