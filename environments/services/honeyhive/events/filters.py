"""Filters, date ranges and pages of events, into parameterised SQL. Pure.

The four types and their operators are the public API's. Combinations that it does not list have their plain meaning
(`greater than` on text compares text). Inferred: text compares with case; an event without the field matches `is not`
and `not contains`; a date range that is one moment begins there.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from environments.services.honeyhive.events import fields
from environments.services.honeyhive.events.event import NS_PER_MS
from environments.services.http.errors import bad_request
from environments.services.http.json_types import Json, JsonObject, dump

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

DEFAULT_LIMIT = 1000
MAX_LIMIT = 7500
_MAX_PAGE = 10**9
MAX_FILTERS = 100  # SQLite bounds how deep an expression may be
FIELD = r'^[^".\x00]{1,256}(\.[^".\x00]{1,256}){0,31}$'

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Condition:
    """A piece of a WHERE clause and its named parameters."""

    sql: str
    parameters: Mapping[str, str | float | None]


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of the matches is wanted."""

    limit: int
    number: int

    @property
    def offset(self) -> int:
        """How many matches come before this page."""
        return self.limit * (self.number - 1)


def condition(filters: Json, date_range: Json) -> Condition:
    """Build the condition that an event must meet to match all filters and the date range."""
    if filters is None:
        filters = []
    if not isinstance(filters, list) or len(filters) > MAX_FILTERS:
        raise bad_request(f"filters must be a list of at most {MAX_FILTERS} filters")
    pieces = [_of_filter(each, f"f{index}") for index, each in enumerate(filters)]
    pieces += _of_date_range(date_range)
    parameters = {name: value for piece in pieces for name, value in piece.parameters.items()}
    return Condition(" AND ".join(f"({piece.sql})" for piece in pieces) or "1", parameters)


def of_run(run_id: str, name: str = "run") -> Condition:
    """Build the condition that an event belongs to an evaluation run: its metadata names the run."""
    return Condition(f"run_id = :{name}", {name: run_id})


def of_any_run() -> Condition:
    """Build the condition that an event belongs to some run."""
    return Condition("run_id IS NOT NULL", {})


def both(one: Condition, other: Condition) -> Condition:
    """Build the condition that both hold. Their parameters must have different names."""
    return Condition(f"({one.sql}) AND ({other.sql})", {**one.parameters, **other.parameters})


def of_run_or_sessions(run_id: str, session_ids: Sequence[str]) -> Condition:
    """Build the condition that an event belongs to a run, or to one of the sessions that the run names."""
    return Condition(_found_by("run_id = :run", _IN_SESSIONS), {"run": run_id, "sessions": dump(session_ids)})


def of_events(event_ids: Sequence[str]) -> Condition:
    """Build the condition that an event is one of these."""
    return Condition(_found_by("event_id IN (SELECT value FROM json_each(:ids))"), {"ids": dump(event_ids)})


def of_sessions(session_ids: Sequence[str]) -> Condition:
    """Build the condition that an event belongs to one of these sessions."""
    return Condition(_found_by(_IN_SESSIONS), {"sessions": dump(session_ids)})


_IN_SESSIONS = "session_id IN (SELECT value FROM json_each(:sessions))"


def _found_by(*ways: str) -> str:
    """Look events up in one index after the other. For an OR, SQLite would read every event of the project."""
    found = " UNION ALL ".join(f"SELECT seq FROM events WHERE project_id = :project AND {way}" for way in ways)  # noqa: S608
    return f"seq IN ({found})"


def page(limit: Json, number: Json) -> Page:
    """Read `limit` and `page`. A limit above the documented maximum gets the maximum: `totalEvents` tells the rest."""
    wanted = _whole(limit, "limit", DEFAULT_LIMIT)
    return Page(min(wanted, MAX_LIMIT), min(_whole(number, "page", 1), _MAX_PAGE))


def projection(wanted: Json) -> Callable[[JsonObject], JsonObject] | None:
    """Return what reduces a document to the fields that are wanted; None for all of it."""
    if wanted is None:
        return None
    if not isinstance(wanted, list) or not all(isinstance(name, str) for name in wanted):
        raise bad_request("projections must be a list of field names")
    paths = [name.split(".") for name in cast("list[str]", wanted)]
    return lambda document: _projected(document, paths)


# ---- Values ------------------------------------------------------------------------------------------


def _string(value: Json) -> str:
    return value if isinstance(value, str) else dump(value)


