"""What hangs on a group: its processes, its own metrics, its load balancers, its warm pool.

Sources: API reference of SuspendProcesses, EnableMetricsCollection, AttachLoadBalancerTargetGroups,
AttachTrafficSources, PutWarmPool.
"""

from ..registry import invalid, operation, page
from .launching import deregister, register, settle
from .model import PROCESSES, found

METRICS = [
    "GroupMinSize",
    "GroupMaxSize",
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupPendingInstances",
    "GroupStandbyInstances",
    "GroupTerminatingInstances",
    "GroupTotalInstances",
    "GroupInServiceCapacity",
    "GroupPendingCapacity",
    "GroupStandbyCapacity",
    "GroupTerminatingCapacity",
    "GroupTotalCapacity",
]


def _processes(p):
    names = p.get("ScalingProcesses") or list(PROCESSES)
    for name in names:
        if name not in PROCESSES:
            raise invalid(f"{name} is not a valid process type")
    return names


@operation("autoscaling", "SuspendProcesses")
def suspend(context, p):
    group = found(context, p["AutoScalingGroupName"])
    for name in _processes(p):
        group.suspended[name] = f"User suspended at {context.now:%Y-%m-%dT%H:%M:%SZ}"


@operation("autoscaling", "ResumeProcesses")
def resume(context, p):
    group = found(context, p["AutoScalingGroupName"])
    for name in _processes(p):
        group.suspended.pop(name, None)
    settle(group)


@operation("autoscaling", "EnableMetricsCollection")
def enable_metrics(context, p):
    group = found(context, p["AutoScalingGroupName"])
    if p["Granularity"] != "1Minute":
        raise invalid("The only valid granularity is 1Minute.")
    chosen = p.get("Metrics") or METRICS
    for name in chosen:
        if name not in METRICS:
            raise invalid(f"{name} is not a valid metric type")
    group.enabled_metrics = [m for m in METRICS if m in chosen or m in group.enabled_metrics]


@operation("autoscaling", "DisableMetricsCollection")
def disable_metrics(context, p):
    group = found(context, p["AutoScalingGroupName"])
    group.enabled_metrics = [m for m in group.enabled_metrics if m not in (p.get("Metrics") or METRICS)]


def _attach(context, name, arns):
    group = found(context, name)
    for arn in arns:
        register(context, arn, [i for i in group.instances if i.state == "InService"])
        if arn not in group.target_groups:
            group.target_groups.append(arn)


def _detach(context, name, arns):
    group = found(context, name)
    for arn in arns:
        if arn in group.target_groups:
            group.target_groups.remove(arn)
            deregister(context, arn, group.instances)


@operation("autoscaling", "AttachLoadBalancerTargetGroups")
def attach_target_groups(context, p):
    _attach(context, p["AutoScalingGroupName"], p["TargetGroupARNs"])


@operation("autoscaling", "DetachLoadBalancerTargetGroups")
def detach_target_groups(context, p):
    _detach(context, p["AutoScalingGroupName"], p["TargetGroupARNs"])


@operation("autoscaling", "AttachTrafficSources")
def attach_traffic_sources(context, p):
    _attach(context, p["AutoScalingGroupName"], [s["Identifier"] for s in p["TrafficSources"]])


@operation("autoscaling", "DetachTrafficSources")
def detach_traffic_sources(context, p):
    _detach(context, p["AutoScalingGroupName"], [s["Identifier"] for s in p["TrafficSources"]])


@operation("autoscaling", "DescribeLoadBalancerTargetGroups")
def describe_target_groups(context, p):
    group = found(context, p["AutoScalingGroupName"])
    rows, token = page(
        [{"LoadBalancerTargetGroupARN": a, "State": "InService"} for a in group.target_groups], p, 100, 100
    )
    return {"LoadBalancerTargetGroups": rows, "NextToken": token}


@operation("autoscaling", "DescribeTrafficSources")
def describe_traffic_sources(context, p):
    group = found(context, p["AutoScalingGroupName"])
    return {
        "TrafficSources": [
            {"TrafficSource": a, "Identifier": a, "Type": "elbv2", "State": "InService"} for a in group.target_groups
        ]
    }


# ---- warm pools: kept and shown, no warm instance ever starts ---------------------------------------------


@operation("autoscaling", "PutWarmPool")
def put_warm_pool(context, p):
    group = found(context, p["AutoScalingGroupName"])
    if "MixedInstancesPolicy" in group.settings and split_uses_spot(group):
        raise invalid(
            "You can't add a warm pool to an Auto Scaling group that has a mixed instances policy with Spot Instances."
        )
    pool = {"MinSize": 0, "PoolState": "Stopped", **(group.warm_pool or {})}
    pool.update(
        {k: p[k] for k in ("MaxGroupPreparedCapacity", "MinSize", "PoolState", "InstanceReusePolicy") if k in p}
    )
    group.warm_pool = pool


def split_uses_spot(group):
    return group.settings["MixedInstancesPolicy"]["InstancesDistribution"]["OnDemandPercentageAboveBaseCapacity"] < 100


@operation("autoscaling", "DescribeWarmPool")
def describe_warm_pool(context, p):
    return {"WarmPoolConfiguration": found(context, p["AutoScalingGroupName"]).warm_pool, "Instances": []}


@operation("autoscaling", "DeleteWarmPool")
def delete_warm_pool(context, p):
    group = found(context, p["AutoScalingGroupName"])
    if group.warm_pool is None:
        raise invalid("No warm pool found for the Auto Scaling group")
    group.warm_pool = None
