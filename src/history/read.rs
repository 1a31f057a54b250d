//! Reads what providers have recorded of groups: few calls for many groups.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use tideform_policies::model::units::format_duration;
use tideform_policies::model::{
    Group, Metric, MetricQuery, MetricSource, ProviderAddress, Sample, Statistic,
};
use tideform_provider::{ItemResult, MetricHistory, MetricRequest, MetricResponse};

use super::{Counted, NoHistory, Recorded, Records, Tells, teller};
use crate::observe::{before, chain};
use crate::registry::Providers;

/// How long all calls of one read may take; what did not answer by then has no history.
const PATIENCE: Duration = Duration::from_secs(60);

/// The names under which providers tell what was in service: in units, and in instances.
const UNITS: &str = "capacity";
const INSTANCES: &str = "instances";

/// A group whose history is wanted.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Says what its metrics mean, and which resource it is.
    pub group: &'a Group,
    /// Its instances count as more than one unit, or as different ones.
    pub is_weighted: bool,
    /// Only samples after this.
    pub from: Timestamp,
    /// And none after this.
    pub to: Timestamp,
}

/// What one group is asked for.
struct Question<'a> {
    metric: &'a Metric,
    tells: Tells,
    period: Duration,
    history: MetricHistory,
    /// By provider: the place of each request among those of the provider.
    places: Vec<(ProviderAddress, usize)>,
}

/// What the providers of groups have recorded of them, in the order of `asked`: their metrics, and how many were in
/// service.
///
/// Costs one or two metrics a group; all that goes to one provider goes in one read, which the provider cuts into as few
/// calls as it can. The caller bounds how many groups are asked for at once: two weeks of minutes are half a megabyte a
/// metric. A failure is of the group alone.
///
/// - `now`: by the providers' clock; it says how coarse old samples have become.
pub async fn read(
    asked: &[Asked<'_>],
    providers: &Providers,
    now: Timestamp,
) -> Vec<Result<Records, NoHistory>> {
    let mut batches: BTreeMap<ProviderAddress, Vec<MetricRequest>> = BTreeMap::new();
    let questions: Vec<Result<Question<'_>, NoHistory>> = asked
        .iter()
        .map(|asked| question(asked, providers, now, &mut batches))
        .collect();
    let rounds = batches.iter().filter_map(|(address, requests)| {
        let provider = providers.get(address)?;
        Some(async move {
            let answers = tokio::time::timeout(PATIENCE, provider.read_metrics(requests)).await;
            (address.clone(), answers.ok())
        })
    });
    let mut answers: BTreeMap<ProviderAddress, Option<Answers>> = join_all(rounds)
        .await
        .into_iter()
        .map(|(address, answers)| {
            let answers = answers.map(|answers| answers.into_iter().map(Some).collect());
            (address, answers)
        })
        .collect();
    questions
        .into_iter()
        .map(|question| put_together(question?, &mut answers))
        .collect()
}

type Answers = Vec<Option<ItemResult<MetricResponse>>>;

fn question<'a>(
    asked: &Asked<'a>,
    providers: &Providers,
    now: Timestamp,
    batches: &mut BTreeMap<ProviderAddress, Vec<MetricRequest>>,
) -> Result<Question<'a>, NoHistory> {
    let group = asked.group;
    let (metric, tells) = teller(group).ok_or(NoHistory::NoMetric)?;
    let MetricSource::Query(query) = &metric.source else {
        return Err(NoHistory::NoMetric);
    };
    let source = query.provider.as_ref().unwrap_or(&group.provider);
    let history = providers
        .get(source)
        .and_then(|provider| provider.capabilities().metric_history)
        .ok_or_else(|| NoHistory::NotKept(source.to_string()))?;
    let length = Duration::try_from(now.duration_since(asked.from)).unwrap_or_default();
    let reach = history
        .reach(length, metric.period)
        .ok_or_else(|| NoHistory::NotKept(source.to_string()))?;
    let period = reach.period;
    let request = |query: MetricQuery, statistic: Statistic| MetricRequest {
        resource: Some(group.resource.clone()),
        query,
        statistic,
        period,
        from: before(now, reach.age),
        // What is not published in full would look like less load.
        to: before(asked.to.min(now), metric.delay),
        per_instance: false,
    };
    let mut places = Vec::new();
    let mut ask = |address: &ProviderAddress, request: MetricRequest| {
        let batch = batches.entry(address.clone()).or_default();
        places.push((address.clone(), batch.len()));
        batch.push(request);
    };
    ask(source, request(query.clone(), metric.statistic));
    // The first that has samples counts. Where all weigh the same, both are one number.
    let counts: &[&str] = match (tells, asked.is_weighted) {
        (Tells::Load, _) => &[],
        (Tells::LoadOfInstance, true) => &[INSTANCES],
        (Tells::LoadOfInstance, false) => &[INSTANCES, UNITS],
        (Tells::Utilization | Tells::UtilizationOfLive, true) => &[UNITS],
        (Tells::Utilization | Tells::UtilizationOfLive, false) => &[UNITS, INSTANCES],
    };
    for name in counts {
        let query = MetricQuery {
            provider: None,
            name: (*name).to_owned(),
            namespace: None,
            dimensions: BTreeMap::new(),
            query: None,
        };
        ask(&group.provider, request(query, Statistic::Average));
    }
    Ok(Question {
        metric,
        tells,
        period,
        history,
        places,
    })
}

