//! `tideform apply`, and the carrying out that `destroy` shares.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use tideform_policies::model::Settings;
use tideform_state::{OpenMode, Outcome, State, StateError};

use super::args::VariableArgs;
use super::ask::approve;
use super::backtests::BacktestArgs;
use super::context::{Context, actor};
use super::error::{CliError, plural};
use super::opened::lease_holder;
use super::output::{BOLD, GREEN, RED, paint};
use super::place::Place;
use super::plan::{PlanningArgs, check_diagnostics, check_failures, check_owners, mode};
use super::show::read_plan;
use super::{CliResult, exit};
use crate::apply::{ApplyError, ApplyOptions, ApplyReport, HeldLease, Progress, carry_out};
use crate::plan::{Action, Mode, Plan, views};
use crate::registry::Providers;

/// Above so many groups they are not named one by one where nobody watches a terminal.
const NAMED: usize = 100;
/// How often a waiting apply asks for the lease again.
const ASK_EVERY: Duration = Duration::from_millis(200);

/// Carry out a plan.
///
/// Plans, with a backtest as `plan` has it, asks, and carries the plan out. With a plan file it carries out exactly that plan and asks nothing; it refuses
/// if the state or the cloud has moved since the plan was saved.
#[derive(Args, Debug)]
pub(super) struct ApplyArgs {
    /// A plan saved by `tideform plan --out`
    #[arg(value_name = "PLANFILE", conflicts_with_all = ["group", "var", "var_file", "refresh_only", "destroy", "take_over", "trace", "history", "fail_if"])]
    plan_file: Option<PathBuf>,

    #[command(flatten)]
    planning: PlanningArgs,

    /// Only show what was changed outside tideform; changes nothing
    #[arg(long, conflicts_with = "destroy")]
    refresh_only: bool,

    /// Take away all that tideform made
    #[arg(long)]
    destroy: bool,

    #[command(flatten)]
    backtests: BacktestArgs,

    /// Do not ask; without `--trace`, `--history` and `--fail-if` there is no backtest then
    #[arg(long)]
    auto_approve: bool,

    /// Print the result as one JSON document
    #[arg(long)]
    json: bool,
}

impl ApplyArgs {
    pub(super) fn run(self, cx: &Context, matches: Option<&clap::ArgMatches>) -> CliResult {
        match &self.plan_file {
            Some(path) => apply_file(cx, path, &self.planning, self.json),
            None => plan_and_apply(
                cx,
                matches,
                &self.planning,
                mode(self.refresh_only, self.destroy),
                Some(&self.backtests),
                self.auto_approve,
                self.json,
            ),
        }
    }
}

/// Plans, shows the plan, asks, and carries it out.
pub(super) fn plan_and_apply(
    cx: &Context,
    matches: Option<&clap::ArgMatches>,
    planning: &PlanningArgs,
    mode: Mode,
    backtests: Option<&BacktestArgs>,
    auto_approve: bool,
    as_json: bool,
) -> CliResult {
    let mut planned = planning.make(cx, matches, mode, OpenMode::ReadWrite)?;
    check_diagnostics(cx, &planned.plan)?;
    // Where nobody reads the plan before it is carried out, nobody waits for its backtest.
    if let Some(backtests) = backtests.filter(|of| !auto_approve || of.are_asked_for())
        && mode == Mode::Apply
    {
        backtests.add(cx, &mut planned)?;
    }
    let plan = &planned.plan;
    if !as_json {
        cx.output.print(&views::text(plan, cx.output.wrap_width()));
    }
    check_owners(plan)?;
    if let n @ 1.. = plan.stopping().count() {
        if as_json {
            cx.output.json(&json!({
                "format_version": 1,
                "plan": views::json(plan),
                "report": ApplyReport::default(),
                "complete": false,
            }));
        }
        cx.output.note(format!(
            "\nThe plan is stopped by {} of --fail-if. Nothing was changed.",
            plural(n, "gate")
        ));
        check_failures(plan, false)?;
        return Ok(exit::FOUND);
    }
    if plan.has_work() && !auto_approve {
        let (question, consequence) = match mode {
            Mode::Apply | Mode::RefreshOnly => (
                "Do you want to apply this plan?",
                "The changes above are made, and nothing else.",
            ),
            Mode::Destroy => (
                "Do you really want to take all of this away?",
                "Groups that tideform created end with their instances. There is no undo.",
            ),
        };
        approve(cx, question, consequence)?;
    }
    drop(planned.state);
    finish(
        cx,
        plan,
        &planned.place,
        &planned.configuration.settings,
        &planned.providers,
        planning.lock_timeout,
        as_json,
    )
}

