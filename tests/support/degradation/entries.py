"""The entry points of the SDK, each called as a user calls it, and how to see on the server what became of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from tests.support.tracers import client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHive, HoneyHiveTracer

    from environments.inside.target import Target
    from tests.support.faults import Proxy
    from tests.support.server import Server
    from tests.support.tracers import Tracers

TRACES = ("POST", "/opentelemetry/v1/traces")
SESSIONS = ("POST", "/session/start")
UPDATES = ("PUT", "/events")


@dataclass(frozen=True)
class User:
    """Who calls the SDK, through a proxy."""

    proxy: Proxy
    target: Target
    server: Server
    tracers: Tracers
    name: str

    def tracer(self, **arguments: object) -> HoneyHiveTracer:
        return self.tracers(server_url=self.proxy.url, **arguments)

    def client(self, **arguments: object) -> HoneyHive:
        return client_of(self.target, self.server.project, base_url=self.proxy.url, **arguments)

    def sessions(self) -> list[str]:
        """Return the sessions of this name that the server has, whoever knows of them."""
        return [event["event_id"] for event in self.server.events(event_name=self.name, event_type="session")]

    def delete_sessions(self) -> None:
        """Delete them: some are nobody's."""
        for session_id in self.sessions():
            self.server.delete_session(session_id)


class Entry(Protocol):
    """One entry point. It is made while all is well; `route` is where its requests go.

    `call` and `again` do the same twice; `is_kept` and `is_kept_again` tell whether the server has it.
    """

    route: ClassVar[tuple[str, str]]

    def __init__(self, user: User) -> None: ...

    def call(self) -> object: ...

    def is_kept(self) -> bool: ...

    def again(self) -> object: ...

    def is_kept_again(self) -> bool: ...


@dataclass(frozen=True)
class Ending:
    """How a call ended: in the words of the table, and how long it took."""

    says: str
    took_s: float


def observe(call: Callable[[], object]) -> Ending:
    """Call, and say how it ended."""
    began = time.monotonic()
    try:
        says = str(call())
    except Exception as error:  # whatever it is, the table has a word for it
        says = _raised(error)
    return Ending(says, time.monotonic() - began)


def _raised(error: Exception) -> str:
    status = getattr(getattr(error, "error_response", error), "status_code", None)
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    return f"raises {kind}" + (f" {status}" if status is not None else "")


class _Spans:
    """What sends spans: an entry of it has a session that was started while all was well."""

    route: ClassVar[tuple[str, str]] = TRACES
    arguments: ClassVar[dict[str, object]] = {}

    def __init__(self, user: User) -> None:
        self.user = user
        self.tracer = user.tracer(**self.arguments)

    def trace(self, name: str) -> None:
        with self.tracer.trace(name):
            pass

    def has(self, name: str) -> bool:
        return name in {event["event_name"] for event in self.user.server.children(str(self.tracer.session_id))}

    def is_kept(self) -> bool:
        return self.has("during")

    def is_kept_again(self) -> bool:
        return self.has("after")


class SpanExport(_Spans):
    """A span ends, and is exported there and then."""

    arguments: ClassVar = {"disable_batch": True}

    def call(self) -> object:
        self.trace("during")
        return None

    def again(self) -> object:
        self.trace("after")
        return None


class Flush(_Spans):
    """`tracer.flush()` with a span to send."""

    def __init__(self, user: User) -> None:
        super().__init__(user)
        self.trace("during")

    def call(self) -> object:
        return self.tracer.flush()

    def again(self) -> object:
        self.trace("after")
        return self.tracer.flush()


class Shutdown(_Spans):
    """`tracer.shutdown()` of a later tracer with a span to send. The first one's would silence this process."""

    def __init__(self, user: User) -> None:
        super().__init__(user)
        self.trace("during")

    def call(self) -> object:
        return self.tracer.shutdown()

    def again(self) -> object:
        """Make another tracer, for the same session: it is what users do next."""
        self.tracer = self.user.tracer(session_id=self.tracer.session_id)
        self.trace("after")
        return self.tracer.flush()


