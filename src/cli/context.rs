//! What every command needs to find its things: directory, workspace, state, clock.

use std::path::PathBuf;

use super::CliResult;
use super::args::GlobalArgs;
use super::error::CliError;
use super::output::Output;

/// The surroundings of a command.
pub(super) struct Context {
    /// The global flags.
    pub(super) global: GlobalArgs,
    /// Where to print.
    pub(super) output: Output,
    /// The configuration's directory, as given.
    pub(super) directory: PathBuf,
}

impl Context {
    /// # Errors
    /// The directory is not there.
    pub(super) fn new(global: GlobalArgs, output: Output) -> Result<Context, CliError> {
        let directory = global.directory.clone();
        if !directory.is_dir() {
            return Err(CliError::NoDirectory(directory));
        }
        Ok(Context {
            global,
            output,
            directory,
        })
    }

    pub(super) fn not_supported_yet(&self, what: &'static str) -> CliResult {
        let _ = &self.directory;
        Err(CliError::NotSupportedYet(what))
    }
}
