//! `tideform import`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value as Json, json};
use tideform_policies::model::{Configuration, ProviderAddress, ProviderConfiguration};
use tideform_provider::GroupFilter;

use super::args::VariableArgs;
use super::context::{Context, DEFAULT_WORKSPACE};
use super::error::{CliError, plural};
use super::init::find_hcl;
use super::output::{BOLD, YELLOW, paint};
use super::place::FOLDER;
use super::{CliResult, exit};
use crate::import::{Import, ImportError, ImportOptions, import, moved_words, terraform};
use crate::plan::PlanError;
use crate::registry::Providers;
use crate::wrap::wrapped;

/// Write live groups as files, which then plan to no changes.
///
/// Finds groups that others made, and writes them as they are: limits, mix, and the policies and scheduled actions that
/// scale them, adopted under their own names. Planning the file shows no changes. What no file can say stays as it is,
/// with a comment. Changes nothing.
#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    /// Where the groups are: aws, mock, or a provider of the files such as aws.us
    #[arg(value_name = "PROVIDER", value_parser = parse_provider)]
    provider: ProviderAddress,

    /// Only these groups: `name=web-*`, `tag:team=shop`, `tag:team`; of several all must hold
    #[arg(long = "filter", value_name = "FILTER", value_parser = parse_filter)]
    filters: Vec<GroupFilter>,

    /// Write the file here instead of printing it; it must not exist
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// The region, where the files have no block for the provider
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    /// The profile of the credentials, where the files have no block for the provider
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// Write what a Terraform configuration of the groups must let go of here, instead of to standard error
    #[arg(long, value_name = "FILE")]
    terraform_out: Option<PathBuf>,

    /// Leave out what a Terraform configuration must let go of
    #[arg(long, conflicts_with = "terraform_out")]
    no_terraform: bool,

    #[command(flatten)]
    variables: VariableArgs,

    /// Print the file and what was found as one JSON document
    #[arg(long)]
    json: bool,
}

fn parse_provider(text: &str) -> Result<ProviderAddress, String> {
    let text = text.strip_prefix("provider.").unwrap_or(text);
    let (kind, alias) = match text.split_once('.') {
        Some((kind, alias)) => (kind, Some(alias)),
        None => (text, None),
    };
    if kind.is_empty() || alias.is_some_and(|alias| alias.is_empty() || alias.contains('.')) {
        return Err("write a provider as `aws`, or as `aws.us` where the files name it".to_owned());
    }
    Ok(ProviderAddress {
        kind: kind.into(),
        alias: alias.map(Into::into),
    })
}

fn parse_filter(text: &str) -> Result<GroupFilter, String> {
    const EXAMPLE: &str = "write it as `name=web-*`, `tag:team=shop` or `tag:team`";
    let filter = match text.split_once('=') {
        Some(("name", pattern)) if !pattern.is_empty() => {
            return Ok(GroupFilter::Name(pattern.to_owned()));
        }
        Some((left, value)) => (left.strip_prefix("tag:"), Some(value)),
        None => (text.strip_prefix("tag:"), None),
    };
    match filter {
        (Some(key), value) if !key.is_empty() => Ok(GroupFilter::Tag {
            key: key.to_owned(),
            value: value.map(str::to_owned),
        }),
        _ => Err(EXAMPLE.to_owned()),
    }
}

impl ImportArgs {
    pub(super) fn run(self, cx: &Context, matches: Option<&clap::ArgMatches>) -> CliResult {
        for path in [&self.out, &self.terraform_out].into_iter().flatten() {
            if path.exists() {
                return Err(there_already(path));
            }
        }
        cx.need_directory()?;
        // Most begin with an empty directory.
        let files = if find_hcl(cx.directory()).is_some() {
            cx.configuration(&self.variables, matches)?
        } else {
            Configuration::default()
        };
        let (provider, is_in_files) = self.provider(&files)?;
        let workspace = new_workspace(cx, &files)?;
        let providers = cx
            .block_on(Providers::open(
                std::slice::from_ref(&provider),
                cx.directory(),
            ))?
            .map_err(CliError::Registry)?;
        let spinner = cx.output.spinner("Reading groups");
        let imported = cx.block_on(import(
            &providers,
            &ImportOptions {
                provider: &provider,
                with_provider: !is_in_files,
                workspace: workspace.as_deref(),
                filters: &self.filters,
                files: &files,
            },
        ))?;
        spinner.finish_and_clear();
        let imported = imported.map_err(explained)?;
        if imported.groups.is_empty() && !imported.skipped.iter().any(|skipped| skipped.failed) {
            return Err(nothing(&imported, &self.filters));
        }
        // A file without a group would only stand in the way of the next try.
        if !imported.groups.is_empty() {
            self.write(cx, &imported)?;
            if workspace.is_none() && files.settings.workspace.is_none() {
                tell_workspace(cx)?;
            }
        }
        let failed: Vec<(String, String)> = imported
            .skipped
            .iter()
            .filter(|skipped| skipped.failed)
            .map(|skipped| (skipped.resource.name.to_string(), skipped.why.clone()))
            .collect();
        if failed.is_empty() {
            Ok(exit::WELL)
        } else {
            Err(CliError::GroupsFailed {
                what: "imported",
                others: !imported.groups.is_empty(),
                failed,
            })
        }
    }

