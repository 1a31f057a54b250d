"""What a scaling policy does when it is called: by ExecutePolicy, or by its alarm.

Sources: user guide, "Step and simple scaling policies" (adjustment types, their rounding, warm-up), "Target tracking
scaling policies" (proportional, rounded towards more capacity), "Suspend and resume processes".
"""

import math
from fractions import Fraction

from ..registry import Context, invalid, operation
from .instances import check_cooldown
from .launching import settle
from .model import WORLDS
from .policies import bounds, find


@operation("autoscaling", "ExecutePolicy")
def execute(context, p):
    group, policy = find(context, p["PolicyName"], p.get("AutoScalingGroupName"))
    settle(group)
    kind = policy["PolicyType"]
    if kind not in ("SimpleScaling", "StepScaling"):
        raise invalid(f"ExecutePolicy is not supported for policies of type {kind}")
    if kind == "SimpleScaling":
        check_cooldown(context, group, p)
        wanted = adjusted(group.desired, policy, policy["ScalingAdjustment"])
    else:
        if "MetricValue" not in p or "BreachThreshold" not in p:
            raise invalid("MetricValue and BreachThreshold must be specified for a StepScaling policy")
        wanted = stepped(context, group, policy, p["MetricValue"], p["BreachThreshold"], None)
    move(group, wanted, f"a user request executed policy {policy['PolicyName']}")


def alarm_fired(context, arn, alarm, value):
    """Called by an alarm in ALARM: what it did, in words for the test."""
    group, name = WORLDS[context.place].by_policy.get(arn, (None, None))
    if group is None:
        return "no such policy"
    context = Context(group.account, group.region)
    settle(group)
    policy = group.policies[name]
    if "AlarmNotification" in group.suspended:
        return "AlarmNotification is suspended"
    if not policy["Enabled"]:
        return "the policy is disabled"
    before, is_high = group.desired, alarm["ComparisonOperator"].startswith("Greater")
    kind = policy["PolicyType"]
    if kind == "SimpleScaling":
        if group.last_scaled and (context.now - group.last_scaled).total_seconds() < policy.get(
            "Cooldown", group.settings["DefaultCooldown"]
        ):
            return "in cooldown"
        wanted = adjusted(before, policy, policy["ScalingAdjustment"])
    elif kind == "StepScaling":
        wanted = stepped(context, group, policy, value, alarm["Threshold"], is_high)
    elif kind == "TargetTrackingScaling":
        wanted = _tracked(context, group, policy, value, is_high)
    else:
        return "nothing to do"
    move(group, wanted, f"a monitor alarm {alarm['AlarmName']} in state ALARM triggered policy {name}")
    return f"{before} -> {group.desired}"


def move(group, wanted, cause):
    before = group.desired
    group.settings["DesiredCapacity"] = after = max(group.min, min(group.max, wanted))
    if before != after:
        settle(group, f"{cause} changing the desired capacity from {before} to {after}.")


def adjusted(capacity, policy, adjustment):
    if policy["AdjustmentType"] == "ExactCapacity":
        return adjustment
    if policy["AdjustmentType"] == "ChangeInCapacity":
        return capacity + adjustment
    change = Fraction(capacity * adjustment, 100)
    whole = math.trunc(change) if abs(change) > 1 else (1 if change > 0 else -1 if change < 0 else 0)
    least = policy.get("MinAdjustmentMagnitude") or 0
    if adjustment and abs(whole) < least:
        whole = least if adjustment > 0 else -least
    return capacity + whole


def _ready(context, group, warmup):
    """Units in service for at least the warm-up."""
    now = context.now
    return sum(
        i.units
        for i in group.counted
        if i.state == "InService" and (now - i.in_service_since).total_seconds() >= warmup
    )


def stepped(context, group, policy, value, threshold, is_high):
    difference = Fraction(value) - Fraction(threshold)
    if is_high is None:
        is_high = difference >= 0
    step = None
    for one in policy["StepAdjustments"]:
        low, high = bounds(one)
        if (low <= difference < high) if is_high else (low < difference <= high):
            step = one["ScalingAdjustment"]
    if not step:
        return group.desired
    ready = _ready(context, group, policy.get("EstimatedInstanceWarmup", group.warmup_s))
    wanted = adjusted(ready, policy, step)
    if wanted >= ready:
        return max(group.desired, wanted)  # what is warming up counts as asked for already
    return group.desired if ready < group.desired else wanted  # nothing is removed while something warms up


def _tracked(context, group, policy, value, is_high):
    configuration = policy["TargetTrackingConfiguration"]
    ready = _ready(context, group, policy.get("EstimatedInstanceWarmup", group.warmup_s))
    wanted = math.ceil(Fraction(ready) * Fraction(value) / Fraction(configuration["TargetValue"]))
    if is_high:
        return max(group.desired, wanted)
    if configuration["DisableScaleIn"] or ready < group.desired:
        return group.desired
    return min(group.desired, wanted)
