//! What a provider can do.

use serde::{Deserialize, Serialize};

/// What a provider can do; asked before a plan, so that what it cannot is an error at the line that asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// The resource kinds it scales: `asg`. Empty: a source of metrics only.
    pub resource_kinds: Vec<String>,
    /// The metric names it knows: `cpu`, `requests`, …. Others need the backend's own name.
    pub metric_names: Vec<String>,
    /// It gives metrics one sample an instance.
    pub per_instance_metrics: bool,
    /// It can be told which instance to end.
    pub chooses_victims: bool,
    /// It has on-demand and spot.
    pub has_lifecycles: bool,
    /// It has controls of its own (`controller = "native"`).
    pub native_control: bool,
    /// It creates resources (`launch`).
    pub creates: bool,
    /// Most groups in one read call.
    pub groups_per_read: usize,
    /// Most metrics in one read call.
    pub metrics_per_read: usize,
}
