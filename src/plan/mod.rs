//! Desired against live: from configuration, last applied and live to a [`Plan`], and its views.
//!
//! ```text
//! Configuration + state + providers -> make() reads in batches -> compute() -> Plan -> views, saved file, apply
//! ```
//!
//! [`compute()`] is pure: everything comes in as data, and the plan goes out as data. [`make`] is the shell that
//! reads. Neither changes anything: not the cloud, not the state. A plan's changes are typed so that
//! [`crate::apply`] carries them out and decides nothing again.

mod calendar;
mod cases;
mod compute;
mod cost;
mod fingerprint;
#[cfg(test)]
pub(crate) mod fixtures;
mod flatten;
pub mod gates;
mod group;
mod known;
mod next;
mod pattern;
mod places;
pub mod saved;
mod settings;
mod types;
pub mod views;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use thiserror::Error;
use tideform_policies::calendar::Held;
use tideform_policies::model::{
    Configuration, Controller, GroupAddress, ProviderAddress, Resource,
};
use tideform_provider::{
    ControlContext, GroupRequest, Identity, ItemResult, LiveGroup, Owner, PriceRequest,
    ProviderError, Unsupported,
};

pub use cases::{PlannedCase, with_live};
pub use compute::{Inputs, ResourceKey, WantedControls, compute};
pub use cost::{CLOUDWATCH_USD_PER_METRIC_READ, ProviderPrices};
pub use fingerprint::fingerprint;
pub use flatten::flat_values;
pub(crate) use known::Details;
pub use known::{Applied, Known};
pub use pattern::{GroupPattern, Unmatched, check_patterns};
pub use types::{
    Action, CalendarEntry, CalendarKind, ChangeAction, CostChange, Drift, DriftOutcome, GroupPlan,
    Intention, Mode, NextDecision, OldResource, Place, Plan, PlannedChange, Reason, Record,
    Records, StateMark, Step, Summary, Target, Unmanaged,
};

pub(crate) use wanted::same_value;

use crate::reconcile::Moved;
use crate::registry::Providers;

/// Why no plan can be made. Problems in the files are not here: they are the plan's diagnostics.
#[derive(Debug, Error)]
pub enum PlanError {
    /// A group names a provider that was not opened.
    #[error("{0} is not configured")]
    UnknownProvider(ProviderAddress),
    /// A provider does not say who we are there: wrong credentials, or no world.
    #[error("{address} does not answer")]
    Provider {
        /// Which.
        address: ProviderAddress,
        /// What it said.
        source: ProviderError,
    },
    /// A provider answers from another account or region than when it was first used with this state.
    #[error("{address} was {recorded} when it was first used with this state, and is now {found}")]
    AccountMoved {
        /// Which.
        address: ProviderAddress,
        /// `123456789012 in eu-west-1`.
        recorded: String,
        /// The same.
        found: String,
    },
    /// A pattern of `--group` that matches no group.
    #[error(transparent)]
    NoSuchGroup(#[from] Unmatched),
}

/// What a plan is to be.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// The workspace that owns what is planned; `default` where nothing names one.
    pub workspace: String,
    /// All changes, destruction, or only the refresh.
    pub mode: Mode,
    /// Only these groups; empty: all.
    pub only: Vec<GroupPattern>,
    /// Groups that another state owns are taken over instead of refused.
    pub take_over: bool,
    /// Also decide what the loop would do next, for at most so many groups.
    pub decisions: usize,
}

impl PlanOptions {
    /// A usual plan of this workspace.
    pub fn new(workspace: impl Into<String>) -> PlanOptions {
        PlanOptions {
            workspace: workspace.into(),
            mode: Mode::Apply,
            only: Vec::new(),
            take_over: false,
            decisions: 500,
        }
    }
}