fn apply_file(cx: &Context, path: &Path, planning: &PlanningArgs, as_json: bool) -> CliResult {
    cx.need_directory()?;
    let plan = read_plan(path)?;
    // The files only say where the state is; what is done is in the plan.
    let (configuration, _) = cx.read(&VariableArgs::default(), None)?;
    let settings = Settings {
        workspace: Some(plan.workspace.clone()),
        ..configuration.settings
    };
    let place = cx.place_of(&settings, planning.state.as_deref())?;
    if place.workspace != plan.workspace {
        return Err(CliError::Nothing {
            summary: "Plan of another workspace",
            why: format!(
                "The plan was made for workspace {}, not for {}. Nothing was changed.",
                plan.workspace, place.workspace
            ),
            hint: "plan again with the same `--workspace`.".to_owned(),
        });
    }
    let providers = cx
        .block_on(Providers::open(&plan.providers, cx.directory()))?
        .map_err(CliError::Registry)?;
    finish(
        cx,
        &plan,
        &place,
        &settings,
        &providers,
        planning.lock_timeout,
        as_json,
    )
}

/// Takes the lease, carries the plan out, and says what became of it.
fn finish(
    cx: &Context,
    plan: &Plan,
    place: &Place,
    settings: &Settings,
    providers: &Providers,
    lock_timeout: Duration,
    as_json: bool,
) -> CliResult {
    let now = cx.clock_of(providers).now();
    let report = if plan.has_work()
        || place.may_exist()
        || !plan.lost.is_empty()
        || plan.failures().next().is_some()
    {
        let mut state = cx.open_or_create_state(place, now)?;
        cx.remember_place(place, settings)?;
        if has_nothing_to_do(plan, &state)? {
            // No lease: a daemon beside it does not make an apply of nothing fail.
            ApplyReport::default()
        } else {
            let mut lease = take_lease(cx, &mut state, lock_timeout)?;
            let done = carry(cx, plan, &mut state, providers, &mut lease, as_json);
            let released = lease.release(&mut state);
            let left = cx.block_on(state.leave())?;
            let report = done?;
            if let Err(error) = left {
                print_report(cx, plan, &report);
                return Err(error.into());
            }
            released?;
            report
        }
    } else {
        ApplyReport::default()
    };
    if as_json {
        cx.output.json(&json!({
            "format_version": 1,
            "plan": views::json(plan),
            "report": report,
            "complete": report.is_complete(),
        }));
    } else {
        print_report(cx, plan, &report);
    }
    if report.is_complete() {
        return Ok(exit::WELL);
    }
    if report.failed.is_empty() {
        return Err(CliError::Interrupted {
            left: report.left.len(),
        });
    }
    Err(CliError::GroupsFailed {
        what: "changed",
        others: !report.done.is_empty(),
        failed: report
            .failed
            .iter()
            .map(|failed| (failed.address.to_string(), failed.message.clone()))
            .collect(),
    })
}

/// Whether nothing would be changed, and no earlier apply left anything open.
fn has_nothing_to_do(plan: &Plan, state: &State) -> Result<bool, CliError> {
    Ok(!plan.has_work()
        && plan.lost.is_empty()
        && plan.failures().next().is_none()
        && state
            .open_intents()?
            .iter()
            .all(|intent| intent.apply.is_none()))
}

fn print_report(cx: &Context, plan: &Plan, report: &ApplyReport) {
    for leftover in &report.settled {
        cx.output.note(format!(
            "{}: settled what an earlier apply left open: {} ({})",
            leftover.address,
            leftover.text,
            leftover.outcome.word()
        ));
        // All done or none: the line above says it.
        if matches!(leftover.outcome, Outcome::Failed { .. }) {
            for part in &leftover.parts {
                let what = if part.is_done { "done" } else { "not done" };
                cx.output.note(format!("    {what:<8}   {}", part.text));
            }
        }
    }
    if plan.has_work() {
        let style = if report.is_complete() { GREEN } else { RED };
        cx.output.line(paint(style.bold(), report.summary_line()));
    }
}

