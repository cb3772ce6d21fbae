"""Values in the query of a URL. A dict arrives as the SDK writes it, which is Python's repr, or as JSON. Pure.

Source: what every SDK release was seen to send (`dateRange={'$gte': '...'}`, `filters[]={...}&filters[]={...}`); the
public API documents JSON text for the same parameters. JSON is tried first: where a repr is also JSON, the two agree.
"""

from __future__ import annotations

import ast
import math
import warnings
from typing import TYPE_CHECKING

from environments.services.http import bodies
from environments.services.http.errors import ApiError, bad_request
from environments.services.http.json_types import MAX_DEPTH, Json

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

_MAX_LITERAL = 100_000


def listed(query: QueryParams, name: str) -> list[str]:
    """Return the values of a list: `name[]=a&name[]=b`, or the name repeated."""
    return [*query.getlist(f"{name}[]"), *query.getlist(name)]


def structured(query: QueryParams, name: str) -> Json:
    """Return a value that may be an object or a list: text stays text, and what is not there is None."""
    sent = query.get(name)
    return None if sent is None else _read(sent, name)


def structured_list(query: QueryParams, name: str) -> Json:
    """Return a list of objects: each its own parameter, or one parameter with the whole list. None: not there."""
    sent = listed(query, name)
    if not sent:
        return None
    read = [_read(each, name) for each in sent]
    return read[0] if len(read) == 1 and isinstance(read[0], list) else read


def _read(text: str, name: str) -> Json:
    if text.lstrip()[:1] not in {"{", "["}:
        return text
    if len(text) > _MAX_LITERAL or text.count("[") + text.count("{") + text.count("(") > MAX_DEPTH:
        raise bad_request(f"{name} is too long or nested too deeply")
    try:
        return bodies.parse(text.encode(errors="replace"))
    except ApiError:
        pass
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return _as_json(ast.literal_eval(text))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise bad_request(f"{name} is neither JSON nor a Python literal: {error}") from None


def _as_json(value: object) -> Json:
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("a key is no text")
        return {key: _as_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(inner) for inner in value]
    if value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)):
        return bodies.without_surrogates(value)
    raise ValueError("JSON has no such value")
