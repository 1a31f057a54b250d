//! `reconcile --follow DIR`: plan and apply a directory when it changes, between two runs of the loop.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use clap::ArgMatches;
use tideform_policies::load::LoadInput;
use tideform_policies::model::Configuration;
use tideform_provider::BoxError;
use tideform_state::{OpenMode, State, StateError};

use super::args::VariableArgs;
use super::context::{Context, actor};
use super::error::{self, CliError, Problems};
use super::opened::lease_holder;
use super::place::Place;
use crate::apply::{ApplyOptions, HeldLease, carry_out};
use crate::plan::{Known, PlanOptions};
use crate::registry::Providers;

/// What a file looks like from outside: its time and its length.
type Look = BTreeMap<String, (Option<SystemTime>, u64)>;

/// How long a change waits that found the lease taken: planning reads the cloud.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Followed {
    /// It was applied, or refused and reported.
    Now,
    /// Another process has the lease: try again.
    Later,
}

/// Watches a directory.
pub(super) struct Follower<'a> {
    cx: &'a Context,
    input: LoadInput,
    /// As it was when it was last read.
    seen: Option<Look>,
    /// The digest that was last applied or refused.
    digest: Option<String>,
    /// What is to be applied.
    next: Option<Configuration>,
    /// A change that found the lease taken is not planned again before this.
    not_before: Option<Instant>,
}

