//! Creates and deletes groups: the `launch` block.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types::{LaunchTemplateSpecification, LifecycleHookSpecification, Tag};
use serde_json::Value;
use tideform_policies::model::Resource;
use tideform_provider::{AttributeChange, GroupSpec, ProviderError};

use super::hooks::TRANSITION;
use super::update::{maintenance, one_tag, owner_tags, termination_policy};
use super::{mix, number, seconds, write};
use crate::client::Clients;
use crate::error::describe_write;
use crate::native::put;
use crate::read::DRAIN_HOOK;

const CREATE: &str = "autoscaling:CreateAutoScalingGroup";
const DELETE: &str = "autoscaling:DeleteAutoScalingGroup";

/// The attributes of `launch`, with what each is.
pub(crate) const LAUNCH_ATTRIBUTES: [(&str, &str); 4] = [
    (
        "launch_template",
        "`\"name\"`, `\"name:3\"`, `\"name:$Latest\"`, or the same with an id (`lt-...`)",
    ),
    ("subnets", "a list of subnet ids"),
    ("target_groups", "a list of target groups' ARNs"),
    ("tags", "a map of texts; instances get them too"),
];

/// Creates a group with everything, the owner tags included, in one call.
pub(crate) async fn create(clients: &Clients, spec: &GroupSpec) -> Result<(), ProviderError> {
    let refused = |message: String| ProviderError::Refused {
        request: CREATE,
        message,
    };
    let name = &*spec.resource.name;
    let launch = &spec.launch;
    let template = launch
        .get("launch_template")
        .ok_or_else(|| refused("`launch` has no `launch_template`".to_owned()))
        .and_then(|value| template(value).map_err(refused))?;
    let subnets = list(launch, "subnets").map_err(refused)?;
    let mut tags = owner_tags(name, &spec.owner);
    if let Some(own) = launch.get("tags") {
        tags.extend(launch_tags(name, own).map_err(refused)?);
    }
    let mut request = clients
        .autoscaling_writer
        .create_auto_scaling_group()
        .auto_scaling_group_name(name)
        .min_size(number(spec.limits.min().get()))
        .max_size(number(spec.limits.max().get()))
        .desired_capacity(number(spec.desired))
        .vpc_zone_identifier(subnets.join(","))
        .set_tags(Some(tags));
    let target_groups = list(launch, "target_groups").map_err(refused)?;
    if !target_groups.is_empty() {
        request = request.set_target_group_arns(Some(target_groups));
    }
    let mut is_mixed = false;
    for change in &spec.changes {
        request = match change {
            AttributeChange::Warmup(warmup) => request.default_instance_warmup(seconds(*warmup)),
            AttributeChange::Order(order) => {
                request.termination_policies(termination_policy(*order))
            }
            AttributeChange::Drain(Some(drain)) => request.lifecycle_hook_specification_list(
                LifecycleHookSpecification::builder()
                    .lifecycle_hook_name(DRAIN_HOOK)
                    .lifecycle_transition(TRANSITION)
                    .heartbeat_timeout(seconds(*drain))
                    .default_result("CONTINUE")
                    .build(),
            ),
            AttributeChange::Mix(wanted) => {
                is_mixed = true;
                request
                    .mixed_instances_policy(mix::new_policy(&template, wanted))
                    .set_capacity_rebalance(wanted.rebalance)
            }
            AttributeChange::Maintenance(wanted) => {
                request.instance_maintenance_policy(maintenance(*wanted))
            }
            AttributeChange::Limits(_)
            | AttributeChange::Drain(None)
            | AttributeChange::Launch(_)
            | AttributeChange::Owner(_)
            | AttributeChange::PutControl(_)
            | AttributeChange::RemoveControl(_)
            | AttributeChange::Pause(_)
            | AttributeChange::SwitchOn(_) => request,
        };
    }
    if !is_mixed {
        request = request.launch_template(template);
    }
    write(clients, || async {
        request
            .clone()
            .send()
            .await
            .map_err(|error| describe_write(CREATE, error))
    })
    .await?;
    put::change(clients, &spec.resource, &spec.changes).await
}

