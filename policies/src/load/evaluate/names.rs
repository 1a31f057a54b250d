//! What names mean: `var.x`, `local.x`, `each.key`, references to blocks.

use std::sync::Arc;

use hcl::edit::expr::{Expression, Traversal, TraversalOperator};

use super::{Allowed, Eval, Evaluator, Keys, Poisoned, Scope};
use crate::codes;
use crate::diagnostic::{Code, Diagnostic};
use crate::load::syntax::{expression_span, place};
use crate::model::{GroupAddress, ProviderAddress};
use crate::source::Span;
use crate::value::{Address, Value};

/// The names that begin a reference.
const ROOTS: [&str; 8] = [
    "var", "local", "each", "provider", "policy", "group", "metric", "self",
];

impl Evaluator {
    /// A bare word.
    pub(super) fn variable(&mut self, name: &str, scope: Scope<'_>, here: Span) -> Eval {
        if let Some(value) = scope.find(name) {
            return Ok(value.clone());
        }
        if ROOTS.contains(&name) {
            return Err(self.fail(
                Diagnostic::error(codes::INCOMPLETE_REFERENCE, "Incomplete reference")
                    .at(here, "a name follows after a dot")
                    .help(format!("write `{name}.NAME`.")),
            ));
        }
        Err(self.unknown_word(name, false, scope, here))
    }

    fn unknown_word(
        &mut self,
        name: &str,
        is_dotted: bool,
        scope: Scope<'_>,
        at: Span,
    ) -> Poisoned {
        let frame_names = scope.frame_names();
        let known = frame_names.iter().copied();
        let roots: &[&str] = if is_dotted { &ROOTS } else { &[] };
        let near = self
            .near(name, known.chain(roots.iter().copied()))
            .map(str::to_owned);
        let diagnostic =
            Diagnostic::error(codes::UNKNOWN_NAME, "Unknown name").at(at, "no such name here");
        let help = if let Some(near) = near {
            format!("did you mean `{near}`?")
        } else if self.names.variables.contains_key(name) {
            format!("a variable is `var.{name}`.")
        } else if self.names.locals.contains_key(name) {
            format!("a local value is `local.{name}`.")
        } else if is_dotted {
            format!(
                "references begin with {}.",
                ROOTS.map(|r| format!("`{r}`")).join(", ")
            )
        } else {
            format!("text stands in quotes: \"{name}\".")
        };
        self.fail(diagnostic.help(help))
    }

