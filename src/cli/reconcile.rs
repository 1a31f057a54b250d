//! `tideform reconcile`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use clap::Args;
use serde_json::json;
use tideform_policies::model::units::format_duration;
use tideform_policies::model::{Group, GroupAddress};
use tideform_provider::BoxError;
use tideform_state::{OpenMode, State};

use super::args::{GroupArgs, VariableArgs, parse_duration, parse_positive_duration};
use super::context::Context;
use super::error::{CliError, plural};
use super::follow::Follower;
use super::opened::lease_holder;
use super::output::{BOLD, CYAN, DIM, RED, YELLOW, paint};
use super::view;
use super::{CliResult, exit};
use crate::engine::explain;
use crate::reconcile::{
    GroupReport, Options, Progress, ProviderSource, Shared, StopHandle, TickReport, VisitResult,
    Watcher, bind, run_loop, serve, stop_pair,
};
use crate::registry::Providers;

/// Up to so many groups a single run names each one, also those that hold.
const NAMED: usize = 25;

/// Run the scaling loop: once, or for ever.
///
/// Runs the scaling loop over what was last applied: observe, decide, record, act, record. It never reads the files,
/// unless --follow says so.
#[derive(Args, Debug)]
#[command(group(clap::ArgGroup::new("pace").required(true).args(["once", "interval"])))]
pub(super) struct ReconcileArgs {
    /// One run, as a scheduled job does it
    #[arg(long)]
    once: bool,

    /// Run until stopped, with this long between the starts of two runs
    #[arg(long, value_name = "DURATION", value_parser = parse_positive_duration)]
    interval: Option<Duration>,

    /// Stop after this many runs
    #[arg(long, value_name = "N", conflicts_with = "once", value_parser = clap::value_parser!(u64).range(1..))]
    ticks: Option<u64>,

    /// Plan and apply this directory whenever it changes
    #[arg(long, value_name = "DIR", conflicts_with = "once")]
    follow: Option<PathBuf>,

    /// Shadow mode: record decisions as such, change nothing
    #[arg(long)]
    dry_run: bool,

    /// Serve /metrics, /healthz and /readyz here: `127.0.0.1:9464`
    #[arg(long, value_name = "ADDRESS", conflicts_with = "once")]
    listen: Option<SocketAddr>,

    #[command(flatten)]
    groups: GroupArgs,

    #[command(flatten)]
    variables: VariableArgs,

    /// How long to wait for another process that holds the state's lease
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration)]
    lock_timeout: Duration,

    /// Print each decision as a line of JSON
    #[arg(long)]
    json: bool,
}

impl ReconcileArgs {
    pub(super) fn run(self, cx: &Context, matches: Option<&clap::ArgMatches>) -> CliResult {
        let mut follower = match &self.follow {
            Some(directory) => Some(Follower::new(cx, directory, &self.variables, matches)?),
            None if !self.variables.var.is_empty() || !self.variables.var_file.is_empty() => {
                return Err(CliError::Usage(
                    "`--var` and `--var-file` go with `--follow`: the loop runs what was last applied".to_owned(),
                ));
            }
            None => None,
        };
        let (place, mut state) = match &mut follower {
            Some(follower) => follower.first_state(cx)?,
            None => cx.last_state(None, OpenMode::ReadWrite)?,
        };
        let only = if self.groups.group.is_empty() {
            None
        } else {
            let chosen = self.groups.select(&state.applied_addresses()?)?;
            Some(chosen.into_iter().collect::<BTreeSet<_>>())
        };
        let source = if self.once {
            let providers = cx.providers_of(&state)?;
            step_to_next(cx, &state, &providers)?;
            ProviderSource::Fixed(providers)
        } else {
            ProviderSource::Applied {
                directory: cx.directory().to_owned(),
            }
        };
        let shared = self.listen.map(|_| {
            let interval = self.interval.unwrap_or_default();
            Shared::new((interval * 3).max(Duration::from_secs(60)))
        });
        let base = match self.interval {
            None => Options::once(lease_holder(), source),
            Some(interval) => Options::every(interval, lease_holder(), source),
        };
        let options = Options {
            is_shadow: self.dry_run,
            only,
            stop_after_ticks: self.ticks,
            lock_timeout: self.lock_timeout,
            shared: shared.clone(),
            ..base
        };
        let mut watcher = Printer {
            cx,
            names_all: self.once,
            json: self.json,
            follower,
            policies: super::events::policies(&state)?,
            ticks: 0,
            changes: 0,
            failed: Vec::new(),
            has_others: false,
        };
        if let Some(interval) = self.interval {
            let groups = match &options.only {
                Some(only) => only.len(),
                None => state.applied_addresses()?.len(),
            };
            cx.output.note(format!(
                "Reconciling {} of workspace {} every {}. Ctrl-C stops after the run in hand.",
                plural(groups, "group"),
                place.workspace,
                format_duration(interval),
            ));
        }
        let (handle, stop) = stop_pair();
        let finished = cx.block_on(async {
            let signals = tokio::spawn(listen_for_signals(handle));
            let server = match (self.listen, shared) {
                (Some(address), Some(shared)) => {
                    let listener = bind(address)
                        .await
                        .map_err(|source| CliError::Listen { address, source })?;
                    Some(tokio::spawn(serve(listener, shared)))
                }
                _ => None,
            };
            let finished = run_loop(&mut state, options, stop, &mut watcher).await;
            signals.abort();
            if let Some(server) = server {
                server.abort();
            }
            finished.map_err(CliError::Reconcile)
        })??;
        if self.interval.is_some() {
            cx.output.note(format!(
                "{}, {}.",
                plural(usize::try_from(finished.ticks).unwrap_or(usize::MAX), "run"),
                plural(watcher.changes, "change"),
            ));
        }
        if !self.json && cx.output.is_one_screen() {
            for (_, why) in &mut watcher.failed {
                "its line above says why".clone_into(why);
            }
        }
        if finished.failed_groups > 0 && !finished.was_asked {
            return Err(CliError::GroupsFailed {
                what: "scaled",
                others: watcher.has_others,
                failed: watcher.failed,
            });
        }
        Ok(exit::WELL)
    }
}

