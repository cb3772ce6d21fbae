"""A proxy in front of a server, on a loopback port of its own, that passes everything on until it is told to fail.

It has a thread that accepts and one for each connection, and ends them all when it is closed.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from environments.inside import fence
from tests.support.faults.kinds import Answer, Refuse

if TYPE_CHECKING:
    from tests.support.faults.kinds import Fault, RequestFault

_HOST = "127.0.0.1"
_UPSTREAM_WITHIN_S = 30
# They are about one connection, and here there are two.
_OF_ONE_CONNECTION = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "host"})


@dataclass(frozen=True)
class Seen:
    """A request that came: when, by the monotonic clock, and what went wrong with it, if anything."""

    method: str
    path: str
    at: float
    fault: Fault | None


@dataclass
class _Rule:
    fault: RequestFault
    paths: tuple[str, ...]
    method: str | None
    left: int | None

    def takes(self, method: str, path: str) -> bool:
        """Return whether this request fails by this rule, and count it."""
        named = not self.paths or any(fnmatchcase(path, pattern) for pattern in self.paths)
        if not named or self.method not in {None, method} or self.left == 0:
            return False
        if self.left is not None:
            self.left -= 1
        return True


class Proxy:
    """Passes requests on to `upstream`, and fails as it is told; with `tls` it is reached by https.

    While it is open, the fence lets the cell's processes reach it.
    """

    def __init__(self, upstream: str, tls: ssl.SSLContext | None = None) -> None:
        self.upstream = urlsplit(upstream)
        self.seen: list[Seen] = []
        # What clients that did not trust the certificate, or spoke no TLS, left behind.
        self.failed_handshakes = 0
        self._tls = tls
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self._lifted = threading.Event()
        self._listens = threading.Event()
        self._closing = False
        self._connections: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = _bound()
        self._listener.listen()
        self._listens.set()
        self.port = int(self._listener.getsockname()[1])
        self._declared = fence.declared(self._listener)
        self._declared.__enter__()
        self._accepting = threading.Thread(target=self._accept, name="faults-accept", daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        """Where it is, without a trailing slash. Certificates are for names."""
        return f"https://localhost:{self.port}" if self._tls else f"http://{_HOST}:{self.port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- What goes wrong ------------------------------------------------------------------------------

    def fail(self, fault: Fault, *paths: str, method: str | None = None, first: int | None = None) -> None:
        """Let requests fail: all of them, those to these paths (`*` stands for anything), the first so many."""
        with self._lock:
            self._lifted.clear()
            if not isinstance(fault, Refuse):
                self._rules.append(_Rule(fault, paths, method, first))
                return
        if paths or method or first:
            raise ValueError("a port that refuses does so before any path or method is known")
        self._listens.clear()
        # Not closed: the port stays this proxy's, so that nobody else can answer there.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._end_connections()

    def lift(self) -> None:
        """Let everything pass again; who waits here waits no longer."""
        with self._lock:
            self._rules.clear()
            self._lifted.set()
        if not self._listens.is_set():
            self._listener.listen()
            self._listens.set()

    # ---- What it saw ----------------------------------------------------------------------------------

    def counts(self) -> Counter[tuple[str, str]]:
        """Return how many requests came, by method and path."""
        with self._lock:
            return Counter((one.method, one.path) for one in self.seen)

    def count(self, method: str, path: str) -> int:
        """Return how many requests of this kind came; `*` in the path stands for anything."""
        return sum(n for (seen, at), n in self.counts().items() if seen == method and fnmatchcase(at, path))

    # ---- Its life -------------------------------------------------------------------------------------

    def close(self) -> None:
        """End every connection and thread, and give the port back."""
        self._closing = True
        self.lift()
        self._declared.__exit__(None, None, None)
        self._listener.shutdown(socket.SHUT_RDWR)
        self._end_connections()
        self._accepting.join()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, address = self._listener.accept()
            except OSError:  # it refuses, or is to end
                if self._closing:
                    return
                self._listens.wait()
                continue
            if self._closing:
                connection.close()
                return
            thread = threading.Thread(target=self._serve, args=(connection, address), name="faults-serve", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, address: object) -> None:
        with contextlib.ExitStack() as stack:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            stack.callback(connection.close)
            with self._lock:
                self._connections.add(connection)
            stack.callback(self._connections.discard, connection)
            if self._closing or not self._shakes_hands(connection):
                return
            # A client that goes away is the client's own business.
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                _Connection(connection, address, self)

    def _shakes_hands(self, connection: socket.socket) -> bool:
        if isinstance(connection, ssl.SSLSocket):
            try:
                connection.do_handshake()
            except OSError:
                self.failed_handshakes += 1
                return False
        return True

    def _end_connections(self) -> None:
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    # ---- Requests -------------------------------------------------------------------------------------

    def see(self, method: str, path: str) -> RequestFault | None:
        """Note a request, and return what is to go wrong with it."""
        with self._lock:
            fault = next((rule.fault for rule in self._rules if rule.takes(method, path)), None)
            self.seen.append(Seen(method, path, time.monotonic(), fault))
            return fault

    def forward(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
        """Ask the server."""
        kind = http.client.HTTPSConnection if self.upstream.scheme == "https" else http.client.HTTPConnection
        assert self.upstream.hostname is not None
        connection = kind(self.upstream.hostname, self.upstream.port, timeout=_UPSTREAM_WITHIN_S)
        with contextlib.closing(connection):
            connection.request(method, self.upstream.path + target, body, headers)
            answer = connection.getresponse()
            return Answer(answer.status, tuple(_passed_on(dict(answer.headers)).items()), answer.read())

    def wait(self, seconds: float | None) -> bool:
        """Wait this long, or until all is lifted."""
        return self._lifted.wait(seconds)


class _Connection(BaseHTTPRequestHandler):
    """Reads requests from one connection; an exchange is this connection while it holds one."""

    protocol_version = "HTTP/1.1"

    def __init__(self, connection: socket.socket, address: object, proxy: Proxy) -> None:
        self._proxy = proxy
        self._body = b""
        super().__init__(connection, address, proxy)  # type: ignore[arg-type]

    def _exchange(self) -> None:
        self._body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self._proxy.see(self.command, urlsplit(self.path).path)
        if fault is not None:
            fault.act(self)
            return
        answer = self.forward()
        self.write(answer.head + answer.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _exchange  # noqa: N815 - their names

    def forward(self) -> Answer:
        return self._proxy.forward(self.command, self.path, _passed_on(dict(self.headers)), self._body)

    def write(self, data: bytes) -> None:
        self.wfile.write(data)

    def wait(self, seconds: float | None = None) -> bool:
        return self._proxy.wait(seconds)

    def drop(self, *, reset: bool = False) -> None:
        self.close_connection = True
        if reset:
            # The connection is closed a moment later, and then without a goodbye.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's
        """Say nothing: what came is in `seen`."""


def _passed_on(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() not in _OF_ONE_CONNECTION}


def _bound() -> socket.socket:
    """Return a socket that is bound by its number: one that the system chose is given back when it stops listening."""
    while True:
        with socket.socket() as finding:
            finding.bind((_HOST, 0))
            address = finding.getsockname()
        found = socket.socket()
        try:
            found.bind(address)
        except OSError:  # taken meanwhile
            found.close()
        else:
            # Only now, or the port could be shared: it listens again while old connections of its own are dying.
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            return found
