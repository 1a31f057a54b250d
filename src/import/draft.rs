//! One group on its way into a file: what is said of it, what is left out and why.

use std::collections::BTreeSet;

use tideform_policies::model::units::format_duration;
use tideform_policies::model::{GroupAddress, InstanceType, Limits, ProviderAddress, VictimOrder};
use tideform_policies::write::{Block, Item, Written};
use tideform_provider::{ControlKind, Imported, ImportedPart, LeftControl, LiveGroup, LiveMix};

use super::{ImportedGroup, Moved, terraform};

/// A group, and what is said of it.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) label: String,
    pub(super) live: LiveGroup,
    pub(super) is_native: bool,
    pub(super) limits: Option<Limits>,
    pub(super) mix: Option<LiveMix>,
    pub(super) has_warmup: bool,
    pub(super) has_order: bool,
    pub(super) has_drain: bool,
    pub(super) has_maintenance: bool,
    pub(super) never_scales_in: bool,
    pub(super) parts: Vec<ImportedPart>,
    pub(super) left: Vec<LeftControl>,
    /// Where its windows and somebody's hand say different limits: what planning it shows.
    pub(super) moved: Vec<Moved>,
    /// Sentences about the group.
    pub(super) notes: Vec<String>,
}

/// Something that can be left out of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Limits,
    /// By its place in the list.
    Part(usize),
    Mix,
    Warmup,
    Order,
    Drain,
    Maintenance,
}

impl Draft {
    pub(super) fn new(
        label: String,
        live: LiveGroup,
        imported: Imported,
        is_native: bool,
    ) -> Draft {
        let attributes = &live.attributes;
        let mut notes = Vec::new();
        if imported.limits.is_none() {
            notes.push(format!(
                "Its limits are not managed: scheduled actions that stay move them. They are {}.",
                now(attributes.limits)
            ));
        }
        Draft {
            label,
            is_native,
            limits: imported.limits,
            mix: attributes.mix.clone(),
            has_warmup: attributes.warmup.is_some(),
            has_order: matches!(
                attributes.order,
                Some(VictimOrder::Newest | VictimOrder::Oldest)
            ),
            has_drain: attributes.drain.is_some(),
            has_maintenance: attributes.maintenance.is_some(),
            never_scales_in: imported.never_scales_in,
            parts: imported.parts,
            left: imported.left,
            moved: Vec::new(),
            notes,
            live,
        }
    }

    pub(super) fn address(&self) -> GroupAddress {
        GroupAddress::new(&self.label)
    }

