from __future__ import annotations

import gzip
import socket
import zlib
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.unit.services.honeyhive.running import BODY_LIMIT, Service, answered, refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_JSON = {"Content-Type": "application/json"}
_EXPORT = "/v1/events/export"


def test_health_needs_no_key(service: Service) -> None:
    assert answered(httpx.get(f"{service.url}/healthz")) == {"status": "ok"}


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer nobody", "Basic key-one", "key-one"])
def test_without_a_known_key_everything_is_unauthorized(service: Service, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    for method, path in [("POST", "/session/start"), ("GET", "/v1/projects"), ("POST", "/opentelemetry/v1/traces")]:
        status, message = refused(httpx.request(method, service.url + path, headers=headers))
        assert status == 401
        assert "API key" in message
        assert "nobody" not in message


def test_a_key_sees_its_own_project_alone(service: Service, stranger: httpx.Client) -> None:
    [one], [two] = service.http.get("/v1/projects").json(), stranger.get("/v1/projects").json()
    assert (one["name"], two["name"]) == ("one", "two")
    assert one["id"] != two["id"]
    assert service.http.get("/v1/projects", params={"name": "two"}).json() == []


def test_an_unknown_route_is_not_found_in_the_apis_shape(service: Service) -> None:
    assert refused(service.http.get("/v2/nothing"))[0] == 404


def test_a_slash_too_many_is_no_redirect(service: Service) -> None:
    assert refused(service.post("/session/start/", {}))[0] == 404


def test_a_known_operation_that_is_not_built_says_so(service: Service) -> None:
    for method, path in [("GET", "/v1/events/chart")]:
        status, message = refused(service.http.request(method, path))
        assert status == 501
        assert "not built" in message


def test_the_more_specific_path_wins(service: Service) -> None:
    assert set(answered(service.http.get("/v1/events/schema"))) == {"fields", "datasets", "mappings"}
    assert refused(service.http.get("/v1/events/schemas"))[0] == 404


def test_a_wrong_method_names_the_right_ones(service: Service) -> None:
    response = service.http.patch("/session/start")
    assert refused(response)[0] == 405
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b"null",
        b"\xff",
        b'{"filters": [], "limit": NaN}',
        b'{"limit": 1e999}',
        b'{"limit": ' + b"9" * 5000 + b"}",
        b'{"filters":' * 1000,
        b'{"x":' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    ],
)
def test_a_body_that_is_no_json_object_is_a_bad_request(service: Service, body: bytes) -> None:
    status, message = refused(service.http.post(_EXPORT, content=body, headers=_JSON))
    assert status == 400
    assert "body" in message


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonx"])
def test_another_content_type_is_unsupported(service: Service, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    for path in (_EXPORT, "/opentelemetry/v1/traces"):
        assert refused(service.http.post(path, content=b"{}", headers=headers))[0] == 415


def test_a_content_type_may_have_parameters_and_capitals(service: Service) -> None:
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    answered(service.http.post(_EXPORT, content=b"{}", headers=headers))


def test_half_a_character_is_replaced_and_not_an_error(service: Service) -> None:
    body = b'{"event": {"event_type": "tool", "inputs": {"\\ud800": "\\udfff"}, "event_name": "\\ud83d"}}'
    created = answered(service.http.post("/events", content=body, headers=_JSON))
    event = answered(service.http.get(f"/v1/events/{created['event_id']}"))["event"]
    assert (event["event_name"], event["inputs"]) == ("\N{REPLACEMENT CHARACTER}", {"\ufffd": "\ufffd"})


def test_a_whole_pair_of_escapes_stays_the_character_it_is(service: Service) -> None:
    body = b'{"event": {"event_type": "tool", "inputs": {}, "event_name": "\\ud83d\\ude00"}}'
    created = answered(service.http.post("/events", content=body, headers=_JSON))
    event = answered(service.http.get(f"/v1/events/{created['event_id']}"))["event"]
    assert event["event_name"] == "\N{GRINNING FACE}"


# ---- Size and encoding -------------------------------------------------------------------------------


def _deflated(body: bytes) -> bytes:
    return zlib.compress(body)[2:-4]


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress), ("deflate", _deflated)],
)
def test_a_compressed_body_is_understood(service: Service, encoding: str, encode: Callable[[bytes], bytes]) -> None:
    headers = {**_JSON, "Content-Encoding": encoding}
    answered(service.http.post(_EXPORT, content=encode(b'{"filters": []}'), headers=headers))


# Without a time of day in it: every process collects tests of the same names.
_GZIPPED = gzip.compress(b"{}", mtime=0)


@pytest.mark.parametrize("body", [b"", b"not gzip", _GZIPPED[:-1], _GZIPPED + b"x"])
def test_a_body_that_is_not_what_its_encoding_says_is_a_bad_request(service: Service, body: bytes) -> None:
    headers = {**_JSON, "Content-Encoding": "gzip"}
    assert refused(service.http.post(_EXPORT, content=body, headers=headers))[0] == 400


def test_an_unknown_encoding_is_unsupported(service: Service) -> None:
    assert refused(service.http.post(_EXPORT, content=b"{}", headers={**_JSON, "Content-Encoding": "br"}))[0] == 415


def test_a_body_over_the_limit_is_too_large(service: Service) -> None:
    body = b'{"x": "' + b"x" * BODY_LIMIT + b'"}'
    status, message = refused(service.http.post(_EXPORT, content=body, headers=_JSON))
    assert status == 413
    assert str(BODY_LIMIT) in message


def test_a_chunked_body_over_the_limit_is_too_large(service: Service) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(BODY_LIMIT // 1000 + 1):
            yield b"x" * 1000

    assert refused(service.http.post(_EXPORT, content=pieces(), headers=_JSON))[0] == 413


def test_a_chunked_body_is_understood(service: Service) -> None:
    answered(service.http.post(_EXPORT, content=iter([b'{"fil', b'ters": []}']), headers=_JSON))


def test_a_gzip_bomb_is_too_large(service: Service) -> None:
    bomb = gzip.compress(b"\0" * 100_000_000)
    assert len(bomb) < BODY_LIMIT
    headers = {**_JSON, "Content-Encoding": "gzip"}
    assert refused(service.http.post(_EXPORT, content=bomb, headers=headers))[0] == 413


def test_a_client_that_asks_first_is_told_before_it_sends(service: Service) -> None:
    url = httpx.URL(service.url)
    with socket.create_connection((url.host, url.port or 80), timeout=10) as connection:
        connection.sendall(
            b"POST /v1/events/export HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1000000000\r\n\r\n"
        )
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")
