"""The wire: what the SDK really sends, header by header, on its way to the target."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx

from environments.inside import fence

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACES = "/opentelemetry/v1/traces"
# What belongs to one connection, and not to what is said over it.
_OF_THE_CONNECTION = frozenset({"host", "connection", "content-length", "transfer-encoding"})
# The answer was decoded on its way.
_OF_THE_ANSWER = _OF_THE_CONNECTION | {"content-encoding"}


@dataclass(frozen=True)
class Sent:
    """One request of the SDK."""

    method: str
    path: str
    headers: httpx.Headers
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.body)


class Wire:
    """A server of the test's own: it notes each request, hands it to the target, and hands the answer back.

    `answer` replaces the target's answers to a path.
    """

    def __init__(self, upstream: str) -> None:
        self.sent: list[Sent] = []
        self._answers: dict[str, Iterator[tuple[int, bytes]]] = {}
        self._http = httpx.Client(base_url=upstream, timeout=30)
        self._server = _Listening(("127.0.0.1", 0), _handler_of(self))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextlib.contextmanager
    def up(self) -> Iterator[Wire]:
        """Serve until the test ends."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="wire")
        with fence.declared(self._server.socket), self._http, self._server:
            thread.start()
            try:
                yield self
            finally:
                self._server.shutdown()
                thread.join()
                self._server.hang_up()

    def answer(self, path: str, status: int, body: object, *, times: int = 1000) -> None:
        """Answer this path so from now on, or that many times; the target is not asked."""
        self._answers[path] = itertools.repeat((status, json.dumps(body).encode()), times)

    def to(self, path: str, method: str = "POST") -> list[Sent]:
        """Return what was sent to a path, in order."""
        return [sent for sent in self.sent if (sent.method, sent.path) == (method, path)]

    def spans(self) -> list[dict[str, Any]]:
        """Return every span that was exported as JSON, as often as it was sent."""
        resources = [each for sent in self.to(TRACES) for each in sent.json["resourceSpans"]]
        return [span for resource in resources for scope in resource["scopeSpans"] for span in scope["spans"]]

    def handle(self, sent: Sent, query: str) -> tuple[int, httpx.Headers, bytes]:
        """Note a request, and return the answer to it."""
        self.sent.append(sent)
        told = next(self._answers.get(sent.path, iter(())), None)
        if told is not None:
            status, body = told
            return status, httpx.Headers({"content-type": "application/json"}), body
        headers = [(name, value) for name, value in sent.headers.multi_items() if name not in _OF_THE_CONNECTION]
        answer = self._http.request(sent.method, sent.path + query, headers=headers, content=sent.body)
        return answer.status_code, answer.headers, answer.content


class _Listening(ThreadingHTTPServer):
    """Leaves no thread behind: the SDK keeps its connections open, and a thread waits at each."""

    daemon_threads = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._connections: list[socket.socket] = []
        super().__init__(address, handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._connections.append(connection)
        return connection, address

    def hang_up(self) -> None:
        for connection in self._connections:
            with contextlib.suppress(OSError):  # it is closed already
                connection.shutdown(socket.SHUT_RDWR)


def _handler_of(wire: Wire) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            path, mark, query = self.path.partition("?")
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            sent = Sent(self.command, path, httpx.Headers(list(self.headers.items())), body)
            status, headers, content = wire.handle(sent, mark + query)
            self.send_response_only(status)
            for name, value in headers.items():
                if name not in _OF_THE_ANSWER:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_PATCH = do_DELETE = do_POST  # noqa: N815 - the standard library's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's
            del format, args

    return Handler
