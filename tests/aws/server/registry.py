"""The operations that this server answers itself, and what they are given.

What is registered here never reaches moto. A function takes a `Context` and the decoded, checked parameters,
and returns the members of the operation's output shape, or raises `ApiError`.
"""

import datetime
import threading

UTC = datetime.timezone.utc


class ApiError(Exception):
    """An answer that is an AWS error."""

    def __init__(self, code, message, status=400):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


def invalid(message):
    """The code that Auto Scaling and CloudWatch use for nearly every refusal."""
    return ApiError("ValidationError", message)


OPERATIONS = {}

#: One lock around all state, ours and moto's: neither is safe under parallel writes.
LOCK = threading.RLock()


def operation(service, name):
    def register(function):
        OPERATIONS[service, name] = function
        return function

    return register


class Clock:
    """Each account has its own time: the machine's, moved by what its tests asked for, or stopped."""

    def __init__(self):
        self.clear()

    def clear(self):
        self.offsets, self.stopped = {}, {}

    def now(self, account):
        if account in self.stopped:
            return self.stopped[account]
        return datetime.datetime.now(UTC) + self.offsets.get(account, datetime.timedelta())

    def set(self, account, at, stopped):
        self.offsets[account] = at - datetime.datetime.now(UTC)
        if stopped:
            self.stopped[account] = at
        else:
            self.stopped.pop(account, None)

    def advance(self, account, seconds):
        step = datetime.timedelta(seconds=seconds)
        if account in self.stopped:
            self.stopped[account] += step
        else:
            self.offsets[account] = self.offsets.get(account, datetime.timedelta()) + step


CLOCK = Clock()


class Context:
    """Who calls, where, and when."""

    def __init__(self, account, region, key=None):
        self.account, self.region, self.key = account, region, key

    @property
    def now(self):
        return CLOCK.now(self.account)

    @property
    def place(self):
        return self.account, self.region


def page(rows, parameters, default, largest, token_name="NextToken", size_name="MaxRecords"):
    """One page of `rows`, and the token for the next one or None."""
    size = parameters.get(size_name) or default
    if size > largest:
        raise invalid(f"1 validation error detected: {size_name} must be less than or equal to {largest}")
    token = parameters.get(token_name)
    start = 0
    if token:
        if not (token.startswith("page-") and token[5:].isdigit()):
            raise ApiError("InvalidNextToken", "The NextToken value is not valid.")
        start = int(token[5:])
    end = start + size
    return rows[start:end], f"page-{end}" if end < len(rows) else None
