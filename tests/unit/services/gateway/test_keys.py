"""The real keys go to the upstream, and nowhere else."""

from __future__ import annotations

import base64
import gzip
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import pytest
from starlette.responses import Response

from tests.unit.services.gateway.running import supervised
from tests.unit.services.gateway.standin import DATA_PLANE_KEY, INGESTION_KEY, KEYS, PROJECT_KEY, Standin, saying
from tests.unit.services.honeyhive.running import answered, refused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.services.gateway.running import Gateway
    from tests.unit.services.gateway.standin import Reached

TYPED = r"_[A-Za-z0-9]{24}_[A-Za-z0-9_-]{64}"
SHAPES = {"project": r"hh_[0-9a-f]{32}", "ingestion": "hh_ingst" + TYPED, "data_plane": "hh_fgdp" + TYPED}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_test_gets_a_placeholder_of_each_kind_in_its_shape(production: Gateway) -> None:
    keys = production.keys("some-test")
    assert keys.keys() == SHAPES.keys()
    for kind, shape in SHAPES.items():
        assert re.fullmatch(shape, keys[kind]), keys[kind]
        assert keys[kind] not in KEYS.values()


def test_each_test_has_placeholders_of_its_own_and_the_same_ones_when_it_asks_again(production: Gateway) -> None:
    assert production.keys("one") == production.keys("one")
    assert not set(production.keys("one").values()) & set(production.keys("two").values())


def test_two_gateways_give_different_placeholders(production: Gateway, staging: Gateway) -> None:
    assert not set(production.keys("one").values()) & set(staging.keys("one").values())


@pytest.mark.parametrize("kind", KEYS)
def test_a_placeholder_becomes_the_real_key_of_its_kind_and_names_its_test(
    production: Gateway, standin: Standin, kind: str
) -> None:
    placeholder = production.keys(f"test-of-{kind}")[kind]
    with standin.watched() as reached:
        production.http.get("/v1/runs", headers=bearer(placeholder))
    assert [request.key for request in reached] == [KEYS[kind]]
    assert production.audit()[-1]["test"] == f"test-of-{kind}"


@pytest.mark.parametrize(
    ("wrong", "shape"),
    [
        ("hh_not_a_placeholder", SHAPES["project"]),
        ("anything", SHAPES["project"]),
        ("hh_ingst_made_up", SHAPES["ingestion"]),
        ("hh_fgdp_made_up", SHAPES["data_plane"]),
        (PROJECT_KEY, SHAPES["project"]),
    ],
)
def test_a_key_that_is_no_placeholder_gets_the_upstreams_own_answer_to_a_wrong_key(
    production: Gateway, standin: Standin, wrong: str, shape: str
) -> None:
    with standin.watched() as reached:
        status, message = refused(production.http.get("/v1/runs", headers=bearer(wrong)))
    assert status == 401
    assert "gateway" not in message
    (arrived,) = reached
    assert re.fullmatch(shape, arrived.key)
    assert arrived.key not in {wrong, *KEYS.values()}
    assert production.audit()[-1]["test"] is None


@pytest.mark.parametrize("path", ["/v1/runs/..", "/v1/nothing", "/v1/runs?no=such"])
def test_a_refused_request_names_its_test_too(production: Gateway, path: str) -> None:
    key = production.keys("refused-test")["project"]
    answer = production.raw(f"GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403 ")
    line = production.audit()[-1]
    assert (line["test"], line["decision"]) == ("refused-test", "refused")


def test_a_request_without_a_key_arrives_without_one(production: Gateway, standin: Standin) -> None:
    with standin.watched() as reached:
        assert httpx.get(f"{production.url}/v1/runs").status_code == 401
    assert "authorization" not in reached[0].headers


def test_a_provider_that_takes_its_key_in_another_header_gets_it_there(standin: Standin, tmp_path: Path) -> None:
    real = "sk-ant-real-key-of-a-provider"
    with (
        supervised(standin, tmp_path, policy="paced", keys={"anthropic": real}) as gateway,
        standin.answering(saying(200, {})),
        standin.watched() as reached,
    ):
        key = gateway.keys()["anthropic"]
        assert key.startswith("sk-ant-")
        headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
        answered(httpx.post(f"{gateway.url}/v1/messages", json={}, headers=headers))
    (arrived,) = reached
    assert arrived.headers["x-api-key"] == real
    assert arrived.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in arrived.headers
    assert gateway.audit()[-1]["path"] == "/v1/messages"


SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": lambda key: key,
    "in a header": lambda key: f"Authorization: Bearer {key}",
    "upper case": str.upper,
    "hex": lambda key: key.encode().hex(),
    "base64": lambda key: base64.b64encode(f"Bearer {key}".encode()).decode(),
    "base64, one on": lambda key: base64.b64encode(f"Bearer: {key}!".encode()).decode(),
    "base64, two on": lambda key: base64.urlsafe_b64encode(f"Bearer:: {key}!?".encode()).decode(),
    "escaped": lambda key: quote(key, safe=""),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("key", [PROJECT_KEY, INGESTION_KEY, DATA_PLANE_KEY], ids=list(KEYS))
def test_a_real_key_that_the_upstream_echoes_is_hidden(
    production: Gateway, standin: Standin, spelling: str, key: str
) -> None:
    echoed = SPELLINGS[spelling](key)
    with standin.answering(saying(401, {"message": f"key {echoed}!"}, **{"x-request-id": f"id-{echoed}"})):
        response = production.http.get("/v1/runs")
    assert response.status_code == 401
    assert "[hidden]" in response.json()["message"]
    assert "[hidden]" in response.headers["x-request-id"]
    middle = echoed[len(echoed) // 2 :][:8]  # of the key, whatever stands around it
    assert middle not in response.text + response.headers["x-request-id"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_key_in_wide_characters_is_hidden(production: Gateway, standin: Standin, encoding: str) -> None:
    wide = f"key {PROJECT_KEY}".encode(encoding)
    with standin.answering(lambda _request: Response(wide)):
        assert PROJECT_KEY.encode(encoding) not in production.http.get("/v1/runs").content


def test_a_compressed_answer_is_opened_and_looked_into(production: Gateway, standin: Standin) -> None:
    squeezed = gzip.compress(json.dumps({"key": PROJECT_KEY}).encode())
    with standin.answering(lambda _request: Response(squeezed, headers={"Content-Encoding": "gzip"})):
        assert answered(production.http.get("/v1/runs")) == {"key": "[hidden]"}


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, gzip"])
def test_an_answer_that_cannot_be_looked_into_is_not_handed_on(
    production: Gateway, standin: Standin, encoding: str
) -> None:
    with standin.answering(lambda _request: Response(b"?", headers={"Content-Encoding": encoding})):
        assert refused(production.http.get("/v1/runs"))[0] == 502


def test_an_answer_is_handed_on_without_cookies_places_and_unknown_headers(
    production: Gateway, standin: Standin
) -> None:
    told = {"Set-Cookie": "a=b", "Location": "https://elsewhere/", "Server": "s", "Retry-After": "7", "X-Other": "o"}
    with standin.answering(saying(302, {}, **told)), standin.watched() as reached:
        response = production.http.get("/v1/runs")
        production.http.get("/v1/datasets")
    assert response.status_code == 302
    assert response.headers["retry-after"] == "7"
    assert response.headers.keys() == {"content-type", "content-length", "date", "retry-after"}
    assert [request.path for request in reached] == ["/v1/runs", "/v1/datasets"]
    assert "cookie" not in reached[1].headers


def test_no_real_key_is_in_the_audit_the_log_the_command_line_or_the_environment(
    standin: Standin, tmp_path: Path
) -> None:
    import psutil

    def echo(request: Reached) -> Response:
        return Response(json.dumps(dict(request.headers)), 500, {"x-request-id": request.key})

    with supervised(standin, tmp_path) as gateway:
        with standin.answering(echo):
            for path in ("/v1/runs", f"/v1/runs/{PROJECT_KEY}", f"/v1/{PROJECT_KEY}/{PROJECT_KEY}", "/v1/runs?a=b"):
                assert PROJECT_KEY not in gateway.http.get(path).text
            gateway.http.request(PROJECT_KEY.upper(), "/v1/runs")
        seen = psutil.Process(gateway.process.pid)
        told = [*seen.cmdline(), *(f"{name}={value}" for name, value in seen.environ().items())]
        status = gateway.control.get("/status").text
        gateway.process.terminate()
        assert gateway.process.stderr is not None
        log = gateway.process.stderr.read()
    for text in (*told, status, log, gateway.audit_file.read_text(encoding="utf-8")):
        for key in KEYS.values():
            assert key.lower() not in text.lower()
