//! Live groups as files of the language: how what others made comes under management.
//!
//! ```text
//! find -> read -> say (draft) -> plan it (verify) -> text
//!                     ^______________|  what would change something is left out, with a comment
//! ```
//!
//! What is written plans to no changes: each group is planned against what was read before it is written. It changes
//! nothing, in the cloud or in the state.

mod as_live;
mod draft;
mod terraform;
mod verify;

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use serde::Serialize;
use thiserror::Error;
use tideform_policies::model::{
    Configuration, GroupAddress, ProviderAddress, ProviderConfiguration, Resource,
};
use tideform_policies::write::{self, Block, Item, Written};
use tideform_provider::{
    GroupFilter, GroupRequest, Identity, LeftControl, LiveGroup, Needs, Provider, ProviderError,
};

pub use as_live::{AsLive, as_live};
pub use draft::moved_words;
pub use terraform::terraform;

use crate::plan::ResourceKey;
use crate::registry::Providers;
use draft::Draft;

/// How many groups are said at the same time.
const AT_ONCE: usize = 8;

/// Why nothing could be imported. Nothing was changed.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The provider was not opened.
    #[error("{0} is not configured")]
    UnknownProvider(ProviderAddress),
    /// The provider does not answer.
    #[error("{address} does not answer")]
    Provider {
        /// Which.
        address: ProviderAddress,
        /// What it said.
        source: ProviderError,
    },
    /// The text that was made has errors: a fault of ours.
    #[error("the file that was made cannot be read back: {0}")]
    Text(String),
}

/// What is to be imported.
#[derive(Clone, Debug)]
pub struct ImportOptions<'a> {
    /// From where.
    pub provider: &'a ProviderConfiguration,
    /// The file begins with the provider's block.
    pub with_provider: bool,
    /// The file names this workspace; `None`: the files do, or one was used here before.
    pub workspace: Option<&'a str>,
    /// Which groups; all must hold.
    pub filters: &'a [GroupFilter],
    /// The files that are there already: their groups are not imported again, their labels are taken.
    pub files: &'a Configuration,
}

/// A group that was written.
#[derive(Clone, Debug, Serialize)]
pub struct ImportedGroup {
    /// Its address in the file.
    pub address: GroupAddress,
    /// What is scaled.
    pub resource: Resource,
    /// The controls that are taken over, by name.
    pub adopted: Vec<String>,
    /// The controls that stay as they are, and are not managed.
    pub left: Vec<Left>,
    /// Limits that planning it changes: its scheduled actions say another number of this hour than somebody's hand.
    pub changes: Vec<Moved>,
    /// What else is not managed and why: sentences.
    pub notes: Vec<String>,
    /// The attributes that tideform manages from now on, in Terraform's words.
    pub terraform_ignore: Vec<String>,
    /// The resources of Terraform's that tideform takes over, by kind and name there.
    pub terraform_removed: Vec<(String, String)>,
}

/// A limit that planning the file changes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Moved {
    /// `limits.min`, `limits.max`, `desired`.
    pub path: String,
    /// As it is.
    pub before: serde_json::Value,
    /// As the group's scheduled actions say of this hour.
    pub after: serde_json::Value,
}

/// A control that stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Its name there.
    pub name: String,
    /// For people.
    pub summary: String,
    /// What no file can say.
    pub why: String,
    /// What to do.
    pub help: Option<String>,
}

impl From<LeftControl> for Left {
    fn from(left: LeftControl) -> Left {
        Left {
            name: left.name,
            summary: left.summary,
            why: left.why,
            help: left.help,
        }
    }
}

/// A group that was found and not written.
#[derive(Clone, Debug, Serialize)]
pub struct Skipped {
    /// Which.
    pub resource: Resource,
    /// Why: a lowercase fragment.
    pub why: String,
    /// It could not be read; else it is managed already.
    pub failed: bool,
}

/// What was made.
#[derive(Clone, Debug)]
pub struct Import {
    /// Who we are there.
    pub identity: Identity,
    /// The file.
    pub text: String,
    /// What is in it, by address.
    pub groups: Vec<ImportedGroup>,
    /// What was found beside.
    pub skipped: Vec<Skipped>,
}

/// Finds, reads and says groups.
///
/// # Errors
/// [`ImportError`]; a group that cannot be read is among the skipped.
pub async fn import(
    providers: &Providers,
    options: &ImportOptions<'_>,
) -> Result<Import, ImportError> {
    let address = &options.provider.address;
    let provider = providers
        .get(address)
        .ok_or_else(|| ImportError::UnknownProvider(address.clone()))?;
    let said = |source| ImportError::Provider {
        address: address.clone(),
        source,
    };
    let identity = provider.identity().await.map_err(said)?;
    let found = provider.find_groups(options.filters).await.map_err(said)?;
    let (requests, mut skipped) = choose(found, options);
    let live = provider.read_groups(&requests).await;
    let mut groups: Vec<LiveGroup> = Vec::new();
    for (request, answer) in requests.into_iter().zip(live) {
        match answer {
            Ok(Some(live)) => match &live.owner {
                None => groups.push(live),
                Some(owner) => skipped.push(Skipped {
                    resource: request.resource,
                    why: format!(
                        "it carries the owner's tag of workspace `{}`, {}, state {}",
                        owner.workspace, owner.group, owner.state
                    ),
                    failed: false,
                }),
            },
            Ok(None) => {}
            Err(error) => skipped.push(failed(request.resource, &error)),
        }
    }
    let mut labels: BTreeSet<String> = options
        .files
        .groups
        .keys()
        .map(|address| address.name.to_string())
        .collect();
    let drafts: Vec<(String, LiveGroup)> = groups
        .into_iter()
        .map(|live| (draft::take_label(&live.resource.name, &mut labels), live))
        .collect();
    let settings = provider_block(options.provider, &identity);
    let calls = drafts.into_iter().map(|(label, live)| {
        let settings = &settings;
        async move {
            let resource = live.resource.clone();
            match say(provider.as_ref(), providers, address, settings, label, live).await {
                Ok(draft) => Ok(draft),
                Err(error) => Err(failed(resource, &error)),
            }
        }
    });
    let answers: Vec<Result<Draft, Skipped>> = futures::stream::iter(calls)
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut drafts = Vec::new();
    for answer in answers {
        match answer {
            Ok(draft) => drafts.push(draft),
            Err(failed) => skipped.push(failed),
        }
    }
    skipped.sort_by(|a, b| a.resource.name.cmp(&b.resource.name));
    let mut items = head(address, &identity, &drafts);
    if let Some(workspace) = options.workspace {
        items.push(Item::Gap);
        items.push(Item::Block(Block::new(
            "tideform",
            vec![Item::attribute("workspace", workspace)],
        )));
    }
    if options.with_provider {
        items.push(Item::Gap);
        items.push(Item::Block(settings));
    }
    for draft in &drafts {
        items.push(Item::Gap);
        items.extend(draft.items(address));
    }
    Ok(Import {
        identity,
        text: text(&items)?,
        groups: drafts.into_iter().map(Draft::into_group).collect(),
        skipped,
    })
}

