"""Flush, shutdown and the end of a process: what is on the server afterwards, and what is lost.

The first tracer of a process owns OpenTelemetry's globals and cannot be shut down without them: so these are programs
of their own.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.eventually import eventually

if TYPE_CHECKING:
    from honeyhive import HoneyHiveTracer

    from tests.support.children import Children
    from tests.support.server import Server
    from tests.support.tracers import Tracers

TRACED = """
import os, sys, threading, time
from honeyhive import HoneyHiveTracer, trace

tracer = HoneyHiveTracer.init(session_name=sys.argv[1])
with tracer.trace("work"):
    pass
answer({"session_id": tracer.session_id})
"""


# ---- How a process ends ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        pytest.param("", 0, id="at its end"),
        pytest.param("sys.exit(3)", 3, id="by sys.exit"),
        pytest.param("raise ValueError('unlucky')", 1, id="by an exception"),
        pytest.param("os.kill(os.getpid(), 2); time.sleep(9)", -2, id="by Ctrl-C"),
        pytest.param("threading.Thread(target=time.sleep, args=(0.1,)).start()", 0, id="with a thread that still runs"),
    ],
)
def test_a_program_that_ends_in_order_delivers_its_spans_without_a_flush(
    children: Children, server: Server, resource_name: str, ending: str, status: int
) -> None:
    ended = children.run(TRACED + ending, resource_name)

    assert ended.status in {status, 130} if status < 0 else ended.status == status, ended
    assert server.event(ended.answer["session_id"], "work")


@pytest.mark.parametrize("ending", ["os._exit(0)", "os.kill(os.getpid(), 15); time.sleep(9)"], ids=["_exit", "SIGTERM"])
def test_a_program_that_ends_at_once_loses_what_it_has_not_flushed_and_nothing_else(
    children: Children, server: Server, resource_name: str, ending: str
) -> None:
    flushed = "tracer.flush()\nwith tracer.trace('unflushed'): pass\n"

    ended = children.run(TRACED + flushed + ending, resource_name)

    assert ended.status in {0, -signal.SIGTERM}, ended
    assert server.event(ended.answer["session_id"], "work")
    assert [event["event_name"] for event in server.children(ended.answer["session_id"])] == ["work"]


def test_a_program_that_was_killed_leaves_the_session_it_started(
    children: Children, server: Server, resource_name: str
) -> None:
    child = children.start(TRACED + "time.sleep(60)", resource_name)
    told = eventually(child.answered)

    child.signal(signal.SIGKILL)

    assert child.ended().status == -signal.SIGKILL
    assert server.session(told["session_id"])["event_name"] == resource_name


def test_a_program_that_traces_nothing_ends_quickly(children: Children, resource_name: str) -> None:
    ended = children.run(
        """
        import sys, time
        from honeyhive import HoneyHiveTracer
        tracer = HoneyHiveTracer.init(session_name=sys.argv[1])
        answer({"session_id": tracer.session_id, "at": time.time()})
        """,
        resource_name,
    )

    assert ended.status == 0, ended
    # The batch processor's own timer is at 5 s: who waits for it is found out.
    assert time.time() - ended.answer["at"] < 4


# ---- Shutdown ----------------------------------------------------------------------------------------


def test_shutdown_delivers_what_was_traced_and_what_comes_later_is_dropped_without_an_exception(
    children: Children, server: Server, resource_name: str
) -> None:
    told = children.answer(
        TRACED
        + """
@trace(tracer=tracer)
def late(a):
    return a + 1

tracer.shutdown()
with tracer.trace("too-late") as span:
    span.set_attribute("a", 1)
