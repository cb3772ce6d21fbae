from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given as forall
from hypothesis import strategies as st

from environments.services.honeyhive.api import schemas
from environments.services.honeyhive.api.schemas import (
    BOOLEAN,
    COUNT,
    FREE,
    ID,
    NAME,
    NUMBER,
    TEXT,
    either,
    listing,
    one_of,
    sent,
)
from environments.services.http.errors import ApiError
from environments.services.http.json_types import present
from tests.unit.services.honeyhive.running import perhaps_refused

if TYPE_CHECKING:
    from environments.services.http.json_types import Json

_SCHEMA = sent(
    {"name": NAME, "kind": one_of("a", "b")},
    {
        "ids": listing(ID, at_least=1),
        "place": either(sent({"x": NUMBER}, {}), TEXT),
        "flags": {"type": "object", "additionalProperties": BOOLEAN},
        "closed": sent({}, {"known": TEXT}, closed=True),
        "pair": listing(TEXT, at_most=2),
        "share": {"type": "number", "minimum": 0, "maximum": 100},
        "page": COUNT,
        "word": {"type": "string", "pattern": "^[a-z]+$", "description": "a lower-case word"},
    },
)
_RIGHT: dict[str, Json] = {"name": "n", "kind": "a"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": 1}, "name must be text"),
        ({"name": "n" * 201}, "name must not be longer than 200 characters"),
        ({"name": None}, "name must be text"),
        ({"kind": "c"}, "kind must be one of a, b"),
        ({"ids": "i"}, "ids must be a list or null"),
        ({"ids": []}, "ids must have at least 1 item"),
        ({"ids": ["i", ""]}, r"ids\[1\] must not be empty"),
        ({"place": 1}, "place must be an object and place must be text"),
        ({"place": {"x": True}}, "place.x must be a number"),
        ({"place": {}}, "place.x is required"),
        ({"flags": {"on": "yes"}}, "flags.on must be true or false"),
        ({"pair": ["a", "b", "c"]}, "pair must have at most 2 items"),
        ({"share": 100.5}, "share must be from 0 to 100"),
        ({"page": 0}, "page must be from 1"),
        ({"page": 1.5}, "page must be a whole number or null"),
        ({"word": "Two words"}, "word must be a lower-case word"),
        ({"closed": {"unknown": 1}}, "closed.unknown is not known here; known are known"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(wrong: dict[str, Json], message: str) -> None:
    with pytest.raises(ApiError, match=message):
        schemas.check(_SCHEMA, {**_RIGHT, **wrong})


def test_what_is_missing_is_said_by_name() -> None:
    with pytest.raises(ApiError, match="kind is required"):
        schemas.check(_SCHEMA, {"name": "n"})


def test_null_is_as_good_as_nothing_where_a_key_is_optional() -> None:
    schemas.check(_SCHEMA, {**_RIGHT, "ids": None, "place": None})
    assert present({"ids": None, "name": "n"}, ["ids", "name", "kind"]) == {"name": "n"}


def test_a_whole_number_may_be_written_with_a_point() -> None:
    schemas.check(_SCHEMA, {**_RIGHT, "page": 2.0})


def test_unknown_keys_are_welcome_in_an_open_object() -> None:
    schemas.check(_SCHEMA, {**_RIGHT, "unknown": [1, {"x": None}]})


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "x", "ids"]), inner),
)


@forall(_JSON | st.fixed_dictionaries({"name": _JSON, "kind": _JSON}, optional={"ids": _JSON, "place": _JSON}))
def test_any_value_is_accepted_or_refused_with_a_reason(value: Json) -> None:
    with perhaps_refused(400):
        schemas.check(_SCHEMA, value)


@forall(_JSON)
def test_nothing_is_wrong_with_anything_where_nothing_is_described(value: Json) -> None:
    schemas.check(schemas.ANY, value)
    schemas.check(either(FREE, schemas.ANY), value)