fn text(items: &[Item]) -> Result<String, ImportError> {
    write::text(items).map_err(|problems| {
        let first = problems
            .iter()
            .next()
            .map(|problem| problem.summary.to_string());
        ImportError::Text(first.unwrap_or_default())
    })
}

fn failed(resource: Resource, error: &ProviderError) -> Skipped {
    Skipped {
        resource,
        why: error.to_string(),
        failed: true,
    }
}

/// What to read of what was found: groups that the files have already stay out.
fn choose(found: Vec<Resource>, options: &ImportOptions<'_>) -> (Vec<GroupRequest>, Vec<Skipped>) {
    let known: BTreeMap<&Resource, &GroupAddress> = options
        .files
        .groups
        .iter()
        .filter(|(_, group)| group.provider == options.provider.address)
        .map(|(address, group)| (&group.resource, address))
        .collect();
    let mut requests = Vec::new();
    let mut skipped = Vec::new();
    for resource in found {
        match known.get(&resource) {
            Some(address) => skipped.push(Skipped {
                why: format!("it is {address} in these files already"),
                resource,
                failed: false,
            }),
            None => requests.push(GroupRequest {
                resource,
                // What no file says costs calls, and permissions that reading does not have.
                needs: Needs {
                    deregistration: false,
                    failed_launches: false,
                    obstacles: false,
                    ..Needs::ALL
                },
            }),
        }
    }
    (requests, skipped)
}

/// One group in the words of the language, planned to no changes.
async fn say(
    provider: &dyn Provider,
    providers: &Providers,
    address: &ProviderAddress,
    settings: &Block,
    label: String,
    live: LiveGroup,
) -> Result<Draft, ProviderError> {
    let imported = provider.import_controls(&live).await?;
    let is_native = provider.capabilities().native_control;
    let mut draft = Draft::new(label, live, imported, is_native);
    let key: ResourceKey = (address.clone(), draft.live.resource.clone());
    let live = BTreeMap::from([(key, Ok(Some(draft.live.clone())))]);
    verify::settle(&mut draft, address, settings, &live, providers).await;
    Ok(draft)
}

/// The provider's block: its settings, and the region that was meant.
fn provider_block(provider: &ProviderConfiguration, identity: &Identity) -> Block {
    let mut items: Vec<Item> = provider
        .settings
        .iter()
        .filter_map(|(name, value)| Some(Item::attribute(name, written(value)?)))
        .collect();
    let says_region = provider.settings.contains_key("region");
    if &*provider.address.kind == "aws" && !says_region {
        items.insert(0, Item::attribute("region", identity.region.as_str()));
    }
    let mut block = Block::named("provider", &provider.address.kind, items);
    block
        .labels
        .extend(provider.address.alias.iter().map(ToString::to_string));
    block
}

fn written(value: &serde_json::Value) -> Option<Written> {
    use serde_json::Value;
    Some(match value {
        Value::String(text) => Written::Text(text.clone()),
        Value::Bool(truth) => Written::Bool(*truth),
        Value::Number(number) => Written::Number(number.as_f64()?),
        Value::Array(list) => Written::List(list.iter().filter_map(written).collect()),
        // Blocks of a provider stay in its own file.
        Value::Object(_) | Value::Null => return None,
    })
}

fn head(address: &ProviderAddress, identity: &Identity, drafts: &[Draft]) -> Vec<Item> {
    let name = address.to_string();
    let name = name.strip_prefix("provider.").unwrap_or(&name);
    let count = match drafts.len() {
        1 => "1 group".to_owned(),
        n => format!("{n} groups"),
    };
    let moved: Vec<String> = drafts
        .iter()
        .filter(|draft| !draft.moved.is_empty())
        .map(|draft| draft.address().to_string())
        .collect();
    let but = match moved.as_slice() {
        [] => String::new(),
        names => format!(
            "\nBut for limits that somebody has moved by hand: see {}.",
            names.join(", ")
        ),
    };
    vec![Item::Comment(format!(
        "Written by `tideform import {name}`: {count} of account {} in {}, as found.\n\
         Planning it shows no changes. What is not said here is not managed, and stays as it is.{but}",
        identity.account, identity.region
    ))]
}
