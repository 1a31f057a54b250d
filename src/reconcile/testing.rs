//! Shorthand of the tests of this module.

use jiff::Timestamp;
use tideform_policies::model::{Capacity, Instance, InstanceState, Lifecycle, Limits, Resource};
use tideform_provider::{LiveAttributes, LiveGroup};

/// A live group of kind `asg` without instances, limits 1 to 20.
pub(super) fn live_group(name: &str, desired: u32, at: Timestamp) -> LiveGroup {
    LiveGroup {
        resource: Resource {
            kind: "asg".into(),
            name: name.into(),
        },
        at,
        desired,
        attributes: LiveAttributes {
            limits: Limits::new(Capacity(1), Capacity(20)).unwrap(),
            warmup: None,
            order: None,
            drain: None,
            mix: None,
            launch: Default::default(),
        },
        instances: Vec::new(),
        owner: None,
        controls: Vec::new(),
        blocked: Vec::new(),
        failed_launches: Vec::new(),
    }
}

/// An on-demand instance of weight 1, in service since its launch.
pub(super) fn instance(id: &str, state: InstanceState, launched_at: Timestamp) -> Instance {
    Instance {
        id: id.into(),
        state,
        launched_at: Some(launched_at),
        in_service_at: Some(launched_at),
        lifecycle: Lifecycle::OnDemand,
        protected: false,
        instance_type: None,
        weight: 1,
    }
}
