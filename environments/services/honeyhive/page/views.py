"""From events to what the page shows: texts, places in the tree, bars in time. Pure.

The tree is shown as a flat list of rows that know their depth: traces nest deeper than a browser's document may.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias, cast
from urllib.parse import quote

from environments.services.honeyhive.events import rollups
from environments.services.honeyhive.events.event import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from environments.services.honeyhive.storage.keys import Project
    from environments.services.honeyhive.storage.store import SessionSummary
    from environments.services.http.json_types import Json, JsonObject

# A bar's line is this wide; its units are the drawing's own, not pixels.
BAR_WIDTH = 1000
_MIN_BAR = 4
# Beyond this depth rows are no longer moved to the right; they say their level.
MAX_INDENT = 16
# A value longer than this is cut, and says so: one page shows hundreds of them.
MAX_TEXT = 20_000

_S, _MIN = 1000, 60_000
_SECTIONS = (
    ("inputs", "Inputs"),
    ("outputs", "Outputs"),
    ("config", "Config"),
    ("metrics", "Metrics"),
    ("feedback", "Feedback"),
    ("user_properties", "User properties"),
    ("metadata", "Metadata"),
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The project that is shown, and those that could be."""

    project: Project
    known: tuple[Project, ...]

    @property
    def named(self) -> str | None:
        """The name that links carry, where there is a choice."""
        return self.project.name if len(self.known) > 1 else None


