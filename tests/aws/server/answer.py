"""From an output shape and a value, or an error, to an HTTP answer in the protocol that the caller spoke."""

import datetime
import json
from xml.sax.saxutils import escape

import botocore.serialize
from moto.core.serialize import get_serializer_class
from moto.core.utils import get_service_model

UTC = datetime.timezone.utc
CBOR_HEADERS = [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor")]
XML_HEADERS = [("Content-Type", "text/xml")]


def result(call, value):
    """A success. Members that the shape lacks are left out, so that operations may return more than they must."""
    shape = call.operation_model.output_shape
    if call.proto == "cbor":
        return 200, CBOR_HEADERS, to_cbor(shape, value or {})
    if call.proto in ("query", "ec2"):
        return 200, XML_HEADERS, _xml(call, shape, value or {})
    operation_model = get_service_model(call.service).operation_model(call.op)
    serializer = get_serializer_class(call.service, call.proto)(operation_model=operation_model)
    out = serializer.serialize(value or {})
    body = out["body"]
    headers = [("Content-Type", "application/x-amz-json-1.0")]
    return out["status_code"], headers, body if isinstance(body, bytes) else body.encode()


def error(call, code, message, status=400):
    """An error as the protocol carries it."""
    side = "Sender" if status < 500 else "Receiver"
    code_text, message_text = escape(str(code)), escape(str(message))
    if call.proto == "cbor":
        headers = CBOR_HEADERS + [("x-amzn-query-error", f"{code};{side}")]
        return status, headers, _cbor_of_texts({"__type": code, "message": message})
    if call.proto == "ec2":
        body = f"<Response><Errors><Error><Code>{code_text}</Code><Message>{message_text}</Message></Error></Errors>"
        return status, XML_HEADERS, f"{body}<RequestID>strict</RequestID></Response>".encode()
    if call.proto == "query":
        body = f"<ErrorResponse><Error><Type>{side}</Type><Code>{code_text}</Code><Message>{message_text}</Message>"
        return status, XML_HEADERS, f"{body}</Error><RequestId>strict</RequestId></ErrorResponse>".encode()
    if call.service == "s3":
        body = f"<Error><Code>{code_text}</Code><Message>{message_text}</Message><RequestId>strict</RequestId></Error>"
        return status, [("Content-Type", "application/xml")], body.encode()
    headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", code)]
    return status, headers, json.dumps({"__type": code, "message": message}).encode()


def to_cbor(shape, value):
    if shape is None:
        return b"\xa0"
    out = bytearray()
    botocore.serialize.RpcV2CBORSerializer()._serialize_data_item(out, _fitting(shape, value), shape)
    return bytes(out)


def _fitting(shape, value):
    """`value` with the members that `shape` knows, and its numbers and times in the shape's types."""
    kind = shape.type_name
    if kind == "structure":
        members = shape.members
        return {k: _fitting(members[k], v) for k, v in value.items() if k in members and v is not None}
    if kind == "list":
        return [_fitting(shape.member, item) for item in value]
    if kind == "map":
        return {key: _fitting(shape.value, item) for key, item in value.items()}
    if kind in ("float", "double"):
        return float(value)
    return value


def _cbor_of_texts(texts):
    def text(value):
        data = str(value).encode()
        size = len(data)
        if size < 24:
            return bytes([0x60 | size]) + data
        if size < 256:
            return bytes([0x78, size]) + data
        return bytes([0x79]) + size.to_bytes(2, "big") + data

    return bytes([0xA0 | len(texts)]) + b"".join(text(k) + text(v) for k, v in texts.items())


def _xml(call, shape, value):
    # moto's own serializer builds trees first; for a hundred groups a page this is ten times as fast.
    out = [f'<{call.op}Response xmlns="{call.service_model.metadata.get("xmlNamespace", "")}">']
    if call.proto == "ec2":
        out.append("<requestId>strict</requestId>")
        if shape is not None:
            _members_xml(shape, value, out)
        else:
            out.append("<return>true</return>")
    else:
        if shape is not None:
            wrapper = shape.serialization.get("resultWrapper", f"{call.op}Result")
            out.append(f"<{wrapper}>")
            _members_xml(shape, value, out)
            out.append(f"</{wrapper}>")
        out.append("<ResponseMetadata><RequestId>strict</RequestId></ResponseMetadata>")
    out.append(f"</{call.op}Response>")
    return "".join(out).encode()


def _members_xml(shape, value, out):
    for name, member in shape.members.items():
        item = value.get(name)
        if item is not None:
            _element_xml(member, member.serialization.get("name", name), item, out)


def _element_xml(shape, name, value, out):
    kind = shape.type_name
    if kind == "list" and shape.serialization.get("flattened"):
        item_name = shape.member.serialization.get("name", name)
        for item in value:
            _element_xml(shape.member, item_name, item, out)
        return
    out.append(f"<{name}>")
    if kind == "structure":
        _members_xml(shape, value, out)
    elif kind == "list":
        item_name = shape.member.serialization.get("name", "member")
        for item in value:
            _element_xml(shape.member, item_name, item, out)
    elif kind == "boolean":
        out.append("true" if value else "false")
    elif kind == "timestamp":
        out.append(timestamp_text(value))
    else:
        out.append(escape(str(value)))
    out.append(f"</{name}>")


def timestamp_text(value):
    value = value.astimezone(UTC)
    return f"{value:%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"
