"""The control endpoint: what a cell may ask the gateway itself. On a port of its own, behind a token of its own.

    POST /keys    {"test": "<its id>"}   the test's placeholder keys, by kind: {"keys": {"project": "hh_…"}}
    GET  /status                         what tests cannot see of the upstream themselves: see `status`
    GET  /counts                         requests so far, by decision

It is no part of any API that the gateway leads to.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response

from environments.inside.target import LONGEST_TEST_ID
from environments.services.gateway import status
from environments.services.http import bodies
from environments.services.http.errors import ApiError, error_response
from environments.services.http.json_types import dump

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from environments.services.gateway.app import Gateway
    from environments.services.gateway.placeholders import Kind
    from environments.services.http.json_types import Json

_BODY_LIMIT = 16 * 1024
_TURN_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Control:
    """Answers for one gateway."""

    token: str
    gateway: Gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            body = await bodies.read(receive, _BODY_LIMIT)
            self._refuse_without_token(dict(scope["headers"]).get(b"authorization", b""))
            response = Response(dump(await self._answer(scope, body)), media_type="application/json")
        except ApiError as error:
            response = error_response(error)
        await response(scope, receive, send)

    def _refuse_without_token(self, authorization: bytes) -> None:
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer" or not secrets.compare_digest(token, self.token.encode()):
            raise ApiError(401, "the control endpoint needs its token: 'Authorization: Bearer <token>'")

    async def _answer(self, scope: Scope, body: bytes) -> Json:
        match scope["method"], scope["path"]:
            case "POST", "/keys":
                return {"keys": {kind.value: key for kind, key in self._mint(body)}}
            case "GET", "/status":
                await self.gateway.pace.wait(_TURN_WITHIN_S)
                return await status.document(self.gateway.policy, self.gateway.placeholders, self.gateway.upstream)
            case "GET", "/counts":
                return dict(self.gateway.audit.counts)
            case _:
                raise ApiError(404, "the control endpoint has POST /keys, GET /status and GET /counts")

    def _mint(self, body: bytes) -> list[tuple[Kind, str]]:
        wanted = bodies.parse_object(body)
        test = wanted.get("test")
        if wanted.keys() != {"test"} or not isinstance(test, str) or not 0 < len(test) <= LONGEST_TEST_ID:
            raise ApiError(400, f'the body must be {{"test": "<its id>"}}, of 1 to {LONGEST_TEST_ID} characters')
        return list(self.gateway.placeholders.mint(test).items())
