//! `tideform tune`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tideform_policies::load::{LoadInput, load_replaced};
use tideform_policies::model::{Configuration, Group, GroupAddress};
use tideform_policies::{decode, diagnostic::Diagnostics};

use super::args::{VariableArgs, nearest, parse_duration, parse_group};
use super::context::Context;
use super::error::CliError;
use super::output::{BOLD, paint};
use super::simulate::{parse_boot, prices};
use super::trace::TraceArgs;
use super::{CliResult, exit, fmt};
use crate::simulate::world::{Boot, Faults};
use crate::simulate::{Given, Scenario};
use crate::tune::propose::{Edit, Proposal, Wanted, propose};
use crate::tune::settings::{Known, Range, Setting, Unit, known};
use crate::tune::{Tuned, Tuning, Verdict, render, split, tune, tuned_policy};

/// Search a policy's own settings on a recorded load, and propose better ones as a change of the files.
///
/// Replays the earlier part of a recorded load through candidates of a group's policy (targets, thresholds, cooldowns,
/// stabilization, floors), and judges the best of them on the later part, which the search has not seen. Where it beats the
/// policy as it is there too, the change is printed as a diff of the files. It touches neither cloud nor state. The same seed
/// and input give the same answer.
#[derive(Args, Debug)]
pub(super) struct TuneArgs {
    /// The group
    #[arg(value_name = "GROUP", value_parser = parse_group)]
    group: GroupAddress,

    /// The load: a CSV file `timestamp,value` with a regular step, or `-` for standard input
    #[arg(long, value_name = "FILE")]
    trace: PathBuf,

    #[command(flatten)]
    reading: TraceArgs,

    /// Search this setting in this range, and no others; may be repeated: `scale_in.cooldown=2m..20m`,
    /// `metric.cpu.track.target=40..80/5`
    #[arg(long, value_name = "PATH=FROM..TO[/STEP]")]
    range: Vec<String>,

    /// How many candidates are tried at most
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    budget: u32,

    /// Where all randomness comes from
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// What a missing unit-hour counts as, in prices of one on demand
    #[arg(long, value_name = "N", default_value_t = 10.0)]
    penalty: f64,

    /// In so many threads; default: one for each core. It changes the time, not the answer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    jobs: Option<u32>,

    /// What one unit carries per second at 100 % utilization; default: the group's `instance` block
    #[arg(long, value_name = "N")]
    throughput: Option<f64>,

    /// From launch to serving: `90s`; evenly between two, `60s..180s`; or skewed, `p50=60s,p95=150s`
    #[arg(long, value_name = "TIME", value_parser = parse_boot)]
    boot: Option<Boot>,

    /// How late samples of metrics can be seen; default: as the source publishes
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    metric_delay: Option<Duration>,

    /// How many times an hour each spot instance is taken back; above 0, the share of spot is searched too
    #[arg(long, value_name = "N", default_value_t = 0.0)]
    interruptions: f64,

    /// Change the files
    #[arg(long)]
    write: bool,

    #[command(flatten)]
    variables: VariableArgs,

    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Of `--json`.
#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    tuned: &'a Tuned,
    proposal: Option<Proposed<'a>>,
    /// Why the files cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    not_proposed: Option<String>,
}

#[derive(Serialize)]
struct Proposed<'a> {
    edits: &'a [Edit],
    also_changes: &'a [GroupAddress],
    /// A unified diff for each file.
    diffs: BTreeMap<&'a str, String>,
    is_written: bool,
}

