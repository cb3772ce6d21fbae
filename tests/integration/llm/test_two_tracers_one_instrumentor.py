"""An instrumentor is one per process, so several tracers share it: who is told of a call is who it was bound to first.

It is the same on every line. Which span is the parent is another matter: the one that is current, whosever it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.providers import instrumented_calls

if TYPE_CHECKING:
    from honeyhive import HoneyHiveTracer
    from openai import OpenAI
    from openinference.instrumentation.openai import OpenAIInstrumentor

    from tests.support.server import Server
    from tests.support.tracers import Tracers

pytestmark = [pytest.mark.needs("llm"), pytest.mark.llm_provider, pytest.mark.xdist_group("openai")]

USER: Any = [{"role": "user", "content": "one two three"}]


def test_an_instrumentor_stays_with_the_tracer_that_it_was_bound_to_first(
    openai_instrumentor: OpenAIInstrumentor,
    openai_client: OpenAI,
    openai_model: str,
    make_tracer: Tracers,
    server: Server,
) -> None:
    first, second = make_tracer(), make_tracer()
    openai_instrumentor.instrument(tracer_provider=first.provider)
    openai_instrumentor.instrument(tracer_provider=second.provider)  # says so in a log, and does nothing
    with second.trace("of-the-second"):
        openai_client.chat.completions.create(model=openai_model, messages=USER)
    first.flush()
    second.flush()

    parent = server.event(second.session_id, "of-the-second")
    (call,) = instrumented_calls(server, first.session_id, 1)
    assert call["parent_id"] == parent["event_id"]
    assert [event["event_name"] for event in server.children(str(second.session_id))] == ["of-the-second"]


def test_two_instrumentors_of_one_kind_are_one(
    openai_instrumentor: OpenAIInstrumentor,
    openai_client: OpenAI,
    openai_model: str,
    make_tracer: Tracers,
    server: Server,
) -> None:
    first, second = make_tracer(), make_tracer()
    for tracer in (first, second):
        type(openai_instrumentor)().instrument(tracer_provider=tracer.provider)
    for tracer in (first, second):
        with tracer.trace("ask"):
            openai_client.chat.completions.create(model=openai_model, messages=USER)
    first.flush()
    second.flush()

    # One event for each call: an instrumentor of its own does not make a tracer hear of its calls.
    assert len(instrumented_calls(server, first.session_id, 2)) == 2
    assert server.event(second.session_id, "ask")
    assert len(server.children(str(second.session_id))) == 1


def test_unbound_and_bound_again_an_instrumentor_goes_with_the_second_tracer(
    openai_instrumentor: OpenAIInstrumentor,
    openai_client: OpenAI,
    openai_model: str,
    make_tracer: Tracers,
    server: Server,
) -> None:
    first, second = make_tracer(), make_tracer()
    for tracer in (first, second):
        openai_instrumentor.instrument(tracer_provider=tracer.provider)
        with tracer.trace("ask"):
            openai_client.chat.completions.create(model=openai_model, messages=USER)
        openai_instrumentor.uninstrument()
        tracer.flush()

    for tracer in (first, second):
        (call,) = instrumented_calls(server, tracer.session_id, 1)
        assert call["parent_id"] == server.event(tracer.session_id, "ask")["event_id"]


def test_uninstrumented_a_call_is_no_event(
    openai_instrumentor: OpenAIInstrumentor,
    openai_client: OpenAI,
    openai_model: str,
    tracer: HoneyHiveTracer,
    server: Server,
) -> None:
    openai_instrumentor.instrument(tracer_provider=tracer.provider)
    openai_instrumentor.uninstrument()
    with tracer.trace("ask"):
        assert openai_client.chat.completions.create(model=openai_model, messages=USER).choices
    tracer.flush()

    server.event(tracer.session_id, "ask")
    assert len(server.children(str(tracer.session_id))) == 1


def test_an_instrumentor_without_a_provider_goes_with_the_first_tracer_of_the_process(
    openai_instrumentor: OpenAIInstrumentor,
    openai_client: OpenAI,
    openai_model: str,
    first_tracer: HoneyHiveTracer,
    tracer: HoneyHiveTracer,
    server: Server,
    resource_name: str,
) -> None:
    openai_instrumentor.instrument()
    asked: Any = [{"role": "user", "content": resource_name}]
    with tracer.trace("ask"):
        openai_client.chat.completions.create(model=openai_model, messages=asked)
    tracer.flush()
    with first_tracer.trace(resource_name):
        pass
    first_tracer.flush()

    parent = server.event(tracer.session_id, "ask")
    server.event(first_tracer.session_id, resource_name)
    calls = [
        event for event in server.children(str(first_tracer.session_id)) if event["inputs"].get("chat_history") == asked
    ]
    assert [call["parent_id"] for call in calls] == [parent["event_id"]]
    assert len(server.children(str(tracer.session_id))) == 1


def test_shutting_a_tracer_down_sends_its_last_call_and_leaves_those_after_it_their_answers(
    openai_instrumentor: OpenAIInstrumentor,
    openai_client: OpenAI,
    openai_model: str,
    make_tracer: Tracers,
    server: Server,
) -> None:
    stopped = make_tracer()
    openai_instrumentor.instrument(tracer_provider=stopped.provider)
    openai_client.chat.completions.create(model=openai_model, messages=USER)
    stopped.shutdown()

    assert len(instrumented_calls(server, stopped.session_id, 1)) == 1
    assert openai_client.chat.completions.create(model=openai_model, messages=USER).choices
