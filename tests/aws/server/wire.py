"""From an HTTP request to a `Call`: the operation and its parameters, decoded by the service's own model.

Speaks the query, ec2, awsJson and rpc-v2-cbor protocols. REST services (S3) are named, not decoded.
Whatever does not fit the model is collected in `Call.bad`; nothing is answered here.
"""

import base64
import datetime
import json
import re
from urllib.parse import parse_qsl, unquote

import botocore.parsers
import botocore.session
import botocore.validate
from dateutil import parser as dateparser

from . import s3
from .check import constraints

SIGNING_NAMES = {
    "monitoring": "cloudwatch",
    "elasticloadbalancing": "elbv2",
    "tagging": "resourcegroupstaggingapi",
    "servicequotas": "service-quotas",
}
JSON_TARGETS = {"AnyScaleScalingPlannerFrontendService": "autoscaling-plans"}
SESSION = botocore.session.get_session()
CBOR = botocore.parsers.RpcV2CBORParser()
VALIDATOR = botocore.validate.ParamValidator()
_models = {}


def model(service):
    if service not in _models:
        try:
            _models[service] = SESSION.get_service_model(service)
        except Exception:
            _models[service] = None
    return _models[service]


class Call:
    """One request as decoded. `raw` is the body's own value where it was JSON or CBOR."""

    def __init__(self):
        self.service = self.op = self.proto = self.region = self.key = None
        self.params = self.raw = self.service_model = self.operation_model = None
        self.bad = []


def read(environ, body):
    """The call that a request is; what is wrong with it is in `bad`."""
    call = Call()
    credential = re.search(
        r"Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request", environ.get("HTTP_AUTHORIZATION", "")
    ) or re.search(
        r"X-Amz-Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request", unquote(environ.get("QUERY_STRING", ""))
    )
    if not credential:
        call.bad.append("not signed (no SigV4 Authorization header)")
        return call
    call.key, call.region, signing_name = credential.groups()
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    call.service = JSON_TARGETS.get(target.split(".")[0]) or SIGNING_NAMES.get(signing_name, signing_name)
    rpc = re.fullmatch(r"/service/([^/]+)/operation/([^/]+)", environ.get("PATH_INFO", "/"))
    query = environ.get("QUERY_STRING", "")
    is_form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    form = version = None
    if rpc:
        call.proto, call.op = "cbor", rpc.group(2)
    elif target:
        call.proto, call.op = "json", target.rsplit(".", 1)[1]
    elif is_form or (environ["REQUEST_METHOD"] == "GET" and "Action=" in query):
        form = _form_tree(parse_qsl(body.decode() or query, keep_blank_values=True), call.bad)
        call.op, version = form.pop("Action", None), form.pop("Version", None)
        if call.service == "elbv2" and version == "2012-06-01":
            call.service = "elb"
        call.proto = "ec2" if call.service == "ec2" else "query"
    else:
        call.proto = "rest"
        if call.service == "s3":
            call.op, call.params = s3.name_of(environ, len(body))
        return call
    call.service_model = model(call.service)
    if call.service_model is None:
        call.bad.append(f"no such service: {call.service}")
        return call
    prefix = call.service_model.metadata.get("targetPrefix")
    if rpc and rpc.group(1) != prefix:
        call.bad.append(f"path names {rpc.group(1)}, the service is {prefix}")
    if form is not None and version != call.service_model.api_version:
        call.bad.append(f"Version={version}, the model is {call.service_model.api_version}")
    try:
        call.operation_model = call.service_model.operation_model(call.op)
    except Exception:
        call.bad.append(f"no such operation: {call.service} {call.op}")
        return call
    _decode_parameters(call, form, body)
    return call


def _decode_parameters(call, form, body):
    shape = call.operation_model.input_shape
    call.params = {}
    if call.proto == "cbor":
        stream = CBOR.get_peekable_stream_from_bytes(body)
        call.raw = CBOR.parse_data_item(stream) if body else {}
    elif call.proto == "json":
        call.raw = json.loads(body or b"{}")
    if not shape:
        return
    if form is not None:
        call.params = _from_form(shape, form, call.op, call.proto, call.bad)
    else:
        call.params = from_json(shape, call.raw, call.op, call.bad)
    report = VALIDATOR.validate(call.params, shape)
    if report.has_errors():
        call.bad += report.generate_report().splitlines()
    constraints(shape, call.params, call.op, call.bad)


def _form_tree(pairs, bad):
    root = {}
    for key, value in pairs:
        node, parts = root, key.split(".")
        for part in parts[:-1]:
            deeper = node.setdefault(part, {})
            if not isinstance(deeper, dict):
                deeper = node[part] = {}
            node = deeper
        if parts[-1] in node:
            bad.append(f"{key}: sent twice")
        node[parts[-1]] = value
    return root


