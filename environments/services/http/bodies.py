"""From the bytes of a request to a document: size, content encoding, JSON. Everything here is bounded.

The limit holds for what arrives and again for what it decompresses to, so a gzip bomb costs no more than the limit.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from typing import TYPE_CHECKING, NoReturn, cast

import msgspec

from environments.services.http.errors import ApiError, bad_request
from environments.services.http.json_types import MAX_DEPTH, Json, JsonObject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive

DEFAULT_LIMIT = 32 * 1024 * 1024
# A client that is still sending does not read our 413: swallow what it sends, to this many times the limit.
_SWALLOWED_LIMITS = 8

_GZIP = 16 + zlib.MAX_WBITS
_WINDOWS = {"gzip": (_GZIP,), "x-gzip": (_GZIP,), "deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS)}

_LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


async def read(receive: Receive, limit: int) -> bytes:
    """Read a whole request body, or raise 413 once all of it has been swallowed."""
    pieces: list[bytes] = []
    size = 0
    more = True
    while more and size <= limit * _SWALLOWED_LIMITS:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise bad_request("the client went away before its request was complete")
        piece: bytes = message.get("body", b"")
        size += len(piece)
        if size <= limit:
            pieces.append(piece)
        more = message.get("more_body", False)
    if size > limit:
        raise _too_large(limit)
    return b"".join(pieces)


def expected_to_fit(headers: Mapping[str, str], limit: int) -> None:
    """Raise 413 at once for a client that asks before it sends (`Expect: 100-continue`)."""
    length = headers.get("content-length", "")
    if headers.get("expect", "").lower() == "100-continue" and length.isdigit() and int(length) > limit:
        raise _too_large(limit)


def decoded(body: bytes, encoding: str, limit: int) -> bytes:
    """Undo the content encoding."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding not in _WINDOWS:
        known = ", ".join(sorted(_WINDOWS))
        raise ApiError(415, f"content encoding {encoding!r} is not supported; supported are {known}")
    for window in _WINDOWS[encoding]:  # "deflate" is sent both with and without the zlib header
        try:
            return _inflated(body, window, limit)
        except zlib.error:
            continue
    raise bad_request(f"the body is not valid {encoding}")


def _inflated(body: bytes, window: int, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    rest = body
    while rest or not pieces:  # gzip allows several members after one another
        stream = zlib.decompressobj(window)
        piece = stream.decompress(rest, limit - size + 1)
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        if not stream.eof:
            raise zlib.error("truncated")
        pieces.append(piece)
        rest = stream.unused_data
    return b"".join(pieces)


def media_type(headers: Mapping[str, str]) -> str:
    """Return the content type without its parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def require_media_type(headers: Mapping[str, str], *accepted: str) -> str:
    """Return the content type if it is one of those accepted, or raise 415."""
    sent = media_type(headers)
    if sent not in accepted:
        raise ApiError(415, f"content type {sent or '(none)'!r} is not supported here; send {' or '.join(accepted)}")
    return sent


def parse(body: bytes, *, depth_checked_later: bool = False) -> Json:
    """Parse JSON strictly: UTF-8, no NaN or Infinity, bounded nesting, no halves of characters."""
    try:
        value = _parsed(body)
        if not depth_checked_later and body.count(b"[") + body.count(b"{") > MAX_DEPTH:
            _check_depth(value)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the body is not valid JSON: {error}") from None
    return value


def _parsed(body: bytes) -> Json:
    try:
        return cast("Json", msgspec.json.decode(body))
    except msgspec.DecodeError:
        # Python's own parser says better what is wrong. And half a surrogate pair is legal in JSON and in a Python
        # string, but cannot be stored as UTF-8.
        value = json.loads(body.decode(), parse_constant=_refuse_constant, parse_float=_finite)
        return without_surrogates(value)


def parse_object(body: bytes) -> JsonObject:
    """Parse JSON that must be an object."""
    value = parse(body)
    if not isinstance(value, dict):
        raise bad_request("the body must be a JSON object")
    return cast("JsonObject", value)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _check_depth(value: Json) -> None:
    level: list[Json] = [value]
    for _ in range(MAX_DEPTH + 1):
        if not level:
            return
        level = [child for item in level for child in _children(item)]
    raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")


def _children(value: Json) -> list[Json]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def without_surrogates(value: Json) -> Json:
    """Replace halves of characters, which no UTF-8 can hold."""
    if isinstance(value, str):
        return _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {cast("str", without_surrogates(key)): without_surrogates(item) for key, item in value.items()}
    return value


def _too_large(limit: int) -> ApiError:
    return ApiError(413, f"the body is larger than the {limit} bytes that are accepted")
