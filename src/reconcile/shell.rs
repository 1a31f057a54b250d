//! The shell around [`step`]: performs its effects and feeds back what came of them. It decides nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::{FutureExt, StreamExt};
use jiff::{SignedDuration, Timestamp};
use thiserror::Error;
use tideform_policies::model::{Group, GroupAddress, ProviderAddress};
use tideform_provider::{Clock, GroupChange, ProviderError, SystemClock};
use tideform_state::{BoxError, Lease, LeaseHolder, ProviderIdentity, State, StateError};

use super::listen::Shared;
use super::load::{Compiled, overrides_by_group};
use super::metrics::LoopMetrics;
use super::record::Recorder;
use super::settle::{Act, CALL_TAKES_AT_MOST, LONGEST_CALL};
use super::step::{
    Call, Effect, Event, LoopState, Moment, Pace, Settings, StopReason, TickReport, step,
};
use super::stop::Stop;
use super::visit::{ActAnswer, Seen};
use crate::apply::settle_leftovers;
use crate::cost::{LedgerRules, Timeline, Usage, month_start};
use crate::engine::Spent;
use crate::observe::{Beside, chain, observe};
use crate::registry::{Providers, RegistryError, RetryPolicy};

/// How long a lease lasts without renewal. On the same machine a holder that died loses it at once.
const LEASE_TIME: Duration = Duration::from_secs(120);
/// No call starts later than the lease's end less the longest call and five seconds for a clock's fault.
const LEASE_MARGIN: Duration = Duration::from_secs(LONGEST_CALL.as_secs() + 5);
/// Calls that are recorded in one transaction.
const ROUND_SIZE: usize = 128;
/// Calls that are under way at once.
const CALLS_AT_ONCE: usize = 16;
/// Tries of one call in all.
const TRIES: u32 = 3;
/// How often a waiting loop looks whether somebody wants the lease, or whether it is free.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Prices are asked for again after this.
const PRICES_LAST: Duration = Duration::from_secs(3600);

/// Why a loop could not begin or go on. What was done until then is recorded.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// Somebody else holds the lease. Nothing was changed.
    #[error("the lease is held by {holder}")]
    LeaseHeld {
        /// Who, for people.
        holder: String,
    },
    /// Nothing was applied yet.
    #[error("nothing was applied yet")]
    NothingApplied,
    /// The state cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The providers that were applied cannot be opened.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// A provider does not say who we are there.
    #[error("{provider} does not say who we are there")]
    Identity {
        /// Which.
        provider: ProviderAddress,
        /// Why.
        source: ProviderError,
    },
    /// Applying the followed directory failed in a way that ends the loop.
    #[error("the followed directory cannot be applied")]
    Follow {
        /// Why.
        source: BoxError,
    },
}

/// Where the providers come from.
#[derive(Clone, Debug)]
pub enum ProviderSource {
    /// Opened as they were last applied; paths in them are relative to this directory.
    Applied {
        /// The configuration's directory.
        directory: PathBuf,
    },
    /// These, whatever was applied: simulations, tests, the demo.
    Fixed(Providers),
}

/// How a loop is run.
#[derive(Clone)]
pub struct Options {
    /// One run, or a daemon.
    pub pace: Pace,
    /// Decide and record the decisions as such, but touch nothing.
    pub is_shadow: bool,
    /// Only these groups; `None`: all.
    pub only: Option<BTreeSet<GroupAddress>>,
    /// Stop by itself after so many ticks.
    pub stop_after_ticks: Option<u64>,
    /// Stop by itself at the first tick at or after this, by the loop's clock.
    pub stop_at: Option<Timestamp>,
    /// Who we are to the lease.
    pub holder: LeaseHolder,
    /// Who we are in events.
    pub actor: String,
    /// How long to wait for the lease at the beginning.
    pub lock_timeout: Duration,
    /// Where the providers come from.
    pub providers: ProviderSource,
    /// What `--listen` serves; `None`: nothing.
    pub shared: Option<Shared>,
    /// The clock that leases run by.
    pub machine_clock: Arc<dyn Clock>,
}

impl Options {
    /// One run, with everything else as it is when nothing is said.
    pub fn once(holder: LeaseHolder, providers: ProviderSource) -> Options {
        Options {
            pace: Pace::Once,
            is_shadow: false,
            only: None,
            stop_after_ticks: None,
            stop_at: None,
            holder,
            actor: "reconcile".to_owned(),
            lock_timeout: Duration::ZERO,
            providers,
            shared: None,
            machine_clock: Arc::new(SystemClock),
        }
    }