class Init(_Spans):
    """`HoneyHiveTracer.init()`: the session. Again: its spans, which go to whatever session id it has."""

    route: ClassVar[tuple[str, str]] = SESSIONS

    def __init__(self, user: User) -> None:
        self.user = user

    def call(self) -> object:
        self.tracer = self.user.tracer()
        return "a tracer"

    def is_kept(self) -> bool:
        return bool(self.user.server.events(event_id=str(self.tracer.session_id), event_type="session"))

    def again(self) -> object:
        self.trace("after")
        return self.tracer.flush()


class EnrichSession(_Spans):
    """`tracer.enrich_session()`."""

    route: ClassVar[tuple[str, str]] = UPDATES

    def call(self) -> object:
        return self.tracer.enrich_session(metadata={"during": "yes"})

    def again(self) -> object:
        return self.tracer.enrich_session(metadata={"after": "yes"})

    def has(self, name: str) -> bool:
        return name in self.user.server.session(self.tracer.session_id)["metadata"]


class EnrichSpan(_Spans):
    """`tracer.enrich_span(event_id=…)` of an event that is stored already."""

    route: ClassVar[tuple[str, str]] = UPDATES

    def __init__(self, user: User) -> None:
        super().__init__(user)
        self.event_id = self.tracer.create_event("enriched", event_type="tool", inputs={"a": 1}, outputs={"b": 1})

    def call(self) -> object:
        return self.tracer.enrich_span(event_id=self.event_id, metadata={"during": "yes"})

    def again(self) -> object:
        return self.tracer.enrich_span(event_id=self.event_id, metadata={"after": "yes"})

    def has(self, name: str) -> bool:
        return name in self.user.server.event(self.tracer.session_id, "enriched")["metadata"]


class CreateEvent(_Spans):
    """`tracer.create_event()`."""

    route: ClassVar[tuple[str, str]] = ("POST", "/events")

    def _create(self, name: str) -> object:
        made = self.tracer.create_event(name, event_type="tool", inputs={"a": 1}, outputs={"b": 1})
        return "an id" if made else made

    def call(self) -> object:
        return self._create("during")

    def again(self) -> object:
        return self._create("after")


class Client:
    """`client.sessions.start()`, which stands for all calls of a client but `events.export`."""

    route: ClassVar[tuple[str, str]] = SESSIONS
    arguments: ClassVar[dict[str, object]] = {}

    def __init__(self, user: User) -> None:
        self.user = user
        self.client = user.client(**self.arguments)

    def _start(self, kind: str) -> Any:  # noqa: ANN401 - a type of the SDK's
        return self.client.sessions.start(self._session(kind))

    def _session(self, kind: str) -> dict[str, Any]:
        return {"session": {"session_name": self.user.name, "source": kind}}

    def _has(self, kind: str) -> bool:
        return bool(self.user.server.events(event_name=self.user.name, event_type="session", source=kind))

    def call(self) -> object:
        return "an answer" if self._start("during").session_id else "no session"

    def is_kept(self) -> bool:
        return self._has("during")

    def again(self) -> object:
        return self._start("after").session_id

    def is_kept_again(self) -> bool:
        return self._has("after")


class AsyncClient(Client):
    """The asynchronous twin."""

    def _start(self, kind: str) -> Any:  # noqa: ANN401 - a type of the SDK's
        return asyncio.run(self.client.sessions.start_async(self._session(kind)))


class HurriedClient(Client):
    """A client that is told not to wait long."""

    arguments: ClassVar = {"timeout": 0.4}


ENTRIES: dict[str, type[Entry]] = {
    "init": Init,
    "span export": SpanExport,
    "flush": Flush,
    "shutdown": Shutdown,
    "enrich session": EnrichSession,
    "enrich span": EnrichSpan,
    "create event": CreateEvent,
    "client": Client,
    "async client": AsyncClient,
    "hurried client": HurriedClient,
}
