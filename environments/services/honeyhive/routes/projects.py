"""Projects: a key sees its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from environments.services.honeyhive.calls import Call, Routes, answer

if TYPE_CHECKING:
    from starlette.responses import Response


def get(call: Call) -> Response:
    """List the key's project, unless another name is asked for."""
    project = call.project
    if call.incoming.query.get("name", project.name) != project.name:
        return answer([])
    return answer([{"id": project.id, "name": project.name, "org_id": project.org_id}])


ROUTES: Routes = {("GET", "/v1/projects"): get}
