//! What a plan can change of a live group, as one short text: for seeing that the cloud has moved since.
//!
//! Desired, instances, metrics and what the spot fallback moves are not in it, so a loop may run between plan and
//! apply.

use serde_json::json;
use sha2::{Digest, Sha256};
use tideform_policies::model::{Adopt, Controller, Group, Share};
use tideform_provider::{ControlKind, LiveGroup};

/// The fingerprint of a live group.
///
/// - `applied`: what was last applied: with a fallback in its mix the live spot share is the loop's to move.
pub fn fingerprint(live: &LiveGroup, applied: Option<&Group>) -> String {
    let mut attributes = live.attributes.clone();
    let has_fallback = applied
        .and_then(|group| group.policy.mix.as_ref())
        .is_some_and(|mix| mix.fallback.is_some());
    if has_fallback && let Some(mix) = &mut attributes.mix {
        mix.spot = Share(0.0);
    }
    // Under native control windows and pins (min = max) move the limits, and the loop renews the actions that do.
    if let Some(group) = applied.filter(|group| group.controller == Controller::Native)
        && let Some(limits) = group.policy.limits
    {
        let has_windows = !(group.policy.schedules.is_empty() && group.policy.surges.is_empty());
        if has_windows || attributes.limits.min() == attributes.limits.max() {
            attributes.limits = limits;
        }
    }
    // A pin or a surge sets adopted scheduled actions aside.
    let is_the_loops = |name: &String| {
        name.starts_with("tideform/")
            || applied.is_some_and(|group| {
                group.controller == Controller::Native
                    && match &group.adopt {
                        Adopt::None => false,
                        Adopt::All => true,
                        Adopt::Named(names) => names.contains(name),
                    }
            })
    };
    let mut controls: Vec<_> = live
        .controls
        .iter()
        .filter(|control| control.kind == ControlKind::Dynamic || !is_the_loops(&control.name))
        .map(|control| {
            let settings = json!(control.settings).to_string();
            (&control.name, control.enabled, &control.summary, settings)
        })
        .collect();
    controls.sort();
    let seen = json!([live.resource, attributes, live.owner, controls]);
    hex(&Sha256::digest(seen.to_string().as_bytes()))
}

/// Bytes in hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
