"""What a decorated function is given, returns and raises: whatever it is, the program is not disturbed."""

# The SDK isn't installed where types are checked.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from honeyhive import HoneyHiveTracer

    from tests.support.server import Server


def test_what_the_decorator_is_given_is_on_the_event(tracer: HoneyHiveTracer, server: Server) -> None:
    from honeyhive import trace

    @trace(
        tracer=tracer,
        event_name="configured",
        event_type="chain",
        span_config={"temperature": 0.5},
        metadata={"version": 2},
        metrics={"score": 0.25},
        feedback={"rating": 4},
        outputs={"fixed": True},
    )
    def configured() -> str:
        return "not this"

    configured()
    tracer.flush()

    event = server.event(tracer.session_id, "configured")
    assert event["event_type"] == "chain"
    assert event["config"]["temperature"] == 0.5
    assert event["metadata"]["version"] == 2
    assert (event["metrics"], event["feedback"]) == ({"score": 0.25}, {"rating": 4})
    assert event["outputs"]["fixed"] is True


@dataclasses.dataclass
class _Point:
    x: int


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="None"),
        pytest.param(float("inf"), id="infinity"),
        pytest.param(b"\x00\xff", id="bytes"),
        pytest.param({1, 2}, id="set"),
        pytest.param(_Point(3), id="dataclass"),
        pytest.param(dt.datetime(2026, 1, 2, tzinfo=dt.UTC), id="datetime"),
        pytest.param({"nested": [{"deep": _Point(1)}]}, id="nested"),
        pytest.param(10**30, id="large integer"),
        pytest.param("\ud800", id="lone surrogate"),
        pytest.param(object(), id="object"),
    ],
)
def test_an_argument_of_any_type_reaches_the_function_unchanged_and_the_event_arrives(
    tracer: HoneyHiveTracer, server: Server, value: object
) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_name="any")
    def same(argument: object) -> object:
        return argument

    assert same(value) is value
    with tracer.trace("after"):
        pass
    tracer.flush()

    server.event(tracer.session_id, "after")
    assert server.event(tracer.session_id, "any")


def test_an_argument_that_cannot_be_shown_harms_neither_the_call_nor_the_event(
    tracer: HoneyHiveTracer, server: Server
) -> None:
    from honeyhive import trace

    class Secretive:
        def __repr__(self) -> str:
            raise RuntimeError("not for you")

        __str__ = __repr__

    @trace(tracer=tracer, event_name="secretive")
    def length(*things: object) -> int:
        return len(things)

    assert length(Secretive(), Secretive()) == 2
    tracer.flush()
    assert server.event(tracer.session_id, "secretive")["outputs"] == {"result": 2}


def test_an_exception_of_a_traced_coroutine_is_the_one_that_was_raised(tracer: HoneyHiveTracer, server: Server) -> None:
    from honeyhive import trace

    raised = KeyError("no such city")

    @trace(tracer=tracer, event_name="fails")
    async def fails() -> None:
        await asyncio.sleep(0)
        raise raised

    with pytest.raises(KeyError) as caught:
        asyncio.run(fails())
    tracer.flush()

    assert caught.value is raised
    assert "no such city" in server.event(tracer.session_id, "fails")["error"]


def test_a_failing_function_is_called_once(tracer: HoneyHiveTracer) -> None:
    from honeyhive import trace

    calls = []

    @trace(tracer=tracer)
    def fails() -> None:
        calls.append(1)
        raise RuntimeError("unlucky")

    with pytest.raises(RuntimeError, match="unlucky"):
        fails()

    assert calls == [1]


def test_a_function_whose_exception_speaks_of_a_tracer_is_called_once_too(tracer: HoneyHiveTracer) -> None:
    from honeyhive import trace

    calls = []

    @trace(tracer=tracer)
    def charge() -> None:
        calls.append(1)
        raise RuntimeError("Tracer error: the package was not found")

    with pytest.raises(RuntimeError, match="not found"):
        charge()

    assert calls == [1], "the function was called again"


def test_a_secret_argument_is_only_on_the_event_that_was_asked_for(tracer: HoneyHiveTracer, server: Server) -> None:
    """`inputs=` of the decorator adds to the arguments; it does not hide them: a program must not rely on it."""
    from honeyhive import trace

    @trace(tracer=tracer, event_name="login", inputs={"user": "ada"})
    def login(password: str) -> bool:
        return bool(password)

    login("hunter2")
    tracer.flush()

    assert server.event(tracer.session_id, "login")["inputs"] == {"user": "ada", "password": "hunter2"}
