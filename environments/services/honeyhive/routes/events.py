"""Events: create, update, read, delete, export and search them, and say which fields they have."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from typing import TYPE_CHECKING

from environments.services.honeyhive.api import queries
from environments.services.honeyhive.api.operations import Operation, Parameter, Written, whole
from environments.services.honeyhive.api.schemas import BOOLEAN, ID, TEXT, WHOLE, given, listing, sent
from environments.services.honeyhive.api.shapes import (
    BATCH,
    CHANGES,
    EVENT,
    EVENT_ID,
    FIELDS,
    FILTERS,
    FILTERS_PARAMETER,
    NEW_EVENT,
    NEW_MODEL_EVENT,
    PAGE,
    PAGE_PARAMETERS,
    PROJECTED,
    RANGE,
    RANGE_PARAMETER,
    as_text_too,
)
from environments.services.honeyhive.events import filters, trees
from environments.services.honeyhive.events.event import (
    created,
    objects,
    session_started,
    unwrapped,
    updated,
)
from environments.services.honeyhive.ingestion.model_events import as_event
from environments.services.honeyhive.storage.keys import SENDING
from environments.services.honeyhive.storage.store import Found, rows_in_json
from environments.services.http.errors import not_found
from environments.services.http.json_types import Json, JsonObject, dump

if TYPE_CHECKING:
    from environments.services.honeyhive.api.calls import Call, Routes
    from environments.services.honeyhive.events.event import Event
    from environments.services.honeyhive.events.filters import Condition


def create(call: Call, body: JsonObject) -> Json:
    """Create one event."""
    return _created(call, unwrapped(body, "event"))


def create_bare(call: Call, body: JsonObject) -> Json:
    """Create one event, which is the body itself."""
    return _created(call, body)


def create_model(call: Call, body: JsonObject) -> Json:
    """Create one model event."""
    return _created(call, as_event(unwrapped(body, "model_event")))


def _created(call: Call, sent: JsonObject) -> Json:
    event = created(sent, call.now_ns)
    call.store.put([event])
    return {"success": True, "event_id": event.event_id}


def create_batch(call: Call, body: JsonObject) -> Json:
    """Create several events, all or none."""
    session_id = _shared_session_id(body)
    new = [
        created({**each, "session_id": session_id} if session_id else each, call.now_ns)
        for each in objects(body, "events")
    ]
    call.store.put([*_session_of_batch(body, session_id, call.now_ns), *new])
    result: JsonObject = {"success": True, "event_ids": [event.event_id for event in new]}
    return {**result, "session_id": session_id} if session_id else result


def create_model_batch(call: Call, body: JsonObject) -> Json:
    """Create several model events, all or none."""
    return create_batch(call, {**body, "events": [as_event(each) for each in objects(body, "model_events")]})


def _shared_session_id(sent: JsonObject) -> str | None:
    """Return the session that all events of a batch belong to, where it says that they share one."""
    if not (sent.get("is_single_session") or sent.get("single_session")):
        return None
    named = (each.get("session_id") for each in objects(sent, "events"))
    return str(next((name for name in named if name), None) or uuid.uuid4())


def _session_of_batch(sent: JsonObject, session_id: str | None, now_ns: int) -> list[Event]:
    name = "session_properties" if sent.get("session_properties") else "session"
    if session_id is None or sent.get(name) is None:
        return []
    return [session_started({**unwrapped(sent, name), "session_id": session_id}, now_ns)]


def update(call: Call, body: JsonObject) -> Json:
    """Lay new values over an event."""
    return _updated(call, str(body["event_id"]), body)


def update_by_path(call: Call, body: JsonObject) -> Json:
    """Lay new values over the event that the path names."""
    return _updated(call, call.params["event_id"], body)


def _updated(call: Call, event_id: str, sent: JsonObject) -> Json:
    call.store.change(event_id, lambda event: updated(event, sent))
    return {"success": True, "event_id": event_id}


def get(call: Call, _body: JsonObject) -> Written:
    """Return one event, as the SDK reads it; for a session also its tree, as the public API documents this route."""
    event_id = call.params["event_id"]
    document = call.store.document(event_id)
    tree = trees.of_session(call.project, event_id, call.store)
    if document is None and tree is None:
        raise not_found(f"event {event_id!r}")
    if tree is None:
        return Written(f'{{"event":{document}}}')
    return Written(f'{tree[:-1]},"event":{document or tree}}}')


def delete(call: Call, _body: JsonObject) -> Json:
    """Delete one event. Deleting what is gone succeeds: the public API documents no 404 here."""
    event_id = call.params["event_id"]
    call.store.delete_event(event_id)
    return {"success": True, "deleted": event_id}


def export(call: Call, body: JsonObject) -> Written:
    """Return the events that match filters. A project named in the body changes nothing: the key names it."""
    return _exported(_found(call, body))


def search(call: Call, body: JsonObject) -> Written:
    """Do as export does; the answer has its number under another name."""
    found = _found(call, body)
    return Written(f'{_exported(found).text[:-1]},"count":{found.total}}}')


def query(call: Call, _body: JsonObject) -> Written:
    """Do as export does, asked by the URL."""
    asked = {
        "filters": queries.structured_list(call.query, "filters"),
        "dateRange": queries.structured(call.query, "dateRange"),
        "projections": queries.structured_list(call.query, "projections"),
        "limit": whole(call, "limit"),
        "page": whole(call, "page"),
        "evaluation_id": call.query.get("evaluation_id"),
    }
    return _exported(_found(call, asked))


def _exported(found: Found) -> Written:
    return Written(f'{{"events":{rows_in_json(found.documents)},"totalEvents":{found.total}}}')


def _found(call: Call, asked: JsonObject) -> Found:
    condition = _of_evaluation(
        filters.condition(asked.get("filters"), asked.get("dateRange")), asked.get("evaluation_id")
    )
    project_fields = filters.projection(asked.get("projections"))
    found = call.store.find(condition, filters.page(asked.get("limit"), asked.get("page")))
    if not project_fields:
        return found
    return Found(tuple(dump(project_fields(json.loads(document))) for document in found.documents), found.total)


def _of_evaluation(condition: Condition, run_id: Json) -> Condition:
    return condition if run_id is None else filters.both(condition, filters.of_run(str(run_id)))


def schema(call: Call, _body: JsonObject) -> Json:
    """Return which fields events have, by type of event, and which datasets they come from."""
    return schema_of(call, call.query.get("evaluation_id"))


def schema_of(call: Call, run_id: str | None, *, only_runs: bool = False) -> Json:
    """Return the schema of a run's events; without a run of all events, or of all that belong to some run."""
    condition = _of_evaluation(filters.condition(None, queries.structured(call.query, "dateRange")), run_id)
    if only_runs and run_id is None:
        condition = filters.both(condition, filters.of_any_run())
    fields = call.store.schema(condition)
    mappings: dict[str, list[JsonObject]] = defaultdict(list)
    for name, event_type in fields:
        mappings[name.partition(".")[2]].append({"field_name": name, "event_type": event_type})
    return {
        "fields": [{"name": name, "event_type": event_type} for name, event_type in fields],
        "datasets": call.store.datasets(condition),
        "mappings": mappings,
    }


