"""The door as an ASGI application: read, judged, waited for, forwarded, audited, answered."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import Response

from environments.services.gateway import operations, requests
from environments.services.gateway.audit import Decision, Entry
from environments.services.gateway.policy import Policy, admitted, forward
from environments.services.http import bodies
from environments.services.http.errors import ApiError, error_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send

    from environments.services.gateway.audit import Audit
    from environments.services.gateway.pacing import Pace
    from environments.services.gateway.placeholders import Placeholders
    from environments.services.gateway.policy import Admitted
    from environments.services.gateway.requests import Arrived, Forward
    from environments.services.gateway.upstream import Answer, Upstream

_log = logging.getLogger(__name__)

# A request's head, and again its body.
ARRIVES_WITHIN_S = 10.0
_TAKEN_WITHIN_S = 60.0
_TOO_MANY = 429
_DEFAULT_RETRY_S = 1.0
# Of a body that nobody will look at, so much is read that a client gets to read our answer.
_SWALLOWED = 256 * 1024


@dataclass(frozen=True, slots=True)
class Gateway:
    """One door. Every request leaves one line in the audit, whatever becomes of it."""

    policy: Policy
    placeholders: Placeholders
    upstream: Upstream
    pace: Pace
    audit: Audit
    arrives_within_s: float = ARRIVES_WITHIN_S

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        began = time.monotonic()
        method, path = requests.method_of(scope), requests.path_of(scope)
        effect, test = operations.effect_of(method, path), self._test_of(scope)
        entry = Entry(method, operations.template_of(method, path), effect, test)
        try:
            response = _as_response(await self._answered(scope, receive, entry))
            entry.decision = Decision.RATE_LIMITED if response.status_code == _TOO_MANY else Decision.FORWARDED
        except ApiError as error:
            response = _refusal(error)
            entry.decision, entry.reason = _decision(error), error.message
        except asyncio.CancelledError:  # the gateway stops; what it may have sent has its line all the same
            entry.reason = entry.reason or "the gateway stopped before there was an answer"
            self.audit.add(entry)
            raise
        except Exception as error:  # a defect; nothing of the request gets into the answer
            _log.exception("%s %s failed", entry.method, entry.template)
            response = _refusal(ApiError(502, f"the gateway failed: {type(error).__name__}"))
            entry.decision, entry.reason = Decision.FAILED, type(error).__name__
        entry.status, entry.ms = response.status_code, round((time.monotonic() - began) * 1000)
        self.audit.add(entry)
        with suppress(TimeoutError):  # a client that doesn't read holds nothing for longer: its connection is closed
            async with asyncio.timeout(_TAKEN_WITHIN_S):
                await response(scope, receive, send)

    def _test_of(self, scope: Scope) -> str | None:
        holders = filter(None, map(self.placeholders.holder, requests.keys_sent(scope)))
        return next((holder.test for holder in holders), None)

    async def _answered(self, scope: Scope, receive: Receive, entry: Entry) -> Answer:
        try:
            request = requests.arrived(scope)
            key = requests.key_in(request)
            chosen = admitted(self.policy, request)
        except ApiError as error:
            entry.decision, entry.reason = _decision(error), error.message
            await self._swallow(receive)
            raise
        body = await self._body(request, receive, chosen.body_limit)
        return await self._exchanged(chosen, forward(self.policy, chosen, body), self._credential(key), entry)

    async def _body(self, request: Arrived, receive: Receive, limit: int) -> bytes:
        try:
            bodies.expected_to_fit(request.headers, limit)
            async with asyncio.timeout(self.arrives_within_s):
                return await bodies.read(receive, limit)
        except TimeoutError:
            raise ApiError(408, f"the body did not arrive within {self.arrives_within_s:g} s") from None

    async def _swallow(self, receive: Receive) -> None:
        """Read a refused request's body: a connection that is closed on unread bytes takes our answer with it."""
        try:
            async with asyncio.timeout(self.arrives_within_s):
                await bodies.read(receive, _SWALLOWED)
        except (ApiError, TimeoutError):
            return

    def _credential(self, key: tuple[str, str] | None) -> tuple[str, str] | None:
        """Return the header that the upstream gets: with the real key for a placeholder, else with one that is none."""
        if key is None:
            return None
        header, sent = key
        holder = self.placeholders.holder(sent)
        put = self.placeholders.real(holder.kind) if holder else self.placeholders.wrong(sent)
        return header, f"Bearer {put}" if header == "authorization" else put

    async def _exchanged(
        self, chosen: Admitted, sent: Forward, credential: tuple[str, str] | None, entry: Entry
    ) -> Answer:
        """Send, in turn; wait out a 429 where the request may be sent again and there is time."""
        give_up = time.monotonic() + chosen.patience_s
        while True:
            waited_s = await self.pace.wait(max(0.0, give_up - time.monotonic()))
            entry.waited_ms += round(waited_s * 1000)
            entry.tries += 1
            answer = await self.upstream.answered(sent, credential, chosen.answered_within_s)
            if answer.status != _TOO_MANY:
                return answer
            wait_s = _retry_after_s(answer.headers)
            await self.pace.hold_back(wait_s)
            if not chosen.repeatable or time.monotonic() + wait_s > give_up:
                entry.reason = "the upstream's 429 was handed on: " + (
                    "there was no time to wait it out" if chosen.repeatable else "a write is not sent twice"
                )
                return answer


def _retry_after_s(headers: Mapping[str, str]) -> float:
    told = headers.get("retry-after", "").strip()
    # A date is left alone: what a limit is counted in is seconds, and our clock may be wrong.
    return float(told) if told.isdecimal() else _DEFAULT_RETRY_S


def _decision(error: ApiError) -> Decision:
    decisions = {403: Decision.REFUSED, 429: Decision.RATE_LIMITED, 502: Decision.FAILED, 504: Decision.FAILED}
    return decisions.get(error.status, Decision.MALFORMED)


def _refusal(error: ApiError) -> Response:
    closing = {**(error.headers or {}), "Connection": "close"}
    return error_response(ApiError(error.status, error.message, headers=closing))


def _as_response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers))
