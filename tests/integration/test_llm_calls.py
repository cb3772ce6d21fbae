"""What a model answers becomes part of the trace: here the environment's own LLM service, over plain HTTP."""

# The SDK isn't installed where types are checked.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from honeyhive import HoneyHiveTracer

    from environments.inside.target import Target
    from tests.support.server import Server


@pytest.mark.llm_provider
@pytest.mark.needs("llm")
def test_a_traced_call_of_a_model_becomes_an_event_with_its_answer(
    tracer: HoneyHiveTracer, server: Server, target: Target
) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_type="model")
    def rate(text: str) -> str:
        answered = httpx.post(
            f"{target.llm_url}/v1/chat/completions",
            headers={"Authorization": "Bearer any"},
            json={"model": "deterministic/default/default", "messages": [{"role": "user", "content": text}]},
        )
        return str(answered.json()["choices"][0]["message"]["content"])

    assert rate("How good is this?") == "This is a mock explanation. Rating: [[5]]"
    tracer.flush()

    event = server.event(tracer.session_id, f"{__name__}.rate")
    assert event["event_type"] == "model"
    assert event["outputs"] == {"result": "This is a mock explanation. Rating: [[5]]"}
