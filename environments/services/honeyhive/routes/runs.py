"""Experiment runs: create, list, read, update, delete them, and what their events come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from environments.services.honeyhive.api import queries
from environments.services.honeyhive.api.calls import Call, Routes, answer
from environments.services.honeyhive.events import experiments, filters
from environments.services.honeyhive.events.experiments import Experiment
from environments.services.honeyhive.events.filters import Condition
from environments.services.honeyhive.routes.events import schema_of
from environments.services.honeyhive.storage import runs
from environments.services.http.errors import bad_request
from environments.services.http.json_types import Json, JsonObject, dump

if TYPE_CHECKING:
    from starlette.responses import Response

# Of the public API.
_DEFAULT_LIMIT = 20
_MAX_LIMIT = 100
_MAX_PAIRS = 1000


def create(call: Call) -> Response:
    """Create a run."""
    run = runs.created(call.object(), call.project, call.now_ns)
    call.store.runs.add(run, call.now_ns)
    return answer({"evaluation": run, "run_id": run["run_id"]})


def list_(call: Call) -> Response:
    """List runs, the newest first. The SDK asks for a hundred ids at once and expects them all on one page."""
    ids = queries.listed(call.query, "run_ids")
    page = filters.page(queries.whole(call.query, "limit"), queries.whole(call.query, "page"))
    asked = page.limit if "limit" in call.query else _MAX_LIMIT if ids else _DEFAULT_LIMIT
    limit = min(asked, _MAX_LIMIT)
    listing = runs.Listing(
        where=_wanted(call, ids),
        sort_by=queries.choice(call.query, "sort_by", runs.SORTABLE, "created_at"),
        descending=queries.choice(call.query, "sort_order", ("asc", "desc"), "desc") == "desc",
        limit=limit,
        page=page.number,
    )
    found = call.store.runs.listed(listing)
    pages = -(-found.total // limit)
    return answer(
        {
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
    )


def _wanted(call: Call, ids: list[str]) -> Condition:
    condition = filters.condition(None, queries.structured(call.query, "dateRange"))
    for name in ("dataset_id", "name", "status"):
        if name in call.query:
            condition = filters.both(condition, Condition(f"{name} = :{name}", {name: call.query[name]}))
    if ids:
        among = Condition("run_id IN (SELECT value FROM json_each(:run_ids))", {"run_ids": dump(ids)})
        condition = filters.both(condition, among)
    return condition


def get(call: Call) -> Response:
    """Return a run."""
    return answer({"evaluation": call.store.runs.get(call.params["run_id"])})


def update(call: Call) -> Response:
    """Update a run."""
    run = call.store.runs.update(call.params["run_id"], call.object(), call.now_ns)
    return answer({"evaluation": run, "warning": None})


def delete(call: Call) -> Response:
    """Delete a run."""
    run_id = call.params["run_id"]
    call.store.runs.delete(run_id)
    return answer({"id": run_id, "deleted": True})


def result(call: Call) -> Response:
    """Return what a run's scores come to, per metric and per datapoint."""
    function = _function(call)
    return answer(_experiment(call, call.params["run_id"], "filters").result(function))


def metrics(call: Call) -> Response:
    """Return the events of a run that have metrics."""
    scored = _experiment(call, call.params["run_id"], "filters").scored_events()
    return answer({"events": scored, "totalEvents": len(scored)})


def schema(call: Call) -> Response:
    """Return which fields the events of runs have, and of one run where the path or the query names it."""
    run_id = call.params.get("run_id") or call.query.get("evaluation_id")
    if run_id is not None:
        call.store.runs.get(run_id)
    return schema_of(call, run_id, only_runs=True)


def compare(call: Call) -> Response:
    """Compare a run with an older one, per metric and per datapoint."""
    function = _function(call)
    new = _experiment(call, call.params["new_run_id"], "filters")
    return answer(new.compared_with(_experiment(call, call.params["old_run_id"], "filters"), function))


def compare_events(call: Call) -> Response:
    """Return the events of two runs that answer one another. The ids are in the path or in the query."""
    ids = [
        call.params.get(in_path) or call.query.get(in_query)
        for in_path, in_query in (("new_run_id", "run_id_1"), ("old_run_id", "run_id_2"))
    ]
    if not all(ids):
        raise bad_request("run_id_1 and run_id_2 are required")
    page = filters.page(queries.whole(call.query, "limit"), queries.whole(call.query, "page"))
    limit = min(page.limit, _MAX_PAIRS)
    one, two = (_experiment(call, str(run_id), "filter") for run_id in ids)
    pairs = one.pairs_with(two)
    start = limit * (page.number - 1)
    return answer(
        {
            "events": pairs[start : start + limit],
            "totalEvents": len(pairs),
            "pagination": {"page": page.number, "limit": limit, "total": len(pairs)},
        }
    )


def _function(call: Call) -> str:
    return queries.choice(call.query, "aggregate_function", experiments.AGGREGATE_FUNCTIONS, "average")


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


ROUTES: Routes = {
    ("GET", "/v1/runs"): list_,
    ("POST", "/v1/runs"): create,
    ("GET", "/v1/runs/schema"): schema,
    ("GET", "/v1/runs/compare/events"): compare_events,
    ("GET", "/v1/runs/{run_id}"): get,
    ("PUT", "/v1/runs/{run_id}"): update,
    ("DELETE", "/v1/runs/{run_id}"): delete,
    ("GET", "/v1/runs/{run_id}/result"): result,
    ("GET", "/v1/runs/{run_id}/summary"): result,
    ("GET", "/v1/runs/{run_id}/metrics"): metrics,
    ("GET", "/v1/runs/{run_id}/schema"): schema,
    ("GET", "/v1/runs/{new_run_id}/compare-with/{old_run_id}"): compare,
    ("GET", "/v1/runs/{new_run_id}/compare/{old_run_id}"): compare,
    ("GET", "/v1/runs/{new_run_id}/compare/{old_run_id}/events"): compare_events,
}
