"""Many groups at once, made in memory by the operations themselves: a thousand in a second or two."""

import json

from dateutil import parser as dateparser

from .autoscaling import policies, schedules
from .autoscaling.groups import create_group
from .autoscaling.launching import ec2_of, settle
from .registry import ApiError

POLICIES = [
    {
        "PolicyName": "cpu",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingConfiguration": {
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
            "TargetValue": 50.0,
        },
    },
    {
        "PolicyName": "burst",
        "PolicyType": "StepScaling",
        "AdjustmentType": "ChangeInCapacity",
        "StepAdjustments": [{"MetricIntervalLowerBound": 0.0, "ScalingAdjustment": 2}],
    },
]
SCHEDULES = [
    {"ScheduledActionName": "morning", "Recurrence": "0 8 * * MON-FRI", "TimeZone": "Europe/Berlin", "MinSize": 2},
    {"ScheduledActionName": "evening", "Recurrence": "0 18 * * MON-FRI", "TimeZone": "Europe/Berlin", "MinSize": 0},
]
MEMBERS = {"account", "region", "count", "prefix", "first", "group", "policies", "schedules", "tags", "image", "type"}


def groups(context, data):
    """`count` groups named `prefix`-00001 and on; the answer has their names and the launch template.

    `group`: members of CreateAutoScalingGroup. `policies`, `schedules`: lists of requests without the group's name, in
    which {name} and {number} are replaced; default: two of each; [] for none. `tags`: key to value.
    """
    unknown = set(data) - MEMBERS
    if unknown:
        raise ApiError("BadControl", f"unknown members: {sorted(unknown)}")
    template = _template(context, data)
    base = {
        "MinSize": 0,
        "MaxSize": 10,
        "AvailabilityZones": [f"{context.region}a", f"{context.region}b"],
        **data.get("group", {}),
    }
    if "MixedInstancesPolicy" not in base:
        base["LaunchTemplate"] = {"LaunchTemplateId": template.id, "Version": "$Latest"}
    if "VPCZoneIdentifier" in base:
        base.pop("AvailabilityZones")
    base["Tags"] = [{"Key": k, "Value": v, "PropagateAtLaunch": False} for k, v in data.get("tags", {}).items()]
    names = []
    for number in range(data.get("first", 1), data.get("first", 1) + data["count"]):
        name = f"{data.get('prefix', 'group')}-{number:05d}"
        made = create_group(context, _filled({**base, "AutoScalingGroupName": name}, name, number))
        for policy in data.get("policies", POLICIES):
            policy = _filled(policy, name, number)
            policies.check(policy)
            policies.put_policy(context, made, policy)
        for action in data.get("schedules", SCHEDULES):
            schedules.put_action(context, made, _filled(action, name, number))
        settle(made)
        names.append(name)
    return {"groups": names, "launch_template": template.id}


def _template(context, data):
    backend, name = ec2_of(context), f"seed-{data.get('type', 'm5.large')}"
    if name in backend.launch_template_name_to_ids:
        return backend.get_launch_template_by_name(name)
    settings = {"ImageId": data.get("image", "ami-12c6146b"), "InstanceType": data.get("type", "m5.large")}
    return backend.create_launch_template(name, "", settings, {})


def _filled(request, name, number):
    text = json.dumps(request)
    if "{name}" in text or "{number}" in text:
        request = json.loads(text.replace("{name}", name).replace("{number}", str(number)))
    times = {k: dateparser.isoparse(request[k]) for k in ("StartTime", "EndTime") if isinstance(request.get(k), str)}
    return {**request, **times}
