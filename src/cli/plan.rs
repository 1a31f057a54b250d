//! `tideform plan`, and the planning that `apply` and `destroy` begin with.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use tideform_policies::codes;
use tideform_policies::model::Configuration;
use tideform_policies::render;
use tideform_state::{OpenMode, State};

use super::args::{GroupArgs, VariableArgs, parse_duration};
use super::backtests::BacktestArgs;
use super::context::Context;
use super::error::{CliError, Problems, plural};
use super::place::Place;
use super::{CliResult, exit};
use crate::plan::{GroupPlan, Known, Mode, Plan, PlanOptions, saved, views};
use crate::registry::Providers;

/// What plan, apply and destroy have in common.
#[derive(Args, Clone, Debug)]
pub(super) struct PlanningArgs {
    #[command(flatten)]
    pub(super) groups: GroupArgs,

    #[command(flatten)]
    pub(super) variables: VariableArgs,

    /// How long to wait for another process that holds the state's lease
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_duration)]
    pub(super) lock_timeout: Duration,

    /// Use this state file instead of the backend's
    #[arg(long, value_name = "FILE")]
    pub(super) state: Option<PathBuf>,

    /// Take over groups that another state owns
    #[arg(long)]
    pub(super) take_over: bool,
}

/// A plan and all that it was made from.
pub(super) struct Planned {
    pub(super) configuration: Configuration,
    pub(super) providers: Providers,
    pub(super) place: Place,
    /// `None`: there is none yet.
    pub(super) state: Option<State>,
    pub(super) plan: Plan,
}

impl PlanningArgs {
    /// Reads the files, the state and what is live, and plans.
    ///
    /// # Errors
    /// Anything that stands in the way of a plan; problems that only the cloud shows are in the plan.
    pub(super) fn make(
        &self,
        cx: &Context,
        matches: Option<&clap::ArgMatches>,
        mode: Mode,
        open: OpenMode,
    ) -> Result<Planned, CliError> {
        let configuration = cx.configuration(&self.variables, matches)?;
        let place = cx.place_of(&configuration.settings, self.state.as_deref())?;
        if let (Some(path), false) = (&self.state, place.may_exist()) {
            return Err(CliError::State(tideform_state::StateError::NotFound {
                path: path.clone(),
            }));
        }
        let state = cx.open_state_if_any(&place, open)?;
        let providers = open_providers(cx, &configuration)?;
        let plan = self.replan(cx, &configuration, state.as_ref(), &providers, &place, mode)?;
        Ok(Planned {
            configuration,
            providers,
            place,
            state,
            plan,
        })
    }

    /// Plans again from what was read before: for `apply`, once it has the lease.
    ///
    /// # Errors
    /// As [`PlanningArgs::make`].
    pub(super) fn replan(
        &self,
        cx: &Context,
        configuration: &Configuration,
        state: Option<&State>,
        providers: &Providers,
        place: &Place,
        mode: Mode,
    ) -> Result<Plan, CliError> {
        let now = cx.clock_of(providers).now();
        let known = state.map(|state| Known::read(state, now)).transpose()?;
        let options = PlanOptions {
            mode,
            only: self.groups.patterns(),
            take_over: self.take_over,
            ..PlanOptions::new(&place.workspace)
        };
        let spinner = cx.output.spinner(&format!(
            "Reading {}",
            super::error::plural(configuration.groups.len(), "group")
        ));
        let plan = cx.block_on(crate::plan::make(
            configuration,
            known.as_ref(),
            providers,
            &options,
        ))?;
        spinner.finish_and_clear();
        Ok(plan?)
    }
}

/// Opens what the files name.
///
/// # Errors
/// A provider cannot be opened.
pub(super) fn open_providers(
    cx: &Context,
    configuration: &Configuration,
) -> Result<Providers, CliError> {
    cx.block_on(Providers::open(&configuration.providers, cx.directory()))?
        .map_err(CliError::Registry)
}

/// Prints what the cloud showed to be wrong with the files.
///
/// # Errors
/// There are errors: nothing may be changed.
pub(super) fn check_diagnostics(cx: &Context, plan: &Plan) -> Result<(), CliError> {
    if plan.diagnostics.has_errors() {
        return Err(CliError::Problems(Box::new(Problems {
            diagnostics: plan.all_diagnostics(),
            sources: plan.sources.clone(),
        })));
    }
    let all = plan.all_diagnostics();
    if !all.is_empty() {
        cx.output.print_error(&render::terminal(
            &all,
            &plan.sources,
            cx.diagnostic_style(),
        ));
    }
    Ok(())
}

