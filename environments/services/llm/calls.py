"""What an endpoint gets, and what it gives back: a whole answer, or a stream of server-sent events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from environments.services.http.json_types import dump

if TYPE_CHECKING:
    from environments.services.http.json_types import JsonObject
    from environments.services.llm.fields import Fields
    from environments.services.llm.http_errors import LlmError


@dataclass(frozen=True, slots=True)
class Call:
    """A request for an answer: its body, what its model's name says that the answer is, when it came."""

    sent: Fields
    says: str | None
    now_s: int


@dataclass(frozen=True, slots=True)
class Whole:
    """An answer in one piece."""

    body: JsonObject


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event; OpenAI's chat gives it no name."""

    name: str | None
    data: str

    def encoded(self) -> bytes:
        named = "" if self.name is None else f"event: {self.name}\n"
        return f"{named}data: {self.data}\n\n".encode()


def typed(data: JsonObject) -> Event:
    """Return an event that is named after its type."""
    return Event(str(data["type"]), dump(data))


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer in events, made as they are sent; and the event that says that something went wrong instead."""

    events: Iterable[Event]
    failing: Callable[[LlmError], Event]


Reply: TypeAlias = Whole | Stream
Endpoint: TypeAlias = Callable[[Call], Reply]
# Where an answer is asked for: path -> what answers a POST there.
Endpoints: TypeAlias = Mapping[str, Endpoint]
