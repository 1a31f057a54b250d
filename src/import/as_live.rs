//! A live group as a policy: what scales it now, for those who compare it with something. Nothing of it is written.

use tideform_policies::diagnostic::Severity;
use tideform_policies::model::{Controller, Group, ProviderAddress};
use tideform_policies::write::{self, Block, Item};
use tideform_provider::{LiveGroup, Provider, ProviderError};

use super::draft::Draft;

/// A live group as a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct AsLive {
    /// The group; the cloud's own controls that act are its rules. Its address is none of the files'.
    pub group: Group,
    /// What acts there and is not in it: names, and why.
    pub left: Vec<(String, String)>,
}

/// What scales a group now, as a policy of `controller = "native"`; a group that nothing scales has no rules.
///
/// `None`: nothing of it can be said, not even its limits.
///
/// # Errors
/// Any [`ProviderError`].
pub async fn as_live(
    provider: &dyn Provider,
    address: &ProviderAddress,
    live: &LiveGroup,
) -> Result<Option<AsLive>, ProviderError> {
    let mut live = live.clone();
    live.controls.retain(|control| control.enabled);
    let imported = provider.import_controls(&live).await?;
    let mut draft = Draft::new("live".to_owned(), live, imported, true);
    loop {
        if let Some(group) = read(&draft, address) {
            return Ok(Some(AsLive {
                group,
                left: draft
                    .left
                    .into_iter()
                    .map(|left| (left.name, left.why))
                    .collect(),
            }));
        }
        // The first piece without which the rest can be said, else the last.
        let pieces = draft.pieces();
        let without = |piece| {
            let mut draft = draft.clone();
            draft.leave_out(piece, "the language cannot say it", None);
            draft
        };
        let readable = pieces
            .iter()
            .map(|piece| without(*piece))
            .find(|draft| read(draft, address).is_some());
        draft = match (readable, pieces.last()) {
            (Some(draft), _) => draft,
            (None, Some(last)) => without(*last),
            (None, None) => return Ok(None),
        };
    }
}

fn read(draft: &Draft, address: &ProviderAddress) -> Option<Group> {
    let mut block = Block::named("provider", &address.kind, Vec::new());
    block
        .labels
        .extend(address.alias.iter().map(ToString::to_string));
    let mut items = vec![Item::Block(block)];
    items.extend(draft.items(address));
    let text = write::text(&items).ok()?;
    let (configuration, problems) = tideform_policies::read_text("live.hcl", &text);
    if problems
        .iter()
        .any(|problem| problem.severity == Severity::Error)
    {
        return None;
    }
    let (_, mut group) = configuration.groups.into_iter().next()?;
    group.controller = Controller::Native;
    Some(group)
}
