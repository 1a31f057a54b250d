//! `tideform`, `provider`, `moved` and `removed` blocks.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::context::Context;
use super::{required, validate};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::layers::{Merged, plain};
use crate::model::{
    Backend, GroupAddress, Moved, ProviderAddress, ProviderConfiguration, Settings,
};
use crate::schema;
use crate::source::Span;
use crate::tree::{AttributeValue, Block, Tree};
use crate::value::{Address, Value};

/// The `tideform` block.
pub(crate) fn settings(tree: &Tree, cx: &mut Context) -> Settings {
    let Some(schema) = schema::top("tideform") else {
        return Settings::default();
    };
    let mut blocks = tree.settings.iter();
    let Some(block) = blocks.next() else {
        return Settings::default();
    };
    for second in blocks {
        cx.push(
            Diagnostic::error(codes::DUPLICATE_BLOCK, "Block stands twice")
                .at(second.span, "a second time")
                .at(block.span, "the first one")
                .help("write both into one block"),
        );
    }
    validate::block(block, schema, cx);
    let merged = Merged::single(block, schema);
    required::block(&merged, schema, cx);
    only_one(&merged, "backend", cx);
    let backend = merged.block("backend").map(|backend| Backend {
        kind: backend.label().unwrap_or_default().to_owned(),
        attributes: attributes(backend).into_iter().collect(),
    });
    Settings {
        workspace: merged.text("workspace", cx),
        backend: backend.unwrap_or_default(),
        span: Some(block.span),
    }
}

/// Of blocks whose label is their kind, there may be one of any kind.
pub(crate) fn only_one(merged: &Merged<'_>, kind: &str, cx: &mut Context) {
    let mut blocks = merged.blocks_of(kind);
    if let (Some(first), Some(second)) = (blocks.next(), blocks.next()) {
        cx.push(
            Diagnostic::error(codes::DUPLICATE_BLOCK, "Block stands twice")
                .at(second.span, "there can be one of any kind")
                .at(first.span, "the first one"),
        );
    }
}

fn attributes(block: &Merged<'_>) -> serde_json::Map<String, serde_json::Value> {
    let mut map = serde_json::Map::new();
    for entry in &block.attributes {
        if let AttributeValue::Known(value) = &entry.attribute.value
            && entry.name != "enabled"
        {
            map.insert(entry.name.to_owned(), value.to_json_revealed());
        }
    }
    map
}

/// The providers of a directory, and the addresses of those that are disabled.
pub(crate) struct Providers {
    pub list: Vec<ProviderConfiguration>,
    pub known: HashSet<ProviderAddress>,
    pub disabled: HashMap<ProviderAddress, Span>,
}

/// The `provider` blocks.
pub(crate) fn providers(tree: &Tree, cx: &mut Context) -> Providers {
    let mut providers = Providers {
        list: Vec::new(),
        known: HashSet::new(),
        disabled: HashMap::new(),
    };
    let Some(schema) = schema::top("provider") else {
        return providers;
    };
    let mut places: HashMap<ProviderAddress, Span> = HashMap::new();
    for block in &tree.providers {
        validate::block(block, schema, cx);
        let Some(kind) = block.labels.first() else {
            continue;
        };
        let address = ProviderAddress {
            kind: kind.value.as_str().into(),
            alias: block.labels.get(1).map(|label| label.value.as_str().into()),
        };
        if let Some(first) = places.get(&address) {
            let help = match address.alias {
                None => "give one of them a name, as in provider \"aws\" \"us\"",
                Some(_) => "give one of them another name",
            };
            cx.push(used_twice(block.span, *first).help(help));
            continue;
        }
        places.insert(address.clone(), block.span);
        let merged = Merged::single(block, schema);
        if merged.is_disabled() {
            providers.disabled.insert(address, block.span);
            continue;
        }
        required::block(&merged, schema, cx);
        providers.known.insert(address.clone());
        providers.list.push(ProviderConfiguration {
            address,
            settings: provider_settings(&merged, schema),
            span: Some(block.span),
        });
    }
    providers
}