/// Deletes a group with its instances.
pub(crate) async fn delete(clients: &Clients, resource: &Resource) -> Result<(), ProviderError> {
    super::fresh(clients, resource).await?;
    write(clients, || async {
        clients
            .autoscaling_writer
            .delete_auto_scaling_group()
            .auto_scaling_group_name(&*resource.name)
            .force_delete(true)
            .send()
            .await
            .map_err(|error| describe_write(DELETE, error))
    })
    .await?;
    Ok(())
}

/// `"web"`, `"web:3"`, `"lt-0a1b:$Latest"`; without a version the template's default one.
///
/// # Errors
/// What is wrong, for people.
pub(super) fn template(value: &Value) -> Result<LaunchTemplateSpecification, String> {
    let text = value
        .as_str()
        .filter(|text| !text.is_empty())
        .ok_or_else(|| format!("`launch_template` must be {}", LAUNCH_ATTRIBUTES[0].1))?;
    let (name, version) = match text.split_once(':') {
        Some((name, version)) => (name, version),
        None => (text, "$Default"),
    };
    let is_version = matches!(version, "$Default" | "$Latest")
        || (!version.is_empty() && version.bytes().all(|b| b.is_ascii_digit()));
    if !is_version {
        return Err(format!(
            "`{version}` is no version of a launch template: write a number, `$Latest` or `$Default`"
        ));
    }
    let builder = LaunchTemplateSpecification::builder().version(version);
    let is_id = name
        .strip_prefix("lt-")
        .is_some_and(|id| id.len() >= 8 && id.bytes().all(|b| b.is_ascii_hexdigit()));
    Ok(if is_id {
        builder.launch_template_id(name).build()
    } else {
        builder.launch_template_name(name).build()
    })
}

/// A list of texts.
///
/// # Errors
/// What is wrong, for people.
pub(super) fn strings(name: &str, value: &Value) -> Result<Vec<String>, String> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    value
        .as_array()
        .and_then(|list| {
            list.iter()
                .map(|one| one.as_str().map(str::to_owned))
                .collect()
        })
        .ok_or_else(|| format!("`{name}` must be a list of texts"))
}

fn list(launch: &BTreeMap<String, Value>, name: &str) -> Result<Vec<String>, String> {
    launch
        .get(name)
        .map_or_else(|| Ok(Vec::new()), |value| strings(name, value))
}

/// The tags of `launch`, which instances get too.
///
/// # Errors
/// What is wrong, for people.
pub(super) fn launch_tags(group: &str, value: &Value) -> Result<Vec<Tag>, String> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    let map = value
        .as_object()
        .ok_or_else(|| "`tags` must be a map of texts".to_owned())?;
    map.iter()
        .map(|(key, value)| {
            if key.starts_with("tideform:") || key.starts_with("aws:") {
                return Err(format!("the tag `{key}` is not yours to set"));
            }
            let value = value
                .as_str()
                .ok_or_else(|| format!("the tag `{key}` must be a text"))?;
            Ok(one_tag(group, key, value, true))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_template_has_a_name_or_an_id_and_a_version() {
        for (text, id, name, version) in [
            ("web", None, Some("web"), "$Default"),
            ("web:3", None, Some("web"), "3"),
            ("lt-0a1b2c3d4e", Some("lt-0a1b2c3d4e"), None, "$Default"),
            (
                "lt-0a1b2c3d4e:$Latest",
                Some("lt-0a1b2c3d4e"),
                None,
                "$Latest",
            ),
            ("lt-web", None, Some("lt-web"), "$Default"),
        ] {
            let template = template(&json!(text)).unwrap();
            assert_eq!(template.launch_template_id(), id, "{text}");
            assert_eq!(template.launch_template_name(), name, "{text}");
            assert_eq!(template.version(), Some(version), "{text}");
        }
        for wrong in [json!(""), json!(3), json!("web:"), json!("web:new")] {
            assert!(template(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn tags_of_others_are_not_set() {
        assert!(launch_tags("web", &json!({"team": "shop"})).is_ok());
        for wrong in [
            json!({"tideform:state": "x"}),
            json!({"aws:x": "x"}),
            json!({"n": 1}),
            json!([]),
        ] {
            assert!(launch_tags("web", &wrong).is_err(), "{wrong}");
        }
    }
}
