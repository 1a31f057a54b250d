//! `metric` blocks, with their rules.

use super::context::Context;
use super::read::{self, Amount};
use crate::defaults;
use crate::layers::{Merged, plain};
use crate::model::{
    Adjustment, Breach, Metric, MetricQuery, MetricSource, OnMissing, Rule, Scope, Statistic, Step,
    StepBound, Track,
};
use crate::value::{Address, Value};

/// A metric; what was reported in it is left out or has its default.
pub(crate) fn metric(block: &Merged<'_>, cx: &Context) -> Metric {
    let name = block.label_name();
    let source = match block.formula("value", cx) {
        Some(formula) => MetricSource::Formula(formula),
        None => MetricSource::Query(MetricQuery {
            provider: match block.known("source", cx).map(plain) {
                Some(Value::Address(Address::Provider(address))) => Some(address.clone()),
                _ => None,
            },
            name: block.text("name", cx).unwrap_or_else(|| name.to_string()),
            namespace: block.text("namespace", cx),
            dimensions: block
                .known("dimensions", cx)
                .and_then(|value| read::text_map(value).ok())
                .unwrap_or_default()
                .into_iter()
                .collect(),
            query: block.text("query", cx),
        }),
    };
    Metric {
        source,
        statistic: block
            .known("statistic", cx)
            .and_then(|value| read::statistic(value).ok())
            .unwrap_or(Statistic::Average),
        period: block.duration_or("period", defaults::PERIOD, cx),
        delay: block.duration_or("delay", defaults::DELAY, cx),
        on_missing: match block.known("on_missing", cx).map(plain) {
            Some(Value::Number(n)) => OnMissing::Value(n.as_f64()),
            Some(Value::String(text)) => match &**text {
                "last" => OnMissing::Last,
                "scale_out" => OnMissing::ScaleOut,
                _ => OnMissing::Hold,
            },
            _ => OnMissing::Hold,
        },
        max_age: block.duration_or("max_age", defaults::MAX_AGE, cx),
        scope: match block.word("scope", &["instance", "group", "shared"], cx) {
            Some("group") => Scope::Group,
            Some("shared") => Scope::Shared,
            _ => Scope::Instance,
        },
        weight: block.number_or("weight", defaults::WEIGHT, cx),
        threshold: block.number("threshold", cx),
        initialization: block.duration("initialization", cx),
        rule: rule(block, cx),
        breach: breach(block, cx),
        max_add: block.count("max_add", cx),
        max_remove: block.count("max_remove", cx),
        name,
    }
}

/// The `breach` of a metric or a guard.
pub(crate) fn breach(block: &Merged<'_>, cx: &Context) -> Breach {
    block
        .known("breach", cx)
        .and_then(|value| read::breach(value).ok())
        .unwrap_or(Breach::Now)
}

fn rule(block: &Merged<'_>, cx: &Context) -> Option<Rule> {
    if let Some(track) = block.block("track") {
        let tolerance = track.share_or("tolerance", defaults::TOLERANCE, cx);
        return Some(Rule::Track(Track {
            target: read::target(track.known("target", cx)?).ok()?,
            tolerance_out: track.share("tolerance_out", cx).unwrap_or(tolerance),
            tolerance_in: track.share("tolerance_in", cx).unwrap_or(tolerance),
        }));
    }
    if block.boolean("want", cx) == Some(true) {
        return Some(Rule::Want);
    }
    let steps = steps(block, cx);
    (!steps.is_empty()).then_some(Rule::Steps(steps))
}

/// The steps of a metric: first those above, rising, then those below, falling, then the bands, rising. Those above
/// and below reach to the next one, where they do not end before.
fn steps(block: &Merged<'_>, cx: &Context) -> Vec<Step> {
    let mut above: Vec<(f64, Step)> = Vec::new();
    let mut below: Vec<(f64, Step)> = Vec::new();
    let mut bands: Vec<(f64, Step)> = Vec::new();
    for step in block.blocks_of("step") {
        let Some(adjustment) = adjustment(step, cx) else {
            continue;
        };
        let min_adjustment = step.count("min_adjustment", cx);
        let make = |when| Step {
            when,
            adjustment,
            min_adjustment,
        };
        let (from, to) = (step.number("from", cx), step.number("to", cx));
        match (step.number("above", cx), step.number("below", cx), from, to) {
            (Some(from), None, None, to) => {
                above.push((from, make(StepBound::Above { from, to })));
            }
            (None, Some(from), None, to) => {
                below.push((from, make(StepBound::Below { from, to })));
            }
            (None, None, Some(_), _) | (None, None, None, Some(_)) => {
                let low = from.unwrap_or(f64::NEG_INFINITY);
                bands.push((low, make(StepBound::Band { from, to })));
            }
            _ => {}
        }
    }
    bands.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    above.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    below.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let bounded = |list: Vec<(f64, Step)>| -> Vec<Step> {
        let bounds: Vec<f64> = list.iter().map(|(from, _)| *from).collect();
        list.into_iter()
            .enumerate()
            .map(|(i, (_, mut step))| {
                let next = bounds.get(i + 1).copied();
                match &mut step.when {
                    StepBound::Above { to, .. } | StepBound::Below { to, .. } => {
                        *to = to.or(next);
                    }
                    StepBound::Band { .. } => {}
                }
                step
            })
            .collect()
    };
    let mut steps = bounded(above);
    steps.extend(bounded(below));
    steps.extend(bands.into_iter().map(|(_, step)| step));
    steps
}

fn adjustment(step: &Merged<'_>, cx: &Context) -> Option<Adjustment> {
    if let Some(amount) = step.adjustment("add", cx) {
        return Some(match amount {
            Amount::Count(n) => Adjustment::Add(n),
            Amount::Share(share) => Adjustment::AddShare(share),
        });
    }
    if let Some(amount) = step.adjustment("remove", cx) {
        return Some(match amount {
            Amount::Count(n) => Adjustment::Remove(n),
            Amount::Share(share) => Adjustment::RemoveShare(share),
        });
    }
    step.count("set", cx).map(Adjustment::Set)
}