/// An address that stands twice.
pub(crate) fn used_twice(second: Span, first: Span) -> Diagnostic {
    Diagnostic::error(codes::DUPLICATE_ADDRESS, "Address used twice")
        .at(second, "a second time")
        .at(first, "the first one")
}

fn provider_settings(
    block: &Merged<'_>,
    schema: &'static schema::BlockSchema,
) -> serde_json::Map<String, serde_json::Value> {
    let mut map = attributes(block);
    for inner in &block.blocks {
        let Some(inner_schema) = schema.block(inner.kind, block.label()) else {
            continue;
        };
        let settings = serde_json::Value::Object(provider_settings(inner, inner_schema));
        if let Some(label) = inner.label() {
            let of_kind = map
                .entry(inner.kind)
                .or_insert_with(|| serde_json::Value::Object(serde_json::Map::new()));
            if let serde_json::Value::Object(of_kind) = of_kind {
                of_kind.insert(label.to_owned(), settings);
            }
        } else if inner_schema.repeats {
            let list = map
                .entry(inner.kind)
                .or_insert_with(|| serde_json::Value::Array(Vec::new()));
            if let serde_json::Value::Array(list) = list {
                list.push(settings);
            }
        } else {
            map.insert(inner.kind.to_owned(), settings);
        }
    }
    map
}

/// An attribute that holds a group's address.
fn address(merged: &Merged<'_>, name: &str, cx: &Context) -> Option<GroupAddress> {
    match plain(merged.known(name, cx)?) {
        Value::Address(Address::Group(address)) => Some(address.clone()),
        _ => None,
    }
}

fn prepared<'t>(block: &'t Block, kind: &str, cx: &mut Context) -> Option<Merged<'t>> {
    let schema = schema::top(kind)?;
    validate::block(block, schema, cx);
    let merged = Merged::single(block, schema);
    required::block(&merged, schema, cx);
    Some(merged)
}

/// The addresses of all groups of the files, with the keys of those that have `for_each`.
pub(crate) struct Addresses {
    keys: HashMap<Arc<str>, Vec<Option<Arc<str>>>>,
}

impl Addresses {
    pub(crate) fn new(tree: &Tree) -> Addresses {
        let mut keys: HashMap<Arc<str>, Vec<Option<Arc<str>>>> = HashMap::new();
        for group in &tree.groups {
            keys.entry(group.address.name.clone())
                .or_default()
                .push(group.address.key.clone());
        }
        for list in keys.values_mut() {
            list.sort();
        }
        Addresses { keys }
    }

    /// Whether a group is in the files; without a key, also if it has `for_each`.
    fn has(&self, address: &GroupAddress) -> bool {
        self.keys
            .get(&address.name)
            .is_some_and(|keys| address.key.is_none() || keys.binary_search(&address.key).is_ok())
    }

    /// Whether exactly this address is in the files.
    fn has_exactly(&self, address: &GroupAddress) -> bool {
        self.keys
            .get(&address.name)
            .is_some_and(|keys| keys.binary_search(&address.key).is_ok())
    }
}

/// Where a move ends that leads to `to`, and after how many further moves: a group that moved twice may keep both
/// blocks, so that it is found wherever the state last saw it.
fn followed(to: &GroupAddress, written: &[Moved], groups: &Addresses) -> (GroupAddress, usize) {
    let mut end = to.clone();
    for hops in 0..written.len() {
        if groups.has(&end) {
            return (end, hops);
        }
        let next = written.iter().find_map(|next| {
            if next.from == end {
                return Some(next.to.clone());
            }
            let is_of_all_keys = next.from.key.is_none() && next.to.key.is_none();
            (is_of_all_keys && next.from.name == end.name).then(|| GroupAddress {
                name: next.to.name.clone(),
                key: end.key.clone(),
            })
        });
        match next {
            Some(next) => end = next,
            None => break,
        }
    }
    if groups.has(&end) {
        (end, written.len())
    } else {
        (to.clone(), 0)
    }
}

