"""Shapes that several resources take or give: events, sessions, filters, date ranges, runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from environments.services.honeyhive.api.operations import Parameter
from environments.services.honeyhive.api.schemas import (
    BOOLEAN,
    COUNT,
    FREE,
    ID,
    NUMBER,
    TEXT,
    WHOLE,
    either,
    given,
    listing,
    mapping,
    nullable,
    one_of,
    partly,
    sent,
)
from environments.services.honeyhive.events import filters
from environments.services.honeyhive.events.event import BUCKETS, EVENT_TYPES, MAX_ID, MAX_MS, UPDATABLE_BUCKETS
from environments.services.honeyhive.storage.runs import STATUSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from environments.services.honeyhive.api.schemas import Schema

EVENT_ID: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_ID}
# An empty id is none.
ID_OR_NONE: Schema = {"type": "string", "maxLength": MAX_ID}


def as_text_too(schema: Schema) -> Schema:
    """Describe an object that may come as JSON text, as the public API documents it."""
    return either(schema, {"type": "string", "contentMediaType": "application/json"})


def _without(schemas: Mapping[str, Schema], *names: str) -> Mapping[str, Schema]:
    return {name: schema for name, schema in schemas.items() if name not in names}


# ---- Events that clients send ------------------------------------------------------------------------

_MILLISECONDS: Schema = {"type": "number", "minimum": 0, "maximum": MAX_MS}
_ENDED = {"end_time": _MILLISECONDS, "duration": _MILLISECONDS, "children_ids": listing(TEXT)}
_OPTIONAL = {
    **dict.fromkeys(("event_id", "session_id", "parent_id"), ID_OR_NONE),
    **dict.fromkeys(("event_name", "source", "error"), TEXT),
    **dict.fromkeys(BUCKETS, FREE),
    "start_time": _MILLISECONDS,
    **_ENDED,
}
EVENT_TYPE = one_of(*sorted(EVENT_TYPES))
NEW_EVENT = sent({"event_type": EVENT_TYPE, "inputs": FREE}, _without(_OPTIONAL, "inputs"))
# The other keys of a model event are read for what they are worth.
NEW_MODEL_EVENT = sent({}, {"event_type": EVENT_TYPE, "model": TEXT, "model_name": TEXT, **_OPTIONAL})
NEW_SESSION = sent({}, {"session_name": TEXT, **_without(_OPTIONAL, "event_id", "parent_id")})
CHANGES = {**dict.fromkeys(UPDATABLE_BUCKETS, FREE), **_ENDED}
BATCH = {
    **dict.fromkeys(("is_single_session", "single_session"), BOOLEAN),
    **dict.fromkeys(("session_properties", "session"), as_text_too(NEW_SESSION)),
}

# ---- Events that clients get -------------------------------------------------------------------------

_EVENT = {
    **dict.fromkeys(("event_id", "session_id", "project_id", "org_id", "workspace_id"), ID),
    **dict.fromkeys(("event_name", "source", "project"), TEXT),
    **dict.fromkeys(("parent_id", "error"), nullable(TEXT)),
    **dict.fromkeys(("start_time", "end_time", "duration"), NUMBER),
    **dict.fromkeys(BUCKETS, FREE),
    "event_type": EVENT_TYPE,
    "children_ids": listing(TEXT),
}
EVENT = given(**_EVENT)
# An event with what its answer was asked to leave out left out.
PROJECTED = partly(EVENT)
TREE = given(**_EVENT, children=listing(EVENT))
_FIELD = {"event_type": EVENT_TYPE}
FIELDS = given(
    fields=listing(given(name=TEXT, **_FIELD)),
    datasets=listing(TEXT),
    mappings=mapping(listing(given(field_name=TEXT, **_FIELD))),
)

# ---- Questions ---------------------------------------------------------------------------------------

FILTER = sent(
    {
        "field": {"type": "string", "pattern": filters.FIELD, "description": "a name, or names joined by dots"},
        "operator": one_of(*filters.OPERATORS),
    },
    {"value": either(TEXT, NUMBER, BOOLEAN), "type": one_of(*filters.TYPES)},
)
FILTERS = listing(FILTER, at_most=filters.MAX_FILTERS)
# One moment is a beginning. An object has at least one end: that is for its reader to say.
RANGE = either(TEXT, sent({}, {end: either(TEXT, NUMBER) for ends in filters.RANGE_ENDS for end in ends}))
PAGE = {"limit": COUNT, "page": COUNT}

# Objects in a query are text: JSON, or Python's repr, which is what the SDK sends.
RANGE_PARAMETER = {"dateRange": Parameter(TEXT)}
FILTERS_PARAMETER = {"filters": Parameter(listing(TEXT))}
PAGE_PARAMETERS = {name: Parameter(schema) for name, schema in PAGE.items()}

# ---- Runs --------------------------------------------------------------------------------------------

RUN = given(
    **dict.fromkeys(("id", "run_id", "created_at", "scope_type", "scope_id"), ID),
    **dict.fromkeys(("name", "description", "dataset_id", "dataset_name", "updated_at"), nullable(TEXT)),
    **dict.fromkeys(("metadata", "results", "configuration", "metrics", "passing_ranges"), FREE),
    **dict.fromkeys(("event_ids", "session_ids", "datapoint_ids"), listing(TEXT)),
    evaluators=listing({}),
    status=one_of(*STATUSES),
    is_active=BOOLEAN,
)
RUNS_PAGE = given(
    **dict.fromkeys(("page", "limit", "total", "total_unfiltered", "total_pages"), WHOLE),
    **dict.fromkeys(("has_next", "has_prev"), BOOLEAN),
)
