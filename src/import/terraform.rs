//! What a Terraform configuration of the same groups must let go of: `ignore_changes`, and `removed` blocks.
//!
//! The names of its resources are not known here; those of AWS stand in for them.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use tideform_policies::model::Resource;

use super::ImportedGroup;
use super::draft::Draft;

/// The attributes of `aws_autoscaling_group` that tideform manages from now on; none for other kinds of resource.
pub(super) fn ignored(draft: &Draft) -> Vec<String> {
    if &*draft.live.resource.kind != "asg" || !draft.is_native {
        return Vec::new();
    }
    const DISTRIBUTION: &str = "mixed_instances_policy[0].instances_distribution[0]";
    let mut list = vec!["desired_capacity".to_owned()];
    if draft.limits.is_some() {
        list.extend(["min_size", "max_size"].map(str::to_owned));
    }
    if let Some(mix) = &draft.mix {
        list.push(format!("{DISTRIBUTION}.on_demand_base_capacity"));
        list.push(format!(
            "{DISTRIBUTION}.on_demand_percentage_above_base_capacity"
        ));
        if mix.allocation.is_some() {
            list.push(format!("{DISTRIBUTION}.spot_allocation_strategy"));
        }
        if !mix.types.is_empty() {
            list.push("mixed_instances_policy[0].launch_template[0].override".to_owned());
        }
        if mix.rebalance.is_some() {
            list.push("capacity_rebalance".to_owned());
        }
    }
    if draft.has_warmup {
        list.push("default_instance_warmup".to_owned());
    }
    if draft.has_maintenance {
        list.push("instance_maintenance_policy".to_owned());
    }
    if draft.has_order {
        list.push("termination_policies".to_owned());
    }
    // The owner's tags.
    list.push("tag".to_owned());
    list
}

/// The blocks for all groups; `None`: no group is one that Terraform makes so.
pub fn terraform(groups: &[ImportedGroup]) -> Option<String> {
    let mut out = String::new();
    let mut seen = Seen::default();
    for group in groups {
        if group.terraform_ignore.is_empty() {
            continue;
        }
        let _ = write_group(&mut out, group, &mut seen);
    }
    if out.is_empty() {
        return None;
    }
    Some(format!(
        "# Where Terraform made these groups: what it must let go of before the next `terraform apply`.\n\
         # Put the names of your own resources in place of these, and delete the blocks that `removed` names.\n{out}"
    ))
}

/// What the blocks before have named.
#[derive(Default)]
struct Seen {
    /// Addresses, each of one resource.
    addresses: BTreeSet<String>,
    /// Alarms are the account's: one that starts several policies is one resource.
    alarms: BTreeSet<String>,
}

fn write_group(out: &mut String, group: &ImportedGroup, seen: &mut Seen) -> std::fmt::Result {
    let Resource { name, .. } = &group.resource;
    writeln!(
        out,
        "\n# {}\n# In resource \"aws_autoscaling_group\" of `{name}`:\n#",
        group.address
    )?;
    writeln!(out, "#   lifecycle {{\n#     ignore_changes = [")?;
    for attribute in &group.terraform_ignore {
        writeln!(out, "#       {attribute},")?;
    }
    writeln!(out, "#     ]\n#   }}")?;
    for (kind, control) in &group.terraform_removed {
        if kind == "aws_cloudwatch_metric_alarm" && !seen.alarms.insert(control.clone()) {
            continue;
        }
        let mut label = identifier(control);
        let mut number = 2;
        while !seen.addresses.insert(format!("{kind}.{label}")) {
            label = format!("{}_{number}", identifier(control));
            number += 1;
        }
        writeln!(
            out,
            "\n# `{}` of `{name}`\nremoved {{\n  from = {kind}.{label}\n\n  lifecycle {{\n    destroy = false\n  }}\n}}",
            control.replace(['\n', '\r'], " ")
        )?;
    }
    Ok(())
}

/// A name as Terraform takes it.
fn identifier(name: &str) -> String {
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        name
    } else {
        format!("r_{name}")
    }
}
