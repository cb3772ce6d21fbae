"""What may go through the door: everything to staging (`paced`), the reads in `operations` to production (`read-only`).

Pure. A policy is chosen when the gateway starts, and nothing that arrives can change it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from environments.services.gateway import operations, requests
from environments.services.gateway.requests import Arrived, Forward, refused
from environments.services.http import bodies
from environments.services.http.errors import ApiError
from environments.services.http.json_types import dump

if TYPE_CHECKING:
    from collections.abc import Mapping

    from environments.services.gateway.operations import Operation

_JSON = "application/json"
_QUERY_LIMIT = 64 * 1024

_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_REPEATABLE = frozenset({"GET", "PUT", "DELETE"})
_READ_HEADERS = re.compile(r"accept|user-agent|hh-client-(version|language|package|timestamp)")
_HEADERS = re.compile(
    _READ_HEADERS.pattern
    + r"|content-type|content-encoding|x-(source|project)|anthropic-(version|beta)|openai-(organization|project|beta)"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

# The SDK gives up after 5 s, but for exports of events (300 s) and of spans (30 s).
_PATIENCE_S = 3.5
_PATIENT: Mapping[str, float] = {"/v1/events/export": 60.0, "/opentelemetry/v1/traces": 20.0}
_ANSWERED_WITHIN_S = 60.0
_SLOW: Mapping[str, float] = {"/v1/events/export": 300.0}


class Policy(StrEnum):
    """What the gateway forwards."""

    PACED = "paced"
    READ_ONLY = "read-only"


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may be forwarded once its body is read.

    `patience_s` is how long it may wait for its turn, below what its client waits for the whole answer; a `repeatable`
    request may be sent again after a 429.
    """

    request: Arrived
    operation: Operation | None
    body_limit: int
    repeatable: bool
    patience_s: float
    answered_within_s: float


def admitted(policy: Policy, request: Arrived) -> Admitted:
    """Judge a request by its head; raise 403 with the reason for what is not forwarded."""
    operation = operations.find(request.method, request.path)
    if policy is Policy.READ_ONLY:
        _refuse_unless_read(request, operation)
    elif request.method not in _METHODS:
        raise refused(f"the method {request.method[:20]!r}; methods are {', '.join(sorted(_METHODS))}")
    return Admitted(
        request,
        operation,
        _QUERY_LIMIT if policy is Policy.READ_ONLY else bodies.DEFAULT_LIMIT,
        request.method in _REPEATABLE or (operation is not None and operation.read),
        _PATIENT.get(request.path, _PATIENCE_S),
        _SLOW.get(request.path, _ANSWERED_WITHIN_S),
    )


def forward(policy: Policy, chosen: Admitted, body: bytes) -> Forward:
    """Build what is sent on, or raise ApiError for a body that must not be."""
    request = chosen.request
    if policy is Policy.PACED:
        headers = requests.passed(request, lambda name: _HEADERS.fullmatch(name) is not None)
        return Forward(request.method, requests.target(request), headers, body)
    headers = requests.passed(request, lambda name: _READ_HEADERS.fullmatch(name) is not None)
    assert chosen.operation is not None  # or it were not admitted
    if chosen.operation.check is None:
        return Forward(request.method, requests.target(request), headers, b"")
    return Forward(
        request.method,
        requests.target(request),
        {**headers, "content-type": _JSON},
        _query_anew(chosen.operation, body),
    )


def _query_anew(operation: Operation, body: bytes) -> bytes:
    assert operation.check is not None  # its caller asked
    query = bodies.parse_object(body)
    operation.check(query)
    return dump(query).encode()


def _refuse_unless_read(request: Arrived, operation: Operation | None) -> None:
    if operation is None:
        raise refused(f"production is read-only, and {request.method[:20]} of this path is none of the reads it knows")
    if not operation.read:
        raise refused(f"production is read-only, and {operation.method} {operation.template} is no read")
    for name, value in request.query:
        if name not in operation.query:
            known = ", ".join(sorted(operation.query)) or "none"
            raise refused(f"{operation.template} has no such parameter; it has {known}")
        if _CONTROL.search(value):
            raise refused(f"a control character in the parameter {name!r}")
    if operation.check is not None:
        _refuse_unless_json(request)
    elif request.has_body:
        raise refused(f"a {request.method} with a body")


def _refuse_unless_json(request: Arrived) -> None:
    kind, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower()
    if kind.strip().lower() != _JSON or charset not in {"", "charset=utf-8"}:
        raise ApiError(403, f"the gateway does not forward this: a query's content type is {_JSON}")
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise refused("a query that is compressed")
