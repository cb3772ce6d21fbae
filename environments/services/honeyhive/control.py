"""The control endpoint: what a test may do to the service itself. On a port of its own, behind a token of its own.

    POST   /projects          {"name"?}                         a project, with a key of each kind
    DELETE /projects/{id}                                       the project, its data and its keys
    POST   /keys              {"project_id", "kind", "expires_in_s"?}
    POST   /keys/revoke       {"key"}                           the key itself, or its id
    GET    /ingestion                                           {"lag_ms"}
    PUT    /ingestion         {"lag_ms"}

HoneyHive has nothing like it. It is no part of the API that the service answers for.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

from environments.services.honeyhive.api import schemas
from environments.services.honeyhive.api.calls import Incoming, answer
from environments.services.honeyhive.api.schemas import ID, WHOLE, one_of, sent
from environments.services.honeyhive.storage.keys import Kind
from environments.services.honeyhive.storage.visibility import MAX_LAG_MS
from environments.services.http.errors import ApiError, not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.responses import Response

    from environments.services.honeyhive.storage.keys import Keys, Registered
    from environments.services.honeyhive.storage.visibility import Visibility
    from environments.services.http.json_types import Json

    Answerer: TypeAlias = Callable[[Incoming], Response]

_SCHEME = "bearer"
_MAX_EXPIRY_S = 10**9
_NS_PER_S = 1_000_000_000

_NEW_PROJECT = sent({}, {"name": ID}, closed=True)
_NEW_KEY = sent({"project_id": ID, "kind": one_of(*Kind)}, {"expires_in_s": WHOLE}, closed=True)
_REVOKED = sent({"key": ID}, {}, closed=True)
_INGESTION = sent({"lag_ms": {"type": "integer", "minimum": 0, "maximum": MAX_LAG_MS}}, {}, closed=True)


@dataclass(frozen=True, slots=True)
class Control:
    """Answers for one service: its keys, and what its readers see."""

    token: str
    keys: Keys
    visibility: Visibility
    clock: Callable[[], int] = time.time_ns

    def routes(self) -> Mapping[tuple[str, str], Answerer]:
        """Return what answers each method and path."""
        answerers: Mapping[tuple[str, str], Callable[[Incoming], Json]] = {
            ("POST", "/projects"): self._create_project,
            ("DELETE", "/projects/{project_id}"): self._delete_project,
            ("POST", "/keys"): self._mint,
            ("POST", "/keys/revoke"): self._revoke,
            ("GET", "/ingestion"): self._ingestion,
            ("PUT", "/ingestion"): self._set_ingestion,
        }
        return {route: self._tokened(run) for route, run in answerers.items()}

    def _tokened(self, run: Callable[[Incoming], Json]) -> Answerer:
        def checked(incoming: Incoming) -> Response:
            scheme, _, token = incoming.headers.get("authorization", "").partition(" ")
            if scheme.lower() != _SCHEME or not secrets.compare_digest(token.encode(), self.token.encode()):
                raise ApiError(401, "the control endpoint needs its token: 'Authorization: Bearer <token>'")
            return answer(run(incoming))

        return checked

    def _create_project(self, incoming: Incoming) -> Json:
        wanted = incoming.object()
        schemas.check(_NEW_PROJECT, wanted)
        name = str(wanted.get("name") or f"project-{secrets.token_hex(8)}")
        project = self.keys.create(name, {}, self.clock()).project
        keys = {kind.value: self.keys.mint(project, kind).value for kind in Kind}
        return {"id": project.id, "name": project.name, "keys": keys}

    def _delete_project(self, incoming: Incoming) -> Json:
        known = self._project(incoming.params["project_id"])
        self.keys.delete(known)
        return {"deleted": known.project.id}

    def _mint(self, incoming: Incoming) -> Json:
        wanted = incoming.object()
        schemas.check(_NEW_KEY, wanted)
        project = self._project(str(wanted["project_id"])).project
        expires_in_s = wanted.get("expires_in_s")
        expires_ns = None
        if isinstance(expires_in_s, int | float):
            expires_ns = self.clock() + int(max(-_MAX_EXPIRY_S, min(expires_in_s, _MAX_EXPIRY_S))) * _NS_PER_S
        minted = self.keys.mint(project, Kind(str(wanted["kind"])), expires_ns)
        return {"key": minted.value, "key_id": minted.key_id}

    def _revoke(self, incoming: Incoming) -> Json:
        wanted = incoming.object()
        schemas.check(_REVOKED, wanted)
        self.keys.revoke(str(wanted["key"]))
        return {"revoked": True}

    def _ingestion(self, _incoming: Incoming) -> Json:
        return {"lag_ms": self.visibility.lag_ms}

    def _set_ingestion(self, incoming: Incoming) -> Json:
        wanted = incoming.object()
        schemas.check(_INGESTION, wanted)
        self.visibility.lag_ms = int(cast("float", wanted["lag_ms"]))
        return {"lag_ms": self.visibility.lag_ms}

    def _project(self, project_id: str) -> Registered:
        known = self.keys.known(project_id)
        if known is None:
            raise not_found(f"project {project_id!r}")
        return known
