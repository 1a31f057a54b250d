"""How a group comes to its desired capacity: launches, their failures, scale-in, replacement, the passing of time.

Time passes when somebody looks: `settle` brings a group to the account's clock.

Sources, Amazon EC2 Auto Scaling User Guide: "Instance lifecycle", "Suspend and resume processes", "Configure
termination policies", "Auto Scaling groups with multiple instance types and purchase options", "Troubleshoot Amazon
EC2 Auto Scaling: EC2 instance launch failures" (the texts of the failures).
"""

import datetime
import math
import uuid
from fractions import Fraction

from moto.ec2 import ec2_backends
from moto.elbv2 import elbv2_backends

from ..ec2_instances import run_instance
from ..registry import ApiError, Context, invalid
from .model import ENDING, SETTINGS, WORLDS, Instance

LAUNCHING, TERMINATING = "autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"
REASONS = {
    "spot": "Could not launch Spot Instances. InsufficientInstanceCapacity - There is no Spot capacity available that "
    "matches your request. Launching EC2 instance failed.",
    "on-demand": "We currently do not have sufficient {type} capacity in the Availability Zone you requested ({az}). "
    "Launching EC2 instance failed.",
}


def seconds(count):
    return datetime.timedelta(seconds=count)


def ec2_of(context):
    return ec2_backends[context.account][context.region]


# ---- the passing of time --------------------------------------------------------------------------


def settle(group, cause=None):
    """Brings the group to now. `cause` is why its desired capacity differs, for the activities."""
    context = Context(group.account, group.region)
    _check_health(context, group)
    for instance in list(group.instances):
        _advance(context, group, instance)
    _meet_desired(context, group, cause)
    for instance in list(group.instances):
        _advance(context, group, instance)


def _advance(context, group, instance):
    now = context.now
    if instance.hooks and instance.due and now >= instance.due:  # nobody completed the action in time
        instance.hooks = []
        result = instance.default_result
        instance.due = None
        if instance.state == "Pending:Wait" and result == "ABANDON":
            instance.hooks = []
            finish(instance.activity, now, "Cancelled", "Launch abandoned by a lifecycle hook.")
            _end(context, group, instance, f"At {_stamp(now)} a lifecycle hook abandoned the launch.", with_hooks=False)
            return
    if instance.state == "Pending" and (instance.due is None or now >= instance.due):
        _wait_or(context, group, instance, LAUNCHING, "Pending:Wait")
    if instance.state == "Pending:Wait" and not instance.hooks:
        instance.state = "Pending:Proceed"
    if instance.state == "Pending:Proceed":
        instance.state, instance.due, instance.in_service_since = "InService", None, now
        finish(instance.activity, now, "Successful")
        if "AddToLoadBalancer" not in group.suspended:
            for arn in group.target_groups:
                register(context, arn, [instance])
    if instance.state == "Terminating:Wait" and not instance.hooks:
        instance.state = "Terminating:Proceed"
        instance.due = now + seconds(SETTINGS.of(group.account, "terminate_s"))
    if instance.state == "Terminating" and instance.due is None:
        instance.due = now + seconds(SETTINGS.of(group.account, "terminate_s"))
    if instance.state in ("Terminating", "Terminating:Proceed") and now >= instance.due:
        group.instances.remove(instance)
        if _state_of(instance) != "terminated":
            ec2_of(context).terminate_instances([instance.id])
        finish(instance.activity, now, "Successful")


def _wait_or(context, group, instance, transition, state):
    hooks = [h for h in group.hooks.values() if h["LifecycleTransition"] == transition]
    if not hooks:
        instance.state = "Pending:Proceed" if transition == LAUNCHING else instance.state
        return
    instance.state, instance.hooks = state, [h["LifecycleHookName"] for h in hooks]
    instance.token = str(uuid.uuid4())
    instance.due = context.now + seconds(min(h["HeartbeatTimeout"] for h in hooks))
    instance.default_result = "ABANDON" if any(h["DefaultResult"] == "ABANDON" for h in hooks) else "CONTINUE"
    instance.activity["StatusCode"], instance.activity["Progress"] = "MidLifecycleAction", 60


