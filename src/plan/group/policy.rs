//! What the loop will run differently. Pure.

use super::*;

/// What the loop will run differently, where it is not a cloud change already.
pub(super) fn policy_changes(
    situation: &Situation<'_>,
    group: &Group,
    listed: &[PlannedChange],
    places: &Places<'_>,
) -> Vec<PlannedChange> {
    // A move is told of by its own line.
    let moved = situation.moved_from.as_ref().and_then(|_| {
        let mut was = situation.applied?.group.clone();
        was.address = group.address.clone();
        Some(was)
    });
    let was = moved
        .as_ref()
        .or_else(|| situation.applied.map(|applied| &applied.group));
    let before = match was {
        // Equal groups have equal lists: ten thousand of them need not be made.
        Some(was) if was == group => return Vec::new(),
        Some(was) => flatten(was),
        None => Default::default(),
    };
    let is_new = situation.applied.is_none();
    let after = flatten(group);
    let mut changes = Vec::new();
    let paths: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for path in paths {
        let (old, new) = (before.get(path), after.get(path));
        if old == new || listed.iter().any(|change| change.path == *path) {
            continue;
        }
        // A replaced resource has a line of its own.
        if path.starts_with("resource.") {
            continue;
        }
        // What a new group says by being there.
        let is_plain = path == "provider"
            || path == "launch"
            || (path.ends_with(".enabled") && new == Some(&Json::Bool(true)));
        if is_new && is_plain {
            continue;
        }
        // Of a new group only what the files say is shown; the defaults would hide it.
        if is_new
            && places
                .origin(situation.address, path)
                .is_some_and(|origin| &*origin.layer == "default")
        {
            continue;
        }
        let (shown, reason) = match path.strip_suffix(HIDDEN) {
            None => (path.as_str(), None),
            // Only worth a line where the text says nothing of it.
            Some(text) if before.get(text) != after.get(text) => continue,
            Some(text) => (text, Some("a value inside the formula".to_owned())),
        };
        let is_let_go = new.is_none() && (path == "launch" || path.starts_with("launch."));
        let reason = reason.or_else(|| held_back(situation, group, shown));
        let reason = reason.or_else(|| is_let_go.then(|| "stays as it is in the cloud".to_owned()));
        let shown_value =
            |flat: &crate::plan::flatten::Flat| flat.get(shown).cloned().unwrap_or(Json::Null);
        changes.push(PlannedChange {
            path: shown.to_owned(),
            action: match (old, new) {
                (None, _) => ChangeAction::Add,
                (_, None) => ChangeAction::Remove,
                _ => ChangeAction::Change,
            },
            before: shown_value(&before),
            after: shown_value(&after),
            target: Target::Policy,
            source: new.and_then(|_| places.of(situation.address, shown)),
            reason,
        });
    }
    if changes.is_empty() && listed.is_empty() && !is_new {
        // Groups that differ in nothing that people write differ in something that we fail to show.
        changes.push(PlannedChange {
            target: Target::Policy,
            reason: Some(
                "the order of metrics or blocks, or a value that has no line of its own".to_owned(),
            ),
            ..cloud("policy", ChangeAction::Change, Json::Null, Json::Null)
        });
    }
    changes
}