impl TuneArgs {
    pub(super) fn run(self, cx: &Context, matches: Option<&clap::ArgMatches>) -> CliResult {
        let given = self.given()?;
        let configuration = cx.configuration(&self.variables, matches)?;
        let group = configuration.groups.get(&self.group).ok_or_else(|| {
            let known = configuration.groups.keys().map(GroupAddress::short);
            CliError::NoSuchGroup {
                text: self.group.short(),
                nearest: nearest(&self.group.short(), known),
            }
        })?;
        let trace = self.reading.read(&self.trace)?;
        let parts = split(&trace).ok_or_else(|| {
            CliError::Usage(format!(
                "the trace has {} steps; to learn from one part and be judged by another it takes 36 or more",
                trace.values().len()
            ))
        })?;
        let given = Given {
            prices: prices(group),
            ..given
        };
        let scenario = Scenario::new(group, &trace, &given).map_err(CliError::Scenario)?;
        let settings = self.settings(&scenario, &configuration)?;
        let tuning = self.tuning()?;
        let bar = cx.output.progress("tuning", tuning.budget as u64);
        let tuned = tune(&scenario, &parts, &settings, &tuning, &|| bar.inc(1));
        bar.finish_and_clear();

        let input = cx.load_input(&self.variables, matches)?;
        let proposal = (tuned.verdict == Verdict::Better)
            .then(|| proposal(&configuration, group, &tuned, &settings, &input));
        if let (true, Some(Ok(proposal))) = (self.write, &proposal) {
            for (name, (_, after)) in &proposal.files {
                let path = cx.directory().join(name);
                fmt::replace(&path, after).map_err(|source| CliError::File {
                    verb: "written",
                    path,
                    source,
                })?;
            }
        }
        if self.json {
            self.print_json(cx, &tuned, proposal.as_ref());
        } else {
            self.print(cx, &tuned, proposal.as_ref());
        }
        Ok(exit::WELL)
    }

    fn given(&self) -> Result<Given, CliError> {
        let number = |value: f64, flag: &str| {
            let is_number = value.is_finite() && value >= 0.0;
            is_number.then_some(value).ok_or_else(|| {
                CliError::Usage(format!("`--{flag} {value}` must be a number of 0 or more"))
            })
        };
        let throughput = self.throughput.map(|value| number(value, "throughput"));
        Ok(Given {
            boot: self.boot,
            throughput: throughput.transpose()?,
            metric_delay: self.metric_delay,
            faults: Faults {
                interruptions_per_hour: number(self.interruptions, "interruptions")?,
                ..Faults::default()
            },
            seed: self.seed,
            ..Given::default()
        })
    }

    fn tuning(&self) -> Result<Tuning, CliError> {
        if !(self.penalty.is_finite() && self.penalty >= 0.0) {
            let text = format!("`--penalty {}` must be a number of 0 or more", self.penalty);
            return Err(CliError::Usage(text));
        }
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Tuning {
            budget: self.budget as usize,
            seed: self.seed,
            jobs: self.jobs.map_or_else(cores, |jobs| jobs as usize),
            penalty: self.penalty,
        })
    }

    /// The settings of the flags, or those that the group's files set.
    fn settings(
        &self,
        scenario: &Scenario,
        configuration: &Configuration,
    ) -> Result<Vec<Setting>, CliError> {
        let origins = configuration.origins(&self.group);
        let interrupts = self.interruptions > 0.0;
        let all = known(
            &scenario.rules,
            &origins,
            &configuration.sources,
            interrupts,
        );
        let mut settings: Vec<Setting> = Vec::new();
        for text in &self.range {
            let setting = parse_range(text, &all).map_err(CliError::Usage)?;
            if settings
                .iter()
                .any(|known| known.known.path == setting.known.path)
            {
                let path = &setting.known.path;
                return Err(CliError::Usage(format!("`--range {path}` is given twice")));
            }
            settings.push(setting);
        }
        if self.range.is_empty() {
            settings = all
                .iter()
                .filter_map(|known| Setting::new(known.clone(), known.range?))
                .filter(|setting| setting.points.len() > 1)
                .collect();
        }
        if settings.is_empty() {
            let paths: Vec<&str> = all.iter().map(|known| known.path.as_str()).collect();
            return Err(CliError::Usage(format!(
                "the files set nothing for {} that is searched by itself; name settings with `--range`: {}",
                self.group,
                paths.join(", ")
            )));
        }
        Ok(settings)
    }

    fn print(&self, cx: &Context, tuned: &Tuned, proposal: Option<&Result<Proposal, String>>) {
        let heading = render::heading(tuned);
        let (first, rest) = heading.split_once('\n').unwrap_or((&heading, ""));
        cx.output.line(paint(BOLD, first));
        cx.output.print(&format!("{rest}\n"));
        cx.output.print(&format!("{}\n", render::tables(tuned)));
        cx.output.print(&format!("{}\n", render::front(tuned)));
        cx.output.print(&render::verdict(tuned));
        match proposal {
            None => {}
            Some(Ok(proposal)) => {
                cx.output.print(&format!("\n{}\n", render::edits(proposal)));
                for (name, (before, after)) in &proposal.files {
                    cx.output.print(&fmt::diff(name, before, after));
                }
                let end = if self.write {
                    "\nThe files are changed. See what it does with `tideform plan`.\n"
                } else {
                    "\n`--write` makes the change.\n"
                };
                cx.output.print(end);
            }
            Some(Err(why)) => cx.output.print(&format!(
                "The files are not changed: {why}. Set the best values by hand.\n"
            )),
        }
        let notes = render::notes(tuned);
        if !notes.is_empty() {
            cx.output.print(&format!("\n{notes}"));
        }
    }

    fn print_json(&self, cx: &Context, tuned: &Tuned, proposal: Option<&Result<Proposal, String>>) {
        let made = proposal.and_then(|proposal| proposal.as_ref().ok());
        cx.output.json(&Document {
            tuned,
            proposal: made.map(|proposal| Proposed {
                edits: &proposal.edits,
                also_changes: &proposal.also,
                diffs: proposal
                    .files
                    .iter()
                    .map(|(name, (before, after))| (name.as_str(), plain_diff(name, before, after)))
                    .collect(),
                is_written: self.write,
            }),
            not_proposed: proposal.and_then(|proposal| proposal.as_ref().err().cloned()),
        });
    }
}

