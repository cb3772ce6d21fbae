from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.services.honeyhive.running import Event, Service, Value, answered, new_id, refused, where

if TYPE_CHECKING:
    import httpx


def test_a_created_event_reads_back_as_it_was_sent(service: Service) -> None:
    sent = {
        "event_id": new_id(),
        "session_id": new_id(),
        "parent_id": new_id(),
        "event_type": "model",
        "event_name": "name",
        "source": "tests",
        "error": "it broke",
        "inputs": {"a": [1, {"b": None}]},
        "outputs": {"ü": "€"},
        "config": {"c": 1.5},
        "metadata": {"d": {"e": True}},
        "metrics": {"f": 1},
        "feedback": {"g": "h"},
        "user_properties": {"i": "j"},
        "children_ids": ["k"],
        "start_time": 1000,
        "end_time": 3000.5,
        "duration": 2000.5,
        "something_else": {"kept": True},
    }
    service.create_event(**sent)
    event = answered(service.http.get(f"/v1/events/{sent['event_id']}"))["event"]
    assert {name: event[name] for name in sent} == sent
    assert event["project"] == "one"


def test_an_event_gets_what_its_sender_left_out(service: Service) -> None:
    event_id = service.create_event(event_type="tool")
    event = answered(service.http.get(f"/v1/events/{event_id}"))["event"]
    assert event["parent_id"] == event["session_id"]
    assert (event["event_name"], event["source"], event["duration"]) == ("unknown", "unknown", 0)
    assert event["start_time"] > 1_700_000_000_000


def test_duration_and_end_follow_from_one_another(service: Service) -> None:
    by_end = service.create_event(start_time=1000, end_time=1500)
    by_duration = service.create_event(start_time=1000, duration=500)
    for event_id in (by_end, by_duration):
        event = answered(service.http.get(f"/v1/events/{event_id}"))["event"]
        assert (event["start_time"], event["end_time"], event["duration"]) == (1000, 1500, 500)


def test_an_event_may_come_as_json_text_as_the_public_api_documents_it(service: Service) -> None:
    body = {"event": json.dumps({"event_type": "tool", "inputs": {}})}
    assert answered(service.post("/events", body))["success"] is True


@pytest.mark.parametrize(
    "event",
    [
        {"inputs": {}},
        {"event_type": "agent", "inputs": {}},
        {"event_type": ["tool"], "inputs": {}},
        {"event_type": "tool"},
        {"event_type": "tool", "inputs": []},
        {"event_type": "tool", "inputs": {}, "event_id": 1},
        "no json",
        '{"event_type": "tool", "inputs": {}, "duration": NaN}',
    ],
)
def test_an_event_of_the_wrong_shape_is_a_bad_request(service: Service, event: object) -> None:
    assert refused(service.post("/events", {"event": event}))[0] == 400


def test_a_batch_answers_the_ids_in_the_order_sent(service: Service) -> None:
    ids = [new_id(), new_id()]
    events = [{"event_type": "tool", "inputs": {}, "event_id": event_id} for event_id in ids]
    answer = answered(service.post("/events/batch", {"events": events}))
    assert (answer["event_ids"], answer["success"]) == (ids, True)


def test_a_batch_of_one_session_shares_it_and_gets_its_properties(service: Service) -> None:
    events = [{"event_type": "tool", "inputs": {}, "event_name": name} for name in "ab"]
    body = {"events": events, "is_single_session": True, "session_properties": {"session_name": "batch"}}
    answer = answered(service.post("/events/batch", body))
    assert set(service.events_of(answer["session_id"])) == {"batch", "a", "b"}


def test_a_batch_with_one_bad_event_stores_none(service: Service) -> None:
    session_id = new_id()
    good = {"event_type": "tool", "inputs": {}, "session_id": session_id}
    assert refused(service.post("/events/batch", {"events": [good, {**good, "inputs": 1}, good]}))[0] == 400
    assert service.export(where("session_id", session_id))["totalEvents"] == 0


@pytest.mark.parametrize("events", [None, {}, [1], "x"])
def test_a_batch_that_is_no_list_of_events_is_a_bad_request(service: Service, events: object) -> None:
    assert refused(service.post("/events/batch", {"events": events}))[0] == 400


