//! Which metrics to ask for, of whom, and how far back. Pure: a group and a time in, requests out.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tideform_policies::model::{Group, MetricSource, Name, ProviderAddress, Rule, Scope};
use tideform_provider::MetricRequest;

use crate::engine::{freshness, reach};

/// One metric of one group, and the provider that is asked for it.
#[derive(Clone, Debug, PartialEq)]
pub struct SourcedRequest {
    /// The metric's name in the group.
    pub metric: Name,
    /// Who is asked: the source of the metric, or the group's own provider.
    pub provider: ProviderAddress,
    /// What is asked.
    pub request: MetricRequest,
}

/// The requests that a decision about `group` at `now` needs, in the order of its metrics.
///
/// Formulas ask for nothing themselves: their inputs reach back as far as the formula must.
pub fn requests_for(group: &Group, now: Timestamp) -> Vec<SourcedRequest> {
    let spans = reach(group);
    group
        .policy
        .metrics
        .iter()
        .filter_map(|metric| {
            let MetricSource::Query(query) = &metric.source else {
                return None;
            };
            let span = spans
                .get(&metric.name)
                .copied()
                .unwrap_or_else(|| freshness(metric));
            let is_own = query
                .provider
                .as_ref()
                .is_none_or(|provider| *provider == group.provider);
            Some(SourcedRequest {
                metric: metric.name.clone(),
                provider: query
                    .provider
                    .clone()
                    .unwrap_or_else(|| group.provider.clone()),
                request: MetricRequest {
                    resource: Some(group.resource.clone()),
                    query: query.clone(),
                    statistic: metric.statistic,
                    period: metric.period,
                    from: before(now, span),
                    to: now,
                    per_instance: is_own
                        && metric.scope == Scope::Instance
                        && matches!(metric.rule, Some(Rule::Track(_))),
                },
            })
        })
        .collect()
}

/// `now - span`, stopping at the earliest timestamp there is.
pub(crate) fn before(now: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span)
        .ok()
        .and_then(|span| now.checked_sub(span).ok())
        .unwrap_or(Timestamp::MIN)
}

/// `now + span`, stopping at the latest timestamp there is.
pub(crate) fn after(now: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span)
        .ok()
        .and_then(|span| now.checked_add(span).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::testing::tracking_group;
    use serde_json::json;

    fn spans(edit: impl FnOnce(&mut serde_json::Value)) -> Vec<(String, u64)> {
        let mut value = serde_json::to_value(tracking_group("web")).unwrap();
        edit(&mut value);
        let group: Group = serde_json::from_value(value).unwrap();
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        requests_for(&group, now)
            .into_iter()
            .map(|sourced| {
                assert_eq!(sourced.request.to, now);
                let span = now.duration_since(sourced.request.from);
                (sourced.metric.to_string(), span.as_secs().unsigned_abs())
            })
            .collect()
    }

    fn only(span: u64) -> Vec<(String, u64)> {
        vec![("cpu".to_owned(), span)]
    }

    #[test]
    fn a_metric_is_read_as_far_back_as_its_rules_look() {
        assert_eq!(spans(|_| {}), only(180), "three periods");
        assert_eq!(
            spans(|g| g["policy"]["metrics"][0]["delay_s"] = json!(120)),
            only(300),
            "and the delay"
        );
        let last =
            |g: &mut serde_json::Value| g["policy"]["metrics"][0]["on_missing"] = json!("last");
        assert_eq!(spans(last), only(900), "the newest sample up to its age");
        let steps = json!({ "steps": [{ "when": { "above": { "from": 1.0, "to": null } }, "adjustment": { "add": 1 } }] });
        let breach = |breach: serde_json::Value| {
            let steps = steps.clone();
            move |g: &mut serde_json::Value| {
                g["policy"]["metrics"][0]["rule"] = steps;
                g["policy"]["metrics"][0]["breach"] = breach;
            }
        };
        assert_eq!(spans(breach(json!({ "for": 600 }))), only(780));
        assert_eq!(
            spans(breach(json!({ "of": { "breaching": 3, "periods": 5 } }))),
            only(480)
        );
    }

    #[test]
    fn what_a_guard_or_a_formula_looks_at_is_read_as_far_back_as_it_must() {
        let guard = |g: &mut serde_json::Value| {
            let expression =
                json!({ "binary": ["greater", { "metric": "cpu" }, { "number": 90.0 }] });
            g["policy"]["guards"] = json!([{
                "name": "hot", "when": { "text": "metric.cpu > 90", "expression": expression },
                "breach": { "for": 300 }, "effect": { "block": "scale_in" }, "release_s": 600,
            }]);
        };
        assert_eq!(spans(guard), only(1080), "until it lets go");
        let formula = |g: &mut serde_json::Value| {
            let mut double = g["policy"]["metrics"][0].clone();
            double["name"] = json!("double");
            double["source"] = json!({ "formula": {
                "text": "metric.cpu * 2",
                "expression": { "binary": ["multiply", { "metric": "cpu" }, { "number": 2.0 }] },
            } });
            double["period_s"] = json!(300);
            g["policy"]["metrics"].as_array_mut().unwrap().push(double);
        };
        assert_eq!(
            spans(formula),
            only(900),
            "the formula itself is not asked for"
        );
    }

    #[test]
    fn instances_are_asked_for_where_their_samples_are_used() {
        let group = tracking_group("web");
        let requests = requests_for(&group, Timestamp::UNIX_EPOCH);
        assert!(requests[0].request.per_instance);
        assert_eq!(requests[0].provider, group.provider);
        let mut value = serde_json::to_value(&group).unwrap();
        value["policy"]["metrics"][0]["source"]["query"]["provider"] =
            json!({ "kind": "prometheus" });
        let elsewhere: Group = serde_json::from_value(value).unwrap();
        let requests = requests_for(&elsewhere, Timestamp::UNIX_EPOCH);
        assert!(
            !requests[0].request.per_instance,
            "another source does not know our instances"
        );
        assert_eq!(requests[0].provider.to_string(), "provider.prometheus");
    }
}
