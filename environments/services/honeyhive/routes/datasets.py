"""Datasets: named lists of datapoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from environments.services.honeyhive.api.operations import Operation, Parameter
from environments.services.honeyhive.api.schemas import (
    BOOLEAN,
    FREE,
    ID,
    NAME,
    TEXT,
    given,
    listing,
    nullable,
    sent,
)
from environments.services.honeyhive.routes import datapoints
from environments.services.http.errors import not_found
from environments.services.http.json_types import present

if TYPE_CHECKING:
    from collections.abc import Sequence

    from environments.services.honeyhive.api.calls import Call, Routes
    from environments.services.honeyhive.storage.documents import Document, Documents
    from environments.services.http.json_types import Json, JsonObject

KIND = "dataset"
_UNTITLED = "Untitled Dataset"  # the public API's default
_FIELDS = ("name", "description")


def create(call: Call, body: JsonObject) -> Json:
    """Create a dataset, with datapoints that exist."""

    def run(documents: Documents) -> str:
        new = {"name": _UNTITLED, "description": None, **present(body, _FIELDS)}
        dataset = documents.add(KIND, new, call.now_ns)
        _put(documents, dataset.id, cast("Sequence[str]", body.get("datapoints") or ()))
        return dataset.id

    return {"inserted": True, "result": {"insertedId": call.documents.write(run)}}


def find(call: Call, _body: JsonObject) -> Json:
    """List datasets, the oldest first: all, the one with an id, or those with a name."""
    dataset_id, name = call.incoming.query.get("dataset_id"), call.incoming.query.get("name")
    with call.documents.reading() as documents:
        found = documents.all(KIND, name=name) if dataset_id is None else documents.among(KIND, [dataset_id])
        return {"datasets": [_written(documents, each) for each in found if name is None or each.body["name"] == name]}


def update(call: Call, body: JsonObject) -> Json:
    """Change a dataset that the body names; a list of datapoints replaces the one it has."""
    return _updated(call, str(body["dataset_id"]), body)


def update_by_path(call: Call, body: JsonObject) -> Json:
    """Change a dataset that the path names; a list of datapoints replaces the one it has."""
    return _updated(call, call.params["dataset_id"], body)


def delete(call: Call, _body: JsonObject) -> Json:
    """Delete a dataset that a parameter names. Its datapoints stay."""
    return _deleted(call, call.incoming.query["dataset_id"])


def delete_by_path(call: Call, _body: JsonObject) -> Json:
    """Delete a dataset that the path names. Its datapoints stay."""
    return _deleted(call, call.params["dataset_id"])


def add_datapoints(call: Call, body: JsonObject) -> Json:
    """Make datapoints of rows, as a mapping says, and put them into a dataset; all or none."""
    dataset_id = call.params["dataset_id"]
    mapping = cast("JsonObject", body["mapping"])
    new = [datapoints.mapped(row, mapping) for row in cast("Sequence[JsonObject]", body["data"])]

    def run(documents: Documents) -> list[Json]:
        documents.get(KIND, dataset_id)
        added = [documents.add(datapoints.KIND, each, call.now_ns) for each in new]
        for each in added:
            documents.link(dataset_id, each.id)
        return [each.id for each in added]

    return {"inserted": True, "datapoint_ids": call.documents.write(run)}


def remove_datapoint(call: Call, _body: JsonObject) -> Json:
    """Take a datapoint out of a dataset. It stays a datapoint."""
    dataset_id, datapoint_id = call.params["dataset_id"], call.params["datapoint_id"]

    def run(documents: Documents) -> None:
        documents.get(KIND, dataset_id)
        if not documents.unlink(dataset_id=dataset_id, datapoint_id=datapoint_id):
            raise not_found(f"datapoint {datapoint_id!r} in dataset {dataset_id!r}")

    call.documents.write(run)
    return {"dereferenced": True, "message": f"datapoint {datapoint_id} is no longer in dataset {dataset_id}"}


def _updated(call: Call, dataset_id: str, body: JsonObject) -> Json:
    def run(documents: Documents) -> Json:
        dataset = documents.change(KIND, dataset_id, present(body, _FIELDS), call.now_ns)
        if body.get("datapoints") is not None:
            documents.unlink(dataset_id=dataset_id)
            _put(documents, dataset_id, cast("Sequence[str]", body["datapoints"]))
        return _written(documents, dataset)

    return {"result": call.documents.write(run)}


def _deleted(call: Call, dataset_id: str) -> Json:
    call.documents.delete(KIND, dataset_id)
    return {"result": {"id": dataset_id}}


def _put(documents: Documents, dataset_id: str, datapoint_ids: Sequence[str]) -> None:
    documents.check_known(datapoints.KIND, datapoint_ids, "datapoints")
    for datapoint_id in datapoint_ids:
        documents.link(dataset_id, datapoint_id)


def _written(documents: Documents, dataset: Document) -> dict[str, Json]:
    return {**dataset.told_as_changed, "datapoints": documents.linked_to(dataset.id)}


_DATASET = given(
    id=ID,
    name=NAME,
    description=nullable(TEXT),
    datapoints=listing(ID),
    created_at=TEXT,
    updated_at=TEXT,
)
_CHANGES = {"name": NAME, "description": TEXT, "datapoints": listing(ID)}
_UPDATED = given(result=_DATASET)
_DELETED = given(result=given(id=ID))
_BY_ID = {"dataset_id": Parameter(ID, required=True)}
_FILTERS = {
    "dataset_id": Parameter(ID),
    "name": Parameter(NAME),
    "include_datapoints": Parameter(BOOLEAN),  # what it changes is not documented: the ids are always there
}
_REMOVE = Operation(remove_datapoint, given(dereferenced=BOOLEAN, message=TEXT))

ROUTES: Routes = {
    ("GET", "/v1/datasets"): Operation(find, given(datasets=listing(_DATASET)), query=_FILTERS),
    ("POST", "/v1/datasets"): Operation(
        create, given(inserted=BOOLEAN, result=given(insertedId=ID)), sent({}, _CHANGES)
    ),
    ("PUT", "/v1/datasets"): Operation(update, _UPDATED, sent({"dataset_id": ID}, _CHANGES)),
    ("DELETE", "/v1/datasets"): Operation(delete, _DELETED, query=_BY_ID),
    ("PUT", "/v1/datasets/{dataset_id}"): Operation(update_by_path, _UPDATED, sent({}, _CHANGES)),
    ("DELETE", "/v1/datasets/{dataset_id}"): Operation(delete_by_path, _DELETED),
    ("POST", "/v1/datasets/{dataset_id}/datapoints"): Operation(
        add_datapoints,
        given(inserted=BOOLEAN, datapoint_ids=listing(ID)),
        sent({"data": listing(FREE, at_least=1), "mapping": datapoints.MAPPING}, {}),
    ),
    ("DELETE", "/v1/datasets/{dataset_id}/datapoints/{datapoint_id}"): _REMOVE,
    # The path that the SDK's releases call.
    ("DELETE", "/v1/datasets/{dataset_id}/{datapoint_id}"): _REMOVE,
}
