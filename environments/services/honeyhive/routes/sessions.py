"""Sessions: start one, add events, read its tree, delete it with everything in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from environments.services.honeyhive.api.calls import Call, Routes, answer, raw_answer
from environments.services.honeyhive.events import trees
from environments.services.honeyhive.events.event import created, objects, session_started, started_again, unwrapped
from environments.services.http.errors import not_found

if TYPE_CHECKING:
    from starlette.responses import Response

    from environments.services.http.json_types import JsonObject


def start(call: Call) -> Response:
    """Start a session. One that exists, or that a span created, is started again: it stays one session."""
    return _started(call, unwrapped(call.object(), "session"))


def start_bare(call: Call) -> Response:
    """Start a session, which is the body itself."""
    return _started(call, call.object())


def _started(call: Call, sent: JsonObject) -> Response:
    new = session_started(sent, call.now_ns)
    event = call.store.change(new.event_id, lambda known: started_again(known, sent, call.now_ns), absent=new)
    return answer(event.document(call.project))


def add_events(call: Call) -> Response:
    """Add events to a session, all or none. Releases before 1.1 send them as `logs`; null stands for no event."""
    sent = call.object()
    name = "events" if sent.get("events") is not None else "logs"
    given = sent.get(name)
    if isinstance(given, list):
        sent = {**sent, name: [each for each in given if each is not None]}
    session_id = call.params["session_id"]
    call.store.put([created({**each, "session_id": session_id}, call.now_ns) for each in objects(sent, name)])
    return answer({"success": True})


def get(call: Call) -> Response:
    """Return a session as the tree of its events."""
    tree = trees.of_session(call.project, call.params["session_id"], call.store)
    if tree is None:
        raise not_found(f"session {call.params['session_id']!r}")
    return raw_answer(tree)


def delete(call: Call) -> Response:
    """Delete a session and its events. Deleting what is gone succeeds: the public API documents no 404 here."""
    session_id = call.params["session_id"]
    deleted = call.store.delete_session(session_id)
    return answer({"success": True, "deleted": session_id, "events_deleted": deleted})


ROUTES: Routes = {
    ("POST", "/session/start"): start,
    ("POST", "/session/{session_id}/traces"): add_events,
    ("POST", "/v1/sessions"): start_bare,
    ("POST", "/v1/sessions/{session_id}/events/batch"): add_events,
    ("GET", "/v1/sessions/{session_id}"): get,
    ("DELETE", "/v1/sessions/{session_id}"): delete,
}
