from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.unit.services.honeyhive.running import (
    Service,
    answered,
    config,
    new_id,
    refused,
    span,
    started,
    supervised,
    where,
)
from tests.unit.services.programs import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer key-one", "Basic control-token", "control-token"])
def test_the_control_endpoint_needs_its_token_and_no_key_opens_it(service: Service, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    url = f"{service.control.base_url}/"
    for method, path in (("POST", "projects"), ("POST", "keys"), ("POST", "keys/revoke"), ("GET", "ingestion")):
        assert refused(httpx.request(method, f"{url}{path}", headers=headers))[0] == 401


def test_neither_port_answers_for_the_other(service: Service) -> None:
    token = service.control.headers["Authorization"]
    assert refused(httpx.post(f"{service.url}/projects", headers={"Authorization": token}, json={}))[0] == 404
    headers = {"Authorization": "Bearer key-one", "Host": service.url.removeprefix("http://")}
    assert refused(httpx.get(f"{service.control.base_url}/v1/datasets", headers=headers))[0] == 404


def test_without_a_token_there_is_no_control_endpoint() -> None:
    with started("--config", "-", stdin=config()) as process:
        assert "control_url" not in first_line(process)


def test_a_minted_project_is_empty_and_has_a_key_of_each_kind(service: Service) -> None:
    project = service.mint("fresh")
    assert project["name"] == "fresh"
    assert set(project["keys"]) == {"project", "ingestion", "data_plane"}
    with service.as_holder(project["keys"]["project"]) as http:
        [listed] = http.get("/v1/projects").json()
        assert (listed["id"], listed["name"]) == (project["id"], "fresh")
        assert answered(http.post("/v1/events/export", json={}))["totalEvents"] == 0


def test_a_name_is_given_once(service: Service) -> None:
    service.mint("twice")
    assert refused(service.control.post("/projects", json={"name": "twice"}))[0] == 409
    assert service.mint()["name"] != service.mint()["name"]


def test_a_deleted_project_takes_its_data_and_keys_along(service: Service) -> None:
    project = service.mint("short-lived")
    with service.as_holder(project["keys"]["project"]) as http:
        answered(http.post("/session/start", json={"session": {"session_name": "s"}}))
        answered(http.post("/v1/datasets", json={}))
        answered(service.control.delete(f"/projects/{project['id']}"))
        assert refused(http.get("/v1/datasets"))[0] == 401
    assert refused(service.control.delete(f"/projects/{project['id']}"))[0] == 404
    assert service.mint("short-lived")["id"] != project["id"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/projects", {"name": ""}),
        ("/projects", {"unknown": 1}),
        ("/keys", {"project_id": "x", "kind": "master"}),
        ("/keys", {"kind": "project"}),
        ("/keys/revoke", {}),
    ],
)
def test_what_the_control_endpoint_does_not_understand_is_a_bad_request(
    service: Service, path: str, body: object
) -> None:
    assert refused(service.control.post(path, json=body))[0] == 400


def test_unknown_projects_and_keys_are_not_found(service: Service) -> None:
    assert refused(service.control.post("/keys", json={"project_id": "x", "kind": "project"}))[0] == 404
    assert refused(service.control.post("/keys/revoke", json={"key": "nobody"}))[0] == 404


# ---- Ingestion lag -----------------------------------------------------------------------------------


@pytest.fixture
def _lag_ends(service: Service) -> Iterator[None]:
    yield
    answered(service.control.put("/ingestion", json={"lag_ms": 0}))


@pytest.mark.usefixtures("_lag_ends")
def test_what_is_acknowledged_shows_only_after_the_lag(service: Service) -> None:
    lag_s = 0.3
    answered(service.control.put("/ingestion", json={"lag_ms": int(lag_s * 1000)}))
    session_id = new_id()
    sent = time.monotonic()
    answered(service.send(span("late", session_id)))
    event_id = service.create_event(session_id=session_id, event_name="late-too")

    hidden = service.export(where("session_id", session_id))["totalEvents"]
    looked_after_s = time.monotonic() - sent
    assert hidden == 0 or looked_after_s >= lag_s
    while service.export(where("session_id", session_id))["totalEvents"] < 2:
        assert time.monotonic() - sent < 10
    assert time.monotonic() - sent >= lag_s
    assert answered(service.http.get(f"/v1/events/{event_id}"))["event"]["event_name"] == "late-too"


@pytest.mark.usefixtures("_lag_ends")
def test_an_event_that_does_not_show_yet_can_be_updated_and_deleted(service: Service) -> None:
    answered(service.control.put("/ingestion", json={"lag_ms": 600_000}))
    session = service.start_session()
    event_id = service.create_event(session_id=session["session_id"])
    assert refused(service.http.get(f"/v1/events/{event_id}"))[0] == 404
    answered(service.http.put("/events", json={"event_id": event_id, "metadata": {"a": 1}}))
    answered(service.control.put("/ingestion", json={"lag_ms": 0}))
    assert answered(service.http.get(f"/v1/events/{event_id}"))["event"]["metadata"] == {"a": 1}


def test_what_does_not_show_yet_is_durable(tmp_path: Path) -> None:
    folder = str(tmp_path)
    with supervised(data_dir=folder, ingestion_lag_ms=600_000) as service:
        event_id = service.create_event()
        service.process.kill()
        service.process.wait()
    with supervised(data_dir=folder, ingestion_lag_ms=600_000) as service:
        assert answered(service.http.get(f"/v1/events/{event_id}"))["event"]["event_id"] == event_id


@pytest.mark.parametrize("lag_ms", [-1, 600_001, 1.5, "5", True, None])
def test_a_lag_that_is_no_number_of_milliseconds_is_a_bad_request(service: Service, lag_ms: object) -> None:
    assert refused(service.control.put("/ingestion", json={"lag_ms": lag_ms}))[0] == 400


def test_there_is_a_little_lag_unless_it_is_switched_off() -> None:
    with supervised(ingestion_lag_ms=5) as service:
        assert answered(service.control.get("/ingestion")) == {"lag_ms": 5}
