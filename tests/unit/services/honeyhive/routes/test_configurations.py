from __future__ import annotations

import pytest

from tests.unit.services.honeyhive.running import Service, answered, new_id, refused

_PARAMETERS = {"call_type": "chat", "model": "m"}


def _create(service: Service, **given: object) -> str:
    body = {"name": new_id(), "provider": "openai", "parameters": _PARAMETERS, **given}
    return str(answered(service.post("/v1/configurations", body))["insertedId"])


def _listed(service: Service, **params: str) -> list[str]:
    found = answered(service.http.get("/v1/configurations", params=params))["configurations"]
    return [each["id"] for each in found]


def test_what_a_configuration_does_not_say_has_a_default(service: Service) -> None:
    created = _create(service)
    [found] = [
        each for each in answered(service.http.get("/v1/configurations"))["configurations"] if each["id"] == created
    ]
    assert (found["type"], found["env"], found["tags"], found["user_properties"]) == ("LLM", [], [], None)
    assert found["updated_at"] is None


def test_the_list_is_filtered_by_name_environment_and_tag(service: Service) -> None:
    name = new_id()
    one = _create(service, name=name, env=["dev"], tags=["a", "b"])
    two = _create(service, name=name, env=["prod"], tags=["c"])
    assert _listed(service, name=name) == [one, two]
    assert _listed(service, name=name, env="prod") == [two]
    assert _listed(service, name=name, tags="b") == [one]
    assert _listed(service, name=name, tags="b,c") == [one, two]
    assert _listed(service, name=name, tags="b", env="prod") == []


def test_an_update_counts_what_it_changed(service: Service) -> None:
    created = _create(service)
    answer = answered(service.http.put(f"/v1/configurations/{created}", json={"name": "new", "env": ["prod"]}))
    assert answer == {
        "acknowledged": True,
        "modifiedCount": 1,
        "upsertedId": None,
        "upsertedCount": 0,
        "matchedCount": 1,
    }
    assert created in _listed(service, name="new", env="prod")


def test_an_unknown_configuration_is_not_found(service: Service) -> None:
    assert refused(service.http.put(f"/v1/configurations/{new_id()}", json={"name": "n"}))[0] == 404
    assert refused(service.http.delete(f"/v1/configurations/{new_id()}"))[0] == 404


@pytest.mark.parametrize("wrong", [{"env": ["moon"]}, {"type": "other"}, {"unknown": 1}, {"provider": ""}])
def test_what_the_public_api_rules_out_is_a_bad_request(service: Service, wrong: dict[str, object]) -> None:
    body = {"name": "n", "provider": "p", "parameters": _PARAMETERS, **wrong}
    assert refused(service.post("/v1/configurations", body))[0] == 400
