"""The shapes that JSON has, and the bounds that every JSON document here keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

# Mappings and sequences, so that what was read is not changed by whoever it is passed to.
Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"
JsonObject: TypeAlias = Mapping[str, Json]

# SQLite refuses documents nested deeper than 1000, Python's own parser somewhere near; stay far below both.
MAX_DEPTH = 100


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def dump(value: Json) -> str:
    """Write a value as compact JSON, in characters rather than escapes: SQLite compares keys as they are written."""
    return _ENCODER.encode(value)
