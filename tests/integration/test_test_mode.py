"""`test_mode`: what it holds back, and what it does not. It is no switch that makes a program safe."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.support.tracers import client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHiveTracer

    from environments.inside.target import Target
    from tests.support.server import Server
    from tests.support.tracers import Tracers


@pytest.fixture
def silent_tracer(make_tracer: Tracers) -> HoneyHiveTracer:
    """Make a tracer in test mode."""
    return make_tracer(test_mode=True)


def _sent_later(make_tracer: Tracers, server: Server) -> None:
    """Wait until the server shows something that was sent later: what is not there by then was not sent."""
    tracer = make_tracer()
    with tracer.trace("sent-later"):
        pass
    tracer.flush()
    server.event(tracer.session_id, "sent-later")


def test_in_test_mode_no_session_is_started_and_no_span_leaves(
    silent_tracer: HoneyHiveTracer, make_tracer: Tracers, server: Server
) -> None:
    with silent_tracer.trace("silent"):
        silent_tracer.enrich_span(metadata={"a": 1})
    silent_tracer.flush()

    assert silent_tracer.test_mode is True
    uuid.UUID(silent_tracer.session_id)
    _sent_later(make_tracer, server)
    assert server.events(session_id=silent_tracer.session_id) == []


def test_in_test_mode_a_decorated_function_does_what_it_would_without(silent_tracer: HoneyHiveTracer) -> None:
    from honeyhive import trace

    @trace(tracer=silent_tracer)  # type: ignore[untyped-decorator]  # the SDK isn't installed here
    def double(number: int) -> int:
        return number * 2

    assert double(2) == 4


def test_the_environment_turns_test_mode_on(
    make_tracer: Tracers, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HH_TEST_MODE", "true")
    silent = make_tracer()
    with silent.trace("silent"):
        pass
    silent.flush()
    monkeypatch.delenv("HH_TEST_MODE")

    assert silent.test_mode is True
    _sent_later(make_tracer, server)
    assert server.events(session_id=silent.session_id) == []


def test_an_explicit_false_wins_over_the_environment(
    make_tracer: Tracers, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HH_TEST_MODE", "true")
    tracer = make_tracer(test_mode=False)
    with tracer.trace("loud"):
        pass
    tracer.flush()

    assert tracer.test_mode is False
    assert server.event(tracer.session_id, "loud")


def test_in_test_mode_an_event_that_is_created_without_a_span_is_sent_all_the_same(
    silent_tracer: HoneyHiveTracer, server: Server
) -> None:
    silent_tracer.create_event("sent", event_type="tool")

    assert server.event(silent_tracer.session_id, "sent")


def test_in_test_mode_a_session_that_is_created_later_is_sent_all_the_same(
    silent_tracer: HoneyHiveTracer, server: Server, resource_name: str, delete_session: Callable[[str], None]
) -> None:
    session_id = str(silent_tracer.create_session(session_name=f"{resource_name}-created"))
    delete_session(session_id)

    assert server.session(session_id)["event_name"] == f"{resource_name}-created"


def test_in_test_mode_an_enrichment_of_a_session_is_sent_all_the_same(
    silent_tracer: HoneyHiveTracer, server: Server, resource_name: str, delete_session: Callable[[str], None]
) -> None:
    with silent_tracer.with_session(session_name=f"{resource_name}-created") as session_id:
        delete_session(str(session_id))
        silent_tracer.enrich_session(metadata={"sent": True})

    assert server.session(session_id)["metadata"]["sent"] is True


def test_in_test_mode_a_session_id_of_the_users_own_is_kept(make_tracer: Tracers) -> None:
    chosen = str(uuid.uuid4())

    assert make_tracer(test_mode=True, session_id=chosen).session_id == chosen, "the session id was replaced"


def test_the_test_mode_of_a_client_changes_nothing_that_it_sends(
    target: Target, server: Server, resource_name: str, delete_session: Callable[[str], None]
) -> None:
    client = client_of(target, target.project, test_mode=True)

    started = client.sessions.start({"session": {"session_name": resource_name, "source": "test"}})
    delete_session(started.session_id)

    assert client.test_mode is True
    assert server.session(started.session_id)["event_name"] == resource_name
