//! `tideform validate`.

use clap::Args;

use super::CliResult;
use super::args::VariableArgs;
use super::context::Context;

/// Reads all files of the directory and reports every problem in them: errors and warnings, each with its place, why,
/// and how to mend it. Reads nothing but the files.
#[derive(Args, Debug)]
pub(super) struct ValidateArgs {
    /// Print the groups with all their layers merged, and where each value comes from
    #[arg(long, num_args = 0..=1, value_name = "GROUP", default_missing_value = "*")]
    resolved: Option<String>,

    /// With --resolved: also the values that nobody set
    #[arg(long, requires = "resolved")]
    show_defaults: bool,

    #[command(flatten)]
    variables: VariableArgs,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl ValidateArgs {
    pub(super) fn run(self, cx: &Context, matches: Option<&clap::ArgMatches>) -> CliResult {
        let _ = matches;
        cx.not_supported_yet("validate")
    }
}
