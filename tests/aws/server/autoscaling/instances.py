"""Desired capacity and single instances.

Sources: Amazon EC2 Auto Scaling API reference of each operation; the texts of SetDesiredCapacity's refusals are quoted
in public threads (kubernetes/autoscaler issue 943).
"""

from ..registry import ApiError, invalid, operation, page
from .launching import deregister, ec2_of, end, finish, record, settle
from .model import WORLDS, Instance, found


@operation("autoscaling", "SetDesiredCapacity")
def set_desired_capacity(context, p):
    group, wanted = found(context, p["AutoScalingGroupName"]), p["DesiredCapacity"]
    settle(group)
    if wanted > group.max:
        raise invalid(f"New SetDesiredCapacity value {wanted} is above max value {group.max} for the AutoScalingGroup.")
    if wanted < group.min:
        raise invalid(f"New SetDesiredCapacity value {wanted} is below min value {group.min} for the AutoScalingGroup.")
    check_cooldown(context, group, p)
    before, group.settings["DesiredCapacity"] = group.desired, wanted
    settle(
        group,
        f"a user request explicitly set group desired capacity changing the desired capacity from {before} to {wanted}.",
    )


def check_cooldown(context, group, p):
    if (
        p.get("HonorCooldown")
        and group.last_scaled
        and (context.now - group.last_scaled).total_seconds() < group.settings["DefaultCooldown"]
    ):
        raise ApiError(
            "ScalingActivityInProgress",
            f"Scaling activity initiated by previous request and DefaultCooldown {group.settings['DefaultCooldown']} seconds has not elapsed.",
        )


