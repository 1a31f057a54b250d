//! The shell around [`step`]: performs its effects and feeds back what came of them. It decides nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tideform_policies::calendar::Held;
use tideform_policies::model::{Controller, Group, GroupAddress};
use tideform_provider::{Clock, ControlContext, SystemClock};
use tideform_state::{Lease, ProviderIdentity, Retention, State, StateError};

use super::group::{ActAnswer, Seen};
use super::lease::{LEASE_TIME, LOOK_EVERY};
use super::load::{Compiled, overrides_by_group};
use super::metrics::LoopMetrics;
use super::native::{held, needs_schedules};
use super::options::{Finished, Options, ProviderSource, ReconcileError, Watcher};
use super::progress::{Moved, Progress};
use super::protocol::{Effect, Event, Moment, Settings, StopReason, TickReport};
use super::record::Recorder;
use super::spent::Ledgers;
use super::step::{LoopState, step};
use super::stop::Stop;
use crate::apply::{HeldLease, settle_leftovers};
use crate::observe::{Beside, NativeControls, Observed, chain, observe};
use crate::registry::{Providers, RetryPolicy};

/// No call starts later than the lease's end less this.
const LEASE_MARGIN: Duration = HeldLease::MARGIN;
/// Calls that are recorded in one transaction.
const ROUND_SIZE: usize = 128;

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
    let mut shell = Shell::new(state, options, settings.workspace.clone());
    shell.refresh().await?;
    let result = shell
        .drive(LoopState::new(settings), &mut stop, watcher)
        .await;
    shell.give_back_lease();
    let left = shell.state.leave().await;
    let finished = result?;
    left?;
    Ok(finished)
}

/// What the effects are performed with.
pub(super) struct Shell<'a> {
    pub(super) state: &'a mut State,
    pub(super) options: Options,
    pub(super) compiled: Compiled,
    pub(super) providers: Option<Providers>,
    pub(super) recorder: Recorder,
    pub(super) prices_read: Option<Timestamp>,
    pub(super) ledgers: Ledgers,
    pub(super) lease: Option<Lease>,
    pub(super) ticks: u64,
    pub(super) workspace: String,
    /// What the loop has moved of groups that the cloud scales.
    moved: BTreeMap<GroupAddress, Moved>,
    /// When any group was last visited before this tick.
    pub(super) last_visit: Option<Timestamp>,
    /// The day on which this process last pruned the state.
    pub(super) pruned_on: Option<jiff::civil::Date>,
    pub(super) failed_groups: usize,
    pub(super) tick_failed: bool,
    pub(super) retry: RetryPolicy,
}

