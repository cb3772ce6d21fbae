"""Experiment runs: create, list, read, update, delete them, and what their events come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from environments.services.honeyhive.api import queries
from environments.services.honeyhive.api.operations import Operation, Parameter, whole
from environments.services.honeyhive.api.schemas import (
    BOOLEAN,
    FREE,
    ID,
    NUMBER,
    TEXT,
    WHOLE,
    given,
    listing,
    mapping,
    nullable,
    one_of,
    sent,
)
from environments.services.honeyhive.api.shapes import (
    EVENT,
    EVENT_TYPE,
    FIELDS,
    FILTERS_PARAMETER,
    ID_OR_NONE,
    PAGE_PARAMETERS,
    PROJECTED,
    RANGE_PARAMETER,
    RUN,
    RUNS_PAGE,
)
from environments.services.honeyhive.events import experiments, filters
from environments.services.honeyhive.events.experiments import Experiment
from environments.services.honeyhive.events.filters import Condition
from environments.services.honeyhive.routes.events import schema_of
from environments.services.honeyhive.storage import runs
from environments.services.http.errors import bad_request
from environments.services.http.json_types import Json, JsonObject, dump

if TYPE_CHECKING:
    from environments.services.honeyhive.api.calls import Call, Routes

# Of the public API.
_DEFAULT_LIMIT = 20
_MAX_LIMIT = 100
_MAX_PAIRS = 1000


def create(call: Call, body: JsonObject) -> Json:
    """Create a run."""
    run = runs.created(body, call.project, call.now_ns)
    call.store.runs.add(run, call.now_ns)
    return {"evaluation": run, "run_id": run["run_id"]}


def find(call: Call, _body: JsonObject) -> Json:
    """List runs, the newest first. The SDK asks for a hundred ids at once and expects them all on one page."""
    ids = queries.listed(call.query, "run_ids")
    page = filters.page(whole(call, "limit"), whole(call, "page"))
    asked = page.limit if "limit" in call.query else _MAX_LIMIT if ids else _DEFAULT_LIMIT
    limit = min(asked, _MAX_LIMIT)
    wanted = runs.Listing(
        where=_wanted(call, ids),
        sort_by=call.query.get("sort_by", "created_at"),
        descending=call.query.get("sort_order", "desc") == "desc",
        limit=limit,
        page=page.number,
    )
    found = call.store.runs.listed(wanted)
    pages = -(-found.total // limit)
    return {
        "evaluations": found.runs,
        "pagination": {
            "page": page.number,
            "limit": limit,
            "total": found.total,
            "total_unfiltered": found.total_unfiltered,
            "total_pages": pages,
            "has_next": page.number < pages,
            "has_prev": page.number > 1,
        },
        "metrics": call.store.runs.metric_names([str(run["run_id"]) for run in found.runs]),
    }


def _wanted(call: Call, ids: list[str]) -> Condition:
    condition = filters.condition(None, queries.structured(call.query, "dateRange"))
    for name in ("dataset_id", "name", "status"):
        if name in call.query:
            condition = filters.both(condition, Condition(f"{name} = :{name}", {name: call.query[name]}))
    if ids:
        among = Condition("run_id IN (SELECT value FROM json_each(:run_ids))", {"run_ids": dump(ids)})
        condition = filters.both(condition, among)
    return condition


def get(call: Call, _body: JsonObject) -> Json:
    """Return a run."""
    return {"evaluation": call.store.runs.get(call.params["run_id"])}


def update(call: Call, body: JsonObject) -> Json:
    """Update a run."""
    return {"evaluation": call.store.runs.update(call.params["run_id"], body, call.now_ns), "warning": None}


def delete(call: Call, _body: JsonObject) -> Json:
    """Delete a run."""
    run_id = call.params["run_id"]
    call.store.runs.delete(run_id)
    return {"id": run_id, "deleted": True}


def result(call: Call, _body: JsonObject) -> Json:
    """Return what a run's scores come to, per metric and per datapoint."""
    return _experiment(call, call.params["run_id"], "filters").result(_function(call))


def metrics(call: Call, _body: JsonObject) -> Json:
    """Return the events of a run that have metrics."""
    scored = _experiment(call, call.params["run_id"], "filters").scored_events()
    return {"events": scored, "totalEvents": len(scored)}


