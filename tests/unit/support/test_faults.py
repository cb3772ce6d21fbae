"""The proxy and what it breaks, with a real server behind it and real clients before it."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.faults import (
    Cut,
    Delay,
    Garbage,
    Hang,
    NotHttp,
    Proxy,
    Refuse,
    Reset,
    Status,
    Throttle,
    certificates,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.faults import Fault

BODY = b'{"said": "' + b"x" * 100 + b'"}'
# Long enough for a client to have waited, short enough for a test to wait for.
A_MOMENT_S = 0.2


class Server(ThreadingHTTPServer):
    """Answers what it is asked, and remembers it."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, bytes, str | None]] = []
        super().__init__(("127.0.0.1", 0), _Asked)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Asked(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.command, self.path, body, self.headers.get("Authorization")))
        self.send_response(418 if "teapot" in self.path else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - their names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's
        pass


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def server(running: Server) -> Server:
    running.asked.clear()
    return running


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(server.url) as standing:
        yield standing


@pytest.fixture
def client(proxy: Proxy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=proxy.url, timeout=10) as asking:
        yield asking


# ---- As long as nothing goes wrong ----------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_request_passes_with_all_that_it_says(client: httpx.Client, server: Server, method: str) -> None:
    answer = client.request(method, "/a/b?c=d%2Fe", content=b"body", headers={"Authorization": "Bearer k"})

    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, BODY, "application/json")
    assert server.asked == [(method, "/a/b?c=d%2Fe", b"body", "Bearer k")]


def test_an_answer_passes_whatever_its_status(client: httpx.Client) -> None:
    assert client.get("/teapot").status_code == 418


def test_a_path_of_the_upstream_goes_before_all_others(server: Server) -> None:
    with Proxy(f"{server.url}/prefix") as proxy:
        httpx.get(f"{proxy.url}/a")

    assert [path for _, path, *_ in server.asked] == ["/prefix/a"]


def test_requests_are_counted_by_method_and_path(client: httpx.Client, proxy: Proxy) -> None:
    for path in ("/a?one", "/a?two", "/b/c"):
        client.get(path)
    client.post("/a")

    assert proxy.counts() == {("GET", "/a"): 2, ("GET", "/b/c"): 1, ("POST", "/a"): 1}
    assert (proxy.count("GET", "*"), proxy.count("GET", "/b/*"), proxy.count("PUT", "*")) == (3, 1, 0)
    assert [one.at for one in proxy.seen] == sorted(one.at for one in proxy.seen)


# ---- What goes wrong ------------------------------------------------------------------------------------

# What a client gets to see, and whether the server did what it was asked.
SUFFERED: dict[str, tuple[Fault, type[Exception], bool]] = {
    "refuses": (Refuse(), httpx.ConnectError, False),
    "resets": (Reset(), httpx.ReadError, False),
    "hangs": (Hang(), httpx.ReadTimeout, False),
    "is too late": (Delay(5), httpx.ReadTimeout, True),
    "cuts the body": (Cut(after=10), httpx.RemoteProtocolError, True),
    "ends before the head": (Cut(after=None), httpx.RemoteProtocolError, True),
    "speaks no HTTP": (NotHttp(), httpx.RemoteProtocolError, False),
    "answers garbage": (Garbage(), json.JSONDecodeError, False),
}


@pytest.mark.parametrize("name", SUFFERED)
def test_a_client_sees_what_goes_wrong(proxy: Proxy, server: Server, name: str) -> None:
    fault, seen, is_done = SUFFERED[name]
    proxy.fail(fault)

    with pytest.raises(seen) as raised:
        httpx.get(f"{proxy.url}/a", timeout=A_MOMENT_S).json()

    assert type(raised.value) is seen
    assert bool(server.asked) is is_done


@pytest.mark.parametrize("code", [201, 401, 403, 404, 408, 413, 429, 500, 502, 503])
def test_a_status_is_answered_in_place_of_the_server(
    client: httpx.Client, proxy: Proxy, server: Server, code: int
) -> None:
    proxy.fail(Status(code, {"Retry-After": "7"}))

    answer = client.get("/a")

    assert (answer.status_code, answer.headers["retry-after"]) == (code, "7")
    assert answer.json()["message"] == f"{code} by the proxy"
    assert server.asked == []


def test_a_status_may_belie_what_was_done(client: httpx.Client, proxy: Proxy, server: Server) -> None:
    proxy.fail(Status(201, done=True))

    answer = client.post("/a")

    assert (answer.status_code, answer.content, len(server.asked)) == (201, BODY, 1)


@pytest.mark.parametrize("fault", [Delay(A_MOMENT_S), Throttle(100, A_MOMENT_S / 2)], ids=["delay", "throttle"])
def test_a_slow_answer_is_the_right_one(client: httpx.Client, proxy: Proxy, fault: Fault) -> None:
    proxy.fail(fault)
    began = time.monotonic()

    assert client.get("/a").content == BODY
    assert time.monotonic() - began >= A_MOMENT_S


