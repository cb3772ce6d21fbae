"""The reader against the real service."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx
import pytest

from environments.inside.target import Project
from tests.support.eventually import NotInTime
from tests.support.server import Server
from tests.unit.services.honeyhive.running import Service, new_id, span, supervised

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("ledger")


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with supervised() as running:
        yield running


@pytest.fixture
def server(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("KEY_ONE", "key-one")
    reader = Server(service.url, Project("one", "KEY_ONE"), timeout_s=5)
    yield reader
    reader.close()


def test_an_event_is_found_by_session_and_name(service: Service, server: Server) -> None:
    session_id = service.start_session()["session_id"]
    service.create_event(event_name="look-up", session_id=session_id, inputs={"a": 1})

    assert server.event(session_id, "look-up")["inputs"] == {"a": 1}
    assert [event["event_name"] for event in server.children(session_id)] == ["look-up"]
    assert [node["event_name"] for node in server.tree(session_id)["children"]] == ["look-up"]


def test_a_missing_event_is_told_with_what_the_session_has_instead(service: Service, server: Server) -> None:
    session_id = service.start_session()["session_id"]
    service.create_event(event_name="one", session_id=session_id)

    expected = f"session {session_id} has no event 'look-up'; it has: one (tool)"
    with pytest.raises(NotInTime, match=re.escape(expected)):
        server.event(session_id, "look-up")


def test_an_event_that_is_there_twice_is_a_failure(service: Service, server: Server) -> None:
    session_id = service.start_session()["session_id"]
    service.create_event(event_name="twice", session_id=session_id)
    service.create_event(event_name="twice", session_id=session_id)

    with pytest.raises(NotInTime, match=re.escape("has 2 events 'twice', not one")):
        server.event(session_id, "twice")


def test_a_session_that_spans_merely_name_was_not_started(service: Service, server: Server) -> None:
    made_up = new_id()
    service.send(span("lost", made_up)).raise_for_status()

    assert server.event(made_up, "lost")
    with pytest.raises(NotInTime, match=f"project one has no session {made_up}"):
        server.session(made_up)


def test_a_tracer_without_a_session_is_told_as_such(server: Server) -> None:
    with pytest.raises(NotInTime, match="has no session None"):
        server.session(None)


def test_a_deleted_session_is_gone_with_its_events(service: Service, server: Server) -> None:
    session_id = service.start_session()["session_id"]
    service.create_event(event_name="one", session_id=session_id)

    server.delete_session(session_id)

    assert server.events(session_id=session_id) == []


def test_a_key_that_is_refused_is_no_not_yet(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY_ONE", "unknown")
    reader = Server(service.url, Project("one", "KEY_ONE"), timeout_s=5)

    with pytest.raises(httpx.HTTPStatusError, match="401"):
        reader.session(new_id())
    reader.close()


def test_a_project_is_read_with_the_key_that_it_has_now(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert server.events() is not None
    monkeypatch.setenv("KEY_ONE", "unknown")

    with pytest.raises(httpx.HTTPStatusError, match="401"):
        server.events()
