from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.services.honeyhive.running import Service, answered, new_id, refused, span, where

if TYPE_CHECKING:
    import httpx


def test_a_started_session_answers_all_ids_that_the_sdk_requires(service: Service) -> None:
    answer = service.start_session()
    for name in ("event_id", "session_id", "org_id", "workspace_id", "project_id"):
        assert isinstance(answer[name], str)
        assert answer[name]


def test_a_session_is_an_event_with_the_sessions_own_id(service: Service) -> None:
    session = service.start_session(session_name="mine", source="tests", inputs={"a": 1}, metadata={"run_id": "r"})
    [event] = service.export(where("session_id", session["session_id"]))["events"]
    assert {**event, "metadata": {"run_id": event["metadata"]["run_id"]}} == session
    assert event["event_id"] == event["session_id"]
    assert (event["event_type"], event["event_name"], event["source"]) == ("session", "mine", "tests")
    assert (event["inputs"], event["metadata"]["run_id"], event["parent_id"]) == ({"a": 1}, "r", None)
    assert isinstance(event["start_time"], int)


def test_a_session_keeps_the_id_that_the_client_chose(service: Service) -> None:
    session_id = new_id()
    assert service.start_session(session_id=session_id)["session_id"] == session_id


def test_a_session_may_come_as_json_text_as_the_public_api_documents_it(service: Service) -> None:
    session_id = new_id()
    body = {"session": json.dumps({"session_id": session_id, "session_name": "text"})}
    assert answered(service.post("/session/start", body))["session_id"] == session_id


def test_a_session_started_twice_is_one_session_that_keeps_its_time(service: Service) -> None:
    first = service.start_session(metadata={"a": 1, "b": 1}, session_name="first", start_time=1000)
    again = service.start_session(session_id=first["session_id"], session_name="again", metadata={"b": 2})
    assert again["metadata"] == {"a": 1, "b": 2}
    assert (again["event_name"], again["start_time"]) == ("again", 1000)
    assert service.export(where("session_id", first["session_id"]))["totalEvents"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"session": None},
        {"session": []},
        {"session": "{"},
        {"session": "[]"},
        {"session": {"session_id": 1}},
        {"session": {"session_id": "x" * 300}},
        {"session": {"session_name": {}}},
        {"session": {"inputs": "text"}},
        {"session": {"start_time": "now"}},
        {"session": {"start_time": -1}},
        {"session": {"start_time": 10**400}},
        {"session": {"duration": True}},
        {"session": {"children_ids": [1]}},
    ],
)
def test_a_session_of_the_wrong_shape_is_a_bad_request(service: Service, body: object) -> None:
    assert refused(service.post("/session/start", body))[0] == 400


def test_a_session_reads_back_as_the_tree_of_its_events(service: Service) -> None:
    session_id = service.start_session()["session_id"]
    root = span("root", session_id, having={"honeyhive_event_type": "chain"})
    child = span("child", session_id, traceId=root["traceId"], parentSpanId=root["spanId"], startTimeUnixNano="2")
    sibling = span("sibling", session_id, traceId=root["traceId"], parentSpanId=root["spanId"], startTimeUnixNano="1")
    lost = span("lost", session_id, parentSpanId="00000000000000ff", having={"honeyhive_event_type": "model"})
    service.send(child, sibling, lost, root)
    tree = answered(service.http.get(f"/v1/sessions/{session_id}"))
    names = {event["event_name"]: [child["event_name"] for child in event["children"]] for event in tree["children"]}
    assert names == {"root": ["sibling", "child"], "lost": []}
    assert tree["metadata"]["num_events"] == 4
    assert tree["metadata"]["num_model_events"] == 1
    assert tree["metadata"]["has_feedback"] is False


def test_a_session_that_nobody_started_still_reads_back(service: Service) -> None:
    session_id = new_id()
    service.send(span("only", session_id))
    tree = answered(service.http.get(f"/v1/sessions/{session_id}"))
    assert (tree["event_id"], tree["event_type"]) == (session_id, "session")
    assert [child["event_name"] for child in tree["children"]] == ["only"]


def test_a_trace_deeper_than_python_recurses_reads_back(service: Service) -> None:
    session_id, depth = new_id(), 1500
    parent = session_id
    events = []
    for _ in range(depth):
        event_id = new_id()
        events.append({"event_type": "tool", "inputs": {}, "event_id": event_id, "parent_id": parent})
        parent = event_id
    body = {"events": [{**event, "session_id": session_id} for event in events]}
    answered(service.post("/events/batch", body))
    text = service.http.get(f"/v1/sessions/{session_id}").text
    assert text.count('"children":[') == depth + 1


def test_a_session_that_does_not_exist_is_not_found(service: Service) -> None:
    assert refused(service.http.get(f"/v1/sessions/{new_id()}"))[0] == 404


def test_deleting_a_session_deletes_its_events_and_no_others(service: Service) -> None:
    doomed, kept = service.start_session()["session_id"], service.start_session()["session_id"]
    for session_id in (doomed, kept):
        service.send(span("span", session_id), span("other", session_id))
    deleted = answered(service.http.delete(f"/v1/sessions/{doomed}"))
    assert (deleted["success"], deleted["deleted"]) == (True, doomed)
    assert service.export(where("session_id", doomed))["totalEvents"] == 0
    assert service.export(where("session_id", kept))["totalEvents"] == 3


def test_deleting_what_is_gone_succeeds(service: Service) -> None:
    assert answered(service.http.delete(f"/v1/sessions/{new_id()}"))["success"] is True


def test_no_project_sees_or_deletes_anothers_session(service: Service, stranger: httpx.Client) -> None:
    session_id = service.start_session()["session_id"]
    assert stranger.get(f"/v1/sessions/{session_id}").status_code == 404
    stranger.delete(f"/v1/sessions/{session_id}")
    assert service.http.get(f"/v1/sessions/{session_id}").status_code == 200


def test_two_projects_may_use_the_same_session_id(service: Service, stranger: httpx.Client) -> None:
    session_id = service.start_session(session_name="of one")["session_id"]
    body = {"session": {"session_id": session_id, "session_name": "of two"}}
    assert answered(stranger.post("/session/start", json=body))["event_name"] == "of two"
    assert answered(service.http.get(f"/v1/sessions/{session_id}"))["event_name"] == "of one"
