"""From a JSON schema to a value that it allows: what tools are called with and JSON answers consist of.

Every property is there (beyond a depth, the required ones), a text is the name of its property, a number the smallest
allowed from 1 on, a list has one item or as many as it must. The first choice is taken of an `enum`, `anyOf` or
`oneOf`. A schema that allows nothing, or that would take too much, is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from environments.services.llm.http_errors import LlmError, invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from environments.services.http.json_types import Json, JsonObject

_MOST_VALUES = 2_000
_MOST_CHARACTERS = 10_000
_DEEP = 6
_TOO_DEEP = 60
# What could make a value wrong that is made as above.
_BEYOND = ("not", "if", "pattern", "patternProperties", "propertyNames", "dependentSchemas", "dependentRequired")
_BEYOND_LISTS = ("contains", "prefixItems", "uniqueItems")
_FORMATS = {
    "date-time": "2024-01-01T00:00:00Z",
    "date": "2024-01-01",
    "time": "00:00:00Z",
    "duration": "P1D",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def example(schema: JsonObject, param: str, *, strictly: bool) -> Json:
    """Return a value that a schema allows; `strictly` refuses what might not be met, otherwise that is ignored."""
    return _Maker(schema, param, strictly=strictly).made(schema, "value", 0)


class _Maker:
    def __init__(self, root: JsonObject, param: str, *, strictly: bool) -> None:
        self._root = root
        self._param = param
        self._strictly = strictly
        self._left = _MOST_VALUES

    def made(self, schema: Json, name: str, depth: int) -> Json:
        self._left -= 1
        if self._left < 0 or depth > _TOO_DEEP:
            raise self._refused("it asks for too much, or for itself without end")
        if schema is True:
            return name
        if not isinstance(schema, Mapping):
            raise self._refused("a schema is an object, or true")
        self._check(schema, _BEYOND)
        return self._by_keyword(schema, name, depth)

    def _by_keyword(self, schema: JsonObject, name: str, depth: int) -> Json:
        if "$ref" in schema:
            return self.made(self._referred(schema["$ref"]), name, depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._first(schema, "enum")
        for chosen in ("anyOf", "oneOf"):
            if chosen in schema:
                rest = {key: value for key, value in schema.items() if key not in {"anyOf", "oneOf"}}
                return self.made(self._merged(rest, self._first(schema, chosen)), name, depth + 1)
        if "allOf" in schema:
            return self._all_of(schema, name, depth)
        return self._by_type(schema, name, depth)

    def _all_of(self, schema: JsonObject, name: str, depth: int) -> Json:
        merged: JsonObject = {key: value for key, value in schema.items() if key != "allOf"}
        self._first(schema, "allOf")
        for part in cast("Sequence[Json]", schema["allOf"]):
            merged = self._merged(merged, part)
        return self.made(merged, name, depth + 1)

    def _merged(self, one: JsonObject, other: Json) -> JsonObject:
        """Return a schema that asks for both."""
        if other is True:
            return one
        if not isinstance(other, Mapping):
            raise self._refused("a schema is an object, or true")
        if "$ref" in other and one:
            referred = self._referred(other["$ref"])
            self._left -= _MOST_VALUES // _TOO_DEEP
            if self._left < 0:
                raise self._refused("it refers to itself without end")
            return self._merged(one, {**{k: v for k, v in other.items() if k != "$ref"}, **self._object(referred)})
        both: JsonObject = {
            "properties": {**self._object(one.get("properties", {})), **self._object(other.get("properties", {}))},
            "required": [*self._list(one.get("required", [])), *self._list(other.get("required", []))],
        }
        return {**one, **other, **{key: value for key, value in both.items() if key in one or key in other}}

    def _by_type(self, schema: JsonObject, name: str, depth: int) -> Json:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if not isinstance(kind, str):
            kind = next((each for each in self._list(kind) if each != "null"), "null")
        makers: dict[Json, Callable[[JsonObject, str, int], Json]] = {
            "object": self._an_object,
            "array": self._a_list,
            "string": self._a_text,
            "number": self._a_number,
            "integer": self._a_number,
            "boolean": lambda *_: True,
            "null": lambda *_: None,
        }
        if not isinstance(kind, str) or kind not in makers:
            raise self._refused(f"{kind!r} is no type")
        return makers[kind](schema, name, depth)

    def _an_object(self, schema: JsonObject, _name: str, depth: int) -> Json:
        properties = self._object(schema.get("properties", {}))
        required = self._list(schema.get("required", []))
        wanted = [key for key in properties if depth < _DEEP or key in required]
        unnamed = [key for key in required if isinstance(key, str) and key not in properties]
        made = {key: self.made(properties[key], key, depth + 1) for key in wanted}
        return {**made, **{key: key for key in unnamed}}

    def _a_list(self, schema: JsonObject, name: str, depth: int) -> Json:
        self._check(schema, _BEYOND_LISTS)
        least = self._whole(schema, "minItems", 0)
        most = self._whole(schema, "maxItems", _MOST_VALUES)
        if least > min(most, _MOST_VALUES):
            raise self._refused("its list cannot be as long as it must")
        number = min(max(least, 0 if depth >= _DEEP else 1), most)
        return [self.made(schema.get("items", True), name, depth + 1) for _ in range(number)]

    def _a_text(self, schema: JsonObject, name: str, _depth: int) -> Json:
        kind = schema.get("format")
        if isinstance(kind, str) and kind in _FORMATS:
            return _FORMATS[kind]
        least = self._whole(schema, "minLength", 0)
        most = self._whole(schema, "maxLength", _MOST_CHARACTERS)
        if least > min(most, _MOST_CHARACTERS):
            raise self._refused("its text cannot be as long as it must")
        return name.ljust(least, "x")[:most]

    def _a_number(self, schema: JsonObject, _name: str, _depth: int) -> Json:
        whole = schema.get("type") == "integer"
        least = self._bound(schema, "minimum", "exclusiveMinimum", 1 if whole else 0.5)
        most = self._bound(schema, "maximum", "exclusiveMaximum", -1 if whole else -0.5)
        value = 1 if least is None else least
        if most is not None and value > most and least is None:
            value = most
        step = self._number(schema, "multipleOf")
        if whole:
            value = math.ceil(value) if most is None or math.ceil(value) <= most else math.floor(value)
        if step is not None:
            value = self._stepped(value, step, least)
        if (most is not None and value > most) or (least is not None and value < least):
            raise self._refused("its number is more than its maximum")
        return value

    def _stepped(self, value: float, step: float, least: float | None) -> float:
        if step <= 0:
            raise self._refused("multipleOf must be more than 0")
        try:
            steps = math.ceil(value / step) if least is not None or value > 0 else math.floor(value / step)
        except OverflowError:
            raise self._refused("its numbers are too large") from None
        return steps * step

    def _bound(self, schema: JsonObject, inclusive: str, exclusive: str, apart: float) -> float | None:
        bounds = [self._number(schema, inclusive)]
        beyond = self._number(schema, exclusive)
        bounds.append(None if beyond is None else beyond + apart)
        given = [bound for bound in bounds if bound is not None]
        return None if not given else max(given) if apart > 0 else min(given)

    def _number(self, schema: JsonObject, keyword: str) -> float | None:
        found = schema.get(keyword)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, (int, float)) or abs(found) > _MOST_NUMBER:
            raise self._refused(f"{keyword} must be a number, and none too large")
        return found

    def _whole(self, schema: JsonObject, keyword: str, default: int) -> int:
        found = schema.get(keyword, default)
        if isinstance(found, bool) or not isinstance(found, int) or found < 0:
            raise self._refused(f"{keyword} must be a whole number")
        return found

    def _referred(self, reference: Json) -> Json:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise self._refused("a $ref must begin with '#'")
        found: Json = self._root
        for part in filter(None, reference[1:].split("/")):
            key = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, Mapping) or key not in found:
                raise self._refused(f"{reference!r} refers to nothing")
            found = found[key]
        return found

    def _first(self, schema: JsonObject, keyword: str) -> Json:
        listed = self._list(schema[keyword])
        if not listed:
            raise self._refused(f"{keyword} is empty")
        return listed[0]

    def _object(self, value: Json) -> JsonObject:
        if not isinstance(value, Mapping):
            raise self._refused("an object is expected")
        return value

    def _list(self, value: Json) -> Sequence[Json]:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise self._refused("an array is expected")
        return value

    def _check(self, schema: JsonObject, beyond: tuple[str, ...]) -> None:
        found = next((keyword for keyword in beyond if keyword in schema), None) if self._strictly else None
        if found is not None:
            raise self._refused(f"{found!r} is not supported by this service")

    def _refused(self, why: str) -> LlmError:
        return invalid(f"Invalid schema for {self._param!r}: {why}", self._param, "invalid_json_schema")


# Beyond this, floating point has no halves and no neighbours.
_MOST_NUMBER = 2**53