/// Reads what is live, and computes the plan. It changes nothing.
///
/// - `known`: what was last applied; `None`: there is no state yet, and the plan says what that leaves out.
///
/// A group whose read fails is marked as failed in the plan; the others go on.
///
/// # Errors
/// [`PlanError`], before anything was changed.
pub async fn make(
    configuration: &Configuration,
    known: Option<&Known>,
    providers: &Providers,
    options: &PlanOptions,
) -> Result<Plan, PlanError> {
    let addresses: Vec<&GroupAddress> = configuration
        .groups
        .keys()
        .chain(known.iter().flat_map(|known| known.groups.keys()))
        .collect();
    check_patterns(&options.only, &addresses)?;
    let resources = compute::resources(configuration, known, options);
    let mut by_provider: BTreeMap<ProviderAddress, Vec<GroupRequest>> = BTreeMap::new();
    for ((address, resource), needs) in resources {
        by_provider
            .entry(address)
            .or_default()
            .push(GroupRequest { resource, needs });
    }
    let rounds = by_provider.iter().map(|(address, requests)| async move {
        let provider = providers
            .get(address)
            .ok_or_else(|| PlanError::UnknownProvider(address.clone()))?;
        let said = |source| PlanError::Provider {
            address: address.clone(),
            source,
        };
        let identity = provider.identity().await.map_err(said)?;
        // The lost state shows only where nothing is known; where much is, the question is not worth a call.
        let tagged = if known.is_none_or(|known| known.groups.is_empty()) {
            provider
                .owned_groups(&options.workspace)
                .await
                .map_err(said)?
        } else {
            Vec::new()
        };
        let live = provider.read_groups(requests).await;
        Ok::<_, PlanError>((address, identity, tagged, live))
    });
    let mut live = BTreeMap::new();
    let mut tagged = Vec::new();
    let mut identities = Vec::new();
    for answer in join_all(rounds).await {
        let (address, identity, owned, groups) = answer?;
        let recorded = known.and_then(|known| {
            known
                .identities
                .iter()
                .find(|recorded| recorded.provider == *address)
        });
        if let Some(recorded) = recorded
            && (&recorded.account, &recorded.region) != (&identity.account, &identity.region)
        {
            return Err(PlanError::AccountMoved {
                address: address.clone(),
                recorded: format!("{} in {}", recorded.account, recorded.region),
                found: format!("{} in {}", identity.account, identity.region),
            });
        }
        identities.push((address.clone(), identity));
        tagged.extend(owned);
        let requests = by_provider.get(address).into_iter().flatten();
        for (request, group) in requests.zip(groups) {
            live.insert((address.clone(), request.resource.clone()), group);
        }
    }
    let (prices, notes) = read_prices(configuration, known, &live, &identities, providers).await;
    let seen = Seen {
        live: &live,
        tagged: &tagged,
        prices: &prices,
    };
    let mut plan = of_what_was_seen(configuration, known, seen, providers, options).await;
    plan.identities = identities;
    plan.notes.extend(notes);
    if options.mode == Mode::Apply {
        plan.cases = cases::cases(&plan, &live, &prices);
    }
    if options.mode == Mode::Apply && options.decisions > 0 {
        next::add_decisions(
            &mut plan,
            configuration,
            known,
            &live,
            providers,
            &prices,
            options.decisions,
        )
        .await;
    }
    Ok(plan)
}

/// What was read before a plan is computed.
#[derive(Clone, Copy)]
struct Seen<'a> {
    live: &'a BTreeMap<ResourceKey, ItemResult<Option<LiveGroup>>>,
    tagged: &'a [(Resource, Owner)],
    prices: &'a BTreeMap<ProviderAddress, ProviderPrices>,
}

/// The plan of a first apply of these files, with groups that were read before; without decisions and costs.
pub(crate) async fn of_live(
    configuration: &Configuration,
    live: &BTreeMap<ResourceKey, ItemResult<Option<LiveGroup>>>,
    providers: &Providers,
    options: &PlanOptions,
) -> Plan {
    let seen = Seen {
        live,
        tagged: &[],
        prices: &BTreeMap::new(),
    };
    of_what_was_seen(configuration, None, seen, providers, options).await
}

async fn of_what_was_seen(
    configuration: &Configuration,
    known: Option<&Known>,
    seen: Seen<'_>,
    providers: &Providers,
    options: &PlanOptions,
) -> Plan {
    let mut capabilities = BTreeMap::new();
    for (address, provider) in providers.iter() {
        capabilities.insert(address.clone(), provider.capabilities());
    }
    let mut unsupported: BTreeMap<GroupAddress, Vec<Unsupported>> = BTreeMap::new();
    for (address, group) in &configuration.groups {
        if let Some(provider) = providers.get(&group.provider) {
            let problems = provider.check(group);
            if !problems.is_empty() {
                unsupported.insert(address.clone(), problems);
            }
        }
    }
    let controls = wanted_controls(
        configuration,
        known,
        seen.live,
        providers,
        options,
        &mut unsupported,
    )
    .await;
    compute(&Inputs {
        configuration,
        known,
        live: seen.live,
        prices: seen.prices,
        capabilities: &capabilities,
        controls: &controls,
        unsupported: &unsupported,
        tagged: seen.tagged,
        options,
        now: providers.clock().now(),
    })
}

/// What was last applied of a group of the files: at its address, or where a `moved` block says it was.
fn applied_at<'a>(
    configuration: &Configuration,
    known: &'a Known,
    address: &GroupAddress,
) -> Option<&'a Applied> {
    known.groups.get(address).or_else(|| {
        let from = configuration
            .moved
            .iter()
            .find(|moved| moved.to == *address)?;
        known.groups.get(&from.from)
    })
}

