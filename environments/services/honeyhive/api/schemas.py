"""JSON Schema, the part of it that this API needs: written once per operation, checked here, and published. Pure.

A client may send `null` for what is optional: the SDK's own models do, and it means the same as leaving it out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

from environments.services.http.errors import bad_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from environments.services.http.json_types import Json, JsonObject

Schema: TypeAlias = "Mapping[str, Json]"

ANY: Schema = {}
TEXT: Schema = {"type": "string"}
NAME: Schema = {"type": "string", "maxLength": 200}
ID: Schema = {"type": "string", "minLength": 1}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 1}
WHOLE: Schema = {"type": "integer"}
BOOLEAN: Schema = {"type": "boolean"}
TRUE: Schema = {"type": "boolean", "enum": [True]}
FREE: Schema = {"type": "object"}

_NAMES = {
    "integer": "a whole number",
    "string": "text",
    "array": "a list",
    "object": "an object",
    "boolean": "true or false",
    "null": "null",
}


def listing(item: Schema, *, at_least: int = 0, at_most: int = 0) -> Schema:
    """Describe a list; without an end where `at_most` is 0."""
    least = {"minItems": at_least} if at_least else {}
    most = {"maxItems": at_most} if at_most else {}
    return {"type": "array", "items": item, **least, **most}


def mapping(item: Schema) -> Schema:
    """Describe an object with any keys."""
    return {"type": "object", "additionalProperties": item}


def one_of(*words: str) -> Schema:
    """Describe one of these words."""
    return {"type": "string", "enum": list(words)}


def either(*schemas: Schema) -> Schema:
    """Describe what is any of these."""
    return {"anyOf": list(schemas)}


def nullable(schema: Schema) -> Schema:
    """Describe the same, or null."""
    if "anyOf" in schema:
        return {"anyOf": [*cast("Sequence[Json]", schema["anyOf"]), {"type": "null"}]}
    if "type" not in schema:
        return schema
    enum = {"enum": [*cast("Sequence[Json]", schema["enum"]), None]} if "enum" in schema else {}
    return {**schema, "type": [*_types(schema), "null"], **enum}


def sent(required: Mapping[str, Schema], optional: Mapping[str, Schema], *, closed: bool = False) -> Schema:
    """Describe an object that clients send; a closed one has no other keys."""
    properties = {**required, **{name: nullable(schema) for name, schema in optional.items()}}
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        **({"additionalProperties": False} if closed else {}),
    }


def given(**required: Schema) -> Schema:
    """Describe an object that this service gives, with at least these keys."""
    return {"type": "object", "properties": required, "required": list(required)}


def partly(whole: Schema) -> Schema:
    """Describe an object of which any key may be missing."""
    return {name: value for name, value in whole.items() if name != "required"}


def check(schema: Schema, value: Json, name: str = "the body") -> None:
    """Raise 400 if a value is not as described; the message names the place and says what is expected there."""
    problem = next(_problems(schema, value, name), None)
    if problem is not None:
        raise bad_request(problem)


# ---- What is wrong -----------------------------------------------------------------------------------


def _problems(schema: Schema, value: Json, name: str) -> Iterator[str]:
    if "anyOf" in schema:
        yield from _problems_with_all(cast("Sequence[Schema]", schema["anyOf"]), value, name)
        return
    types = _types(schema)
    if types and not any(_HAS_TYPE[kind](value) for kind in types):
        yield f"{name} must be {' or '.join(_NAMES.get(kind, f'a {kind}') for kind in types)}"
        return
    if "enum" in schema and not any(value == word for word in cast("Sequence[Json]", schema["enum"])):
        words = ", ".join(str(word) for word in cast("Sequence[Json]", schema["enum"]) if word is not None)
        yield f"{name} must be one of {words}"
    yield from _problems_of_size(schema, value, name)
    if isinstance(value, Mapping):
        yield from _problems_of_object(schema, value, name)
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _problems(cast("Schema", schema["items"]), item, f"{name}[{index}]")


def _problems_with_all(schemas: Sequence[Schema], value: Json, name: str) -> Iterator[str]:
    """Tell the problem with the last of the alternatives that has the right type, if none of them fits."""
    problems = [next(_problems(schema, value, name), None) for schema in schemas]
    if None not in problems:
        inside = [problem for problem in problems if problem and not problem.startswith(f"{name} must be")]
        yield inside[-1] if inside else " and ".join(str(problem) for problem in problems)


def _problems_of_size(schema: Schema, value: Json, name: str) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) < _number(schema, "minLength", 0):
            yield f"{name} must not be empty"
        if len(value) > _number(schema, "maxLength", len(value)):
            yield f"{name} must not be longer than {schema['maxLength']} characters"
        if "pattern" in schema and not re.search(str(schema["pattern"]), value):
            yield f"{name} must be {schema['description']}"
    elif isinstance(value, list):
        if len(value) < _number(schema, "minItems", 0):
            yield f"{name} must have at least {schema['minItems']} item"
        if len(value) > _number(schema, "maxItems", len(value)):
            yield f"{name} must have at most {schema['maxItems']} items"
    elif isinstance(value, int | float):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        if not cast("float", low) <= value <= cast("float", high):
            yield f"{name} must be {_range(schema)}"


def _range(schema: Schema) -> str:
    ends = (("from", schema.get("minimum")), ("to", schema.get("maximum")))
    return " ".join(f"{word} {end}" for word, end in ends if end is not None)


def _problems_of_object(schema: Schema, value: JsonObject, name: str) -> Iterator[str]:
    inside = "" if name == "the body" else f"{name}."
    for required in cast("Sequence[str]", schema.get("required", ())):
        if required not in value:
            yield f"{inside}{required} is required"
    properties = cast("Mapping[str, Schema]", schema.get("properties", {}))
    for key, item in value.items():
        if key in properties:
            yield from _problems(properties[key], item, f"{inside}{key}")
        elif isinstance(others := schema.get("additionalProperties"), Mapping):
            yield from _problems(others, item, f"{inside}{key}")
        elif others is False:
            yield f"{inside}{key} is not known here; known are {', '.join(sorted(properties))}"


def _types(schema: Schema) -> tuple[str, ...]:
    kind = schema.get("type", ())
    return (kind,) if isinstance(kind, str) else tuple(cast("Sequence[str]", kind))


def _number(schema: Schema, name: str, otherwise: int) -> int:
    return cast("int", schema.get(name, otherwise))


_HAS_TYPE: Mapping[str, Callable[[Json], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    # 1.0 is a whole number in JSON Schema, and to those who write JSON.
    "integer": lambda value: isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, Mapping),
    "null": lambda value: value is None,
}