    /// What can be left out, the likeliest first.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        pieces.extend(self.limits.map(|_| Piece::Limits));
        pieces.extend((0..self.parts.len()).map(Piece::Part));
        pieces.extend(self.mix.as_ref().map(|_| Piece::Mix));
        pieces.extend(self.has_maintenance.then_some(Piece::Maintenance));
        pieces.extend(self.has_drain.then_some(Piece::Drain));
        pieces.extend(self.has_warmup.then_some(Piece::Warmup));
        pieces.extend(self.has_order.then_some(Piece::Order));
        pieces
    }

    /// Whether windows that the files have move its limits.
    pub(super) fn has_windows(&self) -> bool {
        self.is_native
            && self.limits.is_some()
            && self.parts.iter().any(|part| self.is_window(part))
    }

    fn is_window(&self, part: &ImportedPart) -> bool {
        self.live.controls.iter().any(|control| {
            control.kind == ControlKind::Schedule && part.controls.contains(&control.name)
        })
    }

    /// Leaves something out.
    ///
    /// - `why`: a lowercase fragment.
    /// - `help`: a sentence.
    pub(super) fn leave_out(&mut self, piece: Piece, why: &str, help: Option<&str>) {
        let more = help.map(|help| format!(" {help}")).unwrap_or_default();
        let not_managed = |what: &str| format!("Its {what} not managed: {why}.{more}");
        match piece {
            Piece::Limits => {
                self.limits = None;
                self.notes.push(format!(
                    "Its limits are not managed: {why}. They are {}.{more}",
                    now(self.live.attributes.limits)
                ));
            }
            Piece::Mix => {
                self.mix = None;
                self.notes.push(not_managed("mix is"));
            }
            Piece::Warmup => {
                self.has_warmup = false;
                self.notes.push(not_managed("warmup is"));
            }
            Piece::Order => {
                self.has_order = false;
                self.notes.push(not_managed("order of ending instances is"));
            }
            Piece::Drain => {
                self.has_drain = false;
                self.notes.push(not_managed("drain is"));
            }
            Piece::Maintenance => {
                self.has_maintenance = false;
                self.notes.push(not_managed("maintenance is"));
            }
            Piece::Part(n) => {
                if n >= self.parts.len() {
                    return;
                }
                let part = self.parts.remove(n);
                self.leave_part(&part, why, help);
            }
        }
    }

    fn leave_part(&mut self, part: &ImportedPart, why: &str, help: Option<&str>) {
        for name in &part.controls {
            let control = self
                .live
                .controls
                .iter()
                .find(|control| control.name == *name);
            self.left.push(LeftControl {
                name: name.clone(),
                summary: control.map_or_else(String::new, |control| control.summary.clone()),
                why: why.to_owned(),
                help: help.map(str::to_owned),
            });
        }
        if self.is_window(part) && self.limits.is_some() {
            self.leave_out(Piece::Limits, "scheduled actions that stay move them", None);
        }
    }

    /// The controls that are taken over.
    fn adopted(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.parts.iter().flat_map(|part| &part.controls).collect();
        names.into_iter().cloned().collect()
    }

    /// What stands in the file for it.
    pub(super) fn items(&self, provider: &ProviderAddress) -> Vec<Item> {
        let attributes = &self.live.attributes;
        let mut items = vec![Item::attribute(
            "provider",
            Written::Expression(provider.to_string()),
        )];
        let foreign = self
            .live
            .controls
            .iter()
            .any(|control| control.enabled && control.kind == ControlKind::Dynamic);
        if self.is_native {
            items.push(Item::attribute("controller", "native"));
        } else if foreign {
            items.push(Item::attribute("coexist", true));
        }
        let adopted = self.adopted();
        if !adopted.is_empty() {
            items.push(Item::attribute(
                "adopt",
                Written::List(adopted.into_iter().map(Written::Text).collect()),
            ));
        }
        if let Some(warmup) = attributes.warmup.filter(|_| self.has_warmup) {
            items.push(Item::attribute("warmup", format_duration(warmup)));
        }
        items.push(Item::Gap);
        items.push(Item::Block(Block::named(
            "resource",
            &self.live.resource.kind,
            vec![Item::attribute("name", &*self.live.resource.name)],
        )));
        if let Some(limits) = self.limits {
            items.push(Item::Gap);
            items.extend(self.moved_comment().map(Item::Comment));
            items.push(Item::Block(Block::new(
                "limits",
                vec![
                    Item::attribute("min", limits.min().get()),
                    Item::attribute("max", limits.max().get()),
                ],
            )));
        }
        let mut blocks = Vec::new();
        blocks.extend(self.mix.as_ref().map(mix));
        if let Some(maintenance) = attributes.maintenance.filter(|_| self.has_maintenance) {
            blocks.push(Block::new(
                "maintenance",
                vec![
                    Item::attribute("min_healthy", maintenance.min_healthy.to_string()),
                    Item::attribute("max_healthy", maintenance.max_healthy.to_string()),
                ],
            ));
        }
        for part in &self.parts {
            blocks.extend(part.blocks.iter().cloned());
        }
        blocks.extend(self.scale_in());
        for block in blocks {
            items.push(Item::Gap);
            items.push(Item::Block(block));
        }
        items.extend(self.comments());
        vec![Item::Block(Block::named("group", &self.label, items))]
    }

    /// What planning the limits shows, and why.
    fn moved_comment(&self) -> Option<String> {
        let moved = moved_words(&self.moved)?;
        Some(format!(
            "Planning it changes {moved}.\n\
             Why: its scheduled actions say so of this hour, and somebody has set other numbers since. The next of these\n\
             actions writes its own in any case. To keep others, write them here, or in the `schedule` that is open."
        ))
    }

    fn scale_in(&self) -> Option<Block> {
        let mut items = Vec::new();
        if !self.is_native {
            items.push(Item::Comment(
                "No rule scales this group yet, and without one it would shrink to its minimum: take this line out\n\
                 when it has a rule."
                    .to_owned(),
            ));
        }
        if self.never_scales_in || !self.is_native {
            items.push(Item::attribute("enabled", false));
        }
        if let Some(order) = self.live.attributes.order.filter(|_| self.has_order) {
            let word = match order {
                VictimOrder::Newest => "newest",
                VictimOrder::Oldest => "oldest",
                VictimOrder::Default => "default",
            };
            items.push(Item::attribute("order", word));
        }
        if let Some(drain) = self.live.attributes.drain.filter(|_| self.has_drain) {
            items.push(Item::attribute("drain", format_duration(drain)));
        }
        (!items.is_empty()).then(|| Block::new("scale_in", items))
    }

    fn comments(&self) -> Vec<Item> {
        let mut items = Vec::new();
        for note in &self.notes {
            items.push(Item::Gap);
            items.push(Item::Comment(note.clone()));
        }
        for left in &self.left {
            let summary = if left.summary.is_empty() {
                String::new()
            } else {
                format!(" ({})", left.summary)
            };
            let mut text = format!(
                "Left as it is, not managed: {}{summary}.\nWhy: {}.",
                left.name, left.why
            );
            if let Some(help) = &left.help {
                text.push('\n');
                text.push_str(help);
            }
            items.push(Item::Gap);
            items.push(Item::Comment(text));
        }
        items
    }

    pub(super) fn into_group(self) -> ImportedGroup {
        ImportedGroup {
            address: self.address(),
            adopted: self.adopted(),
            terraform_ignore: terraform::ignored(&self),
            terraform_removed: self
                .parts
                .iter()
                .flat_map(|part| part.made_of.iter().cloned())
                .collect(),
            changes: self.moved,
            resource: self.live.resource,
            left: self.left.into_iter().map(Into::into).collect(),
            notes: self.notes,
        }
    }
}

