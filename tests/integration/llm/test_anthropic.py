"""Calls of Anthropic's SDK, under OpenInference's instrumentor: each is one event of it, whatever else there is."""

# The SDK isn't installed where types are checked.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.providers import instrumented_calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from anthropic import Anthropic, AsyncAnthropic
    from honeyhive import HoneyHiveTracer

    from tests.support.server import Server

pytestmark = [
    pytest.mark.needs("llm"),
    pytest.mark.llm_provider,
    pytest.mark.xdist_group("anthropic"),
    pytest.mark.usefixtures("anthropic_traced"),
]

CALL = "messages.create"
USER: Any = [{"role": "user", "content": "¿Qué hora es en Tōkyō? 🕒"}]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER: Any = {"name": "weather", "description": "Look up.", "input_schema": PARAMETERS}


def test_a_message_becomes_a_model_event_with_what_was_asked_and_what_was_answered(
    anthropic_client: Anthropic, anthropic_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    answer: Any = anthropic_client.messages.create(
        model=anthropic_model, max_tokens=50, system="Be brief.", messages=USER
    )
    tracer.flush()

    event = server.event(tracer.session_id, CALL)
    assert event["event_type"] == "model"
    assert event["error"] is None
    assert event["config"].items() >= {
        "model": anthropic_model, "provider": "anthropic", "max_tokens": 50,
    }.items()  # fmt: skip
    assert event["inputs"]["chat_history"] == [{"role": "system", "content": "Be brief."}, *USER]
    said = {"role": "assistant", "content": answer.content[0].text}
    assert event["outputs"] == {**said, "chat_history": [said]}
    assert (
        event["metadata"].items()
        >= {
            "model_name": answer.model,
            "prompt_tokens": answer.usage.input_tokens,
            "completion_tokens": answer.usage.output_tokens,
            "total_tokens": answer.usage.input_tokens + answer.usage.output_tokens,
            "finish_reason": answer.stop_reason,
            "instrumentor": "openinference",
        }.items()
    )


def test_a_message_stands_below_the_traced_function_that_asked_for_it_and_lies_within_its_time(
    anthropic_client: Anthropic, anthropic_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_type="chain")
    def ask() -> str:
        answer: Any = anthropic_client.messages.create(model=anthropic_model, max_tokens=50, messages=USER)
        return str(answer.content[0].text)

    answered = ask()
    tracer.flush()

    call, parent = server.event(tracer.session_id, CALL), server.event(tracer.session_id, f"{__name__}.ask")
    assert call["parent_id"] == parent["event_id"]
    assert call["outputs"]["content"] == answered == parent["outputs"]["result"]
    assert parent["start_time"] <= call["start_time"] <= call["end_time"] <= parent["end_time"]
    assert 0 < call["duration"] <= parent["duration"]


def test_a_message_of_the_async_client_stands_below_the_coroutine_that_awaited_it(
    async_anthropic: Callable[[], AsyncAnthropic], anthropic_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_type="chain")
    async def ask() -> Any:  # noqa: ANN401 - Anthropic's type
        async with async_anthropic() as client:
            return await client.messages.create(model=anthropic_model, max_tokens=50, messages=USER)

    answer = asyncio.run(ask())
    tracer.flush()

    call, parent = server.event(tracer.session_id, CALL), server.event(tracer.session_id, f"{__name__}.ask")
    assert call["parent_id"] == parent["event_id"]
    assert call["outputs"]["content"] == answer.content[0].text
    assert call["metadata"]["completion_tokens"] == answer.usage.output_tokens


def test_a_conversation_with_a_tool_shows_the_call_of_the_tool_and_then_its_result(
    anthropic_client: Anthropic, anthropic_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    asked: Any = {"model": anthropic_model, "max_tokens": 200, "tools": [WEATHER]}
    turns = list(USER)
    with tracer.trace("agent"):
        first: Any = anthropic_client.messages.create(messages=turns, tool_choice={"type": "any"}, **asked)
        wanted = first.content[-1]
        result = {"type": "tool_result", "tool_use_id": wanted.id, "content": "sunny"}
        turns += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
        last: Any = anthropic_client.messages.create(messages=turns, **asked)
    tracer.flush()

    calling, answering = instrumented_calls(server, tracer.session_id, 2)
    assert calling["config"]["tools"] == [WEATHER]
    assert calling["metadata"]["finish_reason"] == first.stop_reason == "tool_use"
    (shown,) = calling["outputs"]["tool_calls"]
    assert (shown["id"], shown["function"]["name"]) == (wanted.id, "weather")
    assert json.loads(shown["function"]["arguments"]) == wanted.input
    request, given = answering["inputs"]["chat_history"][-2:]
    assert request["tool_calls"][0]["id"] == wanted.id
    assert "sunny" in json.dumps(given)
    assert (answering["outputs"]["content"], answering["metadata"]["finish_reason"]) == (
        last.content[0].text,
        "end_turn",
    )


def test_a_message_that_the_limit_cut_has_that_as_its_finish_reason(
    anthropic_client: Anthropic, anthropic_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    anthropic_client.messages.create(model=anthropic_model, max_tokens=2, messages=USER)
    tracer.flush()

    event = server.event(tracer.session_id, CALL)
    assert (event["metadata"]["finish_reason"], event["metadata"]["completion_tokens"]) == ("max_tokens", 2)


def test_a_stream_becomes_an_event_with_the_whole_answer_and_its_usage(
    anthropic_client: Anthropic, anthropic_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    with tracer.trace("ask"):
        stream = anthropic_client.messages.create(model=anthropic_model, max_tokens=50, messages=USER, stream=True)
        events: list[Any] = list(stream)
    tracer.flush()

    event = server.event(tracer.session_id, CALL)
    assert event["parent_id"] == server.event(tracer.session_id, "ask")["event_id"]
    assert event["config"]["stream"] is True
    text = "".join(part.delta.text for part in events if part.type == "content_block_delta")
    assert event["outputs"]["content"] == text
    (told,) = [part for part in events if part.type == "message_delta"]
    assert event["metadata"]["completion_tokens"] == told.usage.output_tokens
    assert event["metadata"]["finish_reason"] == told.delta.stop_reason


def test_the_stream_helper_becomes_one_event_of_its_own_name(
    anthropic_client: Anthropic, anthropic_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    with anthropic_client.messages.stream(model=anthropic_model, max_tokens=50, messages=USER) as stream:
        text = "".join(stream.text_stream)
        usage = stream.get_final_message().usage
    tracer.flush()

    (event,) = instrumented_calls(server, tracer.session_id, 1)
    assert (event["event_name"], event["outputs"]["content"]) == ("messages.stream", text)
    assert event["metadata"]["total_tokens"] == usage.input_tokens + usage.output_tokens


def test_an_async_stream_becomes_the_same_event(
    async_anthropic: Callable[[], AsyncAnthropic], anthropic_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    async def read() -> str:
        client = async_anthropic()
        asked: Any = {"model": anthropic_model, "max_tokens": 50, "messages": USER}
        async with client, client.messages.stream(**asked) as stream:
            return "".join([text async for text in stream.text_stream])

    text = asyncio.run(read())
    tracer.flush()

    (event,) = instrumented_calls(server, tracer.session_id, 1)
    assert event["outputs"]["content"] == text