def _check_health(context, group):
    if "HealthCheck" not in group.suspended:
        for instance in group.instances:
            if instance.state == "InService" and _state_of(instance) in (
                "terminated",
                "stopped",
                "shutting-down",
                "stopping",
            ):
                instance.health = "Unhealthy"
    if {"ReplaceUnhealthy", "Terminate"} & set(group.suspended):
        return
    for instance in list(group.instances):
        if instance.state == "InService" and instance.health == "Unhealthy":
            _end(
                context,
                group,
                instance,
                f"At {_stamp(context.now)} an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped.",
            )


def _state_of(instance):
    return instance.ec2._state.name


def _stamp(time):
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


# ---- to the desired capacity ------------------------------------------------------------------------


def _meet_desired(context, group, cause):
    now = context.now
    have = sum(i.units for i in group.counted)
    if have < group.desired and "Launch" not in group.suspended and (group.retry_at is None or now >= group.retry_at):
        group.retry_at = None
        before = have
        while have < group.desired:
            instance = _launch(context, group, cause, before, group.desired)
            if instance is None:  # a failed launch is tried again later, not at once
                group.retry_at = now + seconds(SETTINGS.of(group.account, "retry_s"))
                break
            have += instance.units
        group.last_scaled = now
    elif have > group.desired and "Terminate" not in group.suspended:
        before = have
        while have > group.desired:
            victim = next_victim(group)
            if victim is None:
                if not group.activities or "protected" not in group.activities[0].get("StatusMessage", ""):
                    activity = record(
                        group,
                        "Terminating EC2 instance",
                        _because(now, cause, "taken out of service", before, group.desired),
                        now,
                    )
                    finish(
                        activity,
                        now,
                        "Failed",
                        "Could not scale to desired capacity because all remaining instances are protected from scale-in.",
                    )
                break
            if have - victim.units < group.desired:
                break
            have -= victim.units
            _end(context, group, victim, _because(now, cause, "taken out of service", before, group.desired))
        group.last_scaled = now


def _because(now, cause, verb, before, after):
    direction, start = ("increasing", "started") if after > before else ("shrinking", verb)
    first = f"At {_stamp(now)} {cause}  " if cause else ""
    return f"{first}At {_stamp(now)} an instance was {start} in response to a difference between desired and actual capacity, {direction} the capacity from {before} to {after}."


def record(group, description, cause, now):
    activity = {
        "ActivityId": str(uuid.uuid4()),
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "Description": description,
        "Cause": cause[:1023],
        "StartTime": now,
        "StatusCode": "InProgress",
        "Progress": 30,
        "Details": "{}",
    }
    group.activities.insert(0, activity)
    return activity


def finish(activity, now, status, message=None):
    activity.update(StatusCode=status, EndTime=now, Progress=100)
    if message:
        activity["StatusMessage"] = message[:255]


# ---- launching --------------------------------------------------------------------------------------


def split(group):
    """Units wanted on demand and on spot; the share on demand is rounded up (user guide, "instances distribution")."""
    policy = group.settings.get("MixedInstancesPolicy")
    if not policy:
        return group.desired, 0
    distribution = policy["InstancesDistribution"]
    base = min(group.desired, distribution["OnDemandBaseCapacity"])
    percent = distribution["OnDemandPercentageAboveBaseCapacity"]
    on_demand = base + math.ceil(Fraction((group.desired - base) * percent, 100))
    return on_demand, group.desired - on_demand


def _is_next_on_demand(group):
    on_demand, _ = split(group)
    return sum(i.units for i in group.counted if i.lifecycle != "spot") < on_demand