fn now(limits: Limits) -> String {
    format!("{} to {} now", limits.min(), limits.max())
}

/// `limits.min from 3 to 2, desired from 5 to 4`; `None`: nothing is moved.
pub fn moved_words(moved: &[Moved]) -> Option<String> {
    let words: Vec<String> = moved
        .iter()
        .map(|one| format!("`{}` from {} to {}", one.path, one.before, one.after))
        .collect();
    (!words.is_empty()).then(|| words.join(" and "))
}

fn mix(mix: &LiveMix) -> Block {
    let mut items = vec![
        Item::attribute("on_demand_base", mix.on_demand_base),
        Item::attribute("spot", mix.spot.to_string()),
    ];
    let has_weights = mix.types.iter().any(|one| one.weight.is_some());
    if !has_weights && !mix.types.is_empty() {
        let types = mix.types.iter().map(|one| one.name.as_str().into());
        items.push(Item::attribute("types", Written::List(types.collect())));
    }
    if let Some(allocation) = &mix.allocation {
        items.push(Item::attribute("allocation", allocation.as_str()));
    }
    if let Some(rebalance) = mix.rebalance {
        items.push(Item::attribute("rebalance", rebalance));
    }
    if has_weights {
        items.push(Item::Gap);
        items.extend(mix.types.iter().map(one_type).map(Item::Block));
    }
    Block::new("mix", items)
}

fn one_type(one: &InstanceType) -> Block {
    let weight = one.weight.map(|weight| Item::attribute("weight", weight));
    Block::named("type", &one.name, weight.into_iter().collect())
}

/// A label for a group: its name, as far as that can be one, each label once.
pub(super) fn take_label(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut label = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() || c == '_' {
            label.push(c);
        } else if !label.ends_with('-') && !label.is_empty() {
            label.push('-');
        }
    }
    let label = label.trim_end_matches('-');
    let label = if label.starts_with(|c: char| c.is_ascii_alphabetic()) {
        label.to_owned()
    } else {
        format!("g-{label}").trim_end_matches('-').to_owned()
    };
    let mut found = label.clone();
    let mut number = 2;
    while !taken.insert(found.clone()) {
        found = format!("{label}-{number}");
        number += 1;
    }
    found
}
