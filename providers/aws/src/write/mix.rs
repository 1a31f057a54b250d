//! The mixed instances policy: the live one with what the files say put in. Pure.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types::{
    AutoScalingGroup, InstancesDistribution, LaunchTemplate, LaunchTemplateOverrides,
    LaunchTemplateSpecification, MixedInstancesPolicy,
};
use tideform_policies::model::Share;
use tideform_provider::LiveMix;

use super::number;

/// The policy to write: all of it, since what a request leaves out of it may be lost.
///
/// - `template`: another one than the live group's.
///
/// # Errors
/// What is missing, for people: a group with a launch configuration has no template to mix.
pub(super) fn policy(
    group: &AutoScalingGroup,
    template: Option<&LaunchTemplateSpecification>,
    mix: &LiveMix,
) -> Result<MixedInstancesPolicy, String> {
    let live = group.mixed_instances_policy();
    let template = template.or_else(|| live_template(group)).ok_or_else(|| {
        "it has a launch configuration, and a mix needs a launch template: give the group one first"
            .to_owned()
    })?;
    Ok(build(live, template, mix))
}

/// The live policy with another template: a group with a policy has its template in there.
pub(super) fn with_template(
    live: &MixedInstancesPolicy,
    template: LaunchTemplateSpecification,
) -> MixedInstancesPolicy {
    let was = live.launch_template();
    MixedInstancesPolicy::builder()
        .launch_template(
            LaunchTemplate::builder()
                .launch_template_specification(template)
                .set_overrides(
                    was.map(|was| was.overrides().iter().map(override_by_id).collect())
                        .filter(|overrides: &Vec<_>| !overrides.is_empty()),
                )
                .build(),
        )
        .set_instances_distribution(live.instances_distribution().cloned())
        .build()
}

fn live_template(group: &AutoScalingGroup) -> Option<&LaunchTemplateSpecification> {
    group
        .mixed_instances_policy()
        .and_then(|live| live.launch_template()?.launch_template_specification())
        .or_else(|| group.launch_template())
}

/// The policy of a new group.
pub(super) fn new_policy(
    template: &LaunchTemplateSpecification,
    mix: &LiveMix,
) -> MixedInstancesPolicy {
    build(None, template, mix)
}

fn build(
    live: Option<&MixedInstancesPolicy>,
    template: &LaunchTemplateSpecification,
    mix: &LiveMix,
) -> MixedInstancesPolicy {
    let was: BTreeMap<&str, &LaunchTemplateOverrides> = live
        .and_then(|live| live.launch_template())
        .map(|template| template.overrides())
        .unwrap_or_default()
        .iter()
        .filter_map(|one| Some((one.instance_type()?, one)))
        .collect();
    let overrides: Vec<LaunchTemplateOverrides> = mix
        .types
        .iter()
        .map(|one| {
            LaunchTemplateOverrides::builder()
                .instance_type(&one.name)
                .set_weighted_capacity(one.weight.map(|weight| weight.to_string()))
                // A type may have a template of its own: another architecture's image.
                .set_launch_template_specification(
                    was.get(one.name.as_str())
                        .and_then(|was| was.launch_template_specification())
                        .map(by_id),
                )
                .build()
        })
        .collect();
    let distribution = live.and_then(|live| live.instances_distribution());
    let distribution = InstancesDistribution::builder()
        .on_demand_base_capacity(number(mix.on_demand_base))
        .on_demand_percentage_above_base_capacity(on_demand_percent(mix.spot))
        .set_spot_allocation_strategy(mix.allocation.clone())
        .set_on_demand_allocation_strategy(
            distribution.and_then(|d| d.on_demand_allocation_strategy().map(str::to_owned)),
        )
        .set_spot_instance_pools(distribution.and_then(|d| {
            // Only this strategy takes it.
            (mix.allocation.as_deref() == Some("lowest-price"))
                .then(|| d.spot_instance_pools())
                .flatten()
        }))
        .set_spot_max_price(distribution.and_then(|d| d.spot_max_price().map(str::to_owned)))
        .build();
    MixedInstancesPolicy::builder()
        .launch_template(
            LaunchTemplate::builder()
                .launch_template_specification(by_id(template))
                .set_overrides((!overrides.is_empty()).then_some(overrides))
                .build(),
        )
        .instances_distribution(distribution)
        .build()
}

