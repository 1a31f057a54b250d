//! From configuration, last applied and live to a plan. Pure: everything comes in, the plan goes out.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tideform_policies::codes;
use tideform_policies::diagnostic::{Diagnostic, Diagnostics};
use tideform_policies::model::{Configuration, GroupAddress, ProviderAddress, Resource};
use tideform_provider::{
    Capabilities, Control, ControlSpec, ItemResult, LiveGroup, Needs, Owner, Unsupported,
};

use super::PlanOptions;
use super::cost::ProviderPrices;
use super::group::{self, Situation};
use super::known::{Applied, Known};
use super::places::Places;
use super::types::{ChangeAction, GroupPlan, Mode, Plan, PlannedChange, Target};

/// Where a resource is: resources of different providers may share their names.
pub type ResourceKey = (ProviderAddress, Resource);

/// The cloud's own controls that a group is to have.
#[derive(Clone, Debug, Default)]
pub struct WantedControls {
    /// At this moment, with what people have asked for beside the files.
    pub now: Vec<ControlSpec>,
    /// Without that, where it differs.
    pub lasting: Option<Vec<ControlSpec>>,
}

/// All that a plan is computed from.
#[derive(Debug)]
pub struct Inputs<'a> {
    /// What the files say.
    pub configuration: &'a Configuration,
    /// What the state knows.
    pub known: Option<&'a Known>,
    /// What was read. A resource that is not in it was not asked for.
    pub live: &'a BTreeMap<ResourceKey, ItemResult<Option<LiveGroup>>>,
    /// What each provider can do.
    pub capabilities: &'a BTreeMap<ProviderAddress, Capabilities>,
    /// What each group asks of its provider that this cannot do.
    pub unsupported: &'a BTreeMap<GroupAddress, Vec<Unsupported>>,
    /// The cloud's own controls that each group with `controller = "native"` is to have.
    pub controls: &'a BTreeMap<GroupAddress, WantedControls>,
    /// What instances cost.
    pub prices: &'a BTreeMap<ProviderAddress, ProviderPrices>,
    /// Resources that carry this workspace's tag of another state.
    pub tagged: &'a [(Resource, Owner)],
    /// How.
    pub options: &'a PlanOptions,
    /// By the run's clock.
    pub now: Timestamp,
}

/// What a group's address means in this plan, after `moved` and `removed` blocks.
#[derive(Debug, Default)]
pub(super) struct Addressed<'a> {
    /// What was last applied there, or at the address it moved from.
    pub(super) applied: Option<&'a Applied>,
    pub(super) moved_from: Option<GroupAddress>,
    /// The group of the files that now scales the resource that was last applied here.
    pub(super) heir: Option<GroupAddress>,
}

/// Where each `moved` block leads in the end: with `a -> b` and `b -> c` a state that still has `a` goes to `c`. The
/// shorter way first, so that of two groups in the state the later address keeps its memory.
fn moves(configuration: &Configuration) -> Vec<(&GroupAddress, &GroupAddress)> {
    let next: BTreeMap<&GroupAddress, &GroupAddress> = configuration
        .moved
        .iter()
        .map(|moved| (&moved.from, &moved.to))
        .collect();
    let mut found: Vec<(usize, &GroupAddress, &GroupAddress)> = configuration
        .moved
        .iter()
        .map(|moved| {
            let (mut length, mut to) = (1, &moved.to);
            // A circle ends too; the files' check reports it.
            while length <= next.len()
                && let Some(further) = next.get(to).copied()
            {
                (length, to) = (length + 1, further);
            }
            (length, &moved.from, to)
        })
        .collect();
    found.sort_by_key(|(length, ..)| *length);
    found.into_iter().map(|(_, from, to)| (from, to)).collect()
}

/// The addresses of a plan: those of the files and of the state, and what was last applied at each.
pub(super) fn addresses<'a>(
    configuration: &Configuration,
    known: Option<&'a Known>,
    options: &PlanOptions,
) -> BTreeMap<GroupAddress, Addressed<'a>> {
    let mut all: BTreeMap<GroupAddress, Addressed<'a>> = BTreeMap::new();
    for (address, applied) in known.iter().flat_map(|known| &known.groups) {
        all.insert(
            address.clone(),
            Addressed {
                applied: Some(applied),
                ..Addressed::default()
            },
        );
    }
    // A destruction takes the state as it is: nothing moves first.
    if options.mode != Mode::Destroy {
        for (from, to) in moves(configuration) {
            let is_taken = all.get(to).is_some_and(|to| to.applied.is_some());
            if is_taken || !configuration.groups.contains_key(to) {
                continue;
            }
            if let Some(group) = all.remove(from) {
                all.insert(
                    to.clone(),
                    Addressed {
                        applied: group.applied,
                        moved_from: Some(from.clone()),
                        heir: None,
                    },
                );
            }
        }
        for address in configuration.groups.keys() {
            all.entry(address.clone()).or_default();
        }
        let scaled_by: BTreeMap<(&ProviderAddress, &Resource), &GroupAddress> = configuration
            .groups
            .iter()
            .map(|(address, group)| ((&group.provider, &group.resource), address))
            .collect();
        for (address, group) in &mut all {
            group.heir = group
                .applied
                .and_then(|applied| {
                    scaled_by
                        .get(&(&applied.group.provider, &applied.group.resource))
                        .copied()
                })
                .filter(|heir| *heir != address)
                .cloned();
        }
    }
    if options.only.is_empty() {
        return all;
    }
    let is_named =
        |address: &GroupAddress| options.only.iter().any(|pattern| pattern.matches(address));
    let named: BTreeSet<GroupAddress> = all
        .iter()
        .filter(|(address, group)| {
            is_named(address) || group.moved_from.as_ref().is_some_and(is_named)
        })
        .map(|(address, _)| address.clone())
        .collect();
    // A group that leaves goes together with its heir: two groups of the state must not scale one resource.
    all.retain(|address, group| {
        let leaves = !configuration.groups.contains_key(address);
        named.contains(address)
            || (leaves && group.heir.as_ref().is_some_and(|heir| named.contains(heir)))
    });
    all
}

/// Adopted scheduled actions of a resource that the loop has set aside for a while.
pub(super) fn set_aside<'a>(
    known: Option<&'a Known>,
    provider: &ProviderAddress,
    resource: &Resource,
) -> Vec<&'a Control> {
    known
        .iter()
        .flat_map(|known| known.groups.values())
        .filter(|applied| {
            applied.group.provider == *provider && applied.group.resource == *resource
        })
        .flat_map(|applied| &applied.moved.set_aside)
        .collect()
}

/// The resources that a plan has to see.
pub(super) fn resources(
    configuration: &Configuration,
    known: Option<&Known>,
    options: &PlanOptions,
) -> BTreeMap<ResourceKey, Needs> {
    let mut wanted: BTreeMap<ResourceKey, Needs> = BTreeMap::new();
    for (address, group) in addresses(configuration, known, options) {
        let configured = configuration.groups.get(&address);
        let applied = group.applied.map(|applied| &applied.group);
        for group in configured.into_iter().chain(applied) {
            let needs = wanted
                .entry((group.provider.clone(), group.resource.clone()))
                .or_default();
            *needs = needs.and(Needs::to_plan(group));
        }
    }
    wanted
}

/// Computes the plan.
pub fn compute(inputs: &Inputs<'_>) -> Plan {
    let configuration = inputs.configuration;
    let options = inputs.options;
    let places = Places::new(configuration);
    let mut diagnostics = Diagnostics::default();
    let mut group_errors = Diagnostics::default();
    let mut groups: Vec<GroupPlan> = Vec::new();
    if options.mode == Mode::Apply {
        report_shared_resources(configuration, &places, &mut diagnostics);
    }
    let created: BTreeSet<(&ProviderAddress, &Resource)> = inputs
        .known
        .iter()
        .flat_map(|known| known.groups.values())
        .filter(|applied| applied.created)
        .map(|applied| (&applied.group.provider, &applied.group.resource))
        .collect();
    let addresses = addresses(configuration, inputs.known, options);
    let planned: BTreeSet<GroupAddress> = addresses.keys().cloned().collect();
    for (address, group) in addresses {
        let configured = match options.mode {
            Mode::Destroy => None,
            Mode::Apply | Mode::RefreshOnly => configuration.groups.get(&address),
        };
        let situation = Situation {
            address: &address,
            configured,
            applied: group.applied,
            heir: group.heir.as_ref(),
            heir_is_planned: group
                .heir
                .as_ref()
                .is_some_and(|heir| planned.contains(heir)),
            inherits_created: configured
                .is_some_and(|group| created.contains(&(&group.provider, &group.resource))),
            unfinished: inputs
                .known
                .and_then(|known| known.unfinished.get(&address)),
            moved_from: group.moved_from,
            is_forgotten: configuration.removed.contains(&address),
            set_aside: configured
                .into_iter()
                .flat_map(|group| set_aside(inputs.known, &group.provider, &group.resource))
                .collect(),
            lineage: inputs
                .known
                .and_then(|known| known.mark.as_ref())
                .map(|mark| mark.lineage.as_str()),
            live: configured.and_then(|group| {
                inputs
                    .live
                    .get(&(group.provider.clone(), group.resource.clone()))
            }),
            applied_live: group.applied.and_then(|applied| {
                let group = &applied.group;
                inputs
                    .live
                    .get(&(group.provider.clone(), group.resource.clone()))
            }),
            capabilities: configured.and_then(|group| inputs.capabilities.get(&group.provider)),
            unsupported: inputs.unsupported.get(&address).map_or(&[], Vec::as_slice),
            controls: inputs
                .controls
                .get(&address)
                .map_or(&[], |wanted| wanted.now.as_slice()),
            lasting_controls: inputs.controls.get(&address).map_or(&[], |wanted| {
                wanted.lasting.as_ref().unwrap_or(&wanted.now).as_slice()
            }),
            prices: inputs.prices,
            options,
            now: inputs.now,
        };
        groups.extend(group::plan(
            &situation,
            &places,
            &mut diagnostics,
            &mut group_errors,
        ));
    }
    leave_out_without_heirs(&mut groups);
    let mark = inputs.known.and_then(|known| known.mark.clone());
    let knows_nothing = inputs.known.is_none_or(|known| known.groups.is_empty());
    let lineage = mark.as_ref().map(|mark| mark.lineage.as_str());
    let lost = if knows_nothing && !options.take_over {
        inputs
            .tagged
            .iter()
            .filter(|(_, owner)| Some(owner.state.as_str()) != lineage)
            .cloned()
            .collect()
    } else {
        Vec::new()
    };
    let mut notes: Vec<String> = groups
        .iter()
        .filter_map(|group| group.note.clone())
        .collect();
    if inputs.known.is_none() {
        notes.push(
            "There is no state yet: what was changed outside tideform, and what moves groups at this moment, is not known."
                .to_owned(),
        );
    }
    Plan {
        made_at: inputs.now,
        mode: options.mode,
        workspace: options.workspace.clone(),
        configuration_digest: configuration.digest.clone(),
        state: mark,
        is_partial: !options.only.is_empty(),
        groups,
        providers: configuration.providers.clone(),
        provider_changes: match options.mode {
            Mode::Apply => provider_changes(configuration, inputs.known),
            Mode::Destroy | Mode::RefreshOnly => Vec::new(),
        },
        identities: Vec::new(),
        lost,
        notes,
        cases: Vec::new(),
        verdicts: Vec::new(),
        diagnostics,
        group_errors,
        sources: configuration.sources.clone(),
    }
}

