//! `tideform decide`.

use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use tideform_policies::model::GroupAddress;

use super::args::{VariableArgs, nearest, parse_group};
use super::context::Context;
use super::error::CliError;
use super::view;
use super::{CliResult, exit};
use crate::engine::{self, Rules, observe_json};

/// Largest observation that is read, in bytes: far above any group's.
const LARGEST: u64 = 64 * 1024 * 1024;

/// Make one decision from an observation in JSON.
///
/// Makes one decision for a group of the files from an observation in JSON, and prints it with its reasons. Touches
/// neither cloud nor state: plumbing for scripts, tests and other tools. `tideform schema observation` describes the input.
#[derive(Args, Debug)]
pub(super) struct DecideArgs {
    /// The group
    #[arg(value_name = "GROUP", value_parser = parse_group)]
    group: GroupAddress,

    /// The observation: a file, or `-` for standard input
    #[arg(long, value_name = "FILE")]
    observe: String,

    #[command(flatten)]
    variables: VariableArgs,

    /// Print the decision as JSON
    #[arg(long)]
    json: bool,
}

impl DecideArgs {
    pub(super) fn run(self, cx: &Context, matches: Option<&clap::ArgMatches>) -> CliResult {
        let configuration = cx.configuration(&self.variables, matches)?;
        let group = configuration.groups.get(&self.group).ok_or_else(|| {
            let known = configuration.groups.keys().map(GroupAddress::short);
            CliError::NoSuchGroup {
                text: self.group.short(),
                nearest: nearest(&self.group.short(), known),
            }
        })?;
        let text = self.read_observation()?;
        let question = observe_json::read(&text, group).map_err(CliError::Observation)?;
        let rules = Rules::new(group);
        let (seen, memory, now) = (&question.seen, &question.memory, question.now);
        let mut decision = engine::decide(&rules, seen, memory, now);
        let nearest = engine::nearest(&rules, seen, memory, now, &decision);
        decision.nearest = Some(Box::new(nearest));
        if self.json {
            cx.output.json(&observe_json::render(group, &decision));
        } else {
            let width = cx.output.wrap_width();
            cx.output
                .print(&view::decision(group, &decision, now, None, width));
        }
        Ok(exit::WELL)
    }

    fn read_observation(&self) -> Result<String, CliError> {
        let failed = |source| CliError::File {
            verb: "read",
            path: PathBuf::from(&self.observe),
            source,
        };
        let mut text = String::new();
        if self.observe == "-" {
            std::io::stdin()
                .lock()
                .take(LARGEST)
                .read_to_string(&mut text)
                .map_err(failed)?;
        } else {
            std::fs::File::open(&self.observe)
                .and_then(|file| file.take(LARGEST).read_to_string(&mut text))
                .map_err(failed)?;
        }
        Ok(text)
    }
}
