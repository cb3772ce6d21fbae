from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, create_model

from environments.services.llm.examples import example
from environments.services.llm.http_errors import LlmError
from tests.unit.services.llm.running import perhaps_refused

if TYPE_CHECKING:
    from environments.services.http.json_types import Json, JsonObject


class Point(BaseModel):
    x: float = Field(gt=2)
    y: int = Field(ge=3, le=3)


class Node(BaseModel):
    value: str
    left: Node | None = None
    right: Node | None = None
    many: list[Node] = []


class Everything(BaseModel):
    name: str = Field(min_length=20, max_length=20)
    when: dt.datetime
    day: dt.date
    at: dt.time
    id: uuid.UUID
    kind: Literal["a", "b"]
    only: Literal["one"]
    maybe: int | None
    either: Point | str
    points: list[Point] = Field(min_length=2)
    few: Annotated[list[str], Field(max_length=0)]
    free: dict[str, Any]
    nested: dict[str, Point]
    step: int = Field(multiple_of=7, gt=7)
    below: int = Field(lt=0)
    half: float = Field(gt=0, lt=1)
    yes: bool
    nothing: None
    tree: Node


def made(schema: JsonObject, *, strictly: bool = True) -> object:
    return example(schema, "schema", strictly=strictly)


@pytest.mark.parametrize("model", [Point, Node, Everything])
def test_an_example_of_a_models_schema_is_an_instance_of_the_model(model: type[BaseModel]) -> None:
    model.model_validate_json(json.dumps(made(model.model_json_schema())))


_FIELDS: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from([str, int, float, bool, None, Point, Node, dict[str, int], list[Point], dt.date, uuid.UUID]),
    st.builds(lambda low, more: Annotated[int, Field(ge=low, le=low + more)], st.integers(-99, 99), st.integers(0, 9)),
    st.builds(lambda low, more: Annotated[float, Field(ge=low, le=low + more)], st.integers(-9, 9), st.integers(0, 9)),
    st.builds(lambda low: Annotated[str, Field(min_length=low, max_length=low + 3)], st.integers(0, 30)),
    st.builds(lambda low: Annotated[list[int], Field(min_length=low)], st.integers(0, 5)),
)


@given(st.lists(_FIELDS, max_size=5))
def test_an_example_of_any_schema_of_these_is_an_instance(fields: list[Any]) -> None:
    model: Any = cast("Any", create_model)("Model", **{f"field_{n}": (kind, ...) for n, kind in enumerate(fields)})
    model.model_validate_json(json.dumps(made(model.model_json_schema())))


def test_all_of_asks_for_everything() -> None:
    parts: Json = [{"properties": {"a": {"const": 1}}, "required": ["a"]}, {"$ref": "#/$defs/b"}]
    schema: JsonObject = {"allOf": parts, "$defs": {"b": {"properties": {"b": {"type": "null"}}}}}
    assert made(schema) == {"a": 1, "b": None}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({}, "value"),
        ({"type": ["null", "integer"]}, 1),
        ({"type": "integer", "exclusiveMinimum": 4}, 5),
        ({"type": "number", "maximum": -3}, -3),
        ({"type": "object", "required": ["z"]}, {"z": "z"}),
        ({"type": "array"}, ["value"]),
        ({"anyOf": [{"type": "boolean"}, {"type": "string"}]}, True),
        ({"enum": [None, 1]}, None),
    ],
)
def test_what_is_made(schema: JsonObject, value: object) -> None:
    assert made(schema) == value


_ENDLESS = {"properties": {"a": {"$ref": "#"}}, "required": ["a"]}
_WIDE = {
    "$defs": {
        str(level): {"properties": {str(n): {"$ref": f"#/$defs/{level + 1}"} for n in range(10)}} for level in range(9)
    }
    | {"9": {}},
    "$ref": "#/$defs/0",
}


@pytest.mark.parametrize(
    "schema",
    [
        _ENDLESS,
        _WIDE,
        {"$ref": "#"},
        {"$ref": "https://example.com/"},
        {"$ref": "#/nowhere"},
        {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
        {"allOf": []},
        {"allOf": [{"type": "object"}, {"$ref": "#/$defs/a"}], "$defs": {"a": {"$ref": "#/$defs/a"}}},
        {"anyOf": []},
        {"enum": []},
        {"anyOf": [False]},
        {"type": "strange"},
        {"type": {}},
        {"type": "integer", "minimum": 2, "maximum": 1},
        {"type": "integer", "minimum": 1.2, "maximum": 1.8},
        {"type": "number", "multipleOf": 0},
        {"type": "number", "minimum": "1"},
        {"type": "number", "minimum": 10**400},
        {"type": "string", "minLength": 10**9},
        {"type": "string", "minLength": 2, "maxLength": 1},
        {"type": "array", "minItems": 10**9},
        {"type": "array", "minItems": 1000, "items": {"type": "array", "minItems": 1000}},
        {"properties": []},
        {"properties": {"a": False}},
    ],
)
def test_a_schema_that_allows_nothing_or_too_much_is_refused(schema: JsonObject) -> None:
    with pytest.raises(LlmError) as error:
        made(schema)
    assert (error.value.status, error.value.code) == (400, "invalid_json_schema")


@pytest.mark.parametrize("keyword", ["pattern", "not", "if", "patternProperties"])
def test_what_might_not_be_met_is_refused_strictly_and_ignored_otherwise(keyword: str) -> None:
    schema: JsonObject = {"type": "string", keyword: "x"}
    assert made(schema, strictly=False) == "value"
    with pytest.raises(LlmError, match="not supported"):
        made(schema)


_KEYS = st.sampled_from(
    [
        *("type", "properties", "required", "items", "enum", "const", "$ref", "anyOf", "oneOf", "allOf", "minimum"),
        *("maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems", "minLength"),
        *("maxLength", "format"),
    ]
)
_WORDS = st.sampled_from(["object", "array", "string", "integer", "number", "#", "#/properties", "a"])
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _WORDS
_SCHEMAS = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5), max_leaves=15
)


@given(st.dictionaries(_KEYS, _SCHEMAS, max_size=6), st.booleans())
def test_any_object_has_an_example_or_is_refused(schema: JsonObject, strictly: bool) -> None:  # noqa: FBT001
    with perhaps_refused(400):
        json.dumps(made(schema, strictly=strictly), allow_nan=False)
