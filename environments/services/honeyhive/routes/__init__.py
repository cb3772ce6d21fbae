"""Every route of the service, in one table, from the modules that answer them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from environments.services.honeyhive.api.operations import Operation
from environments.services.honeyhive.routes import (
    api_keys,
    charts,
    configurations,
    datapoints,
    datasets,
    events,
    metrics,
    not_built,
    projects,
    queues,
    runs,
    sessions,
    traces,
)
from environments.services.honeyhive.storage.keys import PROJECT_ONLY, SENDING, Kind

if TYPE_CHECKING:
    from environments.services.honeyhive.api.calls import Handler

_BUILT = (
    *(api_keys, charts, configurations, datapoints, datasets, events, metrics, projects, queues, runs, sessions),
    traces,
)

ROUTES = {route: handler for module in (not_built, *_BUILT) for route, handler in module.ROUTES.items()}


def accepted_keys(route: tuple[str, str], handler: Handler) -> frozenset[Kind]:
    """Return the kinds of keys that open a route."""
    if isinstance(handler, Operation):
        return handler.keys
    return SENDING if route in traces.ROUTES else PROJECT_ONLY
