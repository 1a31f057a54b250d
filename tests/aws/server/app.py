"""The application: one request from its bytes to its answer.

Order: decode and check, faults, permissions, canned answers, our own operations, and last moto.
"""

import base64
import datetime
import gzip
import io
import json
import re
import time
import traceback

import botocore
import botocore.parsers
from moto.server import DomainDispatcherApplication, create_backend_app

from . import accounts, answer, autoscaling, cloudwatch, ec2, ec2_instances, wire
from .canned import Canned
from .control import Control
from .faults import Faults, error_of
from .http import Cut
from .journal import Journal
from .permissions import Permissions, action_of, denial
from .registry import LOCK, OPERATIONS, ApiError, Context

#: Answered by us alone: moto's own versions of these are never reached.
OURS = {"autoscaling", "cloudwatch"}
assert autoscaling and cloudwatch and ec2 and ec2_instances  # importing them registers their operations


class Server:
    def __init__(self, record_only=False):
        self.moto_app = DomainDispatcherApplication(create_backend_app)
        self.record_only = record_only
        self.journal, self.faults, self.canned, self.permissions = Journal(), Faults(), Canned(), Permissions()
        self.answers = {}  # the last answer to each question, for the fault `stale`
        self.control = Control(self)

    # ---- one request ----------------------------------------------------------------------------

    def handle(self, environ):
        """(status, headers, body, length): a body shorter than its promised length is cut there."""
        status, headers, out, cut = self.answer(environ, environ["strict.body"])
        length = len(out)
        if environ["REQUEST_METHOD"] == "HEAD":  # says how long the body would be
            length = int(next((v for k, v in headers if k.lower() == "content-length"), length))
        return status, headers + [("x-amzn-RequestId", "strict")], out[: length // 2] if cut else out, length

    def answer(self, environ, body):
        path = environ.get("PATH_INFO", "/")
        if path.startswith("/_strict/"):
            status, value = self.control.handle(path[len("/_strict/") :], environ, body)
            return status, [("Content-Type", "application/json")], json.dumps(value, default=str).encode(), False
        if path.startswith("/moto-api"):
            return *self.moto(environ, body), False
        if environ.get("HTTP_CONTENT_ENCODING") == "gzip":
            body = gzip.decompress(body)
            environ.pop("HTTP_CONTENT_ENCODING")
        started = time.time()
        try:
            call = wire.read(environ, body)
        except Exception as error:  # a body that cannot be read at all
            call = wire.Call()
            call.proto = "json"
            call.bad.append(f"unreadable request: {type(error).__name__}: {error}")
        account = accounts.of_key(call.key)
        entry = {
            "at": started,
            "account": account,
            "region": call.region,
            "service": call.service,
            "op": call.op,
            "action": action_of(call.service, call.op),
            "proto": call.proto,
            "params": call.params,
            "bad": call.bad,
            "agent": environ.get("HTTP_USER_AGENT", "")[:60],
            "status": 0,
            "code": None,
            "fault": None,
        }
        try:
            status, headers, out, cut = self._respond(call, account, environ, body, entry)
            entry["status"], entry["bytes"] = status, len(out)
            return status, headers, out, cut
        finally:
            entry["ms"] = round((time.time() - started) * 1000, 1)
            self.journal.add(entry)

    def _respond(self, call, account, environ, body, entry):
        def refuse(error):
            entry["code"] = error.code
            return *answer.error(call, error.code, error.message, error.status), False

        if call.bad and not self.record_only:
            status = 403 if call.service is None else 400
            return refuse(
                ApiError("EmulatorRequestInvalid", f"{call.service} {call.op}: {'; '.join(call.bad)[:1500]}", status)
            )
        fault = self.faults.take(account, call)
        if fault is None:
            return *self._outcome(call, account, environ, body, entry), False
        entry["fault"] = kind = fault["kind"]
        done = self._outcome(call, account, environ, body, entry) if fault["when"] == "after" else None
        time.sleep(fault["delay_ms"] / 1000)
        error = error_of(fault, account, call)
        if error:
            return refuse(error)
        if kind == "drop":
            raise Cut
        if kind == "html":
            return 502, [("Content-Type", "text/html")], b"<html><body><h1>502 Bad Gateway</h1></body></html>", False
        if kind == "stale" and self._question(call, account) in self.answers:
            return *self.answers[self._question(call, account)], False
        status, headers, out = done or self._outcome(call, account, environ, body, entry)
        if kind == "garbage":
            return 200, headers, b"\x00\xff<not what you asked for", False
        return status, headers, out, kind == "truncate"

    @staticmethod
    def _question(call, account):
        return account, call.region, call.service, call.op, repr(call.params)

    def _outcome(self, call, account, environ, body, entry):
        """The answer without any fault, be it an error."""
        try:
            outcome = self._carry_out(call, account, environ, body)
        except ApiError as error:
            entry["code"] = error.code
            return answer.error(call, error.code, error.message, error.status)
        if outcome[0] >= 400:  # an error of moto's
            code = re.search(rb"<Code>([^<]+)</Code>|\"__type\": ?\"(?:[^\"#]*#)?([^\"]+)\"", outcome[2][:2000])
            entry["code"] = code and (code.group(1) or code.group(2)).decode()
        elif call.op and call.op.startswith("Describe"):
            self.answers[self._question(call, account)] = outcome
        return outcome

    def _carry_out(self, call, account, environ, body):
        if not self.permissions.allows(account, call.service, call.op):
            raise denial(account, call.region, call.service, call.op, call.params)
        canned = self.canned.find(account, call)
        if canned:
            return canned
        own = OPERATIONS.get((call.service, call.op))
        if own:
            return self._own(own, call, account)
        if call.service in OURS:
            raise ApiError("EmulatorNotImplemented", f"{call.service} {call.op} is not answered by the test server")
        return self._by_moto(call, account, environ, body)

    def _own(self, operation, call, account):
        try:
            with LOCK:  # the value is the state itself: it is written out before anyone changes it
                return answer.result(call, operation(Context(account, call.region, call.key), call.params))
        except ApiError:
            raise
        except Exception as error:
            where = traceback.format_exc().splitlines()[-4:-1]
            raise ApiError(
                "EmulatorCrashed", f"{call.service} {call.op}: {type(error).__name__}: {error} {where}"
            ) from error

    # ---- moto -----------------------------------------------------------------------------------

    def moto(self, environ, body):
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        got = {}

        def start_response(status, headers, exc_info=None):
            got["status"], got["headers"] = int(status.split()[0]), headers

        with LOCK:
            parts = self.moto_app(environ, start_response)
            out = b"".join(parts)
            getattr(parts, "close", lambda: None)()
        return got["status"], got["headers"], out

    def _by_moto(self, call, account, environ, body):
        if not (call.key or "").startswith("ASIA"):
            environ = dict(environ, HTTP_X_MOTO_ACCOUNT_ID=account)
        if call.proto == "cbor":
            environ, body = _as_json(call, environ)
        try:
            status, headers, out = self.moto(environ, body)
        except Exception as error:  # a service that moto does not know crashes its dispatcher
            raise ApiError(
                "EmulatorNotImplemented", f"moto: {call.service} {call.op}: {type(error).__name__}: {error}"
            ) from error
        if call.proto != "rest" and b"<!doctype html" in out[:40].lower() and status in (404, 500):
            raise ApiError("EmulatorNotImplemented", f"moto: {call.service} {call.op} (HTTP {status})")
        if call.proto == "cbor":
            value = json.loads(out or b"{}")
            if status >= 400:
                code = value.get("__type", "InternalFailure").split("#")[-1]
                raise ApiError(code, value.get("message") or value.get("Message") or "", status)
            shape = call.operation_model.output_shape
            return answer.result(call, botocore.parsers.JSONParser()._parse_shape(shape, value) if shape else {})
        dropped = ("connection", "server", "date")
        return status, [(k, v) for k, v in headers if k.lower() not in dropped], out


def _as_json(call, environ):
    """moto has no rpc-v2-cbor: the same request as awsJson 1.0."""

    def plain(value):
        return value.timestamp() if isinstance(value, datetime.datetime) else base64.b64encode(value).decode()

    target = f"{call.service_model.metadata['targetPrefix']}.{call.op}"
    environ = dict(
        environ,
        PATH_INFO="/",
        REQUEST_URI="/",
        RAW_URI="/",
        CONTENT_TYPE="application/x-amz-json-1.0",
        HTTP_X_AMZ_TARGET=target,
        HTTP_ACCEPT="application/json",
    )
    return environ, json.dumps(call.raw, default=plain).encode()
