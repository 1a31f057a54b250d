"""Groups: making, changing, deleting and listing them.

Sources: Amazon EC2 Auto Scaling API reference of CreateAutoScalingGroup, UpdateAutoScalingGroup, DeleteAutoScalingGroup,
DescribeAutoScalingGroups, InstancesDistribution, LaunchTemplateOverrides, InstanceMaintenancePolicy.
"""

import copy

from dateutil import parser as dateparser

from ..registry import UTC, ApiError, invalid, operation, page
from .launching import deregister, ec2_of, finish, record, register, settle, template_of
from .model import WORLDS, Group, found

DEFAULTS = {
    "DefaultCooldown": 300,
    "HealthCheckType": "EC2",
    "HealthCheckGracePeriod": 0,
    "TerminationPolicies": ["Default"],
    "NewInstancesProtectedFromScaleIn": False,
    "CapacityRebalance": False,
    "DeletionProtection": "none",
}
PLAIN = (
    "MinSize",
    "MaxSize",
    "DesiredCapacity",
    "DefaultCooldown",
    "DefaultInstanceWarmup",
    "HealthCheckType",
    "HealthCheckGracePeriod",
    "PlacementGroup",
    "TerminationPolicies",
    "NewInstancesProtectedFromScaleIn",
    "CapacityRebalance",
    "MaxInstanceLifetime",
    "Context",
    "DesiredCapacityType",
    "InstanceMaintenancePolicy",
    "AvailabilityZoneDistribution",
    "AvailabilityZoneImpairmentPolicy",
    "CapacityReservationSpecification",
    "InstanceLifecyclePolicy",
    "DeletionProtection",
    "VPCZoneIdentifier",
    "AvailabilityZones",
)
TERMINATION = {
    "Default",
    "OldestInstance",
    "NewestInstance",
    "OldestLaunchConfiguration",
    "OldestLaunchTemplate",
    "ClosestToNextInstanceHour",
    "AllocationStrategy",
}
STRATEGIES = {"lowest-price", "capacity-optimized", "capacity-optimized-prioritized", "price-capacity-optimized"}


def check_bounds(least, most, desired=None):
    if least is not None and most is not None and least > most:
        raise invalid(f"Max bound, {most}, must be greater than or equal to min bound, {least}")
    if (least or 0) < 0 or (most or 0) < 0:
        raise invalid("Min and max bounds must not be negative")
    if desired is not None and not least <= desired <= most:
        raise invalid(f"Desired capacity:{desired} must be between the specified min size:{least} and max size:{most}")


# ---- making and changing ------------------------------------------------------------------------------


@operation("autoscaling", "CreateAutoScalingGroup")
def create(context, p):
    settle(create_group(context, p), "a user request created an AutoScalingGroup changing the desired capacity from 0.")


def create_group(context, p):
    world, name = WORLDS[context.place], p["AutoScalingGroupName"]
    if name in world.groups:
        raise ApiError(
            "AlreadyExists", "AutoScalingGroup by this name already exists - A group with the name already exists"
        )
    if ":" in name:
        raise invalid("The name of the Auto Scaling group can't contain a colon.")
    if (
        sum(key in p for key in ("LaunchTemplate", "MixedInstancesPolicy", "LaunchConfigurationName", "InstanceId"))
        != 1
    ):
        raise invalid(
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter."
        )
    if not p.get("VPCZoneIdentifier") and not p.get("AvailabilityZones"):
        raise invalid("At least one Availability Zone or VPC Subnet is required.")
    group = Group(context, name)
    group.settings = copy.deepcopy(DEFAULTS)
    _apply(context, group, dict(p, DesiredCapacity=p.get("DesiredCapacity", p["MinSize"])))
    for tag in p.get("Tags") or []:
        group.tags[tag["Key"]] = plain_tag(tag)
    for hook in p.get("LifecycleHookSpecificationList") or []:
        from .hooks import hook_of

        group.hooks[hook["LifecycleHookName"]] = hook_of(name, hook)
    arns = (p.get("TargetGroupARNs") or []) + [s["Identifier"] for s in p.get("TrafficSources") or []]
    for arn in arns:
        register(context, arn, [])
    group.target_groups = arns
    world.groups[name] = group
    return group


def plain_tag(tag):
    return {"Key": tag["Key"], "Value": tag.get("Value", ""), "PropagateAtLaunch": tag.get("PropagateAtLaunch", False)}