def _wire_name(name, member, proto):
    how = member.serialization
    if proto == "ec2":
        return how.get("queryName") or (how["name"][0].upper() + how["name"][1:] if "name" in how else name)
    if member.type_name == "list" and how.get("flattened"):
        return member.member.serialization.get("name", how.get("name", name))
    return how.get("name", name)


def _from_form(shape, node, at, proto, bad):
    kind = shape.type_name
    if kind == "structure":
        return _structure_from_form(shape, node, at, proto, bad)
    if kind == "list":
        return _list_from_form(shape, node, at, proto, bad)
    if kind == "map":
        node = node.get("entry", node) if isinstance(node, dict) else {}
        return {
            entry.get("key"): _from_form(shape.value, entry.get("value"), f"{at}[{entry.get('key')}]", proto, bad)
            for entry in node.values()
            if isinstance(entry, dict)
        }
    if isinstance(node, dict):
        bad.append(f"{at}: members where a {kind} is wanted")
        return None
    try:
        return _scalar_from_text(kind, node)
    except Exception:
        bad.append(f"{at}: {node!r} is not a {kind}")
        return None


def _structure_from_form(shape, node, at, proto, bad):
    if node == "":
        return {}
    if not isinstance(node, dict):
        bad.append(f"{at}: a value where {shape.name} has members")
        return {}
    names = {_wire_name(name, member, proto): (name, member) for name, member in shape.members.items()}
    out = {}
    for key, child in node.items():
        if key not in names:
            bad.append(f"{at}.{key}: no such member of {shape.name}")
            continue
        name, member = names[key]
        out[name] = _from_form(member, child, f"{at}.{name}", proto, bad)
    return out


def _list_from_form(shape, node, at, proto, bad):
    if node == "":
        return []
    if not isinstance(node, dict):
        bad.append(f"{at}: a value where a list is wanted")
        return []
    if proto != "ec2" and not shape.serialization.get("flattened"):
        item = shape.member.serialization.get("name", "member")
        if set(node) != {item}:
            bad.append(f"{at}: list items must be named {item}, not {sorted(node)}")
            return []
        node = node[item]
        if not isinstance(node, dict):
            bad.append(f"{at}: list items must be numbered")
            return []
    indexes = sorted(int(key) for key in node if key.isdigit())
    if len(indexes) != len(node) or indexes != list(range(1, len(indexes) + 1)):
        bad.append(f"{at}: list indexes {sorted(node)} are not 1..n")
    return [_from_form(shape.member, node[str(i)], f"{at}[{i}]", proto, bad) for i in indexes if str(i) in node]


def _scalar_from_text(kind, text):
    if kind == "boolean":
        return {"true": True, "false": False}[text]
    if kind in ("integer", "long"):
        if not re.fullmatch(r"-?\d+", text):
            raise ValueError(text)
        return int(text)
    if kind in ("float", "double"):
        return float(text)
    if kind == "timestamp":
        return dateparser.isoparse(text)
    if kind == "blob":
        return base64.b64decode(text, validate=True)
    return text


def from_json(shape, value, at, bad, wired=True):
    """The types that a JSON or CBOR body has, as botocore's validator wants them (`wired`: members by wire name)."""
    kind = shape.type_name
    if value is None:
        return None
    if kind == "structure" and isinstance(value, dict):
        names = {m.serialization.get("name", n) if wired else n: (n, m) for n, m in shape.members.items()}
        out = {}
        for key, child in value.items():
            if key not in names:
                bad.append(f"{at}.{key}: no such member of {shape.name}")
                continue
            name, member = names[key]
            if child is not None:
                out[name] = from_json(member, child, f"{at}.{name}", bad, wired)
        return out
    if kind == "list" and isinstance(value, list):
        return [from_json(shape.member, item, f"{at}[{i}]", bad, wired) for i, item in enumerate(value)]
    if kind == "map" and isinstance(value, dict):
        return {key: from_json(shape.value, item, f"{at}[{key}]", bad, wired) for key, item in value.items()}
    if kind == "timestamp":
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.datetime.fromtimestamp(value, datetime.timezone.utc)
        if isinstance(value, str) and not wired:
            return dateparser.isoparse(value)
    if kind == "blob" and isinstance(value, str):
        return base64.b64decode(value)
    if kind in ("float", "double") and value in ("NaN", "Infinity", "-Infinity"):
        return float(value.replace("Infinity", "inf"))
    return value
