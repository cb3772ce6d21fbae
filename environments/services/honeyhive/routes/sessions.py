"""Sessions: start one, add events, read its tree, delete it with everything in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from environments.services.honeyhive.api.operations import Operation, Written
from environments.services.honeyhive.api.schemas import BOOLEAN, ID, WHOLE, either, given, listing, nullable, sent
from environments.services.honeyhive.api.shapes import EVENT, NEW_EVENT, NEW_SESSION, TREE, as_text_too
from environments.services.honeyhive.events import trees
from environments.services.honeyhive.events.event import created, session_started, started_again, unwrapped
from environments.services.honeyhive.storage.keys import SENDING
from environments.services.http.errors import not_found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from environments.services.honeyhive.api.calls import Call, Routes
    from environments.services.http.json_types import Json, JsonObject


def start(call: Call, body: JsonObject) -> Json:
    """Start a session. One that exists, or that a span created, is started again: it stays one session."""
    return start_bare(call, unwrapped(body, "session"))


def start_bare(call: Call, body: JsonObject) -> Json:
    """Start a session, which is the body itself."""
    new = session_started(body, call.now_ns)
    event = call.store.change(new.event_id, lambda known: started_again(known, body, call.now_ns), absent=new)
    return event.document(call.project)


def add_events(call: Call, body: JsonObject) -> Json:
    """Add events to a session, all or none. Releases before 1.1 send them as `logs`; null stands for no event."""
    sent = cast("Sequence[JsonObject | None]", body["logs"] if body.get("events") is None else body["events"])
    own: JsonObject = {"session_id": call.params["session_id"]}
    call.store.put([created({**each, **own}, call.now_ns) for each in sent if each is not None])
    return {"success": True}


def get(call: Call, _body: JsonObject) -> Written:
    """Return a session as the tree of its events."""
    tree = trees.of_session(call.project, call.params["session_id"], call.store)
    if tree is None:
        raise not_found(f"session {call.params['session_id']!r}")
    return Written(tree)


def delete(call: Call, _body: JsonObject) -> Json:
    """Delete a session and its events. Deleting what is gone succeeds: the public API documents no 404 here."""
    session_id = call.params["session_id"]
    deleted = call.store.delete_session(session_id)
    return {"success": True, "deleted": session_id, "events_deleted": deleted}


_EVENTS = listing(nullable(NEW_EVENT))
_ADD_EVENTS = Operation(
    add_events,
    given(success=BOOLEAN),
    either(sent({"events": _EVENTS}, {"logs": _EVENTS}), sent({"logs": _EVENTS}, {"events": _EVENTS})),
    keys=SENDING,
)

ROUTES: Routes = {
    ("POST", "/session/start"): Operation(start, EVENT, sent({"session": as_text_too(NEW_SESSION)}, {}), keys=SENDING),
    ("POST", "/session/{session_id}/traces"): _ADD_EVENTS,
    ("POST", "/v1/sessions"): Operation(start_bare, EVENT, NEW_SESSION, keys=SENDING),
    ("POST", "/v1/sessions/{session_id}/events/batch"): _ADD_EVENTS,
    ("GET", "/v1/sessions/{session_id}"): Operation(get, TREE),
    ("DELETE", "/v1/sessions/{session_id}"): Operation(
        delete, given(success=BOOLEAN, deleted=ID, events_deleted=WHOLE)
    ),
}
