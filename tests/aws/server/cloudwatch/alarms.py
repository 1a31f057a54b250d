"""Alarms: their rules on making, their listing, and their evaluation when a test asks for it.

Sources: CloudWatch API reference of PutMetricAlarm, DescribeAlarms, DeleteAlarms, SetAlarmState; CloudWatch User Guide,
"Alarm evaluation" and "Configuring how CloudWatch alarms treat missing data" (the tables there are test cases here).
"""

import collections
import datetime
import json

from ..registry import UTC, ApiError, Context, invalid, operation, page
from . import expressions, metrics
from .store import statistic

SINGLE = ("MetricName", "Namespace", "Dimensions", "Period", "Unit", "Statistic", "ExtendedStatistic")
STATES = {"OK": "OKActions", "ALARM": "AlarmActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}
COMPARE = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}


class World:
    def __init__(self):
        self.alarms, self.by_action, self.history, self.tags = {}, {}, [], {}


WORLDS = collections.defaultdict(World)


# ---- making ---------------------------------------------------------------------------------------


@operation("cloudwatch", "PutMetricAlarm")
def put_metric_alarm(context, p):
    check_alarm(p)
    put_alarm(context, p)


def check_alarm(p):
    if "Metrics" in p:
        given = [name for name in SINGLE if name in p]
        if given:
            raise ApiError("InvalidParameterCombination", f"Metrics can't be given together with {', '.join(given)}.")
        metrics.check_queries(p["Metrics"])
        for query in p["Metrics"]:
            if "Expression" in query:
                expressions.parse(query["Expression"])
        if sum(q.get("ReturnData", True) for q in p["Metrics"]) != 1:
            raise invalid("Exactly one of the Metrics of an alarm must return data.")
        period = max([q["MetricStat"]["Period"] for q in p["Metrics"] if "MetricStat" in q], default=60)
    else:
        for name in ("MetricName", "Namespace", "Period"):
            if name not in p:
                raise ApiError("MissingParameter", f"The parameter {name} is required.")
        if ("Statistic" in p) == ("ExtendedStatistic" in p):
            raise ApiError(
                "InvalidParameterCombination", "Exactly one of Statistic and ExtendedStatistic must be specified."
            )
        period = p["Period"]
        statistic(p.get("Statistic") or p["ExtendedStatistic"], [])
    if period not in (10, 20, 30) and period % 60:
        raise invalid("The parameter Period must be 10, 20, 30 or a multiple of 60.")
    for name in ("EvaluationPeriods", "ComparisonOperator", "Threshold"):
        if name not in p:
            raise ApiError("MissingParameter", f"The parameter {name} is required.")
    if p["ComparisonOperator"] not in COMPARE:
        raise ApiError("EmulatorNotImplemented", f"{p['ComparisonOperator']} is not answered by the test server")
    if p.get("DatapointsToAlarm", 1) > p["EvaluationPeriods"]:
        raise invalid("The parameter DatapointsToAlarm must be less than or equal to EvaluationPeriods.")
    longest = 7 * 86_400 if period >= 3600 else 86_400
    if period * p["EvaluationPeriods"] > longest:
        raise invalid(
            f"Metrics cannot be checked across more than {longest // 86_400} day(s) (EvaluationPeriods * Period must be <= {longest})."
        )
    if p.get("TreatMissingData", "missing") not in ("breaching", "notBreaching", "ignore", "missing"):
        raise invalid(f"The value {p['TreatMissingData']} for parameter TreatMissingData is not supported.")


def put_alarm(context, p):
    """Makes or replaces it; a replaced one keeps its state (API reference of PutMetricAlarm)."""
    world, name, now = WORLDS[context.place], p["AlarmName"], context.now
    old = world.alarms.get(name)
    alarm = {key: value for key, value in p.items() if key != "Tags"}
    for key in ("OKActions", "AlarmActions", "InsufficientDataActions"):
        alarm.setdefault(key, [])
    if "Metrics" not in alarm:
        alarm.setdefault("Dimensions", [])
    alarm.setdefault("ActionsEnabled", True)
    alarm["AlarmArn"] = f"arn:aws:cloudwatch:{context.region}:{context.account}:alarm:{name}"
    alarm["AlarmConfigurationUpdatedTimestamp"] = now
    if old:
        _unindex(world, old)
        for key in (
            "StateValue",
            "StateReason",
            "StateReasonData",
            "StateUpdatedTimestamp",
            "StateTransitionedTimestamp",
        ):
            if key in old:
                alarm[key] = old[key]
    else:
        alarm["StateValue"], alarm["StateReason"] = "INSUFFICIENT_DATA", "Unchecked: Initial alarm creation"
        alarm["StateUpdatedTimestamp"] = alarm["StateTransitionedTimestamp"] = now
        world.tags[alarm["AlarmArn"]] = {t["Key"]: t["Value"] for t in p.get("Tags") or []}
    world.alarms[name] = alarm
    for action in alarm["AlarmActions"]:
        world.by_action.setdefault(action, {})[name] = alarm
    return alarm