def template_of(context, spec):
    """The template's version that a specification means: (template, version). ValidationError when there is none."""
    backend = ec2_of(context)
    try:
        if spec.get("LaunchTemplateId"):
            template = backend.get_launch_template(spec["LaunchTemplateId"])
        else:
            template = backend.get_launch_template_by_name(spec["LaunchTemplateName"])
        number = spec.get("Version", "$Default")
        version = (
            template.latest_version()
            if number == "$Latest"
            else template.default_version()
            if number == "$Default"
            else template.get_version(int(number))
        )
    except Exception:
        version = None
    if version is None:
        raise invalid(
            f"You must use a valid fully-formed launch template. The specified launch template, {spec}, does not exist."
        )
    return template, version


def places(context, group):
    """(zone, subnet or None) that the group launches into."""
    subnets = group.settings.get("VPCZoneIdentifier")
    if not subnets:
        return [(az, None) for az in group.settings["AvailabilityZones"]]
    return [(ec2_of(context).get_subnet(s).availability_zone, s) for s in subnets.split(",")]


def _candidates(group, own_type):
    """(type, weight, template or None) in the order of preference."""
    policy = group.settings.get("MixedInstancesPolicy") or {}
    overrides = [o for o in policy.get("LaunchTemplate", {}).get("Overrides") or [] if o.get("InstanceType")]
    if not overrides:
        return [(own_type, None, None)]
    return [
        (
            o["InstanceType"],
            int(o["WeightedCapacity"]) if o.get("WeightedCapacity") else None,
            o.get("LaunchTemplateSpecification"),
        )
        for o in overrides
    ]


def _source(context, group):
    """What a group launches from: (template, version number, type, image, is the template itself spot)."""
    configuration = group.settings.get("LaunchConfigurationName")
    if configuration:
        data = WORLDS[context.place].launch_configurations[configuration]
        return None, None, data.get("InstanceType"), data.get("ImageId"), "SpotPrice" in data
    policy = group.settings.get("MixedInstancesPolicy")
    spec = policy["LaunchTemplate"]["LaunchTemplateSpecification"] if policy else group.settings["LaunchTemplate"]
    template, version = template_of(context, spec)
    is_spot = (version.data.get("InstanceMarketOptions") or {}).get("MarketType") == "spot"
    return template, version.number, version.data.get("InstanceType"), version.data.get("ImageId"), is_spot


def _launch(context, group, cause, before, after):
    """A new instance, or None with the failure recorded."""
    now, why = context.now, _because(context.now, cause, "", before, after)
    load = [i for i in group.instances if i.state not in ENDING]
    az, subnet = min(places(context, group), key=lambda place: sum(i.az == place[0] for i in load))
    template, number, own_type, image, is_spot = _source(context, group)
    lifecycle = "spot" if is_spot or not _is_next_on_demand(group) else "on-demand"
    refused = kind = weight = other = None
    for kind, weight, other in _candidates(group, own_type or "m1.small"):
        refused = _refusal(group, lifecycle, kind, az)
        if refused is None:
            break
    if refused is not None:
        return _failed(group, refused, why, now)
    if other:
        template, version = template_of(context, other)
        image, number = version.data.get("ImageId") or image, version.number
    tags = {key: tag["Value"] for key, tag in group.tags.items() if tag.get("PropagateAtLaunch")}
    tags["aws:autoscaling:groupName"] = group.name
    if template:
        tags["aws:ec2launchtemplate:id"], tags["aws:ec2launchtemplate:version"] = template.id, str(number)
    try:
        machine = run_instance(context, image or "ami-12c6146b", kind, None if subnet else az, subnet, template, tags)
    except Exception as error:
        return _failed(group, f"{getattr(error, 'message', error)} Launching EC2 instance failed.", why, now)
    machine.launch_time = now.replace(tzinfo=None)
    if lifecycle == "spot":
        machine.lifecycle = "spot"
    shown = {"LaunchConfigurationName": group.settings.get("LaunchConfigurationName")}
    if template:
        shown = {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "Version": str(number)}
    protected = group.settings["NewInstancesProtectedFromScaleIn"]
    instance = Instance(machine, az, lifecycle, weight, shown, protected, now)
    instance.due = now + seconds(SETTINGS.of(group.account, "boot_s"))
    instance.activity = record(group, f"Launching a new EC2 instance: {instance.id}", why, now)
    group.instances.append(instance)
    return instance


