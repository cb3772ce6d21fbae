"""An event: the one kind of thing this service stores. A session is an event of type `session`. Pure.

Reads what clients send (`created`, `session_started`, `updated`), and writes what they get (`document`).
Inferred rather than known: an update merges objects key by key, and a session started twice is one session.
"""

from __future__ import annotations

import dataclasses
import functools
import operator
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from environments.services.http import bodies
from environments.services.http.errors import bad_request

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from environments.services.honeyhive.storage.keys import Project
    from environments.services.http.json_types import Json, JsonObject

EVENT_TYPES = frozenset({"session", "model", "chain", "tool"})
SESSION = "session"
UNKNOWN = "unknown"

BUCKETS = ("config", "inputs", "outputs", "metadata", "metrics", "feedback", "user_properties")
UPDATABLE_BUCKETS = tuple(bucket for bucket in BUCKETS if bucket != "inputs")

NS_PER_MS = 1_000_000
MAX_ID = 256
MAX_MS = (2**63 - 1) // NS_PER_MS
_NOTHING: JsonObject = {}


@dataclass(frozen=True, slots=True)
class Event:
    """One event. Times are milliseconds since 1970; `start_ns` keeps siblings of one millisecond in order."""

    event_id: str
    session_id: str
    parent_id: str | None
    event_type: str
    event_name: str
    source: str
    start_time: float
    end_time: float
    duration: float
    start_ns: int
    error: str | None = None
    children_ids: tuple[str, ...] = ()
    config: JsonObject = field(default_factory=dict)
    inputs: JsonObject = field(default_factory=dict)
    outputs: JsonObject = field(default_factory=dict)
    metadata: JsonObject = field(default_factory=dict)
    metrics: JsonObject = field(default_factory=dict)
    feedback: JsonObject = field(default_factory=dict)
    user_properties: JsonObject = field(default_factory=dict)
    # What a client sent beyond all this: kept, and given back.
    extras: JsonObject = field(default_factory=dict)

    def document(self, project: Project) -> dict[str, Json]:
        """Write the event as clients get it."""
        known: dict[str, Json] = dict(zip(_FIELDS, _READ_FIELDS(self), strict=True))
        known["children_ids"] = list(self.children_ids)
        return {**self.extras, **known, **tenant(project)}

    @classmethod
    def from_document(cls, document: JsonObject, start_ns: int) -> Event:
        """Read back what `document` wrote."""
        known = {name: document[name] for name in _FIELDS}
        extras = {name: value for name, value in document.items() if name not in _FIELDS and name not in _TENANT}
        known["children_ids"] = tuple(cast("list[str]", document["children_ids"]))
        return cls(**known, start_ns=start_ns, extras=extras)  # type: ignore[arg-type]  # as `document` wrote them

    def merged(self, values: Mapping[str, JsonObject]) -> Event:
        """Return the event with the keys of these buckets laid over its own."""
        laid_over = {name: {**getattr(self, name), **value} for name, value in values.items()}
        return dataclasses.replace(self, **laid_over)  # type: ignore[arg-type]  # bucket names, bucket values


_FIELDS = tuple(f.name for f in dataclasses.fields(Event) if f.name not in {"start_ns", "extras"})
_READ_FIELDS = operator.attrgetter(*_FIELDS)
_TENANT = ("project", "project_id", "org_id", "workspace_id")


@functools.lru_cache(1_000)  # asked for each event
def tenant(project: Project) -> JsonObject:
    """Return the keys that say whose a document is."""
    return dict(zip(_TENANT, (project.name, project.id, project.org_id, project.workspace_id), strict=True))


# ---- What clients send -------------------------------------------------------------------------------


def created(sent: JsonObject, now_ns: int) -> Event:
    """Read an event to create."""
    event_type = _text(sent, "event_type")
    if event_type not in EVENT_TYPES:
        wanted = ", ".join(sorted(EVENT_TYPES))
        raise bad_request(f"event_type is required and must be one of {wanted}")
    if sent.get("inputs") is None:
        raise bad_request("inputs is required and must be an object")
    event_id = _identifier(sent, "event_id") or str(uuid.uuid4())
    is_session = event_type == SESSION
    session_id = _identifier(sent, "session_id") or (event_id if is_session else str(uuid.uuid4()))
    parent_id = _identifier(sent, "parent_id") or (None if is_session else session_id)
    return _event(sent, event_id, session_id, parent_id, event_type, now_ns)


def session_started(sent: JsonObject, now_ns: int) -> Event:
    """Read a session to start. Its event has the session's own id: that is what the SDK updates it by."""
    session_id = _identifier(sent, "session_id") or str(uuid.uuid4())
    named = {**sent, "event_name": _text(sent, "session_name") or _text(sent, "event_name")}
    return _event(named, session_id, session_id, None, SESSION, now_ns)


