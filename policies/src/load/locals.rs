//! `locals`: collected over all files, ordered by what they need, evaluated once each.

use std::sync::Arc;

use hcl::edit::expr::Expression;
use hcl::edit::structure::{Block, Structure};
use indexmap::IndexMap;

use super::evaluate::{Evaluator, Scope, mentions};
use super::syntax::{expression_span, place, span};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::source::{SourceId, Span};

/// One local value.
struct Local<'b> {
    name_at: Span,
    source: SourceId,
    expression: &'b Expression,
}

/// Collects and evaluates all `locals` blocks.
pub(crate) fn evaluate_locals(evaluator: &mut Evaluator, blocks: &[(SourceId, &Block)]) {
    let mut locals: IndexMap<Arc<str>, Local<'_>> = IndexMap::new();
    for (source, block) in blocks {
        let whole = place(*source, &block.ident, span(*source, 0, 0));
        if let Some(label) = block.labels.first() {
            evaluator.fail(
                Diagnostic::error(codes::SYNTAX, "Label that is not taken")
                    .at(place(*source, label, whole), "`locals` takes no label"),
            );
        }
        for structure in block.body.iter() {
            match structure {
                Structure::Attribute(attribute) => {
                    let name: Arc<str> = attribute.key.as_str().into();
                    let name_at = place(*source, &attribute.key, whole);
                    if let Some(first) = locals.get(&name) {
                        let first_at = first.name_at;
                        evaluator.fail(
                            Diagnostic::error(codes::DUPLICATE_LOCAL, "Local set twice")
                                .at(name_at, "set again here")
                                .at(first_at, "set here first")
                                .help("remove one of the two."),
                        );
                        continue;
                    }
                    locals.insert(
                        name,
                        Local {
                            name_at,
                            source: *source,
                            expression: &attribute.value,
                        },
                    );
                }
                Structure::Block(inner) => {
                    let at = place(*source, &inner.ident, whole);
                    evaluator.fail(
                        Diagnostic::error(codes::ATTRIBUTE_AND_BLOCK, "Block inside of locals")
                            .at(at, "`locals` takes attributes only")
                            .help(format!("write `{} = {{ … }}`.", inner.ident.as_str())),
                    );
                }
            }
        }
    }
    for name in locals.keys() {
        evaluator.names.locals.insert(name.clone(), None);
    }
    for name in order(evaluator, &locals) {
        let Some(local) = locals.get(&name) else {
            continue;
        };
        let at = expression_span(local.source, local.expression, local.name_at);
        let value = evaluator
            .evaluate(local.expression, Scope::top(local.source))
            .ok()
            .and_then(|value| {
                let result = evaluator.meter.weigh(&value);
                evaluator.bounded(result, at).ok().map(|_| value)
            });
        evaluator.names.locals.insert(name, value);
    }
}

/// The names in an order in which each comes after what it needs; those in a circle are reported and left out.
fn order(evaluator: &mut Evaluator, locals: &IndexMap<Arc<str>, Local<'_>>) -> Vec<Arc<str>> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Open,
        Done,
    }
    let needs: Vec<Vec<usize>> = locals
        .values()
        .map(|local| {
            mentions(local.expression)
                .locals
                .iter()
                .filter_map(|name| locals.get_index_of(name.as_str()))
                .collect()
        })
        .collect();
    let mut states = vec![State::New; locals.len()];
    let mut in_cycle = vec![false; locals.len()];
    let mut ordered = Vec::with_capacity(locals.len());
    let mut reported = 0;
    for start in 0..locals.len() {
        if states[start] != State::New {
            continue;
        }
        // An explicit stack: a chain of locals may be as long as a file.
        let mut stack = vec![(start, 0usize)];
        states[start] = State::Open;
        while let Some((node, next)) = stack.last_mut() {
            let node = *node;
            match needs[node].get(*next).copied() {
                Some(need) => {
                    *next += 1;
                    match states[need] {
                        State::New => {
                            states[need] = State::Open;
                            stack.push((need, 0));
                        }
                        // What is left of a hopeless file is not looked at: finding each circle costs its length.
                        State::Open if reported >= 20 || (in_cycle[node] && in_cycle[need]) => {
                            in_cycle[node] = true;
                        }
                        State::Open => {
                            let from = stack
                                .iter()
                                .position(|(node, _)| *node == need)
                                .unwrap_or(0);
                            let cycle: Vec<usize> =
                                stack[from..].iter().map(|(node, _)| *node).collect();
                            let is_new = cycle.iter().any(|node| !in_cycle[*node]);
                            for node in &cycle {
                                in_cycle[*node] = true;
                            }
                            if is_new {
                                reported += 1;
                                report_cycle(evaluator, locals, &cycle);
                            }
                        }
                        State::Done => {}
                    }
                }
                None => {
                    states[node] = State::Done;
                    ordered.push(node);
                    stack.pop();
                }
            }
        }
    }
    ordered
        .into_iter()
        .filter(|node| !in_cycle[*node])
        .filter_map(|node| locals.get_index(node).map(|(name, _)| name.clone()))
        .collect()
}

fn report_cycle(
    evaluator: &mut Evaluator,
    locals: &IndexMap<Arc<str>, Local<'_>>,
    cycle: &[usize],
) {
    let mut diagnostic = Diagnostic::error(codes::CYCLE, "Values that need each other");
    let name = |node: usize| locals.get_index(node).map_or("", |(name, _)| name.as_ref());
    // A circle of thousands is shown by its first steps.
    for (n, node) in cycle.iter().enumerate().take(10) {
        let next = cycle.get((n + 1) % cycle.len()).copied().unwrap_or(*node);
        let Some((_, local)) = locals.get_index(*node) else {
            continue;
        };
        let label = if cycle.len() == 1 {
            format!("`local.{}` needs itself", name(*node))
        } else {
            format!("`local.{}` needs `local.{}`", name(*node), name(next))
        };
        diagnostic = diagnostic.at(local.name_at, label);
    }
    if cycle.len() > 10 {
        diagnostic = diagnostic.why(format!("The circle has {} values.", cycle.len()));
    }
    evaluator.fail(diagnostic.help("break the circle at one of them."));
}
