"""Events: create, update, read, delete, export and search them, and say which fields they have."""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from typing import TYPE_CHECKING

from environments.services.honeyhive.api import queries
from environments.services.honeyhive.api.calls import Call, Routes, answer, raw_answer
from environments.services.honeyhive.events import filters, trees
from environments.services.honeyhive.events.event import (
    created,
    event_id_of,
    objects,
    session_started,
    unwrapped,
    updated,
)
from environments.services.honeyhive.ingestion.model_events import as_event
from environments.services.honeyhive.storage.store import Found, rows_in_json
from environments.services.http.errors import bad_request, not_found
from environments.services.http.json_types import Json, JsonObject, dump

if TYPE_CHECKING:
    from starlette.responses import Response

    from environments.services.honeyhive.events.event import Event
    from environments.services.honeyhive.events.filters import Condition


def create(call: Call) -> Response:
    """Create one event."""
    event = created(unwrapped(call.object(), "event"), call.now_ns)
    call.store.put([event])
    return answer({"success": True, "event_id": event.event_id})


def create_bare(call: Call) -> Response:
    """Create one event, which is the body itself."""
    event = created(call.object(), call.now_ns)
    call.store.put([event])
    return answer({"success": True, "event_id": event.event_id})


def create_model(call: Call) -> Response:
    """Create one model event."""
    event = created(as_event(unwrapped(call.object(), "model_event")), call.now_ns)
    call.store.put([event])
    return answer({"success": True, "event_id": event.event_id})


def create_batch(call: Call) -> Response:
    """Create several events, all or none."""
    return _create_all(call, call.object(), "events")


def create_model_batch(call: Call) -> Response:
    """Create several model events, all or none."""
    sent = call.object()
    rewritten = [as_event(each) for each in objects(sent, "model_events")]
    return _create_all(call, {**sent, "events": rewritten}, "events")


def _create_all(call: Call, sent: JsonObject, name: str) -> Response:
    session_id = _shared_session_id(sent)
    new = [
        created({**each, "session_id": session_id} if session_id else each, call.now_ns) for each in objects(sent, name)
    ]
    call.store.put([*_session_of_batch(sent, session_id, call.now_ns), *new])
    result: JsonObject = {"success": True, "event_ids": [event.event_id for event in new]}
    return answer({**result, "session_id": session_id} if session_id else result)


def _shared_session_id(sent: JsonObject) -> str | None:
    """Return the session that all events of a batch belong to, where it says that they share one."""
    if not (sent.get("is_single_session") or sent.get("single_session")):
        return None
    named = (each.get("session_id") for each in objects(sent, "events"))
    found = next((name for name in named if name), None) or str(uuid.uuid4())
    if not isinstance(found, str):
        raise bad_request("session_id must be text")
    return found


def _session_of_batch(sent: JsonObject, session_id: str | None, now_ns: int) -> list[Event]:
    name = "session_properties" if sent.get("session_properties") else "session"
    if session_id is None or sent.get(name) is None:
        return []
    return [session_started({**unwrapped(sent, name), "session_id": session_id}, now_ns)]


def update(call: Call) -> Response:
    """Lay new values over an event."""
    sent = call.object()
    return _updated(call, event_id_of(sent), sent)


def update_by_path(call: Call) -> Response:
    """Lay new values over the event that the path names."""
    return _updated(call, call.params["event_id"], call.object())


def _updated(call: Call, event_id: str, sent: JsonObject) -> Response:
    call.store.change(event_id, lambda event: updated(event, sent))
    return answer({"success": True, "event_id": event_id})


def get(call: Call) -> Response:
    """Return one event, as the SDK reads it; for a session also its tree, as the public API documents this route."""
    event_id = call.params["event_id"]
    document = call.store.document(event_id)
    tree = trees.of_session(call.project, event_id, call.store)
    if document is None and tree is None:
        raise not_found(f"event {event_id!r}")
    if tree is None:
        return raw_answer(f'{{"event":{document}}}')
    return raw_answer(f'{tree[:-1]},"event":{document or tree}}}')


def delete(call: Call) -> Response:
    """Delete one event. Deleting what is gone succeeds: the public API documents no 404 here."""
    event_id = call.params["event_id"]
    call.store.delete_event(event_id)
    return answer({"success": True, "deleted": event_id})


def export(call: Call) -> Response:
    """Return the events that match filters. A project named in the body changes nothing: the key names it."""
    found = _found(call, call.object())
    return raw_answer(f'{{"events":{rows_in_json(found.documents)},"totalEvents":{found.total}}}')


def search(call: Call) -> Response:
    """Do as export does; the answer has its number under another name."""
    found = _found(call, call.object())
    numbers = f'"count":{found.total},"totalEvents":{found.total}'
    return raw_answer(f'{{"events":{rows_in_json(found.documents)},{numbers}}}')


def query(call: Call) -> Response:
    """Do as export does, asked by the URL."""
    asked = {
        "filters": queries.structured_list(call.query, "filters"),
        "dateRange": queries.structured(call.query, "dateRange"),
        "projections": queries.structured_list(call.query, "projections"),
        "limit": queries.whole(call.query, "limit"),
        "page": queries.whole(call.query, "page"),
        "evaluation_id": call.query.get("evaluation_id"),
    }
    found = _found(call, asked)
    return raw_answer(f'{{"events":{rows_in_json(found.documents)},"totalEvents":{found.total}}}')


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
    if run_id is None:
        return condition
    if not isinstance(run_id, str):
        raise bad_request("evaluation_id must be text")
    return filters.both(condition, filters.of_run(run_id))


def schema(call: Call) -> Response:
    """Return which fields events have, by type of event, and which datasets they come from."""
    return schema_of(call, call.query.get("evaluation_id"))


def schema_of(call: Call, run_id: str | None, *, only_runs: bool = False) -> Response:
    """Return the schema of a run's events; without a run of all events, or of all that belong to some run."""
    condition = _of_evaluation(filters.condition(None, queries.structured(call.query, "dateRange")), run_id)
    if only_runs and run_id is None:
        condition = filters.both(condition, filters.of_any_run())
    fields = call.store.schema(condition)
    mappings: dict[str, list[JsonObject]] = defaultdict(list)
    for name, event_type in fields:
        mappings[name.partition(".")[2]].append({"field_name": name, "event_type": event_type})
    return answer(
        {
            "fields": [{"name": name, "event_type": event_type} for name, event_type in fields],
            "datasets": call.store.datasets(condition),
            "mappings": mappings,
        }
    )


ROUTES: Routes = {
    ("GET", "/events"): query,
    ("POST", "/events"): create,
    ("PUT", "/events"): update,
    ("POST", "/events/batch"): create_batch,
    ("POST", "/events/model"): create_model,
    ("POST", "/events/model/batch"): create_model_batch,
    ("POST", "/v1/events"): create_bare,
    ("POST", "/v1/events/batch"): create_batch,
    ("POST", "/v1/events/export"): export,
    ("POST", "/v1/events/search"): search,
    ("GET", "/v1/events/schema"): schema,
    ("GET", "/v1/events/{event_id}"): get,
    ("PUT", "/v1/events/{event_id}"): update_by_path,
    ("DELETE", "/v1/events/{event_id}"): delete,
}