def session_of(session_id: str, name: str, source: str, start_ns: int) -> Event:
    """Make the event of a session that nobody started."""
    start = start_ns // NS_PER_MS
    return Event(session_id, session_id, None, SESSION, name or UNKNOWN, source or UNKNOWN, start, start, 0, start_ns)


def started_again(event: Event, sent: JsonObject, now_ns: int) -> Event:
    """Lay a second start of the same session over the first, which keeps its time."""
    again = session_started(sent, now_ns)
    merged = event.merged({bucket: getattr(again, bucket) for bucket in BUCKETS})
    return dataclasses.replace(
        merged,
        event_name=again.event_name if again.event_name != UNKNOWN else event.event_name,
        source=again.source if again.source != UNKNOWN else event.source,
        extras={**event.extras, **again.extras},
    )


def updated(event: Event, sent: JsonObject) -> Event:
    """Apply an update. Like HoneyHive's, it knows nothing of inputs, error or names."""
    changed = event.merged({name: _bucket(sent, name) for name in UPDATABLE_BUCKETS if sent.get(name) is not None})
    end_time, duration = _milliseconds(sent, "end_time"), _milliseconds(sent, "duration")
    if end_time is not None or duration is not None:
        end_time, duration = _completed(event.start_time, end_time, duration)
        changed = dataclasses.replace(changed, end_time=end_time, duration=duration)
    if sent.get("children_ids") is not None:
        changed = dataclasses.replace(changed, children_ids=_children_ids(sent))
    return changed


def laid_over(event: Event, other: Event) -> Event:
    """Lay an event over another of the same id: what it says wins, what it doesn't say stays."""
    merged = event.merged({bucket: getattr(other, bucket) for bucket in BUCKETS})
    return dataclasses.replace(merged, error=other.error or event.error)


def unwrapped(sent: JsonObject, name: str) -> JsonObject:
    """Return the object under `name`: an object as the SDK sends it, or JSON text as the public API documents it."""
    value = sent.get(name)
    if isinstance(value, str):
        value = bodies.parse(value.encode())
    if not isinstance(value, dict):
        raise bad_request(f"{name} is required and must be an object")
    return cast("JsonObject", value)


def objects(sent: JsonObject, name: str) -> Iterable[JsonObject]:
    """Return the list of objects under `name`."""
    value = sent.get(name)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise bad_request(f"{name} is required and must be a list of objects")
    return cast("list[JsonObject]", value)


_NOT_EXTRAS = frozenset({*_FIELDS, *_TENANT, "session_name"})


def _event(
    sent: JsonObject, event_id: str, session_id: str, parent_id: str | None, event_type: str, now_ns: int
) -> Event:
    start_time, end_time, duration = _times(sent, now_ns)
    exact = sent.get("start_time") is None and start_time == now_ns // NS_PER_MS
    return Event(
        event_id=event_id,
        session_id=session_id,
        parent_id=parent_id,
        event_type=event_type,
        event_name=_text(sent, "event_name") or UNKNOWN,
        source=_text(sent, "source") or UNKNOWN,
        start_time=start_time,
        end_time=end_time,
        duration=duration,
        start_ns=now_ns if exact else int(start_time * NS_PER_MS),
        error=_text(sent, "error") or None,
        children_ids=_children_ids(sent),
        extras={name: value for name, value in sent.items() if name not in _NOT_EXTRAS},
        **{bucket: _bucket(sent, bucket) for bucket in BUCKETS},
    )


def _times(sent: JsonObject, now_ns: int) -> tuple[float, float, float]:
    start, end, duration = (_milliseconds(sent, name) for name in ("start_time", "end_time", "duration"))
    if start is None:
        start = max(0, end - (duration or 0)) if end is not None else now_ns // NS_PER_MS
    return (start, *_completed(start, end, duration))


def _completed(start: float, end: float | None, duration: float | None) -> tuple[float, float]:
    if end is None:
        end = start + (duration or 0)
    return end, duration if duration is not None else max(0, end - start)


def _text(sent: JsonObject, name: str) -> str:
    value = sent.get(name)
    if value is not None and not isinstance(value, str):
        raise bad_request(f"{name} must be text")
    return value or ""


def _identifier(sent: JsonObject, name: str) -> str | None:
    value = _text(sent, name)
    if len(value) > MAX_ID:
        raise bad_request(f"{name} is longer than {MAX_ID} characters")
    return value or None


def _milliseconds(sent: JsonObject, name: str) -> float | None:
    value = sent.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad_request(f"{name} must be a number, in milliseconds")
    if not 0 <= value <= MAX_MS:
        raise bad_request(f"{name} is out of range")
    return value


def _bucket(sent: JsonObject, name: str) -> JsonObject:
    value = sent.get(name)
    if value is None:
        return _NOTHING
    if not isinstance(value, dict):
        raise bad_request(f"{name} must be an object")
    return cast("JsonObject", value)


def _children_ids(sent: JsonObject) -> tuple[str, ...]:
    value = sent.get("children_ids")
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise bad_request("children_ids must be a list of texts")
    return tuple(cast("list[str]", value))
