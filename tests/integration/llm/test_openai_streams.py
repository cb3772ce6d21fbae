"""Streamed answers of OpenAI's: the event is over when the stream is, and says what was read of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHiveTracer
    from openai import AsyncOpenAI, OpenAI

    from tests.support.server import Server

pytestmark = [
    pytest.mark.needs("llm"),
    pytest.mark.llm_provider,
    pytest.mark.xdist_group("openai"),
    pytest.mark.usefixtures("openai_traced"),
]

CALL = "ChatCompletion"
ASKED: Any = [{"role": "user", "content": "one two three"}]
WITH_USAGE: Any = {"stream": True, "stream_options": {"include_usage": True}}


def test_a_stream_becomes_an_event_with_the_whole_answer_and_its_usage(
    openai_client: OpenAI, openai_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    with tracer.trace("ask"):
        chunks = list(openai_client.chat.completions.create(model=openai_model, messages=ASKED, **WITH_USAGE))
    tracer.flush()

    event = server.event(tracer.session_id, CALL)
    assert event["event_type"] == "model"
    assert event["parent_id"] == server.event(tracer.session_id, "ask")["event_id"]
    assert event["config"]["stream"] is True
    assert event["inputs"]["chat_history"] == ASKED
    assert event["outputs"]["content"] == "".join(_piece(chunk) for chunk in chunks)
    usage = chunks[-1].usage
    assert (
        event["metadata"].items()
        >= {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.total_tokens,
            "finish_reason": "stop",
        }.items()
    )


def test_an_async_stream_becomes_the_same_event(
    async_openai: Callable[[], AsyncOpenAI], openai_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    async def read() -> list[Any]:
        with tracer.trace("ask"):
            async with async_openai() as client:
                stream = await client.chat.completions.create(model=openai_model, messages=ASKED, **WITH_USAGE)
                return [chunk async for chunk in stream]

    chunks = asyncio.run(read())
    tracer.flush()

    event = server.event(tracer.session_id, CALL)
    assert event["parent_id"] == server.event(tracer.session_id, "ask")["event_id"]
    assert event["outputs"]["content"] == "".join(_piece(chunk) for chunk in chunks)
    assert event["metadata"]["total_tokens"] == chunks[-1].usage.total_tokens


def test_a_stream_that_tells_no_usage_becomes_an_event_without_tokens(
    openai_client: OpenAI, openai_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    """What OpenAI's API does unless it is asked: a count that nobody told is better left out than made up."""
    list(openai_client.chat.completions.create(model=openai_model, messages=ASKED, stream=True))
    tracer.flush()

    event = server.event(tracer.session_id, CALL)
    assert event["outputs"]["content"]
    assert not {"prompt_tokens", "completion_tokens", "total_tokens"} & set(event["metadata"])


@pytest.mark.needs("scripted-llm")
def test_a_stream_lasts_until_it_has_been_read_though_its_function_returned_before(
    openai_client: OpenAI, tracer: HoneyHiveTracer, server: Server
) -> None:
    with tracer.trace("ask"):
        stream = openai_client.chat.completions.create(
            model="slow?first=0.05&between=0.03", messages=ASKED, stream=True
        )
    list(stream)
    tracer.flush()

    event, parent = server.event(tracer.session_id, CALL), server.event(tracer.session_id, "ask")
    assert event["parent_id"] == parent["event_id"]
    assert event["duration"] >= 100
    assert event["end_time"] > parent["end_time"]


@pytest.mark.needs("scripted-llm")
def test_a_stream_that_is_left_early_becomes_an_event_with_what_was_read_and_no_error(
    openai_client: OpenAI, tracer: HoneyHiveTracer, server: Server
) -> None:
    with openai_client.chat.completions.create(model="plain", messages=ASKED, stream=True) as stream:
        read = [_piece(chunk) for chunk, _ in zip(stream, range(3), strict=False)]
    tracer.flush()

    event = server.event(tracer.session_id, CALL)
    # zip() takes one more chunk before it sees that it needs none.
    assert event["outputs"]["content"].startswith("".join(read))
    assert event["error"] is None
    assert "finish_reason" not in event["metadata"]


@pytest.mark.needs("scripted-llm")
def test_a_streamed_call_of_a_tool_is_put_together(
    openai_client: OpenAI, openai_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": parameters}}]
    list(openai_client.chat.completions.create(model=openai_model, messages=ASKED, tools=tools, stream=True))
    tracer.flush()

    event = server.event(tracer.session_id, CALL)
    (call,) = event["outputs"]["tool_calls"]
    assert call["function"] == {"name": "weather", "arguments": '{"city":"city"}'}
    assert event["metadata"]["finish_reason"] == "tool_calls"


def test_a_streamed_response_becomes_an_event_with_its_usage(
    openai_client: OpenAI, openai_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    with openai_client.responses.stream(model=openai_model, input="one two three") as stream:
        answer = stream.get_final_response()
    tracer.flush()

    event = server.event(tracer.session_id, "Response")
    assert event["outputs"]["content"] == answer.output_text
    assert answer.usage is not None
    assert event["metadata"]["total_tokens"] == answer.usage.total_tokens


def _piece(chunk: Any) -> str:  # noqa: ANN401 - OpenAI's type
    return chunk.choices[0].delta.content or "" if chunk.choices else ""
