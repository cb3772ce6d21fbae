"""Making tracers and clients that are pointed at the target."""

from __future__ import annotations

import contextlib
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from honeyhive import HoneyHive, HoneyHiveTracer

    from environments.inside.target import Target
    from tests.support.cleanup import Cleanup
    from tests.support.projects import Tenant
    from tests.support.server import Server

# Of the right shape, and known to no server.
UNKNOWN_KEY = "hh_0123456789abcdef0123456789abcdef"


@contextlib.contextmanager
def fresh_context() -> Iterator[None]:
    """Begin with an empty OpenTelemetry context: a tracer leaves its session in the baggage of the current one."""
    from opentelemetry.context import Context, attach, detach

    token = attach(Context())
    yield
    detach(token)


@dataclass
class Tracers:
    """Makes tracers whose sessions are named after the test, and deleted after it."""

    target: Target
    server: Server
    cleanup: Cleanup
    name: str
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __call__(self, **arguments: Any) -> HoneyHiveTracer:  # noqa: ANN401 - whatever `init` takes
        """Return a tracer; `arguments` come on top of those that point it at the target."""
        from honeyhive import HoneyHiveTracer

        number = next(self._numbers)
        given = {
            **pointed_at(self.target, self.server.project),
            "project": self.server.project.name,
            "session_name": self.name if number == 1 else f"{self.name}-{number}",
            **arguments,
        }
        tracer = HoneyHiveTracer.init(**given)
        self.delete_afterwards(tracer)
        return tracer

    def delete_afterwards(self, tracer: HoneyHiveTracer) -> None:
        """Register the session of a tracer that the test made itself."""

        def delete() -> None:
            tracer.flush()  # what is sent later would bring the session back
            self.server.delete_session(tracer.session_id)

        self.cleanup.register(f"{tracer.session_name} {tracer.session_id}", delete)


def pointed_at(target: Target, project: Tenant) -> dict[str, str]:
    """Return the arguments of `init` without which a tracer talks to production."""
    return {"api_key": project.api_key, "server_url": target.base_url}


def client_of(target: Target, project: Tenant, **arguments: Any) -> HoneyHive:  # noqa: ANN401 - whatever it takes
    """Return a client of a project."""
    from honeyhive import HoneyHive

    return HoneyHive(**{"api_key": project.api_key, "base_url": target.base_url, **arguments})