/// The cloud's own controls that groups with `controller = "native"` are to have. What a provider cannot say joins
/// what is unsupported.
async fn wanted_controls(
    configuration: &Configuration,
    known: Option<&Known>,
    live: &BTreeMap<ResourceKey, ItemResult<Option<LiveGroup>>>,
    providers: &Providers,
    options: &PlanOptions,
    unsupported: &mut BTreeMap<GroupAddress, Vec<Unsupported>>,
) -> BTreeMap<GroupAddress, WantedControls> {
    let now = providers.clock().now();
    let native = configuration
        .groups
        .iter()
        .filter(|(_, group)| group.controller == Controller::Native);
    let rounds: Vec<_> = native
        .filter_map(|(address, group)| {
            let provider = providers.get(&group.provider)?;
            let live = live
                .get(&(group.provider.clone(), group.resource.clone()))
                .and_then(|live| live.as_ref().ok()?.as_ref());
            let applied = known.and_then(|known| applied_at(configuration, known, address));
            let held = applied.map_or_else(Held::default, |applied| applied.held(&group.policy));
            let recorded = applied.and_then(|applied| applied.controls.as_deref());
            let aside = compute::set_aside(known, &group.provider, &group.resource);
            Some(async move {
                let live = live.map(|live| Moved::with_set_aside(aside, live));
                let context = ControlContext {
                    workspace: &options.workspace,
                    now,
                    held: &held,
                    // The loop pauses; the plan says how it is without.
                    is_paused: false,
                    only_schedules: false,
                    live: live.as_deref(),
                    applied: recorded.unwrap_or_default(),
                };
                let wanted = provider.controls(group, &context).await;
                let lasting = if held.is_empty() {
                    None
                } else {
                    let context = ControlContext {
                        held: &Held::default(),
                        ..context
                    };
                    provider.controls(group, &context).await.ok()
                };
                (address, wanted.map(|now| WantedControls { now, lasting }))
            })
        })
        .collect();
    let mut wanted = BTreeMap::new();
    for (address, answer) in join_all(rounds).await {
        match answer {
            Ok(controls) => {
                wanted.insert(address.clone(), controls);
            }
            Err(problems) => unsupported
                .entry(address.clone())
                .or_default()
                .extend(problems),
        }
    }
    wanted
}

/// What the instance types of all groups cost, each asked for once. A provider that does not say leaves the prices of
/// the files and the list prices; one that fails is noted besides.
async fn read_prices(
    configuration: &Configuration,
    known: Option<&Known>,
    live: &BTreeMap<ResourceKey, ItemResult<Option<LiveGroup>>>,
    identities: &[(ProviderAddress, Identity)],
    providers: &Providers,
) -> (BTreeMap<ProviderAddress, ProviderPrices>, Vec<String>) {
    let mut wanted: BTreeMap<&ProviderAddress, BTreeSet<PriceRequest>> = BTreeMap::new();
    let applied = known
        .iter()
        .flat_map(|known| known.groups.values())
        .map(|applied| &applied.group);
    for group in configuration.groups.values().chain(applied) {
        let seen = live
            .get(&(group.provider.clone(), group.resource.clone()))
            .and_then(|live| live.as_ref().ok()?.as_ref());
        wanted
            .entry(&group.provider)
            .or_default()
            .extend(cost::price_requests(group, seen));
    }
    let rounds = wanted.into_iter().map(|(address, wanted)| async move {
        // A type that one group runs as spot and another does not is asked for once: with its spot price, which
        // comes last in the order of the set.
        let wanted: BTreeMap<String, PriceRequest> = wanted
            .into_iter()
            .map(|request| (request.instance_type.clone(), request))
            .collect();
        let requests: Vec<PriceRequest> = wanted.into_values().collect();
        let answers = match providers.get(address) {
            Some(provider) if !requests.is_empty() => provider.prices(&requests).await,
            _ => Vec::new(),
        };
        let mut prices = BTreeMap::new();
        let mut failure = None;
        for (request, answer) in requests.into_iter().zip(answers) {
            match answer {
                Ok(Some(known)) => {
                    prices.insert(request.instance_type, known);
                }
                Ok(None) => {}
                Err(error) => failure = Some(error),
            }
        }
        let note = failure.map(|error| {
            format!(
                "{address}: prices could not be read, so list prices stand in for them: {error}."
            )
        });
        let region = identities
            .iter()
            .find(|(identified, _)| identified == address)
            .map(|(_, identity)| identity.region.clone());
        (address.clone(), ProviderPrices { prices, region }, note)
    });
    let mut known = BTreeMap::new();
    let mut notes = Vec::new();
    for (address, prices, note) in join_all(rounds).await {
        known.insert(address, prices);
        notes.extend(note);
    }
    (known, notes)
}
