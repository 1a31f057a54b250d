//! `tideform test`.

use std::path::PathBuf;

use clap::Args;

use super::args::VariableArgs;
use super::context::Context;
use super::error::CliError;
use super::{CliResult, exit};
use crate::suite::{self, render};

/// Run the `test` blocks.
///
/// Runs the `test` blocks of the directory: each feeds metrics to a group's policy, step by step, through the same
/// decision function as the loop, and checks what comes out.
#[derive(Args, Debug)]
pub(super) struct TestArgs {
    /// Only tests whose name contains this text
    #[arg(value_name = "FILTER")]
    filter: Option<String>,

    #[command(flatten)]
    variables: VariableArgs,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,

    /// Also write a JUnit report to this file
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

impl TestArgs {
    pub(super) fn run(self, cx: &Context, matches: Option<&clap::ArgMatches>) -> CliResult {
        let configuration = cx.configuration(&self.variables, matches)?;
        let report = suite::run(&configuration, self.filter.as_deref());
        if let Some(path) = &self.junit {
            std::fs::write(path, render::junit(&report)).map_err(|source| CliError::File {
                verb: "written",
                path: path.clone(),
                source,
            })?;
        }
        if self.json {
            cx.output.json(&render::json(&report));
        } else {
            cx.output.print(&render::text(&report));
        }
        Ok(if report.is_success() {
            exit::WELL
        } else {
            exit::FAILURE
        })
    }
}
