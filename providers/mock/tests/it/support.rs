//! A world for a test.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tideform_mock::MockProvider;
use tideform_policies::model::{Limits, MetricQuery, Resource, Statistic};
use tideform_provider::{GroupRequest, GroupSpec, LiveGroup, MetricRequest, Owner, Provider};

pub(crate) type Done<T = ()> = Result<T, Box<dyn Error>>;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);

/// A stepped world that starts on a Monday at midnight, in a folder of its own.
pub(crate) struct Cloud {
    pub(crate) folder: TempDir,
    pub(crate) provider: MockProvider,
}

/// The attributes of the provider block, with a stepped clock.
pub(crate) fn settings(more: Value) -> serde_json::Map<String, Value> {
    let mut all = json!({ "clock": "stepped", "start": "2026-01-05T00:00:00Z", "seed": 7 });
    if let (Some(all), Value::Object(more)) = (all.as_object_mut(), more) {
        all.extend(more);
    }
    all.as_object().cloned().unwrap_or_default()
}

impl Cloud {
    pub(crate) fn new(more: Value) -> Done<Cloud> {
        let folder = TempDir::new()?;
        let provider = MockProvider::open(&settings(more), folder.path())?;
        Ok(Cloud { folder, provider })
    }

    pub(crate) async fn wait(&self, duration: Duration) -> Done {
        let clock = self.provider.clock().ok_or("the clock is the real one")?;
        clock.wait(duration).await;
        Ok(())
    }

    pub(crate) async fn live(&self, name: &str) -> Done<LiveGroup> {
        live(&self.provider, name).await
    }
}

pub(crate) async fn live(provider: &dyn Provider, name: &str) -> Done<LiveGroup> {
    let mut answers = provider
        .read_groups(&[GroupRequest::whole(asg(name))])
        .await;
    Ok(answers.pop().ok_or("no answer")??.ok_or("no group")?)
}

pub(crate) fn asg(name: &str) -> Resource {
    Resource {
        kind: "asg".into(),
        name: name.into(),
    }
}

/// `web`, 1 to 10, 4 desired, that boots in 90 seconds.
pub(crate) fn spec(name: &str) -> Done<GroupSpec> {
    Ok(GroupSpec {
        resource: asg(name),
        limits: Limits::new(1.into(), 10.into()).ok_or("limits")?,
        desired: 4,
        owner: Owner {
            workspace: "shop".to_owned(),
            state: "lineage".to_owned(),
            group: format!("group.{name}"),
        },
        changes: Vec::new(),
        launch: BTreeMap::from([
            ("boot".to_owned(), json!("90s")),
            ("throughput".to_owned(), json!(100)),
        ]),
        instance: None,
    })
}

pub(crate) fn at(text: &str) -> Done<Timestamp> {
    Ok(text.parse()?)
}

/// A minute's averages from the world's start up to a time on its first day.
pub(crate) fn metric(name: &str, metric: &str, to: &str) -> Done<MetricRequest> {
    Ok(MetricRequest {
        resource: Some(asg(name)),
        query: MetricQuery {
            provider: None,
            name: metric.to_owned(),
            namespace: None,
            dimensions: BTreeMap::new(),
            query: None,
        },
        statistic: Statistic::Average,
        period: MINUTE,
        from: at("2026-01-05T00:00:00Z")?,
        to: at(&format!("2026-01-05T{to}:00Z"))?,
        per_instance: false,
    })
}

/// The values of a metric up to a time.
pub(crate) async fn values(provider: &dyn Provider, request: MetricRequest) -> Done<Vec<f64>> {
    let mut answers = provider.read_metrics(&[request]).await;
    let response = answers.pop().ok_or("no answer")??;
    Ok(response.samples.iter().map(|sample| sample.value).collect())
}

/// Runs a test that waits for answers.
pub(crate) fn run(test: impl Future<Output = Done>) -> Done {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?
        .block_on(test)
}
