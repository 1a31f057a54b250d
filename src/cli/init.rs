//! `tideform init`.

use std::path::Path;

use clap::Args;
use serde_json::{Value as Json, json};
use tideform_state::{OpenMode, ProviderIdentity};

use super::context::Context;
use super::error::{CliError, plural};
use super::migrate::migrate;
use super::output::{GREEN, paint};
use super::place::{Place, Where};
use super::plan::open_providers;
use super::{CliResult, exit};
use crate::examples::{self, Example};
use crate::registry::Providers;

/// Prepare a directory: check version and providers, make the state; or write a starter example.
///
/// Prepares a directory: checks that this version, the files and the providers fit together, and makes the state.
/// With --example, writes a starter into an empty directory first.
#[derive(Args, Debug)]
pub(super) struct InitArgs {
    /// Write this starter into the directory first, which must have no .hcl files
    #[arg(long, value_name = "NAME", value_parser = ["web", "queue", "environments"])]
    example: Option<String>,

    #[command(flatten)]
    variables: super::args::VariableArgs,

    /// Move the state to where the files now say that it is
    #[arg(long, conflicts_with = "reconfigure")]
    migrate_state: bool,

    /// Go on with the place that the files now name, and leave the old state where it is
    #[arg(long)]
    reconfigure: bool,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl InitArgs {
    pub(super) fn run(self, cx: &Context, matches: Option<&clap::ArgMatches>) -> CliResult {
        if let Some(example) = self.example.as_deref().and_then(examples::find) {
            write_example(cx, example)?;
        } else {
            cx.need_directory()?;
            if find_hcl(cx.directory()).is_none() {
                return Err(CliError::Nothing {
                    summary: "No files",
                    why: format!("`{}` has no .hcl files.", cx.directory().display()),
                    hint: "write some, or begin with a starter: `tideform init --example web`."
                        .to_owned(),
                });
            }
        }
        let configuration = cx.configuration(&self.variables, matches)?;
        let place = if self.migrate_state || self.reconfigure {
            cx.place_in_files(&configuration.settings, None)?
        } else {
            cx.place_of(&configuration.settings, None)?
        };
        let providers = open_providers(cx, &configuration)?;
        let identities = cx.block_on(identities(&providers))??;
        if let Where::Shared(address) = &place.at {
            let remote = cx.remote(address, &place)?;
            cx.block_on(remote.check())??;
        }
        if self.migrate_state {
            self.migrate(cx, &place)?;
        }
        let is_new = cx.open_state_if_any(&place, OpenMode::ReadWrite)?.is_none();
        let now = cx.clock_of(&providers).now();
        let mut state = cx.open_or_create_state(&place, now)?;
        cx.writing(&mut state, |state| {
            Ok(state.write(|tx| tx.check_identities(&identities, now))?)
        })?;
        cx.remember_place(&place, &configuration.settings)?;
        if self.json {
            let providers: Vec<Json> = identities
                .iter()
                .map(|identity| {
                    json!({
                        "provider": identity.provider.to_string(),
                        "account": identity.account,
                        "region": identity.region,
                    })
                })
                .collect();
            cx.output.json(&json!({
                "format_version": 1,
                "workspace": place.workspace,
                "state": place.at.to_string(),
                "state_is_new": is_new,
                "providers": providers,
                "groups": configuration.groups.len(),
            }));
            return Ok(exit::WELL);
        }
        for identity in &identities {
            cx.output.line(format!(
                "{}: account {}, region {}",
                identity.provider, identity.account, identity.region
            ));
        }
        cx.output.line(format!(
            "workspace {}: {} {}",
            place.workspace,
            if is_new {
                "made the state"
            } else {
                "found the state"
            },
            place.at
        ));
        cx.output.line(format!(
            "{} {} and {}. Next: tideform plan",
            paint(GREEN.bold(), "Ready:"),
            plural(configuration.groups.len(), "group"),
            plural(configuration.tests.len(), "test"),
        ));
        Ok(exit::WELL)
    }
}

impl InitArgs {
    fn migrate(&self, cx: &Context, place: &Place) -> Result<(), CliError> {
        let old = match cx.recorded_place(&place.workspace)? {
            Some(at) => Place {
                at,
                ..place.clone()
            },
            None => {
                return Err(CliError::Nothing {
                    summary: "No state to move",
                    why: format!(
                        "Nothing was ever applied in `{}` for workspace {}.",
                        cx.directory().display(),
                        place.workspace
                    ),
                    hint: "`tideform init` is enough.".to_owned(),
                });
            }
        };
        if old.at == place.at {
            cx.output.note("The state is there already.");
            return Ok(());
        }
        let aside = migrate(cx, &old, place)?;
        let rest = match aside {
            Some(path) => format!("the old file is now {}", path.display()),
            None => "the old object is still there: nobody may go on with it".to_owned(),
        };
        cx.output.note(format!(
            "Moved the state from {} to {}; {rest}",
            old.at, place.at
        ));
        Ok(())
    }
}

/// Who we are at each provider; also proves that the credentials work.
pub(super) async fn identities(providers: &Providers) -> Result<Vec<ProviderIdentity>, CliError> {
    let mut identities = Vec::new();
    for (address, provider) in providers.iter() {
        let identity = provider.identity().await.map_err(|source| {
            CliError::Plan(crate::plan::PlanError::Provider {
                address: address.clone(),
                source,
            })
        })?;
        identities.push(ProviderIdentity {
            provider: address.clone(),
            account: identity.account,
            region: identity.region,
        });
    }
    Ok(identities)
}

/// The name of a file of the language in a directory.
pub(super) fn find_hcl(directory: &Path) -> Option<String> {
    let entries = std::fs::read_dir(directory).ok()?;
    entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .find(|name| name.ends_with(".hcl") && !name.starts_with('.'))
}

fn write_example(cx: &Context, example: &Example) -> Result<(), CliError> {
    let directory = cx.directory();
    let not_empty = |found: String| CliError::NotEmpty {
        directory: directory.to_owned(),
        found,
    };
    if let Some(found) = find_hcl(directory) {
        return Err(not_empty(found));
    }
    for (name, _) in example.files {
        if directory.join(name).exists() {
            return Err(not_empty((*name).to_owned()));
        }
    }
    example
        .write_to(directory)
        .map_err(|source| CliError::File {
            verb: "written",
            path: directory.to_owned(),
            source,
        })?;
    let names: Vec<&str> = example.files.iter().map(|(name, _)| *name).collect();
    cx.output.note(format!(
        "Wrote the example \"{}\": {}",
        example.name,
        names.join(", ")
    ));
    Ok(())
}