/// Whether another state has every group of the plan.
///
/// # Errors
/// It has: the files are fine, and it is the state that is not the one which made these groups.
pub(super) fn check_owners(plan: &Plan) -> Result<(), CliError> {
    let is_elsewhere =
        |group: &GroupPlan| group.failure_code.as_deref() == Some(codes::OWNED_ELSEWHERE.0);
    if !plan.groups.is_empty() && plan.groups.iter().all(is_elsewhere) {
        return Err(CliError::OwnedElsewhere {
            groups: plan.groups.len(),
        });
    }
    Ok(())
}

/// The groups that are left out, as the error that ends the command.
///
/// - `is_said`: whoever reads the error has the reasons before his eyes.
///
/// # Errors
/// There are such groups.
pub(super) fn check_failures(plan: &Plan, is_said: bool) -> Result<(), CliError> {
    let failed: Vec<(String, String)> = plan
        .failures()
        .map(|(group, why)| {
            let why = if is_said {
                "the plan above says why"
            } else {
                why
            };
            (group.to_string(), why.to_owned())
        })
        .collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(CliError::GroupsFailed {
            what: match plan.summary().with_errors {
                0 => "read",
                _ => "planned",
            },
            others: failed.len() < plan.groups.len(),
            failed,
        })
    }
}

/// Show what would change, and what the next decisions would be.
///
/// Compares the files with what was last applied and with what is live, and shows what `apply` would change, what was
/// changed outside tideform, and for each group that changes the next decision with its reasons, the coming schedules,
/// and the change in monthly cost. Changes nothing.
#[derive(Args, Debug)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    planning: PlanningArgs,

    /// Only show what was changed outside tideform
    #[arg(long, conflicts_with = "destroy")]
    refresh_only: bool,

    /// Plan to take away all that tideform made
    #[arg(long)]
    destroy: bool,

    /// Save the plan, for `tideform apply FILE`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Exit with 2 if there are changes, with 0 if there are none
    #[arg(long)]
    detailed_exitcode: bool,

    #[command(flatten)]
    backtests: BacktestArgs,

    /// Print the plan as one JSON document
    #[arg(long, conflicts_with = "markdown")]
    json: bool,

    /// Print the plan as Markdown, for a pull request
    #[arg(long)]
    markdown: bool,
}

/// The mode that two flags ask for.
pub(super) fn mode(refresh_only: bool, destroy: bool) -> Mode {
    match (refresh_only, destroy) {
        (true, _) => Mode::RefreshOnly,
        (false, true) => Mode::Destroy,
        (false, false) => Mode::Apply,
    }
}

impl PlanArgs {
    pub(super) fn run(self, cx: &Context, matches: Option<&clap::ArgMatches>) -> CliResult {
        let mode = mode(self.refresh_only, self.destroy);
        let mut planned = self.planning.make(cx, matches, mode, OpenMode::ReadOnly)?;
        self.backtests.add(cx, &mut planned)?;
        let plan = &planned.plan;
        if self.json {
            cx.output.json(&views::json(plan));
            if plan.diagnostics.has_errors() {
                return Ok(exit::FAILURE);
            }
        } else {
            check_diagnostics(cx, plan)?;
            if self.markdown {
                cx.output.print(&views::markdown(plan));
            } else {
                cx.output.print(&views::text(plan, cx.output.wrap_width()));
            }
        }
        check_owners(plan)?;
        let is_said = !self.json && !self.markdown && cx.output.is_one_screen();
        if let n @ 1.. = plan.stopping().count() {
            let saved = match &self.out {
                Some(path) => format!(" {} was not written.", path.display()),
                None => String::new(),
            };
            cx.output.note(format!(
                "\nThe plan is stopped by {} of --fail-if.{saved}",
                plural(n, "gate")
            ));
            check_failures(plan, is_said)?;
            return Ok(exit::FOUND);
        }
        if let Some(path) = &self.out {
            write_new(path, &saved::save(plan)?)?;
            let others = match plan.failures().next() {
                Some(_) => " of the other groups",
                None => "",
            };
            cx.output.note(format!(
                "\nSaved the plan{others}. To carry out exactly it: tideform apply {}",
                path.display()
            ));
        }
        check_failures(plan, is_said)?;
        let changes = match mode {
            Mode::RefreshOnly => plan.has_drift(),
            Mode::Apply | Mode::Destroy => plan.has_changes(),
        };
        if self.detailed_exitcode && changes {
            return Ok(exit::CHANGES);
        }
        Ok(exit::WELL)
    }
}

/// Writes a file that only its owner can read: plans name what is in production.
fn write_new(path: &Path, text: &str) -> Result<(), CliError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| CliError::File {
            verb: "written",
            path: path.to_owned(),
            source,
        })
}
