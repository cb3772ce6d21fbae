"""OTLP/HTTP trace requests, as they come over the wire, into frozen `Span`s. Pure.

Two encodings. Protobuf is OpenTelemetry's. JSON is read leniently, because the SDK's dialect varies: enums by name or
number; 64-bit integers as numbers (releases before 1.2) or strings; ids in hex; lowerCamelCase or snake_case names.

A request that is not OTLP at all raises the API's 400. A span without usable ids is left out and counted, which OTLP
calls partial success.
"""

from __future__ import annotations

import base64
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from environments.services.honeyhive.ingestion.nesting import unflattened
from environments.services.http import bodies
from environments.services.http.errors import bad_request
from environments.services.http.json_types import MAX_DEPTH, Json, JsonObject, dump

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan

JSON = "application/json"
PROTOBUF = "application/x-protobuf"

STATUS_ERROR = 2
_STATUS_CODES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": STATUS_ERROR}
_KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")
_KIND_PREFIX = "SPAN_KIND_"

_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN_ID = re.compile(r"(?!0{16})[0-9a-f]{16}")

_MAX_NS = 2**63 - 1  # what SQLite can hold; the year 2262


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened during a span: an exception, or a log line."""

    name: str
    time_ns: int
    attributes: JsonObject


@dataclass(frozen=True, slots=True)
class Span:
    """One span, whichever encoding it came in. Ids are lower-case hex; the parent's is empty for a root."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: str
    start_ns: int
    end_ns: int
    attributes: JsonObject
    events: tuple[SpanEvent, ...]
    status_code: int
    status_message: str
    scope_name: str
    scope_version: str
    resource: JsonObject


@dataclass(frozen=True, slots=True)
class Batch:
    """The usable spans of one request, and how many were not."""

    spans: tuple[Span, ...]
    rejected: int = 0


def decode(media_type: str, body: bytes) -> Batch:
    """Decode a trace request."""
    return _from_protobuf(body) if media_type == PROTOBUF else _from_json(body)


def encode_response(media_type: str, rejected: int) -> bytes:
    """Encode the answer to a request that was applied, in the encoding of the request."""
    message = f"{rejected} spans have no valid trace id or span id" if rejected else ""
    if media_type == JSON:
        partial = {"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": message}}
        return dump(partial if rejected else {}).encode()
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    response = ExportTraceServiceResponse()
    if rejected:
        response.partial_success.rejected_spans = rejected
        response.partial_success.error_message = message
    return response.SerializeToString()


def _batch(spans: Iterable[Span]) -> Batch:
    usable, rejected = [], 0
    for span in spans:
        if _TRACE_ID.fullmatch(span.trace_id) and _SPAN_ID.fullmatch(span.span_id):
            usable.append(span)
        else:
            rejected += 1
    return Batch(tuple(usable), rejected)


# ---- Protobuf ----------------------------------------------------------------------------------------


def _from_protobuf(body: bytes) -> Batch:
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        raise bad_request("the body is not an OTLP trace request in protobuf") from None
    return _batch(
        _span_of_protobuf(span, scoped.scope.name, scoped.scope.version, resource)
        for group in request.resource_spans
        for resource in [unflattened(_attributes_of_protobuf(group.resource.attributes))]
        for scoped in group.scope_spans
        for span in scoped.spans
    )


def _span_of_protobuf(span: WireSpan, scope_name: str, scope_version: str, resource: JsonObject) -> Span:
    start_ns = min(span.start_time_unix_nano, _MAX_NS)
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=_parent(span.parent_span_id.hex()),
        name=span.name,
        kind=_kind(span.kind),
        start_ns=start_ns,
        end_ns=max(start_ns, min(span.end_time_unix_nano, _MAX_NS)),
        attributes=_attributes_of_protobuf(span.attributes),
        events=tuple(
            SpanEvent(event.name, event.time_unix_nano, _attributes_of_protobuf(event.attributes))
            for event in span.events
        ),
        status_code=span.status.code,
        status_message=span.status.message,
        scope_name=scope_name,
        scope_version=scope_version,
        resource=resource,
    )


def _attributes_of_protobuf(pairs: Iterable[KeyValue]) -> JsonObject:
    return {pair.key: _value_of_protobuf(pair.value) for pair in pairs if pair.value.WhichOneof("value")}


