//! `tideform test`.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use tideform_policies::model::Test;

use super::args::{VariableArgs, nearest};
use super::context::Context;
use super::error::CliError;
use super::{CliResult, exit};
use crate::plan::{GroupPattern, check_patterns};
use crate::suite::{self, SuiteReport, render};

/// Run the `test` blocks.
///
/// Runs the `test` blocks of the directory: each feeds metrics to a group's policy, step by step, through the same
/// decision function as the loop, and checks what comes out.
#[derive(Args, Debug)]
pub(super) struct TestArgs {
    /// Only tests whose name contains one of these texts
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,

    /// Only tests of this group, as for `plan`; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,

    /// Print the names of the tests, and run none
    #[arg(long, conflicts_with = "junit")]
    list: bool,

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
        let groups: Vec<GroupPattern> = self
            .groups
            .iter()
            .map(|text| GroupPattern::new(text))
            .collect();
        check_patterns(&groups, &configuration.groups.keys().collect::<Vec<_>>())?;
        let wanted = |test: &Test| {
            let by_name =
                self.filters.is_empty() || self.filters.iter().any(|text| test.name.contains(text));
            let by_group =
                groups.is_empty() || groups.iter().any(|group| group.matches(&test.group));
            by_name && by_group
        };
        let (chosen, filtered_out) = suite::select(&configuration, &wanted);
        // A misspelt filter in CI would pass for ever.
        if chosen.is_empty() && filtered_out > 0 {
            let texts: Vec<&String> = self.filters.iter().chain(&self.groups).collect();
            let names = configuration.tests.iter().map(|test| test.name.clone());
            return Err(CliError::NoSuchTest {
                nearest: texts.first().and_then(|text| nearest(text, names)),
                filter: texts.into_iter().cloned().collect::<Vec<_>>().join("`, `"),
                tests: filtered_out,
            });
        }
        if self.list {
            if self.json {
                cx.output
                    .json(&render::list_json(&chosen, &configuration.sources));
            } else {
                cx.output.print(&render::list(&chosen));
            }
            return Ok(exit::WELL);
        }
        if !self.json {
            cx.output.print(&render::heading(chosen.len()));
        }
        let mut report = SuiteReport {
            tests: Vec::with_capacity(chosen.len()),
            filtered_out,
        };
        for test in chosen {
            let began = Instant::now();
            let mut tested = suite::run_test(&configuration, test);
            tested.took = Some(began.elapsed());
            if !self.json {
                cx.output.print(&render::verdict(&tested));
            }
            report.tests.push(tested);
        }
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
            cx.output.print(&render::summary(&report));
        }
        Ok(if report.is_success() {
            exit::WELL
        } else {
            exit::FAILURE
        })
    }
}