@operation("autoscaling", "UpdateAutoScalingGroup")
def update(context, p):
    """Properties that the request leaves out are not changed."""
    group = found(context, p["AutoScalingGroupName"])
    before = group.desired
    _apply(context, group, p)
    settle(
        group,
        f"a user request update of AutoScalingGroup constraints to min: {group.min}, max: {group.max}, desired: {group.desired} changing the desired capacity from {before} to {group.desired}.",
    )


def _apply(context, group, p):
    new = copy.deepcopy(group.settings)
    new.update({key: copy.deepcopy(p[key]) for key in PLAIN if key in p})
    check_bounds(new["MinSize"], new["MaxSize"], p.get("DesiredCapacity"))
    if "DesiredCapacity" not in p:  # new limits move the desired capacity
        new["DesiredCapacity"] = max(new["MinSize"], min(new["MaxSize"], new["DesiredCapacity"]))
    _check_plain(p)
    _apply_launch(context, new, p)
    if "VPCZoneIdentifier" in p:
        try:
            subnets = [ec2_of(context).get_subnet(s) for s in p["VPCZoneIdentifier"].split(",")]
        except Exception:
            raise invalid(f"The subnet ID '{p['VPCZoneIdentifier']}' does not exist") from None
        new["AvailabilityZones"] = sorted({s.availability_zone for s in subnets})
    elif "AvailabilityZones" in p:
        for az in p["AvailabilityZones"]:
            if not az.startswith(context.region):
                raise invalid(f"{az} is not a valid Availability Zone of {context.region}")
        if new.get("VPCZoneIdentifier"):
            zones = {ec2_of(context).get_subnet(s).availability_zone for s in new["VPCZoneIdentifier"].split(",")}
            if zones != set(p["AvailabilityZones"]):
                raise invalid("The availability zones of the specified subnets and the Auto Scaling group do not match")
    group.settings = new


def _check_plain(p):
    for policy in p.get("TerminationPolicies") or []:
        if policy not in TERMINATION and not policy.startswith("arn:aws:lambda:"):
            raise invalid(f"Invalid termination policy: {policy}")
    for kind in p.get("HealthCheckType", "EC2").split(","):
        if kind not in ("EC2", "ELB", "EBS", "VPC_LATTICE"):
            raise invalid(f"{kind} is not a supported health check type.")
    if p.get("DesiredCapacityType", "units") not in ("units", "vcpu", "memory-mib"):
        raise invalid(f"Invalid DesiredCapacityType: {p['DesiredCapacityType']}")
    lifetime = p.get("MaxInstanceLifetime", 0)
    if lifetime and not 86_400 <= lifetime <= 31_536_000:
        raise invalid("Maximum instance lifetime must be between 86400 and 31536000 seconds")
    if p.get("DefaultInstanceWarmup", -1) < -1:
        raise invalid("DefaultInstanceWarmup must be -1 or greater")
    maintenance = p.get("InstanceMaintenancePolicy")
    if maintenance:
        least, most = maintenance.get("MinHealthyPercentage"), maintenance.get("MaxHealthyPercentage")
        if (least is None) != (most is None) or (least == -1) != (most == -1):
            raise invalid("Both MinHealthyPercentage and MaxHealthyPercentage must be specified, or both be -1")
        if least is not None and least != -1 and (most < 100 or most - least > 100):
            raise invalid(
                "MaxHealthyPercentage must be at least 100, and the difference to MinHealthyPercentage at most 100"
            )


def _apply_launch(context, new, p):
    kinds = [k for k in ("LaunchTemplate", "MixedInstancesPolicy", "LaunchConfigurationName") if k in p]
    if len(kinds) > 1:
        raise invalid("Only one of LaunchTemplate, LaunchConfigurationName and MixedInstancesPolicy can be given.")
    if not kinds:
        return
    if kinds[0] == "LaunchConfigurationName":
        if p["LaunchConfigurationName"] not in WORLDS[context.place].launch_configurations:
            raise invalid("Launch configuration name not found - null")
        value = p["LaunchConfigurationName"]
    elif kinds[0] == "LaunchTemplate":
        value = _specification(context, p["LaunchTemplate"])
    else:
        value = _mixed_policy(context, new.get("MixedInstancesPolicy"), p["MixedInstancesPolicy"])
    for kind in ("LaunchTemplate", "MixedInstancesPolicy", "LaunchConfigurationName"):
        new.pop(kind, None)
    new[kinds[0]] = value