def _value_of_protobuf(value: AnyValue) -> Json:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value_of_protobuf(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes_of_protobuf(value.kvlist_value.values)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    if kind == "double_value":
        return _double(value.double_value)
    return cast("Json", getattr(value, kind)) if kind else None


# ---- JSON --------------------------------------------------------------------------------------------


def _from_json(body: bytes) -> Batch:
    request = bodies.parse(body, depth_checked_later=True)  # only attribute values nest, and those are bounded below
    try:
        return _batch(_spans_of_json(_object(request)))
    except (TypeError, ValueError, OverflowError) as error:
        raise bad_request(f"the body is not an OTLP trace request in JSON: {error}") from None


def _spans_of_json(request: JsonObject) -> Iterator[Span]:
    for group in _objects(request, "resourceSpans", "resource_spans"):
        resource = unflattened(_attributes_of_json(_object(group.get("resource") or {})))
        for scoped in _objects(group, "scopeSpans", "scope_spans"):
            scope = _object(scoped.get("scope") or {})
            name, version = _text(scope.get("name")), _text(scope.get("version"))
            for span in _objects(scoped, "spans"):
                yield _span_of_json(span, name, version, resource)


def _span_of_json(span: JsonObject, scope_name: str, scope_version: str, resource: JsonObject) -> Span:
    status = _object(span.get("status") or {})
    start_ns = _nanoseconds(_either(span, "startTimeUnixNano", "start_time_unix_nano"))
    end_ns = _nanoseconds(_either(span, "endTimeUnixNano", "end_time_unix_nano"))
    return Span(
        trace_id=_text(_either(span, "traceId", "trace_id")).lower(),
        span_id=_text(_either(span, "spanId", "span_id")).lower(),
        parent_span_id=_parent(_text(_either(span, "parentSpanId", "parent_span_id")).lower()),
        name=_text(span.get("name")),
        kind=_kind(span.get("kind")),
        start_ns=start_ns,
        end_ns=max(start_ns, end_ns),
        attributes=_attributes_of_json(span),
        events=tuple(_span_event_of_json(event) for event in _objects(span, "events")),
        status_code=_status_code(status.get("code")),
        status_message=_text(status.get("message")),
        scope_name=scope_name,
        scope_version=scope_version,
        resource=resource,
    )


def _span_event_of_json(event: JsonObject) -> SpanEvent:
    time_ns = _nanoseconds(_either(event, "timeUnixNano", "time_unix_nano"))
    return SpanEvent(_text(event.get("name")), time_ns, _attributes_of_json(event))


def _attributes_of_json(holder: JsonObject, key: str = "attributes", depth: int = 0) -> JsonObject:
    found = {}
    for pair in _objects(holder, key):
        value = _value_of_json(pair.get("value"), depth)
        if value is not None:
            found[_text(pair.get("key"))] = value
    return found


def _value_of_json(value: Json, depth: int) -> Json:
    if value is None:
        return None
    if depth > MAX_DEPTH // 4:  # each level of a value is up to three levels of JSON
        raise ValueError("an attribute value is nested too deeply")
    holder = _object(value)
    for name, inner in holder.items():
        read = _VALUE_READERS.get(name)
        if read is not None and inner is not None:
            return read(inner, depth + 1)
    return None


def _array(value: Json, depth: int) -> Json:
    return [_value_of_json(item, depth) for item in _objects(_object(value), "values")]


def _key_values(value: Json, depth: int) -> Json:
    return _attributes_of_json(_object(value), "values", depth)


def _integer(value: Json, _depth: int = 0) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(f"{_shown(value)} is no integer")
    return int(value)


def _boolean(value: Json, _depth: int) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{_shown(value)} is neither true nor false")
    return value


def _number(value: Json, _depth: int) -> Json:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(f"{_shown(value)} is no number")
    return _double(float(value))


_CAMEL_CASE_READERS: dict[str, Callable[[Json, int], Json]] = {
    "stringValue": lambda value, _: _text(value),
    "boolValue": _boolean,
    "intValue": _integer,
    "doubleValue": _number,
    "arrayValue": _array,
    "kvlistValue": _key_values,
    "bytesValue": lambda value, _: _text(value),
}
_VALUE_READERS = {
    **_CAMEL_CASE_READERS,
    **{name.replace("Value", "_value"): read for name, read in _CAMEL_CASE_READERS.items()},
}


# ---- Both --------------------------------------------------------------------------------------------


def _parent(span_id: str) -> str:
    # An id of zeros means "none", in OTLP as in OpenTelemetry's own types.
    return span_id if _SPAN_ID.fullmatch(span_id) else ""


def _kind(value: Json) -> str:
    if isinstance(value, str):
        name = value.removeprefix(_KIND_PREFIX).lower()
        return name if name in _KINDS else _KINDS[0]
    known = isinstance(value, int) and 0 <= value < len(_KINDS)
    return _KINDS[cast("int", value)] if known else _KINDS[0]


def _status_code(value: Json) -> int:
    if isinstance(value, str):
        return _STATUS_CODES.get(value, 0)
    return value if isinstance(value, int) else 0


def _double(value: float) -> Json:
    # JSON has no word for these; the SDK's own exporter writes them as text too.
    return value if math.isfinite(value) else str(value)


def _nanoseconds(value: Json) -> int:
    return max(0, min(_integer(value or 0), _MAX_NS))


def _either(holder: JsonObject, *names: str) -> Json:
    return next((holder[name] for name in names if holder.get(name) is not None), None)


def _object(value: Json) -> JsonObject:
    if not isinstance(value, dict):
        raise TypeError(f"{_shown(value)} stands where an object is expected")
    return value


def _objects(holder: JsonObject, *names: str) -> Sequence[JsonObject]:
    value = _either(holder, *names)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise TypeError(f"{names[0]} is no list")
    return [_object(item) for item in value]


def _text(value: Json) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"{_shown(value)} stands where text is expected")
    return value


def _shown(value: Json) -> str:
    # The kind alone: a value may be anything, and errors are no place for payloads.
    return type(value).__name__
