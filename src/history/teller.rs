//! Which metric of a group tells its load, and how. Pure.

use tideform_policies::model::{Group, Metric, Statistic};

use crate::simulate::metric_of;
use crate::simulate::world::WorldMetric;

/// How a metric tells the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// It is the load.
    Load,
    /// It is the load of an instance.
    LoadOfInstance,
    /// It is the utilization of what serves, in percent.
    Utilization,
    /// It is the utilization of all that is paid for, in percent: starting instances count as idle.
    UtilizationOfLive,
}

impl Tells {
    /// Whether the instances have to be known.
    pub fn needs_capacity(self) -> bool {
        !matches!(self, Tells::Load)
    }

    /// Whether the load follows from it only once it is known what an instance carries.
    pub fn is_utilization(self) -> bool {
        matches!(self, Tells::Utilization | Tells::UtilizationOfLive)
    }
}

/// The metric of a group that tells its load best, and how.
pub fn teller(group: &Group) -> Option<(&Metric, Tells)> {
    let best = group.policy.metrics.iter().enumerate();
    let best = best.filter_map(|(place, metric)| {
        let is_mean = matches!(metric.statistic, Statistic::Average);
        let is_rate = is_mean || matches!(metric.statistic, Statistic::Sum | Statistic::Rate);
        let tells = match metric_of(group, place)? {
            WorldMetric::Requests if is_rate => Tells::Load,
            WorldMetric::RequestsPerInstance if is_rate => Tells::LoadOfInstance,
            WorldMetric::Cpu if is_mean && &*group.provider.kind == "aws" => {
                Tells::UtilizationOfLive
            }
            WorldMetric::Cpu if is_mean => Tells::Utilization,
            WorldMetric::CpuOfLive if is_mean => Tells::UtilizationOfLive,
            _ => return None,
        };
        Some((metric, tells))
    });
    best.min_by_key(|(_, tells)| match tells {
        Tells::Load => 0,
        Tells::LoadOfInstance => 1,
        Tells::Utilization | Tells::UtilizationOfLive => 2,
    })
}
