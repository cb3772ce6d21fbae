"""Every route, sent what no route can read."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from environments.services.honeyhive import openapi
from tests.unit.services.honeyhive.running import BODY_LIMIT, Service, answered, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.services.honeyhive.running import Event

_PATHS = cast("dict[str, dict[str, Any]]", openapi.document()["paths"])
_ALL = [(method.upper(), path) for path, methods in _PATHS.items() for method in methods]
_WITH_BODY = [(method, path) for method, path in _ALL if "requestBody" in _PATHS[path][method.lower()]]
_JSON = {"Content-Type": "application/json"}
_every_route = pytest.mark.parametrize(("method", "path"), _ALL)
_every_body = pytest.mark.parametrize(("method", "path"), _WITH_BODY)


@pytest.fixture(scope="module")
def minted(service: Service) -> Event:
    return service.mint()


@pytest.fixture
def http(service: Service, minted: Event, path: str) -> Iterator[httpx.Client]:
    """Make a client with the kind of key that a path wants."""
    kind = "data_plane" if re.match(r"/v1/projects/.*/charts", path) else "project"
    with service.as_holder(minted["keys"][kind]) as client:
        yield client


def _url(path: str, minted: Event) -> str:
    return re.sub(r"\{\w+\}", "unknown", path.replace("{project_id}", minted["id"]))


@_every_body
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"a": NaN}', b"{" * 1000])
def test_a_body_that_is_no_json_object_is_a_bad_request(
    http: httpx.Client, minted: Event, method: str, path: str, body: bytes
) -> None:
    status, message = refused(http.request(method, _url(path, minted), content=body, headers=_JSON))
    assert (status, "body" in message) == (400, True)


@_every_body
@pytest.mark.parametrize("media_type", ["text/plain", "application/xml", "multipart/form-data; boundary=x"])
def test_another_content_type_is_unsupported(
    http: httpx.Client, minted: Event, method: str, path: str, media_type: str
) -> None:
    headers = {"Content-Type": media_type}
    assert refused(http.request(method, _url(path, minted), content=b"{}", headers=headers))[0] == 415


@_every_body
@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        ("gzip", b"no gzip", 400),
        ("gzip", gzip.compress(b"{}" * 100)[:-9], 400),
        ("gzip", gzip.compress(b" " * (BODY_LIMIT + 1)), 413),
        ("br", b"{}", 415),
        ("identity", b" " * (BODY_LIMIT + 1), 413),
    ],
    ids=["no gzip", "half a gzip", "gzip bomb", "unknown encoding", "too large"],
)
def test_a_body_that_cannot_be_unpacked_or_is_too_large_is_refused(
    http: httpx.Client, minted: Event, method: str, path: str, encoding: str, body: bytes, status: int
) -> None:
    headers = {**_JSON, "Content-Encoding": encoding}
    assert refused(http.request(method, _url(path, minted), content=body, headers=headers))[0] == status


@_every_route
def test_nothing_is_answered_without_a_key(service: Service, minted: Event, method: str, path: str) -> None:
    assert refused(httpx.request(method, service.url + _url(path, minted)))[0] == 401


@_every_route
def test_a_method_that_a_path_does_not_have_is_refused_with_those_it_has(
    http: httpx.Client, minted: Event, method: str, path: str
) -> None:
    response = http.request("TRACE", _url(path, minted))
    assert refused(response)[0] == 405
    assert method in response.headers["allow"]


@_every_route
def test_a_slash_too_many_is_not_found(http: httpx.Client, minted: Event, method: str, path: str) -> None:
    assert refused(http.request(method, f"{_url(path, minted)}/"))[0] in {404, 405}


@pytest.mark.parametrize("query", ["name=%ff%00", "dataset_id=%ED%A0%80", "name=" + "n" * 5000, "&&&=;", "name[]=x"])
def test_a_query_of_any_bytes_is_answered(service: Service, query: str) -> None:
    for path in ("/v1/datasets", "/v1/configurations", "/v1/datapoints", "/v1/projects", "/v1/queues"):
        response = service.http.get(f"{path}?{query}")
        assert response.status_code in {200, 400}, response.text


def test_after_all_that_the_service_answers(service: Service) -> None:
    assert answered(service.http.get("/v1/datasets")) == {"datasets": []}
