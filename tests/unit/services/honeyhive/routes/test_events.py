"""The ways to write and find events beside those that the SDK's client uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.services.honeyhive.running import Service, answered, new_id, refused, span, where

if TYPE_CHECKING:
    import httpx


def _event(**fields: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever an event has
    return {"event_type": "tool", "inputs": {}, **fields}


def test_a_search_finds_what_an_export_finds_and_counts_it(service: Service) -> None:
    session_id = service.start_session(session_name="searched")["session_id"]
    service.create_event(session_id=session_id, event_name="a", metrics={"score": 2})
    service.create_event(session_id=session_id, event_name="b", metrics={"score": 4})
    asked = {
        "filters": [
            {"field": "session_id", "operator": "is", "value": session_id},
            {"field": "metrics.score", "operator": "greater than", "value": 3},
        ],
        "dateRange": {"start_time": "2020-01-01T00:00:00Z", "end_time": "2100-01-01T00:00:00Z"},
    }
    found = answered(service.post("/v1/events/search", asked))
    assert [event["event_name"] for event in found["events"]] == ["b"]
    assert found["count"] == 1


def test_events_are_listed_by_a_query_in_either_language(service: Service) -> None:
    session_id = new_id()
    for name in "ab":
        service.create_event(session_id=session_id, event_name=name, metadata={"run_id": f"run-{session_id}"})
    only = where("session_id", session_id)
    for filters in ({"filters[]": [repr(only), repr(where("event_name", "a"))]}, {"filters": f"[{only}]"}):
        query: dict[str, Any] = {
            **filters,
            "dateRange": str({"$gte": "2020-01-01T00:00:00Z"}),
            "projections[]": ["event_name"],
            "limit": "1",
        }
        found = answered(service.http.get("/events", params=query))
        assert len(found["events"]) == 1
        assert set(found["events"][0]) == {"event_name"}
    by_run = answered(service.http.get("/events", params={"evaluation_id": f"run-{session_id}"}))
    assert by_run["totalEvents"] == 2


@pytest.mark.parametrize(
    "query",
    [{"limit": "x"}, {"limit": "0"}, {"filters": "{'a'"}, {"filters": "text"}, {"dateRange": "yesterday"}],
)
def test_a_query_that_makes_no_sense_is_a_bad_request(service: Service, query: dict[str, str]) -> None:
    assert refused(service.http.get("/events", params=query))[0] == 400


def test_events_may_come_bare_and_be_updated_by_path(service: Service) -> None:
    event_id = answered(service.post("/v1/events", _event(event_name="bare")))["event_id"]
    answered(service.http.put(f"/v1/events/{event_id}", json={"metrics": {"score": 1}}))
    event = answered(service.http.get(f"/v1/events/{event_id}"))["event"]
    assert (event["event_name"], event["metrics"]) == ("bare", {"score": 1})
    ids = answered(service.post("/v1/events/batch", {"events": [_event(), _event()], "single_session": True}))
    assert len(ids["event_ids"]) == 2


@pytest.mark.parametrize("path", ["/session/{}/traces", "/v1/sessions/{}/events/batch"])
@pytest.mark.parametrize("name", ["events", "logs"])
def test_events_are_added_to_a_session(service: Service, path: str, name: str) -> None:
    session_id = answered(service.post("/v1/sessions", {"session_name": "bare"}))["session_id"]
    body = {name: [_event(event_name="one", session_id="another"), None, _event(event_name="two")]}
    assert answered(service.post(path.format(session_id), body)) == {"success": True}
    assert set(service.events_of(session_id)) == {"bare", "one", "two"}
    assert refused(service.post(path.format(session_id), {name: [1]}))[0] == 400


def test_a_model_event_has_its_parts_where_other_events_have_them(service: Service) -> None:
    session_id = new_id()
    sent = {
        "session_id": session_id,
        "model": "gpt-4o",
        "provider": "openai",
        "hyperparameters": {"temperature": 0.5},
        "messages": [{"role": "user", "content": "Hi"}],
        "response": {"role": "assistant", "content": "Hello"},
        "usage": {"prompt_tokens": 3, "completion_tokens": 4},
        "cost": 0.01,
        "template_inputs": {"name": "Ada"},
        "metadata": {"mine": 1},
    }
    answered(service.post("/events/model", {"model_event": sent}))
    event = service.events_of(session_id)["gpt-4o"]
    assert event["event_type"] == "model"
    assert event["config"] == {"model": "gpt-4o", "provider": "openai", "temperature": 0.5}
    assert event["inputs"] == {"name": "Ada", "chat_history": [{"role": "user", "content": "Hi"}]}
    assert event["outputs"] == {"role": "assistant", "content": "Hello"}
    assert event["metadata"] == {
        "mine": 1,
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "total_tokens": 7,
        "cost": 0.01,
    }
    batch = {"model_events": [{"event_name": "x"}, {"event_name": "y", "inputs": {}}], "is_single_session": True}
    session_id = answered(service.post("/events/model/batch", batch))["session_id"]
    assert set(service.events_of(session_id)) == {"x", "y"}
    assert refused(service.post("/events/model", {"model_event": {"config": 1}}))[0] == 400


def test_the_schema_names_fields_by_event_type_and_the_datasets(service: Service) -> None:
    run_id = new_id()
    metadata = {"run_id": run_id, "dataset_id": f"d-{run_id}"}
    service.create_event(event_type="model", metadata=metadata, metrics={"score": 1}, **{'odd"key': [1], "text": "x"})
    schema = answered(service.http.get("/v1/events/schema", params={"evaluation_id": run_id}))
    assert {"name": "metrics.score", "event_type": "model"} in schema["fields"]
    assert schema["datasets"] == [f"d-{run_id}"]
    assert schema["mappings"]["score"] == [{"field_name": "metrics.score", "event_type": "model"}]
    old = str({"$lte": "2020-01-01T00:00:00Z"})
    assert answered(service.http.get("/v1/events/schema", params={"dateRange": old}))["fields"] == []


# ---- Roll-ups ----------------------------------------------------------------------------------------


def test_an_exported_session_has_the_sums_of_its_events(service: Service) -> None:
    session_id = service.start_session(session_name="summed")["session_id"]
    numbers = {"cost": 0.25, "total_tokens": 7, "prompt_tokens": 3, "completion_tokens": 4}
    service.create_event(session_id=session_id, event_type="model", metadata=numbers)
    service.create_event(session_id=session_id, event_type="model", metadata={"cost": "unknown", "total_tokens": True})
    answered(
        service.send(span("spanned", session_id, {"gen_ai.usage.input_tokens": 2, "honeyhive_metadata.cost": 1.0}))
    )
    session = service.events_of(session_id)["summed"]
    wanted = {
        "num_events": 3,
        "num_model_events": 2,
        "cost": 1.25,
        "total_tokens": 9,
        "prompt_tokens": 5,
        "completion_tokens": 4,
        "has_feedback": False,
    }
    assert {name: session["metadata"][name] for name in wanted} == wanted
    tree = answered(service.http.get(f"/v1/sessions/{session_id}"))
    assert tree["metadata"] == session["metadata"]


def test_feedback_on_any_event_or_on_the_session_shows_on_the_session(service: Service) -> None:
    for on_session in (True, False):
        session_id = service.start_session(session_name="rated")["session_id"]
        event_id = service.create_event(session_id=session_id)
        target = session_id if on_session else event_id
        answered(service.http.put("/events", json={"event_id": target, "feedback": {"rating": 1}}))
        assert service.events_of(session_id)["rated"]["metadata"]["has_feedback"] is True


def test_a_session_without_events_sums_up_to_nothing(service: Service) -> None:
    session_id = service.start_session(session_name="empty", metadata={"cost": 5})["session_id"]
    metadata = service.events_of(session_id)["empty"]["metadata"]
    assert (metadata["num_events"], metadata["cost"], metadata["total_tokens"]) == (0, 5, 0)


def test_the_sums_of_one_project_know_nothing_of_anothers_session_of_the_same_id(
    service: Service, stranger: httpx.Client
) -> None:
    session_id = service.start_session(session_name="mine")["session_id"]
    event = _event(session_id=session_id)
    answered(stranger.post("/events", json={"event": event}))
    assert service.events_of(session_id)["mine"]["metadata"]["num_events"] == 0
    asked = {"filters": [where("session_id", session_id)]}
    assert answered(stranger.post("/v1/events/search", json=asked))["count"] == 1


def test_a_session_is_found_by_every_sum_that_it_is_shown_with(service: Service) -> None:
    session_id = service.start_session(metadata={"cost": 5})["session_id"]
    tokens = {"cost": 1, "total_tokens": 7, "prompt_tokens": 3, "completion_tokens": 4}
    for kind in ("model", "tool"):
        service.create_event(session_id=session_id, event_type=kind, metadata=tokens, feedback={"ok": True})
    this = where("event_id", session_id)
    shown = service.export(this)["events"][0]["metadata"]
    kinds = {True: "boolean", False: "number"}

    def found(*also: dict[str, Any]) -> int:
        total: int = service.export(this, *also)["totalEvents"]
        return total

    assert (shown["num_events"], shown["cost"], shown["total_tokens"], shown["has_feedback"]) == (2, 5, 14, True)
    for name, value in shown.items():
        kind = kinds[isinstance(value, bool)]
        assert found(where(f"metadata.{name}", value, kind=kind)) == 1, name
        assert found(where(f"metadata.{name}", str(value).lower(), kind="string")) == 1, name
        assert found(where(f"metadata.{name}", value, "is not", kind=kind)) == 0, name
        assert found(where(f"metadata.{name}", None, "exists")) == 1, name
    assert found(where("metadata.num_events", 1, "greater than", "number")) == 1
    assert found(where("metadata.num_events", 2, "greater than", "number")) == 0


def test_an_event_of_a_session_has_no_sums_to_be_found_by(service: Service) -> None:
    session_id = service.start_session()["session_id"]
    service.create_event(session_id=session_id, metadata={"cost": 2})
    mine = where("session_id", session_id)
    found = service.export(mine, where("metadata.cost", 2, kind="number"))["events"]
    assert {event["event_type"] for event in found} == {"session", "tool"}
    counted = service.export(mine, where("metadata.num_events", None, "exists"))["events"]
    assert [event["event_type"] for event in counted] == ["session"]