    /// The reference at the start of a traversal: its value, and how many operators belong to it. `None` where the
    /// traversal starts with something else.
    pub(super) fn reference(
        &mut self,
        traversal: &Traversal,
        scope: Scope<'_>,
        here: Span,
    ) -> Eval<Option<(Value, usize)>> {
        let Expression::Variable(root) = &traversal.expr else {
            return Ok(None);
        };
        if scope.find(root.as_str()).is_some() {
            return Ok(None);
        }
        let root_name = root.as_str();
        let root_at = place(scope.source, root, here);
        if !ROOTS.contains(&root_name) {
            return Err(self.unknown_word(root_name, true, scope, root_at));
        }
        if let "metric" | "self" = root_name {
            return Err(self.fail(
                Diagnostic::error(
                    codes::METRIC_OUTSIDE,
                    "metric or self outside of a formula",
                )
                .at(here, "known only when a decision is made")
                .help("`metric.*` and `self.*` may stand in a metric's `value`, a guard's `when`, and a test's `always` and `never`."),
            ));
        }
        let name_of = |operator: Option<&hcl::edit::Decorated<TraversalOperator>>| match operator
            .map(|operator| operator.value())
        {
            Some(TraversalOperator::GetAttr(name)) => Some(name.as_str().to_owned()),
            Some(TraversalOperator::Index(Expression::String(text))) => {
                Some(text.as_str().to_owned())
            }
            _ => None,
        };
        let operators = &traversal.operators;
        let Some(name) = name_of(operators.first()) else {
            return Err(self.fail(
                Diagnostic::error(codes::INCOMPLETE_REFERENCE, "Incomplete reference")
                    .at(here, format!("a name follows after `{root_name}.`")),
            ));
        };
        let name_at = operators
            .first()
            .map_or(here, |operator| place(scope.source, operator, here));
        self.check_allowed(root_name, scope, here)?;
        match root_name {
            "var" => match self.names.variables.get(name.as_str()) {
                Some(Some(value)) => Ok(Some((value.clone(), 1))),
                Some(None) => Err(Poisoned),
                None => {
                    let near = self
                        .near(&name, self.names.variables.keys().map(|k| &**k))
                        .map(|near| format!("did you mean `var.{near}`?"));
                    let help =
                        near.unwrap_or_else(|| format!("declare it: variable \"{name}\" {{}}"));
                    Err(self.unknown(
                        codes::UNKNOWN_VARIABLE,
                        "Unknown variable",
                        name_at,
                        "no `variable` block declares it",
                        help,
                    ))
                }
            },
            "local" => match self.names.locals.get(name.as_str()) {
                Some(Some(value)) => Ok(Some((value.clone(), 1))),
                Some(None) => Err(Poisoned),
                None => {
                    let near = self
                        .near(&name, self.names.locals.keys().map(|k| &**k))
                        .map(|near| format!("did you mean `local.{near}`?"));
                    let help = near.unwrap_or_else(|| format!("set it: locals {{ {name} = … }}"));
                    Err(self.unknown(
                        codes::UNKNOWN_LOCAL,
                        "Unknown local",
                        name_at,
                        "no `locals` block sets it",
                        help,
                    ))
                }
            },
            "each" => {
                let Some(each) = scope.each else {
                    return Err(self.fail(
                        Diagnostic::error(codes::EACH_OUTSIDE, "each outside of for_each")
                            .at(here, "there is no `for_each` around this")
                            .help("give the group a `for_each`; inside `dynamic \"step\"` the element is `step.value`."),
                    ));
                };
                match name.as_str() {
                    "key" => Ok(Some((each.key.clone(), 1))),
                    "value" => Ok(Some((each.value.clone(), 1))),
                    _ => Err(self.unknown(
                        codes::UNKNOWN_NAME,
                        "Unknown name",
                        name_at,
                        "not a name of `each`",
                        "`each` has `key` and `value`.".to_owned(),
                    )),
                }
            }
            "provider" => self
                .provider(&name, name_of(operators.get(1)), name_at, scope)
                .map(Some),
            "policy" => {
                if scope.is_lenient || self.names.policies.contains(name.as_str()) {
                    return Ok(Some((Value::Address(Address::Policy(name.into())), 1)));
                }
                let near = self
                    .near(&name, self.names.policies.iter().map(|k| &**k))
                    .map(|near| format!("did you mean `policy.{near}`?"));
                let help = near.unwrap_or_else(|| {
                    format!("there is no block policy \"{name}\" in this directory.")
                });
                Err(self.unknown(
                    codes::UNKNOWN_ADDRESS,
                    "Unknown reference",
                    name_at,
                    "no such policy",
                    help,
                ))
            }
            _ => self
                .group(&name, operators.get(1), name_at, scope)
                .map(Some),
        }
    }

    fn check_allowed(&mut self, root: &str, scope: Scope<'_>, at: Span) -> Eval<()> {
        let code = if scope.allowed == Allowed::ValuesFile {
            codes::NOT_A_VALUES_FILE
        } else {
            codes::BAD_VARIABLE_BLOCK
        };
        let (why, help) = match scope.allowed {
            Allowed::All => return Ok(()),
            Allowed::Variables if root == "var" => return Ok(()),
            Allowed::Variables => (
                "a validation may use variables only",
                "compare with a constant, or with another variable.",
            ),
            Allowed::ValuesFile => (
                "a file of variables holds constants",
                "a value that is calculated from others is a local: `locals { … }`.",
            ),
            Allowed::Nothing(why) => (
                why,
                "a value that is calculated from others is a local: `locals { … }`.",
            ),
        };
        Err(self.fail(
            Diagnostic::error(code, "Name that cannot be used here")
                .at(at, why)
                .help(help),
        ))
    }

    fn unknown(
        &mut self,
        code: Code,
        summary: &'static str,
        at: Span,
        label: &'static str,
        help: String,
    ) -> Poisoned {
        self.fail(Diagnostic::error(code, summary).at(at, label).help(help))
    }

