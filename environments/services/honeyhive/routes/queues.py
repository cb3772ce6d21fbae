"""Annotation queues: events that people are to look at. Known from the SDK's generated models alone.

Creating one answers 201, the only operation that does. Inferred: the ids of a queue's events stand in it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from environments.services.honeyhive.api.operations import Operation, Parameter, boolean
from environments.services.honeyhive.api.schemas import (
    BOOLEAN,
    ID,
    NUMBER,
    TEXT,
    either,
    given,
    listing,
    nullable,
    one_of,
    sent,
)
from environments.services.http.errors import bad_request
from environments.services.http.json_types import present

if TYPE_CHECKING:
    from collections.abc import Sequence

    from environments.services.honeyhive.api.calls import Call, Routes
    from environments.services.honeyhive.storage.documents import Document, Documents
    from environments.services.honeyhive.storage.keys import Project
    from environments.services.http.json_types import Json, JsonObject

KIND = "queue"
_FIELDS = ("name", "description", "filters", "enabled")
_NEW: JsonObject = {"description": "", "filters": {"filterArray": []}, "enabled": True, "is_active": True}


def create(call: Call, body: JsonObject) -> Json:
    """Create a queue."""
    new = {**_NEW, "event_ids": body.get("event_ids") or [], **present(body, _FIELDS)}
    queue = call.documents.add(KIND, new, call.now_ns)
    return {"queue": _written(call.project, queue), "message": f"queue {queue.id} is created"}


def find(call: Call, _body: JsonObject) -> Json:
    """List queues, the oldest first: all, or those that are enabled or not."""
    enabled = boolean(call, "enabled")
    wanted = (each for each in call.documents.all(KIND) if enabled is None or each.body["enabled"] is enabled)
    return {"queues": [_written(call.project, each) for each in wanted]}


def get(call: Call, _body: JsonObject) -> Json:
    """Return one queue."""
    return _written(call.project, call.documents.get(KIND, call.params["queue_id"]))


def update(call: Call, body: JsonObject) -> Json:
    """Change a queue: a field that is sent replaces the one it has, and events come and go."""
    queue_id = call.params["queue_id"]
    if body["id"] != queue_id:
        raise bad_request("id must be that of the queue in the path")

    def run(documents: Documents) -> Document:
        known = cast("Sequence[str]", documents.get(KIND, queue_id).body["event_ids"])
        added = cast("Sequence[str]", body.get("add_event_ids") or ())
        removed = frozenset(cast("Sequence[str]", body.get("remove_event_ids") or ()))
        event_ids = [each for each in dict.fromkeys((*known, *added)) if each not in removed]
        return documents.change(KIND, queue_id, {**present(body, _FIELDS), "event_ids": event_ids}, call.now_ns)

    queue = call.documents.write(run)
    return {"queue": _written(call.project, queue), "message": f"queue {queue_id} is updated"}


def delete(call: Call, _body: JsonObject) -> Json:
    """Delete a queue."""
    call.documents.delete(KIND, call.params["queue_id"])
    return {"message": f"queue {call.params['queue_id']} is deleted"}


def _written(project: Project, queue: Document) -> dict[str, Json]:
    return {**queue.told, "scope_id": project.id, "scope_type": "project"}


# The public API's operators, of all types together.
_OPERATOR = one_of(
    *("exists", "not exists", "is", "is not", "contains", "not contains"),
    *("greater than", "less than", "after", "before"),
)
_FILTER = sent(
    {
        "field": TEXT,
        "operator": _OPERATOR,
        "value": nullable(either(TEXT, NUMBER, BOOLEAN)),
        "type": one_of("string", "number", "boolean", "datetime"),
    },
    {},
)
_FILTERS = sent({"filterArray": listing(_FILTER)}, {})
_OPTIONAL = {"description": TEXT, "filters": _FILTERS, "enabled": BOOLEAN}
_QUEUE = given(
    id=ID,
    name=TEXT,
    description=TEXT,
    filters=_FILTERS,
    enabled=BOOLEAN,
    event_ids=listing(ID),
    scope_id=ID,
    scope_type=TEXT,
    is_active=BOOLEAN,
    created_at=TEXT,
    updated_at=nullable(TEXT),
)
_CHANGED = given(queue=_QUEUE, message=TEXT)

ROUTES: Routes = {
    ("GET", "/v1/queues"): Operation(find, given(queues=listing(_QUEUE)), query={"enabled": Parameter(BOOLEAN)}),
    ("POST", "/v1/queues"): Operation(
        create, _CHANGED, sent({"name": TEXT}, {**_OPTIONAL, "event_ids": listing(ID)}), status=201
    ),
    ("GET", "/v1/queues/{queue_id}"): Operation(get, _QUEUE),
    ("PUT", "/v1/queues/{queue_id}"): Operation(
        update,
        _CHANGED,
        sent({"id": ID}, {"name": TEXT, **_OPTIONAL, "add_event_ids": listing(ID), "remove_event_ids": listing(ID)}),
    ),
    ("DELETE", "/v1/queues/{queue_id}"): Operation(delete, given(message=TEXT)),
}
