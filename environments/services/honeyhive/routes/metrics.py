"""Metrics and their versions: create, list, update, delete, deploy, and run one on an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from environments.services.honeyhive import fields
from environments.services.honeyhive.api.calls import Call, Routes, answer
from environments.services.honeyhive.storage import metrics
from environments.services.http.errors import bad_request

if TYPE_CHECKING:
    from starlette.responses import Response


def create(call: Call) -> Response:
    """Create a metric."""
    return answer({"inserted": True, "metric_id": call.store.metrics.add(metrics.created(call.object()), call.now_ns)})


def list_(call: Call) -> Response:
    """List metrics. The public API documents a bare list; every SDK release requires it under `metrics`."""
    found = call.store.metrics.listed(kind=call.query.get("type"), metric_id=call.query.get("id"))
    return answer({"metrics": found})


def update(call: Call) -> Response:
    """Update the metric that the body names."""
    sent = call.object()
    call.store.metrics.update(fields.required_text(sent, "id"), sent, call.now_ns)
    return answer({"updated": True})


def update_by_path(call: Call) -> Response:
    """Update the metric that the path names."""
    call.store.metrics.update(call.params["metric_id"], call.object(), call.now_ns)
    return answer({"updated": True})


def delete(call: Call) -> Response:
    """Delete the metric that the query names."""
    metric_id = call.query.get("metric_id")
    if not metric_id:
        raise bad_request("metric_id is required")
    call.store.metrics.delete(metric_id)
    return answer({"deleted": True})


def delete_by_path(call: Call) -> Response:
    """Delete the metric that the path names."""
    call.store.metrics.delete(call.params["metric_id"])
    return answer({"deleted": True})


def run(call: Call) -> Response:
    """Run a metric on an event, neither of which need be stored."""
    sent = call.object()
    metric = fields.mapping(sent, "metric")
    if metric is None:
        raise bad_request("metric is required and must be an object")
    score = call.evaluators.score(metrics.created(metric), fields.mapping(sent, "event") or {})
    return answer(
        {
            "success": score.error is None,
            "loading": False,
            "result": score.value,
            "explanation": score.error or score.explanation,
        }
    )


def list_versions(call: Call) -> Response:
    """List a metric's versions."""
    return answer({"success": True, "data": call.store.metrics.versions(call.params["metric_id"])})


def create_version(call: Call) -> Response:
    """Create a version of a metric, and deploy it where asked to."""
    sent = call.object()
    content = fields.mapping(sent, "content")
    if content is None:
        raise bad_request("content is required and must be an object")
    version = call.store.metrics.add_version(
        call.params["metric_id"],
        metrics.created(content),
        fields.required_text(sent, "message"),
        call.now_ns,
        deploy=bool(fields.flag(sent, "deploy_immediately")),
    )
    return answer({"success": True, "data": version})


def deploy_version(call: Call) -> Response:
    """Deploy a version of a metric."""
    version = call.store.metrics.deploy(call.params["metric_id"], call.params["version_name"], call.now_ns)
    return answer({"success": True, "data": version})


ROUTES: Routes = {
    ("GET", "/v1/metrics"): list_,
    ("POST", "/v1/metrics"): create,
    ("PUT", "/v1/metrics"): update,
    ("DELETE", "/v1/metrics"): delete,
    ("POST", "/v1/metrics/run"): run,
    ("POST", "/v1/metrics/run_metric"): run,
    ("PUT", "/v1/metrics/{metric_id}"): update_by_path,
    ("DELETE", "/v1/metrics/{metric_id}"): delete_by_path,
    ("GET", "/v1/metrics/{metric_id}/versions"): list_versions,
    ("POST", "/v1/metrics/{metric_id}/versions"): create_version,
    ("POST", "/v1/metrics/{metric_id}/versions/{version_name}/deploy"): deploy_version,
}
