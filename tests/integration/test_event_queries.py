"""Finding events through the client: filters, pages, and the sessions they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from honeyhive import HoneyHive

    from tests.support.server import Server

_EVENTS: tuple[dict[str, Any], ...] = (
    {"event_name": "cheap", "event_type": "model", "metadata": {"cost": 1, "user": "ada"}, "metrics": {"ok": True}},
    {"event_name": "dear", "event_type": "model", "metadata": {"cost": 10, "user": "bob"}, "metrics": {"ok": False}},
    {"event_name": "free", "event_type": "tool", "metadata": {"cost": 0}},
)


@pytest.fixture
def session_of_three(client: HoneyHive, start_session: Callable[..., str], server: Server) -> str:
    """Have a session with three events; return its id."""
    from honeyhive.models import PostEventBatchRequest

    session_id = start_session()
    events = [{"session_id": session_id, "inputs": {}, "source": "test", **event} for event in _EVENTS]
    client.events.create_batch(PostEventBatchRequest(events=events))
    for event in _EVENTS:
        server.event(session_id, event["event_name"])
    return session_id


def _of(session_id: str) -> dict[str, str]:
    return {"field": "session_id", "operator": "is", "value": session_id, "type": "string"}


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (("event_name", "is", "dear", "string"), {"dear"}),
        (("event_name", "is not", "dear", "string"), {"cheap", "free"}),
        (("event_name", "contains", "ea", "string"), {"cheap", "dear"}),
        (("event_name", "not contains", "ea", "string"), {"free"}),
        (("event_type", "is", "model", "string"), {"cheap", "dear"}),
        (("metadata.cost", "greater than", "1", "number"), {"dear"}),
        (("metadata.cost", "less than", "1", "number"), {"free"}),
        (("metadata.cost", "is", "1", "number"), {"cheap"}),
        (("metrics.ok", "is", "true", "boolean"), {"cheap"}),
        (("metadata.user", "exists", "", "string"), {"cheap", "dear"}),
        (("metadata.user", "not exists", "", "string"), {"free"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_filter_finds_what_it_says(
    client: HoneyHive, session_of_three: str, condition: tuple[str, ...], found: set[str]
) -> None:
    asked = dict(zip(("field", "operator", "value", "type"), condition, strict=True))
    not_the_session = {"field": "event_type", "operator": "is not", "value": "session", "type": "string"}

    held = client.events.export(filters=[_of(session_of_three), not_the_session, asked])

    assert {event.event_name for event in held.events} == found


def test_all_filters_must_hold(client: HoneyHive, session_of_three: str) -> None:
    user = {"field": "metadata.user", "operator": "is", "value": "ada", "type": "string"}
    dear = {"field": "metadata.cost", "operator": "greater than", "value": "5", "type": "number"}

    assert client.events.export(filters=[_of(session_of_three), user]).total_events == 1
    assert client.events.export(filters=[_of(session_of_three), user, dear]).total_events == 0


def test_pages_hold_every_event_once_and_the_page_after_the_last_is_empty(
    client: HoneyHive, session_of_three: str
) -> None:
    pages = [client.events.export(filters=[_of(session_of_three)], limit=2, page=page) for page in (1, 2, 3)]

    ids = [event.event_id for page in pages for event in page.events]
    assert [len(page.events) for page in pages] == [2, 2, 0]
    assert len(set(ids)) == 4  # three, and the session's own


def test_the_events_of_a_session_are_found_by_its_id(client: HoneyHive, session_of_three: str) -> None:
    held = client.events.get_by_session_id(session_of_three)

    names = {event.event_name for event in held.events}
    assert {"cheap", "dear", "free"} <= names
    assert {event.session_id for event in held.events} == {session_of_three}


def test_an_event_that_is_exported_has_everything_that_it_was_created_with(
    client: HoneyHive, session_of_three: str
) -> None:
    name = {"field": "event_name", "operator": "is", "value": "cheap", "type": "string"}

    (event,) = client.events.export(filters=[_of(session_of_three), name]).events

    assert (event.event_type, event.session_id, event.source) == ("model", session_of_three, "test")
    assert (event.metadata["cost"], event.metadata["user"], event.metrics) == (1, "ada", {"ok": True})


def test_an_event_that_names_its_parent_is_below_it(
    client: HoneyHive, start_session: Callable[..., str], server: Server
) -> None:
    from honeyhive.models import PostEventRequest

    session_id = start_session()
    event = {"event_type": "chain", "session_id": session_id, "inputs": {}}
    parent = client.events.create(PostEventRequest(event={**event, "event_name": "parent"})).event_id
    child = {**event, "event_name": "child", "parent_id": parent}
    client.events.create(PostEventRequest(event=child))

    assert server.event(session_id, "child")["parent_id"] == parent
    (node,) = server.tree(session_id)["children"]
    assert (node["event_name"], [each["event_name"] for each in node["children"]]) == ("parent", ["child"])


def test_an_event_keeps_the_times_and_the_error_that_it_is_given(
    client: HoneyHive, start_session: Callable[..., str], server: Server
) -> None:
    from honeyhive.models import PostEventRequest

    session_id = start_session()
    times = {"start_time": 1_790_000_000_000, "end_time": 1_790_000_001_500, "duration": 1500}
    event = {"event_type": "tool", "event_name": "timed", "session_id": session_id, "inputs": {}, "error": "no stock"}
    client.events.create(PostEventRequest(event={**event, **times}))

    held = server.event(session_id, "timed")
    assert {name: held[name] for name in times} == times
    assert held["error"] == "no stock"


def test_every_field_of_an_event_can_be_updated(client: HoneyHive, session_of_three: str, server: Server) -> None:
    from honeyhive.models import UpdateEventRequest

    event_id = server.event(session_of_three, "free")["event_id"]
    changes = {
        "metadata": {"checked": True},
        "metrics": {"score": 0.5},
        "feedback": {"rating": 1},
        "outputs": {"text": "x"},
        "config": {"model": "small"},
        "user_properties": {"user_id": "ada"},
    }

    client.events.update(UpdateEventRequest(event_id=event_id, duration=7, **changes))

    held = server.event(session_of_three, "free")
    assert held["duration"] == 7
    assert (held["metadata"]["checked"], held["metadata"]["cost"]) == (True, 0)
    assert {name: held[name] for name in changes if name != "metadata"} == {
        name: value for name, value in changes.items() if name != "metadata"
    }


def test_an_event_without_its_required_fields_is_not_sent(client: HoneyHive, start_session: Callable[..., str]) -> None:
    from honeyhive.models import PostEventRequest
    from pydantic import ValidationError

    with pytest.raises(ValidationError):
        client.events.create(PostEventRequest(event={"event_name": "no-type", "session_id": start_session()}))
