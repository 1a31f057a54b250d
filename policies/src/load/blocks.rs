//! From syntax to the tree: bodies are evaluated, `for_each` and `dynamic` unrolled.

use std::sync::Arc;

use hcl::edit::expr::Expression;
use hcl::edit::structure::{Attribute as HclAttribute, Block as HclBlock, Body, Structure};
use indexmap::{IndexMap, IndexSet};

use super::evaluate::{
    Each, Eval, Evaluator, Frame, Keys, Poisoned, Scope, Wanted, convert, mentions,
};
use super::syntax::{expression_span, place, span};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::model::GroupAddress;
use crate::source::{SourceId, Span, Spanned};
use crate::suggest::nearest;
use crate::tree::{Attribute, AttributeValue, Block, GroupBlock, Tree};
use crate::value::{Value, quote};

/// Kinds of blocks at the top of a file.
const TOP_LEVEL: [&str; 9] = [
    "tideform", "provider", "variable", "locals", "policy", "group", "test", "moved", "removed",
];

/// The most groups that one block makes.
const MAX_MEMBERS: usize = 100_000;

/// A group whose `for_each` has been looked at.
struct Group<'b> {
    source: SourceId,
    block: &'b HclBlock,
    name: Arc<str>,
    members: Members,
}

enum Members {
    Single,
    Keyed(Vec<(Arc<str>, Each)>),
    Poisoned,
}

/// What the top levels of all files hold, by kind.
#[derive(Default)]
pub(crate) struct TopLevel<'b> {
    pub(crate) variables: Vec<(SourceId, &'b HclBlock)>,
    pub(crate) locals: Vec<(SourceId, &'b HclBlock)>,
    rest: Vec<(SourceId, &'b HclBlock)>,
}

/// Sorts the blocks of all files; what cannot stand there is reported.
pub(crate) fn collect<'b>(
    evaluator: &mut Evaluator,
    bodies: &'b [(SourceId, Body)],
) -> TopLevel<'b> {
    let mut top = TopLevel::default();
    for (source, body) in bodies {
        for structure in body.iter() {
            match structure {
                Structure::Attribute(attribute) => {
                    let at = place(*source, &attribute.key, span(*source, 0, 0));
                    let name = attribute.key.as_str();
                    let help = if TOP_LEVEL.contains(&name) {
                        format!("a block has no `=`: {name} \"name\" {{ … }}")
                    } else {
                        format!("values that several blocks use: locals {{ {name} = … }}")
                    };
                    evaluator.fail(
                        Diagnostic::error(codes::STRAY_TOP_LEVEL, "Attribute outside of a block")
                            .at(at, "the top level holds blocks only")
                            .help(help),
                    );
                }
                Structure::Block(block) => match block.ident.as_str() {
                    "variable" => top.variables.push((*source, block)),
                    "locals" => top.locals.push((*source, block)),
                    kind if TOP_LEVEL.contains(&kind) => top.rest.push((*source, block)),
                    kind => {
                        let at = place(*source, &block.ident, span(*source, 0, 0));
                        let help = match nearest(kind, TOP_LEVEL) {
                            Some(near) => format!("did you mean `{near}`?"),
                            None => format!("kinds are {}.", TOP_LEVEL.join(", ")),
                        };
                        evaluator.fail(
                            Diagnostic::error(codes::UNKNOWN_TOP_LEVEL, "Unknown kind of block")
                                .at(at, "no such kind at the top level")
                                .help(help),
                        );
                    }
                },
            }
        }
    }
    top
}

/// Makes the names of providers, policies and groups known.
pub(crate) fn register(evaluator: &mut Evaluator, top: &TopLevel<'_>) {
    for (_, block) in &top.rest {
        let label = |n: usize| block.labels.get(n).map(|label| Arc::from(label.as_str()));
        let Some(name) = label(0) else { continue };
        let names = &mut evaluator.names;
        match block.ident.as_str() {
            "provider" => {
                names.providers.entry(name).or_default().insert(label(1));
            }
            "policy" => {
                names.policies.insert(name);
            }
            "group" => {
                let keys = if block.body.has_attribute("for_each") {
                    Keys::Unknown
                } else {
                    Keys::Single
                };
                names.groups.insert(name, keys);
            }
            _ => {}
        }
    }
}

