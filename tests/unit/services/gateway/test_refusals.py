"""What two readers could read differently is refused under every policy, before anything is sent."""

from __future__ import annotations

import http.client
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.unit.services.gateway.running import supervised
from tests.unit.services.programs import WITHIN_S
from tests.unit.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.services.gateway.running import Gateway
    from tests.unit.services.gateway.standin import Standin

PATHS = [
    *("/v1/../v1/runs", "/v1/./runs", "/..", "/v1/runs/..", "/v1//runs", "//v1/runs", "/v1/runs//", "/v1/..;/v1/runs"),
    *("/v1/%2e%2e/runs", "/v1/%2E/runs", "/v1/runs%2fa", "/v1/runs%2Fa", "/v1%5cruns", "/v1/runs/%252e"),
    *("/v1/runs/%00", "/v1/runs/%", "/v1/runs/%zz", "/v1/runs/a%3fb", "/v1/runs/a%23b", "/v1/runs/%0d%0aX:y"),
    *("http://localhost/v1/runs", "https://api.honeyhive.ai/v1/runs", "localhost:443", "*", "v1/runs", "?a=b"),
    *("/v1/runs#fragment", "/v1/runs?name=a#b", "\\v1\\runs", "/v1\\runs", "/v1/runs/{id}", '/v1/runs/"a"'),
    *("/v1/runs|a", "/v1/runs/a%3b.."),
]

HEADERS = [
    b"X-HTTP-Method-Override: DELETE",
    b"X-HTTP-Method: DELETE",
    b"X-Method-Override: PUT",
    b"X-Original-URL: /v1/datasets",
    b"X-Rewrite-URL: /v1/datasets",
    b"Upgrade: websocket\r\nConnection: Upgrade",
    b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
    b"Connection: keep-alive, upgrade",
    b"Authorization: Bearer a\r\nAuthorization: Bearer b",
    b"Authorization: Bearer a\r\nX-Api-Key: b",
    b"Content-Type: application/json\r\nContent-Type: text/plain",
    b"Proxy-Authorization: Basic YTpi",
]

# Heads that no server may read; what they are followed by must not be read either.
NONSENSE = [
    b"GET /v1/runs HTTP/1.1\r\n\r\n",
    b"GET /v1/runs HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET  /v1/runs HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/runs\r\nHost: a\r\n\r\n",
    b"GET /v1/runs HTTP/1.1\r\nHost : a\r\n\r\n",
    b"GET /v1/ru ns HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/r\x00ns HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/r\xc3\xbcns HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /v1/runs HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST /v1/runs HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    b"POST /v1/runs HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na",
    b"POST /v1/runs HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\n0123456789",
    b"POST /v1/runs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n",
    b"POST /v1/runs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    (
        b"POST /v1/events/export HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"
    ),
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET /v1/runs HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
]


@pytest.fixture(params=["production", "staging"])
def gateway(request: pytest.FixtureRequest) -> Gateway:
    """Lend one of each policy."""
    running: Gateway = request.getfixturevalue(request.param)
    return running


def head(target: str, method: str = "GET") -> bytes:
    return f"{method} {target} HTTP/1.1\r\nHost: gateway\r\n".encode()


@pytest.mark.parametrize("path", PATHS)
def test_a_target_with_more_than_one_meaning_is_refused_and_closed(
    gateway: Gateway, standin: Standin, path: str
) -> None:
    with standin.watched() as reached:
        answer = gateway.raw(head(path) + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"does not forward this" in answer
    assert reached == []


def test_connect_is_refused(gateway: Gateway, standin: Standin) -> None:
    with standin.watched() as reached:
        answer = gateway.raw(b"CONNECT api.honeyhive.ai:443 HTTP/1.1\r\nHost: api.honeyhive.ai:443\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert reached == []


@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "HTTP/9.9"])
def test_another_http_is_refused(gateway: Gateway, standin: Standin, version: str) -> None:
    with standin.watched() as reached:
        answer = gateway.raw(f"GET /v1/runs {version}\r\nHost: a\r\n\r\n".encode())
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 403 "))
    assert reached == []


