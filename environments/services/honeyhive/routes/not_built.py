"""What HoneyHive's API has and this service has not, yet: it says so with 501 rather than with 404.

From the operations of the SDK's releases 1.0 to 1.7 and of the public OpenAPI document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from environments.services.honeyhive.http_errors import ApiError

if TYPE_CHECKING:
    from environments.services.honeyhive.calls import Call, Routes

_NOT_BUILT = {
    "/events": "GET",
    "/events/model": "POST",
    "/events/model/batch": "POST",
    "/session/{session_id}/traces": "POST",
    "/v1/events": "POST",
    "/v1/events/batch": "POST",
    "/v1/events/chart": "GET",
    "/v1/events/schema": "GET",
    "/v1/events/search": "POST",
    "/v1/events/{event_id}": "PUT",
    "/v1/metrics": "DELETE GET POST PUT",
    "/v1/metrics/run": "POST",
    "/v1/metrics/run_metric": "POST",
    "/v1/metrics/{metric_id}": "DELETE PUT",
    "/v1/metrics/{metric_id}/versions": "GET POST",
    "/v1/metrics/{metric_id}/versions/{version_name}/deploy": "POST",
    "/v1/runs": "GET POST",
    "/v1/runs/compare/events": "GET",
    "/v1/runs/schema": "GET",
    "/v1/runs/{new_run_id}/compare-with/{old_run_id}": "GET",
    "/v1/runs/{new_run_id}/compare/{old_run_id}": "GET",
    "/v1/runs/{new_run_id}/compare/{old_run_id}/events": "GET",
    "/v1/runs/{run_id}": "DELETE GET PUT",
    "/v1/runs/{run_id}/metrics": "GET",
    "/v1/runs/{run_id}/result": "GET",
    "/v1/runs/{run_id}/schema": "GET",
    "/v1/runs/{run_id}/summary": "GET",
    "/v1/sessions": "POST",
    "/v1/sessions/{session_id}/events/batch": "POST",
}


def refuse(_call: Call) -> NoReturn:
    """Say that HoneyHive would answer this."""
    raise ApiError(501, "this operation exists in HoneyHive's API but is not built in this service")


ROUTES: Routes = {(method, path): refuse for path, methods in _NOT_BUILT.items() for method in methods.split()}
