//! What a resolved group wants of the cloud's own attributes, compared with what is there.
//!
//! Only what the files name is wanted: a block that is absent is not managed. What the loop, a pin or a fallback
//! moves is not an attribute here.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use tideform_policies::model::units::format_duration;
use tideform_policies::model::{Group, Limits, Mix, Share};
use tideform_provider::{AttributeChange, LiveAttributes, LiveMix};

/// One attribute on both sides, as the files would write it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    /// `limits.max`, `mix.spot`.
    pub(super) path: String,
    /// What is live; null where it is not set.
    pub(super) live: Json,
    /// What is wanted.
    pub(super) wanted: Json,
}

/// What differs, value by value, and the changes that would bring it about.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Comparison {
    pub(super) differences: Vec<Difference>,
    pub(super) changes: Vec<AttributeChange>,
}

impl Comparison {
    /// Adds values where they differ; whether any did.
    fn note(&mut self, path: &str, live: impl Into<Json>, wanted: impl Into<Json>) -> bool {
        let (live, wanted) = (live.into(), wanted.into());
        let differs = live != wanted;
        if differs {
            self.differences.push(Difference {
                path: path.to_owned(),
                live,
                wanted,
            });
        }
        differs
    }
}

/// What `group` wants that is not so.
///
/// - `fallback_is_active`: spot launches failed and the group runs on demand for a while, so a live spot share of 0 is
///   as wanted.
/// - `applied_launch`: the attributes of `launch` as last applied: for those that the provider does not show.
pub(super) fn compare(
    group: &Group,
    live: &LiveAttributes,
    fallback_is_active: bool,
    applied_launch: Option<&BTreeMap<String, Json>>,
) -> Comparison {
    let mut found = Comparison::default();
    let policy = &group.policy;
    if let Some(limits) = policy.limits {
        let min = found.note("limits.min", live.limits.min().get(), limits.min().get());
        let max = found.note("limits.max", live.limits.max().get(), limits.max().get());
        if min || max {
            found.changes.push(AttributeChange::Limits(limits));
        }
    }
    let duration =
        |d: Option<std::time::Duration>| d.map(format_duration).map_or(Json::Null, Json::from);
    if policy.warmup_is_set
        && found.note(
            "warmup",
            duration(live.warmup),
            duration(Some(policy.warmup)),
        )
    {
        found.changes.push(AttributeChange::Warmup(policy.warmup));
    }
    if policy.scale_in.order_is_set {
        let order = |order| serde_json::to_value(order).unwrap_or(Json::Null);
        let wanted = policy.scale_in.order;
        if found.note("scale_in.order", order(live.order), order(Some(wanted))) {
            found.changes.push(AttributeChange::Order(wanted));
        }
    }
    if let Some(drain) = policy.scale_in.drain
        && found.note(
            "scale_in.drain",
            duration(live.drain),
            duration(Some(drain)),
        )
    {
        found.changes.push(AttributeChange::Drain(Some(drain)));
    }
    if let Some(mix) = &policy.mix {
        compare_mix(mix, live.mix.as_ref(), fallback_is_active, &mut found);
    }
    if let Some(wanted) = policy.maintenance {
        let share = |share: Option<Share>| share.map_or(Json::Null, |s| Json::from(s.to_string()));
        let is = live.maintenance;
        let least = found.note(
            "maintenance.min_healthy",
            share(is.map(|is| is.min_healthy)),
            share(Some(wanted.min_healthy)),
        );
        let most = found.note(
            "maintenance.max_healthy",
            share(is.map(|is| is.max_healthy)),
            share(Some(wanted.max_healthy)),
        );
        if least || most {
            found.changes.push(AttributeChange::Maintenance(wanted));
        }
    }
    if let Some(launch) = &group.launch {
        compare_launch(&launch.attributes, live, applied_launch, &mut found);
    }
    found
}

fn compare_mix(
    mix: &Mix,
    live: Option<&LiveMix>,
    fallback_is_active: bool,
    found: &mut Comparison,
) {
    let on_fallback = fallback_is_active && live.is_some_and(|live| live.spot.fraction() == 0.0);
    let wanted = LiveMix {
        // Left as the fallback has it: it goes back by itself, to what the state then says.
        spot: match live {
            Some(live) if on_fallback => live.spot,
            _ => mix.spot,
        },
        ..live_mix(mix, live)
    };
    let empty = Json::Null;
    let of = |take: &dyn Fn(&LiveMix) -> Json| live.map_or(empty.clone(), take);
    let mut differs = false;
    let base = |mix: &LiveMix| Json::from(mix.on_demand_base);
    differs |= found.note("mix.on_demand_base", of(&base), base(&wanted));
    let spot = |mix: &LiveMix| Json::from(mix.spot.to_string());
    differs |= found.note("mix.spot", of(&spot), spot(&wanted));
    if !mix.types.is_empty() {
        differs |= found.note("mix.types", of(&types), types(&wanted));
    }
    if mix.allocation.is_some() {
        let allocation = |mix: &LiveMix| Json::from(mix.allocation.clone());
        differs |= found.note("mix.allocation", of(&allocation), allocation(&wanted));
    }
    if mix.rebalance.is_some() {
        let rebalance = |mix: &LiveMix| Json::from(mix.rebalance);
        differs |= found.note("mix.rebalance", of(&rebalance), rebalance(&wanted));
    }
    if differs {
        found.changes.push(AttributeChange::Mix(wanted));
    }
}