/// The `moved` blocks. A move between two groups with `for_each`, written without keys, is one for each key. Moves
/// that follow each other all lead to the group that is in the files now, the later ones first.
pub(crate) fn moved(tree: &Tree, groups: &Addresses, cx: &mut Context) -> Vec<Moved> {
    let mut blocks = Vec::new();
    for block in &tree.moved {
        let Some(merged) = prepared(block, "moved", cx) else {
            continue;
        };
        if let (Some(from), Some(to)) = (address(&merged, "from", cx), address(&merged, "to", cx)) {
            blocks.push((merged, Moved { from, to }));
        }
    }
    let written: Vec<Moved> = blocks.iter().map(|(_, moved)| moved.clone()).collect();
    let mut moves: Vec<(usize, Moved)> = Vec::new();
    let mut from_places: HashMap<GroupAddress, Span> = HashMap::new();
    let mut to_places: HashMap<GroupAddress, Span> = HashMap::new();
    for (merged, Moved { from, to }) in blocks {
        let wrong = |span: Span, label: &str| {
            Diagnostic::error(codes::MOVED, "Move that cannot be made").at(span, label.to_owned())
        };
        if from == to {
            cx.push(wrong(merged.span_of("to"), "is where it comes from"));
            continue;
        }
        if groups.has_exactly(&from) {
            cx.push(wrong(merged.span_of("from"), "is still in the files").help(
                "a move is for a group that has another address now; take the old block out",
            ));
            continue;
        }
        let written_to = to;
        let (to, hops) = followed(&written_to, &written, groups);
        if !groups.has(&to) {
            let names = groups.keys.keys().map(|name| &**name);
            let diagnostic = wrong(merged.span_of("to"), "is not in the files");
            cx.push(match schema::nearest(&to.name, names) {
                Some(near) if *near != *to.name => {
                    diagnostic.help(format!("did you mean group.{near}?"))
                }
                _ => diagnostic,
            });
            continue;
        }
        let pairs: Vec<Moved> = if groups.has_exactly(&to) {
            vec![Moved { from, to }]
        } else {
            let keys = groups.keys.get(&to.name).cloned().unwrap_or_default();
            keys.into_iter()
                .map(|key| Moved {
                    from: GroupAddress {
                        name: from.name.clone(),
                        key: key.clone(),
                    },
                    to: GroupAddress {
                        name: to.name.clone(),
                        key,
                    },
                })
                .collect()
        };
        for pair in pairs {
            let twice = from_places
                .insert(pair.from.clone(), merged.span_of("from"))
                .map(|first| (merged.span_of("from"), first))
                .or_else(|| {
                    let place = GroupAddress {
                        name: written_to.name.clone(),
                        key: written_to.key.clone().or_else(|| pair.to.key.clone()),
                    };
                    to_places
                        .insert(place, merged.span_of("to"))
                        .map(|first| (merged.span_of("to"), first))
                });
            match twice {
                Some((second, first)) => {
                    cx.push(wrong(second, "moves a second time").at(first, "the first move"));
                }
                None => moves.push((hops, pair)),
            }
        }
    }
    // Where the state knows two of the addresses, the later one is the group's.
    moves.sort_by_key(|(hops, _)| *hops);
    moves.into_iter().map(|(_, moved)| moved).collect()
}

/// The `removed` blocks.
pub(crate) fn removed(tree: &Tree, groups: &Addresses, cx: &mut Context) -> Vec<GroupAddress> {
    let mut list: Vec<GroupAddress> = Vec::new();
    let mut seen: HashSet<GroupAddress> = HashSet::new();
    for block in &tree.removed {
        let Some(merged) = prepared(block, "removed", cx) else {
            continue;
        };
        let Some(from) = address(&merged, "from", cx) else {
            continue;
        };
        if groups.has(&from) {
            cx.push(
                Diagnostic::error(codes::REMOVED, "Removed group is still there")
                    .at(merged.span_of("from"), "is still in the files")
                    .help("take the group's block out, or this one"),
            );
        } else if seen.insert(from.clone()) {
            list.push(from);
        }
    }
    list
}
