//! The policy of a new group, a line a block as the files write it: one value a line is too much to review.

use serde_json::Value as Json;

use super::words;
use crate::plan::types::{Action, ChangeAction, GroupPlan, PlannedChange, Target};

/// Kinds of blocks with a label: their path has it in second place.
const LABELED: [&str; 5] = ["metric", "schedule", "surge", "guard", "freeze"];

/// What is shown on a line.
pub(super) enum Line<'a> {
    /// One value.
    Value(&'a PlannedChange),
    /// All values of a block.
    Block {
        /// `metric.cpu`.
        path: &'a str,
        /// `track { target = 60 }`, `period = "1m"`.
        items: Vec<String>,
        /// `shop.hcl:39`: where it begins.
        place: Option<String>,
    },
}

impl Line<'_> {
    /// What stands in the first column.
    pub(super) fn path(&self) -> &str {
        match self {
            Line::Value(change) => &change.path,
            Line::Block { path, .. } => path,
        }
    }
}

/// The changes of a group as lines: of a new group a block of its policy is one, else each value.
pub(super) fn lines(group: &GroupPlan) -> Vec<Line<'_>> {
    let is_new = group.before.is_none() && matches!(group.action, Action::Create | Action::Adopt);
    let block_of = |change: &'_ PlannedChange| {
        let folds = is_new
            && change.target == Target::Policy
            && change.action == ChangeAction::Add
            && change.reason.is_none()
            && words::lines(&change.after).is_none();
        if folds {
            block_length(&change.path)
        } else {
            None
        }
    };
    let mut lines = Vec::new();
    let mut rest = group.changes.as_slice();
    while let Some(first) = rest.first() {
        let path = block_of(first).and_then(|length| first.path.get(..length));
        let Some(path) = path else {
            lines.push(Line::Value(first));
            rest = rest.get(1..).unwrap_or_default();
            continue;
        };
        // The changes are in the order of their paths, so that a block's values follow each other.
        let count = rest
            .iter()
            .take_while(|change| {
                block_of(change).is_some_and(|length| change.path.get(..length) == Some(path))
            })
            .count();
        let (block, after) = rest.split_at(count);
        rest = after;
        let mut items = Items::default();
        for change in block {
            let inside = change.path.get(path.len() + 1..).unwrap_or_default();
            items.insert(inside, &change.after);
        }
        let place = block
            .iter()
            .filter_map(|change| change.source.as_ref())
            .min_by_key(|place| (&place.file, place.line));
        lines.push(Line::Block {
            path,
            items: items.render(),
            place: place.map(ToString::to_string),
        });
    }
    lines
}

/// How much of a path names its block; `None`: the value stands in no block.
fn block_length(path: &str) -> Option<usize> {
    let (kind, rest) = path.split_once('.')?;
    if LABELED.contains(&kind) {
        let (label, _) = rest.split_once('.')?;
        Some(kind.len() + 1 + label.len())
    } else {
        Some(kind.len())
    }
}

/// The values and inner blocks of a block, in the order of their paths.
#[derive(Default)]
struct Items<'a>(Vec<(&'a str, Item<'a>)>);

enum Item<'a> {
    Value(&'a Json),
    Block(Items<'a>),
}

impl<'a> Items<'a> {
    fn insert(&mut self, path: &'a str, value: &'a Json) {
        let Some((block, rest)) = path.split_once('.') else {
            return self.0.push((path, Item::Value(value)));
        };
        for (name, item) in &mut self.0 {
            if *name == block
                && let Item::Block(items) = item
            {
                return items.insert(rest, value);
            }
        }
        let mut items = Items::default();
        items.insert(rest, value);
        self.0.push((block, Item::Block(items)));
    }

    fn render(&self) -> Vec<String> {
        self.0
            .iter()
            .map(|(name, item)| {
                // `rate[0]`: the files repeat the block.
                let name = name.split('[').next().unwrap_or(name);
                match item {
                    Item::Value(value) => format!("{name} = {}", words::value(value)),
                    Item::Block(items) => format!("{name} {{ {} }}", items.render().join(", ")),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_block_are_written_as_the_files_nest_them() {
        let (ten, half, word) = (Json::from(10), Json::from("50%"), Json::from("newest"));
        let mut items = Items::default();
        items.insert("order", &word);
        items.insert("rate[0].per", &ten);
        items.insert("rate[0].remove", &half);
        items.insert("rate[1].per", &ten);
        assert_eq!(
            items.render(),
            [
                "order = \"newest\"",
                "rate { per = 10, remove = \"50%\" }",
                "rate { per = 10 }",
            ]
        );
    }

    #[test]
    fn a_label_belongs_to_the_path_of_its_block() {
        let block = |path: &'static str| block_length(path).and_then(|length| path.get(..length));
        assert_eq!(block("metric.cpu.track.target"), Some("metric.cpu"));
        assert_eq!(block("scale_in.rate[0].per"), Some("scale_in"));
        assert_eq!(block("warmup"), None);
    }
}