def _unindex(world, alarm):
    for action in alarm["AlarmActions"]:
        world.by_action.get(action, {}).pop(alarm["AlarmName"], None)


def with_action(place, action):
    """The alarms that call a scaling policy, as DescribePolicies shows them."""
    return [
        {"AlarmName": alarm["AlarmName"], "AlarmARN": alarm["AlarmArn"]}
        for alarm in WORLDS[place].by_action.get(action, {}).values()
    ]


def forget_action(place, action, and_alarms):
    """A scaling policy is gone: no alarm calls it any more. With its whole group those go that then call nothing."""
    world = WORLDS[place]
    for alarm in list(world.by_action.pop(action, {}).values()):
        for key in ("OKActions", "AlarmActions", "InsufficientDataActions"):
            alarm[key] = [other for other in alarm[key] if other != action]
        if and_alarms and not any(alarm[key] for key in ("OKActions", "AlarmActions", "InsufficientDataActions")):
            del world.alarms[alarm["AlarmName"]]


@operation("cloudwatch", "DeleteAlarms")
def delete_alarms(context, p):
    world, missing = WORLDS[context.place], []
    for name in p["AlarmNames"]:  # the right names of a list go also where others are wrong
        alarm = world.alarms.pop(name, None)
        if alarm is None:
            missing.append(name)
        else:
            _unindex(world, alarm)
    if missing:
        raise ApiError("ResourceNotFound", f"Alarms do not exist: {', '.join(missing)}", 404)


# ---- listing ----------------------------------------------------------------------------------------


@operation("cloudwatch", "DescribeAlarms")
def describe_alarms(context, p):
    if p.get("AlarmNames") and p.get("AlarmNamePrefix"):
        raise ApiError("InvalidParameterCombination", "AlarmNames and AlarmNamePrefix can't both be specified.")
    world = WORLDS[context.place]
    if "AlarmTypes" in p and "MetricAlarm" not in p["AlarmTypes"]:
        return {"MetricAlarms": [], "CompositeAlarms": []}
    names = [n for n in p["AlarmNames"] if n in world.alarms] if p.get("AlarmNames") else sorted(world.alarms)
    rows = [world.alarms[name] for name in dict.fromkeys(names)]
    rows = [
        a
        for a in rows
        if a["AlarmName"].startswith(p.get("AlarmNamePrefix", ""))
        and p.get("StateValue", a["StateValue"]) == a["StateValue"]
        and ("ActionPrefix" not in p or any(x.startswith(p["ActionPrefix"]) for k in STATES.values() for x in a[k]))
    ]
    rows, token = page(rows, p, 50, 100)
    return {"MetricAlarms": rows, "CompositeAlarms": [], "NextToken": token}


@operation("cloudwatch", "DescribeAlarmsForMetric")
def describe_alarms_for_metric(context, p):
    def dimensions(of):
        return sorted((d["Name"], d["Value"]) for d in of.get("Dimensions") or [])

    return {
        "MetricAlarms": [
            a
            for a in WORLDS[context.place].alarms.values()
            if a.get("MetricName") == p["MetricName"]
            and a.get("Namespace") == p["Namespace"]
            and dimensions(a) == dimensions(p)
        ]
    }


@operation("cloudwatch", "DescribeAlarmHistory")
def describe_alarm_history(context, p):
    rows = [h for h in reversed(WORLDS[context.place].history) if p.get("AlarmName", h["AlarmName"]) == h["AlarmName"]]
    rows, token = page(rows, p, 50, 100)
    return {"AlarmHistoryItems": rows, "NextToken": token}


@operation("cloudwatch", "ListTagsForResource")
def list_tags(context, p):
    tags = WORLDS[context.place].tags.get(p["ResourceARN"], {})
    return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}


@operation("cloudwatch", "TagResource")
def tag_resource(context, p):
    tags = WORLDS[context.place].tags.setdefault(p["ResourceARN"], {})
    tags.update({t["Key"]: t["Value"] for t in p["Tags"]})


@operation("cloudwatch", "UntagResource")
def untag_resource(context, p):
    tags = WORLDS[context.place].tags.setdefault(p["ResourceARN"], {})
    for key in p["TagKeys"]:
        tags.pop(key, None)


# ---- states -----------------------------------------------------------------------------------------


def _found(context, name):
    alarm = WORLDS[context.place].alarms.get(name)
    if alarm is None:
        raise ApiError("ResourceNotFound", f"Alarm {name} does not exist", 404)
    return alarm


@operation("cloudwatch", "EnableAlarmActions")
def enable_alarm_actions(context, p):
    for name in p["AlarmNames"]:
        _found(context, name)["ActionsEnabled"] = True


@operation("cloudwatch", "DisableAlarmActions")
def disable_alarm_actions(context, p):
    for name in p["AlarmNames"]:
        _found(context, name)["ActionsEnabled"] = False


