//! Rules on the same measurement that pull in two directions, and growth that a capped metric slows.

use std::collections::HashMap;

use super::Subject;
use super::thresholds::round;
use crate::codes;
use crate::decode::Context;
use crate::diagnostic::Diagnostic;
use crate::model::{Adjustment, Metric, MetricSource, Rule, StepBound};
use crate::source::Span;

/// Where a metric's rule begins to want more, and where fewer.
struct Band {
    out_from: Option<f64>,
    in_to: Option<f64>,
}

fn band(metric: &Metric) -> Option<Band> {
    match metric.rule.as_ref()? {
        Rule::Track(track) => Some(Band {
            out_from: Some(track.target * (1.0 + track.tolerance_out.fraction())),
            in_to: Some(track.target * (1.0 - track.tolerance_in.fraction())),
        }),
        Rule::Steps(steps) => {
            let mut band = Band {
                out_from: None,
                in_to: None,
            };
            for step in steps {
                match (step.when, step.adjustment) {
                    (
                        StepBound::Above { from, .. },
                        Adjustment::Add(_) | Adjustment::AddShare(_),
                    ) => band.out_from = Some(band.out_from.map_or(from, |x| x.min(from))),
                    (
                        StepBound::Below { from, .. },
                        Adjustment::Remove(_) | Adjustment::RemoveShare(_),
                    ) => band.in_to = Some(band.in_to.map_or(from, |x| x.max(from))),
                    // A measurement that falls under load is used the other way round.
                    _ => {}
                }
            }
            Some(band)
        }
        Rule::Want => None,
    }
}

/// Two metrics with the same source whose bands overlap the wrong way round.
pub(super) fn check(subject: &Subject<'_>, cx: &mut Context) {
    if subject
        .policy
        .metrics
        .iter()
        .filter(|m| m.rule.is_some())
        .count()
        < 2
    {
        return;
    }
    let mut by_source: HashMap<String, Vec<(&Metric, Band)>> = HashMap::new();
    for metric in &subject.policy.metrics {
        let Some(band) = band(metric) else { continue };
        // The text of what is asked for; two that ask alike measure alike.
        let key = match &metric.source {
            MetricSource::Query(query) => {
                format!("{query:?} {:?} {:?}", metric.statistic, metric.scope)
            }
            MetricSource::Formula(formula) => format!("{} {:?}", formula.text, metric.scope),
        };
        by_source.entry(key).or_default().push((metric, band));
    }
    for list in by_source.values().filter(|list| list.len() > 1) {
        // The lowest point of growing against the highest of shrinking, of two different metrics.
        // Of a generated file with thousands of metrics on one measurement, some are enough.
        for (a, a_band) in list.iter().take(100) {
            let Some(out_from) = a_band.out_from else {
                continue;
            };
            let rival = list
                .iter()
                .filter(|(b, _)| b.name != a.name)
                .filter_map(|(b, band)| Some((b, band.in_to?)))
                .max_by(|(_, x), (_, y)| x.total_cmp(y));
            if let Some((b, in_to)) = rival
                && in_to > out_from
            {
                let place = |metric: &Metric| -> Span {
                    subject
                        .labelled("metric", &metric.name)
                        .map_or(subject.body.span, |block| block.span)
                };
                cx.push(
                    Diagnostic::warning(codes::FIGHT, "Metrics that fight")
                        .at(place(b), format!("wants fewer below {}", round(in_to)))
                        .at(place(a), format!("wants more above {}", round(out_from)))
                        .why(format!(
                            "Both read the same measurement, and between {} and {} they want opposite things.",
                            round(out_from),
                            round(in_to)
                        ))
                        .help("write both rules into one metric, or move one of the thresholds"),
                );
            }
        }
    }
}

/// A group whose only rules track metrics that cannot show more than 100 %, and that cannot double with one decision.
/// What the cloud's own policies make of such a metric, the cloud decides.
pub(super) fn check_capped(subject: &Subject<'_>, cx: &mut Context) {
    let mut slowest: Option<(&Metric, f64)> = None;
    for metric in &subject.policy.metrics {
        match &metric.rule {
            None => {}
            Some(Rule::Track(track)) if subject.is_capped(metric) => {
                let this = (metric, track.target);
                slowest = match slowest {
                    Some(other) if other.1 <= this.1 => Some(other),
                    _ => Some(this),
                };
            }
            Some(_) => return,
        }
    }
    // With a forecast the load is known by other means.
    let Some((metric, target)) = slowest.filter(|_| subject.policy.forecast.is_none()) else {
        return;
    };
    if subject.is_native || target <= 50.0 {
        return;
    }
    let percent = (100.0 * (100.0 / target - 1.0)).round();
    let track = subject
        .labelled("metric", &metric.name)
        .and_then(|block| block.block("track"));
    let place = track.map_or(subject.body.span, |track| track.span_of("target"));
    cx.push(
        Diagnostic::warning(codes::CAPPED, "Growth limited by a capped metric")
            .at(
                place,
                format!("at most {percent} % more a decision, whatever the load"),
            )
            .help("also track the load, as `requests_per_instance`"),
    );
}
