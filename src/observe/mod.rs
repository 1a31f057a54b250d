//! From a group to what a decision needs to see of it: which metrics to ask for, reading them, putting them together.
//!
//! Requests and assembly are pure; only [`read()`] does I/O. Nothing here decides, changes or stores anything.

mod assemble;
mod read;
mod requests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use tideform_policies::model::{Group, GroupAddress};
use tideform_provider::{LiveGroup, Needs, ProviderError};

use crate::registry::Providers;

pub use crate::engine::freshness;
pub(crate) use assemble::chain;
pub use assemble::{Beside, NativeControls, Observed, assemble, load_metric};
pub use read::{Read, read, read_live};
pub use requests::{SourcedRequest, requests_for};
pub(crate) use requests::{after, before};

/// Reads groups and puts together what decisions see of them: [`read()`], then [`assemble`] for each.
///
/// - `beside`: what is known of each group beside the provider; a group that is not there has nothing.
///
/// `Ok(None)` is a group whose resource does not exist.
pub async fn observe(
    groups: &[&Group],
    providers: &Providers,
    beside: &BTreeMap<GroupAddress, Beside>,
    now: Timestamp,
) -> BTreeMap<GroupAddress, Result<Option<Observed>, ProviderError>> {
    let needs = |group: &Group| {
        let beside = beside.get(&group.address);
        let needs = Needs::to_decide(group, beside.is_some_and(|beside| beside.was_held));
        Needs {
            schedules: needs.schedules || beside.is_some_and(|beside| beside.needs_schedules),
            ..needs
        }
    };
    let reads = read(groups, providers, now, needs).await;
    put_together(groups, reads, beside)
}

/// The same of groups that were just read: only their metrics are asked for.
///
/// - `live`: what was read of each; a group that is not among them has nothing.
pub async fn observe_live(
    groups: &[&Group],
    live: BTreeMap<GroupAddress, LiveGroup>,
    providers: &Providers,
    beside: &BTreeMap<GroupAddress, Beside>,
    now: Timestamp,
) -> BTreeMap<GroupAddress, Result<Option<Observed>, ProviderError>> {
    let answers = live
        .into_iter()
        .map(|(address, live)| {
            let read = Read {
                live: Some(live),
                metrics: BTreeMap::new(),
            };
            (address, Ok(read))
        })
        .collect();
    let reads = read::with_metrics(answers, groups, providers, now).await;
    put_together(groups, reads, beside)
}

fn put_together(
    groups: &[&Group],
    mut reads: BTreeMap<GroupAddress, Result<Read, ProviderError>>,
    beside: &BTreeMap<GroupAddress, Beside>,
) -> BTreeMap<GroupAddress, Result<Option<Observed>, ProviderError>> {
    groups
        .iter()
        .filter_map(|group| {
            let read = reads.remove(&group.address)?;
            let beside = beside.get(&group.address).cloned().unwrap_or_default();
            Some((
                group.address.clone(),
                read.map(|read| assemble(group, read, beside)),
            ))
        })
        .collect()
}
