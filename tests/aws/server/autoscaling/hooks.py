"""Lifecycle hooks. Sources: API reference of PutLifecycleHook, CompleteLifecycleAction, RecordLifecycleActionHeartbeat."""

from ..registry import ApiError, invalid, operation
from .launching import LAUNCHING, TERMINATING, end, finish, seconds, settle
from .model import found

KEPT = (
    "LifecycleHookName",
    "LifecycleTransition",
    "NotificationTargetARN",
    "RoleARN",
    "NotificationMetadata",
    "HeartbeatTimeout",
    "DefaultResult",
)


def hook_of(group_name, p):
    hook = {key: p[key] for key in KEPT if key in p}
    hook.setdefault("HeartbeatTimeout", 3600)
    hook.setdefault("DefaultResult", "ABANDON")
    hook["GlobalTimeout"] = min(172_800, 100 * hook["HeartbeatTimeout"])
    hook["AutoScalingGroupName"] = group_name
    if hook.get("LifecycleTransition") not in (LAUNCHING, TERMINATING):
        raise invalid(f"Invalid lifecycle transition: {hook.get('LifecycleTransition')}")
    if not 30 <= hook["HeartbeatTimeout"] <= 7200:
        raise invalid("HeartbeatTimeout must be between 30 and 7200 seconds")
    if hook["DefaultResult"] not in ("CONTINUE", "ABANDON"):
        raise invalid("DefaultResult must be CONTINUE or ABANDON")
    return hook


@operation("autoscaling", "PutLifecycleHook")
def put(context, p):
    group = found(context, p["AutoScalingGroupName"])
    old = group.hooks.get(p["LifecycleHookName"])
    if old is None and len(group.hooks) >= 50:
        raise ApiError("LimitExceeded", "An Auto Scaling group can have at most 50 lifecycle hooks.")
    group.hooks[p["LifecycleHookName"]] = hook_of(group.name, {**(old or {}), **p})


@operation("autoscaling", "DescribeLifecycleHooks")
def describe(context, p):
    group = found(context, p["AutoScalingGroupName"])
    names = p.get("LifecycleHookNames")
    return {"LifecycleHooks": [h for n, h in group.hooks.items() if not names or n in names]}


@operation("autoscaling", "DeleteLifecycleHook")
def delete(context, p):
    group, name = found(context, p["AutoScalingGroupName"]), p["LifecycleHookName"]
    if group.hooks.pop(name, None) is None:
        raise invalid("No Lifecycle Hook found")
    for instance in group.instances:  # outstanding actions are completed with it
        if name in instance.hooks:
            instance.hooks.remove(name)
    settle(group)


def _waiting(group, p):
    for instance in group.instances:
        by_token = p.get("LifecycleActionToken") and instance.token == p["LifecycleActionToken"]
        if (by_token or instance.id == p.get("InstanceId")) and p["LifecycleHookName"] in instance.hooks:
            return instance
    raise invalid(f"No active Lifecycle Action found with instance ID {p.get('InstanceId')}")


@operation("autoscaling", "CompleteLifecycleAction")
def complete(context, p):
    group = found(context, p["AutoScalingGroupName"])
    settle(group)
    instance = _waiting(group, p)
    if p["LifecycleActionResult"] not in ("CONTINUE", "ABANDON"):
        raise invalid("LifecycleActionResult must be CONTINUE or ABANDON")
    if p["LifecycleActionResult"] == "ABANDON":  # ends the waiting for all hooks; a launch is then given up
        instance.hooks = []
        if instance.state == "Pending:Wait":
            finish(instance.activity, context.now, "Cancelled", "Launch abandoned by a lifecycle hook.")
            end(group, instance, "A lifecycle hook abandoned the launch.", with_hooks=False)
    else:
        instance.hooks.remove(p["LifecycleHookName"])
    settle(group)


@operation("autoscaling", "RecordLifecycleActionHeartbeat")
def heartbeat(context, p):
    group = found(context, p["AutoScalingGroupName"])
    settle(group)
    instance = _waiting(group, p)
    instance.due = context.now + seconds(group.hooks[p["LifecycleHookName"]]["HeartbeatTimeout"])


@operation("autoscaling", "DescribeLifecycleHookTypes")
def describe_types(context, p):
    return {"LifecycleHookTypes": [LAUNCHING, TERMINATING]}