def test_an_update_merges_objects_and_replaces_numbers(service: Service) -> None:
    event_id = service.create_event(metadata={"a": 1, "b": 1}, inputs={"x": 1}, start_time=1000)
    answered(service.http.put("/events", json={"event_id": event_id, "metadata": {"b": 2}, "duration": 7}))
    answered(service.http.put("/events", json={"event_id": event_id, "feedback": {"rating": 5}, "inputs": {"y": 1}}))
    event = answered(service.http.get(f"/v1/events/{event_id}"))["event"]
    assert event["metadata"] == {"a": 1, "b": 2}
    assert (event["feedback"], event["inputs"]) == ({"rating": 5}, {"x": 1})
    assert (event["duration"], event["end_time"]) == (7, 1007)


def test_an_update_is_found_by_what_it_changed(service: Service) -> None:
    event_id = service.create_event(metadata={"state": "old"})
    answered(service.http.put("/events", json={"event_id": event_id, "metadata": {"state": event_id}}))
    assert service.export(where("metadata.state", event_id))["totalEvents"] == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"event_id": ""}, 400),
        ({"event_id": "nobody"}, 404),
        ({"event_id": "nobody", "metadata": 1}, 400),
    ],
)
def test_an_update_of_nothing_is_refused(service: Service, body: object, status: int) -> None:
    assert refused(service.http.put("/events", json=body))[0] == status


def test_an_update_of_the_wrong_type_changes_nothing(service: Service) -> None:
    event_id = service.create_event(metadata={"a": 1})
    body = {"event_id": event_id, "metadata": {"a": 2}, "outputs": ["no", "object"]}
    assert refused(service.http.put("/events", json=body))[0] == 400
    assert answered(service.http.get(f"/v1/events/{event_id}"))["event"]["metadata"] == {"a": 1}


def test_a_session_read_as_an_event_brings_its_tree_too(service: Service) -> None:
    session = service.start_session()
    service.create_event(session_id=session["session_id"], event_name="in it")
    answer = answered(service.http.get(f"/v1/events/{session['session_id']}"))
    assert answer["event"] == session
    assert [child["event_name"] for child in answer["children"]] == ["in it"]


def test_an_event_that_is_deleted_is_gone(service: Service) -> None:
    event_id = service.create_event()
    assert answered(service.http.delete(f"/v1/events/{event_id}")) == {"success": True, "deleted": event_id}
    assert refused(service.http.get(f"/v1/events/{event_id}"))[0] == 404


_STORED: tuple[Event, ...] = (
    {"event_name": "one", "event_type": "tool", "source": "x", "metadata": {"n": 1, "s": "apple", "deep": {"er": 1}}},
    {"event_name": "two", "event_type": "model", "source": "x", "metadata": {"n": 2.5, "s": "pineapple", "t": True}},
    {"event_name": "three", "event_type": "chain", "source": "y", "metadata": {"n": "10", "t": False}, "error": "bad"},
    {
        "event_name": "four",
        "event_type": "tool",
        "source": "y",
        "metadata": {"deep.er": 2, "s": None, "d": "2024-05-01"},
    },
)


@pytest.fixture(scope="module")
def stored(service: Service) -> str:
    """Store a session of four different events, a second apart."""
    session_id = new_id()
    for index, event in enumerate(_STORED):
        service.create_event(**event, session_id=session_id, start_time=1_700_000_000_000 + index * 1000)
    return session_id