def _specification(context, spec):
    """With id, name and version, as the listing shows it."""
    if ("LaunchTemplateId" in spec) == ("LaunchTemplateName" in spec):
        raise invalid("Valid requests must contain either launchTemplateId or LaunchTemplateName")
    template, _ = template_of(context, spec)
    return {
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "Version": spec.get("Version", "$Default"),
    }


def _mixed_policy(context, old, given):
    old = old or {}
    launch = {**old.get("LaunchTemplate", {}), **copy.deepcopy(given.get("LaunchTemplate") or {})}
    if "LaunchTemplateSpecification" not in launch:
        raise invalid("A mixed instances policy needs a launch template.")
    if "LaunchTemplateSpecification" in (given.get("LaunchTemplate") or {}):
        launch["LaunchTemplateSpecification"] = _specification(context, launch["LaunchTemplateSpecification"])
    overrides = launch.setdefault("Overrides", [])
    _check_overrides(context, overrides)
    distribution = {**old.get("InstancesDistribution", {}), **(given.get("InstancesDistribution") or {})}
    by_attributes = any("InstanceRequirements" in o for o in overrides)
    distribution.setdefault("OnDemandAllocationStrategy", "lowest-price" if by_attributes else "prioritized")
    distribution.setdefault("OnDemandBaseCapacity", 0)
    distribution.setdefault("OnDemandPercentageAboveBaseCapacity", 100)
    distribution.setdefault("SpotAllocationStrategy", "lowest-price")
    if distribution["OnDemandAllocationStrategy"] not in ("prioritized", "lowest-price"):
        raise invalid(f"Invalid OnDemandAllocationStrategy: {distribution['OnDemandAllocationStrategy']}")
    if distribution["SpotAllocationStrategy"] not in STRATEGIES:
        raise invalid(f"Invalid SpotAllocationStrategy: {distribution['SpotAllocationStrategy']}")
    if distribution["SpotAllocationStrategy"] == "lowest-price":
        distribution.setdefault("SpotInstancePools", 2)
        if not 1 <= distribution["SpotInstancePools"] <= 20:
            raise invalid("SpotInstancePools must be between 1 and 20")
    elif (given.get("InstancesDistribution") or {}).get("SpotInstancePools"):
        raise invalid("SpotInstancePools option is only available with the lowest-price allocation strategy.")
    else:
        distribution.pop("SpotInstancePools", None)
    if not 0 <= distribution["OnDemandPercentageAboveBaseCapacity"] <= 100:
        raise invalid("OnDemandPercentageAboveBaseCapacity must be between 0 and 100")
    if distribution["OnDemandBaseCapacity"] < 0:
        raise invalid("OnDemandBaseCapacity must not be negative")
    if distribution.get("SpotMaxPrice") == "":  # an empty text takes the price away again
        distribution.pop("SpotMaxPrice")
    return {"LaunchTemplate": launch, "InstancesDistribution": distribution}


def _check_overrides(context, overrides):
    if len(overrides) > 40:
        raise invalid("At most 40 overrides can be specified")
    if overrides and len({"WeightedCapacity" in o for o in overrides}) > 1:
        raise invalid("If you specify a weight for one override, you must specify a weight for all overrides.")
    types = [o.get("InstanceType") for o in overrides if "InstanceRequirements" not in o]
    if len(types) != len(set(types)):
        raise invalid("Instance types of the overrides must be unique.")
    known = instance_types()
    for override in overrides:
        if "InstanceRequirements" in override and "InstanceType" in override:
            raise invalid("InstanceType and InstanceRequirements can't both be specified in one override.")
        if override.get("InstanceType") and override["InstanceType"] not in known:
            raise invalid(f"The instance type {override['InstanceType']} is invalid.")
        weight = override.get("WeightedCapacity")
        if weight is not None and not (weight.isdigit() and 1 <= int(weight) <= 999):
            raise invalid(f"WeightedCapacity must be a whole number between 1 and 999, not {weight}")
        if "LaunchTemplateSpecification" in override:
            override["LaunchTemplateSpecification"] = _specification(
                context, _one_name(override["LaunchTemplateSpecification"])
            )


def _one_name(spec):
    return {k: v for k, v in spec.items() if k != "LaunchTemplateName" or "LaunchTemplateId" not in spec}


def instance_types():
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    return INSTANCE_TYPES


