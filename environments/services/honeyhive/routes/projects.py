"""Projects. Inferred: a key manages its own project and those that were created with it, and sees no others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from environments.services.honeyhive.api.operations import Operation, Parameter
from environments.services.honeyhive.api.schemas import BOOLEAN, ID, TEXT, given, listing, one_of, sent
from environments.services.honeyhive.storage.documents import written
from environments.services.http.errors import not_found
from environments.services.http.json_types import present

if TYPE_CHECKING:
    from environments.services.honeyhive.api.calls import Call, Routes
    from environments.services.honeyhive.storage.keys import Registered
    from environments.services.http.json_types import Json, JsonObject

_FIELDS = ("description", "type")


def find(call: Call, _body: JsonObject) -> Json:
    """List the key's project and those created with it, or the one of a name."""
    name = call.incoming.query.get("name")
    return [_written(each) for each in call.keys.seen_by(call.project) if name in (None, each.project.name)]


def create(call: Call, body: JsonObject) -> Json:
    """Create a project. It begins without a key: mint one for it."""
    return _written(call.keys.create(str(body["name"]), present(body, _FIELDS), call.now_ns, call.project))


def update(call: Call, body: JsonObject) -> Json:
    """Rename or describe a project."""
    known = _seen(call, str(body["name"]))
    name = body.get("new_name") or known.project.name
    return _written(call.keys.change(known, str(name), {**known.body, **present(body, _FIELDS)}, call.now_ns))


def delete(call: Call, _body: JsonObject) -> Json:
    """Delete a project with all that is stored in it, and its keys."""
    call.keys.delete(_seen(call, call.incoming.query["name"]))
    return {"success": True}


def _seen(call: Call, name: str) -> Registered:
    """Return a project that the key manages; any other is not found, whether it exists or not."""
    for each in call.keys.seen_by(call.project):
        if each.project.name == name:
            return each
    raise not_found(f"project {name!r}")


def _written(known: Registered) -> dict[str, Json]:
    project = known.project
    times: dict[str, Json] = {"created_at": written(known.created_ns), "updated_at": written(known.updated_ns)}
    return {**known.body, "id": project.id, "name": project.name, "org_id": project.org_id, **times}


_TYPE = one_of("evaluation", "completion")
_PROJECT = given(id=ID, name=ID, org_id=TEXT, created_at=TEXT, updated_at=TEXT)
_OPTIONAL = {"description": TEXT, "type": _TYPE}

ROUTES: Routes = {
    ("GET", "/v1/projects"): Operation(find, listing(_PROJECT), query={"name": Parameter(TEXT)}),
    ("POST", "/v1/projects"): Operation(create, _PROJECT, sent({"name": ID}, _OPTIONAL)),
    ("PUT", "/v1/projects"): Operation(update, _PROJECT, sent({"name": ID}, {"new_name": ID, **_OPTIONAL})),
    ("DELETE", "/v1/projects"): Operation(
        delete, given(success=BOOLEAN), query={"name": Parameter(TEXT, required=True)}
    ),
}
