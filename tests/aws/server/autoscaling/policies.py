"""Scaling policies: their checks, their listing, and the alarms that target tracking owns.

Sources: API reference of PutScalingPolicy, StepAdjustment, TargetTrackingConfiguration,
PredictiveScalingConfiguration; user guide, "Target tracking scaling policies" (its alarms: high at the target over 3
minutes, low at 90 % of it over 15), "Step and simple scaling policies", "Predictive scaling".
"""

import copy
import math
import uuid

from ..cloudwatch import alarms
from ..registry import ApiError, invalid, operation, page
from .model import WORLDS, found

TYPES = ("SimpleScaling", "StepScaling", "TargetTrackingScaling", "PredictiveScaling")
ADJUSTMENTS = ("ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity")
PREDEFINED = {
    "ASGAverageCPUUtilization": ("AWS/EC2", "CPUUtilization"),
    "ASGAverageNetworkIn": ("AWS/EC2", "NetworkIn"),
    "ASGAverageNetworkOut": ("AWS/EC2", "NetworkOut"),
    "ALBRequestCountPerTarget": ("AWS/ApplicationELB", "RequestCountPerTarget"),
}
SHOWN = (
    "AdjustmentType",
    "MinAdjustmentStep",
    "MinAdjustmentMagnitude",
    "ScalingAdjustment",
    "Cooldown",
    "StepAdjustments",
    "MetricAggregationType",
    "EstimatedInstanceWarmup",
    "TargetTrackingConfiguration",
    "PredictiveScalingConfiguration",
)


@operation("autoscaling", "PutScalingPolicy")
def put(context, p):
    group = found(context, p["AutoScalingGroupName"])
    check(p)
    return put_policy(context, group, p)


def put_policy(context, group, p):
    old = group.policies.get(p["PolicyName"])
    if old is None and len(group.policies) >= 50:
        raise ApiError("LimitExceeded", "An Auto Scaling group can have at most 50 scaling policies.")
    arn = (
        old["PolicyARN"]
        if old
        else (
            f"arn:aws:autoscaling:{context.region}:{context.account}:scalingPolicy:{uuid.uuid4()}:"
            f"autoScalingGroupName/{group.name}:policyName/{p['PolicyName']}"
        )
    )
    policy = {key: copy.deepcopy(p[key]) for key in SHOWN if key in p}
    policy.update(
        AutoScalingGroupName=group.name, PolicyName=p["PolicyName"], PolicyARN=arn, Enabled=p.get("Enabled", True)
    )
    policy["PolicyType"] = kind = p.get("PolicyType", "SimpleScaling")
    policy.setdefault("StepAdjustments", [])
    if kind == "StepScaling":
        policy.setdefault("MetricAggregationType", "Average")
    if kind == "TargetTrackingScaling":
        policy["TargetTrackingConfiguration"].setdefault("DisableScaleIn", False)
    if kind == "PredictiveScaling":
        policy["PredictiveScalingConfiguration"].setdefault("Mode", "ForecastOnly")
        policy["PredictiveScalingConfiguration"].setdefault("MaxCapacityBreachBehavior", "HonorMaxCapacity")
    if old:
        _drop_alarms(context, old)
    group.policies[p["PolicyName"]] = policy
    WORLDS[context.place].by_policy[arn] = group, p["PolicyName"]
    if kind == "TargetTrackingScaling":
        _make_alarms(context, group, policy)
    return {
        "PolicyARN": arn,
        "Alarms": alarms.with_action(context.place, arn) if kind == "TargetTrackingScaling" else [],
    }


# ---- checks -------------------------------------------------------------------------------------------


def check(p):
    kind = p.get("PolicyType", "SimpleScaling")
    if kind not in TYPES:
        raise invalid(
            f"1 validation error detected: Value '{kind}' at 'policyType' failed to satisfy constraint: Member must satisfy enum value set: [{', '.join(TYPES)}]"
        )
    own = {
        "TargetTrackingConfiguration": "TargetTrackingScaling",
        "PredictiveScalingConfiguration": "PredictiveScaling",
        "StepAdjustments": "StepScaling",
        "ScalingAdjustment": "SimpleScaling",
        "Cooldown": "SimpleScaling",
        "MetricAggregationType": "StepScaling",
    }
    for name, wanted in own.items():
        if p.get(name) not in (None, []) and kind != wanted:
            raise invalid(f"{name} cannot be specified for policies of type {kind}")
    if kind in ("SimpleScaling", "StepScaling"):
        _check_adjustment(p)
    if kind == "SimpleScaling" and "ScalingAdjustment" not in p:
        raise invalid("ScalingAdjustment must be specified for a SimpleScaling policy")
    if kind == "StepScaling":
        _check_steps(p)
    if kind == "TargetTrackingScaling":
        _check_tracking(p)
    if kind == "PredictiveScaling":
        _check_predictive(p)


