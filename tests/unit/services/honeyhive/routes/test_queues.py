from __future__ import annotations

from typing import TYPE_CHECKING

from tests.unit.services.honeyhive.running import Service, answered, new_id, refused, where

if TYPE_CHECKING:
    from tests.unit.services.honeyhive.running import Event


def _create(service: Service, **given: object) -> Event:
    response = service.post("/v1/queues", {"name": "q", **given})
    assert response.status_code == 201, response.text
    queue: Event = response.json()["queue"]
    return queue


def test_creating_a_queue_answers_201_with_every_key_that_the_sdk_insists_on(service: Service) -> None:
    queue = _create(service)
    [project] = [each for each in service.http.get("/v1/projects").json() if each["name"] == "one"]
    assert (queue["description"], queue["filters"], queue["enabled"]) == ("", {"filterArray": []}, True)
    assert (queue["scope_type"], queue["scope_id"], queue["is_active"]) == ("project", project["id"], True)
    assert queue["updated_at"] is None
    assert answered(service.http.get(f"/v1/queues/{queue['id']}")) == queue


def test_queues_are_listed_by_whether_they_are_enabled(service: Service) -> None:
    on, off = _create(service)["id"], _create(service, enabled=False)["id"]
    for enabled, wanted, unwanted in (("true", on, off), ("false", off, on)):
        ids = [each["id"] for each in answered(service.http.get("/v1/queues", params={"enabled": enabled}))["queues"]]
        assert wanted in ids
        assert unwanted not in ids
    assert refused(service.http.get("/v1/queues", params={"enabled": "perhaps"}))[0] == 400


def test_events_come_to_a_queue_and_go(service: Service) -> None:
    queue = _create(service, event_ids=["a", "b"], filters={"filterArray": [where("event_type", "model")]})
    body = {"id": queue["id"], "enabled": False, "add_event_ids": ["b", "c"], "remove_event_ids": ["a"]}
    updated = answered(service.http.put(f"/v1/queues/{queue['id']}", json=body))["queue"]
    assert (updated["event_ids"], updated["enabled"]) == (["b", "c"], False)
    assert updated["filters"] == queue["filters"]


def test_an_update_of_another_queue_than_the_paths_is_a_bad_request(service: Service) -> None:
    queue = _create(service)
    assert refused(service.http.put(f"/v1/queues/{queue['id']}", json={"id": new_id()}))[0] == 400


def test_an_unknown_queue_is_not_found(service: Service) -> None:
    unknown = new_id()
    for method, body in (("GET", None), ("PUT", {"id": unknown}), ("DELETE", None)):
        assert refused(service.http.request(method, f"/v1/queues/{unknown}", json=body))[0] == 404
    queue = _create(service)
    assert "message" in answered(service.http.delete(f"/v1/queues/{queue['id']}"))
    assert refused(service.http.get(f"/v1/queues/{queue['id']}"))[0] == 404
