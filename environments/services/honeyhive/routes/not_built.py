"""What HoneyHive's API has and this service has not, yet: it says so with 501 rather than with 404.

From the operations of the SDK's releases 1.0 to 1.7 and of the public OpenAPI document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from environments.services.honeyhive.http_errors import ApiError

if TYPE_CHECKING:
    from environments.services.honeyhive.calls import Call, Routes

_NOT_BUILT = {
    "/v1/charts": "GET POST",
    "/v1/charts/{chart_id}": "DELETE GET PUT",
    "/v1/configurations": "GET POST",
    "/v1/configurations/{configuration_id}": "DELETE PUT",
    "/v1/datapoints": "GET POST",
    "/v1/datapoints/batch": "POST",
    "/v1/datapoints/{datapoint_id}": "DELETE GET PUT",
    "/v1/datasets": "DELETE GET POST PUT",
    "/v1/datasets/{dataset_id}": "DELETE PUT",
    "/v1/datasets/{dataset_id}/datapoints": "POST",
    "/v1/datasets/{dataset_id}/datapoints/{datapoint_id}": "DELETE",
    "/v1/datasets/{dataset_id}/{datapoint_id}": "DELETE",
    "/v1/events/chart": "GET",
    "/v1/projects": "DELETE POST PUT",
    "/v1/projects/{project_id}/charts": "GET POST",
    "/v1/projects/{project_id}/charts/{chart_id}": "DELETE GET PATCH",
    "/v1/projects/{project_id}/fine_grained_api_keys": "POST",
    "/v1/projects/{project_id}/ingestion_api_keys": "POST",
    "/v1/queues": "GET POST",
    "/v1/queues/{queue_id}": "DELETE GET PUT",
}


def refuse(_call: Call) -> NoReturn:
    """Say that HoneyHive would answer this."""
    raise ApiError(501, "this operation exists in HoneyHive's API but is not built in this service")


ROUTES: Routes = {(method, path): refuse for path, methods in _NOT_BUILT.items() for method in methods.split()}