def _check_adjustment(p):
    if p.get("AdjustmentType") not in ADJUSTMENTS:
        raise invalid(f"AdjustmentType must be one of {', '.join(ADJUSTMENTS)}, not {p.get('AdjustmentType')}")
    if "MinAdjustmentMagnitude" in p and p["AdjustmentType"] != "PercentChangeInCapacity":
        raise invalid("MinAdjustmentMagnitude can only be specified with the adjustment type PercentChangeInCapacity")


def bounds(step):
    return step.get("MetricIntervalLowerBound", -math.inf), step.get("MetricIntervalUpperBound", math.inf)


def _check_steps(p):
    steps = p.get("StepAdjustments") or []
    if not steps:
        raise invalid("At least one StepAdjustment must be specified for a StepScaling policy")
    if len(steps) > 20:
        raise ApiError("LimitExceeded", "A scaling policy can have at most 20 step adjustments.")
    if p.get("MetricAggregationType", "Average") not in ("Minimum", "Maximum", "Average"):
        raise invalid(f"Invalid MetricAggregationType: {p['MetricAggregationType']}")
    intervals = sorted(bounds(s) for s in steps)
    if any(low >= high for low, high in intervals):
        raise invalid("StepAdjustment: the upper bound must be greater than the lower bound")
    for (_, high), (low, _) in zip(intervals, intervals[1:]):
        if high != low:
            raise invalid("StepAdjustment intervals can't overlap or have gaps")
    if not (intervals[0][0] == -math.inf or intervals[-1][1] == math.inf):
        raise invalid("At least one StepAdjustment must have an unspecified bound")
    if intervals[0][0] < 0 < intervals[-1][1] and not any(0 in pair for pair in intervals):
        raise invalid("StepAdjustment intervals must be on one side of the breach threshold each")


def _check_metrics(metrics):
    from ..cloudwatch import expressions

    if len({m["Id"] for m in metrics}) != len(metrics):
        raise invalid("The Ids of the metrics must be unique")
    for metric in metrics:
        if ("Expression" in metric) == ("MetricStat" in metric):
            raise invalid("Exactly one of Expression and MetricStat must be given for a metric")
        if "Expression" in metric:
            expressions.parse(metric["Expression"])
    if sum(m.get("ReturnData", True) for m in metrics) != 1:
        raise invalid("Exactly one metric must have ReturnData true")


def _check_label(spec, wants_label):
    if wants_label and not spec.get("ResourceLabel"):
        raise invalid(f"ResourceLabel must be specified for {spec['PredefinedMetricType']}")
    if not wants_label and spec.get("ResourceLabel"):
        raise invalid(f"ResourceLabel can't be specified for {spec['PredefinedMetricType']}")


def _check_tracking(p):
    configuration = p.get("TargetTrackingConfiguration")
    if not configuration:
        raise invalid("TargetTrackingConfiguration must be specified for a TargetTrackingScaling policy")
    predefined, customized = (configuration.get(f"{k}MetricSpecification") for k in ("Predefined", "Customized"))
    if (predefined is None) == (customized is None):
        raise invalid(
            "Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification must be specified"
        )
    if not math.isfinite(configuration["TargetValue"]) or configuration["TargetValue"] <= 0:
        raise invalid("TargetValue must be greater than 0")
    if predefined:
        _check_label(predefined, predefined["PredefinedMetricType"] == "ALBRequestCountPerTarget")
    elif customized.get("Metrics"):
        if "MetricName" in customized:
            raise invalid("Metrics can't be specified together with MetricName")
        _check_metrics(customized["Metrics"])
    elif not all(customized.get(k) for k in ("MetricName", "Namespace", "Statistic")):
        raise invalid("MetricName, Namespace and Statistic must be specified")


def _check_predictive(p):
    configuration = p.get("PredictiveScalingConfiguration")
    if not configuration:
        raise invalid("PredictiveScalingConfiguration must be specified for a PredictiveScaling policy")
    if len(configuration["MetricSpecifications"]) != 1:
        raise invalid("Exactly one MetricSpecification must be specified")
    spec = configuration["MetricSpecifications"][0]
    parts = {k for k in spec if k != "TargetValue"}
    load = {"PredefinedLoadMetricSpecification", "CustomizedLoadMetricSpecification"}
    scaling = {"PredefinedScalingMetricSpecification", "CustomizedScalingMetricSpecification"}
    if "PredefinedMetricPairSpecification" in parts:
        if parts != {"PredefinedMetricPairSpecification"}:
            raise invalid("A predefined metric pair can't be combined with a load or scaling metric")
    elif len(parts & load) != 1 or len(parts & scaling) != 1:
        raise invalid("One load metric and one scaling metric must be specified")
    for name in parts & {
        "CustomizedLoadMetricSpecification",
        "CustomizedScalingMetricSpecification",
        "CustomizedCapacityMetricSpecification",
    }:
        _check_metrics(spec[name]["MetricDataQueries"])
    buffer = configuration.get("MaxCapacityBuffer")
    if (configuration.get("MaxCapacityBreachBehavior") == "IncreaseMaxCapacity") != (buffer is not None):
        raise invalid("MaxCapacityBuffer must be specified with, and only with, IncreaseMaxCapacity")
    if not 0 <= configuration.get("SchedulingBufferTime", 0) <= 3600:
        raise invalid("SchedulingBufferTime must be between 0 and 3600 seconds")


