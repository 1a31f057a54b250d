//! Plans a draft against what was read, and leaves out what would change something.

use std::collections::BTreeMap;

use tideform_policies::codes;
use tideform_policies::diagnostic::{Diagnostic, Severity};
use tideform_policies::model::ProviderAddress;
use tideform_policies::write::{self, Block, Item};
use tideform_provider::{ItemResult, LiveGroup};

use super::Moved;
use super::draft::{Draft, Piece};
use crate::plan::{self, Action, PlanOptions, ResourceKey};
use crate::registry::Providers;

/// More pieces than any group has.
const ROUNDS: usize = 64;

/// What planning a draft shows.
enum Verdict {
    /// No changes; or none but these, of limits that the draft's windows and somebody's hand say differently.
    Fits(Vec<Moved>),
    Problem(Problem),
}

/// What stands between a draft and no changes.
struct Problem {
    /// Which piece, where that is known.
    piece: Option<Piece>,
    /// A lowercase fragment.
    what: String,
    /// What to do: a sentence.
    help: Option<String>,
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
        let problem = match verdict(draft, address, settings, live, providers).await {
            Verdict::Fits(moved) => {
                draft.moved = moved;
                return;
            }
            Verdict::Problem(problem) => problem,
        };
        let help = problem.help.as_deref();
        if let Some(piece) = problem.piece {
            draft.leave_out(piece, &problem.what, help);
            continue;
        }
        // Nobody says which piece it is: the first one without which all is well, else the first one.
        let pieces = draft.pieces();
        let mut culprit = None;
        for piece in &pieces {
            let mut without = draft.clone();
            without.leave_out(*piece, &problem.what, help);
            let verdict = verdict(&without, address, settings, live, providers).await;
            if matches!(verdict, Verdict::Fits(_)) {
                culprit = Some(*piece);
                break;
            }
        }
        match culprit.or_else(|| pieces.last().copied()) {
            Some(piece) => draft.leave_out(piece, &problem.what, help),
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

/// Whether planning a draft shows no changes; else the first thing that would change, or that is wrong.
async fn verdict(
    draft: &Draft,
    address: &ProviderAddress,
    settings: &Block,
    live: &BTreeMap<ResourceKey, ItemResult<Option<LiveGroup>>>,
    providers: &Providers,
) -> Verdict {
    let unknown = |(what, help): (String, Option<String>)| {
        Verdict::Problem(Problem {
            piece: None,
            what,
            help,
        })
    };
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
    let Some(group) = plan.groups.first() else {
        return unknown(("no group came of it".to_owned(), None));
    };
    if let Some(failure) = &group.failure {
        return unknown((fragment(failure), None));
    }
    if matches!(group.action, Action::Record | Action::NoOp) {
        return Verdict::Fits(Vec::new());
    }
    let (moved, others): (Vec<_>, Vec<_>) = group
        .changes
        .iter()
        .filter(|change| {
            change.target == plan::Target::Cloud
                && change.path != "owner"
                && change.action != plan::ChangeAction::Adopt
        })
        .partition(|change| is_of_windows(draft, &change.path));
    let Some(change) = others.first() else {
        if moved.is_empty() {
            let what = "it would come under management with a change";
            return unknown((what.to_owned(), None));
        }
        let moved = moved.into_iter().map(|change| Moved {
            path: change.path.clone(),
            before: change.before.clone(),
            after: change.after.clone(),
        });
        return Verdict::Fits(moved.collect());
    };
    let (before, after) = (&change.before, &change.after);
    let (what, help) = match change.path.rsplit_once(": ") {
        Some((name, key)) => (
            format!("tideform would write its `{key}` as {after}, and it is {before}"),
            format!("To have it so, write it here, and `{name}` in `adopt`."),
        ),
        None => (
            format!("`{}` would change from {before} to {after}", change.path),
            "To have it so, write it here.".to_owned(),
        ),
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
    Verdict::Problem(Problem {
        piece,
        what,
        help: Some(help),
    })
}

/// Whether windows of the draft say something else of this hour than somebody's hand.
fn is_of_windows(draft: &Draft, path: &str) -> bool {
    matches!(path, "limits.min" | "limits.max" | "desired") && draft.has_windows()
}

/// A problem of the files as a lowercase fragment (what it says of the reason, else of the place, else at all), and what
/// to do as a sentence.
fn said(problem: Option<&Diagnostic>) -> (String, Option<String>) {
    let Some(problem) = problem else {
        return ("it cannot be written".to_owned(), None);
    };
    let help = problem.help.as_deref().map(sentence);
    if problem.code == codes::CANNOT_LEAVE_ZERO {
        // The group may have instances now.
        let what = "they let it become empty, and nothing that scales it could then start it again";
        return (what.to_owned(), help);
    }
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
    (fragment(text), help)
}

/// Without the period, and with a small letter unless it begins with a name such as AWS or CloudWatch.
fn fragment(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let word = text.split(' ').next().unwrap_or_default();
    let is_name = word.chars().skip(1).any(char::is_uppercase);
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if !is_name => first.to_lowercase().chain(letters).collect(),
        Some(_) => text.to_owned(),
        None => "it cannot be written".to_owned(),
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).chain(['.']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_goes_on_in_small_letters_unless_it_begins_with_a_name() {
        for (text, wanted) in [
            ("Nothing can leave zero.", "nothing can leave zero"),
            ("AWS's actions write both.", "AWS's actions write both"),
            ("CloudWatch has no such", "CloudWatch has no such"),
            ("the metric is unknown", "the metric is unknown"),
            ("", "it cannot be written"),
        ] {
            assert_eq!(fragment(text), wanted, "{text}");
        }
        assert_eq!(sentence("write `min = 1`"), "Write `min = 1`.");
    }
}
