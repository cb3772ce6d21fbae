"""@trace and its kin on everything that can be called: methods, classes, generators, coroutines."""

# The SDK isn't installed where types are checked.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from honeyhive import HoneyHiveTracer

    from tests.support.server import Server


# ---- What it decorates -------------------------------------------------------------------------------


def test_a_traced_method_becomes_an_event_with_its_arguments(tracer: HoneyHiveTracer, server: Server) -> None:
    from honeyhive import trace

    class Shop:
        @trace(tracer=tracer, event_name="buy")
        def buy(self, item: str, count: int = 1) -> str:
            return item * count

    assert Shop().buy("ab", count=2) == "abab"
    tracer.flush()

    event = server.event(tracer.session_id, "buy")
    assert (event["inputs"]["item"], event["inputs"]["count"]) == ("ab", 2)
    assert event["outputs"] == {"result": "abab"}


@pytest.mark.parametrize("kind", [staticmethod, classmethod])
def test_a_traced_function_may_be_a_static_or_a_class_method(
    tracer: HoneyHiveTracer, server: Server, kind: type
) -> None:
    from honeyhive import trace

    def double(*arguments: Any) -> int:  # noqa: ANN401 - a class first, or not
        return int(arguments[-1]) * 2

    holder: Any = type("Holder", (), {"double": kind(trace(tracer=tracer, event_name="double")(double))})

    assert holder.double(4) == 8
    tracer.flush()
    assert server.event(tracer.session_id, "double")["outputs"] == {"result": 8}


def test_the_public_methods_of_a_traced_class_become_events_and_its_private_ones_do_not(
    tracer: HoneyHiveTracer, server: Server
) -> None:
    from honeyhive import trace_class

    @trace_class
    class Agent:
        def __init__(self, name: str) -> None:
            self.name = name

        def answer(self, question: str) -> str:
            return self._decorate(question)

        def _decorate(self, text: str) -> str:
            return f"{self.name}: {text}"

        async def fetch(self, url: str) -> str:
            await asyncio.sleep(0)
            return url

    agent = Agent("ada")
    assert (agent.answer("why?"), asyncio.run(agent.fetch("/"))) == ("ada: why?", "/")
    tracer.flush()

    assert server.event(tracer.session_id, "Agent.answer")["outputs"] == {"result": "ada: why?"}
    assert server.event(tracer.session_id, "Agent.fetch")["inputs"]["url"] == "/"
    names = {event["event_name"] for event in server.children(tracer.session_id)}
    assert names == {"Agent.answer", "Agent.fetch"}


def test_a_traced_generator_yields_everything_it_would_without(tracer: HoneyHiveTracer, server: Server) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_name="count")
    def count(upto: int) -> Iterator[int]:
        yield from range(upto)

    assert list(count(3)) == [0, 1, 2]
    tracer.flush()
    assert server.event(tracer.session_id, "count")["inputs"] == {"upto": 3}


def test_a_traced_asynchronous_generator_yields_everything_it_would_without(
    tracer: HoneyHiveTracer, server: Server
) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_name="stream")
    async def stream(upto: int) -> AsyncIterator[int]:
        for number in range(upto):
            await asyncio.sleep(0)
            yield number

    async def main() -> list[int]:
        return [number async for number in stream(3)]

    assert asyncio.run(main()) == [0, 1, 2]
    tracer.flush()
    assert server.event(tracer.session_id, "stream")["inputs"] == {"upto": 3}


def test_a_generator_closed_in_the_middle_closes_as_it_would_without(tracer: HoneyHiveTracer) -> None:
    from honeyhive import trace

    closed = []

    @trace(tracer=tracer)
    def stream() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    running: Any = stream()
    assert next(running) == 1
    running.close()

    assert closed == [True]


def test_a_traced_function_calls_itself_and_each_call_is_below_the_one_before(
    tracer: HoneyHiveTracer, server: Server
) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_name="factorial")
    def factorial(number: int) -> int:
        return number * factorial(number - 1) if number > 1 else 1

    assert factorial(3) == 6
    tracer.flush()

    held = {}
    for number in (3, 2, 1):
        (held[number],) = _called_with(server, tracer, number)
    assert held[1]["parent_id"] == held[2]["event_id"]
    assert held[2]["parent_id"] == held[3]["event_id"]
    assert [held[number]["outputs"]["result"] for number in (3, 2, 1)] == [6, 2, 1]


def _called_with(server: Server, tracer: HoneyHiveTracer, number: int) -> list[dict[str, Any]]:
    from tests.support.eventually import eventually

    return eventually(lambda: [e for e in server.children(tracer.session_id) if e["inputs"].get("number") == number])


def test_atrace_traces_a_coroutine(tracer: HoneyHiveTracer, server: Server) -> None:
    from honeyhive import atrace

    @atrace(event_type="model", event_name="completion")
    async def complete(prompt: str) -> str:
        await asyncio.sleep(0)
        return prompt[::-1]

    assert asyncio.run(complete("abc")) == "cba"
    tracer.flush()

    event = server.event(tracer.session_id, "completion")
    assert (event["event_type"], event["outputs"]) == ("model", {"result": "cba"})


def test_trace_without_parentheses_traces_with_the_tracer_of_the_context(
    tracer: HoneyHiveTracer, server: Server
) -> None:
    from honeyhive import trace

    @trace
    def plain(a: int) -> int:
        return a + 1

    assert plain(1) == 2
    tracer.flush()

    assert server.event(tracer.session_id, f"{__name__}.plain")["outputs"] == {"result": 2}


def test_a_decorated_function_keeps_its_name_its_documentation_and_its_signature(tracer: HoneyHiveTracer) -> None:
    import inspect

    from honeyhive import trace

    @trace(tracer=tracer)
    def documented(a: int, *, b: str = "x") -> None:
        """Say so."""

    assert (documented.__name__, documented.__doc__) == ("documented", "Say so.")
    assert list(inspect.signature(documented).parameters) == ["a", "b"]
