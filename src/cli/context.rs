//! What every command needs to find its things: directory, workspace, variables, runtime.

use std::future::Future;
use std::path::Path;

use clap::ArgMatches;
use tideform_policies::load::LoadInput;
use tideform_policies::model::Configuration;
use tideform_policies::{decode, load, render};

use super::args::{GlobalArgs, VariableArgs};
use super::error::{CliError, Problems};
use super::output::Output;

/// The workspace where nothing names one.
pub(super) const DEFAULT_WORKSPACE: &str = "default";

/// The surroundings of a command.
pub(super) struct Context {
    /// The global flags.
    pub(super) global: GlobalArgs,
    /// Where to print.
    pub(super) output: Output,
}

impl Context {
    pub(super) fn new(global: GlobalArgs, output: Output) -> Context {
        Context { global, output }
    }

    /// The configuration's directory, as given.
    pub(super) fn directory(&self) -> &Path {
        &self.global.directory
    }

    /// # Errors
    /// The directory is not there.
    pub(super) fn need_directory(&self) -> Result<(), CliError> {
        if self.directory().is_dir() {
            return Ok(());
        }
        Err(CliError::NoDirectory(self.directory().to_owned()))
    }

    /// What the language reads: the directory, `TIDEFORM_VAR_x`, `--var` and `--var-file`.
    ///
    /// # Errors
    /// A `--var` without `=`.
    pub(super) fn load_input(
        &self,
        variables: &VariableArgs,
        matches: Option<&ArgMatches>,
    ) -> Result<LoadInput, CliError> {
        let mut environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| {
                let name = name.to_str()?.strip_prefix("TIDEFORM_VAR_")?.to_owned();
                Some((name, value.to_string_lossy().into_owned()))
            })
            .collect();
        environment.sort();
        Ok(LoadInput {
            directory: self.directory().to_owned(),
            environment,
            arguments: variables.ordered(matches)?,
        })
    }

    /// Reads the configuration; it may hold errors.
    ///
    /// # Errors
    /// No directory, or wrong `--var`.
    pub(super) fn read(
        &self,
        variables: &VariableArgs,
        matches: Option<&ArgMatches>,
    ) -> Result<(Configuration, tideform_policies::diagnostic::Diagnostics), CliError> {
        self.need_directory()?;
        let input = self.load_input(variables, matches)?;
        Ok(read_files(&input))
    }

    /// Reads the configuration for a command that needs it whole. Warnings go to standard error.
    ///
    /// # Errors
    /// As [`Context::read`], and errors in the files.
    pub(super) fn configuration(
        &self,
        variables: &VariableArgs,
        matches: Option<&ArgMatches>,
    ) -> Result<Configuration, CliError> {
        let (configuration, diagnostics) = self.read(variables, matches)?;
        if diagnostics.has_errors() {
            let sources = configuration.sources;
            return Err(CliError::Problems(Box::new(Problems {
                diagnostics,
                sources,
            })));
        }
        if !diagnostics.is_empty() {
            self.output.print_error(&render::terminal(
                &diagnostics,
                &configuration.sources,
                self.diagnostic_style(),
            ));
        }
        Ok(configuration)
    }

    /// How diagnostics look on standard error.
    pub(super) fn diagnostic_style(&self) -> render::Style {
        render::Style {
            color: self.output.has_error_color(),
            unicode: self.output.error_is_terminal(),
            width: self.output.width(),
        }
    }

    /// The workspace: `--workspace`, then `TIDEFORM_WORKSPACE`, then the files, then `default`.
    ///
    /// # Errors
    /// A name that cannot be part of a file name and of a tag.
    pub(super) fn workspace(&self, files: Option<&str>) -> Result<String, CliError> {
        let environment = std::env::var("TIDEFORM_WORKSPACE")
            .ok()
            .filter(|name| !name.is_empty());
        let name = self
            .global
            .workspace
            .clone()
            .or(environment)
            .or_else(|| files.map(str::to_owned))
            .unwrap_or_else(|| DEFAULT_WORKSPACE.to_owned());
        let is_legal = !name.is_empty()
            && name.len() <= 90
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
            && !name.starts_with('.');
        if is_legal {
            Ok(name)
        } else {
            Err(CliError::BadWorkspace(name))
        }
    }

    /// Runs a future to its end on a runtime of the command's own.
    ///
    /// # Errors
    /// The system gives no threads.
    pub(super) fn block_on<F: Future>(&self, future: F) -> Result<F::Output, CliError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(CliError::Runtime)?;
        let output = runtime.block_on(future);
        // Whatever still runs in the background is of no more use; do not wait for it.
        runtime.shutdown_background();
        Ok(output)
    }
}

/// Reads a directory; what is wrong with it is in the diagnostics.
pub(super) fn read_files(
    input: &LoadInput,
) -> (Configuration, tideform_policies::diagnostic::Diagnostics) {
    let loaded = load::load(input);
    decode::configuration(
        loaded.tree,
        loaded.sources,
        loaded.digest,
        loaded.diagnostics,
    )
}

/// Who does this: `TIDEFORM_ACTOR`, else user@host.
pub(super) fn actor() -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    if let Some(actor) = variable("TIDEFORM_ACTOR") {
        return actor;
    }
    let user = variable("USER")
        .or_else(|| variable("LOGNAME"))
        .or_else(account_name)
        .unwrap_or_else(|| "unknown".to_owned());
    format!("{user}@{}", host())
}

/// The name of the account that this process runs as; jobs and services often have no `USER`.
fn account_name() -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let id = std::fs::metadata("/proc/self").ok()?.uid().to_string();
        let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
        accounts.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)? == id).then(|| name.to_owned())
        })
    }
    #[cfg(not(unix))]
    {
        std::env::var("USERNAME").ok()
    }
}

/// This machine's name.
pub(super) fn host() -> String {
    std::env::var("HOSTNAME")
        .ok()
        .or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok())
        .map(|host| host.trim().to_owned())
        .filter(|host| !host.is_empty())
        .unwrap_or_else(|| "localhost".to_owned())
}