fn put_together(
    question: Question<'_>,
    answers: &mut BTreeMap<ProviderAddress, Option<Answers>>,
) -> Result<Records, NoHistory> {
    let source_name = question.history.source;
    let unread = |why: String| NoHistory::Unread {
        source_name: source_name.clone(),
        why,
    };
    let mut take = |(address, place): (ProviderAddress, usize)| -> Result<Vec<Sample>, NoHistory> {
        match answers.get_mut(&address) {
            None => Err(unread(format!("{address} is not configured"))),
            Some(None) => Err(unread(format!(
                "no answer within {}",
                format_duration(PATIENCE)
            ))),
            Some(Some(answers)) => match answers.get_mut(place).and_then(Option::take) {
                Some(Ok(answer)) => Ok(answer.samples),
                Some(Err(error)) => Err(unread(chain(&error))),
                None => Err(unread("it gave no answer".to_owned())),
            },
        }
    };
    let mut places = question.places.into_iter();
    let samples = places.next().map_or_else(|| Ok(Vec::new()), &mut take)?;
    if samples.is_empty() {
        return Err(NoHistory::NothingThere {
            source_name: source_name.clone(),
            metric: question.metric.name.clone(),
        });
    }
    let (mut counted, mut failed) = (Vec::new(), None);
    for place in places {
        match take(place) {
            Ok(found) if counted.is_empty() => counted = found,
            Ok(_) => {}
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    let needs_capacity = question.tells.needs_capacity();
    if needs_capacity && counted.is_empty() {
        return Err(failed.unwrap_or_else(|| NoHistory::NoCapacity {
            source_name: source_name.clone(),
            metric: question.metric.name.clone(),
            help: question.history.without_capacity.clone(),
        }));
    }
    let name = &question.metric.name;
    let what = if needs_capacity {
        format!("`{name}` x capacity")
    } else {
        format!("`{name}`")
    };
    let period = format_duration(question.period);
    let recorded = |sample: Sample| Recorded {
        at: sample.at,
        rolled_up: None,
        value: sample.value,
    };
    Ok(Records {
        metric: Metric {
            period: question.period,
            ..question.metric.clone()
        },
        tells: question.tells,
        samples: samples.into_iter().map(recorded).collect(),
        counted: Counted::Samples(counted, question.period),
        source: format!("{what} from {source_name} ({period})"),
    })
}