@pytest.mark.parametrize("method", ["get", "Get", 'G"T', "DELETE-GET"])
def test_a_method_is_what_it_says_in_its_own_case(gateway: Gateway, standin: Standin, method: str) -> None:
    with standin.watched() as reached:
        answer = gateway.raw(head("/v1/runs", method) + b"\r\n")
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 403 "))
    assert reached == []


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_that_asks_for_something_else_is_refused(gateway: Gateway, standin: Standin, header: bytes) -> None:
    with standin.watched() as reached:
        answer = gateway.raw(head("/v1/runs") + header + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert reached == []


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 2\r\n\r\n{}",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_a_get_with_a_body_is_refused(gateway: Gateway, standin: Standin, body: bytes) -> None:
    with standin.watched() as reached:
        answer = gateway.raw(head("/v1/runs") + body)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert reached == []


def test_a_length_and_a_transfer_encoding_are_refused(gateway: Gateway, standin: Standin) -> None:
    smuggled = b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nDELETE /v1/datasets HTTP/1.1\r\n\r\n"
    with standin.watched() as reached:
        answer = gateway.raw(head("/v1/events/export", "POST") + b"Content-Type: application/json\r\n" + smuggled)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert reached == []


@pytest.mark.parametrize("nonsense", NONSENSE, ids=lambda each: repr(each[:60]))
def test_what_is_no_http_is_answered_400_closed_and_counted(
    gateway: Gateway, standin: Standin, nonsense: bytes
) -> None:
    before = gateway.counts().get("malformed", 0)
    with standin.watched() as reached:
        answer = gateway.raw(nonsense + b"GET /v1/runs HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") or (not answer and len(nonsense) > 100_000), answer
    assert answer.count(b"HTTP/1.1") <= 1
    assert reached == []
    wait_until(lambda: gateway.counts().get("malformed", 0) > before, "it is counted")
    assert gateway.counts()["malformed"] == before + 1
    assert gateway.audit()[-1]["decision"] == "malformed"


def test_what_follows_a_refused_request_on_its_connection_is_not_read(gateway: Gateway, standin: Standin) -> None:
    pipelined = head("/v1/runs/..") + b"\r\n" + head("/v1/runs") + b"\r\n"
    with standin.watched() as reached:
        answer = gateway.raw(pipelined)
    assert answer.count(b"HTTP/1.1") == 1
    assert reached == []


def test_a_refused_write_whose_body_never_comes_has_its_line_when_the_gateway_is_stopped(
    standin: Standin, tmp_path: Path
) -> None:
    with supervised(standin, tmp_path) as gateway:
        key = gateway.keys("slow")["project"]
        head = f"POST /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 9\r\n"
        with socket.create_connection(gateway.address, timeout=WITHIN_S) as connection:
            connection.sendall(f"{head}Content-Type: application/json\r\nExpect: 100-continue\r\n\r\n".encode())
            assert connection.recv(65536).startswith(b"HTTP/1.1 100")  # it is judged, and its body is waited for
            gateway.process.terminate()
            gateway.process.wait(WITHIN_S)
        (line,) = gateway.audit()
    assert (line["test"], line["decision"], line["path"]) == ("slow", "refused", "/events")


def test_pipelined_reads_are_each_answered(production: Gateway, standin: Standin) -> None:
    closing = head("/v1/datasets") + b"Connection: close\r\n\r\n"
    with standin.watched() as reached:
        answer = production.raw((head("/v1/runs") + b"\r\n") * 3 + closing)
    assert answer.count(b"HTTP/1.1 ") == 4
    assert [request.path for request in reached] == ["/v1/runs"] * 3 + ["/v1/datasets"]


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GET /v1/ru",
        b"GET /v1/runs HTTP/1.1\r\nHost: a\r\nX:",
        b"POST /v1/events/export HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
    ],
)
def test_whoever_stops_sending_is_told_so_and_closed(gateway: Gateway, standin: Standin, beginning: bytes) -> None:
    began = time.monotonic()
    with standin.watched() as reached:
        answer = gateway.raw(beginning)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 5
    assert reached == []


def test_whoever_sends_a_head_byte_by_byte_is_closed_all_the_same(production: Gateway) -> None:
    with socket.create_connection(production.address, timeout=10) as connection:
        began = time.monotonic()
        try:
            for byte in b"GET /v1/runs HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 1000:
                connection.sendall(bytes([byte]))
                time.sleep(0.02)
        except OSError:  # it has closed, as it should
            pass
        assert time.monotonic() - began < 5


def test_a_connection_between_two_requests_is_kept_longer_than_a_head_may_take(production: Gateway) -> None:
    key = production.http.headers["authorization"]
    connection = http.client.HTTPConnection(*production.address, timeout=10)
    with closing(connection):
        for pause_s in (1.5, 0):  # longer than a head may take here: nothing must happen, so nothing can be waited for
            connection.request("GET", "/v1/datasets", headers={"Authorization": key})
            response = connection.getresponse()
            assert response.status == 200
            response.read()
            used = connection.sock
            assert used is not None
            time.sleep(pause_s)
        assert connection.sock is used
