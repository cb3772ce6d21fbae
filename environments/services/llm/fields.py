"""The fields of a request's body: read with their types, and refused by their path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from environments.services.llm.http_errors import LlmError, invalid

if TYPE_CHECKING:
    from collections.abc import Collection

    from environments.services.http.json_types import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Fields:
    """An object of a request, and its path there. A field that is null counts as absent."""

    value: JsonObject
    path: str = ""

    def at(self, name: str) -> str:
        """Return the path of a field."""
        return f"{self.path}.{name}" if self.path else name

    def has(self, name: str) -> bool:
        return self.value.get(name) is not None

    def only(self, known: Collection[str]) -> None:
        """Refuse fields that the API does not know: both families do."""
        for name in self.value:
            if name not in known:
                raise invalid(f"Unknown parameter: {self.at(name)!r}", self.at(name), "unknown_parameter")

    def refuse(self, *names: str) -> None:
        """Refuse what the real API can do and this service cannot."""
        for name in names:
            if self.value.get(name) not in (None, False):
                raise invalid(f"{self.at(name)!r} is not supported by this service", self.at(name))

    def text(self, name: str) -> str:
        """Return a text that must be there."""
        found = self.optional_text(name)
        if found is None:
            raise self.missing(name)
        return found

    def optional_text(self, name: str) -> str | None:
        found = self.value.get(name)
        if found is not None and not isinstance(found, str):
            raise self.wrong(name, "a string")
        return found

    def one_of(self, name: str, allowed: Collection[str], default: str) -> str:
        """Return one of a few words."""
        found = self.optional_text(name)
        if found is not None and found not in allowed:
            raise self.wrong(name, "one of " + ", ".join(map(repr, sorted(allowed))))
        return default if found is None else found

    def flag(self, name: str, *, default: bool = False) -> bool:
        found = self.value.get(name)
        if found is not None and not isinstance(found, bool):
            raise self.wrong(name, "a boolean")
        return default if found is None else found

    def integer(self, name: str, least: int, most: int) -> int | None:
        """Return a whole number within bounds."""
        found = self.value.get(name)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, int) or not least <= found <= most:
            raise self.wrong(name, f"an integer from {least} to {most}")
        return found

    def number(self, name: str, least: float, most: float) -> float | None:
        """Return a number within bounds."""
        found = self.value.get(name)
        if found is None:
            return None
        if isinstance(found, bool) or not isinstance(found, (int, float)) or not least <= found <= most:
            raise self.wrong(name, f"a number from {least:g} to {most:g}")
        return found

    def object(self, name: str) -> Fields | None:
        """Return an object."""
        found = self.value.get(name)
        if found is None:
            return None
        if not isinstance(found, Mapping):
            raise self.wrong(name, "an object")
        return Fields(found, self.at(name))

    def list(self, name: str) -> Sequence[Json]:
        """Return a list; one that is absent is empty."""
        found = self.value.get(name)
        if found is None:
            return ()
        if isinstance(found, str) or not isinstance(found, Sequence):
            raise self.wrong(name, "an array")
        return found

    def objects(self, name: str) -> tuple[Fields, ...]:
        """Return a list of objects."""
        return tuple(self._object_in(name, at, each) for at, each in enumerate(self.list(name)))

    def _object_in(self, name: str, at: int, each: Json) -> Fields:
        if not isinstance(each, Mapping):
            raise self.wrong(f"{name}[{at}]", "an object")
        return Fields(each, f"{self.at(name)}[{at}]")

    def texts(self, name: str, most: int) -> tuple[str, ...]:
        """Return a text or a list of texts, none of them empty."""
        found = self.value.get(name)
        listed = (found,) if isinstance(found, str) else self.list(name)
        texts = tuple(each for each in listed if isinstance(each, str) and each)
        if len(texts) != len(listed) or len(texts) > most:
            raise self.wrong(name, f"a string, or an array of at most {most}, none of them empty")
        return texts

    def missing(self, name: str) -> LlmError:
        """Say that a field must be there."""
        return invalid(f"Missing required parameter: {self.at(name)!r}", self.at(name), "missing_required_parameter")

    def wrong(self, name: str, expected: str) -> LlmError:
        """Say what a field must be."""
        return invalid(f"Invalid value for {self.at(name)!r}: expected {expected}", self.at(name), "invalid_value")