@dataclass(frozen=True, slots=True)
class Pages:
    """Where in a long list a page stands. Without a next or previous page that is None."""

    number: int
    first: int
    last: int
    total: int
    previous: int | None
    next: int | None

    @classmethod
    def of(cls, number: int, size: int, total: int) -> Pages:
        """Cut `total` items into pages of `size`."""
        before = size * (number - 1)
        last = min(total, before + size)
        last_page = max(1, -(-total // size))
        return cls(
            number=number,
            first=min(before + 1, last),
            last=last,
            total=total,
            previous=min(number - 1, last_page) if number > 1 else None,
            next=number + 1 if number < last_page else None,
        )


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment for machines and for people."""

    iso: str
    text: str


@dataclass(frozen=True, slots=True)
class Listed:
    """A session in the list."""

    path: str
    session_id: str
    name: str
    source: str
    started: Moment
    events: int
    errors: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What stands above a session's tree."""

    path: str
    session_id: str
    name: str
    started: Moment
    facts: tuple[tuple[str, str], ...]
    errors: int


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat."""

    role: str
    text: str
    cut: int


@dataclass(frozen=True, slots=True)
class Value:
    """A value under its key: messages of a chat, or text. `cut` is how many characters are not shown."""

    key: str
    text: str = ""
    is_prose: bool = False
    cut: int = 0
    messages: tuple[Message, ...] = ()


Section: TypeAlias = tuple[str, tuple[Value, ...]]


@dataclass(frozen=True, slots=True)
class Row:
    """One event of the tree."""

    event_id: str
    depth: int
    name: str
    event_type: str
    error: str | None
    started: Moment
    duration: str
    # The bar: where in the session's time the event lies.
    start: float
    width: float
    sections: tuple[Section, ...]

    @property
    def indent(self) -> int:
        """How far to the right the row stands."""
        return min(self.depth, MAX_INDENT)


def listed(summary: SessionSummary) -> Listed:
    """Show a session in the list."""
    return Listed(
        path=path_of(summary.session_id),
        session_id=summary.session_id,
        name=summary.name or "(not started)",
        source=summary.source,
        started=moment(summary.start_ns / NS_PER_MS),
        events=summary.events,
        errors=summary.errors,
    )


def path_of(session_id: str) -> str:
    """Return the path of a session's page; an id may be any text."""
    return f"/sessions/{quote(session_id, safe='')}"


def overview(root: JsonObject, others: Sequence[JsonObject]) -> Overview:
    """Show what stands above a session's tree."""
    everything = (root, *others)
    begin, end = _span_of_time(everything)
    sums = cast("JsonObject", rollups.Rollup.of(others).on(root)["metadata"])
    errors = sum(bool(event["error"]) for event in everything)
    facts = [("Duration", duration(end - begin)), ("Events", f"{len(others):,}")]
    facts += [("Model calls", f"{sums['num_model_events']:,}")] if sums["num_model_events"] else []
    facts += [("Tokens", f"{sums['total_tokens']:,}")] if _is_positive(sums["total_tokens"]) else []
    facts += [("Cost", f"${sums['cost']:.4f}")] if _is_positive(sums["cost"]) else []
    facts += [("Errors", f"{errors:,}")] if errors else []
    session_id = str(root["event_id"])
    return Overview(
        path=path_of(session_id),
        session_id=session_id,
        name=str(root["event_name"]),
        started=moment(begin),
        facts=tuple(facts),
        errors=errors,
    )


def _is_positive(value: Json) -> bool:
    return isinstance(value, int | float) and value > 0


def rows(outline: Sequence[tuple[int, JsonObject]], first: int, end: int) -> tuple[Row, ...]:
    """Show a part of the outline of a session. The bars are drawn within the time of all of it."""
    begin, finish = _span_of_time([event for _, event in outline])
    whole = (finish - begin) or 1
    return tuple(_row(depth, event, begin, whole) for depth, event in outline[first:end])


def _row(depth: int, event: JsonObject, begin: float, whole: float) -> Row:
    started, ended = _times(event)
    start = BAR_WIDTH * (started - begin) / whole
    width = max(_MIN_BAR, BAR_WIDTH * (ended - started) / whole)
    return Row(
        event_id=str(event["event_id"]),
        depth=depth,
        name=str(event["event_name"]),
        event_type=str(event["event_type"]),
        error=cast("str | None", event["error"]),
        started=moment(started),
        duration=duration(cast("float", event["duration"])),
        start=round(min(start, BAR_WIDTH - _MIN_BAR), 2),
        width=round(min(width, BAR_WIDTH - min(start, BAR_WIDTH - _MIN_BAR)), 2),
        sections=tuple(
            (title, values(cast("JsonObject", event[bucket]))) for bucket, title in _SECTIONS if event[bucket]
        ),
    )


def _span_of_time(events: Sequence[JsonObject]) -> tuple[float, float]:
    times = [_times(event) for event in events]
    return min(start for start, _ in times), max(end for _, end in times)


def _times(event: JsonObject) -> tuple[float, float]:
    """Return start and end in milliseconds. Ends of spans are whole milliseconds, durations are finer."""
    start, end, lasted = (cast("float", event[name]) for name in ("start_time", "end_time", "duration"))
    return start, max(start, end, start + lasted)


# ---- Values ------------------------------------------------------------------------------------------


def values(bucket: JsonObject) -> tuple[Value, ...]:
    """Show what is in a bucket, each value under its key."""
    return tuple(_value(key, value) for key, value in bucket.items())


def _value(key: str, value: Json) -> Value:
    if isinstance(value, list) and value and all(_is_message(item) for item in value):
        return Value(key, messages=tuple(_message(cast("JsonObject", item)) for item in value))
    if isinstance(value, str):
        text, cut = _cut(value)
        return Value(key, text, is_prose=True, cut=cut)
    text, cut = _cut(json.dumps(value, ensure_ascii=False, indent=2))
    return Value(key, text, cut=cut)


def _is_message(value: Json) -> bool:
    """Whether this is all that a chat message says; one with tool calls is shown as the JSON it is."""
    return isinstance(value, dict) and value.keys() == {"role", "content"} and all(_texts(value))


def _texts(value: Mapping[str, Json]) -> list[bool]:
    return [isinstance(value[name], str) for name in ("role", "content")]


def _message(value: JsonObject) -> Message:
    text, cut = _cut(cast("str", value["content"]))
    return Message(cast("str", value["role"]), text, cut)


def _cut(text: str) -> tuple[str, int]:
    return text[:MAX_TEXT], max(0, len(text) - MAX_TEXT)


def moment(ms: float) -> Moment:
    """Tell a moment, in UTC."""
    at = datetime.fromtimestamp(ms / _S, tz=UTC)
    return Moment(at.isoformat(timespec="milliseconds"), f"{at:%Y-%m-%d %H:%M:%S}")


def duration(ms: float) -> str:
    """Tell a duration to three digits: `0.42 ms`, `12.3 ms`, `1.24 s`, `2 min 3 s`."""
    if ms >= _MIN:
        minutes, seconds = divmod(round(ms / _S), 60)
        return f"{minutes:,} min {seconds} s"
    number, unit = (ms, "ms") if ms < _S else (ms / _S, "s")
    digits = 0 if number in {0, 1000} or number >= 100 else 1 if number >= 10 else 2
    return f"{number:.{digits}f} {unit}"
