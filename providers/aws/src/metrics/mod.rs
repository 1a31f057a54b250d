//! Reads metrics: 500 queries a GetMetricData call, all pages, the period still open left out.

mod counted;
pub(crate) mod names;
pub(crate) mod targets;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use aws_sdk_cloudwatch::types::{
    Dimension, Metric, MetricDataQuery, MetricStat, ScanBy, StatusCode,
};
use jiff::{SignedDuration, Timestamp};
use tideform_policies::model::Sample;
use tideform_provider::{
    ItemResult, Kept, MetricHistory, MetricRequest, MetricResponse, ProviderError,
};

use crate::client::Clients;
use crate::error::describe;
use crate::read::{ONE_BY_ONE, all, describe_groups};
use crate::times::{date_time, timestamp};
use names::{Asked, NotAsked, Series};
use targets::Target;

const REQUEST: &str = "cloudwatch:GetMetricData";
/// Most queries of one call. Source: Amazon CloudWatch API, GetMetricData.
const PER_CALL: usize = 500;

/// How long CloudWatch keeps metrics. Source: Amazon CloudWatch User Guide, "Metrics retention".
pub(crate) fn history() -> MetricHistory {
    const DAY: u64 = 86_400;
    let kept = [(60, 15), (300, 63), (3_600, 455)].map(|(period_s, days)| Kept {
        period: Duration::from_secs(period_s),
        age: Duration::from_secs(days * DAY),
    });
    MetricHistory {
        source: "CloudWatch".to_owned(),
        kept: kept.to_vec(),
        without_capacity: "let the group measure itself: `aws autoscaling enable-metrics-collection \
                           --auto-scaling-group-name NAME --granularity 1Minute --metrics GroupInServiceCapacity`"
            .to_owned(),
    }
}

/// Only a history is worth the calls for activities; a decision looks back some minutes.
const COUNTED_FROM: SignedDuration = SignedDuration::from_hours(24);

/// One query and the request that it is for.
struct Query {
    request: usize,
    /// Which part of the request: a percentage has two.
    part: usize,
    series: Series,
}

/// Reads all of them, in the order of the requests.
pub(crate) async fn read(
    clients: &Clients,
    requests: &[MetricRequest],
) -> Vec<ItemResult<MetricResponse>> {
    let targets = match find_targets(clients, requests).await {
        Ok(targets) => targets,
        Err(error) => return requests.iter().map(|_| Err(error.again())).collect(),
    };
    let asked: Vec<Result<Asked, NotAsked>> = requests
        .iter()
        .map(|request| {
            let group = request.resource.as_ref().map(|resource| &*resource.name);
            names::ask(
                &request.query,
                request.statistic,
                group,
                group.and_then(|group| targets.get(group)),
                request.period.as_secs_f64(),
            )
        })
        .collect();
    let mut queries: Vec<Query> = Vec::new();
    for (request, asked) in asked.iter().enumerate() {
        let parts: Vec<&Series> = match asked {
            Ok(Asked::Series { series, .. }) => vec![series],
            Ok(Asked::Percent { part, whole }) => vec![part, whole],
            Err(_) => Vec::new(),
        };
        queries.extend(parts.into_iter().enumerate().map(|(part, series)| Query {
            request,
            part,
            series: series.clone(),
        }));
    }
    // Requests that reach back equally far share a call: a call has one span for all its queries.
    queries.sort_by_key(|query| requests[query.request].from);
    let calls = all(queries
        .chunks(PER_CALL)
        .map(|batch| call(clients, requests, batch))
        .collect())
    .await;
    let mut found: HashMap<(usize, usize), ItemResult<Vec<Sample>>> = HashMap::new();
    for (batch, answer) in queries.chunks(PER_CALL).zip(calls) {
        match answer {
            Ok(mut series) => {
                for (n, query) in batch.iter().enumerate() {
                    let samples = series.remove(&n).unwrap_or_else(|| Ok(Vec::new()));
                    found.insert((query.request, query.part), samples);
                }
            }
            Err(error) => found.extend(
                batch
                    .iter()
                    .map(|query| ((query.request, query.part), Err(error.again()))),
            ),
        }
    }
    let mut answers: Vec<ItemResult<MetricResponse>> = asked
        .into_iter()
        .enumerate()
        .map(|(n, asked)| {
            let mut samples = |part| found.remove(&(n, part)).unwrap_or_else(|| Ok(Vec::new()));
            let samples = match asked {
                Err(problem) => {
                    return Err(ProviderError::Refused {
                        request: REQUEST,
                        message: format!("{}. {}", problem.what, problem.help),
                    });
                }
                Ok(Asked::Series { divide_by, .. }) => samples(0)?
                    .into_iter()
                    .map(|sample| Sample {
                        value: sample.value / divide_by,
                        ..sample
                    })
                    .collect(),
                Ok(Asked::Percent { .. }) => percent(&samples(0)?, &samples(1)?),
            };
            Ok(MetricResponse {
                samples,
                per_instance: None,
                // CloudWatch averages every instance that reports, from its first minute on.
                counts_warming: true,
            })
        })
        .collect();
    add_counted(clients, requests, &mut answers).await;
    answers
}

