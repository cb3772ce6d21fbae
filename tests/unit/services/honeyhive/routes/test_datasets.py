from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.services.honeyhive.running import Service, answered, new_id, refused, supervised

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.unit.services.honeyhive.running import Event

_ROWS = [{"question": "why?", "answer": "because", "difficulty": "hard"}, {"question": "how?"}]
_MAPPING = {"inputs": ["question"], "ground_truth": ["answer"]}


def _create(service: Service, **given: object) -> str:
    return str(answered(service.post("/v1/datasets", given))["result"]["insertedId"])


def _datapoint(service: Service, **given: object) -> str:
    [created] = answered(service.post("/v1/datapoints", given))["result"]["insertedIds"]
    return str(created)


def _read(service: Service, dataset_id: str) -> Event:
    [found] = answered(service.http.get("/v1/datasets", params={"dataset_id": dataset_id}))["datasets"]
    return dict(found)


def _datapoints(service: Service, **params: str | Sequence[str]) -> list[Event]:
    return list(answered(service.http.get("/v1/datapoints", params=params))["datapoints"])


def test_a_dataset_without_a_name_is_untitled(service: Service) -> None:
    dataset = _read(service, _create(service))
    assert (dataset["name"], dataset["description"], dataset["datapoints"]) == ("Untitled Dataset", None, [])
    assert dataset["created_at"] == dataset["updated_at"]


def test_an_unknown_dataset_is_an_empty_list_to_a_filter_and_not_found_to_all_else(service: Service) -> None:
    unknown = new_id()
    assert answered(service.http.get("/v1/datasets", params={"dataset_id": unknown})) == {"datasets": []}
    for method, path, body in (
        ("PUT", "/v1/datasets", {"dataset_id": unknown}),
        ("PUT", f"/v1/datasets/{unknown}", {}),
        ("DELETE", f"/v1/datasets?dataset_id={unknown}", None),
        ("DELETE", f"/v1/datasets/{unknown}", None),
        ("POST", f"/v1/datasets/{unknown}/datapoints", {"data": _ROWS, "mapping": {}}),
        ("DELETE", f"/v1/datasets/{unknown}/{unknown}", None),
        ("DELETE", f"/v1/datasets/{unknown}/datapoints/{unknown}", None),
    ):
        assert refused(service.http.request(method, path, json=body))[0] == 404


def test_a_filter_by_id_and_by_name_must_both_match(service: Service) -> None:
    dataset_id = _create(service, name="both")
    for name, found in (("both", [dataset_id]), ("other", [])):
        answer = answered(service.http.get("/v1/datasets", params={"dataset_id": dataset_id, "name": name}))
        assert [each["id"] for each in answer["datasets"]] == found


def test_what_an_update_does_not_name_stays(service: Service) -> None:
    datapoint_id = _datapoint(service)
    dataset_id = _create(service, name="before", description="kept", datapoints=[datapoint_id])
    updated = answered(service.http.put(f"/v1/datasets/{dataset_id}", json={"name": "after", "description": None}))
    assert updated["result"] == _read(service, dataset_id)
    assert (updated["result"]["name"], updated["result"]["description"]) == ("after", "kept")
    assert updated["result"]["datapoints"] == [datapoint_id]


def test_rows_are_mapped_and_keep_their_order(service: Service) -> None:
    dataset_id = _create(service, name="rows")
    body = {"data": _ROWS, "mapping": _MAPPING}
    added = answered(service.post(f"/v1/datasets/{dataset_id}/datapoints", body))
    assert added["inserted"] is True
    assert _read(service, dataset_id)["datapoints"] == added["datapoint_ids"]
    first, second = _datapoints(service, dataset_name="rows")
    assert (first["inputs"], first["ground_truth"]) == ({"question": "why?"}, {"answer": "because"})
    assert first["metadata"] == {"difficulty": "hard"}
    assert (second["inputs"], second["ground_truth"], second["metadata"]) == ({"question": "how?"}, {}, {})


@pytest.mark.parametrize("history", [{"role": "user"}, [{"role": "user"}]])
def test_a_mapped_history_is_a_message_or_a_list_of_them(service: Service, history: object) -> None:
    dataset_id = _create(service)
    body = {"data": [{"chat": history}], "mapping": {"history": ["chat", "absent"]}}
    [added] = answered(service.post(f"/v1/datasets/{dataset_id}/datapoints", body))["datapoint_ids"]
    [datapoint] = answered(service.http.get(f"/v1/datapoints/{added}"))["datapoint"]
    assert datapoint["history"] == [{"role": "user"}]


