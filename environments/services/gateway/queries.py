"""Bodies that ask: what `POST /v1/events/export` and `/v1/events/search` may hold. Pure.

They are the only reads with a body. Names and types are those of every release of the SDK; a name that nobody knows is
refused, because nobody knows what it does. What passes is written anew, so that what was judged is what is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from environments.services.http.errors import ApiError
from environments.services.http.json_types import Json, JsonObject

_Test = Callable[[Json], bool]

_OPERATOR = re.compile(r"[A-Za-z][A-Za-z _-]{0,39}")
_MAX_ITEMS = 1000


def _text(value: Json) -> bool:
    return isinstance(value, str)


def _whole(value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _flag(value: Json) -> bool:
    return isinstance(value, bool)


def _scalar(value: Json) -> bool:
    return value is None or isinstance(value, str | int | float)


def _scalars(value: Json) -> bool:
    return _scalar(value) or (_is_list(value) and all(map(_scalar, _items(value))))


def _name(value: Json) -> bool:
    # A leading `$` is an operator to a database that reads its queries as documents.
    return isinstance(value, str) and not value.startswith("$")


def _operator(value: Json) -> bool:
    return isinstance(value, str) and _OPERATOR.fullmatch(value) is not None


def _names(value: Json) -> bool:
    return _is_list(value) and all(map(_name, _items(value)))


def _is_list(value: Json) -> bool:
    return isinstance(value, list) and len(value) <= _MAX_ITEMS


def _items(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else ()


def _holds(fields: Mapping[str, _Test], value: Json) -> bool:
    return isinstance(value, dict) and all(name in fields and _fits(fields[name], value[name]) for name in value)


def _fits(test: _Test, value: Json) -> bool:
    return value is None or test(value)


_FILTER: Mapping[str, _Test] = {"field": _name, "operator": _operator, "value": _scalars, "type": _operator}
_RANGE: Mapping[str, _Test] = dict.fromkeys(("$gte", "$lte", "start_time", "end_time", "relative"), _scalar)


def _filters(value: Json) -> bool:
    return _is_list(value) and all(_holds(_FILTER, item) for item in _items(value))


def _range(value: Json) -> bool:
    return _holds(_RANGE, value)


_EXPORT: Mapping[str, _Test] = {
    "project": _text,
    "filters": _filters,
    "dateRange": _range,
    "projections": _names,
    "limit": _whole,
    "page": _whole,
}
_SEARCH: Mapping[str, _Test] = {
    "filters": _filters,
    "dateRange": _range,
    "limit": _whole,
    "page": _whole,
    "ignore_order": _flag,
    "evaluation_id": _text,
}


def check_export(body: JsonObject) -> None:
    """Raise ApiError for what is no query of an export."""
    _check(_EXPORT, body)


def check_search(body: JsonObject) -> None:
    """Raise ApiError for what is no query of a search."""
    _check(_SEARCH, body)


def _check(fields: Mapping[str, _Test], body: JsonObject) -> None:
    for name, value in body.items():
        if name not in fields:
            known = ", ".join(sorted(fields))
            raise ApiError(403, f"the body is no query: it has a field that no query has; queries have {known}")
        if not _fits(fields[name], value):
            raise ApiError(403, f"the body is no query: its {name!r} is not of a query's shape")
