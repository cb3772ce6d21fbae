"""Trace requests in JSON, read leniently, because the SDK's dialect varies. Pure; the classes are the format.

Enums come by name or number; 64-bit integers as numbers (releases before 1.2) or text; ids in hex; names in
lowerCamelCase or snake_case. A request is read as what it should be, which is quick; if it is not quite that, its names
are put right and it is read again.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from environments.services.honeyhive.ingestion.nesting import unflattened
from environments.services.honeyhive.ingestion.spans import MAX_NS, STATUS_ERROR, Span, SpanEvent, parent_of
from environments.services.http import bodies
from environments.services.http.errors import bad_request
from environments.services.http.json_types import MAX_DEPTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias

    from environments.services.http.json_types import Json, JsonObject

Number: TypeAlias = "int | float | str | None"
_STATUS_CODES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": STATUS_ERROR}

# ---- The format --------------------------------------------------------------------------------------

# None of these is ever part of a cycle, so the garbage collector need not look at them.


class _Message(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    pass


class _Values(_Message):
    values: list[_Value] | None = None


class _Attributes(_Message):
    values: list[_Attribute] | None = None


class _Value(_Message):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: Number = None
    double_value: Number = None
    array_value: _Values | None = None
    kvlist_value: _Attributes | None = None
    bytes_value: str | None = None


class _Attribute(_Message):
    key: str | None = None
    value: _Value | None = None


class _Event(_Message):
    name: str | None = None
    time_unix_nano: Number = None
    attributes: list[_Attribute] | None = None
    dropped_attributes_count: Any = None


class _Status(_Message):
    code: Any = None
    message: str | None = None


class _Span(_Message):
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    name: str | None = None
    start_time_unix_nano: Number = None
    end_time_unix_nano: Number = None
    attributes: list[_Attribute] | None = None
    events: list[_Event] | None = None
    status: _Status | None = None
    # Not kept.
    kind: Any = None
    links: Any = None
    flags: Any = None
    trace_state: Any = None
    dropped_attributes_count: Any = None
    dropped_events_count: Any = None
    dropped_links_count: Any = None


class _Scope(_Message):
    name: str | None = None
    version: str | None = None
    attributes: Any = None
    dropped_attributes_count: Any = None


class _ScopeSpans(_Message):
    scope: _Scope | None = None
    spans: list[_Span] | None = None
    schema_url: Any = None


class _Resource(_Message):
    attributes: list[_Attribute] | None = None
    dropped_attributes_count: Any = None
    entity_refs: Any = None


class _ResourceSpans(_Message):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] | None = None
    schema_url: Any = None


class _Request(_Message):
    resource_spans: list[_ResourceSpans] | None = None


_DECODER = msgspec.json.Decoder(_Request)
# Every name in both spellings -> the one that is read.
_NAMES = {
    name: field.encode_name
    for kind in _Message.__subclasses__()
    for field in msgspec.structs.fields(kind)
    for name in (field.name, field.encode_name)
}

# ---- Reading it --------------------------------------------------------------------------------------


def decode(body: bytes) -> Iterator[Span]:
    """Read the spans of a request."""
    try:
        yield from _spans(_request(body))
    except (ValueError, OverflowError, RecursionError) as error:
        raise bad_request(f"the body is not an OTLP trace request in JSON: {error}") from None


def _request(body: bytes) -> _Request:
    try:
        return _DECODER.decode(body)
    except msgspec.DecodeError:
        # Only attribute values nest, and those are bounded below.
        return msgspec.convert(_with_names_right(bodies.parse(body, depth_checked_later=True)), _Request)


def _with_names_right(value: Json) -> Json:
    """Spell names as they are read, and leave out what no name is known for: clients may be newer than this."""
    if isinstance(value, dict):
        return {_NAMES[name]: _with_names_right(inner) for name, inner in value.items() if name in _NAMES}
    return [_with_names_right(inner) for inner in value] if isinstance(value, list) else value


def _spans(request: _Request) -> Iterator[Span]:
    for group in request.resource_spans or ():
        resource = unflattened(_attributes(group.resource.attributes)) if group.resource else {}
        for scoped in group.scope_spans or ():
            scope = scoped.scope or _Scope()
            for span in scoped.spans or ():
                yield _span(span, scope.name or "", scope.version or "", resource)


def _span(span: _Span, scope_name: str, scope_version: str, resource: JsonObject) -> Span:
    status = span.status or _Status()
    start_ns = _nanoseconds(span.start_time_unix_nano)
    return Span(
        trace_id=(span.trace_id or "").lower(),
        span_id=(span.span_id or "").lower(),
        parent_span_id=parent_of((span.parent_span_id or "").lower()),
        name=span.name or "",
        start_ns=start_ns,
        end_ns=max(start_ns, _nanoseconds(span.end_time_unix_nano)),
        attributes=_attributes(span.attributes),
        events=tuple(
            SpanEvent(event.name or "", _nanoseconds(event.time_unix_nano), _attributes(event.attributes))
            for event in span.events or ()
        ),
        status_code=_status_code(status.code),
        status_message=status.message or "",
        scope_name=scope_name,
        scope_version=scope_version,
        resource=resource,
    )


def _attributes(pairs: Sequence[_Attribute] | None, depth: int = 0) -> JsonObject:
    found: dict[str, Json] = {}
    for pair in pairs or ():
        holder = pair.value
        if holder is None:
            continue
        text = holder.string_value  # nearly all are text
        value = _value(holder, depth) if text is None else text
        if value is not None:
            found[pair.key or ""] = value
    return found


def _value(value: _Value, depth: int) -> Json:
    if depth > MAX_DEPTH // 4:  # each level of a value is up to three levels of JSON
        raise ValueError("an attribute value is nested too deeply")
    if value.int_value is not None:
        return int(value.int_value)
    if value.double_value is not None:
        number = float(value.double_value)
        # JSON has no word for the others; the SDK's own exporter writes them as text too.
        return number if math.isfinite(number) else str(number)
    if value.array_value is not None:
        return [_value(item, depth + 1) for item in value.array_value.values or ()]
    if value.kvlist_value is not None:
        return _attributes(value.kvlist_value.values, depth + 1)
    return next((held for held in (value.string_value, value.bool_value, value.bytes_value) if held is not None), None)


def _status_code(value: Json) -> int:
    if isinstance(value, str):
        return _STATUS_CODES.get(value, 0)
    return value if isinstance(value, int) else 0


def _nanoseconds(value: Number) -> int:
    return max(0, min(int(value or 0), MAX_NS))