@operation("cloudwatch", "SetAlarmState")
def set_alarm_state(context, p):
    """Changes the state and carries out the actions, with the threshold as the metric's value."""
    alarm = _found(context, p["AlarmName"])
    changed = alarm["StateValue"] != p["StateValue"]
    _set_state(context, alarm, p["StateValue"], p["StateReason"], context.now)
    if changed:
        _act(context, alarm, alarm.get("Threshold", 0.0))


def _set_state(context, alarm, state, reason, now):
    old = alarm["StateValue"]
    alarm["StateReason"], alarm["StateUpdatedTimestamp"] = reason, now
    if old != state:
        alarm["StateValue"], alarm["StateTransitionedTimestamp"] = state, now
        WORLDS[context.place].history.append(
            {
                "AlarmName": alarm["AlarmName"],
                "AlarmType": "MetricAlarm",
                "Timestamp": now,
                "HistoryItemType": "StateUpdate",
                "HistorySummary": f"Alarm updated from {old} to {state}",
                "HistoryData": json.dumps(
                    {"oldState": {"stateValue": old}, "newState": {"stateValue": state, "stateReason": reason}}
                ),
            }
        )


def _act(context, alarm, value):
    """Scaling policies among the actions of the alarm's state; other targets (topics) have nobody behind them."""
    from ..autoscaling import dynamic

    done = []
    if alarm["ActionsEnabled"]:
        for action in alarm[STATES[alarm["StateValue"]]]:
            if ":scalingPolicy:" in action:
                done.append({"action": action, "result": dynamic.alarm_fired(context, action, alarm, value)})
    return done


def evaluate(account, now=None, names=None):
    """Every alarm of the account over the stored data, as of `now`: what changed, and what the actions did.

    A scaling policy is called at each evaluation for which its alarm stays in ALARM (CloudWatch User Guide, "Alarm
    actions": for Auto Scaling the action goes on for every period).
    """
    report = []
    for (owner, region), world in sorted(WORLDS.items()):
        if owner != account:
            continue
        context = Context(account, region)
        at = now or context.now
        for name, alarm in sorted(world.alarms.items()):
            if names and name not in names:
                continue
            before = alarm["StateValue"]
            state, points = judged(context, alarm, at)
            value = next((v for v in reversed(points) if v is not None), None)
            _set_state(context, alarm, state, f"Threshold check: {points} against {alarm['Threshold']}"[:1023], at)
            actions = (
                _act(context, alarm, value if value is not None else alarm["Threshold"])
                if state != before or state == "ALARM"
                else []
            )
            report.append(
                {
                    "alarm": name,
                    "region": region,
                    "before": before,
                    "after": state,
                    "points": points,
                    "actions": actions,
                }
            )
    return report


def judged(context, alarm, now):
    """The state by the data up to the last whole period before `now`, and the points looked at, oldest first."""
    count = alarm["EvaluationPeriods"]
    points = _data(context, alarm, now, count + 2)
    breaches = COMPARE[alarm["ComparisonOperator"]]
    marks = [None if p is None else breaches(p, alarm["Threshold"]) for p in points]
    treat = alarm.get("TreatMissingData", "missing")
    state = verdict(marks, count, alarm.get("DatapointsToAlarm") or count, treat, alarm["StateValue"])
    return state, points


def verdict(marks, periods, needed, treat, current):
    """M of N with missing data. `marks`, oldest first: True breaches, False does not, None is missing."""
    real = [mark for mark in marks if mark is not None]
    if len(real) >= periods:
        return "ALARM" if sum(real[-periods:]) >= needed else "OK"
    missing = periods - len(real)
    if treat == "breaching":
        return "ALARM" if sum(real) + missing >= needed else "OK"
    if treat == "notBreaching":
        return "ALARM" if sum(real) >= needed else "OK"
    if not real:
        return current if treat == "ignore" else "INSUFFICIENT_DATA"
    if sum(real) >= needed:
        return "ALARM"
    oldest = len(marks) - next(i for i, mark in enumerate(marks) if mark is not None)
    if all(real) and oldest >= needed:  # all that is there breaches, and the oldest lies far enough back
        return current if treat == "ignore" else "ALARM"
    return "OK"


def _data(context, alarm, now, count):
    if "Metrics" in alarm:
        queries = alarm["Metrics"]
        period = metrics.default_period(queries)
    else:
        period = alarm["Period"]
        stat = {
            "Metric": {
                "Namespace": alarm["Namespace"],
                "MetricName": alarm["MetricName"],
                "Dimensions": alarm["Dimensions"],
            },
            "Period": period,
            "Stat": alarm.get("Statistic") or alarm["ExtendedStatistic"],
        }
        if alarm.get("Unit"):
            stat["Unit"] = alarm["Unit"]
        queries = [{"Id": "m", "MetricStat": stat}]
    end = int(now.timestamp()) // period * period
    start = end - count * period
    results = metrics.run(
        context, queries, datetime.datetime.fromtimestamp(start, UTC), datetime.datetime.fromtimestamp(end, UTC)
    )
    points = results[0][1][0]
    return [points.get(start + i * period) for i in range(count)]