/// AWS shows a template by id and name, and takes it by one of them only.
fn by_id(template: &LaunchTemplateSpecification) -> LaunchTemplateSpecification {
    let mut one = template.clone();
    if one.launch_template_id.is_some() {
        one.launch_template_name = None;
    }
    one
}

fn override_by_id(one: &LaunchTemplateOverrides) -> LaunchTemplateOverrides {
    let mut one = one.clone();
    one.launch_template_specification = one.launch_template_specification.as_ref().map(by_id);
    one
}

/// AWS counts the on-demand part, in whole percent; checked on load to be one.
fn on_demand_percent(spot: Share) -> i32 {
    #[allow(clippy::cast_possible_truncation, reason = "0 to 100")]
    let percent = (100.0 * (1.0 - spot.fraction())).round().clamp(0.0, 100.0) as i32;
    percent
}

#[cfg(test)]
mod tests {
    use tideform_policies::model::InstanceType;

    use super::*;

    fn mix(spot: f64) -> LiveMix {
        LiveMix {
            on_demand_base: 2,
            spot: Share(spot),
            types: vec![InstanceType {
                name: "m6i.large".to_owned(),
                weight: Some(2),
            }],
            allocation: Some("price-capacity-optimized".to_owned()),
            rebalance: Some(true),
        }
    }

    fn template() -> LaunchTemplateSpecification {
        LaunchTemplateSpecification::builder()
            .launch_template_id("lt-1")
            .version("3")
            .build()
    }

    #[test]
    fn the_spot_share_is_what_is_not_on_demand() {
        for (spot, on_demand) in [(0.0, 100), (0.7, 30), (1.0, 0), (0.29, 71)] {
            let policy = new_policy(&template(), &mix(spot));
            let distribution = policy.instances_distribution().unwrap();
            assert_eq!(
                distribution.on_demand_percentage_above_base_capacity(),
                Some(on_demand)
            );
        }
    }

    #[test]
    fn what_the_files_do_not_say_stays_as_it_was() {
        let own = LaunchTemplateSpecification::builder()
            .launch_template_id("lt-arm")
            .build();
        let live = MixedInstancesPolicy::builder()
            .launch_template(
                LaunchTemplate::builder()
                    .launch_template_specification(template())
                    .overrides(
                        LaunchTemplateOverrides::builder()
                            .instance_type("m6i.large")
                            .launch_template_specification(own.clone())
                            .build(),
                    )
                    .build(),
            )
            .instances_distribution(
                InstancesDistribution::builder()
                    .spot_max_price("0.05")
                    .on_demand_allocation_strategy("lowest-price")
                    .build(),
            )
            .build();
        let group = AutoScalingGroup::builder()
            .mixed_instances_policy(live)
            .build();
        let written = policy(&group, None, &mix(0.5)).unwrap();
        let template = written.launch_template().unwrap();
        assert_eq!(
            template.overrides()[0].launch_template_specification(),
            Some(&own)
        );
        assert_eq!(template.overrides()[0].weighted_capacity(), Some("2"));
        let distribution = written.instances_distribution().unwrap();
        assert_eq!(distribution.spot_max_price(), Some("0.05"));
        assert_eq!(
            distribution.on_demand_allocation_strategy(),
            Some("lowest-price")
        );
    }

    #[test]
    fn a_launch_configuration_cannot_be_mixed() {
        let group = AutoScalingGroup::builder()
            .launch_configuration_name("old")
            .build();
        assert!(
            policy(&group, None, &mix(0.5))
                .unwrap_err()
                .contains("launch template")
        );
    }
}
