"""API keys: minted with a project's key, for that project or one that was created with it.

Known from the SDK's generated models alone. Inferred: who may mint, and that permissions are kept but not enforced,
because no document lists them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from environments.services.honeyhive.api.operations import Operation
from environments.services.honeyhive.api.schemas import ID, TEXT, TRUE, given, listing, nullable, sent
from environments.services.honeyhive.storage.keys import Kind
from environments.services.http.errors import bad_request, not_found

if TYPE_CHECKING:
    from environments.services.honeyhive.api.calls import Call, Routes
    from environments.services.honeyhive.storage.keys import Project
    from environments.services.http.json_types import Json, JsonObject


def create_ingestion(call: Call, body: JsonObject) -> Json:
    """Mint an ingestion key."""
    project = _project(call)
    minted = call.keys.mint(project, Kind.INGESTION)
    told = {"name": body["name"], "description": body.get("description"), **_scope(project)}
    return {"success": True, "data": {"key_value": minted.value, "key_id": minted.key_id, **told}}


def create_data_plane(call: Call, body: JsonObject) -> Json:
    """Mint a data plane key, which expires."""
    project = _project(call)
    expires_at = str(body["expires_at"])
    minted = call.keys.mint(project, Kind.DATA_PLANE, _expiry_ns(expires_at, call.now_ns))
    told = {"permissions": body["permissions"], "expires_at": expires_at, **_scope(project)}
    return {"success": True, "data": {"key_value": minted.value, "key_id": minted.key_id, **told}}


def _project(call: Call) -> Project:
    project_id = call.params["project_id"]
    for each in call.keys.seen_by(call.project):
        if each.project.id == project_id:
            return each.project
    raise not_found(f"project {project_id!r}")


def _scope(project: Project) -> JsonObject:
    return {"root_scope_type": "project", "root_scope_id": project.id}


def _expiry_ns(text: str, now_ns: int) -> int:
    try:
        moment = datetime.fromisoformat(text)
        # A time without a zone is UTC, like every time that this API writes.
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        expires_ns = int(aware.timestamp()) * 1_000_000_000
    except (ValueError, OverflowError):
        raise bad_request("expires_at must be a time in ISO 8601") from None
    if not now_ns < expires_ns < 2**63:
        raise bad_request("expires_at must be in the future, and before the year 2262")
    return expires_ns


_KEY = {"key_value": ID, "key_id": ID, "root_scope_type": TEXT, "root_scope_id": ID}

ROUTES: Routes = {
    ("POST", "/v1/projects/{project_id}/ingestion_api_keys"): Operation(
        create_ingestion,
        given(success=TRUE, data=given(**_KEY, name=TEXT, description=nullable(TEXT))),
        sent({"name": TEXT}, {"description": TEXT}),
    ),
    ("POST", "/v1/projects/{project_id}/fine_grained_api_keys"): Operation(
        create_data_plane,
        given(success=TRUE, data=given(**_KEY, permissions=listing(TEXT), expires_at=TEXT)),
        sent({"name": TEXT, "permissions": listing(TEXT), "expires_at": TEXT}, {"description": TEXT}),
    ),
}