impl<'a> Follower<'a> {
    /// # Errors
    /// The directory is not there.
    pub(super) fn new(
        cx: &'a Context,
        directory: &Path,
        variables: &VariableArgs,
        matches: Option<&ArgMatches>,
    ) -> Result<Follower<'a>, CliError> {
        if !directory.is_dir() {
            return Err(CliError::NoDirectory(directory.to_owned()));
        }
        let input = LoadInput {
            directory: directory.to_owned(),
            ..cx.load_input(variables, matches)?
        };
        Ok(Follower {
            cx,
            input,
            seen: None,
            digest: None,
            next: None,
            not_before: None,
        })
    }

    /// The state that the directory names, made where it is missing: following may begin before the first apply.
    ///
    /// # Errors
    /// As [`Context::open_state`], and errors in the files where there is no state yet.
    pub(super) fn first_state(&mut self, cx: &Context) -> Result<(Place, State), CliError> {
        if let Ok(place) = cx.last_place(None)
            && let Some(state) = cx.open_state_if_any(&place, OpenMode::ReadWrite)?
        {
            return Ok((place, state));
        }
        let (configuration, diagnostics) = super::context::read_files(&self.input);
        if diagnostics.has_errors() {
            return Err(CliError::Problems(Box::new(Problems {
                diagnostics,
                sources: configuration.sources,
            })));
        }
        let place = cx.place_of(&configuration.settings, None)?;
        let providers = super::plan::open_providers(cx, &configuration)?;
        let mut state = cx.open_or_create_state(&place, cx.clock_of(&providers).now())?;
        cx.remember_place(&place, &configuration.settings)?;
        cx.block_on(async {
            self.apply_configuration(&mut state, &configuration)
                .await
                .map_err(CliError::Follow)
        })??;
        self.seen = Some(look(&self.input.directory));
        self.digest = Some(configuration.digest);
        Ok((place, state))
    }

    /// Whether there is something new to apply. Files with errors are reported once, and what was applied goes on.
    pub(super) fn has_changed(&mut self) -> bool {
        if self.not_before.is_some_and(|at| Instant::now() < at) {
            return false;
        }
        self.not_before = None;
        let look = look(&self.input.directory);
        if self.seen.as_ref() == Some(&look) {
            return false;
        }
        self.seen = Some(look);
        let (configuration, diagnostics) = super::context::read_files(&self.input);
        if self.digest.as_ref() == Some(&configuration.digest) {
            return false;
        }
        self.digest = Some(configuration.digest.clone());
        if diagnostics.has_errors() {
            let problems = CliError::Problems(Box::new(Problems {
                diagnostics,
                sources: configuration.sources,
            }));
            error::report(&problems, &self.cx.output, false);
            self.cx
                .output
                .note("The loop goes on with what was applied before.");
            return false;
        }
        self.next = Some(configuration);
        true
    }

    /// Applies what is new. What cannot be applied is reported, and the loop goes on with what was applied before.
    ///
    /// # Errors
    /// The lease or the state was lost.
    pub(super) async fn apply(&mut self, state: &mut State) -> Result<(), BoxError> {
        let Some(configuration) = self.next.take() else {
            return Ok(());
        };
        if self.apply_configuration(state, &configuration).await? == Followed::Later {
            // Looked at again as if it were new.
            self.seen = None;
            self.digest = None;
            self.not_before = Some(Instant::now() + RETRY_AFTER);
        }
        Ok(())
    }

    async fn apply_configuration(
        &self,
        state: &mut State,
        configuration: &Configuration,
    ) -> Result<Followed, BoxError> {
        let output = &self.cx.output;
        let workspace = state.meta()?.workspace;
        if let Some(other) = configuration.settings.workspace.as_ref()
            && *other != workspace
            && self.cx.global.workspace.is_none()
        {
            output.warn(format!(
                "the followed directory is now of workspace {other}, and this loop runs {workspace}: not applied"
            ));
            return Ok(Followed::Now);
        }
        let providers = match Providers::open(&configuration.providers, &self.input.directory).await
        {
            Ok(providers) => providers,
            Err(failed) => {
                error::report(&CliError::Registry(failed), output, false);
                return Ok(Followed::Now);
            }
        };
        let now = providers.clock().now();
        let known = Known::read(state, now)?;
        let options = PlanOptions {
            decisions: 0,
            ..PlanOptions::new(&workspace)
        };
        let plan = match crate::plan::make(configuration, Some(&known), &providers, &options).await
        {
            Ok(plan) => plan,
            Err(failed) => {
                error::report(&CliError::Plan(failed), output, false);
                return Ok(Followed::Now);
            }
        };
        if !plan.has_work() {
            for (group, why) in plan.failures() {
                output.warn(format!("{group} is left out of the apply: {why}"));
            }
            return Ok(Followed::Now);
        }
        output.note(
            plan.records_line()
                .filter(|_| !plan.has_changes())
                .unwrap_or_else(|| plan.summary_line()),
        );
        let holder = lease_holder();
        let taken = match state.enter(&holder).await {
            Ok(()) => HeldLease::take(state, &holder),
            Err(error) => Err(error),
        };
        if taken.is_err() {
            // Nothing was written: this only gives back the lock of a shared state.
            let _ = state.leave().await;
        }
        let mut lease = match taken {
            Ok(lease) => lease,
            Err(StateError::LeaseHeld { .. } | StateError::Busy) => {
                output.warn(
                    "another process works with the state: the change is applied a little later",
                );
                return Ok(Followed::Later);
            }
            Err(failed) => return Err(failed.into()),
        };
        let actor = format!("{} (follow)", actor());
        let done = carry_out(
            &plan,
            state,
            &providers,
            &mut lease,
            ApplyOptions {
                actor: &actor,
                stop: None,
            },
            &mut |_| {},
        )
        .await;
        // One that cannot be given back runs out by itself.
        if let Err(failed) = lease.release(state) {
            error::report(&CliError::from(failed), output, false);
        }
        if let Err(failed) = state.leave().await {
            error::report(&CliError::from(failed), output, false);
        }
        match done {
            Ok(report) => {
                output.note(report.summary_line());
                for failed in &report.failed {
                    output.warn(format!("{}: {}", failed.address, failed.message));
                }
            }
            Err(failed) => {
                error::report(&CliError::Apply(failed), output, false);
            }
        }
        Ok(Followed::Now)
    }
}

fn look(directory: &Path) -> Look {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return Look::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.ends_with(".hcl") || name.starts_with('.') {
                return None;
            }
            let data = std::fs::metadata(entry.path()).ok()?;
            Some((name, (data.modified().ok(), data.len())))
        })
        .collect()
}
