"""What HoneyHive's API has and this service has not, yet: it says so with 501 rather than with 404.

From the operations of the SDK's releases 1.0 to 1.7 and of the public OpenAPI document.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from environments.services.http.errors import ApiError

if TYPE_CHECKING:
    from environments.services.honeyhive.api.calls import Call, Routes

_NOT_BUILT = {
    "/v1/events/chart": "GET",
}


def refuse(_call: Call) -> NoReturn:
    """Say that HoneyHive would answer this."""
    raise ApiError(501, "this operation exists in HoneyHive's API but is not built in this service")


ROUTES: Routes = {(method, path): refuse for path, methods in _NOT_BUILT.items() for method in methods.split()}
