"""What the routes take and give that read their bodies themselves: for the OpenAPI document.

Sessions, events and spans come in several shapes, old and new, and the modules that read them say what is wrong; a
schema that names every shape would say it twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from environments.services.honeyhive.api import schemas
from environments.services.honeyhive.api.schemas import (
    BOOLEAN,
    FREE,
    ID,
    NUMBER,
    TEXT,
    given,
    listing,
    one_of,
    sent,
)
from environments.services.honeyhive.ingestion import otlp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from environments.services.honeyhive.api.operations import Parameter
    from environments.services.honeyhive.api.schemas import Schema


@dataclass(frozen=True, slots=True)
class Described:
    """What an operation takes and gives, and in which other encodings than JSON."""

    takes: Schema | None = None
    gives: Schema = field(default_factory=lambda: schemas.ANY)
    query: Mapping[str, Parameter] = field(default_factory=dict)
    status: int = 200
    others: tuple[str, ...] = ()


_BUCKETS = dict.fromkeys(("config", "outputs", "metadata", "metrics", "feedback", "user_properties"), FREE)
_TIMES = dict.fromkeys(("start_time", "end_time", "duration"), NUMBER)
_EVENT = {**_BUCKETS, **_TIMES, "session_id": TEXT, "parent_id": TEXT, "event_name": TEXT, "source": TEXT}
_TYPE = one_of("session", "model", "chain", "tool")
_NEW_EVENT = sent({"event_type": _TYPE, "inputs": FREE}, {**_EVENT, "event_id": TEXT, "error": TEXT})
_SESSION = sent({}, {**_EVENT, "session_name": TEXT, "inputs": FREE})
_FILTER = sent({"field": ID, "operator": ID, "type": one_of("string", "number", "boolean", "datetime")}, {"value": {}})
_DONE = given(success=BOOLEAN)

DESCRIBED: Mapping[tuple[str, str], Described] = {
    ("POST", "/session/start"): Described(
        sent({"session": _SESSION}, {}),
        given(event_id=ID, session_id=ID, org_id=TEXT, workspace_id=TEXT, project_id=TEXT),
    ),
    ("GET", "/v1/sessions/{session_id}"): Described(gives=given(event_id=ID, children=listing(FREE))),
    ("DELETE", "/v1/sessions/{session_id}"): Described(gives=given(success=BOOLEAN, deleted=ID)),
    ("POST", "/events"): Described(sent({"event": _NEW_EVENT}, {}), given(success=BOOLEAN, event_id=ID)),
    ("PUT", "/events"): Described(sent({"event_id": ID}, {**_BUCKETS, "end_time": NUMBER, "duration": NUMBER}), _DONE),
    ("POST", "/events/batch"): Described(
        sent({"events": listing(_NEW_EVENT)}, {"is_single_session": BOOLEAN, "session_properties": FREE}),
        given(success=BOOLEAN, event_ids=listing(ID)),
    ),
    ("POST", "/v1/events/export"): Described(
        sent(
            {},
            {
                "filters": listing(_FILTER),
                "dateRange": sent({}, {"$gte": TEXT, "$lte": TEXT}),
                "projections": listing(TEXT),
                "limit": {"type": "integer", "minimum": 1},
                "page": {"type": "integer", "minimum": 1},
                "project": TEXT,
            },
        ),
        given(events=listing(FREE), totalEvents=NUMBER),
    ),
    ("GET", "/v1/events/{event_id}"): Described(gives=given(event=FREE)),
    ("DELETE", "/v1/events/{event_id}"): Described(gives=given(success=BOOLEAN, deleted=ID)),
    ("POST", "/opentelemetry/v1/traces"): Described(
        sent({}, {"resourceSpans": listing(FREE)}), FREE, others=(otlp.PROTOBUF,)
    ),
}