/// Takes the lease, waiting for it where another process has it: a daemon gives it back between its ticks. Of a shared
/// state its lock comes first.
///
/// # Errors
/// Another process has it, and goes on having it.
pub(super) fn take_lease(
    cx: &Context,
    state: &mut State,
    timeout: Duration,
) -> Result<HeldLease, CliError> {
    let holder = lease_holder();
    let began = Instant::now();
    cx.enter(state, &holder, timeout)?;
    let mut spinner = None;
    loop {
        match HeldLease::take(state, &holder) {
            Ok(lease) => return Ok(lease),
            Err(StateError::LeaseHeld { .. }) if began.elapsed() < timeout => {
                spinner.get_or_insert_with(|| cx.output.spinner("Waiting for the lease"));
                // Longer than a loop takes to look, so that our place in the queue is kept between two askings.
                state.request_lease(&holder, Timestamp::now(), ASK_EVERY * 10)?;
                std::thread::sleep(ASK_EVERY);
            }
            Err(error) => {
                if spinner.is_some() {
                    state.withdraw_lease_request(&holder)?;
                }
                cx.block_on(state.leave())??;
                return Err(error.into());
            }
        }
    }
}

/// Carries a plan out with the lease in hand, showing how it goes.
fn carry(
    cx: &Context,
    plan: &Plan,
    state: &mut State,
    providers: &Providers,
    lease: &mut HeldLease,
    quiet: bool,
) -> Result<ApplyReport, CliError> {
    let actor = actor();
    let stop = Arc::new(AtomicBool::new(false));
    let groups = plan.groups.iter().filter(|group| group.has_work()).count();
    let bar = cx.output.progress("Applying", groups as u64);
    let named = !quiet && groups <= NAMED;
    let mut show = |progress: Progress<'_>| {
        let line = match progress {
            Progress::Started { .. } | Progress::Begun { .. } => None,
            Progress::Done { address, action } => {
                bar.inc(1);
                Some(format!("{}: {}", paint(BOLD, address), done_word(action)))
            }
            Progress::Failed { address, message } => {
                bar.inc(1);
                Some(format!(
                    "{}: {} {message}",
                    paint(BOLD, address),
                    paint(RED, "failed:")
                ))
            }
        };
        if let (Some(line), true) = (line, named) {
            bar.suspend(|| cx.output.note(line));
        }
    };
    let told = Arc::clone(&stop);
    let result = cx.block_on(async {
        let signals = tokio::spawn(async move {
            // The first one lets calls that are under way come to their end; the second does not.
            if tokio::signal::ctrl_c().await.is_ok() {
                told.store(true, Ordering::SeqCst);
            }
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(i32::from(exit::FAILURE));
            }
        });
        let done = carry_out(
            plan,
            state,
            providers,
            lease,
            ApplyOptions {
                actor: &actor,
                stop: Some(&stop),
            },
            &mut show,
        )
        .await;
        signals.abort();
        done
    })?;
    bar.finish_and_clear();
    match result {
        Err(ApplyError::Stopped { report, source }) => {
            print_report(cx, plan, &report);
            Err(CliError::Apply(ApplyError::Stopped { report, source }))
        }
        other => Ok(other?),
    }
}

fn done_word(action: Action) -> String {
    match action {
        Action::NoOp => "nothing to do".to_owned(),
        Action::Create => paint(GREEN, "created"),
        Action::Adopt => paint(GREEN, "now managed"),
        Action::Record => paint(GREEN, "now managed as it is"),
        Action::Update => "changed".to_owned(),
        Action::Replace => "replaced".to_owned(),
        Action::Move => "moved".to_owned(),
        Action::Release => "released".to_owned(),
        Action::Forget => "forgotten".to_owned(),
        Action::Destroy => paint(RED, "destroyed"),
    }
}
