//! What a backtest of each group compares: what is live and what is planned, with its prices. Pure but for [`with_live`].

use std::collections::BTreeMap;

use futures::StreamExt;
use tideform_policies::model::{Controller, Group, ProviderAddress};
use tideform_provider::{ItemResult, LiveGroup};

use super::ResourceKey;
use super::cost::{ProviderPrices, as_mix, prices};
use super::types::{Action, GroupPlan, Plan, Record};
use crate::backtest::Case;
use crate::import::{AsLive, as_live};
use crate::registry::Providers;
use crate::simulate::Prices;

/// Of so many groups what is live is asked for at once.
const AT_ONCE: usize = 8;

/// The cases of a plan: each group that will be scaled in another way than now.
pub(super) fn cases(
    plan: &Plan,
    live: &BTreeMap<ResourceKey, ItemResult<Option<LiveGroup>>>,
    known: &BTreeMap<ProviderAddress, ProviderPrices>,
) -> Vec<PlannedCase> {
    let changed = plan.groups.iter().filter_map(|group| {
        let planned = planned(group)?;
        let was = group.before.as_deref();
        if was.is_some_and(|was| scales_alike(was, planned)) {
            return None;
        }
        let key = (planned.provider.clone(), planned.resource.clone());
        let live = live.get(&key).and_then(|live| live.as_ref().ok()?.as_ref());
        let instance = |group: &Group| {
            let prices = prices(group, live, known);
            let on_demand = prices.on_demand?.usd_per_hour;
            let spot = prices.spot.map_or(on_demand, |spot| spot.usd_per_hour);
            Some(Prices { on_demand, spot })
        };
        let case = Case {
            address: group.address.clone(),
            recorded_as: group
                .moved_from
                .clone()
                .unwrap_or_else(|| group.address.clone()),
            was: was.cloned(),
            now: was.cloned(),
            now_desired: None,
            planned: planned.clone(),
            is_there: live.is_some(),
            live_limits: live.map(|live| live.attributes.limits),
            live_mix: live
                .and_then(|live| live.attributes.mix.as_ref())
                .map(as_mix),
            prices_now: instance(was.unwrap_or(planned)),
            prices_planned: instance(planned),
            notes: beside(group, planned),
        };
        let live = live.filter(|_| is_other_than_applied(group));
        Some(PlannedCase {
            case,
            // Neither instances nor failures say what scales a group.
            live: live.map(|live| LiveGroup {
                instances: Vec::new(),
                failed_launches: Vec::new(),
                ..live.clone()
            }),
        })
    });
    changed.collect()
}

/// A case, before what is live is told.
#[derive(Clone, Debug)]
pub struct PlannedCase {
    /// The case; `now` is what was last applied.
    pub case: Case,
    /// What scales the group now, where that is not what was last applied.
    pub live: Option<LiveGroup>,
}

/// Whether something else scales a group than what was last applied: nothing was, or the cloud's own controls have become
/// others. Where the loop scales, it does so by what was applied.
fn is_other_than_applied(group: &GroupPlan) -> bool {
    match group.before.as_deref() {
        None => true,
        Some(was) => {
            was.controller == Controller::Native
                && (!group.drift.is_empty() || group.unmanaged.iter().any(|one| one.enabled))
        }
    }
}

/// What goes on acting beside what is planned.
fn beside(group: &GroupPlan, planned: &Group) -> Vec<String> {
    let names = group.unmanaged.iter().filter(|one| one.enabled);
    let names: Vec<String> = names.map(|one| format!("`{}`", one.name)).collect();
    if names.is_empty() || (planned.controller == Controller::Tideform && !planned.coexist) {
        return Vec::new();
    }
    vec![format!(
        "{} of the cloud's own, which the plan leaves alone, is not simulated beside what is planned",
        names.join(", ")
    )]
}

/// Finishes the cases: `now` becomes what scales each group in truth.
///
/// Asks a provider for what its controls mean, which costs a call where one names a load balancer. What cannot be told is
/// a note of the case.
pub async fn with_live(cases: Vec<PlannedCase>, providers: &Providers) -> Vec<Case> {
    let told = cases
        .into_iter()
        .map(|PlannedCase { mut case, live }| async move {
            if let Some(live) = live {
                tell_live(&mut case, &live, providers).await;
            }
            case
        });
    futures::stream::iter(told)
        .buffered(AT_ONCE)
        .collect()
        .await
}

async fn tell_live(case: &mut Case, live: &LiveGroup, providers: &Providers) {
    let address = &case.planned.provider;
    let Some(provider) = providers.get(address) else {
        return;
    };
    match as_live(provider.as_ref(), address, live).await {
        Ok(Some(AsLive { mut group, left })) => {
            group.address = case.address.clone();
            // What an instance is, and what its metrics are called, the cloud does not say.
            group.policy.instance = case.planned.policy.instance.clone();
            let acting: Vec<String> = live
                .controls
                .iter()
                .filter(|control| control.enabled)
                .filter(|control| left.iter().all(|(name, _)| *name != control.name))
                .map(|control| format!("`{}`", control.name))
                .collect();
            let has_rule = group.policy.metrics.iter().any(|one| one.rule.is_some());
            if acting.is_empty() {
                case.notes.insert(
                    0,
                    format!(
                        "now: nothing that can be simulated scales it, so it stays at {}",
                        live.desired
                    ),
                );
            } else {
                case.notes
                    .insert(0, format!("now: {}, as live", acting.join(", ")));
            }
            case.now_desired = (!has_rule).then_some(live.desired);
            case.notes.extend(
                left.iter().map(|(name, why)| {
                    format!("`{name}`, which acts now, is not simulated: {why}")
                }),
            );
            case.now = Some(group);
        }
        Ok(None) => case
            .notes
            .push("what scales the group now cannot be told".to_owned()),
        Err(error) => case.notes.push(format!(
            "what scales the group now could not be read: {}",
            crate::observe::chain(&error)
        )),
    }
}

/// What a group's policy will be, where the plan changes how it scales.
pub(super) fn planned(group: &GroupPlan) -> Option<&Group> {
    match (group.action, &group.record) {
        (
            Action::Create | Action::Adopt | Action::Update | Action::Replace | Action::Move,
            Record::Write { group, .. },
        ) => Some(group),
        _ => None,
    }
}

/// Whether two groups scale alike on the same load.
fn scales_alike(now: &Group, planned: &Group) -> bool {
    now.policy == planned.policy
        && now.controller == planned.controller
        && now.launch == planned.launch
}
