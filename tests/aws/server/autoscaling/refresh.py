"""Instance refreshes: they take the account's `refresh_s`, and replace the instances when they end.

A real one replaces them in batches under way; here the group is only busy. Sources: API reference of
StartInstanceRefresh, CancelInstanceRefresh, RollbackInstanceRefresh, DescribeInstanceRefreshes.
"""

import uuid

from ..registry import ApiError, invalid, operation, page
from .launching import end, seconds, settle
from .model import SETTINGS, found

RUNNING = ("Pending", "InProgress", "Cancelling", "RollbackInProgress")


def _advance(context, group):
    settle(group)
    for refresh in group.refreshes:
        if refresh["Status"] not in RUNNING or "InstanceRefresh" in group.suspended:
            continue
        took = (context.now - refresh["StartTime"]).total_seconds()
        whole = SETTINGS.of(group.account, "refresh_s")
        if refresh["Status"] == "Cancelling":
            refresh.update(Status="Cancelled", EndTime=context.now)
        elif took < whole:
            share = took / whole
            total = len(group.instances)
            refresh.update(
                Status="InProgress", PercentageComplete=int(100 * share), InstancesToUpdate=total - int(total * share)
            )
        elif refresh["Status"] == "RollbackInProgress":
            refresh.update(Status="RollbackSuccessful", EndTime=context.now)
        else:
            for instance in [i for i in group.counted if i.launched < refresh["StartTime"]]:
                end(group, instance, "An instance refresh replaced the instance.")
            refresh.update(
                Status="Successful",
                PercentageComplete=100,
                InstancesToUpdate=0,
                EndTime=refresh["StartTime"] + seconds(whole),
            )
            settle(group)


def running(group):
    return next((r for r in group.refreshes if r["Status"] in RUNNING), None)


@operation("autoscaling", "StartInstanceRefresh")
def start(context, p):
    group = found(context, p["AutoScalingGroupName"])
    _advance(context, group)
    if running(group):
        raise ApiError(
            "InstanceRefreshInProgress",
            "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
        )
    preferences = p.get("Preferences") or {}
    refresh = {
        "InstanceRefreshId": str(uuid.uuid4()),
        "AutoScalingGroupName": group.name,
        "Status": "Pending",
        "StartTime": context.now,
        "PercentageComplete": 0,
        "InstancesToUpdate": len(group.instances),
        "Preferences": {"MinHealthyPercentage": 90, **preferences},
        "Strategy": p.get("Strategy", "Rolling"),
        "DesiredConfiguration": p.get("DesiredConfiguration"),
    }
    group.refreshes.insert(0, refresh)
    return {"InstanceRefreshId": refresh["InstanceRefreshId"]}


def _active(context, p):
    group = found(context, p["AutoScalingGroupName"])
    _advance(context, group)
    refresh = running(group)
    if refresh is None:
        raise ApiError("ActiveInstanceRefreshNotFound", "No in progress or pending Instance Refresh found.")
    return refresh


@operation("autoscaling", "CancelInstanceRefresh")
def cancel(context, p):
    refresh = _active(context, p)
    refresh["Status"] = "Cancelling"
    return {"InstanceRefreshId": refresh["InstanceRefreshId"]}


@operation("autoscaling", "RollbackInstanceRefresh")
def rollback(context, p):
    refresh = _active(context, p)
    if not refresh.get("DesiredConfiguration"):
        raise ApiError(
            "IrreversibleInstanceRefresh", "The instance refresh has no desired configuration to roll back from."
        )
    refresh["Status"] = "RollbackInProgress"
    return {"InstanceRefreshId": refresh["InstanceRefreshId"]}


@operation("autoscaling", "DescribeInstanceRefreshes")
def describe(context, p):
    group = found(context, p["AutoScalingGroupName"])
    _advance(context, group)
    wanted = p.get("InstanceRefreshIds")
    if wanted and not all(any(r["InstanceRefreshId"] == w for r in group.refreshes) for w in wanted):
        raise invalid("Instance refresh not found")
    rows, token = page([r for r in group.refreshes if not wanted or r["InstanceRefreshId"] in wanted], p, 50, 100)
    return {"InstanceRefreshes": rows, "NextToken": token}
