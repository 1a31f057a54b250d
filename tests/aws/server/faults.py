"""Faults that a test asks for: throttling, delays, cuts, broken answers, by account, operation and parameters.

`when = "after"` carries the request out first: the answer is lost, the change is not.
"""

import threading

from .permissions import denial
from .registry import ApiError

DEFAULTS = {
    "account": "*",
    "service": "*",
    "op": "*",
    "match": {},
    "skip": 0,
    "times": 1,  # -1: until cleared
    "when": "before",
    "kind": "error",
    "code": None,
    "message": None,
    "status": None,
    "delay_ms": 0,
}
#: kind -> service -> code, message, status. Sources: "Common Errors" of the Amazon EC2 Auto Scaling and CloudWatch API
#: references, "Error codes for the Amazon EC2 API", "Error Responses" of the Amazon S3 API reference.
ERRORS = {
    "throttling": {
        "*": ("Throttling", "Rate exceeded", 400),
        "ec2": ("RequestLimitExceeded", "Request limit exceeded.", 503),
        "s3": ("SlowDown", "Please reduce your request rate.", 503),
    },
    "internal": {
        "*": ("InternalFailure", "The request processing has failed because of an unknown error.", 500),
        "ec2": ("InternalError", "An internal error has occurred", 500),
        "cloudwatch": ("InternalServiceError", "Request processing has failed due to some unknown error.", 500),
        "s3": ("InternalError", "We encountered an internal error. Please try again.", 500),
    },
    "unavailable": {
        "*": ("ServiceUnavailable", "The request has failed due to a temporary failure of the server.", 503),
        "ec2": ("Unavailable", "The server is overloaded and can't handle the request.", 503),
    },
    "expired_token": {
        "*": ("ExpiredToken", "The security token included in the request is expired", 403),
        "ec2": ("RequestExpired", "Request has expired.", 400),
        "s3": ("ExpiredToken", "The provided token has expired.", 400),
    },
    "invalid_token": {
        "*": ("InvalidClientTokenId", "The security token included in the request is invalid.", 403),
        "ec2": ("AuthFailure", "AWS was not able to validate the provided access credentials", 401),
        "s3": ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403),
    },
    "contention": {
        "*": ("ResourceContention", "You already have a pending update to an Amazon EC2 Auto Scaling resource.", 500),
    },
    "in_progress": {
        "*": ("ScalingActivityInProgress", "Scaling activity is in progress.", 400),
    },
    "conflict": {
        "*": (
            "ConditionalRequestConflict",
            "The conditional request cannot succeed due to a conflicting operation against this resource.",
            409,
        ),
    },
}
WITHOUT_ERROR = {"delay", "drop", "truncate", "garbage", "html", "stale"}
KINDS = set(ERRORS) | WITHOUT_ERROR | {"error", "access_denied"}


def _is_part(part, whole):
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(k in whole and _is_part(v, whole[k]) for k, v in part.items())
    if isinstance(part, list):
        return isinstance(whole, list) and all(any(_is_part(p, w) for w in whole) for p in part)
    return part == whole


class Faults:
    """In the order given; the first one that fits a request is spent on it."""

    def __init__(self):
        self.mutex, self.waiting = threading.Lock(), []

    def add(self, faults):
        made = []
        for fault in faults:
            unknown = set(fault) - set(DEFAULTS)
            if unknown:
                raise ApiError("BadControl", f"unknown members of a fault: {sorted(unknown)}")
            made.append({**DEFAULTS, **fault})
            if made[-1]["kind"] not in KINDS or made[-1]["when"] not in ("before", "after"):
                raise ApiError("BadControl", f"a fault's kind is one of {sorted(KINDS)}, when is before or after")
            if made[-1]["kind"] == "error" and not made[-1]["code"]:
                raise ApiError("BadControl", "a fault of kind error needs a code")
        with self.mutex:
            self.waiting += made

    def clear(self, account=None):
        with self.mutex:
            self.waiting = [f for f in self.waiting if account and f["account"] != account]

    def list(self):
        with self.mutex:
            return [dict(f) for f in self.waiting]

    def take(self, account, call):
        """The fault to act out on this call, or None."""
        with self.mutex:
            for fault in self.waiting:
                wanted = (("account", account), ("service", call.service), ("op", call.op))
                if fault["times"] == 0 or any(fault[k] not in ("*", v) for k, v in wanted):
                    continue
                if not _is_part(fault["match"], call.params or {}):
                    continue
                if fault["skip"] > 0:
                    fault["skip"] -= 1
                    continue
                if fault["times"] > 0:
                    fault["times"] -= 1
                return dict(fault)
        return None


def error_of(fault, account, call):
    """The error that a fault answers with, or None for the kinds that answer with something else."""
    kind = fault["kind"]
    if kind in WITHOUT_ERROR:
        return None
    if kind == "access_denied":
        return denial(account, call.region, call.service, call.op, call.params)
    code, message, status = None, "injected by the test", 400
    if kind in ERRORS:
        code, message, status = ERRORS[kind].get(call.service, ERRORS[kind]["*"])
    return ApiError(fault["code"] or code, fault["message"] or message, fault["status"] or status)
