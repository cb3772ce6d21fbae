"""What the SDK promises and some release does not keep: a test each, of what should hold.

Where it fails, and who knows about it, stands in expected.toml. A test stays when its defect is gone.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.eventually import NotInTime, eventually
from tests.support.tracers import UNKNOWN_KEY, pointed_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHive, HoneyHiveTracer

    from environments.inside.target import Target
    from tests.support.cleanup import Cleanup
    from tests.support.server import Event, Server
    from tests.support.tracers import Tracers


# ---- Enriching ---------------------------------------------------------------------------------------


def test_the_inputs_and_the_error_of_a_stored_event_can_be_enriched(tracer: HoneyHiveTracer, server: Server) -> None:
    with tracer.trace("answer"):
        pass
    tracer.flush()
    event_id = server.event(tracer.session_id, "answer")["event_id"]

    tracer.enrich_span(event_id=event_id, feedback={"rating": 5}, inputs={"question": "why?"}, error="too late")

    eventually(lambda: server.event(tracer.session_id, "answer")["feedback"] == {"rating": 5})  # of the same request
    held = server.event(tracer.session_id, "answer")
    told = (held["inputs"].get("question"), held["error"])
    assert told == ("why?", "too late"), "what enrich_span() was given is lost"


def test_the_inputs_of_a_session_can_be_enriched(tracer: HoneyHiveTracer, server: Server) -> None:
    tracer.enrich_session(inputs={"question": "why?"}, feedback={"rating": 5})

    eventually(lambda: server.session(tracer.session_id)["feedback"] == {"rating": 5})  # of the same request
    assert server.session(tracer.session_id)["inputs"] == {"question": "why?"}, "the inputs are somewhere else"


# ---- Sessions ----------------------------------------------------------------------------------------


def test_session_start_returns_the_session_that_it_starts(
    tracer: HoneyHiveTracer, server: Server, cleanup: Cleanup, resource_name: str
) -> None:
    first = tracer.session_id

    def delete_all() -> None:
        for session in server.events(event_name=resource_name, event_type="session"):
            if session["session_id"] != first:
                server.delete_session(session["session_id"])

    cleanup.register(f"{resource_name} again", delete_all)
    started = tracer.session_start()

    assert started != first, "session_start() returned the session that was there before"


def test_after_with_session_spans_belong_to_the_tracers_own_session_again(
    tracer: HoneyHiveTracer, server: Server, cleanup: Cleanup, resource_name: str
) -> None:
    with tracer.with_session(session_name=f"{resource_name}-request") as session_id:
        cleanup.register(f"{resource_name}-request", lambda: server.delete_session(str(session_id)))
    with tracer.trace("afterwards"):
        pass
    tracer.flush()

    (held,) = eventually(
        lambda: [*server.children(str(session_id)), *server.children(tracer.session_id)]  # in one of them it is
    )
    assert held["session_id"] == tracer.session_id, "the span is in the session that is over"


def test_a_traced_call_goes_to_the_session_that_its_decorator_names(
    tracer: HoneyHiveTracer, start_session: Callable[..., str], server: Server
) -> None:
    from honeyhive import trace

    session_id = start_session()

    @trace(tracer=tracer, event_name="named", session_id=session_id)  # type: ignore[untyped-decorator]
    def work() -> None: ...

    work()
    tracer.flush()

    (held,) = eventually(lambda: [*server.children(session_id), *server.children(tracer.session_id)])
    assert held["session_id"] == session_id, "the span is in the tracer's own session"


def test_the_run_of_one_tracer_is_not_on_the_spans_of_a_later_one(make_tracer: Tracers, server: Server) -> None:
    make_tracer(is_evaluation=True, run_id="a-run", dataset_id="a-dataset", datapoint_id="a-datapoint")
    later = make_tracer()
    with later.trace("later"):
        pass
    later.flush()

    metadata = server.event(later.session_id, "later")["metadata"]
    assert "run_id" not in metadata, "the span names the run of another tracer"


# ---- Errors ------------------------------------------------------------------------------------------


def test_a_traced_call_that_raises_is_one_event(tracer: HoneyHiveTracer, server: Server) -> None:
    from honeyhive import trace

    @trace(tracer=tracer, event_name="failing")  # type: ignore[untyped-decorator]
    def fail() -> None:
        raise ValueError("no such city")

    with pytest.raises(ValueError, match="no such city"):
        fail()
    tracer.flush()

    server.event(tracer.session_id, "failing")
    names = [event["event_name"] for event in server.children(tracer.session_id)]
    assert names == ["failing"], "the call is more than one event"


@pytest.mark.usefixtures("first_tracer")
def test_flush_says_that_nothing_was_stored(target: Target) -> None:
    from honeyhive import HoneyHiveTracer

    refused = HoneyHiveTracer.init(**{**pointed_at(target, target.project), "api_key": UNKNOWN_KEY})
    with refused.trace("lost"):
        pass

    assert refused.flush() is False, "flush() says that all is well"


def test_an_argument_that_init_does_not_know_is_refused(make_tracer: Tracers) -> None:
    """`base_url`, which a client takes, a tracer ignores: its traffic then goes to production."""
    with pytest.raises((TypeError, ValueError)):
        make_tracer(no_such_argument=True)


def test_an_id_is_sent_as_an_id_and_not_as_a_part_of_the_url(client: HoneyHive, create_run: Callable[..., str]) -> None:
    from honeyhive._generated.api_config import HTTPException

    run_id = create_run()

    with pytest.raises(HTTPException):
        client.experiments.get_run(f"{run_id}?no=such#run")


# ---- Configuration -----------------------------------------------------------------------------------


def test_the_variable_of_the_guide_sets_the_clients_url(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    from honeyhive import HoneyHive

    monkeypatch.setenv("HH_BASE_URL", target.base_url)

    assert HoneyHive(api_key=target.api_key).server_url == target.base_url, "HH_BASE_URL is ignored"


def test_in_test_mode_nothing_is_sent(
    target: Target, start_session: Callable[..., str], server: Server, first_tracer: HoneyHiveTracer
) -> None:
    from honeyhive import HoneyHiveTracer

    del first_tracer
    session_id = start_session()
    silent = HoneyHiveTracer.init(**pointed_at(target, target.project), project=target.project.name, test_mode=True)

    silent.enrich_span(event_id=session_id, metadata={"sent": True})

    def arrived() -> bool:
        return "sent" in server.session(session_id)["metadata"]

    with pytest.raises(NotInTime):  # sending is part of the call
        eventually(arrived, within=0.5)


@pytest.mark.sdk(">=1.7")
def test_a_malformed_data_plane_key_is_an_error_and_not_the_loss_of_every_span(
    target: Target, server: Server, monkeypatch: pytest.MonkeyPatch, first_tracer: HoneyHiveTracer
) -> None:
    from honeyhive import HoneyHiveTracer

    del first_tracer
    for name, value in {
        "HH_API_KEY": server.project.api_key,
        "HH_API_URL": target.base_url,
        "HH_DATA_PLANE_API_KEY": "hh_fgdp_malformed",
    }.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ValueError, match="data_plane"):
        HoneyHiveTracer.init()


# ---- Shutdown ----------------------------------------------------------------------------------------


def test_the_shutdown_of_a_later_tracer_ends_its_thread(make_tracer: Tracers) -> None:
    def threads() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "OtelBatchSpanRecordProcessor"}

    before = threads()
    tracer = make_tracer()
    assert threads() - before
    tracer.shutdown()

    def ended() -> None:
        assert threads() <= before, "the thread of a tracer that was shut down still runs"

    eventually(ended, within=1)


AFTER_SHUTDOWN = """
import sys
from honeyhive import HoneyHiveTracer
from opentelemetry import trace

