"""Datapoints: what a function is given, and what it should give back.

Inferred rather than known: which fields of an event a batch takes where no mapping says it, and that a mapped history
may be one message as well as a list of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from environments.services.honeyhive.api.operations import Operation, Parameter, texts
from environments.services.honeyhive.api.schemas import (
    BOOLEAN,
    FREE,
    ID,
    NAME,
    NUMBER,
    TEXT,
    either,
    given,
    listing,
    nullable,
    sent,
)
from environments.services.honeyhive.events import filters
from environments.services.http.errors import bad_request, not_found
from environments.services.http.json_types import present

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from environments.services.honeyhive.api.calls import Call, Routes
    from environments.services.honeyhive.storage.documents import Document, Documents
    from environments.services.http.json_types import Json, JsonObject

KIND = "datapoint"
_DATASET = "dataset"
_CHAT_HISTORY = "chat_history"
_FIELDS = ("inputs", "history", "ground_truth", "metadata", "linked_event")
_NEW: JsonObject = {"inputs": {}, "history": [], "ground_truth": {}, "metadata": {}, "linked_event": None}


def create(call: Call, body: JsonObject) -> Json:
    """Create a datapoint, in datasets that exist."""

    def run(documents: Documents) -> str:
        datapoint = documents.add(KIND, {**_NEW, **present(body, _FIELDS)}, call.now_ns)
        _put(documents, datapoint.id, cast("Sequence[str]", body.get("linked_datasets") or ()))
        return datapoint.id

    return {"inserted": True, "result": {"insertedIds": [call.documents.write(run)]}}


def create_batch(call: Call, body: JsonObject) -> Json:
    """Make datapoints of events, linked to them, and put them into a dataset; all or none."""
    new = [_of_event(event, cast("JsonObject | None", body.get("mapping"))) for event in _chosen(call, body)]
    dataset_id = body.get("dataset_id")

    def run(documents: Documents) -> list[Json]:
        added = [documents.add(KIND, each, call.now_ns) for each in new]
        if dataset_id is not None:
            documents.get(_DATASET, str(dataset_id))
            for each in added:
                documents.link(str(dataset_id), each.id)
        return [each.id for each in added]

    return {"inserted": True, "insertedIds": call.documents.write(run)}


def find(call: Call, _body: JsonObject) -> Json:
    """List datapoints: all, those with these ids, or those in the datasets of a name; the oldest first."""
    ids, dataset_name = texts(call, "datapoint_ids"), call.incoming.query.get("dataset_name")
    with call.documents.reading() as documents:
        if dataset_name is not None:
            inside = [
                str(datapoint_id)
                for dataset in documents.all(_DATASET, name=dataset_name)
                for datapoint_id in documents.linked_to(dataset.id)
            ]
            ids = inside if ids is None else [each for each in ids if each in set(inside)]
        found = documents.all(KIND) if ids is None else documents.among(KIND, ids)
        return {"datapoints": [_written(documents, each) for each in found]}


def get(call: Call, _body: JsonObject) -> Json:
    """Return one datapoint, as a list of one."""
    with call.documents.reading() as documents:
        return {"datapoint": [_written(documents, documents.get(KIND, call.params["datapoint_id"]))]}


def update(call: Call, body: JsonObject) -> Json:
    """Change a datapoint: a field that is sent replaces the one it has, linked datasets too."""
    datapoint_id = call.params["datapoint_id"]

    def run(documents: Documents) -> None:
        documents.change(KIND, datapoint_id, present(body, _FIELDS), call.now_ns)
        if body.get("linked_datasets") is not None:
            documents.unlink(datapoint_id=datapoint_id)
            _put(documents, datapoint_id, cast("Sequence[str]", body["linked_datasets"]))

    call.documents.write(run)
    return {"updated": True, "result": {"modifiedCount": 1}}


def delete(call: Call, _body: JsonObject) -> Json:
    """Delete a datapoint, out of every dataset too."""
    call.documents.delete(KIND, call.params["datapoint_id"])
    return {"deleted": True}


def mapped(row: JsonObject, mapping: JsonObject) -> JsonObject:
    """Make a datapoint of a row: what the mapping names goes where it says, and the rest into the metadata."""
    named = {place: cast("Sequence[str]", mapping.get(place) or ()) for place in ("inputs", "history", "ground_truth")}
    taken = {name for names in named.values() for name in names}
    return {
        **_NEW,
        "inputs": present(row, named["inputs"]),
        "ground_truth": present(row, named["ground_truth"]),
        "history": [message for name in named["history"] for message in _messages(row.get(name), name)],
        "metadata": {name: value for name, value in row.items() if name not in taken},
    }


def _messages(value: Json, name: str) -> Sequence[Json]:
    if value is None:
        return []
    messages: Sequence[Json] = value if isinstance(value, list) else [value]
    if not all(isinstance(message, dict) for message in messages):
        raise bad_request(f"{name} is mapped to history, so it must be a message or a list of messages")
    return messages


def _put(documents: Documents, datapoint_id: str, dataset_ids: Sequence[str]) -> None:
    documents.check_known(_DATASET, dataset_ids, "linked_datasets")
    for dataset_id in dataset_ids:
        documents.link(dataset_id, datapoint_id)


def _written(documents: Documents, datapoint: Document) -> dict[str, Json]:
    return {**datapoint.told_as_changed, "linked_datasets": documents.linking(datapoint.id)}


# ---- From events -------------------------------------------------------------------------------------


def _chosen(call: Call, body: JsonObject) -> Iterator[JsonObject]:
    """Find the events of a batch: those that are named or checked, or all that match without those unchecked."""
    checked = cast("Mapping[str, bool]", body.get("checkState") or {})
    if body.get("selectAll"):
        yield from (event for event in _matching(call, body) if checked.get(str(event["event_id"]), True))
        return
    named = [*cast("Sequence[str]", body.get("events") or ()), *(name for name, wanted in checked.items() if wanted)]
    if not named:
        raise bad_request("name events in events or checkState, or set selectAll")
    for event_id in dict.fromkeys(named):
        document = call.store.document(event_id)
        if document is None:
            raise not_found(f"event {event_id!r}")
        yield json.loads(document)


def _matching(call: Call, body: JsonObject) -> Iterator[JsonObject]:
    wanted = body.get("filters") or []
    # The SDK's models write a range without the `$` that they read.
    date_range = body.get("dateRange")
    if isinstance(date_range, dict):
        date_range = {f"${name.lstrip('$')}": value for name, value in date_range.items()}
    condition = filters.condition([wanted] if isinstance(wanted, dict) else wanted, date_range)
    number, total = 1, 1
    while (number - 1) * filters.MAX_LIMIT < total:
        found = call.store.find(condition, filters.page(filters.MAX_LIMIT, number))
        yield from (json.loads(document) for document in found.documents)
        number, total = number + 1, found.total


def _of_event(event: JsonObject, mapping: JsonObject | None) -> JsonObject:
    linked: JsonObject = {"linked_event": event["event_id"]}
    if mapping:
        flat = {name: _at(event, name) for names in mapping.values() for name in cast("Sequence[str]", names or ())}
        row = {name: value for name, value in flat.items() if value is not None}
        return {**_renamed(mapped(row, mapping)), "metadata": {}, **linked}
    inputs = dict(cast("JsonObject", event["inputs"]))
    history = inputs.pop(_CHAT_HISTORY, None)
    truth = cast("JsonObject", event["feedback"]).get("ground_truth")
    return {
        **_NEW,
        "inputs": inputs,
        "history": _messages(history, _CHAT_HISTORY) if isinstance(history, list) else [],
        "ground_truth": truth if isinstance(truth, dict) else event["outputs"],
        **linked,
    }


def _at(event: JsonObject, path: str) -> Json:
    value: Json = event
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _renamed(datapoint: JsonObject) -> dict[str, Json]:
    """Name what was taken from `inputs.question` plainly `question`."""
    renamed = {
        place: {name.rpartition(".")[2]: value for name, value in cast("JsonObject", datapoint[place]).items()}
        for place in ("inputs", "ground_truth")
    }
    return {**datapoint, **renamed}


MAPPING = sent({}, {"inputs": listing(TEXT), "history": listing(TEXT), "ground_truth": listing(TEXT)})
_DATAPOINT = given(
    id=ID,
    inputs=FREE,
    history=listing(FREE),
    ground_truth=nullable(FREE),
    metadata=nullable(FREE),
    linked_event=nullable(TEXT),
    created_at=TEXT,
    updated_at=TEXT,
    linked_datasets=listing(ID),
)
_BODY = sent(
    {},
    {
        "inputs": FREE,
        "history": listing(FREE),
        "ground_truth": FREE,
        "metadata": FREE,
        "linked_event": TEXT,
        "linked_datasets": listing(ID),
    },
)
_BATCH = sent(
    {},
    {
        "events": listing(ID),
        "mapping": MAPPING,
        "filters": either(FREE, listing(FREE)),
        "dateRange": sent({}, {"$gte": TEXT, "$lte": TEXT, "gte": TEXT, "lte": TEXT}),
        "checkState": {"type": "object", "additionalProperties": BOOLEAN},
        "selectAll": BOOLEAN,
        "dataset_id": ID,
    },
)

ROUTES: Routes = {
    ("GET", "/v1/datapoints"): Operation(
        find,
        given(datapoints=listing(_DATAPOINT)),
        query={"datapoint_ids": Parameter(listing(ID)), "dataset_name": Parameter(NAME)},
    ),
    ("POST", "/v1/datapoints"): Operation(
        create, given(inserted=BOOLEAN, result=given(insertedIds=listing(ID))), _BODY
    ),
    ("POST", "/v1/datapoints/batch"): Operation(create_batch, given(inserted=BOOLEAN, insertedIds=listing(ID)), _BATCH),
    ("GET", "/v1/datapoints/{datapoint_id}"): Operation(get, given(datapoint=listing(_DATAPOINT))),
    ("PUT", "/v1/datapoints/{datapoint_id}"): Operation(
        update, given(updated=BOOLEAN, result=given(modifiedCount=NUMBER)), _BODY
    ),
    ("DELETE", "/v1/datapoints/{datapoint_id}"): Operation(delete, given(deleted=BOOLEAN)),
}
