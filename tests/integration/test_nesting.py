"""Whose child a span is: in threads, tasks, generators, and where the user's own OpenTelemetry spans stand between."""

# The SDK isn't installed where types are checked.
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHiveTracer

    from tests.support.server import Server
    from tests.support.tracers import Tracers


def _span(tracer: HoneyHiveTracer, name: str) -> None:
    with tracer.trace(name):
        pass


# ---- Threads -----------------------------------------------------------------------------------------


@pytest.mark.concurrent
def test_a_span_in_a_new_thread_is_below_the_session_and_not_below_the_span_that_started_the_thread(
    tracer: HoneyHiveTracer, server: Server
) -> None:
    """A thread begins with an empty context: this is OpenTelemetry's rule, and the user's to change."""
    with tracer.trace("starts-a-thread"):
        thread = threading.Thread(target=_span, args=(tracer, "in-the-thread"))
        thread.start()
        thread.join()
    tracer.flush()

    assert server.event(tracer.session_id, "in-the-thread")["parent_id"] == tracer.session_id
    assert server.event(tracer.session_id, "starts-a-thread")["parent_id"] == tracer.session_id


@pytest.mark.concurrent
def test_a_thread_that_is_given_the_context_nests_below_the_span_that_started_it(
    tracer: HoneyHiveTracer, server: Server
) -> None:
    with tracer.trace("parent"), ThreadPoolExecutor(2) as threads:
        contexts = [contextvars.copy_context() for _ in range(2)]
        for number, context in enumerate(contexts):
            threads.submit(context.run, _span, tracer, f"child-{number}")
    tracer.flush()

    parent = server.event(tracer.session_id, "parent")
    for number in range(2):
        assert server.event(tracer.session_id, f"child-{number}")["parent_id"] == parent["event_id"]


@pytest.mark.concurrent
def test_a_session_begun_in_one_thread_is_not_that_of_another(
    tracer: HoneyHiveTracer, server: Server, resource_name: str, delete_session: Callable[[str], None]
) -> None:
    """A server with a thread per request."""
    sessions: dict[str, str] = {}
    both_begun = threading.Barrier(2)

    def request(user: str) -> None:
        with tracer.with_session(session_name=f"{resource_name}-{user}") as session_id:
            both_begun.wait(timeout=10)
            sessions[user] = str(session_id)
            _span(tracer, f"for-{user}")

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(request, ("ada", "bob")))
    tracer.flush()
    for session_id in sessions.values():
        delete_session(session_id)

    assert sessions["ada"] != sessions["bob"]
    for user, session_id in sessions.items():
        assert server.event(session_id, f"for-{user}")
        assert [event["event_name"] for event in server.children(session_id)] == [f"for-{user}"]


# ---- asyncio -----------------------------------------------------------------------------------------


@pytest.mark.concurrent
def test_tasks_that_run_at_once_each_nest_below_the_span_that_created_them(
    tracer: HoneyHiveTracer, server: Server
) -> None:
    async def step(name: str, go: asyncio.Event) -> None:
        with tracer.trace(name):
            await go.wait()
            with tracer.trace(f"{name}-inner"):
                await asyncio.sleep(0)

    async def main() -> None:
        go = asyncio.Event()
        with tracer.trace("main"):
            tasks = [asyncio.create_task(step(f"task-{number}", go)) for number in range(4)]
            await asyncio.sleep(0)  # all have begun
            go.set()
            await asyncio.gather(*tasks)

    asyncio.run(main())
    tracer.flush()

    parent = server.event(tracer.session_id, "main")
    for number in range(4):
        task = server.event(tracer.session_id, f"task-{number}")
        assert task["parent_id"] == parent["event_id"]
        assert server.event(tracer.session_id, f"task-{number}-inner")["parent_id"] == task["event_id"]


@pytest.mark.concurrent
def test_work_that_a_task_hands_to_a_thread_nests_below_its_span(tracer: HoneyHiveTracer, server: Server) -> None:
    async def main() -> None:
        with tracer.trace("awaits"):
            await asyncio.to_thread(_span, tracer, "in-a-thread")

    asyncio.run(main())
    tracer.flush()

    awaits = server.event(tracer.session_id, "awaits")
    assert server.event(tracer.session_id, "in-a-thread")["parent_id"] == awaits["event_id"]


