from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from environments.services.honeyhive.api import queries
from environments.services.http.errors import ApiError
from tests.unit.services.honeyhive.running import perhaps_refused

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), _VALUES))
def test_what_the_sdk_writes_as_pythons_repr_reads_back(value: dict[str, Any]) -> None:
    assert queries.structured(QueryParams({"x": repr(value)}), "x") == value


@given(st.dictionaries(st.text(), _VALUES))
def test_what_the_public_api_documents_as_json_reads_back(value: dict[str, Any]) -> None:
    assert queries.structured(QueryParams({"x": json.dumps(value)}), "x") == value


@given(st.text() | st.text(alphabet="{}[]()'\":, 1a_.-"))
def test_any_text_is_read_or_is_a_bad_request(text: str) -> None:
    with perhaps_refused(400):
        queries.structured(QueryParams({"x": text}), "x")
    with perhaps_refused(400):
        queries.structured_list(QueryParams([("x[]", text), ("x", text)]), "x")


@pytest.mark.parametrize(
    "text", ["{1: 2}", "[b'a']", "[1e999]", "{1, 2}", "[1j]", "['a'", "{'a': __import__('os')}", "[" * 200]
)
def test_what_is_no_json_value_is_a_bad_request(text: str) -> None:
    with pytest.raises(ApiError) as raised:
        queries.structured(QueryParams({"x": text}), "x")
    assert raised.value.status == 400


def test_a_list_comes_as_several_parameters_or_as_one() -> None:
    several = QueryParams([("f[]", "{'a': 1}"), ("f[]", "{'b': 2}")])
    one = QueryParams({"f": '[{"a": 1}, {"b": 2}]'})
    assert queries.structured_list(several, "f") == queries.structured_list(one, "f") == [{"a": 1}, {"b": 2}]
    assert queries.structured_list(QueryParams(), "f") is None
    assert queries.listed(QueryParams([("id[]", "a"), ("id[]", "b"), ("id", "c")]), "id") == ["a", "b", "c"]


def test_text_stays_text() -> None:
    assert queries.structured(QueryParams({"x": "2024-05-01"}), "x") == "2024-05-01"
