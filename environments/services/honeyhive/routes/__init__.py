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
from environments.services.honeyhive.storage.keys import PROJECT_ONLY, Kind

if TYPE_CHECKING:
    from environments.services.honeyhive.api.calls import Handler

_BUILT = (
    *(api_keys, charts, configurations, datapoints, datasets, events, metrics, projects, queues, runs, sessions),
    traces,
)

ROUTES = {route: handler for module in (not_built, *_BUILT) for route, handler in module.ROUTES.items()}

# What an ingestion key may do: the first five are what the SDK sends with one; the others create the same things.
_INGEST = frozenset(
    {
        ("POST", "/session/start"),
        ("POST", "/events"),
        ("PUT", "/events"),
        ("POST", "/events/batch"),
        ("POST", "/opentelemetry/v1/traces"),
        ("POST", "/events/model"),
        ("POST", "/events/model/batch"),
        ("POST", "/session/{session_id}/traces"),
        ("POST", "/v1/events"),
        ("POST", "/v1/events/batch"),
        ("PUT", "/v1/events/{event_id}"),
        ("POST", "/v1/sessions"),
        ("POST", "/v1/sessions/{session_id}/events/batch"),
    }
)


def accepted_keys(route: tuple[str, str], handler: Handler) -> frozenset[Kind]:
    """Return the kinds of keys that open a route."""
    if route in _INGEST:
        return frozenset({Kind.PROJECT, Kind.INGESTION})
    return handler.keys if isinstance(handler, Operation) else PROJECT_ONLY