def _owner(context, instance_id):
    for group in WORLDS[context.place].groups.values():
        for instance in group.instances:
            if instance.id == instance_id:
                return group, instance
    raise invalid(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")


def _members(context, p):
    group = found(context, p["AutoScalingGroupName"])
    by_id = {i.id: i for i in group.instances}
    for name in p.get("InstanceIds") or []:
        if name not in by_id:
            raise invalid(f"The instance {name} is not part of Auto Scaling group {group.name}.")
    return group, [by_id[name] for name in p.get("InstanceIds") or []]


@operation("autoscaling", "TerminateInstanceInAutoScalingGroup")
def terminate(context, p):
    group, instance = _owner(context, p["InstanceId"])
    settle(group)
    decrement, before = p["ShouldDecrementDesiredCapacity"], group.desired
    if instance.state not in ("InService", "Standby", "Pending", "Pending:Wait", "Pending:Proceed"):
        raise ApiError("ScalingActivityInProgress", f"The instance {instance.id} is in {instance.state}.")
    if decrement and before - instance.units < group.min:
        raise invalid(
            f"Currently, desiredSize equals minSize ({group.min}). Terminating instance without replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size."
        )
    if decrement:
        group.settings["DesiredCapacity"] = before - instance.units
    now = context.now
    cause = f"At {now:%Y-%m-%dT%H:%M:%SZ} instance {instance.id} was taken out of service in response to a user request"
    cause += f", shrinking the capacity from {before} to {group.desired}." if decrement else "."
    activity = end(group, instance, cause)
    answer = dict(activity)  # AWS answers at once: the activity is still under way
    settle(group)
    return {"Activity": answer}


@operation("autoscaling", "SetInstanceProtection")
def set_protection(context, p):
    _, chosen = _members(context, p)
    for instance in chosen:
        instance.protected = p["ProtectedFromScaleIn"]


@operation("autoscaling", "SetInstanceHealth")
def set_health(context, p):
    group, instance = _owner(context, p["InstanceId"])
    if p["HealthStatus"] not in ("Healthy", "Unhealthy"):
        raise invalid(f"{p['HealthStatus']} is not a valid health status")
    instance.health = p["HealthStatus"]
    settle(group)


def _leave(context, p, verb, state):
    """Out of the count of the group, with or without lowering the desired capacity."""
    group, chosen = _members(context, p)
    for instance in chosen:
        if instance.state != "InService":
            raise invalid(f"The instance {instance.id} is not in InService.")
    decrement, units, before = p["ShouldDecrementDesiredCapacity"], sum(i.units for i in chosen), group.desired
    if decrement:
        if before - units < group.min:
            raise invalid(
                f"AutoScalingGroup {group.name} has min size={group.min}, max size={group.max}, and desired size={before}. To place into standby or detach {len(chosen)} instance(s), please update the AutoScalingGroup sizes appropriately."
            )
        group.settings["DesiredCapacity"] = before - units
    activities = []
    for instance in chosen:
        instance.state = state
        activities.append(
            record(
                group,
                f"{verb}: {instance.id}",
                f"At {context.now:%Y-%m-%dT%H:%M:%SZ} instance {instance.id} was moved in response to a user request.",
                context.now,
            )
        )
        finish(activities[-1], context.now, "Successful")
        for arn in group.target_groups:
            deregister(context, arn, [instance])
        if state == "Detached":
            group.instances.remove(instance)
    settle(group)
    return {"Activities": activities}


@operation("autoscaling", "EnterStandby")
def enter_standby(context, p):
    return _leave(context, p, "Moving EC2 instance to Standby", "Standby")


@operation("autoscaling", "DetachInstances")
def detach(context, p):
    return _leave(context, p, "Detaching EC2 instance", "Detached")


@operation("autoscaling", "ExitStandby")
def exit_standby(context, p):
    group, chosen = _members(context, p)
    if any(i.state != "Standby" for i in chosen):
        raise invalid("The instances are not in Standby.")
    units = sum(i.units for i in chosen)
    if group.desired + units > group.max:
        raise invalid(
            f"AutoScalingGroup {group.name} has max size={group.max}; {len(chosen)} instance(s) can't leave standby."
        )
    group.settings["DesiredCapacity"] += units
    activities = []
    for instance in chosen:
        instance.state = "Pending:Proceed"
        instance.activity = record(
            group, f"Moving EC2 instance out of Standby: {instance.id}", "A user request.", context.now
        )
        activities.append(instance.activity)
    settle(group)
    return {"Activities": activities}


@operation("autoscaling", "AttachInstances")
def attach(context, p):
    group = found(context, p["AutoScalingGroupName"])
    names = p.get("InstanceIds") or []
    if group.desired + len(names) > group.max:
        raise invalid(
            f"AutoScalingGroup {group.name} has max size={group.max}; {len(names)} instance(s) can't be attached."
        )
    try:
        machines = ec2_of(context).get_multi_instances_by_id(names)
    except Exception as error:
        raise invalid(f"Invalid Instance ID(s): {names}") from error
    for machine in machines:
        instance = Instance(
            machine,
            machine.placement.availability_zone
            if hasattr(machine.placement, "availability_zone")
            else machine.placement.zone,
            machine.lifecycle or "on-demand",
            None,
            {},
            False,
            context.now,
        )
        instance.state, instance.due = "Pending:Proceed", None
        instance.activity = record(
            group, f"Attaching an existing EC2 instance: {instance.id}", "A user request.", context.now
        )
        group.instances.append(instance)
    group.settings["DesiredCapacity"] += len(machines)
    settle(group)


@operation("autoscaling", "DescribeAutoScalingInstances")
def describe(context, p):
    wanted = p.get("InstanceIds")
    rows = []
    for group in WORLDS[context.place].groups.values():
        settle(group)
        for instance in group.instances:
            if not wanted or instance.id in wanted:
                shown = instance.shown()
                rows.append(dict(shown, AutoScalingGroupName=group.name, HealthStatus=shown["HealthStatus"].upper()))
    rows, token = page(rows, p, 50, 50)
    return {"AutoScalingInstances": rows, "NextToken": token}