/// On a stepped clock time only passes when somebody says so, and a scheduled job's next run comes later than its last:
/// so `--once` first moves such a clock to the time at which the next group is due again. Twenty such runs then see what
/// twenty ticks of a daemon see.
fn step_to_next(cx: &Context, state: &State, providers: &Providers) -> Result<(), CliError> {
    let clock = providers.clock();
    if !clock.is_stepped() {
        return Ok(());
    }
    let now = clock.now();
    let progress = state.progress()?;
    let mut wait: Option<Duration> = None;
    for (address, applied) in state.applied_groups()? {
        let last = match progress.get(&address) {
            Some(text) => text.read::<Progress>()?.last_visit,
            None => None,
        };
        let rest = last
            .and_then(|last| last.checked_add(applied.group.policy.every).ok())
            .and_then(|due| Duration::try_from(due.duration_since(now)).ok())
            .unwrap_or_default();
        wait = Some(wait.map_or(rest, |wait| wait.min(rest)));
    }
    match wait {
        Some(wait) if !wait.is_zero() => cx.block_on(clock.wait(wait)),
        _ => Ok(()),
    }
}

/// The first signal lets the run in hand come to its end; the second SIGINT does not.
async fn listen_for_signals(handle: StopHandle) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            return;
        };
        let mut interrupts = 0;
        loop {
            tokio::select! {
                _ = interrupt.recv() => interrupts += 1,
                _ = terminate.recv() => {}
            }
            handle.ask();
            if interrupts > 1 {
                std::process::exit(i32::from(exit::FAILURE));
            }
        }
    }
    #[cfg(not(unix))]
    {
        if tokio::signal::ctrl_c().await.is_ok() {
            handle.ask();
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(i32::from(exit::FAILURE));
        }
    }
}

/// Prints what each run did, and applies a followed directory.
struct Printer<'a> {
    cx: &'a Context,
    names_all: bool,
    json: bool,
    follower: Option<Follower<'a>>,
    /// For the words about metrics.
    policies: BTreeMap<GroupAddress, Group>,
    ticks: u64,
    changes: usize,
    failed: Vec<(String, String)>,
    /// Groups of the last tick that did not fail.
    has_others: bool,
}

#[async_trait]
impl Watcher for Printer<'_> {
    fn tick(&mut self, report: &TickReport) {
        self.ticks += 1;
        self.failed.clear();
        let names_all = self.names_all && report.groups.len() <= NAMED;
        for group in &report.groups {
            if matches!(
                group.result,
                VisitResult::Moved(_) | VisitResult::Changed(_)
            ) {
                self.changes += 1;
            }
            if group.result.is_error() {
                let why = trouble(&group.result).unwrap_or_default();
                self.failed.push((group.group.to_string(), why));
            }
            if self.json {
                self.cx.output.json_line(&as_json(report, group));
            } else if names_all || is_news(&group.result) {
                let policy = self.policies.get(&group.group);
                self.cx.output.line(line(report, group, policy));
            }
        }
        self.has_others = self.failed.len() < report.groups.len();
        if self.names_all && !self.json {
            self.cx.output.note(paint(
                DIM,
                format!(
                    "{} of {} due, {} changed, {} failed",
                    plural(report.groups.len(), "group"),
                    report.applied,
                    self.changes,
                    self.failed.len()
                ),
            ));
        }
    }

    fn trouble(&mut self, what: &str) {
        self.cx.output.warn(what);
    }

    fn wants_to_apply(&mut self) -> bool {
        self.follower.as_mut().is_some_and(Follower::has_changed)
    }

    async fn apply(&mut self, state: &mut State) -> Result<(), BoxError> {
        match &mut self.follower {
            Some(follower) => follower.apply(state).await,
            None => Ok(()),
        }
    }
}