# ---- the alarms of target tracking ----------------------------------------------------------------------


def _make_alarms(context, group, policy):
    configuration = policy["TargetTrackingConfiguration"]
    target = configuration["TargetValue"]
    watched = _watched(group, configuration)
    for side, comparison, threshold, periods in (
        ("High", "GreaterThanThreshold", target, 3),
        ("Low", "LessThanThreshold", target * 0.9, 15),
    ):
        alarms.put_alarm(
            context,
            {
                "AlarmName": f"TargetTracking-{group.name}-Alarm{side}-{uuid.uuid4()}",
                "AlarmDescription": f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy['PolicyARN']}.",
                "ComparisonOperator": comparison,
                "Threshold": threshold,
                "EvaluationPeriods": periods,
                "AlarmActions": [policy["PolicyARN"]],
                **copy.deepcopy(watched),
            },
        )


def _watched(group, configuration):
    predefined = configuration.get("PredefinedMetricSpecification")
    if predefined:
        namespace, name = PREDEFINED[predefined["PredefinedMetricType"]]
        dimensions, stat = [{"Name": "AutoScalingGroupName", "Value": group.name}], "Average"
        if name == "RequestCountPerTarget":
            at = predefined["ResourceLabel"].find("targetgroup/")
            dimensions, stat = [{"Name": "TargetGroup", "Value": predefined["ResourceLabel"][at:]}], "Sum"
        return {"Namespace": namespace, "MetricName": name, "Dimensions": dimensions, "Statistic": stat, "Period": 60}
    customized = configuration["CustomizedMetricSpecification"]
    if customized.get("Metrics"):
        queries = copy.deepcopy(customized["Metrics"])
        for query in queries:
            if "MetricStat" in query:
                query["MetricStat"].setdefault("Period", 60)
            query.setdefault("ReturnData", True)
        return {"Metrics": queries}
    out = {k: customized[k] for k in ("Namespace", "MetricName", "Statistic", "Unit") if k in customized}
    return dict(out, Dimensions=customized.get("Dimensions") or [], Period=customized.get("Period", 60))


def _drop_alarms(context, policy):
    """Its own alarms go with a target tracking policy; those of step policies stay."""
    if policy["PolicyType"] == "TargetTrackingScaling":
        names = [
            a["AlarmName"]
            for a in alarms.with_action(context.place, policy["PolicyARN"])
            if a["AlarmName"].startswith("TargetTracking-")
        ]
        if names:
            alarms.delete_alarms(context, {"AlarmNames": names})


def remove(context, group, name, with_group=False):
    """The alarm of a step policy loses the action and stays, but goes with the group (API reference of DeletePolicy and
    DeleteAutoScalingGroup)."""
    policy = group.policies.pop(name)
    WORLDS[context.place].by_policy.pop(policy["PolicyARN"], None)
    _drop_alarms(context, policy)
    alarms.forget_action(context.place, policy["PolicyARN"], with_group)


# ---- deleting and listing ---------------------------------------------------------------------------------


def find(context, name, group_name):
    """By ARN, or by name within a group: (group, policy)."""
    if name.startswith("arn:"):
        group, name = WORLDS[context.place].by_policy.get(name, (None, None))
        if group is None:
            raise invalid("Policy not found")
        return group, group.policies[name]
    if not group_name:
        raise invalid("AutoScalingGroupName is required when the policy is given by name")
    group = found(context, group_name)
    if name not in group.policies:
        raise invalid("Policy name not found")
    return group, group.policies[name]


@operation("autoscaling", "DeletePolicy")
def delete(context, p):
    group, policy = find(context, p["PolicyName"], p.get("AutoScalingGroupName"))
    remove(context, group, policy["PolicyName"])


@operation("autoscaling", "DescribePolicies")
def describe(context, p):
    groups = (
        [found(context, p["AutoScalingGroupName"])]
        if p.get("AutoScalingGroupName")
        else WORLDS[context.place].groups.values()
    )
    names, kinds = p.get("PolicyNames"), p.get("PolicyTypes")
    rows = [
        policy
        for group in groups
        for policy in group.policies.values()
        if (not names or policy["PolicyName"] in names or policy["PolicyARN"] in names)
        and (not kinds or policy["PolicyType"] in kinds)
    ]
    rows, token = page(rows, p, 50, 100)
    return {
        "ScalingPolicies": [dict(r, Alarms=alarms.with_action(context.place, r["PolicyARN"])) for r in rows],
        "NextToken": token,
    }


@operation("autoscaling", "DescribeAdjustmentTypes")
def describe_adjustment_types(context, p):
    return {"AdjustmentTypes": [{"AdjustmentType": kind} for kind in ADJUSTMENTS]}
