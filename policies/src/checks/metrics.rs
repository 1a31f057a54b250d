//! Names of metrics: unknown ones, formulas that need each other, queries without a source for them.

use std::collections::HashMap;

use super::Subject;
use crate::codes;
use crate::decode::{Context, metric_names, unknown_metric};
use crate::diagnostic::Diagnostic;
use crate::layers::Merged;

/// What providers measure by themselves, so that `instance.load` may name it without a block.
const MEASURED: &[&str] = &[
    "cpu",
    "memory",
    "requests",
    "requests_per_instance",
    "queue_depth",
    "error_rate",
    "latency",
    "network_in",
    "network_out",
    "load",
];

pub(super) fn check(subject: &Subject<'_>, cx: &mut Context) {
    let body = subject.body;
    let is_known = |name: &str| subject.labelled("metric", name).is_some();
    for block in &body.blocks {
        let attribute = match block.kind {
            "metric" => block.get("value"),
            "guard" => block.get("when"),
            _ => None,
        };
        for mention in attribute.map_or(&[][..], |a| &a.mentions) {
            if !is_known(&mention.value) {
                let problem = unknown_metric(mention.span, &mention.value, metric_names(body), cx);
                cx.push(problem);
            }
        }
        if block.kind == "metric" {
            query(subject, block, cx);
        }
    }
    if let Some(forecast) = body.block("forecast")
        && let Some(name) = forecast.name("metric", cx)
        && !is_known(&name)
    {
        let problem = unknown_metric(forecast.span_of("metric"), &name, metric_names(body), cx);
        cx.push(problem);
    }
    if let Some(instance) = body.block("instance")
        && let Some(name) = instance.name("load", cx)
        && !MEASURED.contains(&&*name)
        && !is_known(&name)
    {
        let all = metric_names(body).chain(MEASURED.iter().copied());
        let problem = unknown_metric(instance.span_of("load"), &name, all, cx);
        cx.push(problem);
    }
    cycles(body, cx);
}

/// Prometheus needs a query; clouds take a name.
fn query(subject: &Subject<'_>, block: &Merged<'_>, cx: &mut Context) {
    let source = block.provider("source", cx);
    let kind = match (&source, block.get("source")) {
        (Some(address), _) => Some(&*address.kind),
        (None, None) => subject.provider.map(|address| &*address.kind),
        // The group's own by its word, or a source that was reported.
        (None, Some(_)) => block
            .text("source", cx)
            .and_then(|_| subject.provider.map(|address| &*address.kind)),
    };
    let report = |label: &'static str| {
        Diagnostic::error(codes::QUERY, "Query and source do not fit").at(
            block.span_of(if block.get("query").is_some() {
                "query"
            } else {
                "source"
            }),
            label,
        )
    };
    match (kind, block.get("query")) {
        (Some("prometheus"), None) => {
            cx.push(report("Prometheus needs a query").help("add query = \"sum(...)\""));
        }
        (Some("aws" | "mock"), Some(_)) => cx.push(
            report("this source takes no query")
                .help("name the metric, or set `source` to a provider that takes queries"),
        ),
        _ => {}
    }
}

/// Formulas of metrics that need each other.
fn cycles(body: &Merged<'_>, cx: &mut Context) {
    let formulas: HashMap<&str, &Merged<'_>> = body
        .blocks_of("metric")
        .filter(|block| block.get("value").is_some_and(|a| !a.mentions.is_empty()))
        .filter_map(|block| Some((block.label()?, block)))
        .collect();
    // Every formula is walked once; the path is held in a list of its own, so that depth costs no stack.
    let mut done: HashMap<&str, bool> = HashMap::new();
    let mut names: Vec<&str> = formulas.keys().copied().collect();
    names.sort_unstable();
    for start in names {
        if done.contains_key(start) {
            continue;
        }
        let mut path: Vec<(&str, usize)> = vec![(start, 0)];
        done.insert(start, false);
        while let Some((name, next)) = path.last_mut() {
            let mentions = formulas
                .get(name)
                .and_then(|block| block.get("value"))
                .map_or(&[][..], |attribute| &attribute.mentions);
            let Some(mention) = mentions.get(*next) else {
                done.insert(name, true);
                path.pop();
                continue;
            };
            *next += 1;
            let target = mention.value.as_str();
            match (formulas.get_key_value(target), done.get(target)) {
                (None, _) | (_, Some(true)) => {}
                (Some((target, _)), None) => {
                    done.insert(target, false);
                    path.push((target, 0));
                }
                (Some(_), Some(false)) => {
                    let circle: Vec<&str> = path
                        .iter()
                        .map(|(name, _)| *name)
                        .skip_while(|name| *name != target)
                        .collect();
                    let mut diagnostic =
                        Diagnostic::error(codes::METRIC_CYCLE, "Metrics that need each other").at(
                            mention.span,
                            if circle.len() == 1 {
                                "needs its own value".to_owned()
                            } else {
                                format!("{} -> {target}", circle.join(" -> "))
                            },
                        );
                    for name in circle.iter().take(circle.len().saturating_sub(1)).take(8) {
                        if let Some(block) = formulas.get(name) {
                            diagnostic = diagnostic.at(block.span_of("value"), format!("`{name}`"));
                        }
                    }
                    cx.push(diagnostic.help("break the circle at one of them"));
                }
            }
        }
    }
}