def _number(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError("a number is expected")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a finite number is expected")
    return number


def _boolean(value: Json) -> int:
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return int(value.lower() == "true")
    if not isinstance(value, bool):
        raise TypeError("true or false is expected")
    return int(value)


def milliseconds(value: Json) -> float:
    """Read a moment: milliseconds since 1970, or ISO 8601, in UTC where it names no zone."""
    if not isinstance(value, str):
        return _number(value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return _number(value)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) / timedelta(milliseconds=1)


_VALUES: Mapping[str, Callable[[Json], str | float]] = {
    "string": _string,
    "number": _number,
    "boolean": _boolean,
    "datetime": milliseconds,
}

TYPES = tuple(_VALUES)

# {0} is the field, {1} the value.
OPERATORS = {
    "is": "{0} IS {1}",
    "is not": "{0} IS NOT {1}",
    "contains": "instr({0}, {1}) > 0",
    "not contains": "coalesce(instr({0}, {1}), 0) = 0",
    "greater than": "{0} > {1}",
    "less than": "{0} < {1}",
    "after": "{0} > {1}",
    "before": "{0} < {1}",
    "exists": "{0} IS NOT NULL",
    "not exists": "{0} IS NULL",
}
_ABOUT_TEXT = frozenset({"contains", "not contains", "exists", "not exists"})
_WITHOUT_VALUE = frozenset({"exists", "not exists"})
_NULL_HAS_MEANING = frozenset({"is", "is not"})


def _of_filter(sent: Json, prefix: str) -> Condition:
    if not isinstance(sent, dict):
        raise bad_request("each filter must be an object with field, operator, value and type")
    name, operator, kind = sent.get("field"), sent.get("operator"), sent.get("type") or _type_of(sent.get("value"))
    if not isinstance(name, str) or not re.fullmatch(FIELD, name):
        raise bad_request("a filter's field must be a name, or names joined by dots")
    if not isinstance(operator, str) or operator not in OPERATORS:
        raise bad_request(f"a filter's operator must be one of: {', '.join(OPERATORS)}")
    if not isinstance(kind, str) or kind not in _VALUES:
        raise bad_request(f"a filter's type must be one of: {', '.join(_VALUES)}")
    field = fields.of(name, prefix)
    reader = field.string if operator in _ABOUT_TEXT else cast("str", getattr(field, kind))
    sql = OPERATORS[operator].format(reader, f":{prefix}v")
    if operator in _WITHOUT_VALUE:
        return Condition(sql, field.parameters)
    return Condition(sql, {**field.parameters, f"{prefix}v": _value(sent.get("value"), operator, kind, name)})


def _type_of(value: Json) -> str:
    """Return the type that a filter without one means: search takes filters without."""
    return "boolean" if isinstance(value, bool) else "number" if isinstance(value, int | float) else "string"


def _value(value: Json, operator: str, kind: str, name: str) -> str | float | None:
    if value is None and operator in _NULL_HAS_MEANING:
        return None
    if value is None or isinstance(value, dict | list):
        raise bad_request(f"the filter on {name!r} needs a value: text, a number, or true or false")
    try:
        return _string(value) if operator in _ABOUT_TEXT else _VALUES[kind](value)
    except (TypeError, ValueError, OverflowError) as error:
        raise bad_request(f"the filter on {name!r} has type {kind}, but its value is none: {error}") from None


def _of_date_range(sent: Json) -> list[Condition]:
    if sent is None:
        return []
    if isinstance(sent, str):
        sent = {"$gte": sent}
    if not isinstance(sent, dict) or not any(name in sent for names in RANGE_ENDS for name in names):
        raise bad_request("dateRange must be an object with $gte and $lte")
    try:
        return [
            Condition(sql, {f"range{index}": _nanoseconds(milliseconds(end) + beyond)})
            for index, (names, (sql, beyond)) in enumerate(RANGE_ENDS.items())
            for end in [next((sent[name] for name in names if sent.get(name) is not None), None)]
            if end is not None
        ]
    except (TypeError, ValueError, OverflowError) as error:
        raise bad_request(f"dateRange must name moments, in ISO 8601 or milliseconds: {error}") from None


# The end of a range includes the whole of its millisecond.
# Export names them one way, search the other.
RANGE_ENDS = {
    ("$gte", "start_time"): ("start_ns >= :range0", 0),
    ("$lte", "end_time"): ("start_ns < :range1", 1),
}


def _nanoseconds(ms: float) -> int:
    return max(0, min(int(ms * NS_PER_MS), 2**63 - 1))


def _whole(value: Json, name: str, default: int) -> int:
    if value is None:
        return default
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else 0
    if number < 1 or number % 1 != 0:
        raise bad_request(f"{name} must be a whole number from 1")
    return int(number)


def _projected(document: JsonObject, paths: list[list[str]]) -> JsonObject:
    result: dict[str, Json] = {}
    for path in paths:
        found, value = _look_up(document, path)
        if found:
            _place(result, path, value)
    return result


def _look_up(document: JsonObject, path: list[str]) -> tuple[bool, Json]:
    value: Json = document
    for part in path:
        if not isinstance(value, dict) or part not in value:
            return False, None
        value = value[part]
    return True, value


def _place(result: dict[str, Json], path: list[str], value: Json) -> None:
    node = result
    for part in path[:-1]:
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            return  # the whole of it is there already
        node = child
    node[path[-1]] = value