/// The best candidate as a change of the files; or why there is none.
fn proposal(
    configuration: &Configuration,
    group: &Group,
    tuned: &Tuned,
    settings: &[Setting],
    input: &LoadInput,
) -> Result<Proposal, String> {
    let expected = tuned_policy(tuned, settings, &group.policy);
    let changes = tuned.changes.iter();
    let wanted: Vec<Wanted<'_>> = changes
        .filter_map(|(place, value)| {
            let setting = &settings.get(*place)?.known;
            Some(Wanted {
                setting,
                after: setting.unit.written(*value),
            })
        })
        .collect();
    let read = |texts: &BTreeMap<String, String>| -> (Configuration, Diagnostics) {
        let loaded = load_replaced(input, texts);
        decode::configuration(
            loaded.tree,
            loaded.sources,
            loaded.digest,
            loaded.diagnostics,
        )
    };
    propose(configuration, &group.address, &wanted, &expected, &read)
        .map_err(|error| error.to_string())
}

/// A unified diff without colors.
fn plain_diff(name: &str, before: &str, after: &str) -> String {
    similar::TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(3)
        .header(name, name)
        .to_string()
}

/// `metric.cpu.track.target=40..80`, `scale_in.cooldown=2m..20m/30s`.
fn parse_range(text: &str, all: &[Known]) -> Result<Setting, String> {
    let form = || format!("`--range {text}` must be like `metric.cpu.track.target=40..80`");
    let (path, range) = text.split_once('=').ok_or_else(form)?;
    let Some(setting) = all.iter().find(|known| known.path == path) else {
        let paths: Vec<&str> = all.iter().map(|known| known.path.as_str()).collect();
        let near = tideform_policies::schema::nearest(path, paths.iter().copied());
        let near = near.map_or(String::new(), |near| format!(" did you mean `{near}`?"));
        return Err(format!(
            "`--range {path}`: the group has no such setting;{near} it has {}",
            paths.join(", ")
        ));
    };
    let (range, step) = match range.split_once('/') {
        Some((range, step)) => (range, Some(step)),
        None => (range, None),
    };
    let (from, to) = range.split_once("..").ok_or_else(form)?;
    let number = |text: &str| parse_value(setting.unit, text.trim());
    let range = Range {
        from: number(from)?,
        to: number(to)?,
        step: step.map(number).transpose()?,
    };
    Setting::new(setting.clone(), range).ok_or_else(|| {
        format!("`--range {text}`: the first value must not be above the second, and at most 10,000 values are tried")
    })
}

fn parse_value(unit: Unit, text: &str) -> Result<f64, String> {
    let number = |text: &str| {
        let number: Option<f64> = text.parse().ok();
        number
            .filter(|number| number.is_finite() && *number >= 0.0)
            .ok_or_else(|| format!("`{text}` must be a number of 0 or more"))
    };
    match unit {
        Unit::Number => number(text),
        Unit::Seconds => parse_duration(text).map(|duration| duration.as_secs_f64()),
        Unit::Count => text
            .parse::<u32>()
            .map(f64::from)
            .map_err(|_| format!("`{text}` is not a number of instances, like 12")),
        Unit::Percent => number(text.strip_suffix('%').unwrap_or(text)),
    }
}
