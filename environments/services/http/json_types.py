"""The shapes that JSON has, and the bounds that every JSON document here keeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, TypeGuard

import msgspec

# Mappings and sequences, so that what was read is not changed by whoever it is passed to.
Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"
JsonObject: TypeAlias = Mapping[str, Json]

# SQLite refuses documents nested deeper than 1000, Python's own parser somewhere near; stay far below both.
MAX_DEPTH = 100

_ENCODER = msgspec.json.Encoder()
# What is summed up stays far inside of what 64 bits and a float can hold, however many there are.
MAX_COUNTED = 1e12


def countable(value: Json) -> TypeGuard[int | float]:
    """Return whether a value is a number that can be summed up: neither true nor false, and not astronomical."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_COUNTED


def dump(value: Json) -> str:
    """Write a value as compact JSON, in characters rather than escapes: SQLite compares keys as they are written."""
    return _ENCODER.encode(value).decode()


def present(value: JsonObject, names: Iterable[str]) -> dict[str, Json]:
    """Return what stands under these names, without nulls."""
    return {name: value[name] for name in names if value.get(name) is not None}
