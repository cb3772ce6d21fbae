"""Every route of the service, in one table, from the modules that answer them."""

from __future__ import annotations

from environments.services.honeyhive.routes import (
    events,
    metrics,
    not_built,
    projects,
    runs,
    sessions,
    traces,
)

ROUTES = {
    **not_built.ROUTES,
    **events.ROUTES,
    **metrics.ROUTES,
    **projects.ROUTES,
    **runs.ROUTES,
    **sessions.ROUTES,
    **traces.ROUTES,
}
