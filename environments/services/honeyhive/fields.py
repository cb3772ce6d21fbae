"""Reading the fields of what a client sent, each by its type; what is wrong is a 400 that names the field. Pure.

A field that is null is a field that is not there: the SDK leaves both out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from environments.services.http.errors import bad_request

if TYPE_CHECKING:
    from collections.abc import Collection

    from environments.services.http.json_types import Json, JsonObject

MAX_ID = 256


def text(sent: JsonObject, name: str) -> str | None:
    """Read text."""
    value = sent.get(name)
    if value is not None and not isinstance(value, str):
        raise bad_request(f"{name} must be text")
    return value


def required_text(sent: JsonObject, name: str) -> str:
    """Read text that must be there and say something."""
    value = text(sent, name)
    if not value:
        raise bad_request(f"{name} is required and must be text")
    return value


def identifier(sent: JsonObject, name: str) -> str | None:
    """Read an id; an empty one is none."""
    value = text(sent, name)
    if value is not None and len(value) > MAX_ID:
        raise bad_request(f"{name} is longer than {MAX_ID} characters")
    return value or None


def choice(sent: JsonObject, name: str, allowed: Collection[str]) -> str | None:
    """Read one of several words."""
    value = text(sent, name)
    if value is not None and value not in allowed:
        raise bad_request(f"{name} must be one of: {', '.join(allowed)}")
    return value


def flag(sent: JsonObject, name: str) -> bool | None:
    """Read true or false."""
    value = sent.get(name)
    if value is not None and not isinstance(value, bool):
        raise bad_request(f"{name} must be true or false")
    return value


def number(sent: JsonObject, name: str, low: float = float("-inf"), high: float = float("inf")) -> float | None:
    """Read a number between two others."""
    value = sent.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        within = "" if low == float("-inf") else f" from {low:g} to {high:g}"
        raise bad_request(f"{name} must be a number{within}")
    return value


def mapping(sent: JsonObject, name: str) -> JsonObject | None:
    """Read an object."""
    value = sent.get(name)
    if value is not None and not isinstance(value, dict):
        raise bad_request(f"{name} must be an object")
    return value


def texts(sent: JsonObject, name: str) -> list[str] | None:
    """Read a list of texts."""
    value = sent.get(name)
    if value is not None and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
        raise bad_request(f"{name} must be a list of texts")
    return cast("list[str] | None", value)


def anything_listed(sent: JsonObject, name: str) -> list[Json] | None:
    """Read a list of whatever."""
    value = sent.get(name)
    if value is not None and not isinstance(value, list):
        raise bad_request(f"{name} must be a list")
    return cast("list[Json] | None", value)
