"""Anthropic's SDK traces itself: to OpenTelemetry's globals, which the first tracer of the process owns.

So under an instrumentor a call is two model events: OpenInference's with the messages, and, below it or in another
session, the SDK's own `anthropic.messages.create` without them, which counts the tokens once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from anthropic import Anthropic
    from honeyhive import HoneyHiveTracer
    from openinference.instrumentation.anthropic import AnthropicInstrumentor

    from tests.support.server import Event, Server

pytestmark = [pytest.mark.needs("llm"), pytest.mark.llm_provider, pytest.mark.xdist_group("anthropic")]

INSTRUMENTORS, OWN = "messages.create", "anthropic.messages.create"


def _asked(model: str) -> Any:  # noqa: ANN401 - the SDK's own types
    return {"model": model, "max_tokens": 50, "messages": [{"role": "user", "content": "one two three"}]}


def _below(server: Server, tracer: HoneyHiveTracer, root: str, number: int) -> list[Event]:
    """Return the events below the one of that name, at any depth, once there are so many."""

    def found() -> list[Event]:
        held = server.children(str(tracer.session_id))
        known = {event["event_id"] for event in held if event["event_name"] == root}
        below: list[Event] = []
        while new := [event for event in held if event["parent_id"] in known and event not in below]:
            below += new
            known |= {event["event_id"] for event in new}
        assert len(below) >= number, f"below {root} are {[event['event_name'] for event in below]}, not {number} events"
        return below

    return eventually(found)


def test_with_the_first_tracer_a_call_is_one_event_of_the_instrumentor_and_one_of_the_sdk_below_it(
    anthropic_client: Anthropic,
    anthropic_model: str,
    anthropic_instrumentor: AnthropicInstrumentor,
    first_tracer: HoneyHiveTracer,
    server: Server,
    resource_name: str,
) -> None:
    anthropic_instrumentor.instrument(tracer_provider=first_tracer.provider)
    with first_tracer.trace(resource_name):
        anthropic_client.messages.create(**_asked(anthropic_model))
    first_tracer.flush()

    calls = {event["event_name"]: event for event in _below(server, first_tracer, resource_name, 2)}
    assert set(calls) == {INSTRUMENTORS, OWN}
    assert {event["event_type"] for event in calls.values()} == {"model"}
    assert calls[OWN]["parent_id"] == calls[INSTRUMENTORS]["event_id"]
    assert calls[INSTRUMENTORS]["metadata"]["instrumentor"] == "openinference"
    assert calls[INSTRUMENTORS]["outputs"]["content"]
    # Only the instrumentor says what was said; both say what it cost.
    assert (calls[OWN]["inputs"], calls[OWN]["outputs"]) == ({}, {})
    assert calls[OWN]["metadata"]["total_tokens"] == calls[INSTRUMENTORS]["metadata"]["total_tokens"]


def test_a_client_that_is_told_not_to_trace_itself_makes_one_event_for_a_call(
    make_anthropic: Callable[..., Anthropic],
    anthropic_model: str,
    anthropic_instrumentor: AnthropicInstrumentor,
    first_tracer: HoneyHiveTracer,
    server: Server,
    resource_name: str,
) -> None:
    """What to tell a user whose sessions show each call, and its tokens, twice."""
    anthropic_instrumentor.instrument(tracer_provider=first_tracer.provider)
    with first_tracer.trace(resource_name):
        make_anthropic(open_telemetry=False).messages.create(**_asked(anthropic_model))
    first_tracer.flush()

    assert [event["event_name"] for event in _below(server, first_tracer, resource_name, 1)] == [INSTRUMENTORS]


def test_with_a_later_tracer_the_events_of_the_sdk_go_to_the_session_of_the_first(
    anthropic_client: Anthropic,
    anthropic_model: str,
    anthropic_instrumentor: AnthropicInstrumentor,
    first_tracer: HoneyHiveTracer,
    tracer: HoneyHiveTracer,
    server: Server,
) -> None:
    anthropic_instrumentor.instrument(tracer_provider=tracer.provider)
    anthropic_client.messages.create(**_asked(anthropic_model))
    tracer.flush()
    first_tracer.flush()

    call = server.event(tracer.session_id, INSTRUMENTORS)

    def strayed() -> list[Event]:
        held = server.children(str(first_tracer.session_id))
        return [event for event in held if event["parent_id"] == call["event_id"]]

    assert [event["event_name"] for event in eventually(strayed)] == [OWN]
    assert [event["event_name"] for event in server.children(str(tracer.session_id))] == [INSTRUMENTORS]


def test_without_an_instrumentor_the_sdks_own_tracing_becomes_a_model_event_of_the_tracer_it_is_given(
    make_anthropic: Callable[..., Anthropic], anthropic_model: str, tracer: HoneyHiveTracer, server: Server
) -> None:
    """The GenAI conventions of OpenTelemetry, without anything of OpenInference's."""
    client = make_anthropic(open_telemetry={"tracer_provider": tracer.provider, "traces": {"content_mode": "content"}})
    with tracer.trace("ask"):
        answer: Any = client.messages.create(system="Be brief.", **_asked(anthropic_model))
    tracer.flush()

    event = server.event(tracer.session_id, OWN)
    assert event["event_type"] == "model"
    assert event["parent_id"] == server.event(tracer.session_id, "ask")["event_id"]
    assert event["config"].items() >= {"model": anthropic_model, "provider": "anthropic", "max_tokens": 50}.items()
    assert event["inputs"]["chat_history"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one two three"},
    ]
    assert event["outputs"]["content"] == answer.content[0].text
    assert event["metadata"]["prompt_tokens"] == answer.usage.input_tokens
    assert event["metadata"]["completion_tokens"] == answer.usage.output_tokens