impl<'a> Shell<'a> {
    fn new(state: &'a mut State, options: Options, workspace: String) -> Shell<'a> {
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
            workspace,
            moved: BTreeMap::new(),
            last_visit: None,
            pruned_on: None,
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

    pub(super) fn clock(&self) -> Arc<dyn Clock> {
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
                    Effect::TakeLease => Some(self.take_lease(stop, watcher).await?),
                    Effect::Load => Some(self.load().await?),
                    Effect::Observe(groups) => Some(Event::Seen(self.observe(&groups).await?)),
                    Effect::RecordIntents(intents) => {
                        let lease = self.held_lease()?;
                        let (compiled, actor) = (&self.compiled, &self.options.actor);
                        let ids = self
                            .recorder
                            .intents(self.state, &lease, &intents, compiled, actor)?;
                        Some(Event::IntentsRecorded(ids))
                    }
                    Effect::Act { calls, deadline } => {
                        // Whoever comes after us must find the intents, whatever becomes of this machine.
                        let answers = match self.state.publish().await {
                            Ok(()) => self.act(&calls, deadline).await,
                            Err(error) => {
                                let why =
                                    format!("not announced in the shared state: {}", chain(&error));
                                vec![ActAnswer::NotStarted(why); calls.len()]
                            }
                        };
                        Some(Event::Acted(answers))
                    }
                    Effect::RecordOutcomes(writes) => {
                        let at = self.now().world;
                        let lease = self.held_lease()?;
                        self.recorder.outcomes(
                            self.state,
                            &lease,
                            &writes,
                            at,
                            &self.options.actor,
                        )?;
                        Some(Event::Recorded)
                    }
                    Effect::RecordTick(record)
                        if !self.may_record(&record, stop, watcher).await =>
                    {
                        Some(Event::Recorded)
                    }
                    Effect::RecordTick(record) => {
                        let lease = match record.is_shadow {
                            true => None,
                            false => Some(self.held_lease()?),
                        };
                        let (compiled, actor) = (&self.compiled, &self.options.actor);
                        self.recorder
                            .tick(self.state, lease.as_ref(), &record, compiled, actor)?;
                        if !record.is_shadow {
                            self.prune_daily(record.at)?;
                        }
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

    /// The lease that this loop's records are made under: what another holder recorded is never overwritten.
    fn held_lease(&self) -> Result<Lease, StateError> {
        self.lease.clone().ok_or(StateError::LeaseLost { to: None })
    }

    /// Rolls up and drops what is old, with the first tick of a day, UTC.
    fn prune_daily(&mut self, now: Timestamp) -> Result<(), StateError> {
        let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
        if self.last_visit.is_some_and(|last| day(last) < day(now))
            && self.pruned_on != Some(day(now))
        {
            self.state
                .write(|tx| tx.prune(now, &Retention::default()))?;
            self.pruned_on = Some(day(now));
        }
        Ok(())
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
        if let Some(lease) = self.lease.clone()
            && let Some(providers) = &providers
        {
            // Of an apply that died: what it has done is recorded before the loop runs by it.
            let actor = self.options.actor.clone();
            let clock = Arc::clone(&self.options.machine_clock);
            let mut keep = |state: &mut State| {
                state
                    .renew_lease(&lease, clock.now(), LEASE_TIME)
                    .map(|_| ())
            };
            match settle_leftovers(self.state, providers, &mut keep, &actor, false).await {
                Ok(settled) if settled.is_empty() => {}
                Ok(_) => self.refresh().await?,
                // The next tick finds out who has it.
                Err(StateError::LeaseLost { .. }) => self.lease = None,
                Err(error) => return Err(error.into()),
            }
        }
        let chooses = |group: &Group| {
            providers
                .as_ref()
                .and_then(|providers| providers.get(&group.provider))
                .is_some_and(|provider| provider.capabilities().chooses_victims)
        };
        let runs = self.compiled.runs(self.state, chooses)?;
        self.moved = runs
            .iter()
            .map(|run| (run.group().address.clone(), run.progress.moved.clone()))
            .filter(|(_, moved)| *moved != Moved::default())
            .collect();
        self.last_visit = runs.iter().filter_map(|run| run.progress.last_visit).max();
        Ok(Event::Loaded(runs))
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
        let mut overrides = overrides_by_group(self.state.open_overrides(now)?, now, |address| {
            self.compiled.group(address)
        });
        let mut progress = self.state.progress()?;
        let mut beside: BTreeMap<GroupAddress, Beside> = BTreeMap::new();
        for group in &groups {
            let known = Beside {
                overrides: overrides.remove(&group.address).unwrap_or_default(),
                spent: self.ledgers.spent(self.state, group, now)?,
                forecast: None,
                was_held: match progress.remove(&group.address) {
                    Some(text) => text.read::<Progress>()?.is_held(),
                    None => false,
                },
                needs_schedules: false,
            };
            let moved = self.moved.get(&group.address);
            let known = Beside {
                needs_schedules: group.controller == Controller::Native
                    && needs_schedules(group, &known.overrides, moved.unwrap_or(&Moved::default())),
                ..known
            };
            beside.insert(group.address.clone(), known);
        }
        let answers = AssertUnwindSafe(observe(&groups, &providers, &beside, now))
            .catch_unwind()
            .await;
        let mut seen: BTreeMap<GroupAddress, Seen> = match answers {
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
        let native = beside.iter().filter(|(_, beside)| beside.needs_schedules);
        for (address, _) in native {
            if let (Some(Seen::Live(observed)), Some(group)) =
                (seen.get_mut(address), self.compiled.group(address))
            {
                observed.native = self.native_controls(group, observed, &providers, now).await;
            }
        }
        self.read_prices(&providers, &seen, now).await;
        Ok(seen)
    }

    /// What a group that the cloud scales is to have now, of what time and people move.
    async fn native_controls(
        &self,
        group: &Group,
        observed: &Observed,
        providers: &Providers,
        now: Timestamp,
    ) -> Option<Result<NativeControls, String>> {
        let provider = providers.get(&group.provider)?;
        let overrides = &observed.observation.overrides;
        let (held, nothing) = (held(overrides, now), Held::default());
        let moved = self.moved.get(&group.address).cloned().unwrap_or_default();
        let live = Moved::with_set_aside(&moved.set_aside, &observed.live);
        let ask = |held, is_paused: bool, only_schedules: bool| {
            let (workspace, live) = (&self.workspace, &*live);
            let applied = self.compiled.controls(&group.address);
            async move {
                let context = ControlContext {
                    workspace,
                    now,
                    held,
                    is_paused,
                    only_schedules,
                    live: Some(live),
                    applied,
                };
                provider.controls(group, &context).await.map_err(|found| {
                    let whats: Vec<&str> = found.iter().map(|one| one.what.as_str()).collect();
                    whats.join("; ")
                })
            }
        };
        let is_paused = overrides.pause.is_some();
        let answer = async {
            let schedules = ask(&held, false, true).await?;
            let usual = match held.is_empty() {
                true => BTreeSet::new(),
                false => {
                    let usual = ask(&nothing, false, true).await?;
                    usual.into_iter().map(|spec| spec.name).collect()
                }
            };
            let pausable = match group.policy.forecast {
                // What is the same paused and not, no pause moves.
                Some(_) if is_paused || moved.paused => {
                    let (acting, paused) = (
                        ask(&held, false, false).await?,
                        ask(&held, true, false).await?,
                    );
                    let (wanted, other) = match is_paused {
                        true => (paused, acting),
                        false => (acting, paused),
                    };
                    wanted
                        .into_iter()
                        .filter(|spec| !other.contains(spec))
                        .collect()
                }
                _ => Vec::new(),
            };
            Ok(NativeControls {
                schedules,
                usual,
                pausable,
            })
        };
        Some(answer.await)
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

    /// Waits until `at` by the loop's clock: keeps the lease alive, and gives it to whoever asks for it.
    async fn wait(
        &mut self,
        at: Timestamp,
        stop: &mut Stop,
        watcher: &mut dyn Watcher,
    ) -> Result<Event, ReconcileError> {
        let clock = self.clock();
        self.leave_shared(watcher).await;
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
}

fn positive(duration: SignedDuration) -> Option<Duration> {
    Duration::try_from(duration)
        .ok()
        .filter(|duration| !duration.is_zero())
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
