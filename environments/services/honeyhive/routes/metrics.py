"""Metrics and their versions: create, list, update, delete, deploy, and run one on an event."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from environments.services.honeyhive.api.operations import Operation, Parameter
from environments.services.honeyhive.api.schemas import (
    BOOLEAN,
    COUNT,
    FREE,
    ID,
    NAME,
    NUMBER,
    TEXT,
    TRUE,
    either,
    given,
    listing,
    nullable,
    one_of,
    sent,
)
from environments.services.honeyhive.api.shapes import FILTERS
from environments.services.honeyhive.storage import metrics

if TYPE_CHECKING:
    from environments.services.honeyhive.api.calls import Call, Routes
    from environments.services.honeyhive.api.schemas import Schema
    from environments.services.http.json_types import Json, JsonObject


def create(call: Call, body: JsonObject) -> Json:
    """Create a metric."""
    return {"inserted": True, "metric_id": call.store.metrics.add(metrics.created(body), call.now_ns)}


def find(call: Call, _body: JsonObject) -> Json:
    """List metrics. The public API documents a bare list; every SDK release requires it under `metrics`."""
    return {"metrics": call.store.metrics.listed(kind=call.query.get("type"), metric_id=call.query.get("id"))}


def update(call: Call, body: JsonObject) -> Json:
    """Update the metric that the body names."""
    return _updated(call, str(body["id"]), body)


def update_by_path(call: Call, body: JsonObject) -> Json:
    """Update the metric that the path names."""
    return _updated(call, call.params["metric_id"], body)


def _updated(call: Call, metric_id: str, body: JsonObject) -> Json:
    call.store.metrics.update(metric_id, body, call.now_ns)
    return {"updated": True}


def delete(call: Call, _body: JsonObject) -> Json:
    """Delete the metric that the query names."""
    return _deleted(call, call.query["metric_id"])


def delete_by_path(call: Call, _body: JsonObject) -> Json:
    """Delete the metric that the path names."""
    return _deleted(call, call.params["metric_id"])


def _deleted(call: Call, metric_id: str) -> Json:
    call.store.metrics.delete(metric_id)
    return {"deleted": True}


def run(call: Call, body: JsonObject) -> Json:
    """Run a metric on an event, neither of which need be stored."""
    metric, event = (cast("JsonObject", body.get(name) or {}) for name in ("metric", "event"))
    score = call.evaluators.score(metrics.created(metric), event)
    return {
        "success": score.error is None,
        "loading": False,
        "result": score.value,
        "explanation": score.error or score.explanation,
    }


def find_versions(call: Call, _body: JsonObject) -> Json:
    """List a metric's versions."""
    return {"success": True, "data": call.store.metrics.versions(call.params["metric_id"])}


def create_version(call: Call, body: JsonObject) -> Json:
    """Create a version of a metric, and deploy it where asked to."""
    version = call.store.metrics.add_version(
        call.params["metric_id"],
        metrics.created(cast("JsonObject", body["content"])),
        str(body["message"]),
        call.now_ns,
        deploy=bool(body.get("deploy_immediately")),
    )
    return {"success": True, "data": version}


def deploy_version(call: Call, _body: JsonObject) -> Json:
    """Deploy a version of a metric."""
    version = call.store.metrics.deploy(call.params["metric_id"], call.params["version_name"], call.now_ns)
    return {"success": True, "data": version}


_TYPE = one_of(*metrics.TYPES)
_RETURN_TYPE = one_of(*metrics.RETURN_TYPES)
_NAMED: Schema = {**NAME, "minLength": 1}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 100}
_FILTERS = sent({"filterArray": FILTERS}, {}, closed=True)
_THRESHOLD = sent(
    {},
    {
        "min": NUMBER,
        "max": NUMBER,
        "pass_when": either(BOOLEAN, NUMBER),
        "passing_categories": listing(NAME, at_least=1),
    },
    closed=True,
)
_CATEGORIES = listing(sent({"category": NAME, "score": nullable(NUMBER)}, {}, closed=True), at_least=1)
_CHILD = sent({"name": NAME, "weight": NUMBER}, {"id": ID, "scale": COUNT}, closed=True)
_REQUIRED = {"name": _NAMED, "type": _TYPE, "criteria": ID}
_OPTIONAL = {
    **dict.fromkeys(("description", "model_provider", "model_name"), TEXT),
    **dict.fromkeys(("enabled_in_prod", "needs_ground_truth"), BOOLEAN),
    "return_type": _RETURN_TYPE,
    "sampling_percentage": _SHARE,
    "scale": COUNT,
    "threshold": _THRESHOLD,
    "categories": _CATEGORIES,
    "child_metrics": listing(_CHILD, at_least=1),
    "filters": _FILTERS,
}
_NEW = sent(_REQUIRED, _OPTIONAL, closed=True)
_CHANGES = {**_REQUIRED, **_OPTIONAL}

_CONTENT = {
    **_REQUIRED,
    **dict.fromkeys(("enabled_in_prod", "needs_ground_truth"), BOOLEAN),
    "description": nullable(TEXT),
    "return_type": _RETURN_TYPE,
    "sampling_percentage": _SHARE,
    "filters": _FILTERS,
}
_METRIC = given(**_CONTENT, id=ID, created_at=TEXT, updated_at=nullable(TEXT))
_VERSION = given(name=ID, full_sha=ID, message=TEXT, date=TEXT, deployed=BOOLEAN, content=given(**_CONTENT))
_UPDATED = given(updated=BOOLEAN)
_DELETED = given(deleted=BOOLEAN)
_RUN = Operation(
    run,
    given(
        success=BOOLEAN,
        loading=BOOLEAN,
        result=nullable(either(TEXT, NUMBER, BOOLEAN)),
        explanation=nullable(TEXT),
    ),
    sent({"metric": _NEW}, {"event": FREE}),
)

ROUTES: Routes = {
    ("GET", "/v1/metrics"): Operation(
        find, given(metrics=listing(_METRIC)), query={"type": Parameter(TEXT), "id": Parameter(TEXT)}
    ),
    ("POST", "/v1/metrics"): Operation(create, given(inserted=BOOLEAN, metric_id=ID), _NEW),
    ("PUT", "/v1/metrics"): Operation(update, _UPDATED, sent({"id": ID}, _CHANGES, closed=True)),
    ("DELETE", "/v1/metrics"): Operation(delete, _DELETED, query={"metric_id": Parameter(ID, required=True)}),
    ("POST", "/v1/metrics/run"): _RUN,
    ("POST", "/v1/metrics/run_metric"): _RUN,
    ("PUT", "/v1/metrics/{metric_id}"): Operation(update_by_path, _UPDATED, sent({}, _CHANGES)),
    ("DELETE", "/v1/metrics/{metric_id}"): Operation(delete_by_path, _DELETED),
    ("GET", "/v1/metrics/{metric_id}/versions"): Operation(find_versions, given(success=TRUE, data=listing(_VERSION))),
    ("POST", "/v1/metrics/{metric_id}/versions"): Operation(
        create_version,
        given(success=TRUE, data=_VERSION),
        sent({"message": ID, "content": sent(_REQUIRED, _OPTIONAL)}, {"deploy_immediately": BOOLEAN}),
    ),
    ("POST", "/v1/metrics/{metric_id}/versions/{version_name}/deploy"): Operation(
        deploy_version, given(success=TRUE, data=_VERSION)
    ),
}
