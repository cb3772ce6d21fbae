from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from environments.services.llm import tokens
from tests.unit.services.llm.running import (
    ANTHROPIC,
    ARGUMENTS,
    DETERMINISTIC,
    EXPLANATION,
    PARAMETERS,
    answered,
    events,
    refused_by_anthropic,
)

if TYPE_CHECKING:
    from tests.unit.services.llm.running import Body, Llm

WEATHER = {"name": "weather", "description": "How is it?", "input_schema": PARAMETERS}
CLOCK = {"name": "clock", "input_schema": {"type": "object"}}


def said(body: Body) -> str:
    [block] = body["content"]
    return str(block["text"])


def called(body: Body) -> list[str]:
    return [block["name"] for block in body["content"] if block["type"] == "tool_use"]


def test_a_message_is_answered_with_a_message(llm: Llm) -> None:
    body = answered(llm.message("one two"))
    assert (body["type"], body["role"], body["stop_reason"]) == ("message", "assistant", "end_turn")
    assert said(body).endswith(" to: one two")
    assert body["usage"]["input_tokens"] == tokens.count("one two") + 1
    assert body["usage"]["output_tokens"] == tokens.count(said(body))


def test_the_deterministic_model_says_exactly_what_it_says(llm: Llm) -> None:
    assert said(answered(llm.message(model=DETERMINISTIC, tools=[WEATHER]))) == EXPLANATION


def test_a_system_prompt_changes_the_answer_and_is_counted(llm: Llm) -> None:
    plain = answered(llm.message())
    briefly = answered(llm.message(system="Be brief."))
    in_blocks = answered(llm.message(system=[{"type": "text", "text": "Be brief."}]))
    assert said(briefly) == said(in_blocks) != said(plain)
    assert briefly["usage"]["input_tokens"] == plain["usage"]["input_tokens"] + tokens.count("Be brief.") + 1


def test_a_stop_sequence_ends_the_answer_and_is_named(llm: Llm) -> None:
    body = answered(llm.message("one two three", stop_sequences=["three", " two"]))
    assert (body["stop_reason"], body["stop_sequence"]) == ("stop_sequence", " two")
    assert said(body).endswith("to: one")


def test_the_limit_of_tokens_cuts_the_answer_and_says_so(llm: Llm) -> None:
    body = answered(llm.message(max_tokens=2))
    assert (body["stop_reason"], body["usage"]["output_tokens"]) == ("max_tokens", 2)


def test_a_users_turn_with_tools_is_answered_with_their_use(llm: Llm) -> None:
    body = answered(llm.message("How is it in Paris?", tools=[WEATHER, CLOCK]))
    assert body["stop_reason"] == "tool_use"
    [block] = body["content"]
    assert (block["type"], block["name"], block["input"]) == ("tool_use", "weather", ARGUMENTS)


def test_a_tools_result_is_answered_with_text(llm: Llm) -> None:
    asked = {"role": "user", "content": "How is it in Paris?"}
    used = answered(llm.message(messages=[asked], tools=[WEATHER]))
    result = {"type": "tool_result", "tool_use_id": used["content"][0]["id"], "content": "sunny"}
    turns = [asked, {"role": "assistant", "content": used["content"]}, {"role": "user", "content": [result]}]
    assert said(answered(llm.message(messages=turns, tools=[WEATHER]))).endswith(" to: sunny")


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"type": "auto"}, ["weather", "clock"]),
        ({"type": "auto", "disable_parallel_tool_use": True}, ["weather"]),
        ({"type": "any"}, ["weather", "clock"]),
        ({"type": "tool", "name": "clock"}, ["clock"]),
        ({"type": "none"}, []),
    ],
)
def test_the_tool_choice_decides(llm: Llm, choice: Body, names: list[str]) -> None:
    body = answered(llm.message("weather, clock", tools=[WEATHER, CLOCK], tool_choice=choice))
    assert called(body) == names


def test_a_json_schema_is_met(llm: Llm) -> None:
    config = {"format": {"type": "json_schema", "schema": PARAMETERS}}
    body = answered(llm.message(output_config=config))
    assert said(body) == '{"city":"city","days":2,"unit":"C"}'


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"system": "Be brief."},
        {"tools": [WEATHER, CLOCK]},
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}, {"type": "text", "text": "?"}]}]},
        {"output_config": {"format": {"type": "json_schema", "schema": PARAMETERS}}},
    ],
)
def test_count_tokens_counts_what_the_message_is_charged(llm: Llm, given: Body) -> None:
    counted = answered(llm.message(path="/count_tokens", **given))
    assert counted == {"input_tokens": answered(llm.message(**given))["usage"]["input_tokens"]}


def test_a_streamed_message_comes_in_the_events_of_its_blocks(llm: Llm) -> None:
    whole = answered(llm.message("one two"))
    streamed = events(llm.message("one two", stream=True))
    assert all(name == data["type"] for name, data in streamed)
    pieces = [data["delta"]["text"] for name, data in streamed if name == "content_block_delta"]
    assert [name for name, _ in streamed] == [
        *("message_start", "ping", "content_block_start"),
        *["content_block_delta"] * len(pieces),
        *("content_block_stop", "message_delta", "message_stop"),
    ]
    assert "".join(pieces) == said(whole)
    begun, ended = streamed[0][1]["message"], streamed[-2][1]
    assert (begun["id"], begun["content"], begun["stop_reason"]) == (whole["id"], [], None)
    assert begun["usage"]["input_tokens"] == whole["usage"]["input_tokens"]
    assert ended["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert ended["usage"] == {"output_tokens": whole["usage"]["output_tokens"]}


def test_streamed_tool_use_comes_in_pieces_of_its_input(llm: Llm) -> None:
    streamed = events(llm.message("weather, clock", tools=[WEATHER, CLOCK], stream=True))
    begun = [data for name, data in streamed if name == "content_block_start"]
    assert [(each["index"], each["content_block"]["input"]) for each in begun] == [(0, {}), (1, {})]
    pieces = [data["delta"]["partial_json"] for _, data in streamed if data.get("delta") and data.get("index") == 0]
    assert "".join(pieces) == '{"city":"city","days":2,"unit":"C"}'


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "odd"}]}]}, "messages[0].content[0].type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x"}]}]},
            "tool_use_id",
        ),
        ({"system": [{"type": "image"}]}, "system[0].type"),
        ({"temperature": 1.5}, "temperature"),
        ({"stop": "x"}, "stop"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "thinking.type"),
        ({"tools": [{"name": "x"}]}, "tools[0].input_schema"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0].type"),
        ({"tool_choice": {"type": "any"}}, "Tools are required"),
        ({"tools": [CLOCK], "tool_choice": {"type": "tool", "name": "x"}}, "'x'"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
    ],
)
def test_a_wrong_request_is_refused_by_what_is_wrong(llm: Llm, given: Body, word: str) -> None:
    status, error = refused_by_anthropic(llm.message(**given))
    assert (status, error["type"]) == (400, "invalid_request_error")
    assert word in error["message"]


def test_a_request_without_a_version_is_refused(llm: Llm) -> None:
    response = llm.http.post("/v1/messages", json={}, headers={"x-api-key": ANTHROPIC["x-api-key"]})
    status, error = refused_by_anthropic(response)
    assert (status, error["message"]) == (400, "anthropic-version: header is required")
