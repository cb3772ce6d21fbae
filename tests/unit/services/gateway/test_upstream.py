"""What goes wrong on the other side of the door is an error in the API's shape, and says whose it is."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.responses import Response

from environments.services.gateway.status import clock_skew_s
from environments.services.gateway.upstream import MAX_ANSWER
from tests.unit.services.gateway.running import config, supervised
from tests.unit.services.gateway.standin import Standin, saying, stand_in
from tests.unit.services.honeyhive.running import answered, refused
from tests.unit.services.programs import WITHIN_S, command, started

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.services.gateway.running import Gateway


def test_a_certificate_for_another_host_is_not_accepted(tmp_path: Path) -> None:
    with stand_in(tmp_path / "standin", host="elsewhere.test") as other, supervised(other, tmp_path / "gw") as gateway:
        status, message = refused(gateway.http.get("/v1/runs"))
        assert status == 502
        assert "certificate" in message.lower()
        assert other.reached == []


def test_a_certificate_of_an_unknown_authority_is_not_accepted(standin: Standin, tmp_path: Path) -> None:
    with supervised(standin, tmp_path, ca_file=None) as gateway, standin.watched() as reached:
        status, message = refused(gateway.http.get("/v1/runs"))
        assert status == 502
        assert "certificate" in message.lower()
    assert reached == []


def test_an_upstream_that_is_not_there_is_a_bad_gateway(standin: Standin, tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    with supervised(standin, tmp_path, upstream=f"https://localhost:{port}") as gateway:
        assert refused(gateway.http.get("/v1/runs"))[0] == 502
        assert gateway.audit()[-1]["decision"] == "failed"
        told = gateway.control.get("/status").json()
        assert told["reachable"] is False
        assert "cannot be reached" in told["problem"]


def test_an_answer_that_is_too_large_is_not_handed_on(production: Gateway, standin: Standin) -> None:
    with standin.answering(lambda _request: Response(b"x" * (MAX_ANSWER + 1))):
        status, message = refused(production.http.get("/v1/runs", timeout=60))
    assert status == 502
    assert "larger than" in message


def test_an_answer_that_is_not_what_its_encoding_says_is_a_bad_gateway(production: Gateway, standin: Standin) -> None:
    with standin.answering(lambda _request: Response(b"no gzip", headers={"Content-Encoding": "gzip"})):
        assert refused(production.http.get("/v1/runs"))[0] == 502


def test_an_answer_that_breaks_off_is_a_bad_gateway(production: Gateway, standin: Standin) -> None:
    with standin.answering(lambda _request: Response(b"short", headers={"Content-Length": "100"})):
        assert refused(production.http.get("/v1/runs"))[0] == 502


@pytest.mark.parametrize("status", [200, 201, 204, 302, 400, 401, 404, 409, 418, 500, 503])
def test_the_upstreams_status_is_handed_on(production: Gateway, standin: Standin, status: int) -> None:
    with standin.answering(lambda _request: Response(status_code=status)):
        assert production.http.get("/v1/runs").status_code == status
    line = production.audit()[-1]
    assert (line["decision"], line["status"], line["path"]) == ("forwarded", status, "/v1/runs")


def test_a_path_before_the_upstreams_paths_is_kept(standin: Standin, tmp_path: Path) -> None:
    with (
        supervised(standin, tmp_path, upstream=f"{standin.url}/pre") as gateway,
        standin.answering(saying(200, {})),
        standin.watched() as reached,
    ):
        answered(gateway.http.get("/v1/runs?name=a"))
    assert [(request.path, request.query) for request in reached] == [("/pre/v1/runs", "name=a")]


def test_the_status_document_tells_what_tests_cannot_see(production: Gateway, standin: Standin) -> None:
    with standin.watched() as reached:
        told = production.control.get("/status").json()
    assert told["upstream"] == standin.url
    assert told["policy"] == "read-only"
    assert told["reachable"] is True
    assert told["keys"]["project"] == {"begins_with": "hh_", "as_expected": True}
    assert told["keys"]["ingestion"] == {"begins_with": "hh_ingst_", "as_expected": True}
    assert told["tls"]["version"] in {"TLSv1.2", "TLSv1.3"}
    assert datetime.fromisoformat(told["tls"]["certificate_expires"]) > datetime.now(UTC)
    assert abs(told["clock_skew_s"]) < 5  # of one machine; the stand-in's clock ticks in seconds, and late under load
    assert told["wrong_key"]["status"] == 401
    assert json.loads(told["wrong_key"]["body"])["errorCode"] == "UNAUTHORIZED"
    assert [request.method for request in reached] == ["GET"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/keys"), ("POST", "/status"), ("GET", "/"), ("DELETE", "/counts")]
)
def test_the_control_endpoint_has_nothing_else(production: Gateway, method: str, path: str) -> None:
    assert refused(production.control.request(method, path))[0] == 404


@pytest.mark.parametrize("path", ["/keys", "/status", "/counts", "/"])
def test_the_control_endpoint_needs_its_token(production: Gateway, path: str) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}):
        assert refused(httpx.post(production.control.base_url.join(path), headers=headers, json={}))[0] == 401


@pytest.mark.parametrize("body", [{}, {"test": ""}, {"test": 1}, {"test": "t", "kind": "k"}, {"test": "x" * 3000}])
def test_who_asks_for_placeholders_names_a_test(production: Gateway, body: dict[str, object]) -> None:
    assert refused(production.control.post("/keys", json=body))[0] == 400


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"upstream": "http://localhost:1"}, "https:// only"),
        ({"upstream": "https://user:secret-word@host"}, "not what is expected"),
        ({"policy": "everything"}, "not what is expected"),
        ({"keys": {}}, "one at least"),
        ({"keys": {"project": "short"}}, "8 or more"),
        ({"keys": {"project": "secret-word\r\nX: y"}}, "visible ASCII"),
        ({"keys": {"master": "secret-word"}}, "not what is expected"),
        ({"secret-word": 1}, "its fields are"),
        ({"requests_per_second": 0}, "greater than 0"),
        ({"port": -1}, "a port is"),
        ({"ca_file": "/nowhere/ca.pem"}, "cannot read certificates"),
        ({"policy": "paced", "upstream": "https://api.honeyhive.ai"}, "is production"),
        ({"policy": "paced", "upstream": "https://API.dp1.us.HoneyHive.ai.:8443/x"}, "is production"),
        ({"audit": "/proc/nowhere/audit"}, "cannot write the audit"),
    ],
)
def test_a_wrong_configuration_is_refused_without_quoting_it(
    standin: Standin, tmp_path: Path, given: dict[str, object], said: str
) -> None:
    with started("gateway", "--config", "-", stdin=config(standin, tmp_path, **given)) as process:
        assert process.wait(WITHIN_S) in {1, 2}
        assert process.stderr is not None
        error = process.stderr.read()
    assert said in error
    assert "what to do:" in error
    assert "Traceback" not in error
    assert "secret-word" not in error


def test_the_gateway_has_no_other_way_to_be_configured() -> None:
    assert command("gateway")[-1] == "environments.services.gateway"
    with started("gateway", "--port", "0") as process:
        assert process.wait(WITHIN_S) == 2


@pytest.mark.parametrize(
    ("date", "skew_s"),
    [
        ("Sun, 22 Nov 2026 12:00:00 GMT", 0),
        ("Sun, 22 Nov 2026 11:59:59 GMT", -0.2),
        ("Sun, 22 Nov 2026 11:59:50 GMT", -9.2),
        ("Sun, 22 Nov 2026 12:00:10 GMT", 9.5),
        ("", None),
        ("yesterday", None),
        ("Sun, 99 Nov 2026 12:00:00 GMT", None),
    ],
)
def test_a_clock_that_counts_whole_seconds_is_ahead_or_behind_only_beyond_them(date: str, skew_s: float | None) -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()
    assert clock_skew_s(date, noon + 0.2, noon + 0.5) == skew_s
