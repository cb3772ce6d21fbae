"""The requests that the load sends: traces as an SDK writes them, in JSON and in protobuf. Pure.

A request is a template: its trace id and session id are bytes that occur nowhere else and are replaced, request by
request, so that no span is sent twice and the load spends its time on sockets.
"""

from __future__ import annotations

import base64
import json
import uuid
from dataclasses import asdict, dataclass

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

JSON = "application/json"
PROTOBUF = "application/x-protobuf"

_TRACE = bytes.fromhex("f1" * 16)
_SESSION = "ffffffff-aaaa-4bbb-8ccc-dddddddddddd"
_START_NS = 1_795_339_883_064_233_729
_TEXT = "The quick brown fox jumps over the lazy dog, and the dog does not mind. " * 3

# What a traced call carries, in the names that the SDK writes.
_ATTRIBUTES: dict[str, str | int | float] = {
    "honeyhive.session_id": _SESSION,
    "honeyhive.project": "bench",
    "honeyhive.source": "bench",
    "honeyhive_event_type": "model",
    "honeyhive_event_name": "bench.answer",
    "honeyhive_inputs.question": _TEXT,
    "honeyhive_inputs.chat_history": json.dumps([{"role": "user", "content": _TEXT}]),
    "honeyhive_outputs.result": _TEXT,
    "honeyhive_config.model": "deterministic",
    "honeyhive_config.temperature": 0.2,
    "honeyhive_metadata.prompt_tokens": 120,
    "honeyhive_metadata.completion_tokens": 48,
    "honeyhive_metrics.faithfulness": 0.93,
}
_RESOURCE = {"service.name": "bench", "telemetry.sdk.language": "python", "telemetry.sdk.version": "1.45.0"}


@dataclass(frozen=True, slots=True)
class Template:
    """A request with places for what makes each one new."""

    path: str
    media_type: str
    body: bytes
    trace: bytes = b""
    session: bytes = b""

    def fresh(self) -> bytes:
        """Return a body that was never sent before."""
        body = self.body
        if self.trace:
            new = uuid.uuid4()
            body = body.replace(self.trace, new.bytes if len(self.trace) == len(_TRACE) else new.hex.encode())
        return body.replace(self.session, str(uuid.uuid4()).encode()) if self.session else body

    def to_json(self) -> dict[str, str]:
        """Write for another process."""
        return {
            name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
            for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, written: dict[str, str]) -> Template:
        """Read what `to_json` wrote."""
        body, trace, session = (base64.b64decode(written[name]) for name in ("body", "trace", "session"))
        return cls(written["path"], written["media_type"], body, trace, session)


def traces(media_type: str, spans: int) -> Template:
    """Return requests of so many spans, each a trace and a session of its own."""
    path = "/opentelemetry/v1/traces"
    if media_type == JSON:
        return Template(path, JSON, json.dumps(_in_json(spans)).encode(), _TRACE.hex().encode(), _SESSION.encode())
    return Template(path, PROTOBUF, _in_protobuf(spans), _TRACE, _SESSION.encode())


def session_start() -> Template:
    """Return requests that start a session each."""
    session = {"session_id": _SESSION, "session_name": "bench", "project": "bench", "source": "bench"}
    body = {"session": {**session, "inputs": {"question": _TEXT}, "metadata": {"run": 1}}}
    return Template("/session/start", JSON, json.dumps(body).encode(), session=_SESSION.encode())


def export(session_id: str, limit: int, page: int) -> Template:
    """Return requests for a page of a session's events."""
    by_session = {"field": "session_id", "operator": "is", "value": session_id, "type": "string"}
    body = {"project": "bench", "filters": [by_session], "limit": limit, "page": page}
    return Template("/v1/events/export", JSON, json.dumps(body).encode())


def in_session(template: Template, session_id: str) -> Template:
    """Return the same requests, all in one session."""
    body = template.body.replace(template.session, session_id.encode())
    return Template(template.path, template.media_type, body, template.trace)


def _span_id(index: int) -> bytes:
    return (index + 1).to_bytes(8, "big")


def _in_json(spans: int) -> object:
    def pairs(values: dict[str, str | int | float] | dict[str, str]) -> list[object]:
        return [{"key": key, "value": _value(value)} for key, value in values.items()]

    written = [
        {
            "traceId": _TRACE.hex(),
            "spanId": _span_id(index).hex(),
            "parentSpanId": _span_id(index // 4).hex() if index else None,
            "name": "bench.answer",
            "kind": "SPAN_KIND_INTERNAL",
            "startTimeUnixNano": str(_START_NS + index),
            "endTimeUnixNano": str(_START_NS + index + 1_500_000),
            "attributes": pairs(_ATTRIBUTES),
            "events": [],
            "status": {"code": "STATUS_CODE_OK"},
        }
        for index in range(spans)
    ]
    scoped = [{"scope": {"name": "bench", "version": "1"}, "spans": written}]
    return {"resourceSpans": [{"resource": {"attributes": pairs(_RESOURCE)}, "scopeSpans": scoped}]}


def _value(value: str | float) -> dict[str, object]:
    if isinstance(value, str):
        return {"stringValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"doubleValue": value}


def _in_protobuf(spans: int) -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    for key, text in _RESOURCE.items():
        group.resource.attributes.add(key=key).value.string_value = text
    scoped = group.scope_spans.add()
    scoped.scope.name, scoped.scope.version = "bench", "1"
    for index in range(spans):
        span = scoped.spans.add(
            trace_id=_TRACE,
            span_id=_span_id(index),
            parent_span_id=_span_id(index // 4) if index else b"",
            name="bench.answer",
            kind=1,
            start_time_unix_nano=_START_NS + index,
            end_time_unix_nano=_START_NS + index + 1_500_000,
        )
        span.status.code = Status.STATUS_CODE_OK
        for key, value in _ATTRIBUTES.items():
            kind = {str: "string_value", int: "int_value", float: "double_value"}[type(value)]
            setattr(span.attributes.add(key=key).value, kind, value)
    return request.SerializeToString()