fn is_news(result: &VisitResult) -> bool {
    match result {
        VisitResult::Held | VisitResult::Native | VisitResult::Deferred(_) => false,
        VisitResult::Moved(_)
        | VisitResult::Changed(_)
        | VisitResult::Would(_)
        | VisitResult::NotDone(_)
        | VisitResult::Unknown(_)
        | VisitResult::Condition(_)
        | VisitResult::Stopped => true,
    }
}

/// What went wrong, in words.
fn trouble(result: &VisitResult) -> Option<String> {
    match result {
        VisitResult::NotDone(why) => Some(format!("not done: {why}")),
        VisitResult::Unknown(why) => Some(format!("outcome unknown: {why}")),
        VisitResult::Condition(condition) => Some(condition.summary()),
        VisitResult::Held
        | VisitResult::Moved(_)
        | VisitResult::Changed(_)
        | VisitResult::Would(_)
        | VisitResult::Deferred(_)
        | VisitResult::Native
        | VisitResult::Stopped => None,
    }
}

/// `2026-11-27 08:00:00Z  group.web   6 -> 9   scale out by 3   cpu: 90 % against a target of 60 % wants 9`.
fn line(report: &TickReport, group: &GroupReport, policy: Option<&Group>) -> String {
    let mut text = format!("{}  {}", view::time(report.at), paint(BOLD, &group.group));
    let what = match &group.result {
        VisitResult::Moved(change) => Some((change.before, change.after, CYAN)),
        VisitResult::Would(change) => Some((change.before, change.after, YELLOW)),
        _ => None,
    };
    match (what, &group.result) {
        (Some((before, after, style)), result) => {
            let movement = format!(
                "{}   {}",
                explain::arrow(before, after),
                explain::movement(before, after)
            );
            text.push_str(&format!("   {}", paint(style, movement)));
            let cause = policy
                .zip(group.decision.as_deref())
                .and_then(|(policy, decision)| view::cause(policy, &decision.reasons));
            if let Some(cause) = cause {
                text.push_str(&format!("   {}", paint(DIM, cause)));
            }
            if matches!(result, VisitResult::Would(_)) {
                text.push_str(" (dry run: nothing was changed)");
            }
        }
        (None, VisitResult::Native) => text.push_str(&format!(
            "   {}   scaled by the cloud's own policies",
            group.desired
        )),
        (None, VisitResult::Deferred(until)) => text.push_str(&format!(
            "   {}   waits until {} to see what became of an earlier call",
            group.desired,
            view::time(*until)
        )),
        (None, VisitResult::Changed(_)) => text.push_str(&format!("   {}", group.desired)),
        (None, VisitResult::Stopped) => text.push_str("   stopped before the change was made"),
        (None, result) => match trouble(result) {
            Some(why) => text.push_str(&format!("   {}", paint(RED, why))),
            None => {
                text.push_str(&format!("   {}   hold", group.desired));
                let asked = group
                    .decision
                    .as_deref()
                    .and_then(|decision| view::override_words(&decision.reasons));
                if let Some(asked) = asked {
                    text.push_str(&format!("   {}", paint(YELLOW, asked)));
                }
            }
        },
    }
    if !group.changed.is_empty() {
        text.push_str(&format!("   {}", paint(CYAN, group.changed.join(", "))));
    }
    text
}

fn as_json(report: &TickReport, group: &GroupReport) -> serde_json::Value {
    let (result, detail) = match &group.result {
        VisitResult::Held => ("held", None),
        VisitResult::Moved(_) => ("moved", None),
        VisitResult::Changed(_) => ("changed", Some(group.changed.join(", "))),
        VisitResult::Would(_) => ("would_move", None),
        VisitResult::NotDone(why) => ("not_done", Some(why.clone())),
        VisitResult::Unknown(why) => ("unknown", Some(why.clone())),
        VisitResult::Condition(condition) => ("condition", Some(condition.summary())),
        VisitResult::Deferred(until) => ("deferred", Some(until.to_string())),
        VisitResult::Native => ("native", None),
        VisitResult::Stopped => ("stopped", None),
    };
    let decision = group.decision.as_deref();
    json!({
        "format_version": 1,
        "run": report.number,
        "at": report.at,
        "group": group.group,
        "load": group.load,
        "ready": group.ready,
        "warming": group.warming,
        "current": decision.map(|decision| decision.current),
        "desired": decision.map_or(group.desired, |decision| decision.desired.get()),
        "direction": decision.map(|decision| decision.direction),
        "reasons": decision.map(|decision| &decision.reasons),
        "dry_run": report.is_shadow,
        "changed": group.changed,
        "result": result,
        "detail": detail,
    })
}
