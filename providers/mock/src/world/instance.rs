//! One simulated instance.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tideform_policies::model::{Instance, InstanceState, Lifecycle};

use super::moment::Moment;

/// One simulated instance: pending, in service, draining, ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorldInstance {
    /// `i-` and 16 hexadecimal digits.
    pub id: Arc<str>,
    /// Counted from 0 within the group, in the order of launch.
    pub serial: u64,
    /// Where it is in its life.
    pub state: InstanceState,
    /// When it was launched: it costs from here on.
    pub launched_at: Moment,
    /// When its boot ends, or ended.
    pub in_service_at: Moment,
    /// When it stopped serving: at the start of its drain, when it broke, or when it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Moment>,
    /// When its drain ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained_at: Option<Moment>,
    /// When the provider takes it away: an interruption after its notice, or the health check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Moment>,
    /// The provider gave notice that it will take it back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub noticed: bool,
    /// How it is paid for.
    pub lifecycle: Lifecycle,
    /// Its type.
    pub instance_type: Arc<str>,
    /// The units that it counts as.
    pub weight: u32,
    /// Protected from scale-in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub protected: bool,
    /// What it costs an hour.
    pub price_usd_per_hour: f64,
}

impl WorldInstance {
    /// The next time at which something happens to it by itself.
    pub fn due(&self) -> Moment {
        let taken = self.taken_at.unwrap_or(Moment::NEVER);
        match self.state {
            InstanceState::Pending => taken.min(self.in_service_at),
            InstanceState::InService | InstanceState::Unhealthy => taken,
            InstanceState::Draining => taken.min(self.drained_at.unwrap_or(Moment::NEVER)),
            InstanceState::Ended => Moment::NEVER,
        }
    }

    /// Whether it serves in a step that begins then. An instance that comes into service within a step serves from
    /// the next on; one that stops within a step has served it.
    pub fn serves_at(&self, step_start: Moment) -> bool {
        self.in_service_at <= step_start && self.stopped_at.is_none_or(|at| at > step_start)
    }

    /// Whether it counts towards the desired capacity.
    pub fn is_live(&self) -> bool {
        match self.state {
            InstanceState::Pending | InstanceState::InService | InstanceState::Unhealthy => true,
            InstanceState::Draining | InstanceState::Ended => false,
        }
    }

    /// As the provider shows it.
    pub fn view(&self) -> Instance {
        let in_service = match self.state {
            InstanceState::Pending => None,
            InstanceState::InService
            | InstanceState::Unhealthy
            | InstanceState::Draining
            | InstanceState::Ended => {
                // One that was ended while it booted never came into service.
                let came = self.stopped_at.is_none_or(|at| at >= self.in_service_at);
                came.then(|| self.in_service_at.timestamp())
            }
        };
        Instance {
            id: self.id.clone(),
            state: self.state,
            launched_at: Some(self.launched_at.timestamp()),
            in_service_at: in_service,
            ready: None,
            ready_changed_at: None,
            lifecycle: self.lifecycle,
            protected: self.protected,
            instance_type: Some(self.instance_type.clone()),
            weight: self.weight,
        }
    }
}