    /// The provider, and whether the files have it.
    fn provider(&self, files: &Configuration) -> Result<(ProviderConfiguration, bool), CliError> {
        let address = &self.provider;
        let known = files
            .providers
            .iter()
            .find(|provider| provider.address == *address);
        let has_flags = self.region.is_some() || self.profile.is_some();
        match known {
            Some(_) if has_flags => Err(CliError::Nothing {
                summary: "Provider is in the files",
                why: format!(
                    "{address} has a block in the files, which says its region and profile."
                ),
                hint: "leave out --region and --profile, or name another block of the files."
                    .to_owned(),
            }),
            Some(known) => Ok((known.clone(), true)),
            None if address.alias.is_some() => Err(CliError::Nothing {
                summary: "Provider not found",
                why: format!("The files have no {address}."),
                hint: format!(
                    "write its block first: `provider \"{}\" \"{}\" {{ … }}`.",
                    address.kind,
                    address.alias.as_deref().unwrap_or_default()
                ),
            }),
            None => {
                let settings: Map<String, Json> =
                    [("region", &self.region), ("profile", &self.profile)]
                        .into_iter()
                        .filter_map(|(name, value)| {
                            Some((name.to_owned(), Json::from(value.clone()?)))
                        })
                        .collect();
                Ok((
                    ProviderConfiguration {
                        address: address.clone(),
                        settings,
                        span: None,
                    },
                    false,
                ))
            }
        }
    }

    fn write(&self, cx: &Context, imported: &Import) -> Result<(), CliError> {
        if let Some(path) = &self.out {
            write_new(path, &imported.text)?;
        }
        if self.json {
            cx.output.json(&json!({
                "format_version": 1,
                "account": imported.identity.account,
                "region": imported.identity.region,
                "groups": imported.groups,
                "skipped": imported.skipped,
                "hcl": imported.text,
            }));
        } else if self.out.is_none() {
            cx.output.print(&imported.text);
        }
        self.say(cx, imported);
        let blocks = terraform(&imported.groups);
        match (&self.terraform_out, blocks) {
            (Some(path), Some(blocks)) => write_new(path, &blocks)?,
            (None, Some(blocks)) if !self.no_terraform && !self.json => {
                cx.output.note(format!("\n{}", blocks.trim_end()));
            }
            _ => {}
        }
        Ok(())
    }

    /// What was done and what was not, for people.
    fn say(&self, cx: &Context, imported: &Import) {
        for skipped in imported.skipped.iter().filter(|skipped| !skipped.failed) {
            let name = paint(BOLD, &skipped.resource.name);
            tell(cx, &name, &format!("left out: {}", skipped.why));
        }
        for group in &imported.groups {
            let address = format!("{}:", paint(BOLD, &group.address));
            if let Some(moved) = moved_words(&group.changes) {
                let what = paint(YELLOW, format!("planning it changes {moved}:"));
                let why =
                    "its scheduled actions say so of this hour, and somebody has set other numbers";
                tell(cx, &address, &format!("{what} {why}"));
            }
            for note in &group.notes {
                tell(cx, &address, note);
            }
            for left in &group.left {
                let what = paint(YELLOW, "not managed,");
                let text = format!("{what} `{}` stays as it is: {}", left.name, left.why);
                tell(cx, &address, &text);
            }
        }
        let adopted: usize = imported
            .groups
            .iter()
            .map(|group| group.adopted.len())
            .sum();
        let what = format!("with {} of the cloud's own", plural(adopted, "control"));
        let groups = plural(imported.groups.len(), "group");
        let done = match &self.out {
            Some(path) => format!(
                "Wrote {groups} to {}, {what}. Next: tideform plan",
                path.display()
            ),
            None => format!(
                "Printed {groups}, {what}; no file was written. Save it as a file of this directory (`--out FILE` does), \
                 then: tideform plan"
            ),
        };
        tell(cx, "", &done);
    }
}

/// A line beside the result, broken between its words on a terminal.
///
/// - `head`: what it is about, under whose end it goes on; empty: nothing.
fn tell(cx: &Context, head: &str, text: &str) {
    let width = cx.output.error_is_terminal().then(|| cx.output.width());
    let head = match head {
        "" => String::new(),
        head => format!("{head} "),
    };
    for line in wrapped(&head, text, width) {
        cx.output.note(line);
    }
}

/// The workspace that the new file is to name: two directories that name none would both be `default`, and each would
/// take the other's groups for its own. `None`: the files have their `tideform` block, or a state is here already.
fn new_workspace(cx: &Context, files: &Configuration) -> Result<Option<String>, CliError> {
    if files.settings.span.is_some() || cx.directory().join(FOLDER).exists() {
        return Ok(None);
    }
    let directory = cx.directory().canonicalize().ok();
    let name = directory
        .as_deref()
        .and_then(Path::file_name)
        .and_then(|name| workspace_name(&name.to_string_lossy()));
    let workspace = cx.workspace(name.as_deref())?;
    Ok((workspace != DEFAULT_WORKSPACE).then_some(workspace))
}