/// Evaluates all blocks but `variable` and `locals`.
pub(crate) fn build(evaluator: &mut Evaluator, top: &TopLevel<'_>) -> Tree {
    let mut tree = Tree::default();
    // First the keys of all groups, so that references to groups can be checked.
    let mut groups = Vec::new();
    for (source, block) in &top.rest {
        if block.ident.as_str() == "group"
            && let Some(group) = open_group(evaluator, *source, block)
        {
            groups.push(group);
        }
    }
    for (source, block) in &top.rest {
        let kind = block.ident.as_str();
        let scope = Scope {
            is_lenient: matches!(kind, "moved" | "removed"),
            ..Scope::top(*source)
        };
        let list = match kind {
            "tideform" => &mut tree.settings,
            "provider" => &mut tree.providers,
            "policy" => &mut tree.policies,
            "test" => &mut tree.tests,
            "moved" => &mut tree.moved,
            "removed" => &mut tree.removed,
            _ => continue,
        };
        let place = Place {
            top: kind,
            skip_for_each: false,
        };
        if let Ok(block) = evaluator.block(block, scope, place) {
            list.push(block);
        }
    }
    for group in groups {
        let place = Place {
            top: "group",
            skip_for_each: true,
        };
        let scope = Scope::top(group.source);
        match group.members {
            Members::Poisoned => {}
            Members::Single => {
                if let Ok(block) = evaluator.block(group.block, scope, place) {
                    tree.groups.push(GroupBlock {
                        address: GroupAddress {
                            name: group.name.clone(),
                            key: None,
                        },
                        block,
                    });
                }
            }
            Members::Keyed(members) => {
                for (key, each) in members {
                    let scope = Scope {
                        each: Some(&each),
                        ..scope
                    };
                    let Ok(block) = evaluator.block(group.block, scope, place) else {
                        continue;
                    };
                    tree.groups.push(GroupBlock {
                        address: GroupAddress {
                            name: group.name.clone(),
                            key: Some(key),
                        },
                        block,
                    });
                }
            }
        }
    }
    tree
}

fn open_group<'b>(
    evaluator: &mut Evaluator,
    source: SourceId,
    block: &'b HclBlock,
) -> Option<Group<'b>> {
    let whole = place(source, &block.ident, span(source, 0, 0));
    let Some(label) = block.labels.first() else {
        evaluator.fail(
            Diagnostic::error(codes::MISSING_LABEL, "Block without its name")
                .at(whole, "the name is missing")
                .help("write group \"name\" { … }."),
        );
        return None;
    };
    let name: Arc<str> = label.as_str().into();
    let members = match block.body.get_attribute("for_each") {
        None => Members::Single,
        Some(attribute) => match evaluator.members(source, attribute) {
            Ok(members) => {
                let new: IndexSet<Arc<str>> = members.iter().map(|(key, _)| key.clone()).collect();
                evaluator
                    .names
                    .groups
                    .insert(name.clone(), Keys::Known(new));
                Members::Keyed(members)
            }
            Err(Poisoned) => Members::Poisoned,
        },
    };
    Some(Group {
        source,
        block,
        name,
        members,
    })
}

/// Where a block stands, as far as evaluation cares.
#[derive(Clone, Copy)]
struct Place<'p> {
    /// The kind of the block at the top.
    top: &'p str,
    /// `for_each` has been looked at already.
    skip_for_each: bool,
}

impl Place<'_> {
    /// What a formula at this attribute must give, or `None` where there is no formula.
    fn formula(&self, kind: &str, attribute: &str) -> Option<Wanted> {
        match (self.top, kind, attribute) {
            ("policy" | "group", "metric", "value") => Some(Wanted::Number),
            ("policy" | "group", "guard", "when") => Some(Wanted::Condition),
            ("test", _, "always" | "never") => Some(Wanted::Condition),
            _ => None,
        }
    }
}

