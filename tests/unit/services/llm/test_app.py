from __future__ import annotations

import gzip
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from environments.services.llm.models import LISTED
from tests.unit.services.llm.running import ANTHROPIC, answered, chat, refused, refused_by_anthropic

if TYPE_CHECKING:
    from tests.unit.services.llm.running import Llm

_CHAT = "/v1/chat/completions"
_JSON = {"Content-Type": "application/json"}
_OPENAI_POSTS = [_CHAT, "/v1/responses", "/v1/embeddings"]
_ANTHROPIC_POSTS = ["/v1/messages", "/v1/messages/count_tokens"]


def test_health_needs_no_key(llm: Llm) -> None:
    assert answered(httpx.get(f"{llm.url}/healthz")) == {"status": "ok"}


# ---- Keys --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("authorization", [None, "Bearer", "Basic abc", "sk-abc"])
def test_without_a_key_openais_routes_are_unauthorized(llm: Llm, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    for path in _OPENAI_POSTS:
        status, error = refused(httpx.post(llm.url + path, json=chat(), headers=headers))
        assert (status, error["code"]) == (401, "invalid_api_key")
    assert refused(httpx.get(f"{llm.url}/v1/models", headers=headers))[0] == 401


def test_without_a_key_anthropics_routes_are_unauthorized(llm: Llm) -> None:
    headers = {"anthropic-version": ANTHROPIC["anthropic-version"]}
    for path in _ANTHROPIC_POSTS:
        status, error = refused_by_anthropic(httpx.post(llm.url + path, json=chat(), headers=headers))
        assert (status, error["type"]) == (401, "authentication_error")
    assert refused_by_anthropic(httpx.get(f"{llm.url}/v1/models", headers=headers))[0] == 401


@pytest.mark.parametrize("key", [{"Authorization": "Bearer sk-1"}, {"authorization": "bearer x"}, {"x-api-key": "y"}])
def test_any_key_is_good(llm: Llm, key: dict[str, str]) -> None:
    answered(httpx.post(llm.url + _CHAT, json=chat(), headers=key))


# ---- Models ------------------------------------------------------------------------------------------


def test_openais_clients_get_openais_models(llm: Llm) -> None:
    listed = answered(llm.http.get("/v1/models"))
    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == list(LISTED)
    assert set(listed["data"][0]) == {"id", "object", "created", "owned_by"}


@pytest.mark.parametrize("headers", [ANTHROPIC, {"x-api-key": "any"}, {"anthropic-version": "2023-06-01"}])
def test_anthropics_clients_get_anthropics_models(llm: Llm, headers: dict[str, str]) -> None:
    listed = answered(llm.http.get("/v1/models", headers=headers))
    assert [model["id"] for model in listed["data"]] == list(LISTED)
    assert (listed["has_more"], listed["first_id"], listed["last_id"]) == (False, LISTED[0], LISTED[-1])
    assert {"id", "type", "display_name", "created_at"} <= set(listed["data"][0])


def test_anthropics_models_come_in_pages(llm: Llm) -> None:
    def page(**query: object) -> tuple[list[str], bool]:
        given = {name: str(value) for name, value in query.items()}
        listed = answered(llm.http.get("/v1/models", params=given, headers=ANTHROPIC))
        return [model["id"] for model in listed["data"]], listed["has_more"]

    assert page(limit=2) == (list(LISTED[:2]), True)
    assert page(after_id=LISTED[1], limit=1000) == (list(LISTED[2:]), False)
    assert page(after_id=LISTED[-1]) == ([], False)
    assert page(before_id=LISTED[3], limit=2) == (list(LISTED[1:3]), True)
    assert page(before_id=LISTED[1], limit=2) == (list(LISTED[:1]), False)


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "limit=²", "after_id=x", "before_id=x"])
def test_a_page_that_is_none_is_a_bad_request(llm: Llm, query: str) -> None:
    assert refused_by_anthropic(llm.http.get(f"/v1/models?{query}", headers=ANTHROPIC))[0] == 400


@pytest.mark.parametrize("path", ["deterministic/default/default", "deterministic%2Fdefault%2Fdefault"])
def test_a_models_name_may_have_slashes(llm: Llm, path: str) -> None:
    assert answered(llm.http.get(f"/v1/models/{path}"))["id"] == "deterministic/default/default"
    assert answered(llm.http.get(f"/v1/models/{path}", headers=ANTHROPIC))["id"] == "deterministic/default/default"