/// A group that hands its resource over stays as long as the one that is to take it is left out.
fn leave_out_without_heirs(groups: &mut [GroupPlan]) {
    let failed: BTreeMap<GroupAddress, Option<String>> = groups
        .iter()
        .filter(|group| group.failure.is_some())
        .map(|group| (group.address.clone(), group.failure_code.clone()))
        .collect();
    for group in groups {
        if let Some(heir) = group.heir.clone()
            && let Some(code) = failed.get(&heir)
        {
            group.leave_out(
                format!("it stays until {heir} has taken its resource over"),
                code.as_deref(),
            );
        }
    }
}

/// Settings of providers that differ from those last applied.
fn provider_changes(configuration: &Configuration, known: Option<&Known>) -> Vec<PlannedChange> {
    let mut changes = Vec::new();
    for provider in &configuration.providers {
        let Some(before) = known
            .iter()
            .flat_map(|known| &known.providers)
            .find(|known| known.address == provider.address)
        else {
            continue;
        };
        let names: BTreeSet<&String> = before
            .settings
            .keys()
            .chain(provider.settings.keys())
            .collect();
        for name in names {
            let (old, new) = (before.settings.get(name), provider.settings.get(name));
            if old == new {
                continue;
            }
            changes.push(PlannedChange {
                path: format!("{}: {name}", provider.address),
                action: match (old, new) {
                    (None, _) => ChangeAction::Add,
                    (_, None) => ChangeAction::Remove,
                    _ => ChangeAction::Change,
                },
                before: old.cloned().unwrap_or_default(),
                after: new.cloned().unwrap_or_default(),
                target: Target::Policy,
                source: None,
                reason: None,
            });
        }
    }
    changes
}

fn report_shared_resources(
    configuration: &Configuration,
    places: &Places<'_>,
    diagnostics: &mut Diagnostics,
) {
    let mut seen: BTreeMap<(&ProviderAddress, &Resource), &GroupAddress> = BTreeMap::new();
    for (address, group) in &configuration.groups {
        let key = (&group.provider, &group.resource);
        let Some(first) = seen.insert(key, address) else {
            continue;
        };
        let mut diagnostic = Diagnostic::error(codes::RESOURCE_TWICE, "One resource in two groups")
            .why(format!(
                "{first} and {address} both scale {} `{}` of {}. Each would undo the other's work.",
                group.resource.kind, group.resource.name, group.provider
            ))
            .help("keep one of them, or give one another `resource` name.");
        if let Some(span) = places.span(address, "resource.name") {
            diagnostic = diagnostic.at(span, "this resource is taken");
        }
        if let Some(span) = places.span(first, "resource.name") {
            diagnostic = diagnostic.at(span, "by this group");
        }
        diagnostics.push(diagnostic);
    }
}
