//! `tideform fmt`.

use std::path::PathBuf;

use clap::Args;

use super::CliResult;
use super::context::Context;

/// Rewrites files in the canonical format. Comments stay; a file that cannot be parsed is left alone and reported.
/// The names of changed files are printed.
#[derive(Args, Debug)]
pub(super) struct FmtArgs {
    /// Files or directories, or `-` for standard input to standard output; default: the directory
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Change nothing; exit with 3 if a file is not in the canonical format
    #[arg(long)]
    check: bool,

    /// Print what changes
    #[arg(long)]
    diff: bool,
}

impl FmtArgs {
    pub(super) fn run(self, cx: &Context) -> CliResult {
        cx.not_supported_yet("fmt")
    }
}
