//! What the loop would decide next under the planned policies: the same decision from the same observation.
//!
//! It reads metrics, and groups again only where the plan did not need all that a decision does. It records nothing and
//! moves nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tideform_policies::model::{Configuration, Controller, Group, GroupAddress, ProviderAddress};
use tideform_provider::{ItemResult, LiveGroup, Needs};

use super::ResourceKey;
use super::cost::{ProviderPrices, hourly_change};
use super::known::Known;
use super::types::{NextDecision, Plan, Reason};
use crate::engine::{Decision, Memory, Rules, decide, explain, nearest};
use crate::observe::{Beside, observe, observe_live};
use crate::reconcile::overrides_by_group;
use crate::registry::Providers;

/// Adds the next decisions: of all groups that are there, where these are at most `most`; else of those that change,
/// and of no more than `most` of them.
///
/// - `live`: the groups as the plan has read them.
pub(super) async fn add_decisions(
    plan: &mut Plan,
    configuration: &Configuration,
    known: Option<&Known>,
    live: &BTreeMap<ResourceKey, ItemResult<Option<LiveGroup>>>,
    providers: &Providers,
    prices: &BTreeMap<ProviderAddress, ProviderPrices>,
    most: usize,
) {
    let is_there = |plan: &super::GroupPlan| plan.fingerprint.is_some() && plan.failure.is_none();
    let all: Vec<&super::GroupPlan> = plan.groups.iter().filter(|group| is_there(group)).collect();
    let is_few = all.len() <= most;
    let chosen: BTreeSet<GroupAddress> = all
        .into_iter()
        .filter(|group| is_few || group.has_work())
        .take(most)
        .map(|group| group.address.clone())
        .collect();
    let groups: Vec<&Group> = chosen
        .iter()
        .filter_map(|address| configuration.groups.get(address))
        .filter(|group| group.controller == Controller::Tideform)
        .collect();
    if groups.is_empty() {
        return;
    }
    let before: BTreeMap<&GroupAddress, &GroupAddress> = plan
        .groups
        .iter()
        .filter_map(|group| Some((&group.address, group.moved_from.as_ref()?)))
        .collect();
    let in_state = |address| before.get(address).copied().unwrap_or(address);
    let after: BTreeMap<&GroupAddress, &GroupAddress> =
        before.iter().map(|(to, from)| (*from, *to)).collect();
    let overrides = overrides_by_group(
        known
            .map(|known| known.overrides.clone())
            .unwrap_or_default(),
        providers.clock().now(),
        |address| {
            let now = after.get(address).copied().unwrap_or(address);
            configuration.groups.get(now)
        },
    );
    let beside: BTreeMap<GroupAddress, Beside> = groups
        .iter()
        .filter_map(|group| {
            let overrides = overrides.get(in_state(&group.address))?.clone();
            let beside = Beside {
                overrides,
                ..Beside::default()
            };
            Some((group.address.clone(), beside))
        })
        .collect();
    let now = providers.clock().now();
    let (seen, unseen): (Vec<&Group>, Vec<&Group>) = groups
        .iter()
        .partition(|group| Needs::to_plan(group).covers(Needs::to_decide(group, false)));
    let live = seen
        .iter()
        .filter_map(|group| {
            let key = (group.provider.clone(), group.resource.clone());
            let live = live.get(&key)?.as_ref().ok()?.clone()?;
            Some((group.address.clone(), live))
        })
        .collect();
    let mut observed = observe_live(&seen, live, providers, &beside, now).await;
    if !unseen.is_empty() {
        observed.extend(observe(&unseen, providers, &beside, now).await);
    }
    let mut without_data = Vec::new();
    let mut decisions: BTreeMap<GroupAddress, NextDecision> = BTreeMap::new();
    for group in groups {
        let Some(Ok(Some(observed))) = observed.get(&group.address) else {
            continue;
        };
        let memory = known
            .and_then(|known| known.memories.get(in_state(&group.address)))
            // A memory of another version is as none: the loop says so when it meets it.
            .and_then(|text| serde_json::from_str::<Memory>(text.as_str()).ok())
            .unwrap_or_default();
        let rules = Rules::new(group);
        let seen = &observed.observation;
        let mut decision = decide(&rules, seen, &memory, now);
        let nearest = nearest(&rules, seen, &memory, now, &decision);
        decision.nearest = Some(Box::new(nearest));
        let (before, after) = (decision.current.get(), decision.desired.get());
        let cost = hourly_change(group, &observed.live, before, after, prices);
        if !decision.has_basis() {
            without_data.push(group.address.clone());
        }
        let said = said(group, decision, now, cost);
        decisions.insert(group.address.clone(), said);
    }
    for group in &mut plan.groups {
        group.decision = decisions.remove(&group.address);
        let hands_over = group
            .changes
            .iter()
            .any(|change| change.reason.as_deref() == Some(super::PlannedChange::AT_FIRST_RUN));
        if hands_over && without_data.contains(&group.address) {
            plan.notes.push(format!(
                "No metric of {} has data now: its policies in the cloud stay, and go on scaling it, until one has.",
                group.address
            ));
        }
    }
}

fn said(group: &Group, decision: Decision, now: Timestamp, cost: Option<f64>) -> NextDecision {
    let explanation = explain::explain(group, &decision, now, None);
    let reasons = decision
        .reasons
        .iter()
        .zip(explain::short_form(&decision.reasons))
        .zip(explanation.reasons)
        .map(|((reason, is_decisive), line)| Reason {
            kind: reason.kind().to_owned(),
            subject: line.subject,
            text: line.text,
            is_decisive,
        })
        .collect();
    NextDecision {
        current: decision.current.get(),
        desired: decision.desired.get(),
        direction: decision.direction,
        cost_usd_per_hour: cost,
        reasons,
        nearest: decision.nearest.map(|nearest| *nearest),
        otherwise: explanation.otherwise,
    }
}