def test_one_bad_row_keeps_all_of_them_out(service: Service) -> None:
    dataset_id = _create(service)
    before = len(_datapoints(service))
    body = {"data": [{"chat": []}, {"chat": "hello"}], "mapping": {"history": ["chat"]}}
    status, message = refused(service.post(f"/v1/datasets/{dataset_id}/datapoints", body))
    assert (status, "chat is mapped to history" in message) == (400, True)
    assert len(_datapoints(service)) == before


def test_a_datapoint_that_does_not_exist_is_not_linked_and_nothing_else_is_either(service: Service) -> None:
    known, unknown = _datapoint(service), new_id()
    status, message = refused(service.post("/v1/datasets", {"name": "half", "datapoints": [known, unknown]}))
    assert (status, unknown in message) == (400, True)
    assert answered(service.http.get("/v1/datasets", params={"name": "half"})) == {"datasets": []}
    dataset_id = _create(service, datapoints=[known])
    body = {"dataset_id": dataset_id, "name": "half", "datapoints": [unknown]}
    assert refused(service.http.put("/v1/datasets", json=body))[0] == 400
    assert _read(service, dataset_id)["datapoints"] == [known]
    assert refused(service.post("/v1/datapoints", {"linked_datasets": [unknown]}))[0] == 400


def test_either_side_of_a_link_tells_the_same(service: Service) -> None:
    one, two = _create(service), _create(service)
    datapoint_id = _datapoint(service, linked_datasets=[one])
    assert _read(service, one)["datapoints"] == [datapoint_id]
    answered(service.http.put(f"/v1/datapoints/{datapoint_id}", json={"linked_datasets": [two]}))
    assert (_read(service, one)["datapoints"], _read(service, two)["datapoints"]) == ([], [datapoint_id])
    answered(service.http.delete(f"/v1/datasets/{two}"))
    [datapoint] = answered(service.http.get(f"/v1/datapoints/{datapoint_id}"))["datapoint"]
    assert datapoint["linked_datasets"] == []


@pytest.mark.parametrize("path", ["/v1/datasets/{}/{}", "/v1/datasets/{}/datapoints/{}"])
def test_a_datapoint_is_removed_once_by_either_path(service: Service, path: str) -> None:
    datapoint_id = _datapoint(service)
    dataset_id = _create(service, datapoints=[datapoint_id])
    assert answered(service.http.delete(path.format(dataset_id, datapoint_id)))["dereferenced"] is True
    assert refused(service.http.delete(path.format(dataset_id, datapoint_id)))[0] == 404
    assert _datapoints(service, **{"datapoint_ids[]": datapoint_id})


# ---- Datapoints --------------------------------------------------------------------------------------


def test_ids_in_a_query_have_brackets_or_not(service: Service) -> None:
    ids = [_datapoint(service, inputs={"n": number}) for number in range(3)]
    for name in ("datapoint_ids[]", "datapoint_ids"):
        assert [each["id"] for each in _datapoints(service, **{name: [ids[2], ids[0]]})] == [ids[0], ids[2]]
        assert [each["id"] for each in _datapoints(service, **{name: [ids[1], new_id()]})] == [ids[1]]


def test_an_empty_id_in_a_query_is_a_bad_request(service: Service) -> None:
    status, message = refused(service.http.get("/v1/datapoints", params={"datapoint_ids[]": ["x", ""]}))
    assert (status, "datapoint_ids[1]" in message) == (400, True)


