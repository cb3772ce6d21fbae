"""@trace: a call becomes an event, named after module and function. `tracer=` says whose event it is."""

# The SDK isn't installed where types are checked.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from honeyhive import HoneyHiveTracer

    from tests.support.server import Server


def test_a_traced_call_becomes_an_event_with_its_arguments_and_its_result(
    tracer: HoneyHiveTracer, server: Server
) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_type="tool", metadata={"version": "2"})
    def weather(city: str, *, days: int = 1, units: list[str]) -> dict[str, Any]:
        return {"city": city, "days": days, "units": units}

    result = weather("Paris", days=3, units=["C", "F"])
    tracer.flush()

    assert result == {"city": "Paris", "days": 3, "units": ["C", "F"]}
    event = server.event(tracer.session_id, f"{__name__}.weather")
    assert event["event_type"] == "tool"
    assert event["inputs"] == {"city": "Paris", "days": 3, "units": ["C", "F"]}
    assert event["outputs"] == {"result": result}
    assert event["metadata"]["version"] == "2"


def test_a_traced_coroutine_becomes_an_event_that_lasts_as_long_as_it_ran(
    tracer: HoneyHiveTracer, server: Server
) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_type="model")
    async def complete(prompt: str) -> str:
        await asyncio.sleep(0.02)
        return prompt + "!"

    assert asyncio.run(complete("hello")) == "hello!"
    tracer.flush()

    event = server.event(tracer.session_id, f"{__name__}.complete")
    assert event["inputs"] == {"prompt": "hello"}
    assert event["outputs"] == {"result": "hello!"}
    assert event["duration"] >= 20


def test_traced_functions_that_call_each_other_become_parent_and_child(tracer: HoneyHiveTracer, server: Server) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_type="tool")
    async def retrieve(query: str) -> str:
        return query

    @trace(tracer=tracer, event_type="chain")
    async def pipeline(*queries: str) -> None:
        await asyncio.gather(*(retrieve(query) for query in queries))

    asyncio.run(pipeline("a", "b"))
    tracer.flush()

    parent = server.event(tracer.session_id, f"{__name__}.pipeline")
    children = [event for event in server.children(tracer.session_id) if event["event_name"] == f"{__name__}.retrieve"]
    assert {event["inputs"]["query"] for event in children} == {"a", "b"}
    assert {event["parent_id"] for event in children} == {parent["event_id"]}


def test_a_traced_call_that_raises_becomes_an_event_with_the_error_and_the_exception_reaches_the_caller(
    tracer: HoneyHiveTracer, server: Server
) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_type="tool")
    def fail(reason: str) -> None:
        raise ValueError(reason)

    with pytest.raises(ValueError, match="no such city"):
        fail("no such city")
    tracer.flush()

    event = server.event(tracer.session_id, f"{__name__}.fail")
    assert "no such city" in event["error"]
    assert event["inputs"] == {"reason": "no such city"}


def test_a_traced_coroutine_that_raises_becomes_an_event_with_the_error_and_the_exception_reaches_the_caller(
    tracer: HoneyHiveTracer, server: Server
) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_type="tool")
    async def fail(reason: str) -> None:
        raise ValueError(reason)

    with pytest.raises(ValueError, match="no such city"):
        asyncio.run(fail("no such city"))
    tracer.flush()

    assert "no such city" in server.event(tracer.session_id, f"{__name__}.fail")["error"]


def test_a_traced_call_that_raises_is_made_once(tracer: HoneyHiveTracer) -> None:
    """A function that charges a card, say."""
    from honeyhive import trace

    calls = []

    @trace(tracer=tracer)
    def fail(number: int) -> None:
        calls.append(number)
        raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        fail(1)

    assert calls == [1]


def test_a_long_argument_and_a_long_result_arrive_whole(tracer: HoneyHiveTracer, server: Server) -> None:
    from honeyhive import trace

    prompt = "".join(f"{number} " for number in range(10_000))

    @trace(tracer=tracer)
    def echo(text: str) -> str:
        return text

    echo(prompt)
    tracer.flush()

    event = server.event(tracer.session_id, f"{__name__}.echo")
    assert event["inputs"]["text"] == prompt
    assert event["outputs"]["result"] == prompt


def test_a_traced_call_can_enrich_its_own_event(tracer: HoneyHiveTracer, server: Server) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_name="summary")
    def summarise(text: str) -> str:
        tracer.enrich_span(metrics={"length": len(text)}, feedback={"helpful": True})
        return text[:1]

    summarise("abc")
    tracer.flush()

    event = server.event(tracer.session_id, "summary")
    assert event["metrics"] == {"length": 3}
    assert event["feedback"] == {"helpful": True}
