"""The ASGI application: routing, keys, errors. Every answer, errors included, is in the API's shape."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, QueryParams
from starlette.routing import Route, Router

from environments.services.honeyhive import openapi, page
from environments.services.honeyhive.api.calls import Call, Incoming, answer, raw_answer
from environments.services.honeyhive.evaluation.evaluators import Evaluators
from environments.services.honeyhive.routes import ROUTES, accepted_keys
from environments.services.http import bodies
from environments.services.http.errors import ApiError, error_response, not_found, translated
from environments.services.http.json_types import dump

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from environments.services.honeyhive.api.calls import Handler
    from environments.services.honeyhive.storage.keys import Keys
    from environments.services.honeyhive.storage.store import Store

_log = logging.getLogger(__name__)
_NO_LLM = Evaluators()
# As many as anyio would have, through which the way costs a small request twice as much.
_WORKERS = ThreadPoolExecutor(40, thread_name_prefix="request")


def create_app(
    store: Store,
    keys: Keys,
    clock: Callable[[], int] = time.time_ns,
    body_limit: int = bodies.DEFAULT_LIMIT,
    evaluators: Evaluators = _NO_LLM,
    *,
    with_page: bool = False,
) -> ASGIApp:
    """Build the application. `clock` tells the time in nanoseconds since 1970."""

    def keyed(route: tuple[str, str], handler: Handler) -> Answerer:
        accepted = accepted_keys(route, handler)

        def run(incoming: Incoming) -> Response:
            project = keys.project_of(incoming.headers.get("authorization"), accepted, incoming.now_ns)
            return handler(Call(project, store.of(project), incoming, keys, evaluators))

        return run

    answerers = {route: keyed(route, handler) for route, handler in ROUTES.items()}
    described = dump(openapi.document())
    keyless: dict[tuple[str, str], Answerer] = {
        ("GET", "/healthz"): _healthy,
        ("GET", "/openapi.json"): lambda _incoming: raw_answer(described),
    }
    if with_page:
        keyless |= {("GET", path): answerer for path, answerer in page.routes(store, keys.projects).items()}
    return router({**keyless, **answerers}, clock, body_limit)


def router(
    answerers: Mapping[tuple[str, str], Answerer],
    clock: Callable[[], int] = time.time_ns,
    body_limit: int = bodies.DEFAULT_LIMIT,
) -> ASGIApp:
    """Route to what answers each method and path; everything else gets an error in the API's shape."""
    by_path: dict[str, dict[str, Answerer]] = defaultdict(dict)
    for (method, path), answerer in answerers.items():
        by_path[path][method] = answerer
    # A path is more specific the later its first parameter comes: `/v1/events/export` before `/v1/events/{id}`.
    paths = sorted(by_path, key=lambda path: path.replace("{", "\x7f"))
    resources = {path: _Resource(by_path[path], clock, body_limit) for path in paths}
    # The SDK does not follow redirects, so a path is right or wrong.
    routes = [Route(path, resource) for path, resource in resources.items()]
    by_pattern = Router(routes, redirect_slashes=False, default=_Resource(None, clock, body_limit))

    async def routed(scope: Scope, receive: Receive, send: Send) -> None:
        # Most paths are literal: they need not be tried against one pattern after the other.
        await resources.get(scope["path"], by_pattern)(scope, receive, send)

    return routed


if TYPE_CHECKING:
    Answerer = Callable[[Incoming], Response]


def _healthy(_incoming: Incoming) -> Response:
    return answer({"status": "ok"})


@dataclass(frozen=True, slots=True)
class _Resource:
    """All that can be done with one path; with no path at all, what answers everything else."""

    answerers: Mapping[str, Answerer] | None
    clock: Callable[[], int]
    body_limit: int

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            response = await self._answer(scope, receive)
        except Exception as error:  # the one place where foreign exceptions become answers
            response = error_response(_as_api_error(error, scope))
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        headers = Headers(scope=scope)
        bodies.expected_to_fit(headers, self.body_limit)
        body = await bodies.read(receive, self.body_limit)
        query = QueryParams(scope["query_string"])
        params = scope.get("path_params", {})
        incoming = Incoming(headers, params, query, body, self.body_limit, self.clock())
        return await asyncio.get_running_loop().run_in_executor(_WORKERS, self._answerer(scope), incoming)

    def _answerer(self, scope: Scope) -> Answerer:
        if self.answerers is None:
            raise not_found(f"route {scope['path']!r}")
        if scope["method"] not in self.answerers:
            allowed = ", ".join(sorted(self.answerers))
            message = f"{scope['method']} is not allowed on {scope['path']!r}, only {allowed}"
            raise ApiError(405, message, headers={"Allow": allowed})
        return self.answerers[scope["method"]]


def _as_api_error(error: Exception, scope: Scope) -> ApiError:
    known = translated(error)
    if known is not None:
        return known
    _log.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
    return ApiError(500, "internal error")
