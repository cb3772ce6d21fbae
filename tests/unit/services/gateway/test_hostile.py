"""A client that wants to write to production, by any means that bytes offer.

Some hundred requests in `nox -s tests`, more than 10 000 in `nox -s proofs -- -s`, which prints what became of them.
"""

from __future__ import annotations

import base64
import json
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.responses import Response

from environments.services.gateway import operations
from tests.unit.services.gateway import test_refusals
from tests.unit.services.gateway.running import supervised
from tests.unit.services.gateway.standin import KEYS
from tests.unit.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.services.gateway.running import Gateway
    from tests.unit.services.gateway.standin import Reached, Standin

BATCH = 25
SILENT_AFTER_S = 3.0
ARRIVES_WITHIN_S = 0.4
CLIENTS = 8
# What the placeholder's own text is replaced with once the gateway has given one.
PLACEHOLDER = b"@KEY@"

TARGETS = st.sampled_from(
    [
        *(operation.template.replace("{", "").replace("}", "") for operation in operations.OPERATIONS),
        *test_refusals.PATHS,
        *(
            "/v1/events/export?_method=DELETE",
            "/v1/runs?method=PUT",
            "/v1/runs;/../datasets",
            "/v1/runs/%2e%2e%2fdatasets",
        ),
        *("/v1/datasets?dataset_id=a", "/v1/metrics?metric_id=a", "/v1/runs/x/../../datasets", "/v1/events/export/"),
        *("http://a@b/v1/runs", "/v1/runs%3f_method=DELETE", "/v1/events/export%20", "/v1/runs\t/v1/datasets"),
    ]
)
METHODS = st.sampled_from(
    [
        *("GET", "GET", "GET", "POST", "POST", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT"),
        *("get", "GET ", " GET", "POST\t", "G", "GETDELETE", "PROPFIND", "DELETE\x0bGET", ""),
    ]
)
VERSIONS = st.sampled_from(["HTTP/1.1"] * 30 + ["HTTP/1.0", "HTTP/2.0", "http/1.1", "HTTP/1.1 ", "", "HTTP/1"])
ENDS = st.sampled_from([b"\r\n"] * 40 + [b"\n", b"\r", b"\r\n ", b"\r\r\n", b"\x00\r\n"])
BODIES = st.sampled_from(
    [
        *(
            b"",
            b"{}",
            b'{"filters":[],"limit":1,"page":1}',
            b'{"event":{"event_type":"tool","inputs":{}}}',
            b"[]",
            b"\xff",
        ),
        *(b'{"filters":[],"filters":[{"field":"$set"}]}', b'{"session":{}}', b'{"update":{"a":1}}', b'{"limit":1e999}'),
        *(b"0\r\n\r\n", b"2\r\n{}\r\n0\r\n\r\n", b"zz\r\n", b"2;x=y\r\n{}\r\n0\r\nX: y\r\n\r\n", b"-1\r\n{}\r\n"),
        *(b"0\r\n\r\nDELETE /v1/datasets HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer @KEY@\r\n\r\n",),
    ]
)
HEADERS = st.sampled_from(
    [
        *(b"Authorization: Bearer @KEY@", b"Authorization: Bearer @KEY@", b"Authorization: @KEY@", b"X-Api-Key: @KEY@"),
        *(
            b"Content-Type: application/json",
            b"Content-Type: application/json",
            b"Content-Type: application/x-protobuf",
        ),
        *(b"Content-Type: multipart/form-data; boundary=a", b"Content-Encoding: gzip", b"Expect: 100-continue"),
        *(
            b"Content-Length: 0",
            b"Content-Length: 2",
            b"Content-Length: 33",
            b"Content-Length: 99",
            b"Content-Length: 2, 3",
        ),
        *(b"Content-Length: 0x2", b"Content-Length : 2", b" Content-Length: 2", b"Content-Length:\x0b2"),
        *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", b"Transfer-Encoding: gzip, chunked"),
        *(b"Transfer-Encoding:\tchunked", b"Transfer-Encoding: x", b"Transfer_Encoding: chunked", b"TE: trailers"),
        *(b"Connection: close", b"Connection: keep-alive", b"Connection: upgrade", b"Connection: Content-Type"),
        *(b"Upgrade: h2c", b"Upgrade: websocket", b"HTTP2-Settings: AAMAAABkAAQAAP__", b"Proxy-Connection: close"),
        *(b"X-HTTP-Method-Override: DELETE", b"X-Method-Override: PUT", b"X-HTTP-Method: PATCH", b"_method: DELETE"),
        *(b"X-Original-URL: /v1/datasets", b"X-Rewrite-URL: /events", b"X-Forwarded-Host: a", b"Forwarded: host=a"),
        *(
            b"Host: api.honeyhive.ai",
            b"Host:",
            b"hh-client-version: 1.7.0",
            b"X: y\r\n\tfolded: z",
            b"Cookie: a=b",
            b":",
        ),
        *(b"hh-client-version: \xff", b"User-Agent: a\rX-Injected: b", b"Accept: */*", b"Trailer: Authorization"),
    ]
)


QUERIES = [operation for operation in operations.OPERATIONS if operation.check]


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """Write a head out of good and bad parts."""
    end = draw(ENDS)
    line = f"{draw(METHODS)} {draw(TARGETS)} {draw(VERSIONS)}".encode()
    lines = [line, *([b"Host: gateway"] if draw(st.integers(0, 9)) else []), *draw(st.lists(HEADERS, max_size=5))]
    return end.join(lines) + end + end


@st.composite
def almost_right(draw: st.DrawFn) -> bytes:
    """Write a request of the API, right in all but one or two places."""
    operation = draw(st.sampled_from(operations.OPERATIONS) | st.sampled_from(QUERIES))
    body = draw(BODIES) if operation.method != "GET" else b""
    path = operation.template.replace("{", "").replace("}", "")
    length = len(body) + draw(st.sampled_from([0, 0, 0, 0, -1, 1, 40]))
    framing = f"Content-Length: {length}\r\n" if body or draw(st.booleans()) else ""
    extra = draw(st.lists(HEADERS, max_size=1))
    head = f"{operation.method} {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer @KEY@\r\n{framing}"
    kind = b"Content-Type: application/json\r\n" if body else b""
    return head.encode() + kind + b"".join(line + b"\r\n" for line in extra) + b"\r\n" + body


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Take a request that is almost right, and put, drop or change some bytes."""
    request = bytearray(draw(almost_right()))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(request) - 1))
        piece = draw(
            st.sampled_from([b"", b" ", b"\r\n", b"\n", b"\x00", b"/", b"..", b"%2f", b":", b"\xff", b"#", b"?"])
        )
        request[at : at + draw(st.integers(0, 2))] = piece
        request = request or bytearray(b" ")
    return bytes(request)


REQUESTS = st.one_of(
    st.tuples(heads(), BODIES).map(b"".join),
    almost_right(),
    almost_right(),
    damaged(),
    st.tuples(almost_right(), almost_right()).map(b"".join),
    st.tuples(heads(), BODIES, almost_right()).map(b"".join),
    st.tuples(st.sampled_from(test_refusals.NONSENSE[:-1]), almost_right()).map(b"".join),
    st.binary(min_size=1, max_size=200),
)


@dataclass
class Tally:
    """What became of what was sent."""

    sent: int = 0
    answers: Counter[str] = field(default_factory=Counter)


def exchanged(gateway: Gateway, request: bytes, key: bytes) -> bytes:
    """Send a request as it is, and return what comes back until it is a whole answer, or the connection ends."""
    answer = b""
    with socket.create_connection(gateway.address, timeout=SILENT_AFTER_S) as connection:
        try:
            connection.sendall(request.replace(PLACEHOLDER, key))
            while not _is_whole(answer) and (piece := connection.recv(65536)):
                answer += piece
        except (ConnectionResetError, BrokenPipeError):
            pass  # it closed on bytes that it did not want to read
    return answer


def _is_whole(answer: bytes) -> bool:
    head, separator, body = answer.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100"):
        return _is_whole(body)
    lengths = [line[15:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(separator) and bool(lengths) and len(body) >= int(lengths[0])


def echo(request: Reached) -> Response | None:
    """Answer every other request with all that it came with, in several spellings."""
    if hash(request.at) % 2:
        return None
    told = json.dumps({"headers": dict(request.headers), "base64": base64.b64encode(request.key.encode()).decode()})
    return Response(told + request.key.encode().hex(), 200, {"x-request-id": request.key})


@pytest.fixture
def target(standin: Standin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("hostile")
    with supervised(standin, folder, arrives_within_s=ARRIVES_WITHIN_S) as gateway, standin.answering(echo):
        yield gateway


def attack(target: Gateway, batches: int) -> Tally:
    """Send so many batches of generated requests, and hold what reached the stand-in, and what came back."""
    tally = Tally()
    key = target.keys("hostile")["project"].encode()
    secrets = [secret.encode().lower() for secret in KEYS.values()]
    secrets += [secret.hex().encode() for secret in secrets]

    @settings(
        max_examples=batches,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(REQUESTS, min_size=BATCH, max_size=BATCH))
    def run(requests: list[bytes]) -> None:
        answers = list(pool.map(lambda request: exchanged(target, request, key), requests))
        tally.sent += len(answers)
        for answer in answers:
            tally.answers[answer[9:12].decode("latin-1") if answer else "closed"] += 1
            assert not answer or answer.startswith(b"HTTP/1.1 "), answer
            assert not any(secret in answer.lower() for secret in secrets)
        assert target.process.poll() is None

    with ThreadPoolExecutor(CLIENTS) as pool:
        run()
    return tally


def ended(target: Gateway, standin: Standin) -> list[Reached]:
    """Return all that ever came through, which must be reads, once the gateway, as well as before, has ended."""
    assert target.http.get("/v1/datasets").status_code == 200
    target.process.terminate()
    assert target.process.stderr is not None
    assert target.process.stderr.read() == ""
    for request in standin.reached:
        operation = operations.find(request.method, request.path)
        assert operation is not None, request
        assert operation.read, request
    return standin.reached


def shown(target: Gateway, tally: Tally, reached: list[Reached]) -> str:
    decisions = Counter(line["decision"] for line in target.audit())
    methods = Counter(request.method for request in reached)
    return (
        f"\nhostile requests sent: {tally.sent}; answers: {dict(tally.answers.most_common())}"
        f"\nthe audit: {dict(decisions.most_common())}; reached the stand-in: {dict(methods)}, all of them reads"
    )


def test_some_hundred_hostile_requests_get_only_reads_through(target: Gateway, standin: Standin) -> None:
    tally = attack(target, 16)
    assert ended(target, standin)
    assert tally.sent >= 400


@pytest.mark.proof
@pytest.mark.timeout(1800)
def test_ten_thousand_hostile_requests_get_only_reads_through(target: Gateway, standin: Standin) -> None:
    tally = attack(target, 440)
    reached = ended(target, standin)
    print(shown(target, tally, reached))
    assert tally.sent >= 10_000
    assert len(reached) > 300  # the door was open all the while


def test_slow_clients_in_numbers_keep_nobody_else_waiting(target: Gateway, standin: Standin) -> None:
    beginnings = [
        b"",
        b"G",
        b"POST /v1/events/export HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n",
        b"GET /v1/runs HTTP/1.1\r\n",
    ]
    connections = [socket.create_connection(target.address) for _ in range(100)]
    with standin.watched() as reached:
        for number, connection in enumerate(connections):
            connection.sendall(beginnings[number % len(beginnings)])
        began = time.monotonic()
        assert target.http.get("/v1/datasets").status_code == 200
        assert time.monotonic() - began < 3
        wait_until(lambda: target.counts().get("malformed", 0) >= 100, "every slow client is closed and counted")
    for connection in connections:
        connection.close()
    assert [request.path for request in reached] == ["/v1/datasets"]