/// Histories of `instances` of groups that do not measure themselves: from their activities.
async fn add_counted(
    clients: &Clients,
    requests: &[MetricRequest],
    answers: &mut [ItemResult<MetricResponse>],
) {
    let has = |answer: &ItemResult<MetricResponse>| {
        answer
            .as_ref()
            .is_ok_and(|answer| !answer.samples.is_empty())
    };
    // What a group tells of its capacity is as good.
    let measured: BTreeSet<&str> = requests
        .iter()
        .zip(&*answers)
        .filter(|(request, answer)| is_own(request, "capacity") && has(answer))
        .filter_map(|(request, _)| Some(&*request.resource.as_ref()?.name))
        .collect();
    let open = requests.iter().zip(&*answers).enumerate();
    let open: Vec<(usize, &str, &MetricRequest)> = open
        .filter(|(_, (request, answer))| {
            is_own(request, "instances")
                && request.to.duration_since(request.from) >= COUNTED_FROM
                && answer.is_ok()
                && !has(answer)
        })
        .filter_map(|(n, (request, _))| {
            let name = &*request.resource.as_ref()?.name;
            (!measured.contains(name)).then_some((n, name, request))
        })
        .collect();
    // Each costs calls of its own: where many do not measure themselves, they are told to.
    if open.is_empty() || open.len() > ONE_BY_ONE {
        return;
    }
    let names = open.iter().map(|(_, name, _)| *name).collect();
    let live = describe_groups(clients, &names).await;
    let calls = open
        .iter()
        .map(|(_, name, request)| counted::samples(clients, live.get(*name), request));
    let counted = all(calls.collect()).await;
    for ((n, _, _), samples) in open.into_iter().zip(counted) {
        if let Some(answer) = answers.get_mut(n) {
            *answer = samples.map(|samples| MetricResponse {
                samples,
                per_instance: None,
                counts_warming: true,
            });
        }
    }
}

/// Whether a request is for a known name of ours, of its own group.
fn is_own(request: &MetricRequest, name: &str) -> bool {
    let query = &request.query;
    query.name == name
        && query.namespace.is_none()
        && query.dimensions.is_empty()
        && request.resource.is_some()
}

/// 100 x part / whole where there is a whole; a part that reported nothing is 0: CloudWatch has no sample of no errors.
fn percent(part: &[Sample], whole: &[Sample]) -> Vec<Sample> {
    let parts: BTreeMap<Timestamp, f64> = part
        .iter()
        .map(|sample| (sample.at, sample.value))
        .collect();
    whole
        .iter()
        .filter(|sample| sample.value > 0.0)
        .map(|sample| Sample {
            at: sample.at,
            value: 100.0 * parts.get(&sample.at).copied().unwrap_or(0.0) / sample.value,
        })
        .collect()
}

/// The target groups of the groups that have a metric of a load balancer, by group.
async fn find_targets(
    clients: &Clients,
    requests: &[MetricRequest],
) -> Result<BTreeMap<String, Target>, ProviderError> {
    let names: BTreeSet<&str> = requests
        .iter()
        .filter(|request| names::needs_target(&request.query))
        .filter_map(|request| Some(&*request.resource.as_ref()?.name))
        .collect();
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut arns: BTreeMap<String, String> = BTreeMap::new();
    for (name, group) in describe_groups(clients, &names).await {
        if let Some(arn) = group?.and_then(|group| group.target_group_arns().first().cloned()) {
            arns.insert(name, arn);
        }
    }
    let unique: BTreeSet<String> = arns.values().cloned().collect();
    let targets = targets::targets(clients, &unique.into_iter().collect::<Vec<_>>()).await?;
    Ok(arns
        .into_iter()
        .filter_map(|(name, arn)| Some((name, targets.get(&arn)?.clone())))
        .collect())
}

