//! Reading metrics.

use std::time::Duration;

use jiff::Timestamp;
use tideform_policies::model::{InstanceSample, MetricQuery, Resource, Sample, Statistic};

/// One metric of one group over a time.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricRequest {
    /// The group that it is about; `None` where the query says it all.
    pub resource: Option<Resource>,
    /// Which metric.
    pub query: MetricQuery,
    /// How samples are put together.
    pub statistic: Statistic,
    /// The length of one sample.
    pub period: Duration,
    /// Only samples that end after this.
    pub from: Timestamp,
    /// Only samples that end at or before this. A period still open is left out.
    pub to: Timestamp,
    /// Also the newest value of each instance, where the provider has them.
    pub per_instance: bool,
}

/// What a source answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetricResponse {
    /// Oldest first, times strictly rising, values finite.
    pub samples: Vec<Sample>,
    /// The newest value of each instance and when it was taken, where asked for and there.
    pub per_instance: Option<(Timestamp, Vec<InstanceSample>)>,
    /// The samples average all instances in service, not only those past `warmup`.
    pub counts_warming: bool,
}