# ---- Which, and until when ------------------------------------------------------------------------------


def test_only_the_chosen_paths_fail(client: httpx.Client, proxy: Proxy) -> None:
    proxy.fail(Status(503), "/a", "/b/*")

    assert [client.get(path).status_code for path in ("/a", "/b/c?d", "/b", "/c", "/a/b")] == [503, 503, 200, 200, 200]
    assert [one.fault is not None for one in proxy.seen] == [True, True, False, False, False]


def test_only_the_chosen_method_fails(client: httpx.Client, proxy: Proxy) -> None:
    proxy.fail(Status(503), "/a", method="PUT")

    assert [client.request(method, "/a").status_code for method in ("GET", "PUT", "POST")] == [200, 503, 200]


def test_only_the_first_so_many_fail(client: httpx.Client, proxy: Proxy) -> None:
    proxy.fail(Status(503), "/a", first=2)

    assert [client.get(path).status_code for path in ("/b", "/a", "/a", "/a")] == [200, 503, 503, 200]


def test_what_was_told_first_goes_first(client: httpx.Client, proxy: Proxy) -> None:
    proxy.fail(Status(503), first=1)
    proxy.fail(Status(500))

    assert [client.get("/a").status_code for _ in range(3)] == [503, 500, 500]


@pytest.mark.parametrize("fault", [Refuse(), Reset(), Status(503)], ids=["refuse", "reset", "status"])
def test_a_fault_that_is_lifted_leaves_nothing_behind(proxy: Proxy, fault: Fault) -> None:
    proxy.fail(fault)
    with contextlib.suppress(httpx.TransportError):
        httpx.get(f"{proxy.url}/a")

    proxy.lift()

    assert [httpx.get(f"{proxy.url}/a").status_code for _ in range(3)] == [200, 200, 200]


def test_who_hangs_is_let_go_when_the_fault_is_lifted(client: httpx.Client, proxy: Proxy) -> None:
    proxy.fail(Hang())
    threading.Timer(A_MOMENT_S, proxy.lift).start()

    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/a")

    assert client.get("/a").status_code == 200


def test_a_port_that_refuses_ends_what_was_open(client: httpx.Client, proxy: Proxy) -> None:
    assert client.get("/a").status_code == 200  # and the connection is kept for the next one
    proxy.fail(Refuse())

    with pytest.raises(httpx.ConnectError):
        client.get("/a")
    with pytest.raises(OSError, match="in use"), socket.socket() as other:
        other.bind(("127.0.0.1", proxy.port))

    proxy.lift()
    assert client.get("/a").status_code == 200


def test_a_port_cannot_refuse_by_path(proxy: Proxy) -> None:
    with pytest.raises(ValueError, match="before any path or method is known"):
        proxy.fail(Refuse(), "/a")


@pytest.mark.parametrize("fault", [None, Hang(), Refuse(), Delay(60)], ids=["well", "hang", "refuse", "delay"])
def test_a_closed_proxy_leaves_no_thread_and_no_port(server: Server, fault: Fault | None) -> None:
    before = set(threading.enumerate())
    proxy = Proxy(server.url)
    kept = socket.create_connection(("127.0.0.1", proxy.port))  # which says nothing
    if fault is not None:
        proxy.fail(fault)
    with contextlib.suppress(httpx.TransportError):
        httpx.get(proxy.url, timeout=A_MOMENT_S)

    proxy.close()

    assert [thread for thread in set(threading.enumerate()) - before if thread.name.startswith("faults")] == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", proxy.port))
    kept.close()


# ---- TLS ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> certificates.Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


def _get(proxy: Proxy, authority: Path) -> httpx.Response:
    with httpx.Client(verify=ssl.create_default_context(cafile=str(authority))) as client:
        return client.get(f"{proxy.url}/a")


def test_a_good_certificate_is_trusted_by_who_knows_its_authority(
    server: Server, made: certificates.Certificates
) -> None:
    with Proxy(server.url, made.good) as proxy:
        assert proxy.url.startswith("https://")
        assert _get(proxy, made.authority).content == BODY
        assert proxy.failed_handshakes == 0


WRONG = {
    "unknown authority": "unable to get local issuer certificate|self-signed",
    "another name": "Hostname mismatch",
    "expired": "expired",
}


@pytest.mark.parametrize("what", WRONG)
def test_a_bad_certificate_is_refused_for_what_is_wrong_with_it(
    server: Server, made: certificates.Certificates, what: str
) -> None:
    with Proxy(server.url, made.bad[what]) as proxy:
        with pytest.raises(httpx.ConnectError, match=WRONG[what]):
            _get(proxy, made.authority)
        assert proxy.seen == []

    assert proxy.failed_handshakes == 1
    assert set(made.bad) == set(WRONG)


def test_a_client_that_speaks_no_tls_is_let_go(server: Server, made: certificates.Certificates) -> None:
    with Proxy(server.url, made.good) as proxy, pytest.raises(httpx.TransportError):
        httpx.get(f"http://localhost:{proxy.port}/a")
