//! `tideform schema`.

use clap::{Args, ValueEnum};

use super::CliResult;
use super::context::Context;

/// Prints the reference of the language, or the JSON schema of something that tideform prints or reads.
#[derive(Args, Debug)]
pub(super) struct SchemaArgs {
    /// Of what
    #[arg(value_enum, default_value = "language")]
    what: What,

    /// Print the language's reference as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// The blocks and attributes of the files
    Language,
    /// The codes of the diagnostics
    Codes,
    /// What `plan --json` prints
    Plan,
    /// What `decide --json` prints
    Decision,
    /// What `decide --observe` reads
    Observation,
    /// A line of `events --json`
    Event,
}

impl SchemaArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        let _ = self.what;
        cx.not_supported_yet("schema")
    }
}
