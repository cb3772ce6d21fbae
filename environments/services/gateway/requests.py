"""What arrived, read strictly, and what is sent on, built anew from it: nothing is passed through. Pure.

Decisions are made on the path as it was sent, before anybody decodes it. What two readers could read differently (a
step up, an escaped slash, two lengths, a second method) is refused here under every policy, whatever it leads to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote_to_bytes, urlencode

from environments.services.http.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from starlette.types import Scope

MAX_TARGET = 16 * 1024
_MAX_FIELDS = 300

_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}|%")
_VALUE = re.compile(r"[\x20-\x7e]{1,300}")

_OVERRIDES = frozenset(
    {"x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url", "_method"}
)
_UPGRADES = frozenset({"upgrade", "http2-settings", "sec-websocket-key", "proxy-authorization", "proxy-connection"})
_ONCE = frozenset({"authorization", "x-api-key", "content-type", "content-encoding", "content-length", "expect"})
_VERSIONS = frozenset({"1.0", "1.1"})
_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request's head that has one meaning. Its headers may hold keys."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: Mapping[str, str] = field(repr=False)

    @property
    def has_body(self) -> bool:
        return "transfer-encoding" in self.headers or self.headers.get("content-length", "0") != "0"


@dataclass(frozen=True, slots=True)
class Forward:
    """A request to send: `target` is path and query as they go on the wire; headers are without the key."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def refused(why: str) -> ApiError:
    """Say why a request is not forwarded."""
    return ApiError(403, f"the gateway does not forward this: {why}")


def method_of(scope: Scope) -> str:
    """Return the method for the audit, cut where it is no method's length."""
    return str(scope["method"])[:20]


def path_of(scope: Scope) -> str:
    """Return the path as it was sent."""
    raw: bytes = scope["raw_path"]
    return raw.decode("latin-1")


def arrived(scope: Scope) -> Arrived:
    """Read a request's head, or raise 403 with what is wrong with it."""
    if scope["http_version"] not in _VERSIONS:
        raise refused("another HTTP than 1.0 and 1.1")
    _refuse_ambiguous_headers(scope["headers"])
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    path = path_of(scope)
    query: bytes = scope["query_string"]
    if len(path) + len(query) > MAX_TARGET:
        raise refused(f"its target is longer than {MAX_TARGET} bytes")
    _refuse_ambiguous_path(path)
    method: str = scope["method"]
    request = Arrived(method, path, _query(query.decode("latin-1")), headers)
    if method in _WITHOUT_BODY and request.has_body:
        raise refused(f"a {method} with a body")
    return request


def _refuse_ambiguous_headers(raw: list[tuple[bytes, bytes]]) -> None:
    names = [name.decode("latin-1").lower() for name, _ in raw]
    found = set(names)
    connections = [value for name, value in raw if name.lower() == b"connection"]
    for name in sorted(found & (_OVERRIDES | _UPGRADES)):
        raise refused(f"the header {name!r} asks for something else than its request line")
    for name in sorted(each for each in _ONCE & found if names.count(each) > 1):
        raise refused(f"more than one header {name!r}")
    if {"content-length", "transfer-encoding"} <= found:
        raise refused("a length and a transfer encoding, of which one is wrong")
    if any(b"upgrade" in value.lower() for value in connections):
        raise refused("an upgrade to another protocol")


def _refuse_ambiguous_path(path: str) -> None:
    if not path.startswith("/"):
        raise refused("its target is no path (CONNECT, an absolute URL, or an asterisk)")
    if not _PATH.fullmatch(path):
        raise refused("its path holds a character that no path holds")
    if "//" in path or any(segment.partition(";")[0] in {".", ".."} for segment in path.split("/")):
        raise refused("its path holds an empty segment or a step (`//`, `.`, `..`)")
    for escape in _ESCAPE.findall(path):
        if escape == "%" or _is_risky(unquote_to_bytes(escape)):
            raise refused("its path holds an escaped slash, dot, percent sign or control character")


def _is_risky(byte: bytes) -> bool:
    return byte in b"/\\.%;?#" or byte < b" " or byte == b"\x7f"


def _query(query: str) -> tuple[tuple[str, str], ...]:
    if "#" in query:
        raise refused("its target holds a fragment")
    try:
        return tuple(parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS))
    except ValueError:
        raise refused(f"its query is not UTF-8, or has more than {_MAX_FIELDS} fields") from None


def target(request: Arrived) -> str:
    """Write path and query anew."""
    query = urlencode(request.query, quote_via=quote, safe="")
    return f"{request.path}?{query}" if query else request.path


def passed(request: Arrived, known: Callable[[str], bool]) -> Mapping[str, str]:
    """Return the headers that are known, as far as they hold plain text."""
    return {name: value for name, value in request.headers.items() if known(name) and _VALUE.fullmatch(value)}


def keys_sent(scope: Scope) -> Iterator[str]:
    """Yield whatever stands where a key stands, of a request that may be refused for it: to know whose it is."""
    for name, value in scope["headers"]:
        if name.lower() in {b"authorization", b"x-api-key"}:
            yield value.decode("latin-1").rpartition(" ")[2]


def key_in(request: Arrived) -> tuple[str, str] | None:
    """Return the header that holds the key and the key itself, empty where it is in no known scheme; None: no key."""
    if "x-api-key" in request.headers and "authorization" in request.headers:
        raise refused("keys in two headers")
    if "x-api-key" in request.headers:
        return "x-api-key", request.headers["x-api-key"].strip()
    if "authorization" not in request.headers:
        return None
    scheme, _, key = request.headers["authorization"].partition(" ")
    return "authorization", key.strip() if scheme.lower() == "bearer" else ""