fn types(mix: &LiveMix) -> Json {
    mix.types
        .iter()
        .map(|one| match one.weight {
            Some(weight) => Json::from(format!("{} x {weight}", one.name)),
            None => Json::from(one.name.as_str()),
        })
        .collect()
}

/// The mix to write: what the files leave open stays as it is live.
pub(super) fn live_mix(mix: &Mix, live: Option<&LiveMix>) -> LiveMix {
    LiveMix {
        on_demand_base: mix.on_demand_base,
        spot: mix.spot,
        types: match live {
            Some(live) if mix.types.is_empty() => live.types.clone(),
            _ => mix.types.clone(),
        },
        allocation: mix
            .allocation
            .clone()
            .or_else(|| live.and_then(|live| live.allocation.clone())),
        rebalance: mix
            .rebalance
            .or_else(|| live.and_then(|live| live.rebalance)),
    }
}

fn compare_launch(
    wanted: &BTreeMap<String, Json>,
    live: &LiveAttributes,
    applied: Option<&BTreeMap<String, Json>>,
    found: &mut Comparison,
) {
    let mut changed = BTreeMap::new();
    for (name, value) in wanted {
        // What the provider does not show is taken to be as last applied: else it would change for ever.
        let Some(known) = live
            .launch_as(name, value)
            .or_else(|| applied.map_or(Some(value), |applied| applied.get(name)))
            .or(Some(&Json::Null))
        else {
            continue;
        };
        if !same_set(known, value) {
            found.note(&format!("launch.{name}"), known.clone(), value.clone());
            changed.insert(name.clone(), value.clone());
        }
    }
    // Ours, and out of the files: it goes. What is live and was never ours is left alone.
    for name in applied.into_iter().flat_map(BTreeMap::keys) {
        if !wanted.contains_key(name)
            && let Some(shown) = live.launch.get(name)
        {
            found.note(&format!("launch.{name}"), shown.clone(), Json::Null);
            changed.insert(name.clone(), Json::Null);
        }
    }
    if !changed.is_empty() {
        found.changes.push(AttributeChange::Launch(changed));
    }
}

/// Equal, where lists of texts are sets: subnets and target groups have no order in a cloud.
fn same_set(a: &Json, b: &Json) -> bool {
    let texts = |value: &Json| -> Option<std::collections::BTreeSet<String>> {
        value
            .as_array()?
            .iter()
            .map(|one| one.as_str().map(str::to_owned))
            .collect()
    };
    match (texts(a), texts(b)) {
        (Some(a), Some(b)) => a == b,
        _ => same_value(a, b),
    }
}

/// Equal, where 2 and 2.0 are one number.
pub(crate) fn same_value(a: &Json, b: &Json) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(k, a)| b.get(k).is_some_and(|b| same_value(a, b)))
        }
        _ => a == b,
    }
}

/// What is set at creation beside limits and `launch`.
pub(super) fn at_creation(group: &Group) -> Vec<AttributeChange> {
    let policy = &group.policy;
    let mut changes = Vec::new();
    if policy.warmup_is_set {
        changes.push(AttributeChange::Warmup(policy.warmup));
    }
    if policy.scale_in.order_is_set {
        changes.push(AttributeChange::Order(policy.scale_in.order));
    }
    if let Some(drain) = policy.scale_in.drain {
        changes.push(AttributeChange::Drain(Some(drain)));
    }
    if let Some(mix) = &policy.mix {
        changes.push(AttributeChange::Mix(live_mix(mix, None)));
    }
    if let Some(maintenance) = policy.maintenance {
        changes.push(AttributeChange::Maintenance(maintenance));
    }
    changes
}

/// `desired` brought between `limits`, and no further.
pub(super) fn between(desired: u32, limits: Limits) -> u32 {
    desired.clamp(limits.min().get(), limits.max().get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_of_texts_have_no_order_and_others_do() {
        assert!(same_set(&json!(["a", "b"]), &json!(["b", "a"])));
        assert!(!same_set(&json!(["a", "b"]), &json!(["a"])));
        assert!(!same_set(&json!([1, 2]), &json!([2, 1])));
        assert!(same_set(&json!(2), &json!(2.0)));
    }
}
