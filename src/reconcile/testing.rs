//! Shorthand of the tests of this module.

use jiff::Timestamp;
use tideform_policies::model::{
    Capacity, Group, Instance, InstanceState, Lifecycle, Limits, Resource,
};
use tideform_provider::{LiveAttributes, LiveGroup};

/// A live group of kind `asg` without instances, limits 1 to 20.
pub(crate) fn live_group(name: &str, desired: u32, at: Timestamp) -> LiveGroup {
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
            maintenance: None,
            launch_also: std::collections::BTreeMap::new(),
            launch: Default::default(),
        },
        instances: Vec::new(),
        owner: None,
        controls: Vec::new(),
        is_paused: false,
        switched_off: Vec::new(),
        blocked: Vec::new(),
        failed_launches: Vec::new(),
        deregistration: Vec::new(),
    }
}

/// An on-demand instance of weight 1, in service since its launch.
pub(crate) fn instance(id: &str, state: InstanceState, launched_at: Timestamp) -> Instance {
    Instance {
        id: id.into(),
        state,
        launched_at: Some(launched_at),
        in_service_at: Some(launched_at),
        ready: None,
        ready_changed_at: None,
        lifecycle: Lifecycle::OnDemand,
        protected: false,
        instance_type: None,
        weight: 1,
    }
}

/// A group that tracks cpu at 60 between 1 and 20, every minute, without cooldown, stabilization or warm-up.
pub(crate) fn tracking_group(name: &str) -> Group {
    let rules = serde_json::json!({
        "enabled": true, "cooldown_s": 0, "stabilization_s": 0, "select": "max", "rates": [],
        "order": "default", "order_is_set": false,
    });
    let group = serde_json::json!({
        "address": format!("group.{name}"),
        "provider": { "kind": "mock" },
        "resource": { "kind": "asg", "name": name },
        "controller": "tideform",
        "adopt": "none",
        "coexist": false,
        "policy": {
            "warmup_s": 0, "warmup_is_set": false, "every_s": 60, "combine": "max",
            "metrics": [{
                "name": "cpu", "source": { "query": { "name": "cpu" } }, "statistic": "average",
                "period_s": 60, "delay_s": 0, "on_missing": "hold", "max_age_s": 900, "scope": "instance",
                "weight": 1.0, "breach": "now",
                "rule": { "track": { "target": 60.0, "tolerance_out": 0.1, "tolerance_in": 0.1 } },
            }],
            "scale_out": rules, "scale_in": rules,
            "limits": { "min": 1, "max": 20 },
            "schedules": [], "surges": [], "guards": [], "freezes": [],
            "slo": { "utilization": 100.0, "objective": 99.9 },
        },
    });
    serde_json::from_value(group).unwrap()
}