def schema(call: Call, _body: JsonObject) -> Json:
    """Return which fields the events of runs have, and of one run where the path or the query names it."""
    run_id = call.params.get("run_id") or call.query.get("evaluation_id")
    if run_id is not None:
        call.store.runs.get(run_id)
    return schema_of(call, run_id, only_runs=True)


def compare(call: Call, _body: JsonObject) -> Json:
    """Compare a run with an older one, per metric and per datapoint."""
    new, old = (_experiment(call, call.params[name], "filters") for name in ("new_run_id", "old_run_id"))
    return new.compared_with(old, _function(call))


def compare_events(call: Call, _body: JsonObject) -> Json:
    """Return the events of two runs that answer one another."""
    return _pairs(call, call.query["run_id_1"], call.query["run_id_2"])


def compare_events_by_path(call: Call, _body: JsonObject) -> Json:
    """Return the events of two runs, which the path names, that answer one another."""
    return _pairs(call, call.params["new_run_id"], call.params["old_run_id"])


def _pairs(call: Call, *run_ids: str) -> Json:
    page = filters.page(whole(call, "limit"), whole(call, "page"))
    limit = min(page.limit, _MAX_PAIRS)
    one, two = (_experiment(call, run_id, "filter") for run_id in run_ids)
    pairs = one.pairs_with(two)
    start = limit * (page.number - 1)
    return {
        "events": pairs[start : start + limit],
        "totalEvents": len(pairs),
        "pagination": {"page": page.number, "limit": limit, "total": len(pairs)},
    }


def _function(call: Call) -> str:
    return call.query.get("aggregate_function", "average")


def _experiment(call: Call, run_id: str, filters_name: str) -> Experiment:
    run = call.store.runs.get(run_id)
    belongs = filters.of_run_or_sessions(run_id, runs.sessions_of(run))
    asked = filters.condition(_filters(call, filters_name), queries.structured(call.query, "dateRange"))
    return Experiment(run, call.store.each(filters.both(belongs, asked)), call.store.metrics.definitions())


def _filters(call: Call, name: str) -> Json:
    """Return filters: a list of them, or one, or fields and their values; and the event that a query names."""
    sent = queries.structured(call.query, name) if name == "filter" else queries.structured_list(call.query, name)
    if isinstance(sent, dict):
        sent = [sent] if "field" in sent else [_is(field, value) for field, value in sent.items()]
    named = [_is(field, call.query[field]) for field in ("event_name", "event_type") if field in call.query]
    if sent is not None and not isinstance(sent, list):
        raise bad_request(f"{name} must be a filter or a list of filters")
    return [*(sent or []), *named]


def _is(field: str, value: Json) -> JsonObject:
    return {"field": field, "operator": "is", "value": value}


_TEXTS = listing(TEXT)
_RANGES = mapping(sent({}, {"min": NUMBER, "max": NUMBER}))
_CHANGES = {
    **dict.fromkeys(("name", "description"), TEXT),
    **dict.fromkeys(("metadata", "results", "configuration"), FREE),
    **dict.fromkeys(("event_ids", "session_ids", "datapoint_ids"), _TEXTS),
    "status": one_of(*runs.STATUSES),
    "evaluators": listing({}),
    "passing_ranges": _RANGES,
}
_NEW = {**_CHANGES, "run_id": ID_OR_NONE, "dataset_id": ID_OR_NONE}

_AGGREGATED = {"aggregate_function": Parameter(one_of(*experiments.AGGREGATE_FUNCTIONS))}
_ASKED = {**FILTERS_PARAMETER, **RANGE_PARAMETER, "event_name": Parameter(TEXT), "event_type": Parameter(TEXT)}
_PAIRS_ASKED = {**{name: each for name, each in _ASKED.items() if name != "filters"}, "filter": Parameter(TEXT)}
_LISTED = {
    **dict.fromkeys(("dataset_id", "name", "status"), Parameter(TEXT)),
    "run_ids": Parameter(_TEXTS),
    "sort_by": Parameter(one_of(*runs.SORTABLE)),
    "sort_order": Parameter(one_of("asc", "desc")),
    **RANGE_PARAMETER,
    **PAGE_PARAMETERS,
}