    /// A daemon, with everything else as it is when nothing is said.
    pub fn every(interval: Duration, holder: LeaseHolder, providers: ProviderSource) -> Options {
        Options {
            pace: Pace::Every(interval),
            ..Options::once(holder, providers)
        }
    }
}

/// Who watches a loop.
#[async_trait]
pub trait Watcher: Send {
    /// A tick is over, and recorded.
    fn tick(&mut self, report: &TickReport);

    /// Whether there is something to apply before the next tick: then the lease is given back first.
    fn wants_to_apply(&mut self) -> bool {
        false
    }

    /// Applies it. The loop goes on with what was applied.
    ///
    /// # Errors
    /// Only what must end the loop.
    async fn apply(&mut self, state: &mut State) -> Result<(), BoxError> {
        let _ = state;
        Ok(())
    }
}

/// A watcher that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

#[async_trait]
impl Watcher for Silent {
    fn tick(&mut self, _: &TickReport) {}
}

/// How a loop ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// It was asked to stop; else it had done what it was to do.
    pub was_asked: bool,
    /// Ticks that were completed.
    pub ticks: u64,
    /// Visits that failed in the last tick.
    pub failed_groups: usize,
}

/// Runs the loop over what was last applied, until it is done or asked to stop.
///
/// The lease is given back in the end, whatever happens.
///
/// # Errors
/// Any [`ReconcileError`]. One group's failure is none: it is in the reports.
pub async fn run_loop(
    state: &mut State,
    options: Options,
    mut stop: Stop,
    watcher: &mut dyn Watcher,
) -> Result<Finished, ReconcileError> {
    let meta = state.meta()?;
    let settings = Settings {
        pace: options.pace,
        is_shadow: options.is_shadow,
        lineage: meta.lineage,
        workspace: meta.workspace,
        lease_time: LEASE_TIME,
        lease_margin: LEASE_MARGIN,
        round_size: ROUND_SIZE,
        stop_after_ticks: options.stop_after_ticks,
        stop_at: options.stop_at,
        only: options.only.clone(),
    };
    let mut shell = Shell::new(state, options);
    shell.refresh().await?;
    let result = shell
        .drive(LoopState::new(settings), &mut stop, watcher)
        .await;
    shell.give_back_lease();
    result
}

struct Shell<'a> {
    state: &'a mut State,
    options: Options,
    compiled: Compiled,
    providers: Option<Providers>,
    recorder: Recorder,
    prices_read: Option<Timestamp>,
    ledgers: Ledgers,
    lease: Option<Lease>,
    ticks: u64,
    failed_groups: usize,
    tick_failed: bool,
    retry: RetryPolicy,
}