/// A directory's name as the name of a workspace, as far as that can be one.
fn workspace_name(directory: &str) -> Option<String> {
    let name: String = directory
        .chars()
        .map(|c| match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') => c,
            _ => '-',
        })
        .collect();
    let name = name.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let name: String = name.chars().take(60).collect();
    (!name.is_empty()).then_some(name)
}

/// What a workspace without a name of its own means.
fn tell_workspace(cx: &Context) -> Result<(), CliError> {
    let workspace = cx.workspace(None)?;
    if workspace == DEFAULT_WORKSPACE && !cx.directory().join(FOLDER).exists() {
        tell(
            cx,
            "",
            "The files name no workspace, so theirs is `default`, as in each directory that names none. Before the first \
             apply, give it a name of its own: `workspace = \"NAME\"` in the `tideform` block.",
        );
    }
    Ok(())
}

fn nothing(imported: &Import, filters: &[GroupFilter]) -> CliError {
    let place = format!(
        "account {} in {}",
        imported.identity.account, imported.identity.region
    );
    match imported.skipped.len() {
        n @ 1.. => CliError::Nothing {
            summary: "Nothing to import",
            why: managed(imported, n),
            hint: "`tideform plan` looks at the groups of these files. One with an owner's tag is managed in another \
                   directory, or was in this one: take it out of the files there, or see `--take-over` of `tideform apply`."
                .to_owned(),
        },
        0 => CliError::Nothing {
            summary: "Nothing to import",
            why: if filters.is_empty() {
                format!("There are no groups in {place}.")
            } else {
                format!("No group in {place} meets every filter.")
            },
            hint: "check --region, --profile and --filter.".to_owned(),
        },
    }
}

/// Which groups were found, and who has each.
fn managed(imported: &Import, all: usize) -> String {
    const SHOWN: usize = 10;
    let mut lines = vec![match all {
        1 => "The group that was found is managed already:".to_owned(),
        n => format!("The {n} groups that were found are managed already:"),
    }];
    let shown = imported.skipped.iter().take(SHOWN);
    lines.extend(shown.map(|skipped| format!("  {}: {}", skipped.resource.name, skipped.why)));
    if all > SHOWN {
        lines.push(format!("  and {} more", all - SHOWN));
    }
    lines.join("\n")
}

fn there_already(path: &Path) -> CliError {
    CliError::Nothing {
        summary: "File exists",
        why: format!(
            "`{}` is there already, and is not overwritten.",
            path.display()
        ),
        hint: "name another file, or move this one away.".to_owned(),
    }
}

fn write_new(path: &Path, text: &str) -> Result<(), CliError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|source| match source.kind() {
            std::io::ErrorKind::AlreadyExists => there_already(path),
            _ => CliError::File {
                verb: "written",
                path: path.to_owned(),
                source,
            },
        })
}

fn explained(error: ImportError) -> CliError {
    match error {
        ImportError::UnknownProvider(address) => {
            CliError::Plan(PlanError::UnknownProvider(address))
        }
        ImportError::Provider { address, source } => {
            CliError::Plan(PlanError::Provider { address, source })
        }
        ImportError::Text(what) => CliError::Nothing {
            summary: "File could not be made",
            why: format!("What was found cannot be written: {what}."),
            hint: "This is a bug in tideform. Import the groups one by one with --filter name=… to find which one it is.".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_names_and_tags() {
        let tag = |key: &str, value: Option<&str>| GroupFilter::Tag {
            key: key.to_owned(),
            value: value.map(str::to_owned),
        };
        for (text, filter) in [
            ("name=web-*", Some(GroupFilter::Name("web-*".to_owned()))),
            ("tag:team=shop", Some(tag("team", Some("shop")))),
            ("tag:team", Some(tag("team", None))),
            ("tag:a=b=c", Some(tag("a", Some("b=c")))),
            ("tag:team=", Some(tag("team", Some("")))),
            ("tag:", None),
            ("name=", None),
            ("name", None),
            ("team=shop", None),
        ] {
            assert_eq!(parse_filter(text).ok(), filter, "{text}");
        }
    }

    #[test]
    fn a_workspace_is_named_after_its_directory_as_far_as_that_can_be() {
        for (directory, name) in [
            ("shop-prod", Some("shop-prod")),
            (".tmpAbC", Some("tmpAbC")),
            ("my fleet (eu)", Some("my-fleet--eu")),
            ("é", None),
            ("", None),
        ] {
            assert_eq!(workspace_name(directory).as_deref(), name, "{directory}");
        }
    }

    #[test]
    fn providers_are_kinds_with_or_without_an_alias() {
        let read = |text: &str| parse_provider(text).map(|address| address.to_string()).ok();
        assert_eq!(read("aws").as_deref(), Some("provider.aws"));
        assert_eq!(read("provider.aws.us").as_deref(), Some("provider.aws.us"));
        for wrong in ["", ".us", "aws.", "aws.us.east"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