def test_ids_and_the_name_of_a_dataset_must_both_match(service: Service) -> None:
    one, two = _datapoint(service), _datapoint(service)
    _create(service, name="of-one", datapoints=[one])
    found = _datapoints(service, **{"datapoint_ids[]": [one, two], "dataset_name": "of-one"})
    assert [each["id"] for each in found] == [one]
    assert _datapoints(service, dataset_name="of-nobody") == []


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        ("/v1/datasets", {"name": 1}, "name"),
        ("/v1/datasets", {"name": "n" * 201}, "name"),
        ("/v1/datasets", {"datapoints": "x"}, "datapoints"),
        ("/v1/datapoints", {"inputs": []}, "inputs"),
        ("/v1/datapoints", {"history": ["hello"]}, "history[0]"),
        ("/v1/datapoints", {"linked_event": 1}, "linked_event"),
        ("/v1/datapoints/batch", {"events": [""]}, "events[0]"),
        ("/v1/datapoints/batch", {"checkState": {"e": "yes"}}, "checkState.e"),
        ("/v1/datapoints/batch", {}, "events"),
        ("/v1/datasets/x/datapoints", {"data": [], "mapping": {}}, "data"),
        ("/v1/datasets/x/datapoints", {"data": [{}]}, "mapping"),
        ("/v1/configurations", {"name": "n", "provider": "p"}, "parameters"),
        ("/v1/configurations", {"name": "n", "provider": "p", "parameters": {"model": "m"}}, "parameters.call_type"),
        ("/v1/charts", {"name": "n"}, "metric"),
        ("/v1/queues", {"name": "n", "filters": {"filterArray": [{"field": "x"}]}}, "filters.filterArray[0].operator"),
        ("/v1/projects", {"name": "n", "type": "other"}, "type"),
        ("/v1/projects/x/ingestion_api_keys", {}, "name"),
    ],
)
def test_a_wrong_type_is_a_bad_request_that_names_the_place(
    service: Service, path: str, body: object, named: str
) -> None:
    status, message = refused(service.post(path, body))
    assert (status, named in message) == (400, True), message


def test_a_batch_makes_datapoints_of_the_events_it_names(service: Service) -> None:
    dataset_id = _create(service)
    event_id = service.create_event(
        inputs={"question": "why?", "chat_history": [{"role": "user"}]}, outputs={"answer": "because"}
    )
    body = {"events": [event_id], "dataset_id": dataset_id}
    [added] = answered(service.post("/v1/datapoints/batch", body))["insertedIds"]
    [datapoint] = answered(service.http.get(f"/v1/datapoints/{added}"))["datapoint"]
    assert datapoint["linked_event"] == event_id
    assert datapoint["linked_datasets"] == [dataset_id]
    assert (datapoint["inputs"], datapoint["ground_truth"]) == ({"question": "why?"}, {"answer": "because"})
    assert datapoint["history"] == [{"role": "user"}]


def test_a_batch_maps_fields_of_events_by_their_paths(service: Service) -> None:
    event_id = service.create_event(inputs={"question": "why?"}, feedback={"ground_truth": {"answer": "because"}})
    mapping = {"inputs": ["inputs.question", "event_name"], "ground_truth": ["feedback.ground_truth.answer"]}
    body = {"checkState": {event_id: True, "ignored": False}, "mapping": mapping}
    [added] = answered(service.post("/v1/datapoints/batch", body))["insertedIds"]
    [datapoint] = answered(service.http.get(f"/v1/datapoints/{added}"))["datapoint"]
    assert datapoint["inputs"] == {"question": "why?", "event_name": "unknown"}
    assert datapoint["ground_truth"] == {"answer": "because"}


def test_a_batch_takes_all_events_that_match_but_those_that_are_unchecked(service: Service) -> None:
    name = new_id()
    ids = [service.create_event(event_name=name) for _ in range(3)]
    filters = {"field": "event_name", "operator": "is", "value": name, "type": "string"}
    body = {"selectAll": True, "filters": filters, "checkState": {ids[1]: False}}
    added = answered(service.post("/v1/datapoints/batch", body))["insertedIds"]
    linked = {each["linked_event"] for each in _datapoints(service, **{"datapoint_ids[]": added})}
    assert linked == {ids[0], ids[2]}


def test_a_batch_with_an_event_that_does_not_exist_makes_nothing(service: Service) -> None:
    before = len(_datapoints(service))
    body = {"events": [service.create_event(), new_id()]}
    assert refused(service.post("/v1/datapoints/batch", body))[0] == 404
    assert (
        refused(service.post("/v1/datapoints/batch", {**body, "events": body["events"][:1], "dataset_id": "x"}))[0]
        == 404
    )
    assert len(_datapoints(service)) == before


def test_datasets_survive_a_kill(tmp_path: Path) -> None:
    with supervised(data_dir=str(tmp_path)) as service:
        dataset_id = _create(service, datapoints=[_datapoint(service)])
        dataset = _read(service, dataset_id)
        service.process.kill()
        service.process.wait()
    with supervised(data_dir=str(tmp_path)) as service:
        assert _read(service, dataset_id) == dataset