HoneyHiveTracer.init(session_name=sys.argv[1], disable_batch=True).shutdown()
if sys.argv[2] == "tracer":
    with HoneyHiveTracer.init(session_name=sys.argv[1], disable_batch=True).trace("after"):
        pass
else:
    trace.get_tracer("of another library").start_span("after").end()
"""


@pytest.fixture
def after_shutdown(
    target: Target, server: Server, cleanup: Cleanup, resource_name: str
) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Run a program that goes on tracing after its first tracer was shut down, and wait for its end."""

    def delete_all() -> None:
        for session in server.events(event_name=resource_name, event_type="session"):
            server.delete_session(session["session_id"])

    def run(what: str) -> subprocess.CompletedProcess[str]:
        cleanup.register(f"{resource_name} {what}", delete_all)
        variables = {"HH_API_KEY": target.api_key, "HH_API_URL": target.base_url, "HH_PROJECT": target.project.name}
        return subprocess.run(
            [sys.executable, "-c", AFTER_SHUTDOWN, resource_name, what],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=target.timeout_s * 2,
            check=False,
        )

    return run


def test_a_tracer_that_is_made_after_the_first_was_shut_down_traces(
    after_shutdown: Callable[[str], subprocess.CompletedProcess[str]], server: Server, resource_name: str
) -> None:
    ran = after_shutdown("tracer")

    assert ran.returncode == 0, ran.stderr
    sessions = eventually(lambda: _two(server.events(event_name=resource_name, event_type="session")))
    # What is sent without batching is stored before the call returns.
    names = [event["event_name"] for session in sessions for event in server.children(session["session_id"])]
    assert names == ["after"], "the span of the new tracer is lost"


def test_other_libraries_go_on_after_the_first_tracer_was_shut_down(
    after_shutdown: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    ran = after_shutdown("other library")

    assert ran.returncode == 0, ran.stderr[-500:]


def _two(found: list[Event]) -> list[Event]:
    return found if len(found) == 2 else []