@pytest.mark.concurrent
def test_requests_that_are_served_at_once_each_have_a_session_of_their_own(
    tracer: HoneyHiveTracer, server: Server, resource_name: str, delete_session: Callable[[str], None]
) -> None:
    """A server with a task per request."""

    async def request(user: str, all_begun: asyncio.Barrier) -> tuple[str, str]:
        session_id = str(await tracer.acreate_session(session_name=f"{resource_name}-{user}"))
        await all_begun.wait()
        _span(tracer, f"for-{user}")
        tracer.enrich_session(metadata={"user": user})
        return user, session_id

    async def main() -> list[tuple[str, str]]:
        all_begun = asyncio.Barrier(3)
        return await asyncio.gather(*(request(user, all_begun) for user in ("ada", "bob", "cyd")))

    sessions = dict(asyncio.run(main()))
    tracer.flush()
    for session_id in sessions.values():
        delete_session(session_id)

    assert len(set(sessions.values())) == 3
    for user, session_id in sessions.items():
        assert server.event(session_id, f"for-{user}")
        assert server.session(session_id)["metadata"]["user"] == user
        assert [event["event_name"] for event in server.children(session_id)] == [f"for-{user}"]


def test_a_task_that_is_cancelled_ends_its_span(tracer: HoneyHiveTracer, server: Server) -> None:
    async def waits() -> None:
        with tracer.trace("cancelled"):
            await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(waits())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    tracer.flush()

    assert server.event(tracer.session_id, "cancelled")["duration"] < 60_000


# ---- Depth, and spans of others between --------------------------------------------------------------


def test_spans_nest_as_deeply_as_calls_do(tracer: HoneyHiveTracer, server: Server) -> None:
    def descend(level: int) -> None:
        with tracer.trace(f"level-{level}"):
            if level < 30:
                descend(level + 1)

    descend(1)
    tracer.flush()

    above = str(tracer.session_id)
    for level in range(1, 31):
        event = server.event(tracer.session_id, f"level-{level}")
        assert event["parent_id"] == above
        above = event["event_id"]


def test_a_span_of_the_users_own_opentelemetry_nests_between_two_of_the_tracer(
    tracer: HoneyHiveTracer, server: Server
) -> None:
    library = tracer.provider.get_tracer("some.library")
    with tracer.trace("outer"), library.start_as_current_span("by-the-library"), tracer.trace("inner"):
        pass
    tracer.flush()

    outer = server.event(tracer.session_id, "outer")
    between = server.event(tracer.session_id, "by-the-library")
    assert between["parent_id"] == outer["event_id"]
    assert server.event(tracer.session_id, "inner")["parent_id"] == between["event_id"]


def test_after_an_exception_the_next_span_is_no_child_of_the_one_that_failed(
    tracer: HoneyHiveTracer, server: Server
) -> None:
    with pytest.raises(ValueError, match="unlucky"), tracer.trace("failed"), tracer.trace("failed-inner"):
        raise ValueError("unlucky")
    _span(tracer, "next")
    tracer.flush()

    assert server.event(tracer.session_id, "next")["parent_id"] == tracer.session_id
    assert server.event(tracer.session_id, "next")["error"] is None
    assert "unlucky" in server.event(tracer.session_id, "failed-inner")["error"]


def test_a_parent_lasts_at_least_as_long_as_its_children(tracer: HoneyHiveTracer, server: Server) -> None:
    with tracer.trace("parent"):
        for number in range(3):
            _span(tracer, f"child-{number}")
    tracer.flush()

    parent = server.event(tracer.session_id, "parent")
    children = [server.event(tracer.session_id, f"child-{number}") for number in range(3)]
    assert parent["start_time"] <= min(child["start_time"] for child in children)
    assert parent["end_time"] >= max(child["end_time"] for child in children)
    assert parent["duration"] >= sum(child["duration"] for child in children) - 0.01


def test_the_decorated_nest_below_spans_and_spans_below_the_decorated(tracer: HoneyHiveTracer, server: Server) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_name="decorated")
    def decorated() -> None:
        _span(tracer, "inner")

    with tracer.trace("outer"):
        decorated()
    tracer.flush()

    outer = server.event(tracer.session_id, "outer")
    middle = server.event(tracer.session_id, "decorated")
    assert middle["parent_id"] == outer["event_id"]
    assert server.event(tracer.session_id, "inner")["parent_id"] == middle["event_id"]


def test_a_decorated_function_without_a_tracer_writes_to_the_tracer_that_was_made_last(
    make_tracer: Tracers, server: Server
) -> None:
    from honeyhive import trace

    make_tracer()
    last = make_tracer()

    @trace(event_name="whose")
    def whose() -> None:
        return None

    whose()
    last.flush()

    assert server.event(last.session_id, "whose")
