"""Permissions by IAM action: what an account may call, and AWS's words when it may not.

Only action patterns are looked at, never resources or conditions. Message forms: as AWS's answers are quoted in
public threads, e.g. nomad-autoscaler issue 952 (Describe, no resource) and terraform-aws-eks issue 336 (with one).
"""

import fnmatch

from . import s3
from .accounts import caller_arn
from .registry import ApiError

PREFIXES = {"elbv2": "elasticloadbalancing", "elb": "elasticloadbalancing"}
#: GetCallerIdentity needs no permission (STS API reference).
FREE = {"sts:GetCallerIdentity"}


def action_of(service, op):
    """The IAM action that an operation asks for."""
    if service == "s3":
        op = s3.PERMISSIONS.get(op, op)
    return f"{PREFIXES.get(service, service)}:{op}"


def denial(account, region, service, op, params):
    """The error that AWS gives to a caller without the permission."""
    action = action_of(service, op)
    reason = f"because no identity-based policy allows the {action} action"
    who = f"User: {caller_arn(account)} is not authorized to perform: {action}"
    name = (params or {}).get("AutoScalingGroupName")
    if service == "ec2":
        return ApiError(
            "UnauthorizedOperation", f"You are not authorized to perform this operation. {who} {reason}", 403
        )
    if service == "autoscaling" and name and not op.startswith("Describe"):
        arn = f"arn:aws:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/{name}"
        return ApiError("AccessDenied", f"{who} on resource: {arn} {reason}", 403)
    return ApiError("AccessDenied", f"{who} {reason}", 403)


class Permissions:
    """Accounts without an entry may do everything."""

    def __init__(self):
        self.allowed = {}

    def clear(self):
        self.allowed.clear()

    def set(self, account, actions):
        if actions is None:
            self.allowed.pop(account, None)
        else:
            self.allowed[account] = [pattern.lower() for pattern in actions]

    def allows(self, account, service, op):
        patterns = self.allowed.get(account)
        action = action_of(service, op)
        if patterns is None or action in FREE:
            return True
        return any(fnmatch.fnmatchcase(action.lower(), pattern) for pattern in patterns)
