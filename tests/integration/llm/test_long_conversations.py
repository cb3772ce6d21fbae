"""A long conversation is many attributes of one span, and OpenTelemetry drops the oldest of too many.

Each message is two. The SDK documents that a span keeps 1024 (`max_attributes`), and that its core attributes, the
session's id among them, survive in any case (`preserve_core_attributes`). Without that id an event is not sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHiveTracer
    from openai import OpenAI
    from openinference.instrumentation.openai import OpenAIInstrumentor

    from tests.support.server import Server

pytestmark = [pytest.mark.needs("llm"), pytest.mark.llm_provider, pytest.mark.xdist_group("openai")]


@pytest.fixture
def converse(
    openai_client: OpenAI,
    openai_model: str,
    openai_instrumentor: OpenAIInstrumentor,
    server: Server,
    resource_name: str,
) -> Callable[[HoneyHiveTracer, int], list[int]]:
    """Have a call with that many turns traced, and return how many each of its events has: of one event, or of none."""

    def run(tracer: HoneyHiveTracer, turns: int) -> list[int]:
        openai_instrumentor.instrument(tracer_provider=tracer.provider)
        conversation: Any = [{"role": ("user", "assistant")[turn % 2], "content": f"{turn}"} for turn in range(turns)]
        with tracer.trace(resource_name):
            openai_client.chat.completions.create(model=openai_model, messages=conversation)
        tracer.flush()
        # The call ended before its parent and went before it in the same request: it is there by now, or never.
        parent = server.event(tracer.session_id, resource_name)
        calls = [event for event in server.children(tracer.session_id) if event["parent_id"] == parent["event_id"]]
        return [len(event["inputs"]["chat_history"]) for event in calls]

    return run


@pytest.mark.parametrize("turns", [41, 401])
def test_the_first_tracer_keeps_a_conversation_whole(
    converse: Callable[[HoneyHiveTracer, int], list[int]], first_tracer: HoneyHiveTracer, turns: int
) -> None:
    assert converse(first_tracer, turns) == [turns]


def test_a_later_tracer_keeps_a_conversation_of_tens_of_turns_whole(
    converse: Callable[[HoneyHiveTracer, int], list[int]], tracer: HoneyHiveTracer
) -> None:
    assert converse(tracer, 41) == [41]


def test_a_later_tracer_keeps_a_conversation_of_hundreds_of_turns_whole(
    converse: Callable[[HoneyHiveTracer, int], list[int]], tracer: HoneyHiveTracer
) -> None:
    assert converse(tracer, 401) == [401], "the call is lost"


def test_beyond_the_documented_limit_an_event_still_arrives(
    converse: Callable[[HoneyHiveTracer, int], list[int]], first_tracer: HoneyHiveTracer
) -> None:
    assert len(converse(first_tracer, 601)) == 1, "the call is lost"
