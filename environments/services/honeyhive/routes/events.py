"""Events: create, update, read, delete and export them."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING

from environments.services.honeyhive import events, filters, trees
from environments.services.honeyhive.calls import Call, Routes, answer, raw_answer
from environments.services.honeyhive.http_errors import bad_request, not_found
from environments.services.honeyhive.json_types import JsonObject, dump
from environments.services.honeyhive.store import rows_in_json

if TYPE_CHECKING:
    from starlette.responses import Response

    from environments.services.honeyhive.events import Event


def create(call: Call) -> Response:
    """Create one event."""
    event = events.created(events.unwrapped(call.object(), "event"), call.now_ns)
    call.store.put([event])
    return answer({"success": True, "event_id": event.event_id})


def create_batch(call: Call) -> Response:
    """Create several events, all or none."""
    sent = call.object()
    session_id = _shared_session_id(sent)
    new = [
        events.created({**each, "session_id": session_id} if session_id else each, call.now_ns)
        for each in events.objects(sent, "events")
    ]
    call.store.put([*_session_of_batch(sent, session_id, call.now_ns), *new])
    result: JsonObject = {"success": True, "event_ids": [event.event_id for event in new]}
    return answer({**result, "session_id": session_id} if session_id else result)


def _shared_session_id(sent: JsonObject) -> str | None:
    """Return the session that all events of a batch belong to, where it says that they share one."""
    if not (sent.get("is_single_session") or sent.get("single_session")):
        return None
    named = (each.get("session_id") for each in events.objects(sent, "events"))
    found = next((name for name in named if name), None) or str(uuid.uuid4())
    if not isinstance(found, str):
        raise bad_request("session_id must be text")
    return found


def _session_of_batch(sent: JsonObject, session_id: str | None, now_ns: int) -> list[Event]:
    name = "session_properties" if sent.get("session_properties") else "session"
    if session_id is None or sent.get(name) is None:
        return []
    return [events.session_started({**events.unwrapped(sent, name), "session_id": session_id}, now_ns)]


def update(call: Call) -> Response:
    """Lay new values over an event."""
    sent = call.object()
    event_id = events.event_id_of(sent)
    call.store.change(event_id, lambda event: events.updated(event, sent))
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
    sent = call.object()
    condition = filters.condition(sent.get("filters"), sent.get("dateRange"))
    project_fields = filters.projection(sent.get("projections"))
    found = call.store.find(condition, filters.page(sent.get("limit"), sent.get("page")))
    documents = found.documents
    if project_fields:
        documents = tuple(dump(project_fields(json.loads(document))) for document in documents)
    return raw_answer(f'{{"events":{rows_in_json(documents)},"totalEvents":{found.total}}}')


ROUTES: Routes = {
    ("POST", "/events"): create,
    ("PUT", "/events"): update,
    ("POST", "/events/batch"): create_batch,
    ("POST", "/v1/events/export"): export,
    ("GET", "/v1/events/{event_id}"): get,
    ("DELETE", "/v1/events/{event_id}"): delete,
}
