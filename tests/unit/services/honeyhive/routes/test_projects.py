from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.services.honeyhive.running import Service, answered, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    """Make a client of a project of this test's own."""
    with service.as_holder(service.mint()["keys"]["project"]) as client:
        yield client


def _names(http: httpx.Client) -> list[str]:
    return [each["name"] for each in http.get("/v1/projects").json()]


def test_a_created_project_is_listed_and_described_to_who_created_it_alone(
    service: Service, http: httpx.Client
) -> None:
    created = answered(http.post("/v1/projects", json={"name": "child", "type": "evaluation", "description": "d"}))
    assert (created["name"], created["type"], created["description"]) == ("child", "evaluation", "d")
    assert http.get("/v1/projects", params={"name": "child"}).json() == [created]
    assert service.http.get("/v1/projects", params={"name": "child"}).json() == []
    assert refused(service.http.delete("/v1/projects", params={"name": "child"}))[0] == 404
    assert refused(service.http.post("/v1/projects", json={"name": "child"}))[0] == 409
    answered(http.delete("/v1/projects", params={"name": "child"}))
    assert "child" not in _names(http)


def test_a_renamed_project_keeps_its_id_its_keys_and_its_data(http: httpx.Client) -> None:
    [own] = http.get("/v1/projects").json()
    answered(http.post("/v1/datasets", json={"name": "kept"}))
    renamed = answered(http.put("/v1/projects", json={"name": own["name"], "new_name": f"{own['name']}-renamed"}))
    assert (renamed["id"], renamed["created_at"]) == (own["id"], own["created_at"])
    assert _names(http) == [f"{own['name']}-renamed"]
    assert [each["name"] for each in answered(http.get("/v1/datasets"))["datasets"]] == ["kept"]
    session = answered(http.post("/session/start", json={"session": {"session_name": "s"}}))
    assert session["project"] == f"{own['name']}-renamed"


def test_a_project_is_not_renamed_to_a_name_that_is_taken(http: httpx.Client) -> None:
    [own] = _names(http)
    assert refused(http.put("/v1/projects", json={"name": own, "new_name": "two"}))[0] == 409
    assert refused(http.put("/v1/projects", json={"name": "two", "new_name": "three"}))[0] == 404


def test_a_key_for_a_created_project_opens_that_project(service: Service, http: httpx.Client) -> None:
    child = answered(http.post("/v1/projects", json={"name": "with-a-key"}))
    minted = answered(http.post(f"/v1/projects/{child['id']}/ingestion_api_keys", json={"name": "k"}))["data"]
    with service.as_holder(minted["key_value"]) as ingesting:
        session = answered(ingesting.post("/session/start", json={"session": {}}))
    assert session["project_id"] == child["id"]


def test_deleting_needs_a_name(http: httpx.Client) -> None:
    assert refused(http.delete("/v1/projects"))[0] == 400
