"""Several tracers in one program know nothing of each other: not in threads, and not in different projects."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from honeyhive import HoneyHive, HoneyHiveTracer

    from tests.support.server import Server
    from tests.support.tracers import Tracers

pytestmark = pytest.mark.concurrent


def _work(tracer: HoneyHiveTracer, name: str, start: threading.Barrier, spans: int = 5) -> None:
    """Trace nested spans, at the same time as all others at this barrier."""
    start.wait(timeout=10)
    for number in range(spans):
        with tracer.trace(f"{name}-{number}"), tracer.trace(f"{name}-{number}-inner"):
            tracer.enrich_span(metadata={"worker": name})
    tracer.flush()


def _expected(name: str, spans: int = 5) -> set[str]:
    return {f"{name}-{number}{inner}" for number in range(spans) for inner in ("", "-inner")}


def test_tracers_in_threads_each_keep_to_their_own_session(make_tracer: Tracers, server: Server) -> None:
    tracers = {f"worker-{number}": make_tracer() for number in range(3)}
    start = threading.Barrier(len(tracers))
    with ThreadPoolExecutor(len(tracers)) as threads:
        for done in [threads.submit(_work, tracer, name, start) for name, tracer in tracers.items()]:
            done.result()

    for name, tracer in tracers.items():
        for event_name in _expected(name):
            assert server.event(tracer.session_id, event_name)
        held = server.children(tracer.session_id)
        assert {event["event_name"] for event in held} == _expected(name)
        by_name = {event["event_name"]: event for event in held}
        for number in range(5):
            assert by_name[f"{name}-{number}"]["parent_id"] == tracer.session_id
            assert by_name[f"{name}-{number}-inner"]["parent_id"] == by_name[f"{name}-{number}"]["event_id"]


def test_threads_that_share_a_tracer_write_to_its_one_session(tracer: HoneyHiveTracer, server: Server) -> None:
    start = threading.Barrier(3)
    with ThreadPoolExecutor(3) as threads:
        for done in [threads.submit(_work, tracer, f"worker-{number}", start) for number in range(3)]:
            done.result()

    expected = set[str]().union(*(_expected(f"worker-{number}") for number in range(3)))
    for event_name in expected:
        assert server.event(tracer.session_id, event_name)
    assert {event["event_name"] for event in server.children(tracer.session_id)} == expected


def test_spans_of_threads_that_share_a_tracer_have_their_own_threads_parent(
    tracer: HoneyHiveTracer, server: Server
) -> None:
    both = threading.Barrier(2)

    def work(name: str) -> None:
        with tracer.trace(name):
            both.wait(timeout=10)  # here two spans of the tracer are open
            with tracer.trace(f"{name}-inner"):
                both.wait(timeout=10)

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(work, name) for name in ("one", "two")]:
            done.result()
    tracer.flush()

    for name in ("one", "two"):
        outer, inner = (server.event(tracer.session_id, each) for each in (name, f"{name}-inner"))
        assert (outer["parent_id"], inner["parent_id"]) == (tracer.session_id, outer["event_id"])


def test_interleaved_spans_of_two_tracers_each_go_to_their_own_session(make_tracer: Tracers, server: Server) -> None:
    one, two = make_tracer(), make_tracer()
    with one.trace("of-one"), two.trace("of-two"), one.trace("of-one-again"):
        pass
    one.flush()
    two.flush()

    server.event(two.session_id, "of-two")
    first, again = server.event(one.session_id, "of-one"), server.event(one.session_id, "of-one-again")
    assert {event["event_name"] for event in server.children(one.session_id)} == {"of-one", "of-one-again"}
    assert {event["event_name"] for event in server.children(two.session_id)} == {"of-two"}
    assert first["session_id"] == again["session_id"] == one.session_id


@pytest.mark.needs("second-project")
def test_tracers_of_two_projects_never_see_each_others_events(
    make_tracer: Tracers, make_other_tracer: Tracers, server: Server, other_server: Server
) -> None:
    mine, theirs = make_tracer(), make_other_tracer()
    start = threading.Barrier(2)
    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(_work, mine, "mine", start), threads.submit(_work, theirs, "theirs", start)]:
            done.result()

    for tracer, name, own, foreign in ((mine, "mine", server, other_server), (theirs, "theirs", other_server, server)):
        for event_name in _expected(name):
            assert own.event(tracer.session_id, event_name)
        assert foreign.events(session_id=tracer.session_id) == []
        assert {event["event_name"] for event in own.children(tracer.session_id)} == _expected(name)


@pytest.mark.needs("second-project")
def test_a_client_cannot_read_the_events_of_another_project(
    make_other_tracer: Tracers, client: HoneyHive, other_server: Server
) -> None:
    theirs = make_other_tracer()
    with theirs.trace("secret"):
        pass
    theirs.flush()
    other_server.event(theirs.session_id, "secret")

    found = client.events.export(
        project=other_server.project.name,
        filters=[{"field": "session_id", "operator": "is", "value": theirs.session_id, "type": "string"}],
    )

    assert found.events == []