    fn provider(
        &mut self,
        kind: &str,
        alias: Option<String>,
        at: Span,
        scope: Scope<'_>,
    ) -> Eval<(Value, usize)> {
        let address = |alias: Option<Arc<str>>| {
            Value::Address(Address::Provider(ProviderAddress {
                kind: kind.into(),
                alias,
            }))
        };
        if scope.is_lenient {
            return Ok((address(None), 1));
        }
        let Some(aliases) = self.names.providers.get(kind) else {
            let near = self
                .near(kind, self.names.providers.keys().map(|k| &**k))
                .map(|near| format!("did you mean `provider.{near}`?"));
            let help = near.unwrap_or_else(|| format!("declare it: provider \"{kind}\" {{}}"));
            return Err(self.unknown(
                codes::UNKNOWN_ADDRESS,
                "Unknown reference",
                at,
                "no such provider",
                help,
            ));
        };
        if let Some(alias) = alias {
            let alias: Arc<str> = alias.into();
            if aliases.contains(&Some(alias.clone())) {
                return Ok((address(Some(alias)), 2));
            }
            let known: Vec<&str> = aliases.iter().flatten().map(|a| &**a).collect();
            let help = match self.near(&alias, known.iter().copied()) {
                Some(near) => format!("did you mean `provider.{kind}.{near}`?"),
                None => format!("declare it: provider \"{kind}\" \"{alias}\" {{}}"),
            };
            return Err(self.unknown(
                codes::UNKNOWN_ADDRESS,
                "Unknown reference",
                at,
                "no provider of this kind has that second name",
                help,
            ));
        }
        if aliases.contains(&None) {
            return Ok((address(None), 1));
        }
        let known: Vec<String> = aliases
            .iter()
            .flatten()
            .map(|alias| format!("`provider.{kind}.{alias}`"))
            .collect();
        Err(self.unknown(
            codes::UNKNOWN_ADDRESS,
            "Unknown reference",
            at,
            "each provider of this kind has a second name",
            format!("say which one: {}.", known.join(", ")),
        ))
    }

    fn group(
        &mut self,
        name: &str,
        key: Option<&hcl::edit::Decorated<TraversalOperator>>,
        at: Span,
        scope: Scope<'_>,
    ) -> Eval<(Value, usize)> {
        let key_at = key.map_or(at, |key| place(scope.source, key, at));
        let key: Option<Arc<str>> = match key.map(|key| key.value()) {
            None => None,
            Some(TraversalOperator::Index(expression)) => {
                let index_at = expression_span(scope.source, expression, key_at);
                let (key, marked) = self.key(expression, scope)?;
                if marked {
                    return Err(self.fail(
                        Diagnostic::error(
                            codes::SENSITIVE_KEY,
                            "Sensitive value where it would be shown",
                        )
                        .at(index_at, "a key is part of an address"),
                    ));
                }
                Some(key)
            }
            Some(TraversalOperator::GetAttr(name)) if scope.is_lenient => {
                Some(name.as_str().into())
            }
            Some(_) => None,
        };
        let used = 1 + usize::from(key.is_some());
        let address = |key: Option<Arc<str>>| {
            Value::Address(Address::Group(GroupAddress {
                name: name.into(),
                key,
            }))
        };
        if scope.is_lenient {
            return Ok((address(key), used));
        }
        let Some(keys) = self.names.groups.get(name) else {
            let near = self
                .near(name, self.names.groups.keys().map(|k| &**k))
                .map(|near| format!("did you mean `group.{near}`?"));
            let help = near.unwrap_or_else(|| {
                format!("there is no block group \"{name}\" in this directory.")
            });
            return Err(self.unknown(
                codes::UNKNOWN_ADDRESS,
                "Unknown reference",
                at,
                "no such group",
                help,
            ));
        };
        match (keys, key) {
            (Keys::Single, None) => Ok((address(None), used)),
            (Keys::Single, Some(_)) => Err(self.unknown(
                codes::GROUP_KEY,
                "Group takes no key",
                key_at,
                "this group has no `for_each`",
                format!("write `group.{name}`."),
            )),
            (Keys::Unknown, key) => Ok((address(key), used)),
            (Keys::Known(keys), Some(key)) => {
                if keys.contains(&key) {
                    return Ok((address(Some(key)), used));
                }
                let help = match self.near(&key, keys.iter().map(|k| &**k)) {
                    Some(near) => format!("did you mean `group.{name}[\"{near}\"]`?"),
                    None => some_keys(keys.iter()),
                };
                Err(self.unknown(
                    codes::UNKNOWN_ADDRESS,
                    "Unknown reference",
                    key_at,
                    "the group has no such key",
                    help,
                ))
            }
            (Keys::Known(keys), None) => {
                let help = match keys.first() {
                    Some(first) => format!(
                        "write `group.{name}[\"{first}\"]`. {}",
                        some_keys(keys.iter())
                    ),
                    None => "its `for_each` is empty: there is no such group now.".to_owned(),
                };
                Err(self.unknown(
                    codes::GROUP_KEY,
                    "Group needs a key",
                    at,
                    "this group has `for_each`: it is many",
                    help,
                ))
            }
        }
    }
}

/// A few keys, for a hint.
fn some_keys<'k>(keys: impl ExactSizeIterator<Item = &'k Arc<str>>) -> String {
    let count = keys.len();
    let shown: Vec<String> = keys.take(8).map(|key| format!("\"{key}\"")).collect();
    let more = count.saturating_sub(shown.len());
    match (count, more) {
        (0, _) => "it has no keys.".to_owned(),
        (_, 0) => format!("its keys are {}.", shown.join(", ")),
        (_, more) => format!("its keys are {} and {more} more.", shown.join(", ")),
    }
}