@pytest.mark.parametrize(
    ("field", "operator", "value", "kind", "names"),
    [
        ("event_type", "is", "tool", "string", "one four"),
        ("event_type", "is not", "tool", "string", "two three"),
        ("event_name", "contains", "o", "string", "one two four"),
        ("event_name", "not contains", "o", "string", "three"),
        ("source", "is", "y", "string", "three four"),
        ("error", "exists", None, "string", "three"),
        ("error", "not exists", None, "string", "one two four"),
        ("error", "is", None, "string", "one two four"),
        ("metadata.s", "is", "apple", "string", "one"),
        ("metadata.s", "is not", "apple", "string", "two three four"),
        ("metadata.s", "contains", "apple", "string", "one two"),
        ("metadata.s", "not contains", "pine", "string", "one three four"),
        ("metadata.s", "exists", None, "string", "one two"),
        ("metadata.s", "not exists", None, "string", "three four"),
        ("metadata.n", "is", 1, "number", "one"),
        ("metadata.n", "is", "2.5", "number", "two"),
        ("metadata.n", "is", "10", "string", "three"),
        ("metadata.n", "is", "1", "string", "one"),
        ("metadata.n", "greater than", "0.5", "number", "one two"),
        ("metadata.n", "less than", 2, "number", "one"),
        ("metadata.t", "is", True, "boolean", "two"),
        ("metadata.t", "is", "false", "boolean", "three"),
        ("metadata.t", "is", "true", "string", "two"),
        ("metadata.deep.er", "is", 1, "number", "one"),
        ("metadata.deep.er", "exists", None, "number", "one four"),
        ("metadata.deep", "exists", None, "string", "one"),
        ("metadata.d", "after", "2024-04-30T23:00:00Z", "datetime", "four"),
        ("metadata.d", "before", "2024-05-01T00:00:00+01:00", "datetime", ""),
        ("start_time", "after", "2023-11-14T22:13:21Z", "datetime", "three four"),
        ("start_time", "before", "2023-11-14T22:13:21", "datetime", "one"),
        ("start_time", "is", 1_700_000_001_000, "number", "two"),
        ("start_time", "greater than", "1700000001000", "datetime", "three four"),
        ("duration", "is", 0, "number", "one two three four"),
        ("project", "is", "one", "string", "one two three four"),
        ("nothing.like.this", "exists", None, "string", ""),
    ],
)
def test_a_filter_finds_what_it_says(
    service: Service, stored: str, field: str, operator: str, value: Value, kind: str, names: str
) -> None:
    found = service.export(where("session_id", stored), where(field, value, operator, kind))
    assert {event["event_name"] for event in found["events"]} == set(names.split())
    assert found["totalEvents"] == len(names.split())


def test_export_gives_the_newest_first_by_page(service: Service, stored: str) -> None:
    pages = [service.export(where("session_id", stored), limit=3, page=page) for page in (1, 2, 3)]
    names = [[event["event_name"] for event in page["events"]] for page in pages]
    assert names == [["four", "three", "two"], ["one"], []]
    assert [page["totalEvents"] for page in pages] == [4, 4, 4]


def test_a_date_range_includes_both_its_ends(service: Service, stored: str) -> None:
    date_range = {"$gte": "2023-11-14T22:13:21Z", "$lte": "2023-11-14T22:13:22.000Z"}
    found = service.export(where("session_id", stored), dateRange=date_range)
    assert [event["event_name"] for event in found["events"]] == ["three", "two"]


def test_projections_give_the_fields_that_are_asked_for(service: Service, stored: str) -> None:
    fields = ["event_name", "metadata.deep.er", "nothing"]
    found = service.export(where("session_id", stored), where("event_name", "one"), projections=fields)
    assert found["events"] == [{"event_name": "one", "metadata": {"deep": {"er": 1}}}]


@pytest.mark.parametrize(
    "body",
    [
        {"filters": "x"},
        {"filters": [1]},
        {"filters": [{}]},
        {"filters": [where("a", "b", "like")]},
        {"filters": [where("a", "b", kind="id")]},
        {"filters": [where('a"b', "b")]},
        {"filters": [where("a..b", "b")]},
        {"filters": [where("a", "x", kind="number")]},
        {"filters": [where("a", 1, kind="boolean")]},
        {"filters": [where("a", "yesterday", kind="datetime")]},
        {"filters": [where("a", None, "contains")]},
        {"filters": [{"field": "a", "operator": "is", "value": {}, "type": "string"}]},
        {"filters": [where("a", "b")] * 101},
        {"limit": 0},
        {"limit": "10"},
        {"limit": 1.5},
        {"page": -1},
        {"dateRange": "today"},
        {"dateRange": {"relative": "24h"}},
        {"dateRange": {"$gte": "x"}},
        {"projections": [1]},
    ],
)
def test_an_export_that_makes_no_sense_is_a_bad_request(service: Service, body: object) -> None:
    assert refused(service.post("/v1/events/export", body))[0] == 400


def test_no_project_sees_changes_or_deletes_anothers_events(service: Service, stranger: httpx.Client) -> None:
    event_id = service.create_event(metadata={"a": 1})
    export = {"filters": [where("event_id", event_id)], "project": "one"}
    assert answered(stranger.post("/v1/events/export", json=export))["totalEvents"] == 0
    assert stranger.get(f"/v1/events/{event_id}").status_code == 404
    assert stranger.put("/events", json={"event_id": event_id, "metadata": {"a": 2}}).status_code == 404
    stranger.delete(f"/v1/events/{event_id}")
    answered(stranger.post("/events", json={"event": {"event_type": "tool", "inputs": {}, "event_id": event_id}}))
    assert answered(service.http.get(f"/v1/events/{event_id}"))["event"]["metadata"] == {"a": 1}
