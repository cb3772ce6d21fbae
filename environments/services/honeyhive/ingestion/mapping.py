"""From a span to an event, as HoneyHive's ingestion does it. Pure; the rules are the tables at the top.

What is known: the attribute names (the public attribute registry and the SDK's wire), the GenAI operations (the SDK
carries a copy of the server's table), the OpenInference kinds (the SDK's table), that a session is created for
`honeyhive.session_auto_create`. Inferred: attributes of no bucket go under `metadata`, nested by their dots; JSON text
in inputs, outputs and config is read back into what it was before an attribute had to be text; the resource and the
span's events are kept in the metadata. What other conventions mean is in `conventions`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import uuid
from typing import TYPE_CHECKING, NamedTuple

from environments.services.honeyhive.events.event import BUCKETS, EVENT_TYPES, NS_PER_MS, UNKNOWN, Event, session_of
from environments.services.honeyhive.ingestion import conventions
from environments.services.honeyhive.ingestion.nesting import read_back, unflattened
from environments.services.honeyhive.ingestion.spans import STATUS_ERROR, Span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from environments.services.http.json_types import Json, JsonObject

# ---- The rules ---------------------------------------------------------------------------------------

# A field of the event <- the attributes that set it, first non-empty wins.
_SESSION_ID = ("honeyhive.session_id", "traceloop.association.properties.session_id")
_EVENT_ID = ("honeyhive_event_id", "honeyhive.event_id")
_PARENT_ID = ("honeyhive.parent_id",)
_EVENT_NAME = ("honeyhive_event_name", "honeyhive.event_name")
_SOURCE = ("honeyhive_source", "honeyhive.source", "traceloop.association.properties.source")
_ERROR = ("honeyhive_error", "honeyhive.error")
_DURATION = ("honeyhive.duration",)
_PROJECT = ("honeyhive.project", "honeyhive_project", "traceloop.association.properties.project")
_AUTO_CREATE = "honeyhive.session_auto_create"
_SESSION_NAME = "honeyhive.session_name"

# The same attribute in two spellings: the SDK writes the first, the public registry documents the second.
_BUCKET_PREFIXES = {
    **{f"honeyhive_{bucket}": bucket for bucket in BUCKETS},
    **{f"honeyhive.{bucket}": bucket for bucket in BUCKETS},
    "honeyhive_span_config": "config",
}
_JSON_TEXT_BUCKETS = frozenset({"inputs", "outputs", "config"})
_OTHERS = "metadata"
# Traceloop's way to tag every span of a request.
_ASSOCIATION = "traceloop.association.properties."
# A bucket is an object; what is set on the bucket itself, without a key, goes under this one.
_UNKEYED = "value"

_EVENT_TYPE_RULES: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("honeyhive_event_type", {name: name for name in EVENT_TYPES}),
    ("honeyhive.event_type", {name: name for name in EVENT_TYPES}),
    (
        "openinference.span.kind",
        {
            "llm": "model",
            "chain": "chain",
            "agent": "chain",
            "tool": "tool",
            "retriever": "tool",
            "embedding": "tool",
            "reranker": "tool",
            "guardrail": "tool",
        },
    ),
    (
        "gen_ai.operation.name",
        {
            "chat": "model",
            "text_completion": "model",
            "generate_content": "model",
            "embeddings": "model",
            "invoke_agent": "chain",
            "create_agent": "chain",
            "invoke_workflow": "chain",
            "execute_tool": "tool",
            "retrieval": "tool",
        },
    ),
    ("traceloop.span.kind", {"workflow": "chain", "agent": "chain", "task": "chain", "tool": "tool"}),
    ("llm.request.type", {"chat": "model", "completion": "model", "embedding": "model", "rerank": "tool"}),
)
_DEFAULT_EVENT_TYPE = "tool"

# Attributes that are fully told by a field of the event. `honeyhive_event_type` is not among them: HoneyHive keeps a
# copy of it in the metadata.
_CONSUMED = frozenset(
    {
        *(_SESSION_ID + _EVENT_ID + _PARENT_ID + _EVENT_NAME + _SOURCE + _ERROR + _DURATION + _PROJECT),
        *(_AUTO_CREATE, _SESSION_NAME, "honeyhive.event_type"),
    }
)

_NAMESPACE = uuid.UUID("0b6f1f1c-5f5b-5d1e-8f0a-9f4f0f8a7d10")

# ---- The mapping -------------------------------------------------------------------------------------


class Mapped(NamedTuple):
    """What one span comes to."""

    event: Event
    span_id: str
    # The id that children of this span know it by, where the span chose another for its event.
    alias: str | None
    # The session to create unless it exists, where the span asks for it.
    session: Event | None


def mapped(span: Span) -> Mapped:
    """Map a span."""
    attributes = span.attributes
    derived_id = event_id_of(span.trace_id, span.span_id)
    event_id = _first(attributes, _EVENT_ID) or derived_id
    named_session = _first(attributes, _SESSION_ID)
    # Without a session of its own a trace is a session: plain OpenTelemetry exporters know of none.
    session_id = named_session or str(uuid.UUID(hex=span.trace_id))
    source = _first(attributes, _SOURCE) or UNKNOWN
    start_time, end_time = span.start_ns // NS_PER_MS, span.end_ns // NS_PER_MS
    event = Event(
        event_id=event_id,
        session_id=session_id,
        parent_id=_parent_id(span, session_id),
        event_type=event_type(attributes),
        event_name=_first(attributes, _EVENT_NAME) or span.name or UNKNOWN,
        source=source,
        start_time=start_time,
        end_time=end_time,
        duration=_duration(span),
        start_ns=span.start_ns,
        error=_error(span),
        **_buckets(span),  # type: ignore[arg-type]  # names of fields
    )
    wants_session = named_session is None or attributes.get(_AUTO_CREATE) is True
    session = None
    if wants_session:
        session = session_of(session_id, _first(attributes, (_SESSION_NAME,)) or "", source, span.start_ns)
    return Mapped(event, span.span_id, derived_id if event_id != derived_id else None, session)


@functools.lru_cache(10_000)  # asked again for each child
def event_id_of(trace_id: str, span_id: str) -> str:
    """Return the event id of a span: always the same, so that a span that arrives twice is one event.

    The ids of one trace begin alike, so that a batch is written to one place of the index rather than all over it.
    """
    rest = hashlib.sha256(f"{trace_id}:{span_id}".encode()).hexdigest()
    return f"{_beginning(trace_id)}-8{rest[:3]}-a{rest[3:6]}-{rest[6:18]}"


@functools.lru_cache(1_000)
def _beginning(trace_id: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, trace_id))[:13]


def event_type(attributes: JsonObject) -> str:
    """Decide the type of an event."""
    for name, types in _EVENT_TYPE_RULES:
        value = attributes.get(name)
        if isinstance(value, str) and value.lower() in types:
            return types[value.lower()]
    return _DEFAULT_EVENT_TYPE


def _parent_id(span: Span, session_id: str) -> str:
    if explicit := _first(span.attributes, _PARENT_ID):
        return explicit
    return event_id_of(span.trace_id, span.parent_span_id) if span.parent_span_id else session_id


def _duration(span: Span) -> float:
    explicit = span.attributes.get(_DURATION[0])
    if isinstance(explicit, int | float) and not isinstance(explicit, bool):
        return explicit
    return (span.end_ns - span.start_ns) / NS_PER_MS


def _error(span: Span) -> str | None:
    if explicit := _first(span.attributes, _ERROR):
        return explicit
    if span.status_code != STATUS_ERROR:
        return None
    recorded = (_as_text(event.attributes.get("exception.message")) for event in reversed(span.events))
    return span.status_message or next(filter(None, recorded), None) or "error"


def _first(attributes: JsonObject, names: tuple[str, ...]) -> str | None:
    for name in names:
        if name in attributes and (text := _as_text(attributes[name])):
            return text
    return None


def _as_text(value: Json) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# ---- Buckets -----------------------------------------------------------------------------------------


def _buckets(span: Span) -> dict[str, JsonObject]:
    normal = conventions.normalised(span.attributes, span.events, span.scope_name)
    flat: dict[str, dict[str, Json]] = {bucket: {} for bucket in BUCKETS}
    for name, value in span.attributes.items():
        place = _place(name)
        if place is not None and (normal is None or not normal.tells(name)):
            bucket, key = place
            flat[bucket][key] = read_back(value) if bucket in _JSON_TEXT_BUCKETS else value
    nested: dict[str, JsonObject] = {bucket: unflattened(held) if held else held for bucket, held in flat.items()}
    if normal is not None:  # what a HoneyHive attribute says is laid over what other conventions come to
        nested |= {bucket: {**told, **nested[bucket]} for bucket, told in normal.buckets.items()}
    nested[_OTHERS] = {**nested[_OTHERS], **_lineage(span)}
    return nested


@functools.lru_cache(10_000)  # clients use the same few names
def _place(name: str) -> tuple[str, str] | None:
    """Return the bucket an attribute belongs to, and its key there; None where a field of the event tells it."""
    if name in _CONSUMED:
        return None
    # `honeyhive.inputs.a` has its bucket before the second dot, `honeyhive_inputs.a` before the first.
    for parts in (1, 2):
        pieces = name.split(".", parts)
        prefix = ".".join(pieces[:parts])
        if prefix in _BUCKET_PREFIXES:
            return _BUCKET_PREFIXES[prefix], pieces[parts] if len(pieces) > parts else _UNKEYED
    return _OTHERS, name.removeprefix(_ASSOCIATION)


def _lineage(span: Span) -> JsonObject:
    told: dict[str, Json] = {
        "has_otlp_lineage": True,
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "scope": {"name": span.scope_name, "version": span.scope_version},
    }
    if span.resource:
        told["resource"] = span.resource
    happened: list[Json] = [
        {"name": event.name, "time": event.time_ns / NS_PER_MS, "attributes": event.attributes}
        for event in span.events
        if event.name not in conventions.CONSUMED_EVENTS
    ]
    if happened:
        told["span_events"] = happened
    return told