/// One call with all its pages: samples by the place of their query.
async fn call(
    clients: &Clients,
    requests: &[MetricRequest],
    batch: &[Query],
) -> Result<HashMap<usize, ItemResult<Vec<Sample>>>, ProviderError> {
    let spans = || batch.iter().map(|query| &requests[query.request]);
    let (Some(from), Some(to)) = (spans().map(|r| r.from).min(), spans().map(|r| r.to).max())
    else {
        return Ok(HashMap::new());
    };
    let longest = spans()
        .map(|r| r.period.as_secs())
        .max()
        .unwrap_or(60)
        .max(1);
    let queries: Vec<MetricDataQuery> = batch
        .iter()
        .enumerate()
        .map(|(n, query)| data_query(n, query, &requests[query.request]))
        .collect();
    let mut pages = clients
        .cloudwatch
        .get_metric_data()
        .set_metric_data_queries(Some(queries))
        // Whole periods: a start inside one would give a period with half of its samples.
        .start_time(date_time(floor(from, longest)))
        .end_time(date_time(to))
        .scan_by(ScanBy::TimestampAscending)
        .into_paginator()
        .send();
    let mut found: HashMap<usize, ItemResult<Vec<Sample>>> = HashMap::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| describe(REQUEST, error))?;
        for result in page.metric_data_results() {
            let Some(n) = result
                .id()
                .and_then(|id| id.strip_prefix('q'))
                .and_then(|id| id.parse::<usize>().ok())
                .filter(|n| *n < batch.len())
            else {
                continue;
            };
            let entry = found.entry(n).or_insert_with(|| Ok(Vec::new()));
            let problem = match result.status_code() {
                Some(StatusCode::Forbidden) => Some("access to the metric is denied"),
                Some(StatusCode::InternalError) => Some("CloudWatch failed on this metric"),
                _ => None,
            };
            if let Some(problem) = problem {
                let said: Vec<&str> = result.messages().iter().filter_map(|m| m.value()).collect();
                *entry = Err(ProviderError::Unavailable {
                    request: REQUEST,
                    message: [&[problem], said.as_slice()].concat().join(": "),
                });
                continue;
            }
            let request = &requests[batch[n].request];
            if let Ok(samples) = entry {
                samples.extend(
                    result
                        .timestamps()
                        .iter()
                        .zip(result.values())
                        .filter_map(|(at, value)| sample(request, timestamp(at)?, *value)),
                );
            }
        }
    }
    for samples in found.values_mut().flatten() {
        samples.sort_by_key(|sample| sample.at);
        samples.dedup_by_key(|sample| sample.at);
    }
    Ok(found)
}

/// CloudWatch dates a sample by the start of its period, we by its end. One whose period is still open is left out.
fn sample(request: &MetricRequest, start: Timestamp, value: f64) -> Option<Sample> {
    let period = SignedDuration::try_from(request.period).ok()?;
    let at = start.checked_add(period).ok()?;
    (value.is_finite() && at > request.from && at <= request.to).then_some(Sample { at, value })
}

fn floor(time: Timestamp, seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds).unwrap_or(60).max(1);
    let second = time.as_second();
    Timestamp::from_second(second - second.rem_euclid(seconds)).unwrap_or(time)
}

fn data_query(n: usize, query: &Query, request: &MetricRequest) -> MetricDataQuery {
    let series = &query.series;
    let dimensions = series
        .dimensions
        .iter()
        .map(|(name, value)| Dimension::builder().name(name).value(value).build())
        .collect();
    let metric = Metric::builder()
        .namespace(&series.namespace)
        .metric_name(&series.name)
        .set_dimensions(Some(dimensions))
        .build();
    MetricDataQuery::builder()
        .id(format!("q{n}"))
        .metric_stat(
            MetricStat::builder()
                .metric(metric)
                .period(i32::try_from(request.period.as_secs()).unwrap_or(i32::MAX))
                .stat(&series.statistic)
                .build(),
        )
        .return_data(true)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn samples(list: &[(i64, f64)]) -> Vec<Sample> {
        list.iter()
            .map(|(second, value)| Sample {
                at: at(*second),
                value: *value,
            })
            .collect()
    }

    #[test]
    fn no_errors_reported_is_a_rate_of_zero_and_no_requests_is_no_data() {
        let rate = percent(
            &samples(&[(60, 5.0)]),
            &samples(&[(60, 100.0), (120, 50.0), (180, 0.0)]),
        );
        assert_eq!(rate, samples(&[(60, 5.0), (120, 0.0)]));
    }

    #[test]
    fn times_are_floored_to_whole_periods_also_before_1970() {
        assert_eq!(floor(at(119), 60), at(60));
        assert_eq!(floor(at(120), 60), at(120));
        assert_eq!(floor(at(-1), 60), at(-60));
    }
}
