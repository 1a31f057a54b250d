//! Finds the recorded load of groups: in the state, and with their providers.

use clap::ValueEnum;
use jiff::Timestamp;
use tideform_policies::model::{Group, GroupAddress};
use tideform_state::State;

use super::context::Context;
use super::error::CliError;
use crate::history::{Asked, ENOUGH, Load, NoHistory, Records, Unit, better, read};
use crate::registry::Providers;

/// For so many groups a provider is asked at once: some fifty megabytes of samples.
const AT_ONCE: usize = 40;
/// Where more groups have no history of their own, no provider is asked unless somebody said `--history provider`: their
/// histories are more calls than all the rest of a plan.
const MOST_UNASKED: usize = 10;

/// Whose records tell the load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum HistoryFrom {
    /// The state's, or the provider's where the state has less than a day and the provider has more.
    #[default]
    Auto,
    /// What the loop has recorded.
    State,
    /// The provider's own metrics, such as CloudWatch's.
    Provider,
}

/// A group whose load is wanted.
#[derive(Clone, Debug)]
pub(super) struct Wanted<'a> {
    /// Where the state has it.
    pub(super) address: &'a GroupAddress,
    /// Says what its metrics mean.
    pub(super) group: &'a Group,
    /// What one unit of it is.
    pub(super) unit: Unit,
    /// Its instances count as more than one unit, or as different ones.
    pub(super) is_weighted: bool,
    /// Only what was recorded after this.
    pub(super) from: Timestamp,
    /// And nothing after this.
    pub(super) to: Timestamp,
}

/// Where records may be.
pub(super) struct Sources<'a> {
    pub(super) cx: &'a Context,
    /// `None`: there is none.
    pub(super) state: Option<&'a State>,
    pub(super) from: HistoryFrom,
    /// By the providers' clock.
    pub(super) now: Timestamp,
}

impl Sources<'_> {
    /// The load that the state tells.
    ///
    /// # Errors
    /// The state cannot be read.
    pub(super) fn of_state(
        &self,
        wanted: &Wanted<'_>,
    ) -> Result<Result<Load, NoHistory>, CliError> {
        let Some(state) = self.state.filter(|_| self.from != HistoryFrom::Provider) else {
            return Ok(Err(NoHistory::Nothing));
        };
        let Wanted { address, group, .. } = wanted;
        let records = Records::of_state(state, address, group, wanted.from, wanted.to)?;
        Ok(records.and_then(|records| records.load(wanted.unit)))
    }

    /// Whether the provider is asked, too.
    pub(super) fn asks_provider(&self, state: &Result<Load, NoHistory>) -> bool {
        let is_enough = |load: &Load| load.trace.length() >= ENOUGH;
        match self.from {
            HistoryFrom::State => false,
            HistoryFrom::Provider => true,
            HistoryFrom::Auto => !state.as_ref().is_ok_and(is_enough),
        }
    }

    /// Asks the providers for groups of which the state tells little; hands over the better of both, one after the other.
    /// In pieces, so that few samples are in memory at once.
    ///
    /// # Errors
    /// Only ours; what providers cannot tell is said with the group.
    pub(super) fn of_providers<T>(
        &self,
        providers: &Providers,
        mut wanted: Vec<(T, Wanted<'_>, Result<Load, NoHistory>)>,
        mut send: impl FnMut(T, Result<Load, NoHistory>),
    ) -> Result<(), CliError> {
        let most = match self.from {
            HistoryFrom::Provider => wanted.len(),
            HistoryFrom::Auto | HistoryFrom::State if wanted.len() > MOST_UNASKED => 0,
            HistoryFrom::Auto | HistoryFrom::State => wanted.len(),
        };
        for (of, _, state) in wanted.split_off(most) {
            send(of, better(state, Err(NoHistory::NotAsked(MOST_UNASKED))));
        }
        let mut wanted = wanted.into_iter();
        loop {
            let piece: Vec<_> = wanted.by_ref().take(AT_ONCE).collect();
            if piece.is_empty() {
                return Ok(());
            }
            let asked: Vec<Asked<'_>> = piece
                .iter()
                .map(|(_, wanted, _)| Asked {
                    group: wanted.group,
                    is_weighted: wanted.is_weighted,
                    from: wanted.from,
                    to: wanted.to,
                })
                .collect();
            let records = self.cx.block_on(read(&asked, providers, self.now))?;
            for ((of, wanted, state), records) in piece.into_iter().zip(records) {
                let load = records.and_then(|records| records.load(wanted.unit));
                let load = match self.from {
                    HistoryFrom::Provider => load,
                    HistoryFrom::Auto | HistoryFrom::State => better(state, load),
                };
                send(of, load);
            }
        }
    }
}

/// Whether instances of a group count as other than one unit each.
pub(super) fn is_weighted(mix: Option<&tideform_policies::model::Mix>) -> bool {
    let mut types = mix.iter().flat_map(|mix| &mix.types);
    types.any(|of| of.weight.is_some_and(|weight| weight != 1))
}
