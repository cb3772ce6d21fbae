"""Every route of the service, in one table, from the modules that answer them."""

from __future__ import annotations

from environments.services.honeyhive.routes import events, not_built, projects, sessions, traces

ROUTES = {**not_built.ROUTES, **events.ROUTES, **projects.ROUTES, **sessions.ROUTES, **traces.ROUTES}
