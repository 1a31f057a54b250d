"""Scheduled actions: their checks, their listing, and their firing when a test asks for it.

Sources: API reference of PutScheduledUpdateGroupAction, BatchPutScheduledUpdateGroupAction, DescribeScheduledActions;
user guide, "Scheduled scaling for Amazon EC2 Auto Scaling" (considerations); "Quotas" (125 a group).
"""

import functools
import uuid
import zoneinfo

from ..registry import UTC, ApiError, invalid, operation, page
from .cron import Cron
from .groups import check_bounds
from .launching import settle
from .model import WORLDS, found


@functools.lru_cache(maxsize=4096)
def cron_of(text, zone):
    return Cron(text, zone)


def _utc(time):
    return time if time is None or time.tzinfo else time.replace(tzinfo=UTC)


@operation("autoscaling", "PutScheduledUpdateGroupAction")
def put(context, p):
    put_action(context, found(context, p["AutoScalingGroupName"]), p)


def put_action(context, group, p):
    name, now = p["ScheduledActionName"], context.now
    start, end = _utc(p.get("StartTime") or p.get("Time")), _utc(p.get("EndTime"))
    if name not in group.schedules and len(group.schedules) >= 125:
        raise ApiError("LimitExceeded", "Scheduled action limit exceeded: at most 125 per Auto Scaling group.")
    if all(p.get(k) is None for k in ("MinSize", "MaxSize", "DesiredCapacity")):
        raise invalid("At least one of MinSize, MaxSize and DesiredCapacity must be specified")
    check_bounds(p.get("MinSize"), p.get("MaxSize"))
    if p.get("TimeZone"):
        try:
            zoneinfo.ZoneInfo(p["TimeZone"])
        except Exception:
            raise invalid(f"The time zone {p['TimeZone']} is not supported") from None
    if start and start < now:
        raise invalid("Given start time is in the past")
    if end and end < (start or now):
        raise invalid("Given end time is before the start time or in the past")
    action = {
        "AutoScalingGroupName": group.name,
        "ScheduledActionName": name,
        "ScheduledActionARN": _arn(context, group, name),
        "EndTime": end,
    }
    for key in ("MinSize", "MaxSize", "DesiredCapacity", "Recurrence", "TimeZone"):
        if p.get(key) is not None:
            action[key] = p[key]
    if p.get("Recurrence"):
        try:
            cron_of(p["Recurrence"], p.get("TimeZone"))
        except ValueError:
            raise invalid(f"Given recurrence string: {p['Recurrence']} is invalid") from None
        action["first"] = start
    else:
        if start is None:
            raise invalid("A start time or a recurrence must be specified")
        for other in group.schedules.values():
            if other["ScheduledActionName"] != name and not other.get("Recurrence") and other["StartTime"] == start:
                raise ApiError(
                    "AlreadyExists",
                    f"Scheduled action {other['ScheduledActionName']} has the same start time; scheduled actions of a group need unique times.",
                )
    action["StartTime"] = start
    group.schedules[name] = action


def _arn(context, group, name):
    old = group.schedules.get(name)
    if old:
        return old["ScheduledActionARN"]
    return f"arn:aws:autoscaling:{context.region}:{context.account}:scheduledUpdateGroupAction:{uuid.uuid4()}:autoScalingGroupName/{group.name}:scheduledActionName/{name}"


@operation("autoscaling", "BatchPutScheduledUpdateGroupAction")
def batch_put(context, p):
    group, failed = found(context, p["AutoScalingGroupName"]), []
    if len(p["ScheduledUpdateGroupActions"]) > 50:
        raise invalid("At most 50 scheduled actions can be put in one call")
    for action in p["ScheduledUpdateGroupActions"]:
        try:
            put_action(context, group, action)
        except ApiError as error:
            failed.append(
                {
                    "ScheduledActionName": action["ScheduledActionName"],
                    "ErrorCode": error.code,
                    "ErrorMessage": error.message,
                }
            )
    return {"FailedScheduledUpdateGroupActions": failed}