_TEXTS = listing(TEXT)
_ASKED = {"filters": FILTERS, "dateRange": RANGE, "projections": _TEXTS, **PAGE, "project": TEXT, "evaluation_id": TEXT}
_BY_RUN = {"evaluation_id": Parameter(TEXT)}
_IN_QUERY = {**FILTERS_PARAMETER, **RANGE_PARAMETER, "projections": Parameter(_TEXTS), **PAGE_PARAMETERS, **_BY_RUN}
_EXPORTED = {"events": listing(PROJECTED), "totalEvents": WHOLE}
_ONE = given(success=BOOLEAN, event_id=ID)
_SEVERAL = given(success=BOOLEAN, event_ids=listing(ID))
_BATCH = Operation(create_batch, _SEVERAL, sent({"events": listing(NEW_EVENT)}, BATCH), keys=SENDING)

ROUTES: Routes = {
    ("GET", "/events"): Operation(query, given(**_EXPORTED), query=_IN_QUERY),
    ("POST", "/events"): Operation(create, _ONE, sent({"event": as_text_too(NEW_EVENT)}, {}), keys=SENDING),
    ("PUT", "/events"): Operation(update, _ONE, sent({"event_id": EVENT_ID}, CHANGES), keys=SENDING),
    ("POST", "/events/batch"): _BATCH,
    ("POST", "/events/model"): Operation(
        create_model, _ONE, sent({"model_event": as_text_too(NEW_MODEL_EVENT)}, {}), keys=SENDING
    ),
    ("POST", "/events/model/batch"): Operation(
        create_model_batch, _SEVERAL, sent({"model_events": listing(NEW_MODEL_EVENT)}, BATCH), keys=SENDING
    ),
    ("POST", "/v1/events"): Operation(create_bare, _ONE, NEW_EVENT, keys=SENDING),
    ("POST", "/v1/events/batch"): _BATCH,
    ("POST", "/v1/events/export"): Operation(export, given(**_EXPORTED), sent({}, _ASKED)),
    ("POST", "/v1/events/search"): Operation(search, given(**_EXPORTED, count=WHOLE), sent({}, _ASKED)),
    ("GET", "/v1/events/schema"): Operation(schema, FIELDS, query={**RANGE_PARAMETER, **_BY_RUN}),
    ("GET", "/v1/events/{event_id}"): Operation(get, given(event=EVENT)),
    ("PUT", "/v1/events/{event_id}"): Operation(update_by_path, _ONE, sent({}, CHANGES), keys=SENDING),
    ("DELETE", "/v1/events/{event_id}"): Operation(delete, given(success=BOOLEAN, deleted=ID)),
}
