"""The one HTTPS server that the gateway talks to: TLS verified, all bounded, no redirects, cookies or proxies.

It speaks through httpx's transport, below the client that would follow, remember and add things of its own. What comes
back is read whole and written anew: status, a few headers, the body, and no spelling of a key.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx

from environments.services.http.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from environments.profiles.addresses import Address
    from environments.services.gateway.redaction import Redactor
    from environments.services.gateway.requests import Forward

MAX_ANSWER = 64 * 1024 * 1024
_CONNECTED_WITHIN_S = 10.0
_CONNECTIONS = 32
_MAX_STATUS = 599
_OPENED = frozenset({"", "identity", "gzip", "deflate"})
_PASSED = re.compile(r"content-type|retry-after|x-request-id|request-id|x-ratelimit-[a-z-]+")
_VALUE = re.compile(r"[\x20-\x7e]{0,1000}")
_AGENT = "honeyhive-integration-matrix"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the upstream said, without its keys."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    # When it says it was; not handed on, because the answer that leaves the gateway has a time of its own.
    date: str = ""


@dataclass(frozen=True, slots=True)
class Tls:
    """The connection that the latest answer came over."""

    version: str
    expires: datetime


def tls_context(authority: Path | None) -> ssl.SSLContext:
    """Return what verifies the upstream: by the system's authorities, or by a private one alone."""
    context = ssl.create_default_context(cafile=authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


class Upstream:
    """A server and the way to it. `answered` raises ApiError 502 or 504 where it doesn't answer as a server should."""

    def __init__(self, address: Address, context: ssl.SSLContext, redactor: Redactor) -> None:
        self.address = address
        self.tls: Tls | None = None
        self._redactor = redactor
        # A connection each, as the SDK does: one that is kept may be closed by the other side just as it is used again.
        limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=0)
        self._transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits)

    async def answered(self, forward: Forward, credential: tuple[str, str] | None, within_s: float) -> Answer:
        """Send a request with this header that holds a key, and return the answer."""
        try:
            async with asyncio.timeout(within_s):
                return await self._exchange(self._request(forward, credential, within_s))
        except (TimeoutError, httpx.TimeoutException):
            raise ApiError(504, f"the upstream did not answer within {within_s:g} s") from None
        except httpx.DecodingError:
            raise ApiError(502, "the upstream's answer is not compressed as it says") from None
        except httpx.ConnectError as error:
            raise ApiError(502, f"the upstream cannot be reached: {_why(error)}") from None
        except httpx.TransportError as error:
            # Its text may quote what was sent.
            raise ApiError(502, f"the upstream broke off: {type(error).__name__}") from None

    def _request(self, forward: Forward, credential: tuple[str, str] | None, within_s: float) -> httpx.Request:
        headers = {"user-agent": _AGENT, **forward.headers, "accept-encoding": "identity"}
        if credential is not None:
            headers |= [credential]
        url = httpx.URL(f"{self.address}{forward.target}")
        if url.raw_path.decode("ascii") != self.address.path + forward.target:
            # The client has its own mind about how this is written: then it is not what was judged.
            raise ApiError(403, "the gateway does not forward this: its target has more than one spelling")
        timeout = httpx.Timeout(within_s, connect=_CONNECTED_WITHIN_S)
        return httpx.Request(
            forward.method,
            url,
            headers=headers,
            content=forward.body or None,
            extensions={"timeout": timeout.as_dict()},
        )

    async def _exchange(self, request: httpx.Request) -> Answer:
        response = await self._transport.handle_async_request(request)
        response.request = request
        try:
            self._note_tls(response)
            body = await _read(response)
        finally:
            await response.aclose()
        if response.status_code > _MAX_STATUS:
            raise ApiError(502, f"the upstream answered {response.status_code}, which is no status")
        headers = {
            name: self._redactor(value)
            for name, value in response.headers.items()
            if _PASSED.fullmatch(name) and _VALUE.fullmatch(value)
        }
        return Answer(response.status_code, headers, self._redactor.of_bytes(body), response.headers.get("date", ""))

    def _note_tls(self, response: httpx.Response) -> None:
        channel = response.extensions["network_stream"].get_extra_info("ssl_object")
        expires = ssl.cert_time_to_seconds(channel.getpeercert()["notAfter"])
        self.tls = Tls(channel.version(), datetime.fromtimestamp(expires, UTC))

    async def aclose(self) -> None:
        await self._transport.aclose()


async def _read(response: httpx.Response) -> bytes:
    if response.headers.get("content-encoding", "").strip().lower() not in _OPENED:
        raise ApiError(502, "the upstream's answer is compressed in a way that the gateway cannot look into")
    pieces: list[bytes] = []
    size = 0
    async for piece in response.aiter_bytes():
        size += len(piece)
        if size > MAX_ANSWER:
            raise ApiError(502, f"the upstream's answer is larger than {MAX_ANSWER} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _why(error: httpx.ConnectError) -> str:
    """Say what is wrong with the connection: nothing was sent yet, so its text quotes nothing of a request."""
    return str(error) or type(error).__name__
