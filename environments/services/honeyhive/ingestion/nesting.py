"""Between flat names and nested values: attributes are flat and may hold JSON as text, events nest. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import msgspec

from environments.services.http.json_types import MAX_DEPTH, Json, JsonObject

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_PARTS = 32


def unflattened(flat: Mapping[str, Json]) -> JsonObject:
    """Nest by the dots in the keys; keys 0, 1, 2, … make a list. What lies below a scalar stays dotted."""
    # Most keys have no dots, and most values no keys: they are in their place. They come first, `a` before `a.b`.
    root = {key: value for key, value in flat.items() if "." not in key and not isinstance(value, dict)}
    if len(root) == len(flat):
        return root
    for key in sorted(flat.keys() - root.keys()):
        _insert(root, key.split(".", _MAX_PARTS), flat[key])
    return {key: _with_lists(value) for key, value in root.items()}


def read_back(value: Json) -> Json:
    """Read JSON text that holds an object or a list; anything else is returned as it came."""
    if not isinstance(value, str) or value[:1] not in {"{", "["}:
        return value
    if value.count("[") + value.count("{") > MAX_DEPTH:
        return value  # perhaps too deep to store; as text it is stored as it came
    try:
        return _parsed(value)
    except ValueError:
        return value


def _parsed(text: str) -> Json:
    try:
        return cast("Json", msgspec.json.decode(text))
    except msgspec.DecodeError:
        # It refuses what Python's own parser takes: numbers that are too large, halves of characters.
        return cast("Json", json.loads(text, parse_constant=_refused, parse_float=_finite_or_text))


def as_object(value: Json) -> JsonObject:
    """Return an object, also one that is written as JSON text; an empty one for anything else."""
    value = read_back(value)
    return cast("JsonObject", value) if isinstance(value, dict) else {}


def as_list(value: Json) -> list[Json]:
    """Return a list: one written as JSON text too, and one of which numbers are missing; else an empty one."""
    value = read_back(value)
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and value and all(key.isdecimal() for key in value):
        return [value[key] for key in sorted(value, key=lambda key: (len(key), key))]
    return []


def below(flat: JsonObject, prefix: str) -> Json:
    """Return what stands at a prefix and below it, nested."""
    if prefix in flat:
        return flat[prefix]
    start = f"{prefix}."
    found = {name[len(start) :]: value for name, value in flat.items() if name.startswith(start)}
    return unflattened(found) if found else None


def _insert(node: dict[str, Json], parts: list[str], value: Json) -> None:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            _insert(node, [*parts, key], inner)
        return
    for index, part in enumerate(parts[:-1]):
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            node[".".join(parts[index:])] = value
            return
        node = child
    node[parts[-1]] = value


def _with_lists(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    children = {key: _with_lists(child) for key, child in value.items()}
    if children and all(str(index) in children for index in range(len(children))):
        return [children[str(index)] for index in range(len(children))]
    return children


def _refused(name: str) -> Json:
    raise ValueError(name)


def _finite_or_text(text: str) -> Json:
    number = float(text)
    return number if abs(number) != float("inf") else text
