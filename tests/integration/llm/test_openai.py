"""Calls of OpenAI's SDK, under OpenInference's instrumentor: each is an event that says what was asked and answered."""

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

    from honeyhive import HoneyHiveTracer
    from openai import AsyncOpenAI, OpenAI

    from tests.support.server import Server
    from tests.support.tracers import Tracers

pytestmark = [
    pytest.mark.needs("llm"),
    pytest.mark.llm_provider,
    pytest.mark.xdist_group("openai"),
    pytest.mark.usefixtures("openai_traced"),
]

CALL = "ChatCompletion"
ASKED: Any = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "¿Qué hora es en Tōkyō? 🕒"},
]
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER: Any = {"type": "function", "function": {"name": "weather", "parameters": PARAMETERS}}


def test_a_call_becomes_a_model_event_with_what_was_asked_and_what_was_answered(
    openai_client: OpenAI, openai_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    answer = openai_client.chat.completions.create(
        model=openai_model, messages=ASKED, temperature=0.5, max_tokens=50, seed=3
    )
    tracer.flush()

    event = server.event(tracer.session_id, CALL)
    assert event["event_type"] == "model"
    assert event["error"] is None
    assert event["config"].items() >= {
        "model": openai_model, "provider": "openai", "temperature": 0.5, "max_tokens": 50, "seed": 3,
    }.items()  # fmt: skip
    assert event["inputs"]["chat_history"] == ASKED
    said = {"role": "assistant", "content": answer.choices[0].message.content}
    assert event["outputs"] == {**said, "chat_history": [said]}
    assert answer.usage is not None
    assert (
        event["metadata"].items()
        >= {
            "model_name": answer.model,
            "prompt_tokens": answer.usage.prompt_tokens,
            "completion_tokens": answer.usage.completion_tokens,
            "total_tokens": answer.usage.total_tokens,
            "finish_reason": answer.choices[0].finish_reason,
            "instrumentor": "openinference",
        }.items()
    )


def test_a_call_stands_below_the_traced_function_that_made_it_and_lies_within_its_time(
    openai_client: OpenAI, openai_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_type="chain")
    def ask() -> str:
        answer = openai_client.chat.completions.create(model=openai_model, messages=ASKED)
        tracer.enrich_span(metrics={"asked": 1})
        return str(answer.choices[0].message.content)

    answered = ask()
    tracer.flush()

    call, parent = server.event(tracer.session_id, CALL), server.event(tracer.session_id, f"{__name__}.ask")
    assert call["parent_id"] == parent["event_id"]
    assert (call["session_id"], parent["parent_id"]) == (tracer.session_id, tracer.session_id)
    assert call["outputs"]["content"] == answered == parent["outputs"]["result"]
    assert parent["start_time"] <= call["start_time"] <= call["end_time"] <= parent["end_time"]
    assert 0 < call["duration"] <= parent["duration"]
    # What the function says of itself is not said of the call in it.
    assert (parent["metrics"], call["metrics"]) == ({"asked": 1}, {})


def test_a_call_of_the_async_client_stands_below_the_coroutine_that_awaited_it(
    async_openai: Callable[[], AsyncOpenAI], openai_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_type="chain")
    async def ask() -> Any:  # noqa: ANN401 - OpenAI's type
        async with async_openai() as client:
            return await client.chat.completions.create(model=openai_model, messages=ASKED)

    answer = asyncio.run(ask())
    tracer.flush()

    call, parent = server.event(tracer.session_id, CALL), server.event(tracer.session_id, f"{__name__}.ask")
    assert call["parent_id"] == parent["event_id"]
    assert call["inputs"]["chat_history"] == ASKED
    assert call["outputs"]["content"] == answer.choices[0].message.content
    assert call["metadata"]["total_tokens"] == answer.usage.total_tokens


def test_a_call_outside_of_any_function_stands_below_the_session(
    openai_client: OpenAI, openai_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    openai_client.chat.completions.create(model=openai_model, messages=ASKED)
    tracer.flush()

    assert server.event(tracer.session_id, CALL)["parent_id"] == tracer.session_id


def test_calls_of_one_function_stand_below_it_in_their_order_and_the_session_sums_up_their_tokens(
    openai_client: OpenAI, openai_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    with tracer.trace("ask"):
        answers = [
            openai_client.chat.completions.create(model=openai_model, messages=[{"role": "user", "content": text}])
            for text in ("first", "second", "third")
        ]
    tracer.flush()

    calls, parent = instrumented_calls(server, tracer.session_id, 3), server.event(tracer.session_id, "ask")
    assert [call["inputs"]["chat_history"][0]["content"] for call in calls] == ["first", "second", "third"]
    assert {call["parent_id"] for call in calls} == {parent["event_id"]}
    used = [answer.usage.total_tokens for answer in answers if answer.usage is not None]
    session = server.session(tracer.session_id)["metadata"]
    assert (session["num_model_events"], session["total_tokens"]) == (3, sum(used))


def test_a_conversation_with_a_tool_shows_the_call_of_the_tool_and_then_its_result(
    openai_client: OpenAI, openai_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    turns = list(ASKED)
    asked: Any = {"model": openai_model, "tools": [WEATHER]}
    with tracer.trace("agent"):
        first = openai_client.chat.completions.create(messages=turns, tool_choice="required", **asked).choices[0]
        (wanted,) = first.message.tool_calls or []
        result: Any = {"role": "tool", "tool_call_id": wanted.id, "content": "sunny"}
        turns += [first.message.model_dump(exclude_none=True), result]
        last = openai_client.chat.completions.create(messages=turns, **asked).choices[0]
    tracer.flush()

    calling, answering = instrumented_calls(server, tracer.session_id, 2)
    assert calling["config"]["tools"] == [WEATHER]
    assert calling["metadata"]["finish_reason"] == first.finish_reason == "tool_calls"
    (shown,) = calling["outputs"]["tool_calls"]
    assert wanted.type == "function"
    assert (shown["id"], shown["function"]["name"]) == (wanted.id, "weather")
    assert json.loads(shown["function"]["arguments"]) == json.loads(wanted.function.arguments)
    request, given = answering["inputs"]["chat_history"][-2:]
    assert request["tool_calls"][0]["id"] == given["tool_call_id"] == wanted.id
    assert (given["role"], given["content"]) == ("tool", "sunny")
    assert (answering["outputs"]["content"], answering["metadata"]["finish_reason"]) == (last.message.content, "stop")


def test_an_answer_that_the_limit_cut_has_that_as_its_finish_reason(
    openai_client: OpenAI, openai_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    openai_client.chat.completions.create(model=openai_model, messages=ASKED, max_tokens=2)
    tracer.flush()

    event = server.event(tracer.session_id, CALL)
    assert (event["metadata"]["finish_reason"], event["metadata"]["completion_tokens"]) == ("length", 2)
    assert event["error"] is None


def test_every_answer_of_a_call_that_wants_several_is_kept(
    openai_client: OpenAI, openai_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    answer = openai_client.chat.completions.create(model=openai_model, messages=ASKED, n=3)
    tracer.flush()

    kept = server.event(tracer.session_id, CALL)["outputs"]["chat_history"]
    assert [message["content"] for message in kept] == [choice.message.content for choice in answer.choices]


def test_a_response_becomes_a_model_event_too(
    openai_client: OpenAI, openai_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    answer = openai_client.responses.create(model=openai_model, input="How good?", instructions="Be brief.")
    tracer.flush()

    event = server.event(tracer.session_id, "Response")
    assert (event["event_type"], event["config"]["model"]) == ("model", openai_model)
    assert event["inputs"]["chat_history"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How good?"},
    ]
    assert event["outputs"]["content"] == answer.output_text
    assert answer.usage is not None
    assert event["metadata"]["prompt_tokens"] == answer.usage.input_tokens
    assert event["metadata"]["completion_tokens"] == answer.usage.output_tokens


@pytest.mark.needs("scripted-llm")
def test_an_embedding_becomes_a_tool_event_with_its_text_and_vector(
    openai_client: OpenAI, openai_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    answer = openai_client.embeddings.create(model=openai_model, input=["hello"], dimensions=3)
    tracer.flush()

    event = server.event(tracer.session_id, "CreateEmbeddings")
    assert event["event_type"] == "tool"
    (embedding,) = event["outputs"]["embeddings"]
    assert (embedding["text"], embedding["vector"]) == ("hello", pytest.approx(answer.data[0].embedding))
    assert event["metadata"]["prompt_tokens"] == answer.usage.prompt_tokens


def test_a_call_goes_to_the_session_that_its_context_began(
    openai_client: OpenAI, openai_model: str, tracer: HoneyHiveTracer, server: Server, make_tracer: Tracers
) -> None:
    """A server has one tracer, and a session for each of its users' requests."""
    with tracer.with_session(session_name=f"{make_tracer.name}-request") as session_id:
        make_tracer.cleanup.register(f"{make_tracer.name}-request", lambda: server.delete_session(str(session_id)))
        openai_client.chat.completions.create(model=openai_model, messages=ASKED)
    tracer.flush()

    assert server.event(session_id, CALL)["parent_id"] == session_id
    assert server.children(str(tracer.session_id)) == []


def test_over_protobuf_the_event_is_the_same(
    openai_client: OpenAI,
    openai_model: str,
    openai_instrumentor: Any,  # noqa: ANN401 - untyped where types are checked
    make_tracer: Tracers,
    tracer: HoneyHiveTracer,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: Any = {
        "model": openai_model,
        "messages": ASKED,
        "tools": [WEATHER],
        "tool_choice": "none",
        "temperature": 0.5,
    }
    openai_client.chat.completions.create(**asked)
    tracer.flush()
    monkeypatch.setenv("HH_OTLP_PROTOCOL", "http/protobuf")
    by_protobuf = make_tracer()
    openai_instrumentor.uninstrument()
    openai_instrumentor.instrument(tracer_provider=by_protobuf.provider)
    openai_client.chat.completions.create(**asked)
    by_protobuf.flush()

    one, other = server.event(tracer.session_id, CALL), server.event(by_protobuf.session_id, CALL)
    for bucket in ("config", "inputs", "outputs"):
        assert other[bucket] == one[bucket]
    for name in ("model_name", "prompt_tokens", "completion_tokens", "total_tokens", "finish_reason", "instrumentor"):
        assert other["metadata"][name] == one["metadata"][name]