answer({"session_id": tracer.session_id, "result": late(1)})
""",
        resource_name,
    )

    assert told["result"] == 2
    assert server.event(told["session_id"], "work")
    assert [event["event_name"] for event in server.children(told["session_id"])] == ["work"]


def test_a_second_shutdown_does_nothing(children: Children, server: Server, resource_name: str) -> None:
    told = children.answer(TRACED + "tracer.shutdown()\ntracer.shutdown()\ntracer.flush()\n", resource_name)

    assert server.event(told["session_id"], "work")


def test_after_shutdown_a_session_is_still_enriched(children: Children, server: Server, resource_name: str) -> None:
    told = children.answer(
        TRACED + "tracer.shutdown()\ntracer.enrich_session(metadata={'finished': True})\n", resource_name
    )

    assert server.session(told["session_id"])["metadata"]["finished"] is True


def test_the_shutdown_of_a_later_tracer_leaves_the_first_one_working(
    make_tracer: Tracers, first_tracer: HoneyHiveTracer, server: Server, resource_name: str
) -> None:
    later = make_tracer()
    with later.trace("of-the-later"):
        pass
    later.shutdown()
    with first_tracer.trace(resource_name):
        pass
    first_tracer.flush()

    assert server.event(later.session_id, "of-the-later")
    assert server.event(first_tracer.session_id, resource_name)


# ---- Flush -------------------------------------------------------------------------------------------


def test_what_is_flushed_is_on_the_server_when_flush_returns(tracer: HoneyHiveTracer, server: Server) -> None:
    for number in range(20):
        with tracer.trace(f"span-{number}"):
            pass
    assert tracer.flush() is True

    # The server acknowledged all of them: waiting for the last is waiting for its ingestion alone.
    names = {f"span-{number}" for number in range(20)}
    assert eventually(lambda: {event["event_name"] for event in server.children(tracer.session_id)} == names, within=5)


def test_force_flush_is_flush(tracer: HoneyHiveTracer, server: Server) -> None:
    with tracer.trace("span"):
        pass

    assert tracer.force_flush(timeout_millis=10_000) is True
    assert server.event(tracer.session_id, "span")


def test_the_flush_function_takes_the_tracer_whose_spans_it_sends(make_tracer: Tracers, server: Server) -> None:
    from honeyhive import flush

    tracer = make_tracer()
    with tracer.trace("span"):
        pass

    flush(tracer)

    assert server.event(tracer.session_id, "span")


def test_a_span_that_has_not_ended_is_not_sent_and_is_sent_once_when_it_has(
    tracer: HoneyHiveTracer, server: Server
) -> None:
    with tracer.trace("outer"):
        with tracer.trace("inner"):
            pass
        tracer.flush()
        assert server.event(tracer.session_id, "inner")
        assert [event["event_name"] for event in server.children(tracer.session_id)] == ["inner"]
    tracer.flush()
    tracer.flush()

    outer = server.event(tracer.session_id, "outer")
    assert server.event(tracer.session_id, "inner")["parent_id"] == outer["event_id"]


# ---- Batches -----------------------------------------------------------------------------------------


def test_without_a_flush_a_batch_is_sent_after_the_delay_that_opentelemetry_is_told(
    make_tracer: Tracers, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    tracer = make_tracer()
    with tracer.trace("span"):
        pass

    # Without the variable it would take five seconds.
    assert eventually(lambda: server.children(tracer.session_id), within=4)


def test_by_default_a_span_waits_for_its_batch(tracer: HoneyHiveTracer, make_tracer: Tracers, server: Server) -> None:
    with tracer.trace("waits"):
        pass
    sent_at_once = make_tracer(disable_batch=True)
    with sent_at_once.trace("sent-later"):
        pass
    server.event(sent_at_once.session_id, "sent-later")
    before_the_flush = server.children(tracer.session_id)
    tracer.flush()

    assert before_the_flush == []
    assert server.event(tracer.session_id, "waits")


def test_the_environment_turns_batching_off(
    make_tracer: Tracers, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HH_DISABLE_BATCH", "true")
    tracer = make_tracer()
    with tracer.trace("at-once"):
        pass

    # Well below the five seconds that a batch waits.
    assert eventually(lambda: server.children(tracer.session_id), within=4)


def test_more_spans_than_one_request_holds_all_arrive_once(tracer: HoneyHiveTracer, server: Server) -> None:
    names = {f"span-{number}" for number in range(600)}  # a request holds 512
    for name in names:
        with tracer.trace(name):
            pass
    tracer.flush()

    def complete() -> list[str]:
        held = [event["event_name"] for event in server.children(tracer.session_id)]
        assert len(held) >= len(names), f"{len(held)} events of {len(names)}"
        return held

    assert sorted(eventually(complete)) == sorted(names)