_ONE = given(evaluation=RUN)
_KIND = {"event_name": TEXT, "event_type": EVENT_TYPE}
_SCORE = given(name=TEXT, **_KIND, value=NUMBER, passed=nullable(BOOLEAN))
_DETAIL = given(
    metric_name=TEXT,
    metric_type=TEXT,
    **_KIND,
    aggregate=NUMBER,
    values=listing(NUMBER),
    datapoints=given(passed=_TEXTS, failed=_TEXTS),
)
_DATAPOINT = given(datapoint_id=nullable(TEXT), session_id=ID, passed=BOOLEAN, metrics=listing(_SCORE))
_RESULT = given(
    status=TEXT,
    success=BOOLEAN,
    passed=_TEXTS,
    failed=_TEXTS,
    metrics=given(aggregation_function=TEXT, details=listing(_DETAIL)),
    datapoints=listing(_DATAPOINT),
    event_details=listing(given(**_KIND)),
    run_object=RUN,
)
_CHANGE = given(
    metric_name=TEXT,
    metric_type=TEXT,
    **_KIND,
    **dict.fromkeys(("old_aggregate", "new_aggregate", "difference", "percentage_change"), nullable(NUMBER)),
    **dict.fromkeys(("old_values", "new_values"), listing(NUMBER)),
    **dict.fromkeys(("found_count", "improved_count", "degraded_count", "same_count"), WHOLE),
    **dict.fromkeys(("improved", "degraded", "same"), _TEXTS),
)
_COMPARISON = given(
    metrics=listing(_CHANGE),
    commonDatapoints=_TEXTS,
    event_details=listing(given(**_KIND, presence=one_of("both", "new", "old"))),
    old_run=RUN,
    new_run=RUN,
)
_PAIRS = given(
    events=listing(given(datapoint_id=TEXT, event_1=EVENT, event_2=EVENT)),
    totalEvents=WHOLE,
    pagination=given(page=WHOLE, limit=WHOLE, total=WHOLE),
)

_RESULT_OF_RUN = Operation(result, _RESULT, query={**_AGGREGATED, **_ASKED})
_COMPARE = Operation(compare, _COMPARISON, query={**_AGGREGATED, **_ASKED})
_BOTH_IDS = {name: Parameter(ID, required=True) for name in ("run_id_1", "run_id_2")}

ROUTES: Routes = {
    ("GET", "/v1/runs"): Operation(
        find, given(evaluations=listing(RUN), pagination=RUNS_PAGE, metrics=_TEXTS), query=_LISTED
    ),
    ("POST", "/v1/runs"): Operation(create, given(evaluation=RUN, run_id=ID), sent({}, _NEW)),
    ("GET", "/v1/runs/schema"): Operation(schema, FIELDS, query={**RANGE_PARAMETER, "evaluation_id": Parameter(TEXT)}),
    ("GET", "/v1/runs/compare/events"): Operation(
        compare_events, _PAIRS, query={**_BOTH_IDS, **_PAIRS_ASKED, **PAGE_PARAMETERS}
    ),
    ("GET", "/v1/runs/{run_id}"): Operation(get, _ONE),
    ("PUT", "/v1/runs/{run_id}"): Operation(update, _ONE, sent({}, _CHANGES)),
    ("DELETE", "/v1/runs/{run_id}"): Operation(delete, given(id=ID, deleted=BOOLEAN)),
    ("GET", "/v1/runs/{run_id}/result"): _RESULT_OF_RUN,
    ("GET", "/v1/runs/{run_id}/summary"): _RESULT_OF_RUN,
    ("GET", "/v1/runs/{run_id}/metrics"): Operation(
        metrics, given(events=listing(PROJECTED), totalEvents=WHOLE), query=_ASKED
    ),
    ("GET", "/v1/runs/{run_id}/schema"): Operation(schema, FIELDS, query=RANGE_PARAMETER),
    ("GET", "/v1/runs/{new_run_id}/compare-with/{old_run_id}"): _COMPARE,
    ("GET", "/v1/runs/{new_run_id}/compare/{old_run_id}"): _COMPARE,
    ("GET", "/v1/runs/{new_run_id}/compare/{old_run_id}/events"): Operation(
        compare_events_by_path, _PAIRS, query={**_PAIRS_ASKED, **PAGE_PARAMETERS}
    ),
}
