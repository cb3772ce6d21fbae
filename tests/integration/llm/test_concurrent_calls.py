"""Calls at the same time, in threads and in tasks: each stands below the function that made it, with its own answer."""

# The SDK isn't installed where types are checked.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.providers import instrumented_calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from anthropic import AsyncAnthropic
    from honeyhive import HoneyHiveTracer
    from openai import AsyncOpenAI, OpenAI

    from tests.support.server import Event, Server
    from tests.support.tracers import Tracers

pytestmark = [pytest.mark.needs("llm"), pytest.mark.llm_provider]
of_openai = pytest.mark.xdist_group("openai")
of_anthropic = pytest.mark.xdist_group("anthropic")

AT_ONCE = 4


def _user(text: str) -> Any:  # noqa: ANN401 - the SDKs' own types
    return [{"role": "user", "content": text}]


def _together(server: Server, session_id: str | None, function: str, calls: list[Event]) -> set[tuple[str, str, str]]:
    """Return (what a function was asked, what the call below it was asked, what both answered), one of each pair."""
    by_id = {event["event_id"]: event for event in server.children(str(session_id)) if event["event_name"] == function}
    found = set()
    for call in calls:
        parent = by_id.pop(call["parent_id"])
        assert parent["outputs"]["result"] == call["outputs"]["content"]
        answer = call["outputs"]["content"]
        found.add((parent["inputs"]["text"], call["inputs"]["chat_history"][0]["content"], answer))
    assert not by_id, "a function is without its call"
    return found


def _asked(server: Server, tracer: HoneyHiveTracer) -> set[tuple[str, str, str]]:
    """Return what each call of `ask` came to: its text, what the model was asked below it, the answer of both."""
    calls = instrumented_calls(server, tracer.session_id, AT_ONCE)
    return _together(server, tracer.session_id, f"{__name__}.ask", calls)


def _each_its_own(texts: list[str], answers: list[str]) -> set[tuple[str, str, str]]:
    return {(text, text, answer) for text, answer in zip(texts, answers, strict=True)}


@of_openai
@pytest.mark.usefixtures("openai_traced")
def test_calls_in_threads_each_stand_below_the_function_of_their_thread(
    openai_client: OpenAI, openai_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    from honeyhive import trace

    start = threading.Barrier(AT_ONCE)

    @trace(tracer=tracer, event_type="chain")
    def ask(text: str) -> str:
        start.wait(timeout=10)
        answer = openai_client.chat.completions.create(model=openai_model, messages=_user(text))
        return str(answer.choices[0].message.content)

    texts = [f"question {number}" for number in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(ask, texts))
    tracer.flush()

    assert _asked(server, tracer) == _each_its_own(texts, answers)


@of_openai
@pytest.mark.usefixtures("openai_traced")
def test_calls_in_tasks_each_stand_below_the_coroutine_of_their_task(
    async_openai: Callable[[], AsyncOpenAI], openai_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    from honeyhive import trace

    async def all_at_once() -> list[str]:
        async with async_openai() as client:

            @trace(tracer=tracer, event_type="chain")
            async def ask(text: str) -> str:
                answer = await client.chat.completions.create(model=openai_model, messages=_user(text))
                return str(answer.choices[0].message.content)

            answers: list[str] = await asyncio.gather(*(ask(text) for text in texts))
            return answers

    texts = [f"question {number}" for number in range(AT_ONCE)]
    answers = asyncio.run(all_at_once())
    tracer.flush()

    assert _asked(server, tracer) == _each_its_own(texts, answers)


@of_anthropic
@pytest.mark.usefixtures("anthropic_traced")
def test_messages_in_tasks_each_stand_below_the_coroutine_of_their_task(
    async_anthropic: Callable[[], AsyncAnthropic], anthropic_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    from honeyhive import trace

    async def all_at_once() -> list[str]:
        async with async_anthropic() as client:

            @trace(tracer=tracer, event_type="chain")
            async def ask(text: str) -> str:
                asked: Any = {"model": anthropic_model, "max_tokens": 50, "messages": _user(text)}
                answer: Any = await client.messages.create(**asked)
                return str(answer.content[0].text)

            answers: list[str] = await asyncio.gather(*(ask(text) for text in texts))
            return answers

    texts = [f"question {number}" for number in range(AT_ONCE)]
    answers = asyncio.run(all_at_once())
    tracer.flush()

    assert _asked(server, tracer) == _each_its_own(texts, answers)


@of_openai
@pytest.mark.usefixtures("openai_traced")
def test_streams_that_are_read_in_turns_stay_apart(
    openai_client: OpenAI, openai_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    def opened(text: str) -> Any:  # noqa: ANN401 - OpenAI's type
        with tracer.trace(text):
            return openai_client.chat.completions.create(model=openai_model, messages=_user(text), stream=True)

    texts = ("one", "two")
    for _ in zip(*(opened(text) for text in texts), strict=True):
        pass
    tracer.flush()

    for call in instrumented_calls(server, tracer.session_id, 2):
        text = call["inputs"]["chat_history"][0]["content"]
        assert call["parent_id"] == server.event(tracer.session_id, text)["event_id"]
        assert call["outputs"]["content"].endswith(text)


@of_openai
@pytest.mark.usefixtures("openai_traced")
def test_requests_in_threads_each_have_their_calls_in_a_session_of_their_own(
    openai_client: OpenAI, openai_model: str, tracer: HoneyHiveTracer, server: Server, make_tracer: Tracers
) -> None:
    """What a web server does: one tracer, a thread for each request, a session for each request."""
    start = threading.Barrier(AT_ONCE)

    def serve(text: str) -> str:
        name = f"{make_tracer.name}-{text}"
        with tracer.with_session(session_name=name) as session_id:
            make_tracer.cleanup.register(name, lambda: server.delete_session(str(session_id)))
            start.wait(timeout=10)
            openai_client.chat.completions.create(model=openai_model, messages=_user(text))
        return str(session_id)

    texts = [f"request-{number}" for number in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        # A thread begins with no context at all, as that of a server does.
        running = {text: threads.submit(contextvars.Context().run, serve, text) for text in texts}
        sessions = {text: done.result() for text, done in running.items()}
    tracer.flush()

    assert len(set(sessions.values())) == AT_ONCE
    for text, session_id in sessions.items():
        (call,) = instrumented_calls(server, session_id, 1)
        assert call["inputs"]["chat_history"] == _user(text)