@operation("autoscaling", "DeleteScheduledAction")
def delete(context, p):
    group = found(context, p["AutoScalingGroupName"])
    if group.schedules.pop(p["ScheduledActionName"], None) is None:
        raise invalid("Scheduled action name not found")


@operation("autoscaling", "BatchDeleteScheduledAction")
def batch_delete(context, p):
    group, failed = found(context, p["AutoScalingGroupName"]), []
    if len(p["ScheduledActionNames"]) > 50:
        raise invalid("At most 50 scheduled actions can be deleted in one call")
    for name in p["ScheduledActionNames"]:
        if group.schedules.pop(name, None) is None:
            failed.append(
                {
                    "ScheduledActionName": name,
                    "ErrorCode": "ValidationError",
                    "ErrorMessage": "Scheduled action name not found",
                }
            )
    return {"FailedScheduledActions": failed}


def _shown(context, action):
    """A recurring one shows the start of its next run, which is the start time while that is to come."""
    out = dict(action)
    if action.get("Recurrence") and not (action["first"] and action["first"] > context.now):
        out["StartTime"] = cron_of(action["Recurrence"], action.get("TimeZone")).next_after(context.now)
    out["Time"] = out["StartTime"]
    return out


@operation("autoscaling", "DescribeScheduledActions")
def describe(context, p):
    groups = (
        [found(context, p["AutoScalingGroupName"])]
        if p.get("AutoScalingGroupName")
        else WORLDS[context.place].groups.values()
    )
    names = p.get("ScheduledActionNames")
    rows = [a for g in groups for a in g.schedules.values() if not names or a["ScheduledActionName"] in names]
    start, end = _utc(p.get("StartTime")), _utc(p.get("EndTime"))
    if (start or end) and not names:
        rows = [a for a in rows if _is_between(_shown(context, a)["StartTime"], start, end)]
    rows, token = page(rows, p, 50, 100)
    return {"ScheduledUpdateGroupActions": [_shown(context, a) for a in rows], "NextToken": token}


def _is_between(at, start, end):
    return at is not None and (start is None or at >= start) and (end is None or at <= end)


def run(account, start, end):
    """Fires what is due in (start, end], in the order of time; one-off actions and ended ones are gone afterwards."""
    due = []
    for (owner, _), world in list(WORLDS.items()):
        if owner != account:
            continue
        for group in world.groups.values():
            for action in group.schedules.values():
                due += [(at, group, action) for at in _times(action, start, end)]
    fired = []
    for at, group, action in sorted(due, key=lambda row: (row[0], row[1].name, row[2]["ScheduledActionName"])):
        is_held = "ScheduledActions" in group.suspended
        if not is_held:
            _fire(group, action)
        if not action.get("Recurrence"):
            group.schedules.pop(action["ScheduledActionName"], None)
        fired.append(
            {
                "at": at,
                "group": group.name,
                "action": action["ScheduledActionName"],
                "fired": not is_held,
                "min": group.min,
                "max": group.max,
                "desired": group.desired,
            }
        )
    return fired


def _times(action, start, end):
    if not action.get("Recurrence"):
        return [action["StartTime"]] if start < action["StartTime"] <= end else []
    first, times = action["first"], []
    if first and start < first <= end:
        times.append(first)  # it runs at its start time, and from then on by the recurrence
    start = max(start, first) if first else start
    end = min(end, action["EndTime"]) if action["EndTime"] else end
    if start < end:
        times += cron_of(action["Recurrence"], action.get("TimeZone")).between(start, end)
    return times


def _fire(group, action):
    settings = group.settings
    before = settings["DesiredCapacity"]
    settings["MinSize"] = action.get("MinSize", settings["MinSize"])
    settings["MaxSize"] = max(action.get("MaxSize", settings["MaxSize"]), settings["MinSize"])
    wanted = action.get("DesiredCapacity", before)
    settings["DesiredCapacity"] = after = max(settings["MinSize"], min(settings["MaxSize"], wanted))
    settle(
        group,
        f"a scheduled action update of AutoScalingGroup constraints to min: {group.min}, max: {group.max}, desired: {after} changing the desired capacity from {before} to {after}.",
    )