def _failed(group, message, why, now):
    activity = record(group, f"Launching a new EC2 instance.  Status Reason: {message}", why, now)
    finish(activity, now, "Failed", message)


def _refusal(group, lifecycle, kind, az):
    """The failure that a test asked for this launch, in AWS's words."""
    for failure in SETTINGS.failures.get(group.account, []):
        wanted = (("group", group.name), ("lifecycle", lifecycle), ("type", kind), ("az", az))
        if failure["times"] == 0 or any(failure[k] not in ("*", v) for k, v in wanted):
            continue
        if failure["times"] > 0:
            failure["times"] -= 1
        return failure["reason"] or REASONS[lifecycle].format(type=kind, az=az)
    return None


# ---- ending -----------------------------------------------------------------------------------------


def next_victim(group):
    """Who goes first on scale-in, or None where all are protected.

    Out of step with the instances distribution first, then the fullest zone, then the group's policies in order.
    """
    pool = [i for i in group.counted if not i.protected]
    if not pool:
        return None
    if group.settings.get("MixedInstancesPolicy"):
        on_demand, spot = split(group)
        have_spot = sum(i.units for i in group.counted if i.lifecycle == "spot")
        have_on_demand = sum(i.units for i in group.counted) - have_spot
        surplus = "spot" if have_spot > spot else "on-demand" if have_on_demand > on_demand else None
        pool = [i for i in pool if surplus in (None, i.lifecycle)] or pool
    fill = {az: sum(i.az == az for i in group.counted) for az in {i.az for i in pool}}
    pool = [i for i in pool if fill[i.az] == max(fill.values())]
    return min(
        pool, key=lambda i: [_rank(policy, group, i) for policy in group.settings["TerminationPolicies"]] + [i.serial]
    )


def _rank(policy, group, instance):
    if policy == "NewestInstance":
        return (-instance.serial,)
    if policy == "OldestInstance":
        return (instance.serial,)
    number = instance.template.get("Version")
    if policy in ("OldestLaunchTemplate", "Default"):
        oldest_first = int(number) if number and number.isdigit() else 0
        return (oldest_first,) if policy == "OldestLaunchTemplate" else (oldest_first, instance.serial)
    return (0,)


def _end(context, group, instance, cause, with_hooks=True):
    now = context.now
    instance.state, instance.due, instance.hooks = "Terminating", None, []
    instance.activity = record(group, f"Terminating EC2 instance: {instance.id}", cause, now)
    for arn in group.target_groups:
        deregister(context, arn, [instance])
    if with_hooks:
        _wait_or(context, group, instance, TERMINATING, "Terminating:Wait")


def end(group, instance, cause, with_hooks=True):
    """Takes one instance away; answers the activity."""
    _end(Context(group.account, group.region), group, instance, cause, with_hooks)
    return instance.activity


# ---- target groups ----------------------------------------------------------------------------------


def register(context, arn, instances):
    """Into the target group; ValidationError where there is none."""
    _targets(context, arn, instances, "register_targets")


def deregister(context, arn, instances):
    try:
        _targets(context, arn, instances, "deregister_targets")
    except ApiError:
        pass  # the target group went first


def _targets(context, arn, instances, method):
    backend = elbv2_backends[context.account][context.region]
    group = backend.target_groups.get(arn)
    if group is None:
        raise invalid(f"Provided Target Groups may not be valid. Please ensure they exist and try again. ({arn})")
    targets = [{"Id": i.id, "Port": group.port} for i in instances]
    if targets:
        getattr(backend, method)(arn, targets)
