"""The public methods of the SDK's client: found by introspection, called, and held to the types that they declare."""

from __future__ import annotations

import asyncio
import inspect
import types
import typing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from honeyhive import HoneyHive

    from tests.support.cleanup import Cleanup
    from tests.support.server import Server

# Where the classes live whose methods make requests; the client's other objects are settings.
_REQUESTING = "honeyhive.api"


@dataclass(frozen=True)
class World:
    """What a scenario works with. It makes what the call needs over plain HTTP, and reads what came of it that way."""

    server: Server
    cleanup: Cleanup
    name: str

    def made_session(self, **fields: object) -> str:
        """Start a session that is deleted afterwards."""
        session = {"session_name": self.name, "source": "test", **fields}
        session_id = str(self.server.post("/session/start", {"session": session})["session_id"])
        self.delete_afterwards(f"/v1/sessions/{session_id}")
        return session_id

    def delete_afterwards(self, path: str) -> None:
        """Register what was made, by the path that deletes it."""
        self.cleanup.register(f"{self.name} {path}", lambda: self.server.delete(path))


@dataclass(frozen=True)
class Entry:
    """A line of the table: the methods of a resource that do the same, and what shows that they do.

    `since` is the first line that has them.
    """

    resource: str
    methods: str
    scenario: Callable[[World, Tried], None] = field(repr=False)
    since: str = "1.0"

    @property
    def names(self) -> tuple[str, ...]:
        """The methods, as `datasets.create`."""
        return tuple(f"{self.resource}.{method}" for method in self.methods.split())


def public_methods(client: HoneyHive) -> Mapping[str, Callable[..., Any]]:
    """Return every public method of a client that makes requests; an object under two names counts by the last."""
    found = {f"client.{name}": value for name, value in _public(client) if inspect.isroutine(value)}
    resources = {id(value): (name, value) for name, value in _public(client) if _makes_requests(value)}
    for resource, value in resources.values():
        found |= {f"{resource}.{name}": method for name, method in _public(value) if inspect.isroutine(method)}
    return found


def _public(of: object) -> list[tuple[str, object]]:
    return [(name, getattr(of, name)) for name in sorted(dir(of)) if not name.startswith("_")]


def _makes_requests(value: object) -> bool:
    return f"{type(value).__module__}.".startswith(f"{_REQUESTING}.")


class NotAsDeclared(AssertionError):
    """A method returned something else than its annotation says."""


@dataclass
class Tried:
    """A method under test. Call it like itself: an asynchronous one is waited for."""

    method: Callable[..., Any]
    _problems: list[str] = field(default_factory=list)

    def __call__(self, *arguments: object, **named: object) -> Any:  # noqa: ANN401 - whatever the method returns
        """Return what the method returns."""
        result = self.method(*arguments, **named)
        if inspect.isawaitable(result):
            result = asyncio.run(_awaited(result))
        declared = typing.get_type_hints(self.method)["return"]
        problem = _problem(result, declared)
        if problem:
            self._problems.append(f"{self.method.__qualname__} declares {declared} and returned {problem}")
        return result

    def check_types(self) -> None:
        """Raise for a result that was not as declared: afterwards, so that its effect is looked at first."""
        if self._problems:
            raise NotAsDeclared("\n".join(self._problems))


async def _awaited(result: Any) -> object:  # noqa: ANN401 - whatever a method of the SDK returns
    return await result


def _problem(result: object, declared: Any) -> str:  # noqa: ANN401 - a type, or what typing has instead
    """Return what is returned instead of what is declared, or nothing."""
    origin, arguments = typing.get_origin(declared), typing.get_args(declared)
    if origin in {typing.Union, types.UnionType}:
        problems = [_problem(result, each) for each in arguments]
        return problems[0] if all(problems) else ""
    if not isinstance(result, origin or declared):
        return f"{type(result).__name__}: {result!r:.200}"
    if isinstance(result, list):
        return next((problem for each in result if (problem := _problem(each, arguments[0]))), "")
    return ""
