"""Listening sockets, served: every port is bound before anything is said, signals end it cleanly."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

import uvicorn

from environments.errors import ServiceFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send
    from uvicorn.protocols.http.h11_impl import H11Protocol

HOST = "127.0.0.1"
# The SDK's exporter sends every 5 s over a kept connection and does not try again: never close it in between.
_KEEP_ALIVE_S = 120
_GRACE_S = 1


def bound(port: int, option: str = "--port") -> socket.socket:
    """Return a socket bound to a port of the loopback, or raise ServiceFailed; `option` is what chose the port."""
    # asyncio turns off Nagle's algorithm only on sockets that say they are TCP; with it an answer may take 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        busy = error.errno == errno.EADDRINUSE
        why = "it is in use" if busy else str(error.strerror)
        raise ServiceFailed(
            f"cannot listen on {HOST}:{port}: {why}",
            remedy=f"choose another port with {option}, or 0 for a free one",
        ) from None
    return listener


def serve_on(
    sites: Mapping[socket.socket, ASGIApp],
    ready: Callable[[tuple[str, ...]], None],
    protocol: Literal["h11"] | type[H11Protocol] = "h11",
) -> None:
    """Serve each socket its application until a signal says stop. `ready` gets their URLs once they answer.

    `protocol` reads the requests: h11, because others drop absolute targets silently and accept a missing Host.
    """
    ports = {listener.getsockname()[1]: app for listener, app in sites.items()}

    async def by_port(scope: Scope, receive: Receive, send: Send) -> None:
        await ports[scope["server"][1]](scope, receive, send)

    logging.getLogger("uvicorn.error").addFilter(_is_news)
    settings = uvicorn.Config(
        by_port if len(ports) > 1 else next(iter(ports.values())),
        http=protocol,
        loop="asyncio",
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    urls = tuple(f"http://{HOST}:{port}" for port in ports)
    asyncio.run(_Server(settings, lambda: ready(urls)).serve(sockets=list(sites)))


def _is_news(record: logging.LogRecord) -> bool:
    # An answer that is cut on purpose ends this way.
    return record.getMessage() != "ASGI callable returned without completing response."


class _Server(uvicorn.Server):
    """uvicorn, with a word when it answers, and signals that end it with success rather than by the signal."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield
