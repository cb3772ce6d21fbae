"""Both providers in one program: an instrumentor each, and tracers as one likes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.providers import instrumented_calls

if TYPE_CHECKING:
    from anthropic import Anthropic
    from honeyhive import HoneyHiveTracer
    from openai import OpenAI
    from openinference.instrumentation.anthropic import AnthropicInstrumentor
    from openinference.instrumentation.openai import OpenAIInstrumentor

    from tests.support.server import Server
    from tests.support.tracers import Tracers

pytestmark = [pytest.mark.needs("llm"), pytest.mark.llm_provider, pytest.mark.xdist_group("anthropic")]

USER: Any = [{"role": "user", "content": "one two three"}]


def test_instrumentors_of_two_providers_go_with_a_tracer_each(
    openai_instrumentor: OpenAIInstrumentor,
    anthropic_instrumentor: AnthropicInstrumentor,
    openai_client: OpenAI,
    anthropic_client: Anthropic,
    openai_model: str,
    anthropic_model: str,
    make_tracer: Tracers,
    server: Server,
) -> None:
    of_openai, of_anthropic = make_tracer(), make_tracer()
    openai_instrumentor.instrument(tracer_provider=of_openai.provider)
    anthropic_instrumentor.instrument(tracer_provider=of_anthropic.provider)
    openai_client.chat.completions.create(model=openai_model, messages=USER)
    anthropic_client.messages.create(model=anthropic_model, max_tokens=50, messages=USER)
    of_openai.flush()
    of_anthropic.flush()

    for tracer, provider in ((of_openai, "openai"), (of_anthropic, "anthropic")):
        (call,) = instrumented_calls(server, tracer.session_id, 1)
        assert call["config"]["provider"] == provider


def test_one_tracer_shows_the_calls_of_two_providers_below_one_function(
    openai_instrumentor: OpenAIInstrumentor,
    anthropic_instrumentor: AnthropicInstrumentor,
    openai_client: OpenAI,
    anthropic_client: Anthropic,
    openai_model: str,
    anthropic_model: str,
    tracer: HoneyHiveTracer,
    server: Server,
) -> None:
    openai_instrumentor.instrument(tracer_provider=tracer.provider)
    anthropic_instrumentor.instrument(tracer_provider=tracer.provider)
    with tracer.trace("compare"):
        openai_client.chat.completions.create(model=openai_model, messages=USER)
        anthropic_client.messages.create(model=anthropic_model, max_tokens=50, messages=USER)
    tracer.flush()

    calls, parent = instrumented_calls(server, tracer.session_id, 2), server.event(tracer.session_id, "compare")
    assert [call["config"]["provider"] for call in calls] == ["openai", "anthropic"]
    assert {call["parent_id"] for call in calls} == {parent["event_id"]}
