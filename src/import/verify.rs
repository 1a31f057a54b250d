//! Plans a draft against what was read, and leaves out what would change something.

use std::collections::BTreeMap;

use tideform_policies::diagnostic::Severity;
use tideform_policies::model::ProviderAddress;
use tideform_policies::write::{self, Block, Item};
use tideform_provider::{ItemResult, LiveGroup};

use super::draft::{Draft, Piece};
use crate::plan::{self, Action, PlanOptions, ResourceKey};
use crate::registry::Providers;

/// More pieces than any group has.
const ROUNDS: usize = 64;

/// What stands between a draft and no changes.
struct Problem {
    /// Which piece, where that is known.
    piece: Option<Piece>,
    /// A lowercase fragment.
    what: String,
}

/// Leaves out of a draft whatever would change the group.
pub(super) async fn settle(
    draft: &mut Draft,
    address: &ProviderAddress,
    settings: &Block,
    live: &BTreeMap<ResourceKey, ItemResult<Option<LiveGroup>>>,
    providers: &Providers,
) {
    for _ in 0..ROUNDS {
        let Some(problem) = problem(draft, address, settings, live, providers).await else {
            return;
        };
        if let Some(piece) = problem.piece {
            draft.leave_out(piece, &problem.what);
            continue;
        }
        // Nobody says which piece it is: the first one without which all is well, else the first one.
        let pieces = draft.pieces();
        let mut culprit = None;
        for piece in &pieces {
            let mut without = draft.clone();
            without.leave_out(*piece, &problem.what);
            if self::problem(&without, address, settings, live, providers)
                .await
                .is_none()
            {
                culprit = Some(*piece);
                break;
            }
        }
        match culprit.or_else(|| pieces.last().copied()) {
            Some(piece) => draft.leave_out(piece, &problem.what),
            None => {
                draft.notes.push(format!(
                    "Planning this group does not show no changes: {}.",
                    problem.what
                ));
                return;
            }
        }
    }
}

/// The first thing that would change, or that is wrong.
async fn problem(
    draft: &Draft,
    address: &ProviderAddress,
    settings: &Block,
    live: &BTreeMap<ResourceKey, ItemResult<Option<LiveGroup>>>,
    providers: &Providers,
) -> Option<Problem> {
    let unknown = |what: String| Some(Problem { piece: None, what });
    let mut items = vec![Item::Block(settings.clone())];
    items.extend(draft.items(address));
    let text = match write::text(&items) {
        Ok(text) => text,
        Err(problems) => {
            return unknown(said(problems.iter().next()));
        }
    };
    let (configuration, problems) = tideform_policies::read_text("imported.hcl", &text);
    if let Some(error) = problems.iter().find(|d| d.severity == Severity::Error) {
        return unknown(said(Some(error)));
    }
    let options = PlanOptions::new("import");
    let plan = plan::of_live(&configuration, live, providers, &options).await;
    if let Some(error) = plan
        .all_diagnostics()
        .iter()
        .find(|d| d.severity == Severity::Error)
    {
        return unknown(said(Some(error)));
    }
    let group = plan.groups.first()?;
    if matches!(group.action, Action::Record | Action::NoOp) {
        return None;
    }
    let change = group.changes.iter().find(|change| {
        change.target == plan::Target::Cloud
            && change.path != "owner"
            && change.action != plan::ChangeAction::Adopt
    });
    let Some(change) = change else {
        return unknown("it would come under management with a change".to_owned());
    };
    let what = match change.path.rsplit_once(": ") {
        Some((_, key)) => format!("tideform would write its `{key}` another way"),
        None => format!("`{}` would change", change.path),
    };
    let name = change
        .path
        .rsplit_once(": ")
        .map_or(change.path.as_str(), |(name, _)| name);
    let part = draft
        .parts
        .iter()
        .position(|part| part.controls.iter().any(|control| control == name))
        .map(Piece::Part);
    let piece = part.or(match name.split('.').next() {
        Some("limits" | "desired") => draft.limits.map(|_| Piece::Limits),
        Some("mix") => draft.mix.as_ref().map(|_| Piece::Mix),
        Some("maintenance") => draft.has_maintenance.then_some(Piece::Maintenance),
        Some("warmup") => draft.has_warmup.then_some(Piece::Warmup),
        _ => match name {
            "scale_in.order" => draft.has_order.then_some(Piece::Order),
            "scale_in.drain" => draft.has_drain.then_some(Piece::Drain),
            _ => None,
        },
    });
    Some(Problem { piece, what })
}

/// A problem of the files as a lowercase fragment: what it says of the reason, else of the place, else at all.
fn said(problem: Option<&tideform_policies::diagnostic::Diagnostic>) -> String {
    let Some(problem) = problem else {
        return "it cannot be written".to_owned();
    };
    let label = problem.labels.first().map(|label| label.text.as_ref());
    let text = match (&problem.why, label) {
        // "group.web, metric.cpu: what the provider cannot do."
        (Some(why), _) if why.starts_with("group.") => {
            why.split_once(": ").map_or(why.as_ref(), |(_, what)| what)
        }
        (_, Some(label)) => label,
        (Some(why), None) => why,
        (None, None) => problem.summary.as_ref(),
    };
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => "it cannot be written".to_owned(),
    }
}
