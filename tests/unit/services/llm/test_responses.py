from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from environments.services.llm import tokens
from tests.unit.services.llm.running import (
    ARGUMENTS,
    DETERMINISTIC,
    EXPLANATION,
    PARAMETERS,
    answered,
    events,
    refused,
)

if TYPE_CHECKING:
    from tests.unit.services.llm.running import Body, Llm

WEATHER = {"type": "function", "name": "weather", "parameters": PARAMETERS, "strict": False}


def said(body: Body) -> str:
    [message] = body["output"]
    return str(message["content"][0]["text"])


def test_a_text_is_answered_with_a_message(llm: Llm) -> None:
    body = answered(llm.respond("one two", instructions="Be brief"))
    assert (body["object"], body["status"], body["output"][0]["type"]) == ("response", "completed", "message")
    assert said(body).endswith(" to: one two")
    usage = body["usage"]
    assert usage["input_tokens"] == tokens.count("one two") + tokens.count("Be brief") + 2
    assert usage["output_tokens"] == tokens.count(said(body))
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_the_deterministic_model_says_exactly_what_it_says(llm: Llm) -> None:
    assert said(answered(llm.respond(model=DETERMINISTIC, tools=[WEATHER]))) == EXPLANATION


def test_messages_may_be_texts_or_parts(llm: Llm) -> None:
    parts = [{"type": "input_text", "text": "hello"}]
    one = answered(llm.respond([{"role": "user", "content": "hello"}]))
    other = answered(llm.respond([{"type": "message", "role": "user", "content": parts}]))
    assert said(one) == said(other) == said(answered(llm.respond("hello")))


def test_a_call_and_its_result_make_a_conversation(llm: Llm) -> None:
    asked = {"role": "user", "content": "How is it in Paris?"}
    first = answered(llm.respond([asked], tools=[WEATHER]))
    [call] = first["output"]
    assert (call["type"], call["name"], call["status"]) == ("function_call", "weather", "completed")
    assert json.loads(call["arguments"]) == ARGUMENTS
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
    second = answered(llm.respond([asked, call, result], tools=[WEATHER]))
    assert said(second).endswith(" to: sunny")


@pytest.mark.parametrize(
    ("choice", "kind"),
    [
        ("none", "message"),
        ("required", "function_call"),
        ({"type": "function", "name": "weather"}, "function_call"),
        ({"type": "allowed_tools", "mode": "auto", "tools": [WEATHER]}, "function_call"),
    ],
)
def test_the_tool_choice_decides(llm: Llm, choice: object, kind: str) -> None:
    body = answered(llm.respond(tools=[WEATHER], tool_choice=choice))
    assert [item["type"] for item in body["output"]] == [kind]


def test_the_limit_of_tokens_makes_it_incomplete(llm: Llm) -> None:
    body = answered(llm.respond("one two three", max_output_tokens=2))
    assert (body["status"], body["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert body["output"][0]["status"] == "incomplete"
    assert body["usage"]["output_tokens"] == 2


def test_json_is_answered_in_both_modes(llm: Llm) -> None:
    mode = {"format": {"type": "json_object"}}
    assert "answer" in json.loads(said(answered(llm.respond("As JSON", text=mode))))
    assert refused(llm.respond("hello", text=mode))[0] == 400
    schema = {"format": {"type": "json_schema", "name": "weather", "schema": PARAMETERS}}
    assert json.loads(said(answered(llm.respond(text=schema)))) == ARGUMENTS


@pytest.mark.parametrize("limit", [None, 2])
def test_a_streamed_text_comes_in_the_events_of_its_parts(llm: Llm, limit: int | None) -> None:
    whole = answered(llm.respond("one two", max_output_tokens=limit))
    streamed = events(llm.respond("one two", max_output_tokens=limit, stream=True))
    assert all(name == data["type"] for name, data in streamed)
    assert [data["sequence_number"] for _, data in streamed] == list(range(len(streamed)))
    names = [str(name).removeprefix("response.") for name, _ in streamed]
    pieces = [data["delta"] for name, data in streamed if name == "response.output_text.delta"]
    assert names == [
        *("created", "in_progress", "output_item.added", "content_part.added"),
        *["output_text.delta"] * len(pieces),
        *("output_text.done", "content_part.done", "output_item.done"),
        "completed" if limit is None else "incomplete",
    ]
    assert "".join(pieces) == said(whole)
    whole["created_at"] = streamed[-1][1]["response"]["created_at"]
    whole["completed_at"] = streamed[-1][1]["response"]["completed_at"]
    assert streamed[-1][1]["response"] == whole


def test_a_streamed_call_comes_in_pieces_of_its_arguments(llm: Llm) -> None:
    streamed = events(llm.respond(tools=[WEATHER], stream=True))
    pieces = [data["delta"] for name, data in streamed if name == "response.function_call_arguments.delta"]
    [done] = [data for name, data in streamed if name == "response.function_call_arguments.done"]
    assert json.loads("".join(pieces)) == json.loads(done["arguments"]) == ARGUMENTS
    assert streamed[-1][1]["response"]["output"][0]["arguments"] == done["arguments"]


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"content": "x"}]}, "input[0].role"),
        ({"input": [{"type": "odd"}]}, "input[0].type"),
        ({"input": [{"type": "function_call_output", "call_id": "x", "output": "y"}]}, "input"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"background": True}, "background"),
        ({"include": ["reasoning.encrypted_content"]}, "include"),
        ({"max_tokens": 1}, "max_tokens"),
        ({"max_output_tokens": "1"}, "max_output_tokens"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "name": "x"}}, "tool_choice"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
    ],
)
def test_a_wrong_request_is_refused_by_the_path_of_what_is_wrong(llm: Llm, given: Body, param: str) -> None:
    status, error = refused(llm.http.post("/v1/responses", json={"model": "plain", "input": "hello", **given}))
    assert (status, error["param"]) == (400, param)
