"""A call that goes wrong becomes an event with the error, and the provider's exception reaches the caller as it is.

Both providers' SDKs try again by themselves; however often they do, a call is one event.
"""

# The SDK isn't installed where types are checked.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.providers import instrumented_calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHiveTracer
    from openai import AsyncOpenAI

    from tests.support.server import Server

pytestmark = [pytest.mark.needs("scripted-llm")]

USER = [{"role": "user", "content": "one two three"}]


@dataclass(frozen=True)
class Caller:
    """One provider, where a test is the same for both: `client` takes options, `create` asks."""

    event_name: str
    client: Any
    create: Callable[..., Any]

    def ask(self, model: str, *, stream: bool = False, **options: object) -> object:
        """Ask a model, and read a stream to its end."""
        answer = self.create(self.client.with_options(**options), model=model, messages=USER, stream=stream)
        return list(answer) if stream else answer


@pytest.fixture(
    params=[
        pytest.param("openai", marks=pytest.mark.xdist_group("openai")),
        pytest.param("anthropic", marks=pytest.mark.xdist_group("anthropic")),
    ]
)
def caller(request: pytest.FixtureRequest) -> Caller:
    """Give the test one provider after the other, traced by the test's tracer."""
    request.getfixturevalue(f"{request.param}_traced")
    client = request.getfixturevalue(f"{request.param}_client")
    if request.param == "openai":
        return Caller("ChatCompletion", client, lambda client, **asked: client.chat.completions.create(**asked))
    return Caller("messages.create", client, lambda client, **asked: client.messages.create(max_tokens=50, **asked))


@pytest.mark.parametrize(
    ("model", "raised"),
    [
        ("fail/401", "AuthenticationError"),
        ("fail/429", "RateLimitError"),
        ("fail/500", "InternalServerError"),
        ("malformed", "JSONDecodeError"),
        ("cut", "APIConnectionError"),
        ("slow?first=5", "APITimeoutError"),
    ],
)
def test_a_call_that_fails_becomes_a_model_event_with_the_error_and_without_an_answer(
    caller: Caller, tracer: HoneyHiveTracer, server: Server, model: str, raised: str
) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_type="chain")
    def ask() -> None:
        caller.ask(model, max_retries=0, timeout=0.1 if model.startswith("slow") else 30)

    with pytest.raises(Exception) as caught:  # noqa: PT011 - which one it is stands below
        ask()
    tracer.flush()

    assert type(caught.value).__name__ == raised
    event, parent = server.event(tracer.session_id, caller.event_name), server.event(tracer.session_id, _of(ask))
    assert (event["event_type"], event["config"]["model"]) == ("model", model)
    assert str(caught.value) in event["error"]
    assert str(caught.value) in parent["error"]
    assert event["parent_id"] == parent["event_id"]
    assert (event["inputs"]["chat_history"], event["outputs"]) == (USER, {})
    assert not {"completion_tokens", "finish_reason"} & set(event["metadata"])


@pytest.mark.parametrize("model", ["fail/529?after=4", "cut?after=4", "malformed?after=4"])
def test_a_stream_that_breaks_becomes_an_event_with_the_error_and_without_a_finish_reason(
    caller: Caller, tracer: HoneyHiveTracer, server: Server, model: str
) -> None:
    with pytest.raises(Exception) as caught, tracer.trace("ask"):  # noqa: PT011 - each SDK has its own
        caller.ask(model, stream=True, max_retries=0)
    tracer.flush()

    event = server.event(tracer.session_id, caller.event_name)
    assert event["parent_id"] == server.event(tracer.session_id, "ask")["event_id"]
    assert str(caught.value) in event["error"]
    assert event["inputs"]["chat_history"] == USER
    # What had been read by then is not lost.
    assert event["outputs"]["content"].startswith("Reply")
    assert "finish_reason" not in event["metadata"]


def test_a_call_that_succeeds_when_it_is_tried_again_is_one_event_that_lasts_as_long_as_both_tries(
    caller: Caller, tracer: HoneyHiveTracer, server: Server
) -> None:
    caller.ask("fail/429?retry_after=0.15&times=1")
    tracer.flush()

    (event,) = instrumented_calls(server, tracer.session_id, 1)
    assert event["error"] is None
    assert event["outputs"]["content"].startswith("Reply")
    assert event["duration"] >= 150


def test_a_call_that_fails_however_often_it_is_tried_is_one_event_with_one_error(
    caller: Caller, tracer: HoneyHiveTracer, server: Server
) -> None:
    with pytest.raises(Exception, match="asks for a 429"):
        caller.ask("fail/429?retry_after=0.05", max_retries=2)
    tracer.flush()

    (event,) = instrumented_calls(server, tracer.session_id, 1)
    assert "asks for a 429" in event["error"]
    assert event["duration"] >= 100


def test_the_call_after_one_that_failed_becomes_an_event_as_every_other(
    caller: Caller, tracer: HoneyHiveTracer, server: Server
) -> None:
    with tracer.trace("agent"):
        with pytest.raises(Exception, match="asks for a 500"):
            caller.ask("fail/500", max_retries=0)
        caller.ask("plain")
    tracer.flush()

    failed, answered = instrumented_calls(server, tracer.session_id, 2)
    parent = server.event(tracer.session_id, "agent")
    assert {failed["parent_id"], answered["parent_id"]} == {parent["event_id"]}
    assert failed["error"]
    assert (answered["error"], answered["metadata"]["total_tokens"] > 0) == (None, True)
    assert parent["error"] is None


@pytest.mark.xdist_group("openai")
@pytest.mark.usefixtures("openai_traced")
def test_a_call_that_is_cancelled_becomes_an_event_with_that_as_its_error(
    async_openai: Callable[[], AsyncOpenAI], tracer: HoneyHiveTracer, server: Server
) -> None:
    async def give_up() -> None:
        async with async_openai() as client:
            call = client.chat.completions.create(model="slow?first=5", messages=[{"role": "user", "content": "x"}])
            await asyncio.wait_for(call, 0.1)

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    tracer.flush()

    event = server.event(tracer.session_id, "ChatCompletion")
    assert "CancelledError" in event["error"]
    assert event["duration"] < 5000


def _of(function: Callable[..., object]) -> str:
    return f"{__name__}.{function.__name__}"
