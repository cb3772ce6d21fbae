from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING

import httpx
import pytest

from environments.services.honeyhive.storage.keys import Kind, kind_of, new_key
from tests.unit.services.honeyhive.running import Service, answered, otlp, refused, span, supervised

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.services.honeyhive.running import Event

_INGEST = {
    "/session/start": {"session": {"session_name": "s"}},
    "/events": {"event": {"event_type": "tool", "inputs": {}}},
    "/events/batch": {"events": []},
    "/opentelemetry/v1/traces": otlp(span("s")),
}
_READS = ("/v1/datasets", "/v1/projects", "/v1/charts", "/v1/queues", "/v1/events/x", "/v1/runs")


@pytest.fixture
def minted(service: Service) -> Event:
    return service.mint()


def _status(service: Service, key: str, method: str, path: str, body: object = None) -> int:
    with service.as_holder(key) as http:
        return http.request(method, path, json=body).status_code


def test_an_ingestion_key_sends_everything_and_reads_nothing(service: Service, minted: Event) -> None:
    key = minted["keys"]["ingestion"]
    for path, body in _INGEST.items():
        assert _status(service, key, "POST", path, body) == 200
    for path in _READS:
        assert _status(service, key, "GET", path) == 403
    assert _status(service, key, "POST", "/v1/events/export", {}) == 403


def test_a_data_plane_key_opens_the_charts_of_its_project_and_nothing_else(service: Service, minted: Event) -> None:
    key, other = minted["keys"]["data_plane"], service.mint()
    assert _status(service, key, "GET", f"/v1/projects/{minted['id']}/charts") == 200
    assert _status(service, key, "GET", f"/v1/projects/{other['id']}/charts") == 404
    assert _status(service, key, "GET", "/v1/projects/no-such-project/charts") == 404
    for path in _READS:
        assert _status(service, key, "GET", path) == 403
    assert _status(service, key, "POST", "/session/start", _INGEST["/session/start"]) == 403


def test_a_projects_key_does_not_open_what_is_for_data_plane_keys(service: Service, minted: Event) -> None:
    with service.as_holder(minted["keys"]["project"]) as http:
        status, message = refused(http.get(f"/v1/projects/{minted['id']}/charts"))
    assert (status, message) == (403, "this needs a key of another kind: data plane")


def test_a_key_minted_by_the_api_is_accepted_at_once(service: Service, minted: Event) -> None:
    with service.as_holder(minted["keys"]["project"]) as http:
        path = f"/v1/projects/{minted['id']}"
        ingestion = answered(http.post(f"{path}/ingestion_api_keys", json={"name": "mine"}))["data"]
        body = {"name": "p", "permissions": ["charts:read"], "expires_at": "2200-01-01T00:00:00Z"}
        data_plane = answered(http.post(f"{path}/fine_grained_api_keys", json=body))["data"]

    assert (ingestion["name"], ingestion["description"]) == ("mine", None)
    assert (data_plane["permissions"], data_plane["expires_at"]) == (body["permissions"], body["expires_at"])
    for told in (ingestion, data_plane):
        assert (told["root_scope_type"], told["root_scope_id"]) == ("project", minted["id"])
    assert _status(service, ingestion["key_value"], "POST", "/session/start", _INGEST["/session/start"]) == 200
    assert _status(service, data_plane["key_value"], "GET", f"{path}/charts") == 200


@pytest.mark.parametrize("expires_at", ["soon", "2001-01-01", "99999-01-01", "0001-01-01T00:00:00+23:59", ""])
def test_a_key_that_would_expire_in_the_past_or_never_is_not_minted(service: Service, expires_at: str) -> None:
    project = service.mint()
    body = {"name": "p", "permissions": [], "expires_at": expires_at}
    with service.as_holder(project["keys"]["project"]) as http:
        status, message = refused(http.post(f"/v1/projects/{project['id']}/fine_grained_api_keys", json=body))
    assert status == 400
    assert "expires_at" in message


def test_no_key_is_minted_for_another_project(service: Service, minted: Event) -> None:
    other = service.mint()
    with service.as_holder(minted["keys"]["project"]) as http:
        path = f"/v1/projects/{other['id']}/ingestion_api_keys"
        assert refused(http.post(path, json={"name": "theirs"}))[0] == 404


def test_a_revoked_key_is_unauthorized_at_once_by_its_value_or_its_id(service: Service, minted: Event) -> None:
    body = {"project_id": minted["id"], "kind": "project"}
    for name in ("key", "key_id"):
        made = answered(service.control.post("/keys", json=body))
        assert _status(service, made["key"], "GET", "/v1/datasets") == 200
        answered(service.control.post("/keys/revoke", json={"key": made[name]}))
        assert _status(service, made["key"], "GET", "/v1/datasets") == 401


def test_an_expired_key_is_unauthorized(service: Service, minted: Event) -> None:
    body = {"project_id": minted["id"], "kind": "project", "expires_in_s": -1}
    key = answered(service.control.post("/keys", json=body))["key"]
    with service.as_holder(key) as http:
        assert refused(http.get("/v1/datasets")) == (401, "invalid API key: it has expired")


@pytest.mark.parametrize(
    "key", ["hh_ingst_short", "hh_fgdp_short", "hh_0123456789abcdef", "ключ".encode().decode("latin-1"), "a b"]
)
def test_an_unknown_or_malformed_key_is_unauthorized_and_is_not_shown(service: Service, key: str) -> None:
    headers = {b"Authorization": f"Bearer {key}".encode("latin-1")}
    status, message = refused(httpx.get(f"{service.url}/v1/datasets", headers=headers))
    assert status == 401
    assert key not in message


@pytest.mark.parametrize("kind", [Kind.INGESTION, Kind.DATA_PLANE])
def test_a_typed_key_has_the_shape_that_the_sdk_insists_on(kind: Kind) -> None:
    prefix = {Kind.INGESTION: "hh_ingst_", Kind.DATA_PLANE: "hh_fgdp_"}[kind]
    key = new_key(kind)
    assert re.fullmatch(prefix + r"[A-Za-z0-9]{24}_[A-Za-z0-9_-]{64}", key)
    assert kind_of(key) is kind


def test_what_was_minted_and_revoked_holds_after_a_restart_and_no_key_stands_in_the_file(tmp_path: Path) -> None:
    folder = str(tmp_path / "data")
    with supervised(data_dir=folder) as service:
        project = service.mint("kept")
        answered(service.control.post("/keys/revoke", json={"key": "key-two"}))
        answered(service.control.post("/keys/revoke", json={"key": project["keys"]["ingestion"]}))
        with service.as_holder(project["keys"]["project"]) as http:
            made = answered(http.post("/v1/datasets", json={"name": "kept"}))["result"]["insertedId"]
    with sqlite3.connect(tmp_path / "data" / "events.sqlite") as connection:
        stored = "\n".join(connection.iterdump())
    connection.close()
    assert all(key not in stored for key in project["keys"].values())
    with supervised(data_dir=folder) as service:
        with service.as_holder(project["keys"]["project"]) as http:
            assert [each["id"] for each in answered(http.get("/v1/datasets"))["datasets"]] == [made]
            assert [each["id"] for each in http.get("/v1/projects").json()] == [project["id"]]
        assert _status(service, project["keys"]["data_plane"], "GET", f"/v1/projects/{project['id']}/charts") == 200
        assert _status(service, project["keys"]["ingestion"], "POST", "/session/start", {}) == 401
        assert _status(service, "key-two", "GET", "/v1/datasets") == 401
        assert _status(service, "key-one", "GET", "/v1/datasets") == 200
