"""Sessions, events, datasets and datapoints: the data of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.surface import Entry

if TYPE_CHECKING:
    from tests.support.surface import Tried, World


# ---- Sessions and events -----------------------------------------------------------------------------


def _starts_a_session(world: World, call: Tried) -> None:
    session_id = call({"session": {"session_name": world.name, "source": "test"}}).session_id
    world.delete_afterwards(f"/v1/sessions/{session_id}")
    assert world.server.session(session_id)["event_name"] == world.name


def _event(session_id: str, name: str, **fields: object) -> dict[str, object]:
    return {"event_type": "tool", "event_name": name, "session_id": session_id, "inputs": {}, **fields}


def _stored_event(world: World, **fields: object) -> dict[str, Any]:
    session_id = world.made_session()
    world.server.post("/events", {"event": _event(session_id, "stored", **fields)})
    return world.server.event(session_id, "stored")


def _creates_an_event(world: World, call: Tried) -> None:
    from honeyhive.models import PostEventRequest

    session_id = world.made_session()
    event_id = call(PostEventRequest(event=_event(session_id, "one", outputs={"answer": 42}))).event_id
    stored = world.server.event(session_id, "one")
    assert (stored["event_id"], stored["outputs"]) == (event_id, {"answer": 42})


def _creates_events(world: World, call: Tried) -> None:
    from honeyhive.models import PostEventBatchRequest

    session_id = world.made_session()
    created = call(PostEventBatchRequest(events=[_event(session_id, name) for name in ("one", "two")]))
    assert created.event_ids == [world.server.event(session_id, name)["event_id"] for name in ("one", "two")]


def _updates_an_event(world: World, call: Tried) -> None:
    from honeyhive.models import UpdateEventRequest

    stored = _stored_event(world)
    call(UpdateEventRequest(event_id=stored["event_id"], feedback={"rating": 5}))
    assert world.server.event(stored["session_id"], "stored")["feedback"] == {"rating": 5}


def _named(session_id: str) -> list[dict[str, str]]:
    wanted = {"session_id": session_id, "event_name": "stored"}
    return [{"field": name, "operator": "is", "value": value, "type": "string"} for name, value in wanted.items()]


def _exports_events(world: World, call: Tried) -> None:
    stored = _stored_event(world)
    exported = call(filters=_named(stored["session_id"]), limit=10)
    assert [event.event_id for event in exported.events] == [stored["event_id"]]
    assert exported.total_events == 1


def _lists_events(world: World, call: Tried) -> None:
    stored = _stored_event(world)
    listed = call({"filters": _named(stored["session_id"]), "limit": 10})
    assert [event.event_id for event in listed.events] == [stored["event_id"]]


def _gets_a_sessions_events(world: World, call: Tried) -> None:
    stored = _stored_event(world)
    found = call(stored["session_id"])
    assert {event.event_id for event in found.events} == {stored["event_id"], stored["session_id"]}


# ---- Datasets and datapoints -------------------------------------------------------------------------


def _made_dataset(world: World, **fields: object) -> str:
    created = world.server.post("/v1/datasets", {"name": world.name, **fields})["result"]["insertedId"]
    world.delete_afterwards(f"/v1/datasets?dataset_id={created}")
    return str(created)


def _made_datapoint(world: World) -> str:
    [created] = world.server.post("/v1/datapoints", {"inputs": {"question": "why?"}})["result"]["insertedIds"]
    world.delete_afterwards(f"/v1/datapoints/{created}")
    return str(created)


def _dataset(world: World, dataset_id: str) -> dict[str, Any]:
    [found] = world.server.get("/v1/datasets", dataset_id=dataset_id)["datasets"]
    return dict(found)


def _datapoint(world: World, datapoint_id: str) -> dict[str, Any]:
    [found] = world.server.get(f"/v1/datapoints/{datapoint_id}")["datapoint"]
    return dict(found)


def _creates_a_dataset(world: World, call: Tried) -> None:
    from honeyhive.models import CreateDatasetRequest

    created = call(CreateDatasetRequest(name=world.name, description="new")).result.insertedId
    world.delete_afterwards(f"/v1/datasets?dataset_id={created}")
    stored = _dataset(world, created)
    assert (stored["name"], stored["description"]) == (world.name, "new")


def _lists_datasets(world: World, call: Tried) -> None:
    dataset_id = _made_dataset(world)
    assert [each.id for each in call(dataset_id=dataset_id).datasets] == [dataset_id]
    assert [each.id for each in call(name=world.name).datasets] == [dataset_id]


def _gets_a_dataset(world: World, call: Tried) -> None:
    dataset_id = _made_dataset(world)
    assert [(each.id, each.name) for each in call(dataset_id).datasets] == [(dataset_id, world.name)]


def _updates_a_dataset(world: World, call: Tried) -> None:
    from honeyhive.models import UpdateDatasetRequest

    dataset_id = _made_dataset(world)
    call(UpdateDatasetRequest(dataset_id=dataset_id, description="changed"))
    stored = _dataset(world, dataset_id)
    assert (stored["name"], stored["description"]) == (world.name, "changed")


def _deletes_a_dataset(world: World, call: Tried) -> None:
    dataset_id = world.server.post("/v1/datasets", {"name": world.name})["result"]["insertedId"]
    assert call(dataset_id).result.id == dataset_id
    assert world.server.get("/v1/datasets", dataset_id=dataset_id)["datasets"] == []


def _adds_datapoints(world: World, call: Tried) -> None:
    from honeyhive.models import AddDatapointsToDatasetRequest

    dataset_id = _made_dataset(world)
    row, mapping = {"question": "why?", "answer": "because"}, {"inputs": ["question"], "ground_truth": ["answer"]}
    [added] = call(dataset_id, AddDatapointsToDatasetRequest(data=[row], mapping=mapping)).datapoint_ids
    world.delete_afterwards(f"/v1/datapoints/{added}")
    stored = _datapoint(world, added)
    assert (stored["inputs"], stored["ground_truth"]) == ({"question": "why?"}, {"answer": "because"})
    assert _dataset(world, dataset_id)["datapoints"] == [added]


def _removes_a_datapoint(world: World, call: Tried) -> None:
    datapoint_id = _made_datapoint(world)
    dataset_id = _made_dataset(world, datapoints=[datapoint_id])
    assert call(dataset_id, datapoint_id).dereferenced is True
    assert _dataset(world, dataset_id)["datapoints"] == []
    assert _datapoint(world, datapoint_id)["id"] == datapoint_id


def _creates_a_datapoint(world: World, call: Tried) -> None:
    from honeyhive.models import CreateDatapointRequest

    dataset_id = _made_dataset(world)
    [created] = call(CreateDatapointRequest(inputs={"a": 1}, linked_datasets=[dataset_id])).result.insertedIds
    world.delete_afterwards(f"/v1/datapoints/{created}")
    stored = _datapoint(world, created)
    assert (stored["inputs"], stored["linked_datasets"]) == ({"a": 1}, [dataset_id])


def _lists_datapoints(world: World, call: Tried) -> None:
    datapoint_id = _made_datapoint(world)
    _made_dataset(world, datapoints=[datapoint_id])
    assert [each.id for each in call(datapoint_ids=[datapoint_id]).datapoints] == [datapoint_id]
    assert [each.id for each in call(dataset_name=world.name).datapoints] == [datapoint_id]


def _gets_a_datapoint(world: World, call: Tried) -> None:
    datapoint_id = _made_datapoint(world)
    assert [(each.id, each.inputs) for each in call(datapoint_id).datapoint] == [(datapoint_id, {"question": "why?"})]


def _updates_a_datapoint(world: World, call: Tried) -> None:
    from honeyhive.models import UpdateDatapointRequest

    datapoint_id = _made_datapoint(world)
    assert call(datapoint_id, UpdateDatapointRequest(inputs={"question": "how?"})).updated is True
    assert _datapoint(world, datapoint_id)["inputs"] == {"question": "how?"}


def _deletes_a_datapoint(world: World, call: Tried) -> None:
    [datapoint_id] = world.server.post("/v1/datapoints", {"inputs": {}})["result"]["insertedIds"]
    assert call(datapoint_id).deleted is True
    assert world.server.status(f"/v1/datapoints/{datapoint_id}") == 404


DATA = (
    Entry("sessions", "start start_async start_session create_session", _starts_a_session),
    Entry("events", "create create_async create_event", _creates_an_event),
    Entry("events", "create_batch create_batch_async", _creates_events),
    Entry("events", "update update_async update_event", _updates_an_event),
    Entry("events", "export export_async list_events list_events_async get_events get_events_async", _exports_events),
    Entry("events", "list list_async", _lists_events),
    Entry("events", "get_by_session_id get_by_session_id_async", _gets_a_sessions_events),
    Entry("datasets", "create create_async create_dataset", _creates_a_dataset),
    Entry("datasets", "list list_async list_datasets", _lists_datasets),
    Entry("datasets", "get_dataset", _gets_a_dataset),
    Entry("datasets", "update update_async update_dataset", _updates_a_dataset),
    Entry("datasets", "delete delete_async delete_dataset", _deletes_a_dataset),
    Entry("datasets", "add_datapoints add_datapoints_async", _adds_datapoints),
    Entry("datasets", "remove_datapoint remove_datapoint_async", _removes_a_datapoint),
    Entry("datapoints", "create create_async create_datapoint", _creates_a_datapoint),
    Entry("datapoints", "list list_async list_datapoints", _lists_datapoints),
    Entry("datapoints", "get get_async get_datapoint", _gets_a_datapoint),
    Entry("datapoints", "update update_async update_datapoint", _updates_a_datapoint),
    Entry("datapoints", "delete delete_async delete_datapoint", _deletes_a_datapoint),
)
