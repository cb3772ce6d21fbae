"""The ASGI application: which family asks, keys, routing, errors. Every answer is in the shape of the family asked."""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response

from environments.services.http import bodies
from environments.services.http.errors import ApiError
from environments.services.http.json_types import dump
from environments.services.llm import catalogue, chat, embeddings, messages, models, responses
from environments.services.llm.calls import Call, Stream
from environments.services.llm.delivery import deliver
from environments.services.llm.fields import Fields
from environments.services.llm.http_errors import ANTHROPIC, OPENAI, Family, LlmError, not_built
from environments.services.llm.models import Behaviour, Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from environments.services.http.json_types import JsonObject
    from environments.services.llm.calls import Endpoints, Reply

_log = logging.getLogger(__name__)

DEFAULT_LIMIT = 32 * 1024 * 1024
_MODELS = "/v1/models"
_VERSION = "anthropic-version"
_OPENAI: Endpoints = {
    "/v1/chat/completions": chat.complete,
    "/v1/responses": responses.respond,
    "/v1/embeddings": embeddings.embed,
}
_ANTHROPIC: Endpoints = {"/v1/messages": messages.create, "/v1/messages/count_tokens": messages.count}
_ENDPOINTS: Endpoints = {**_OPENAI, **_ANTHROPIC}
# What the real services have beside these, by how the path begins.
_NOT_BUILT = (
    *("/v1/responses/", "/v1/chat/completions/", "/v1/completions", "/v1/moderations", "/v1/images/", "/v1/audio/"),
    *("/v1/files", "/v1/batches", "/v1/assistants", "/v1/threads", "/v1/vector_stores", "/v1/fine_tuning/"),
    *("/v1/uploads", "/v1/conversations", "/v1/realtime", "/v1/evals", "/v1/messages/batches", "/v1/complete"),
)
# How often the SDKs of both families have tried already (openai 3.54, anthropic 2.11).
_RETRY_COUNT = "x-stainless-retry-count"


def create_app(clock: Callable[[], float] = time.time, body_limit: int = DEFAULT_LIMIT) -> ASGIApp:
    """Build the application. `clock` tells the time in seconds since 1970."""
    return _App(clock, body_limit)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request, read completely."""

    method: str
    path: str
    headers: Headers
    query: QueryParams
    body: bytes


@dataclass(frozen=True, slots=True)
class _Answered:
    """An answer, and how the model's name says that it is to leave."""

    reply: Reply
    behaviour: Behaviour
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class _App:
    clock: Callable[[], float]
    body_limit: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        family = _family(scope["path"], headers)
        request_id = (family.request_id_header, f"req_{uuid.uuid4().hex[:24]}")
        try:
            answered = await self._answered(scope, headers, receive)
        except Exception as error:  # the one place where foreign exceptions become answers
            await _refusal(_as_llm_error(error, scope), family, request_id)(scope, receive, send)
            return
        if isinstance(answered, Response):
            answered.headers[request_id[0]] = request_id[1]
            await answered(scope, receive, send)
        else:
            await deliver(answered.reply, answered.behaviour, answered.fault, request_id, receive, send)

    async def _answered(self, scope: Scope, headers: Headers, receive: Receive) -> Response | _Answered:
        bodies.expected_to_fit(headers, self.body_limit)
        body = await bodies.read(receive, self.body_limit)
        asked = _Asked(scope["method"], scope["path"], headers, QueryParams(scope["query_string"]), body)
        if asked.path == "/healthz":
            _require_method(asked, "GET")
            return _json({"status": "ok"})
        _require_key(headers)
        if asked.path in _ENDPOINTS:
            _require_method(asked, "POST")
            _require_version(asked)
            return await run_in_threadpool(self._answer, asked)
        return _json(_catalogue(asked))

    def _answer(self, asked: _Asked) -> _Answered:
        """Ask the endpoint, unless the model's name says that this attempt fails."""
        sent = self._sent(asked)
        behaviour = models.parse(sent.text("model"))
        fault = behaviour.fault_at(_attempt(asked.headers))
        streamed = sent.flag("stream")
        if fault is Fault.FAIL and not (streamed and behaviour.after is not None):
            raise behaviour.error()
        reply = _ENDPOINTS[asked.path](Call(sent, behaviour.says, int(self.clock())))
        if fault is Fault.FAIL and not isinstance(reply, Stream):
            raise behaviour.error()
        return _Answered(reply, behaviour, fault)

    def _sent(self, asked: _Asked) -> Fields:
        bodies.require_media_type(asked.headers, "application/json")
        body = bodies.decoded(asked.body, asked.headers.get("content-encoding", ""), self.body_limit)
        return Fields(bodies.parse_object(body))


def _family(path: str, headers: Headers) -> Family:
    """Tell who asks: by the path; where both families have it, by the headers that only Anthropic's clients send."""
    if path in _OPENAI:
        return OPENAI
    asks_anthropic = path.startswith("/v1/messages") or "x-api-key" in headers or _VERSION in headers
    return ANTHROPIC if asks_anthropic else OPENAI


def _require_key(headers: Headers) -> None:
    """Raise 401 where there is no key at all. OpenAI's stands in `Authorization`, Anthropic's in either header."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if headers.get("x-api-key", "").strip() or (scheme.lower() == "bearer" and token.strip()):
        return
    raise LlmError(401, "No API key was provided: send any, as 'Authorization: Bearer KEY' or 'x-api-key: KEY'")


def _require_version(asked: _Asked) -> None:
    if asked.path in _ANTHROPIC and not asked.headers.get(_VERSION):
        raise LlmError(400, f"{_VERSION}: header is required")


def _require_method(asked: _Asked, method: str) -> None:
    if asked.method != method:
        raise LlmError(
            405,
            f"Not allowed to {asked.method} on {asked.path}, only to {method}",
            code="method_not_supported",
            headers={"allow": method},
        )


def _catalogue(asked: _Asked) -> JsonObject:
    """Answer for the models, or say that a route is not known or not built."""
    one = asked.path.removeprefix(f"{_MODELS}/")
    if asked.path == _MODELS or (one and one != asked.path):
        _require_method(asked, "GET")
        for_anthropic = _family(asked.path, asked.headers) is ANTHROPIC
        if one == asked.path:
            return catalogue.anthropic_list(asked.query) if for_anthropic else catalogue.openai_list(asked.query)
        return catalogue.anthropic_model(one) if for_anthropic else catalogue.openai_model(one)
    if asked.path.startswith(_NOT_BUILT):
        raise not_built(f"{asked.method} {asked.path}")
    raise LlmError(404, f"Invalid URL ({asked.method} {asked.path})")


def _attempt(headers: Headers) -> int:
    """Return how many attempts came before this one, as the SDK tells."""
    told = headers.get(_RETRY_COUNT, "")
    return int(told) if told.isascii() and told.isdigit() and len(told) <= len("9999") else 0


def _json(body: JsonObject) -> Response:
    return Response(dump(body), media_type="application/json")


def _refusal(error: LlmError, family: Family, request_id: tuple[str, str]) -> Response:
    body = dump(family.error_body(error, request_id[1]))
    headers = {**error.headers, request_id[0]: request_id[1]}
    return Response(body, error.status, headers, "application/json")


def _as_llm_error(error: Exception, scope: Scope) -> LlmError:
    if isinstance(error, LlmError):
        return error
    if isinstance(error, ApiError):  # reading a body is shared with the HoneyHive service
        return LlmError(error.status, error.message)
    _log.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
    return LlmError(500, "internal error")
