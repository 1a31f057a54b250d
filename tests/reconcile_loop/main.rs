//! The loop against the mock cloud, in process, in stepped time.

#[path = "../loop_support/mod.rs"]
mod loop_support;

mod calls;
mod daemon;
mod deciding;
mod people;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use loop_support::{Stage, group, holder, metric, of, told};
use serde_json::json;
use tideform::reconcile::{
    Options, Pace, ReconcileError, TickReport, Watcher, run_loop, stop_pair,
};
use tideform_mock::admin::Process;
use tideform_mock::world::fault::{Call, FaultKind, ScriptedFault};
use tideform_policies::model::{
    Capacity, GroupAddress, InstanceState, InstanceType, Limits, Share,
};
use tideform_provider::{Clock, Control, ControlKind, LiveMix, Owner};
use tideform_state::{ApplyOutcome, NewApply, NewOverride, OverrideKind, State};

fn fault(kind: FaultKind, call: Call, times: u32) -> ScriptedFault {
    ScriptedFault {
        kind,
        call: Some(call),
        group: None,
        skip: 0,
        times,
    }
}

fn web() -> tideform_policies::model::Group {
    group("web", |_| {})
}
