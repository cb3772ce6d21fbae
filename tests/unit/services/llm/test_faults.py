"""What a model's name makes go wrong, on the wire. What the SDKs make of it is in the modules of each."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.unit.services.llm.running import ANTHROPIC, answered, chat, events, refused, refused_by_anthropic

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.services.llm.running import Llm

_RETRIED = {"x-stainless-retry-count": "1"}
_CHAT = "/v1/chat/completions"
_OPENAI_TYPES = {400: "invalid_request_error", 401: "invalid_request_error", 403: "invalid_request_error"} | {
    429: "requests",
    500: "server_error",
    503: "server_error",
    529: "server_error",
}
_ANTHROPIC_TYPES = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error"} | {
    429: "rate_limit_error",
    500: "api_error",
    503: "api_error",
    529: "overloaded_error",
}


@pytest.mark.parametrize("status", sorted(_OPENAI_TYPES))
@pytest.mark.parametrize("stream", [False, True])
def test_fail_answers_with_its_status_in_each_shape(llm: Llm, status: int, *, stream: bool) -> None:
    told, error = refused(llm.chat(model=f"fail/{status}", stream=stream))
    assert (told, error["type"]) == (status, _OPENAI_TYPES[status])
    told, error = refused_by_anthropic(llm.message(model=f"fail/{status}", stream=stream))
    assert (told, error["type"]) == (status, _ANTHROPIC_TYPES[status])


def test_fail_fails_every_endpoint(llm: Llm) -> None:
    assert refused(llm.respond(model="fail/500"))[0] == 500
    assert refused(llm.http.post("/v1/embeddings", json={"model": "fail/500", "input": "x"}))[0] == 500
    assert refused_by_anthropic(llm.message(path="/count_tokens", model="fail/500"))[0] == 500


def test_retry_after_is_a_header(llm: Llm) -> None:
    assert llm.chat(model="fail/429?retry_after=2").headers["retry-after"] == "2"
    assert llm.chat(model="fail/429?retry_after=0.5").headers["retry-after"] == "0.5"
    assert "retry-after" not in llm.chat(model="fail/429").headers


@pytest.mark.parametrize("model", ["fail/500?times=1", "malformed?times=1", "cut?times=1"])
def test_times_spares_the_attempts_after_it(llm: Llm, model: str) -> None:
    answered(llm.http.post(_CHAT, json=chat(model=model), headers=_RETRIED))


@pytest.mark.parametrize("count", ["", "x", "-1", "0", "9" * 50])
def test_an_attempt_that_is_not_counted_is_the_first(llm: Llm, count: str) -> None:
    headers = {"x-stainless-retry-count": count}
    assert refused(llm.http.post(_CHAT, json=chat(model="fail/500?times=1"), headers=headers))[0] == 500


def test_an_error_in_a_stream_comes_after_its_events_in_each_shape(llm: Llm) -> None:
    streamed = events(llm.chat(model="fail/529?after=2", stream=True))
    assert len(streamed) == 3
    assert streamed[-1][1]["error"]["type"] == "server_error"
    streamed = events(llm.respond(model="fail/529?after=2", stream=True))
    assert [name for name, _ in streamed] == ["response.created", "response.in_progress", "error"]
    streamed = events(llm.message(model="fail/529?after=3", stream=True))
    assert [name for name, _ in streamed] == ["message_start", "ping", "content_block_start", "error"]
    assert streamed[-1][1]["error"]["type"] == "overloaded_error"


def test_an_error_in_a_stream_is_an_error_where_there_is_no_stream(llm: Llm) -> None:
    assert refused(llm.chat(model="fail/529?after=2"))[0] == 529
    embedding = {"model": "fail/500?after=1", "input": "x", "stream": True}
    assert refused(llm.http.post("/v1/embeddings", json=embedding))[0] in {400, 500}


def test_a_malformed_answer_is_half_of_its_json(llm: Llm) -> None:
    response = llm.chat(model="malformed")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    assert response.text.startswith('{"id":"chatcmpl-')
    with pytest.raises(json.JSONDecodeError):
        response.json()


def test_a_malformed_stream_has_an_event_that_is_no_json(llm: Llm) -> None:
    response = llm.chat(model="malformed?after=1", stream=True)
    first, second = (block.removeprefix("data: ") for block in response.text.strip().split("\n\n"))
    json.loads(first)
    with pytest.raises(json.JSONDecodeError):
        json.loads(second)


def test_a_cut_answer_ends_before_its_announced_length(llm: Llm) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        llm.chat(model="cut")


@pytest.mark.parametrize("after", [0, 1, 3, 9999])
def test_a_cut_stream_ends_after_its_events(llm: Llm, after: int) -> None:
    whole = events(llm.chat(stream=True))
    read: list[bytes] = []
    body = chat(model=f"cut?after={after}", stream=True)
    with llm.http.stream("POST", _CHAT, json=body) as response:
        assert response.status_code == 200
        pieces = response.iter_bytes()
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
            read.extend(pieces)
    assert b"".join(read).count(b"\n\n") == min(after, len(whole) - 1)
    assert b"[DONE]" not in b"".join(read)


def test_a_connection_that_was_cut_is_followed_by_a_good_one(llm: Llm) -> None:
    for _ in range(3):
        with pytest.raises(httpx.RemoteProtocolError):
            llm.chat(model="cut")
    answered(llm.chat())


@pytest.mark.parametrize("ask", [lambda llm, **g: llm.chat(**g), lambda llm, **g: llm.message(**g)])
@pytest.mark.parametrize("stream", [False, True])
def test_a_slow_model_lets_its_first_byte_be_waited_for(
    llm: Llm, ask: Callable[..., httpx.Response], *, stream: bool
) -> None:
    began = time.perf_counter()
    assert ask(llm, model="slow?first=0.3", stream=stream).status_code == 200
    assert time.perf_counter() - began >= 0.3


def test_a_slow_streams_events_come_one_by_one(llm: Llm) -> None:
    arrived = []
    body = chat(model="slow?first=0&between=0.05", stream=True)
    with llm.http.stream("POST", _CHAT, json=body) as response:
        for _ in response.iter_lines():
            arrived.append(time.perf_counter())  # noqa: PERF401 - the time is when the line came
    assert arrived[-1] - arrived[0] >= 0.05 * 5


def test_slow_answers_hold_up_nobody_else(llm: Llm) -> None:
    body = chat(model="slow?first=60")
    with (
        httpx.Client(base_url=llm.url, headers={"x-api-key": "any"}, timeout=0.2) as impatient,
        pytest.raises(httpx.ReadTimeout),
    ):
        impatient.post(_CHAT, json=body)
    began = time.perf_counter()
    answered(llm.chat())
    assert time.perf_counter() - began < 5


def test_a_fault_is_asked_for_before_the_rest_of_the_request_is_judged(llm: Llm) -> None:
    assert refused(llm.chat(model="fail/418", temperature=99))[0] == 418
    assert llm.http.post("/v1/messages", json={"model": "fail/418"}, headers=ANTHROPIC).status_code == 418
