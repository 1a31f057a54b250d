"""The server's own endpoints under /_strict/, for the tests. All take and give JSON.

Everything that belongs to an account takes "account"; without it, moto's default account is meant (for lists and
clears: all accounts). README.md lists them.
"""

import datetime
import json
from urllib.parse import parse_qs

from dateutil import parser as dateparser
from moto.core import DEFAULT_ACCOUNT_ID

from . import ec2, seed
from .autoscaling import groups, schedules
from .autoscaling.model import SETTINGS, WORLDS
from .cloudwatch import alarms, metrics
from .cloudwatch.store import STORES
from .registry import CLOCK, LOCK, UTC, ApiError, Context

REGION = "us-east-1"


class Control:
    def __init__(self, server):
        self.server = server

    def handle(self, path, environ, body):
        """(status, JSON value)."""
        action = getattr(self, f"do_{path}", None)
        if action is None:
            return 404, {"error": f"no such endpoint: {path}"}
        query = {key: values[0] for key, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        try:
            data = json.loads(body) if body else None
            if path == "reset":
                self._reset_moto(environ)
            with LOCK:
                return 200, action(data, query)
        except (ApiError, ValueError, KeyError, TypeError) as error:
            return 400, {"error": f"{type(error).__name__}: {error}"}

    def _reset_moto(self, environ):
        self.server.moto(dict(environ, PATH_INFO="/moto-api/reset", REQUEST_METHOD="POST"), b"")

    # ---- what was asked, and what goes wrong -----------------------------------------------------

    def do_log(self, data, query):
        return self.server.journal.select(**{k: query.get(k) for k in ("account", "service", "op", "since")})

    def do_violations(self, data, query):
        return self.server.journal.select(account=query.get("account"), bad=True)

    def do_clear_log(self, data, query):
        self.server.journal.clear((data or {}).get("account"))
        return "ok"

    def do_faults(self, data, query):
        if data is not None:
            self.server.faults.add(data)
        return self.server.faults.list()

    def do_clear_faults(self, data, query):
        self.server.faults.clear((data or {}).get("account"))
        return "ok"

    def do_stubs(self, data, query):
        return self.server.canned.add(data or [])

    def do_allow(self, data, query):
        """{"account", "actions": ["autoscaling:Describe*", ...] or null for all}"""
        self.server.permissions.set(_account(data), data["actions"])
        return "ok"

    def do_reset(self, data, query):
        WORLDS.clear(), STORES.clear(), alarms.WORLDS.clear(), SETTINGS.clear(), CLOCK.clear(), ec2.SPOT_PRICES.clear()
        (
            self.server.journal.clear(),
            self.server.faults.clear(),
            self.server.canned.clear(),
            self.server.permissions.clear(),
        )
        self.server.answers.clear()
        return "ok"

    # ---- time --------------------------------------------------------------------------------------

    def do_clock(self, data, query):
        """{"account", "now"?, "advance_s"?, "stopped"?}: sets or moves the account's time, and lets it take effect."""
        account = _account(data or query)
        if data and "now" in data:
            CLOCK.set(account, _time(data["now"]), bool(data.get("stopped")))
        if data and "advance_s" in data:
            CLOCK.advance(account, data["advance_s"])
        if data:
            groups.settle_all(account)
        return {"now": CLOCK.now(account).isoformat()}

    def do_settings(self, data, query):
        """{"account", "boot_s"?, "terminate_s"?, "refresh_s"?, "retry_s"?}: how long machines take."""
        given = {k: v for k, v in data.items() if k != "account"}
        unknown = set(given) - set(SETTINGS.DEFAULTS)
        if unknown:
            raise ApiError("BadControl", f"unknown settings: {sorted(unknown)}")
        SETTINGS.by_account.setdefault(_account(data), {}).update(given)
        return {**SETTINGS.DEFAULTS, **SETTINGS.by_account[_account(data)]}

    def do_launch_failures(self, data, query):
        """{"account", "failures": [{"group"?, "lifecycle"?, "type"?, "az"?, "times"?, "reason"?}]}; replaces the list."""
        defaults = {"group": "*", "lifecycle": "*", "type": "*", "az": "*", "times": -1, "reason": None}
        for failure in data["failures"]:
            if set(failure) - set(defaults):
                raise ApiError("BadControl", f"unknown members of a failure: {sorted(set(failure) - set(defaults))}")
        SETTINGS.failures[_account(data)] = [{**defaults, **f} for f in data["failures"]]
        return SETTINGS.failures[_account(data)]

    def do_interrupt(self, data, query):
        """{"account", "region"?, "instances": [ids]}: EC2 takes them away, as with a spot interruption."""
        context = _context(data)
        groups.ec2_of(context).terminate_instances(data["instances"])
        groups.settle_all(context.account)
        return "ok"

    def do_evaluate_alarms(self, data, query):
        """{"account", "now"?, "alarms"?}: evaluates alarms over the stored data and carries out scaling actions."""
        return alarms.evaluate(_account(data), _time(data["now"]) if data.get("now") else None, data.get("alarms"))

    def do_run_schedules(self, data, query):
        """{"account", "from", "to"}: fires the scheduled actions that are due in (from, to]."""
        return schedules.run(_account(data), _time(data["from"]), _time(data["to"]))

    # ---- data ----------------------------------------------------------------------------------------

    def do_metrics(self, data, query):
        """{"account", "region"?, "series": [{"namespace", "name", "dimensions"?, "unit"?, "points": [[t, v], ...]}]}"""
        return {"points": metrics.put_directly(_context(data), data["series"])}

    def do_spot_prices(self, data, query):
        """{"account", "region"?, "prices": [{"type", "az", "price", "at"?, "product"?}]}"""
        return {"prices": ec2.set_spot_prices(_account(data), data.get("region", REGION), data["prices"])}

    def do_seed_groups(self, data, query):
        """Makes many groups at once: see seed.py."""
        return seed.groups(_context(data), data)


def _account(data):
    return (data or {}).get("account") or DEFAULT_ACCOUNT_ID


def _context(data):
    return Context(_account(data), (data or {}).get("region") or REGION)


def _time(value):
    if isinstance(value, (int, float)):
        return datetime.datetime.fromtimestamp(value, UTC)
    time = dateparser.isoparse(value)
    return time if time.tzinfo else time.replace(tzinfo=UTC)
