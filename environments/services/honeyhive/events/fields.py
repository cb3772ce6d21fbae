"""How SQL reads a field of an event, as each of the types that a filter may ask for. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from environments.services.honeyhive.events.rollups import AGGREGATES, HAS_FEEDBACK, SUMS

if TYPE_CHECKING:
    from collections.abc import Mapping

_TEXT_COLUMNS = frozenset({"event_id", "session_id", "parent_id", "event_type", "event_name", "source", "error"})
_NUMBER_COLUMNS = frozenset({"start_time", "end_time", "duration"})
_ISO_TO_MS = "round((julianday({0}) - 2440587.5) * 86400000)"


@dataclass(frozen=True, slots=True)
class Field:
    """The SQL that reads a field as each type; each is NULL where the event has no such value."""

    string: str
    number: str
    boolean: str
    datetime: str
    parameters: Mapping[str, str]


def of(name: str, prefix: str) -> Field:
    """Return how a field is read. `prefix` begins the names of its parameters."""
    if name in _TEXT_COLUMNS:
        return Field(name, "NULL", "NULL", _ISO_TO_MS.format(name), {})
    if name in _NUMBER_COLUMNS:
        return Field(f"CAST({name} AS TEXT)", name, "NULL", name, {})
    stored = _stored_field(name, prefix)
    bucket, _, inside = name.partition(".")
    return _rolled_up(inside, stored) if bucket == "metadata" and inside in AGGREGATES else stored


def _stored_field(name: str, prefix: str) -> Field:
    path, parameters = f":{prefix}p", {f"{prefix}p": _path(name.split("."))}
    parts = name.split(".")
    if len(parts) > 2:  # `metadata.a.b` may be nested, or one key with a dot in it
        parameters[f"{prefix}q"] = _path([parts[0], ".".join(parts[1:])])
        path = f"CASE WHEN json_type(body, :{prefix}p) IS NULL THEN :{prefix}q ELSE :{prefix}p END"
    kind, value = f"json_type(body, {path})", f"json_extract(body, {path})"
    when_number = f"CASE WHEN {kind} IN ('integer', 'real') THEN {value}"
    return Field(
        string=f"CASE {kind} WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST({value} AS TEXT) END",
        number=f"{when_number} END",
        boolean=f"CASE {kind} WHEN 'true' THEN 1 WHEN 'false' THEN 0 END",
        datetime=f"{when_number} ELSE {_ISO_TO_MS.format(value)} END",
        parameters=parameters,
    )


def _rolled_up(name: str, stored: Field) -> Field:
    """Read a sum as it is shown: on a session it is that of its events, but for what its own metadata says."""
    value = (
        f"(SELECT {AGGREGATES[name]} FROM events AS child WHERE child.project_id = events.project_id"  # noqa: S608
        " AND child.session_id = events.event_id AND child.event_id <> child.session_id)"
    )
    is_shown = "events.event_type = 'session'"
    if name in SUMS:
        is_shown += f" AND json_type(events.body, '$.metadata.{name}') IS NULL"
    is_word = name == "has_feedback"
    if is_word:
        value = f"({HAS_FEEDBACK} OR {value})"
    as_text = f"iif({value}, 'true', 'false')" if is_word else f"CAST({value} AS TEXT)"
    shown = {
        "string": as_text,
        "number": "NULL" if is_word else value,
        "boolean": value if is_word else "NULL",
        "datetime": "NULL" if is_word else value,
    }
    readers = {
        kind: f"CASE WHEN {is_shown} THEN {reader} ELSE {getattr(stored, kind)} END" for kind, reader in shown.items()
    }
    return Field(**readers, parameters=stored.parameters)


def _path(parts: list[str]) -> str:
    return "$" + "".join(f'."{part}"' for part in parts)