impl<'a> Shell<'a> {
    fn new(state: &'a mut State, options: Options) -> Shell<'a> {
        Shell {
            state,
            options,
            compiled: Compiled::default(),
            providers: None,
            recorder: Recorder::default(),
            prices_read: None,
            ledgers: Ledgers::default(),
            lease: None,
            ticks: 0,
            failed_groups: 0,
            tick_failed: false,
            retry: RetryPolicy::default(),
        }
    }

    /// Reads what was applied, and opens its providers, where it has changed.
    async fn refresh(&mut self) -> Result<(), ReconcileError> {
        if !self.compiled.refresh(self.state)? && self.providers.is_some() {
            return Ok(());
        }
        let configurations = self.state.applied_providers()?;
        if self.compiled.is_empty() && configurations.is_empty() {
            return Err(ReconcileError::NothingApplied);
        }
        let providers = match (&self.options.providers, &self.providers) {
            (ProviderSource::Fixed(providers), _) => providers.clone(),
            (ProviderSource::Applied { .. }, Some(open))
                if open.configurations() == configurations =>
            {
                return Ok(());
            }
            (ProviderSource::Applied { directory }, _) => {
                Providers::open(&configurations, directory).await?
            }
        };
        let mut identities = Vec::new();
        for (address, provider) in providers.iter() {
            let identity =
                provider
                    .identity()
                    .await
                    .map_err(|source| ReconcileError::Identity {
                        provider: address.clone(),
                        source,
                    })?;
            self.recorder
                .regions
                .insert(address.clone(), identity.region.clone());
            identities.push(ProviderIdentity {
                provider: address.clone(),
                account: identity.account,
                region: identity.region,
            });
        }
        self.state.verify_identities(&identities)?;
        self.providers = Some(providers);
        Ok(())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        match &self.providers {
            Some(providers) => Arc::clone(providers.clock()),
            None => Arc::new(SystemClock),
        }
    }

    fn now(&self) -> Moment {
        Moment {
            world: self.clock().now(),
            machine: self.options.machine_clock.now(),
        }
    }

    async fn drive(
        &mut self,
        mut machine: LoopState,
        stop: &mut Stop,
        watcher: &mut dyn Watcher,
    ) -> Result<Finished, ReconcileError> {
        let mut events = VecDeque::from([Event::Started]);
        let mut was_told = false;
        let mut began = Instant::now();
        loop {
            if !was_told && stop.is_asked() {
                was_told = true;
                events.push_front(Event::StopAsked);
            }
            let Some(event) = events.pop_front() else {
                // Every effect is answered by an event until the loop is over.
                return Ok(self.finished(false));
            };
            if matches!(event, Event::Started | Event::Woken) {
                began = Instant::now();
            }
            let (next, effects) = step(machine, event, self.now());
            machine = next;
            for effect in effects {
                let answer = match effect {
                    Effect::TakeLease => Some(self.take_lease(stop).await?),
                    Effect::Load => Some(self.load().await?),
                    Effect::Observe(groups) => Some(Event::Seen(self.observe(&groups).await?)),
                    Effect::RecordIntents(intents) => {
                        let (compiled, actor) = (&self.compiled, &self.options.actor);
                        let ids = self
                            .recorder
                            .intents(self.state, &intents, compiled, actor)?;
                        Some(Event::IntentsRecorded(ids))
                    }
                    Effect::Act { calls, deadline } => {
                        Some(Event::Acted(self.act(&calls, deadline).await))
                    }
                    Effect::RecordOutcomes(writes) => {
                        let at = self.now().world;
                        self.recorder
                            .outcomes(self.state, &writes, at, &self.options.actor)?;
                        Some(Event::Recorded)
                    }
                    Effect::RecordTick(record) => {
                        let (compiled, actor) = (&self.compiled, &self.options.actor);
                        self.recorder.tick(self.state, &record, compiled, actor)?;
                        Some(Event::Recorded)
                    }
                    Effect::Report(report) => {
                        self.report(&report, began.elapsed());
                        watcher.tick(&report);
                        None
                    }
                    Effect::WakeAt(at) => Some(self.wait(at, stop, watcher).await?),
                    Effect::Stop(StopReason::LeaseHeld(holder)) => {
                        return Err(ReconcileError::LeaseHeld { holder });
                    }
                    Effect::Stop(reason) => return Ok(self.finished(reason == StopReason::Asked)),
                };
                was_told |= matches!(answer, Some(Event::StopAsked));
                events.extend(answer);
            }
        }
    }

    fn finished(&self, was_asked: bool) -> Finished {
        Finished {
            was_asked,
            ticks: self.ticks,
            failed_groups: self.failed_groups,
        }
    }

    async fn load(&mut self) -> Result<Event, ReconcileError> {
        self.refresh().await?;
        let providers = self.providers.clone();
        if self.lease.is_some()
            && let Some(providers) = &providers
        {
            // Of an apply that died: what it has done is recorded before the loop runs by it.
            let actor = self.options.actor.clone();
            let settled = settle_leftovers(self.state, providers, &actor, false).await?;
            if !settled.is_empty() {
                self.refresh().await?;
            }
        }
        let chooses = |group: &Group| {
            providers
                .as_ref()
                .and_then(|providers| providers.get(&group.provider))
                .is_some_and(|provider| provider.capabilities().chooses_victims)
        };
        Ok(Event::Loaded(self.compiled.runs(self.state, chooses)?))
    }

    async fn observe(
        &mut self,
        addresses: &[GroupAddress],
    ) -> Result<BTreeMap<GroupAddress, Seen>, ReconcileError> {
        let Some(providers) = self.providers.clone() else {
            return Ok(BTreeMap::new());
        };
        let now = self.now().world;
        let groups: Vec<&Group> = addresses
            .iter()
            .filter_map(|address| self.compiled.group(address))
            .collect();
        let mut overrides = overrides_by_group(self.state.open_overrides(now)?, |address| {
            self.compiled.group(address)
        });
        let mut beside: BTreeMap<GroupAddress, Beside> = BTreeMap::new();
        for group in &groups {
            let known = Beside {
                overrides: overrides.remove(&group.address).unwrap_or_default(),
                spent: self.ledgers.spent(self.state, group, now)?,
                forecast: None,
            };
            beside.insert(group.address.clone(), known);
        }
        let answers = AssertUnwindSafe(observe(&groups, &providers, &beside, now))
            .catch_unwind()
            .await;
        let seen: BTreeMap<GroupAddress, Seen> = match answers {
            Ok(answers) => answers
                .into_iter()
                .map(|(address, answer)| {
                    let seen = match answer {
                        Ok(Some(observed)) => Seen::Live(Box::new(observed)),
                        Ok(None) => Seen::Missing,
                        Err(error) => Seen::Failed(chain(&error)),
                    };
                    (address, seen)
                })
                .collect(),
            Err(_) => {
                let message = "reading failed: a provider panicked; this is a bug in tideform";
                addresses
                    .iter()
                    .map(|address| (address.clone(), Seen::Failed(message.to_owned())))
                    .collect()
            }
        };
        self.read_prices(&providers, &seen, now).await;
        Ok(seen)
    }

    /// Asks for the prices of instance types that are live and whose group does not say its own.
    async fn read_prices(
        &mut self,
        providers: &Providers,
        seen: &BTreeMap<GroupAddress, Seen>,
        now: Timestamp,
    ) {
        let is_old = self.prices_read.is_none_or(|read| {
            Duration::try_from(now.duration_since(read)).is_ok_and(|age| age >= PRICES_LAST)
        });
        let mut wanted: BTreeMap<ProviderAddress, BTreeSet<String>> = BTreeMap::new();
        for (address, seen) in seen {
            let (Seen::Live(observed), Some(group)) = (seen, self.compiled.group(address)) else {
                continue;
            };
            for kind in observed
                .live
                .instances
                .iter()
                .filter_map(|instance| instance.instance_type.as_ref())
            {
                let key = (group.provider.clone(), kind.to_string());
                if is_old || !self.recorder.prices.contains_key(&key) {
                    wanted.entry(key.0).or_default().insert(key.1);
                }
            }
        }
        if is_old {
            self.prices_read = Some(now);
        }
        for (address, kinds) in wanted {
            let Some(provider) = providers.get(&address) else {
                continue;
            };
            let kinds: Vec<String> = kinds.into_iter().collect();
            let answers = provider.prices(&kinds).await;
            for (kind, answer) in kinds.into_iter().zip(answers) {
                // A price that cannot be read is asked for again with the next tick; the old one holds until then.
                if let Ok(prices) = answer {
                    self.recorder.prices.insert((address.clone(), kind), prices);
                }
            }
        }
    }

    async fn act(&self, calls: &[Call], deadline: Timestamp) -> Vec<ActAnswer> {
        futures::stream::iter(calls)
            .map(|call| async move {
                let made = AssertUnwindSafe(self.call(call, deadline))
                    .catch_unwind()
                    .await;
                made.unwrap_or_else(|_| {
                    ActAnswer::Unknown(
                        "the provider panicked; this is a bug in tideform".to_owned(),
                    )
                })
            })
            .buffered(CALLS_AT_ONCE)
            .collect()
            .await
    }

    /// Makes one call. Repeats it only where that does no harm, and not after the deadline.
    async fn call(&self, call: &Call, deadline: Timestamp) -> ActAnswer {
        let provider = self
            .compiled
            .group(&call.group)
            .and_then(|group| self.providers.as_ref()?.get(&group.provider));
        let Some(provider) = provider else {
            return ActAnswer::NotStarted(
                "the provider is not among those that were applied".to_owned(),
            );
        };
        let clock = self.clock();
        let mut last = None;
        for attempt in 1..=TRIES {
            if self.options.machine_clock.now() >= deadline {
                let why =
                    "it was too late to begin: the lease or the time of the call was about to end";
                return match last {
                    None => ActAnswer::NotStarted(why.to_owned()),
                    Some(error) => ActAnswer::NotDone(error),
                };
            }
            let made = async {
                match &call.act {
                    Act::SetDesired => provider.set_desired(&call.resource, call.desired).await,
                    Act::Terminate { instance } => {
                        provider.terminate_instance(&call.resource, instance).await
                    }
                    Act::Change(change) => {
                        let change = GroupChange {
                            resource: call.resource.clone(),
                            changes: vec![change.clone()],
                        };
                        provider.update_group(&change).await
                    }
                }
            };
            let error = match tokio::time::timeout(CALL_TAKES_AT_MOST, made).await {
                Err(_) => return ActAnswer::Unknown("no answer in time".to_owned()),
                Ok(Ok(())) => return ActAnswer::Done,
                Ok(Err(error)) => error,
            };
            match error {
                ProviderError::OutcomeUnknown { .. } => return ActAnswer::Unknown(chain(&error)),
                error if !error.is_transient() => return ActAnswer::NotDone(chain(&error)),
                error => {
                    let asked = match &error {
                        ProviderError::Throttled { retry_after, .. } => *retry_after,
                        _ => None,
                    };
                    last = Some(chain(&error));
                    if attempt < TRIES {
                        clock
                            .wait(
                                self.retry
                                    .wait_before(attempt, u64::from(call.desired), asked),
                            )
                            .await;
                    }
                }
            }
        }
        ActAnswer::NotDone(last.unwrap_or_default())
    }

    fn report(&mut self, report: &TickReport, took: Duration) {
        self.ticks = report.number;
        self.failed_groups = report.failed().count();
        self.tick_failed = self.failed_groups > 0 && self.failed_groups == report.groups.len();
        if let Some(shared) = &self.options.shared {
            shared.update(|metrics| count(metrics, report, self.lease.is_some()));
            shared.tick_completed(report.at, took, !self.tick_failed);
        }
    }

    /// Takes the lease or renews it; waits for it where somebody else has it and there is time to wait.
    async fn take_lease(&mut self, stop: &mut Stop) -> Result<Event, ReconcileError> {
        let clock = Arc::clone(&self.options.machine_clock);
        if let Some(lease) = self.lease.take() {
            match self.state.renew_lease(&lease, clock.now(), LEASE_TIME) {
                Ok(lease) => return Ok(self.leased(lease)),
                Err(StateError::LeaseLost { to: Some(holder) }) => {
                    return Ok(Event::LeaseHeld(holder.to_string()));
                }
                // Nobody has it: it was broken, or given back for somebody who is done with it.
                Err(StateError::LeaseLost { to: None }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // Between its ticks a daemon lets others in, and waits until they are done.
        let patience = if self.ticks > 0 {
            Duration::MAX
        } else {
            self.options.lock_timeout
        };
        let began = clock.now();
        let mut has_asked = false;
        let answer = loop {
            let now = clock.now();
            match self
                .state
                .acquire_lease(&self.options.holder, now, LEASE_TIME)
            {
                Ok(lease) => return Ok(self.leased(lease)),
                Err(StateError::LeaseHeld { holder, .. }) => {
                    let waited = Duration::try_from(now.duration_since(began)).unwrap_or_default();
                    if waited >= patience || stop.is_asked() {
                        break Event::LeaseHeld(holder.to_string());
                    }
                    // Asked for anew each time, so that one who dies while waiting does not hold up the others.
                    self.state
                        .request_lease(&self.options.holder, now, LOOK_EVERY * 10)?;
                    has_asked = true;
                    tokio::select! {
                        () = clock.wait(LOOK_EVERY) => {}
                        () = stop.asked() => {}
                    }
                }
                Err(StateError::Busy) => clock.wait(LOOK_EVERY).await,
                Err(error) => return Err(error.into()),
            }
        };
        if has_asked {
            self.state.withdraw_lease_request(&self.options.holder)?;
        }
        Ok(answer)
    }

    fn leased(&mut self, lease: Lease) -> Event {
        let until = lease.until;
        self.lease = Some(lease);
        if let Some(shared) = &self.options.shared {
            shared.update(|metrics| metrics.is_lease_held = true);
        }
        Event::Leased(until)
    }

    fn give_back_lease(&mut self) {
        if let Some(lease) = self.lease.take() {
            // One that cannot be given back runs out by itself.
            let _ = self.state.release_lease(&lease);
        }
        if let Some(shared) = &self.options.shared {
            shared.update(|metrics| metrics.is_lease_held = false);
        }
    }

    /// Waits until `at` by the loop's clock: keeps the lease alive, and gives it to whoever asks for it.
    async fn wait(
        &mut self,
        at: Timestamp,
        stop: &mut Stop,
        watcher: &mut dyn Watcher,
    ) -> Result<Event, ReconcileError> {
        let clock = self.clock();
        loop {
            self.tend_lease()?;
            if watcher.wants_to_apply() {
                self.give_back_lease();
                watcher
                    .apply(self.state)
                    .await
                    .map_err(|source| ReconcileError::Follow { source })?;
            }
            if stop.is_asked() {
                return Ok(Event::StopAsked);
            }
            let Some(left) = positive(at.duration_since(clock.now())) else {
                return Ok(Event::Woken);
            };
            // A stepped clock is moved in one go: nothing happens in between but what others do meanwhile.
            let slice = if clock.is_stepped() {
                left
            } else {
                left.min(LOOK_EVERY)
            };
            tokio::select! {
                () = clock.wait(slice) => {}
                () = stop.asked() => return Ok(Event::StopAsked),
            }
        }
    }

    fn tend_lease(&mut self) -> Result<(), ReconcileError> {
        let Some(lease) = &self.lease else {
            return Ok(());
        };
        let now = self.options.machine_clock.now();
        if !self.state.lease_requests(now)?.is_empty() {
            self.give_back_lease();
            return Ok(());
        }
        let left = Duration::try_from(lease.until.duration_since(now)).unwrap_or_default();
        if left < LEASE_TIME / 2 {
            self.lease = match self.state.renew_lease(lease, now, LEASE_TIME) {
                Ok(lease) => Some(lease),
                // The next tick finds out who has it.
                Err(StateError::LeaseLost { .. }) => None,
                Err(error) => return Err(error.into()),
            };
        }
        Ok(())
    }
}

fn positive(duration: SignedDuration) -> Option<Duration> {
    Duration::try_from(duration)
        .ok()
        .filter(|duration| !duration.is_zero())
}

/// What groups with a budget have cost since the first of the month, UTC: what was counted at the visit before, and
/// what came since. A run that has just begun counts the whole month.
#[derive(Debug, Default)]
struct Ledgers(BTreeMap<GroupAddress, Ledger>);

#[derive(Debug)]
struct Ledger {
    month: Timestamp,
    counted_to: Timestamp,
    spent: Usage,
}

impl Ledgers {
    fn spent(
        &mut self,
        state: &State,
        group: &Group,
        now: Timestamp,
    ) -> Result<Option<Spent>, StateError> {
        if group.policy.budget.is_none() {
            return Ok(None);
        }
        let month = month_start(now);
        let begin = || Ledger {
            month,
            counted_to: month,
            spent: Usage::default(),
        };
        let ledger = self.0.entry(group.address.clone()).or_insert_with(begin);
        if ledger.month != month || now < ledger.counted_to {
            *ledger = begin();
        }
        let runs = state.capacity_runs(&group.address, ledger.counted_to, now)?;
        let rules = LedgerRules::for_interval(group.policy.every);
        let timeline = Timeline::new(&runs, now, rules);
        // What lies behind the last sample is counted for now only: the next one may say otherwise.
        let seen_to = runs.last().map_or(ledger.counted_to, |run| {
            run.until.clamp(ledger.counted_to, now)
        });
        ledger
            .spent
            .add(&timeline.usage(ledger.counted_to, seen_to));
        ledger.counted_to = seen_to;
        let mut spent = ledger.spent;
        spent.add(&timeline.usage(seen_to, now));
        Ok(Some(Spent {
            cost_usd: spent.cost.usd(),
        }))
    }
}

fn count(metrics: &mut LoopMetrics, report: &TickReport, is_lease_held: bool) {
    metrics.is_lease_held = is_lease_held;
    for group in &report.groups {
        if let Some(decision) = &group.decision {
            metrics.count_decision(&group.group, decision.direction);
        }
        let numbers = metrics.groups.entry(group.group.clone()).or_default();
        numbers.desired = group.desired;
        numbers.ready = group.ready;
        if group.result.is_error() {
            numbers.errors += 1;
        }
    }
}