@operation("autoscaling", "DeleteAutoScalingGroup")
def delete(context, p):
    world, group = WORLDS[context.place], found(context, p["AutoScalingGroupName"])
    settle(group)
    force, protection = p.get("ForceDelete", False), group.settings["DeletionProtection"]
    if protection == "prevent-all-deletion" or force and protection == "prevent-force-deletion":
        raise invalid(f"You cannot delete an AutoScalingGroup while its deletion protection is {protection}.")
    if group.instances and not force:
        raise ApiError(
            "ResourceInUse",
            "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.",
        )
    group.hooks.clear()
    for instance in list(group.instances):
        finish(
            record(
                group,
                f"Terminating EC2 instance: {instance.id}",
                "A user request force-deleted the AutoScalingGroup.",
                context.now,
            ),
            context.now,
            "Successful",
        )
        for arn in group.target_groups:
            deregister(context, arn, [instance])
        ec2_of(context).terminate_instances([instance.id])
    from .policies import remove

    for name in list(group.policies):
        remove(context, group, name, with_group=True)
    world.deleted.append(group)
    del world.groups[group.name]


# ---- listing ------------------------------------------------------------------------------------------


@operation("autoscaling", "DescribeAutoScalingGroups")
def describe(context, p):
    world = WORLDS[context.place]
    names = p.get("AutoScalingGroupNames")
    rows = (
        [world.groups[n] for n in dict.fromkeys(names) if n in world.groups] if names else list(world.groups.values())
    )
    for one in p.get("Filters") or []:
        rows = [g for g in rows if _fits(g, one["Name"], one.get("Values") or [])]
    rows, token = page(rows, p, 50, 100)
    for group in rows:
        settle(group)
    with_instances = p.get("IncludeInstances", True)
    return {"AutoScalingGroups": [g.shown(with_instances) for g in rows], "NextToken": token}


def _fits(group, name, values):
    if name == "tag-key":
        return any(key in values for key in group.tags)
    if name == "tag-value":
        return any(tag["Value"] in values for tag in group.tags.values())
    if name.startswith("tag:"):
        return name[4:] in group.tags and group.tags[name[4:]]["Value"] in values
    raise invalid(f"Filter type {name} is not correct. Allowed Filter types are: tag-key, tag-value, tag:<key>")


@operation("autoscaling", "DescribeScalingActivities")
def describe_activities(context, p):
    world = WORLDS[context.place]
    groups = list(world.groups.values())
    if p.get("IncludeDeletedGroups"):
        groups += world.deleted
    if "AutoScalingGroupName" in p:
        groups = [g for g in groups if g.name == p["AutoScalingGroupName"]]
        if not groups:
            raise invalid("AutoScalingGroup name not found - null")
    for group in groups:
        if group.name in world.groups:
            settle(group)
    rows = sorted((a for g in groups for a in g.activities), key=lambda a: a["StartTime"], reverse=True)
    if p.get("ActivityIds"):
        rows = [a for a in rows if a["ActivityId"] in p["ActivityIds"]]
    for one in p.get("Filters") or []:
        rows = _activities_by(one["Name"], one.get("Values") or [], rows, "AutoScalingGroupName" in p)
    rows, token = page(rows, p, 100, 100)
    return {"Activities": rows, "NextToken": token}


def _activities_by(name, values, rows, is_of_one_group):
    if name == "Status":
        if not is_of_one_group:
            raise invalid("The Status filter can only be used with an Auto Scaling group name.")
        return [a for a in rows if a["StatusCode"] in values]
    if name not in ("StartTimeLowerBound", "StartTimeUpperBound") or len(values) != 1:
        raise invalid(f"The filter {name} is not valid.")
    try:
        bound = dateparser.isoparse(values[0])
    except ValueError:
        raise invalid(f"{values[0]} is not a valid ISO 8601 time.") from None
    bound = bound if bound.tzinfo else bound.replace(tzinfo=UTC)
    if name == "StartTimeLowerBound":
        return [a for a in rows if a["StartTime"] >= bound]
    return [a for a in rows if a["StartTime"] <= bound]


@operation("autoscaling", "DescribeAccountLimits")
def describe_account_limits(context, p):
    world = WORLDS[context.place]
    return {
        "MaxNumberOfAutoScalingGroups": 500,
        "MaxNumberOfLaunchConfigurations": 200,
        "NumberOfAutoScalingGroups": len(world.groups),
        "NumberOfLaunchConfigurations": len(world.launch_configurations),
    }


def settle_all(account):
    """Every group of the account, to now."""
    for (owner, _), world in list(WORLDS.items()):
        if owner == account:
            for group in list(world.groups.values()):
                settle(group)
