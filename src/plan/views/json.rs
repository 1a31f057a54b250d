//! The plan as one JSON document.

use serde_json::{Value as Json, json};

use crate::plan::types::{GroupPlan, Plan};

/// The version of the document; it rises when something that was there goes or changes its meaning.
pub const FORMAT_VERSION: u32 = 1;

/// The whole plan. Lists that are about groups name them in `group`.
pub fn json(plan: &Plan) -> Json {
    json!({
        "format_version": FORMAT_VERSION,
        "tideform_version": env!("CARGO_PKG_VERSION"),
        "made_at": plan.made_at,
        "mode": plan.mode,
        "workspace": plan.workspace,
        "configuration_digest": plan.configuration_digest,
        "state": plan.state,
        "is_partial": plan.is_partial,
        "has_changes": plan.has_changes(),
        "summary": plan.summary(),
        "records": plan.records(),
        "groups": plan.groups.iter().map(group).collect::<Vec<_>>(),
        "changes": listed(plan, |group| &group.changes),
        "provider_changes": plan.provider_changes,
        "drift": listed(plan, |group| &group.drift),
        "unmanaged": listed(plan, |group| &group.unmanaged),
        "decisions": listed(plan, |group| group.decision.as_slice()),
        "calendar": listed(plan, |group| &group.calendar),
        "cost": cost(plan),
        "backtest": listed(plan, |group| group.backtest.as_slice()),
        "gates": plan.verdicts,
        "lost": plan.lost.iter().map(|(resource, owner)| json!({
            "resource": resource,
            "owner": owner,
        })).collect::<Vec<_>>(),
        "notes": plan.notes,
        "diagnostics": tideform_policies::render::json(&plan.all_diagnostics(), &plan.sources),
    })
}

fn group(group: &GroupPlan) -> Json {
    json!({
        "address": group.address,
        "moved_from": group.moved_from,
        "provider": group.provider.to_string(),
        "resource": group.resource,
        "action": group.action,
        "fingerprint": group.fingerprint,
        "failure": group.failure,
        "failure_code": group.failure_code,
    })
}

fn listed<'a, T: serde::Serialize + 'a>(
    plan: &'a Plan,
    of: impl Fn(&'a GroupPlan) -> &'a [T],
) -> Vec<Json> {
    plan.groups
        .iter()
        .flat_map(|group| of(group).iter().map(move |item| named(group, item)))
        .collect()
}

fn named<T: serde::Serialize>(group: &GroupPlan, item: &T) -> Json {
    let mut object = serde_json::Map::new();
    object.insert("group".to_owned(), json!(group.address));
    // Plan types are objects that always become JSON.
    if let Ok(Json::Object(fields)) = serde_json::to_value(item) {
        object.extend(fields);
    }
    Json::Object(object)
}

fn cost(plan: &Plan) -> Json {
    json!({
        "difference_usd_per_month": super::words::total_cost(plan),
        "groups": listed(plan, |group| group.cost.as_slice()),
    })
}