impl Evaluator {
    /// The keys and values of a group's `for_each`.
    fn members(
        &mut self,
        source: SourceId,
        attribute: &HclAttribute,
    ) -> Eval<Vec<(Arc<str>, Each)>> {
        let scope = Scope::top(source);
        let at = expression_span(source, &attribute.value, span(source, 0, 0));
        let value = self.evaluate(&attribute.value, scope)?;
        let entries: Vec<(Arc<str>, Value)> = match &value {
            Value::Sensitive(_) => {
                return Err(self.fail(
                    Diagnostic::error(
                        codes::SENSITIVE_KEY,
                        "Sensitive value where it would be shown",
                    )
                    .at(at, "keys are part of addresses, which every plan shows")
                    .help("nonsensitive(value) says that it may be shown."),
                ));
            }
            Value::Object(object) => convert::sorted(object)
                .into_iter()
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            Value::Set(items) => {
                let mut entries = Vec::with_capacity(items.len());
                for item in items.iter() {
                    match item {
                        Value::String(text) => entries.push((text.clone(), item.clone())),
                        other => {
                            let label =
                                format!("the set holds {}, strings are needed", other.type_name());
                            return Err(self.bad_for_each(at, label, None));
                        }
                    }
                }
                entries
            }
            Value::List(_) => {
                return Err(self.bad_for_each(
                    at,
                    "this is a list, which has no keys".to_owned(),
                    Some("write toset(list), or an object."),
                ));
            }
            Value::Null => return Err(self.bad_for_each(at, "this is null".to_owned(), None)),
            other => {
                let label = format!("this is {}", other.type_name());
                return Err(self.bad_for_each(at, label, None));
            }
        };
        if entries.len() > MAX_MEMBERS {
            let label = format!(
                "gives {} groups, at most {MAX_MEMBERS} are possible",
                entries.len()
            );
            return Err(
                self.fail(Diagnostic::error(codes::TOO_MUCH, "Too much to evaluate").at(at, label))
            );
        }
        let mut members = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            if let Some(wrong) = wrong_key(&key) {
                return Err(self.fail(
                    Diagnostic::error(codes::BAD_KEY, "Key cannot be used")
                        .at(at, format!("the key {} {wrong}", quote(&key)))
                        .why(
                            "A key becomes part of the group's address and of names in the cloud.",
                        ),
                ));
            }
            let each = Each {
                key: Value::String(key.clone()),
                value,
            };
            members.push((key, each));
        }
        Ok(members)
    }

    fn bad_for_each(&mut self, at: Span, label: String, help: Option<&'static str>) -> Poisoned {
        self.fail(
            Diagnostic::error(codes::BAD_FOR_EACH, "for_each cannot be used")
                .at(at, label)
                .help(help.unwrap_or("it takes a map, an object or a set of strings.")),
        )
    }

    /// A block with its body evaluated.
    fn block(&mut self, block: &HclBlock, scope: Scope<'_>, place_of: Place<'_>) -> Eval<Block> {
        let source = scope.source;
        let kind_at = place(source, &block.ident, span(source, 0, 0));
        let labels: Vec<Spanned<String>> = block
            .labels
            .iter()
            .map(|label| Spanned {
                value: label.as_str().to_owned(),
                span: place(source, label, kind_at),
            })
            .collect();
        let kind = Spanned {
            value: block.ident.as_str().to_owned(),
            span: kind_at,
        };
        self.body(&block.body, kind, labels, scope, place_of)
    }

    fn body(
        &mut self,
        body: &Body,
        kind: Spanned<String>,
        labels: Vec<Spanned<String>>,
        scope: Scope<'_>,
        place_of: Place<'_>,
    ) -> Eval<Block> {
        let result = self.meter.elements(1 + body.len());
        self.bounded(result, kind.span)?;
        let end = labels.last().map_or(kind.span, |label| label.span).end;
        let header = Span { end, ..kind.span };
        let mut out = Block {
            kind,
            labels,
            attributes: IndexMap::new(),
            blocks: Vec::new(),
            span: header,
        };
        for structure in body.iter() {
            match structure {
                Structure::Attribute(attribute) => {
                    if place_of.skip_for_each && attribute.key.as_str() == "for_each" {
                        continue;
                    }
                    let wanted = place_of.formula(&out.kind.value, attribute.key.as_str());
                    let evaluated = self.body_attribute(attribute, wanted, scope);
                    out.attributes
                        .insert(attribute.key.as_str().to_owned(), evaluated);
                }
                Structure::Block(inner) => {
                    let name = inner.ident.as_str();
                    let inside = Place {
                        skip_for_each: false,
                        ..place_of
                    };
                    if name == "dynamic" {
                        // What cannot be unrolled has been reported.
                        let _ = self.dynamic(inner, scope, inside, &mut out.blocks);
                    } else if let Ok(inner) = self.block(inner, scope, inside) {
                        out.blocks.push(inner);
                    }
                }
            }
        }
        for inner in &out.blocks {
            if let Some(attribute) = out.attributes.get(&inner.kind.value) {
                self.fail(
                    Diagnostic::error(
                        codes::ATTRIBUTE_AND_BLOCK,
                        "Attribute and block of one name",
                    )
                    .at(inner.kind.span, "a block of this name")
                    .at(attribute.name, "an attribute of this name")
                    .help("remove one of the two."),
                );
                break;
            }
        }
        Ok(out)
    }

    fn body_attribute(
        &mut self,
        attribute: &HclAttribute,
        wanted: Option<Wanted>,
        scope: Scope<'_>,
    ) -> Attribute {
        let source = scope.source;
        let name = place(source, &attribute.key, span(source, 0, 0));
        let at = expression_span(source, &attribute.value, name);
        let mut found = Vec::new();
        let value = match wanted {
            None => self.known(&attribute.value, scope, at),
            Some(wanted) => self.kept(&attribute.value, wanted, scope, &mut found),
        };
        let items = Evaluator::list_items(&attribute.value).unwrap_or_default();
        Attribute {
            name,
            value: value.unwrap_or(AttributeValue::Poisoned),
            span: at,
            mentions: found,
            items: items
                .into_iter()
                .map(|item| expression_span(source, item, at))
                .collect(),
        }
    }

    fn known(
        &mut self,
        expression: &Expression,
        scope: Scope<'_>,
        at: Span,
    ) -> Eval<AttributeValue> {
        let value = self.evaluate(expression, scope)?;
        let result = self.meter.weigh(&value);
        let weighed = self.bounded(result, at)?;
        Ok(AttributeValue::Known(if weighed.has_set {
            convert::without_sets(&value)
        } else {
            value
        }))
    }

    fn kept(
        &mut self,
        expression: &Expression,
        wanted: Wanted,
        scope: Scope<'_>,
        found: &mut Vec<Spanned<String>>,
    ) -> Eval<AttributeValue> {
        if let Some(items) = Evaluator::list_items(expression)
            && wanted == Wanted::Condition
        {
            let mut formulas = Vec::with_capacity(items.len());
            let mut poisoned = false;
            for item in items {
                match self.formula(item, scope, wanted) {
                    Ok(kept) => {
                        formulas.push(kept.formula);
                        found.extend(kept.mentions);
                    }
                    Err(Poisoned) => poisoned = true,
                }
            }
            if poisoned {
                return Err(Poisoned);
            }
            return Ok(AttributeValue::Formulas(formulas));
        }
        // `null` restores the default, as everywhere.
        if !mentions(expression).at_decision
            && let Value::Null = self.evaluate(expression, scope)?.reveal().0
        {
            return Ok(AttributeValue::Known(Value::Null));
        }
        let kept = self.formula(expression, scope, wanted)?;
        found.extend(kept.mentions);
        Ok(AttributeValue::Formula(kept.formula))
    }

    /// Unrolls `dynamic "kind" { for_each, iterator, labels, content {} }`.
    fn dynamic(
        &mut self,
        block: &HclBlock,
        scope: Scope<'_>,
        place_of: Place<'_>,
        out: &mut Vec<Block>,
    ) -> Eval<()> {
        let source = scope.source;
        let whole = place(source, &block.ident, span(source, 0, 0));
        let [kind] = block.labels.as_slice() else {
            return Err(self.bad_dynamic(whole, "one label is needed: the kind of the blocks"));
        };
        let kind_at = place(source, kind, whole);
        let (mut for_each, mut iterator, mut labels, mut content) = (None, None, None, None);
        let mut poisoned = false;
        for structure in block.body.iter() {
            match structure {
                Structure::Attribute(attribute) => match attribute.key.as_str() {
                    "for_each" => for_each = Some(&attribute.value),
                    "labels" => labels = Some(&attribute.value),
                    "iterator" => match &attribute.value {
                        Expression::Variable(name) => iterator = Some(name.as_str()),
                        other => {
                            let at = expression_span(source, other, whole);
                            self.bad_dynamic(at, "the iterator is a name without quotes");
                            poisoned = true;
                        }
                    },
                    _ => {
                        let at = place(source, &attribute.key, whole);
                        self.bad_dynamic(at, "not part of a dynamic block: attributes of the blocks go into `content`");
                        poisoned = true;
                    }
                },
                Structure::Block(inner) if inner.ident.as_str() == "content" => {
                    if content.replace(inner).is_some() {
                        let at = place(source, &inner.ident, whole);
                        self.bad_dynamic(at, "a second `content` block");
                        poisoned = true;
                    }
                }
                Structure::Block(inner) => {
                    let at = place(source, &inner.ident, whole);
                    self.bad_dynamic(at, "not part of a dynamic block: blocks go into `content`");
                    poisoned = true;
                }
            }
        }
        let (Some(for_each), Some(content)) = (for_each, content) else {
            return Err(self.bad_dynamic(whole, "`for_each` and `content` are needed"));
        };
        if poisoned {
            return Err(Poisoned);
        }
        let at = expression_span(source, for_each, whole);
        let collection = self.evaluate(for_each, scope)?;
        let (entries, marked) = self.entries(&collection, at)?;
        if marked {
            return Err(self.fail(
                Diagnostic::error(
                    codes::SENSITIVE_KEY,
                    "Sensitive value where it would be shown",
                )
                .at(at, "how many blocks there are is shown by every plan"),
            ));
        }
        let iterator = iterator.unwrap_or(kind.as_str());
        for (key, value) in entries {
            let element: IndexMap<Arc<str>, Value> =
                [(Arc::from("key"), key), (Arc::from("value"), value)]
                    .into_iter()
                    .collect();
            let frame = Frame {
                parent: scope.frame,
                names: vec![(iterator, Value::from(element))],
            };
            let inner = Scope {
                frame: Some(&frame),
                ..scope
            };
            let labels = match labels {
                None => Vec::new(),
                Some(labels) => self.dynamic_labels(labels, inner, whole)?,
            };
            let kind = Spanned {
                value: kind.as_str().to_owned(),
                span: kind_at,
            };
            out.push(self.body(&content.body, kind, labels, inner, place_of)?);
        }
        Ok(())
    }

    fn dynamic_labels(
        &mut self,
        expression: &Expression,
        scope: Scope<'_>,
        whole: Span,
    ) -> Eval<Vec<Spanned<String>>> {
        let at = expression_span(scope.source, expression, whole);
        let value = self.evaluate(expression, scope)?;
        let bad = |evaluator: &mut Evaluator, label: &'static str| {
            Err(evaluator
                .fail(Diagnostic::error(codes::BAD_LABEL, "Label cannot be used").at(at, label)))
        };
        let (Value::List(items) | Value::Set(items)) = &value else {
            return bad(self, "labels are a list of strings");
        };
        let mut labels = Vec::with_capacity(items.len());
        for item in items.iter() {
            if item.is_sensitive() {
                return bad(
                    self,
                    "a label is shown by every plan, and this one is sensitive",
                );
            }
            match convert::to_text(item) {
                Some(text) => labels.push(Spanned {
                    value: text.into_owned(),
                    span: at,
                }),
                None => return bad(self, "labels are strings"),
            }
        }
        Ok(labels)
    }

    fn bad_dynamic(&mut self, at: Span, label: &'static str) -> Poisoned {
        self.fail(
            Diagnostic::error(codes::BAD_DYNAMIC, "dynamic block written wrongly")
                .at(at, label)
                .help("write dynamic \"kind\" { for_each = …, content { … } } with each part on a line of its own."),
        )
    }
}

/// Why a key cannot be part of an address.
fn wrong_key(key: &str) -> Option<&'static str> {
    if key.is_empty() {
        return Some("is empty");
    }
    if key.chars().count() > 128 {
        return Some("has more than 128 characters");
    }
    let is_wrong = |c: char| {
        c.is_control() || c.is_whitespace() || matches!(c, '"' | '/' | '\\' | '[' | ']' | '*' | '?')
    };
    key.chars()
        .any(is_wrong)
        .then_some("holds white space or one of / \\ [ ] * ? \"")
}