def test_a_model_that_does_not_exist_is_not_found_in_each_shape(llm: Llm) -> None:
    status, error = refused(llm.http.get("/v1/models/fail%2F200"))
    assert (status, error["code"]) == (404, "model_not_found")
    assert refused_by_anthropic(llm.http.get("/v1/models/fail%2F200", headers=ANTHROPIC))[0] == 404
    assert refused(llm.chat(model="fail/200"))[0] == 404
    assert refused_by_anthropic(llm.message(model="fail/200"))[1]["type"] == "not_found_error"


# ---- Routes and bodies -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/models", "/v1/models/", "/v1/chat/completions/", "/v1/chat"])
def test_an_unknown_route_is_not_found_or_not_built_in_each_shape(llm: Llm, path: str) -> None:
    assert refused(llm.http.get(path))[0] in {404, 501}
    assert refused_by_anthropic(llm.http.get(path, headers=ANTHROPIC))[0] in {404, 501}


@pytest.mark.parametrize("path", ["/v1/completions", "/v1/images/generations", "/v1/files", "/v1/responses/resp_1"])
def test_what_is_not_built_says_so_and_that_trying_again_is_no_use(llm: Llm, path: str) -> None:
    response = llm.http.post(path, json={})
    status, error = refused(response)
    assert (status, error["type"]) == (501, "server_error")
    assert "not built" in error["message"]
    assert response.headers["x-should-retry"] == "false"
    assert refused_by_anthropic(llm.http.post("/v1/messages/batches", json={}, headers=ANTHROPIC))[0] == 501


def test_a_wrong_method_names_the_right_one(llm: Llm) -> None:
    for path, method in [(_CHAT, "POST"), ("/v1/models", "GET"), ("/v1/models/x", "GET"), ("/healthz", "GET")]:
        response = llm.http.delete(path)
        assert refused(response)[0] == 405
        assert response.headers["allow"] == method
    assert refused_by_anthropic(llm.http.get("/v1/messages"))[0] == 405


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"null", b"\xff", b'{"n": NaN}', b"[" * 50_000, b'{"model": 1}'])
def test_a_body_that_is_no_request_is_a_bad_request(llm: Llm, body: bytes) -> None:
    for path in _OPENAI_POSTS:
        assert refused(llm.http.post(path, content=body, headers=_JSON))[0] == 400
    for path in _ANTHROPIC_POSTS:
        assert refused_by_anthropic(llm.http.post(path, content=body, headers={**ANTHROPIC, **_JSON}))[0] == 400


def test_another_content_type_is_unsupported(llm: Llm) -> None:
    assert refused(llm.http.post(_CHAT, content=b"{}", headers={"Content-Type": "text/plain"}))[0] == 415


def test_a_compressed_body_is_understood(llm: Llm) -> None:
    body = gzip.compress(b'{"model": "plain", "messages": [{"role": "user", "content": "hi"}]}')
    answered(llm.http.post(_CHAT, content=body, headers={**_JSON, "Content-Encoding": "gzip"}))


def test_a_body_over_the_limit_is_too_large_in_each_shape(llm: Llm) -> None:
    body = b'{"x": "' + b"x" * (32 * 1024 * 1024) + b'"}'
    assert refused(llm.http.post(_CHAT, content=body, headers=_JSON))[0] == 413
    status, error = refused_by_anthropic(llm.http.post("/v1/messages", content=body, headers={**ANTHROPIC, **_JSON}))
    assert (status, error["type"]) == (413, "request_too_large")


def test_a_long_conversation_is_answered_at_once(llm: Llm) -> None:
    body = answered(llm.chat("word " * 200_000))
    assert body["usage"]["prompt_tokens"] == 200_002
    assert body["usage"]["completion_tokens"] < 100


def test_a_half_character_is_replaced_and_not_an_error(llm: Llm) -> None:
    body = b'{"model": "plain", "messages": [{"role": "user", "content": "\\ud800"}]}'
    answered(llm.http.post(_CHAT, content=body, headers=_JSON))


def test_an_answer_says_when_it_was_made(llm: Llm) -> None:
    before = int(time.time())
    assert before <= answered(llm.chat())["created"] <= time.time()
    assert before <= answered(llm.respond())["created_at"] <= time.time()
