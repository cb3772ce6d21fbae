"""Trace requests in protobuf, which is OpenTelemetry's own. Pure."""

from __future__ import annotations

import base64
import math
from typing import TYPE_CHECKING, cast

from environments.services.honeyhive.ingestion.nesting import unflattened
from environments.services.honeyhive.ingestion.spans import MAX_NS, Span, SpanEvent, parent_of
from environments.services.http.errors import bad_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan

    from environments.services.http.json_types import Json, JsonObject


def decode(body: bytes) -> Iterator[Span]:
    """Read the spans of a request."""
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        raise bad_request("the body is not an OTLP trace request in protobuf") from None
    for group in request.resource_spans:
        resource = unflattened(_attributes(group.resource.attributes))
        for scoped in group.scope_spans:
            scope_name, scope_version = scoped.scope.name, scoped.scope.version
            for span in scoped.spans:
                yield _span(span, scope_name, scope_version, resource)


def encode_response(rejected: int, message: str) -> bytes:
    """Write the answer to a request that was applied."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

    response = ExportTraceServiceResponse()
    if rejected:
        response.partial_success.rejected_spans = rejected
        response.partial_success.error_message = message
    return response.SerializeToString()


def _span(span: WireSpan, scope_name: str, scope_version: str, resource: JsonObject) -> Span:
    start_ns = min(span.start_time_unix_nano, MAX_NS)
    status = span.status
    return Span(
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_span_id=parent_of(span.parent_span_id.hex()),
        name=span.name,
        start_ns=start_ns,
        end_ns=max(start_ns, min(span.end_time_unix_nano, MAX_NS)),
        attributes=_attributes(span.attributes),
        events=tuple(
            SpanEvent(event.name, event.time_unix_nano, _attributes(event.attributes)) for event in span.events
        ),
        status_code=status.code,
        status_message=status.message,
        scope_name=scope_name,
        scope_version=scope_version,
        resource=resource,
    )


def _attributes(pairs: Iterable[KeyValue]) -> JsonObject:
    found: dict[str, Json] = {}
    for pair in pairs:
        holder = pair.value
        value = holder.string_value or _value(holder)  # nearly all are text, and asking for that alone is quick
        if value is not None:
            found[pair.key] = value
    return found


def _value(value: AnyValue) -> Json:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    if kind == "double_value":
        # JSON has no word for the others; the SDK's own exporter writes them as text too.
        return value.double_value if math.isfinite(value.double_value) else str(value.double_value)
    return cast("Json", getattr(value, kind)) if kind else None
