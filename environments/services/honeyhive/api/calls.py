"""What a route's function gets, and how its answer is written.

The functions are plain and synchronous: each runs in a worker thread, so it may parse, query and wait for a commit
without holding up anybody else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from starlette.responses import Response

from environments.services.http import bodies
from environments.services.http.json_types import Json, JsonObject, dump

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams

    from environments.services.honeyhive.evaluation.evaluators import Evaluators
    from environments.services.honeyhive.storage.documents import ProjectDocuments
    from environments.services.honeyhive.storage.keys import Keys, Project
    from environments.services.honeyhive.storage.store import ProjectStore

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request, read completely."""

    headers: Mapping[str, str]
    params: Mapping[str, str]
    query: QueryParams
    raw_body: bytes
    body_limit: int
    now_ns: int

    def body(self) -> bytes:
        """Return the body with its content encoding undone."""
        return bodies.decoded(self.raw_body, self.headers.get("content-encoding", ""), self.body_limit)

    def object(self) -> JsonObject:
        """Return the body, which must be a JSON object."""
        bodies.require_media_type(self.headers, JSON)
        return bodies.parse_object(self.body())


@dataclass(frozen=True, slots=True)
class Call:
    """A request with a valid key: whose it is, what that project sees, and what runs its metrics."""

    project: Project
    store: ProjectStore
    incoming: Incoming
    keys: Keys
    evaluators: Evaluators

    @property
    def documents(self) -> ProjectDocuments:
        """What the project stores beside its events."""
        return self.store.documents

    @property
    def now_ns(self) -> int:
        """When the request came."""
        return self.incoming.now_ns

    @property
    def params(self) -> Mapping[str, str]:
        """The parts of the path that the route names."""
        return self.incoming.params

    @property
    def query(self) -> QueryParams:
        """The query of the URL."""
        return self.incoming.query

    def object(self) -> JsonObject:
        """Return the body, which must be a JSON object."""
        return self.incoming.object()


Handler: TypeAlias = Callable[[Call], Response]
# (method, path) -> what answers it.
Routes: TypeAlias = Mapping[tuple[str, str], Handler]


def answer(value: Json) -> Response:
    """Answer 200 with JSON; the SDK accepts no other status and no empty body."""
    return raw_answer(dump(value))


def raw_answer(text: str, media_type: str = JSON) -> Response:
    """Answer 200 with what is written already."""
    return Response(text.encode(), media_type=media_type)
