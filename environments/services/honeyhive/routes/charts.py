"""Charts, under their two paths: the older with the project's key, the newer with a data plane key.

They are the same charts. No public document describes them: the shapes are those of the SDK's models, and the default
bucket is that of the public API's event charts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from environments.services.honeyhive.api.operations import Operation
from environments.services.honeyhive.api.schemas import (
    BOOLEAN,
    FREE,
    ID,
    NUMBER,
    TEXT,
    TRUE,
    either,
    given,
    listing,
    nullable,
    sent,
)
from environments.services.honeyhive.storage.keys import Kind
from environments.services.http.errors import not_found
from environments.services.http.json_types import present

if TYPE_CHECKING:
    from environments.services.honeyhive.api.calls import Call, Routes
    from environments.services.honeyhive.storage.documents import Document
    from environments.services.http.json_types import Json, JsonObject

KIND = "chart"
_FIELDS = ("name", "description", "metric", "func", "groupBy", "bucketing", "dateRange", "query", "owner_id")
_NEW: JsonObject = {**dict.fromkeys(_FIELDS), "bucketing": "hour", "is_active": True}


def create(call: Call, body: JsonObject) -> Json:
    """Create a chart."""
    _check_project(call)
    new = {**_NEW, **present(body, _FIELDS)}
    return _answer(call.documents.add(KIND, new, call.now_ns))


def find(call: Call, _body: JsonObject) -> Json:
    """List charts, the oldest first."""
    _check_project(call)
    return {"success": True, "data": [each.told for each in call.documents.all(KIND)]}


def get(call: Call, _body: JsonObject) -> Json:
    """Return one chart."""
    _check_project(call)
    return _answer(call.documents.get(KIND, call.params["chart_id"]))


def update(call: Call, body: JsonObject) -> Json:
    """Change a chart: a field that is sent replaces the one it has."""
    _check_project(call)
    return _answer(call.documents.change(KIND, call.params["chart_id"], present(body, _FIELDS), call.now_ns))


def delete(call: Call, _body: JsonObject) -> Json:
    """Delete a chart."""
    _check_project(call)
    call.documents.delete(KIND, call.params["chart_id"])
    return {"success": True, "message": f"chart {call.params['chart_id']} is deleted"}


def _check_project(call: Call) -> None:
    """Refuse a path that names another project than the key's: whether it exists is not told."""
    named = call.params.get("project_id", call.project.id)
    if named != call.project.id:
        raise not_found(f"project {named!r}")


def _answer(chart: Document) -> Json:
    return {"success": True, "data": chart.told}


_MOMENT = either(TEXT, NUMBER)
_CONDITION = sent({"field": TEXT, "value": nullable(TEXT), "type": TEXT, "operator": TEXT}, {})
_OPTIONAL = {
    "description": TEXT,
    "func": TEXT,
    "groupBy": TEXT,
    "bucketing": TEXT,
    # The SDK's models write a range without the `$` that they read. It is kept as it comes.
    "dateRange": either(
        sent({"relative": TEXT}, {}),
        sent({"$gte": _MOMENT, "$lte": _MOMENT}, {}),
        sent({"gte": _MOMENT, "lte": _MOMENT}, {}),
    ),
    "query": listing(nullable(_CONDITION)),
    "owner_id": TEXT,
}
_CHART = given(
    id=ID,
    name=TEXT,
    description=nullable(TEXT),
    metric=TEXT,
    func=nullable(TEXT),
    groupBy=nullable(TEXT),
    bucketing=TEXT,
    dateRange=nullable(FREE),
    query=nullable({"type": "array"}),
    owner_id=nullable(TEXT),
    is_active=BOOLEAN,
    created_at=TEXT,
    updated_at=nullable(TEXT),
)
_ONE = given(success=TRUE, data=_CHART)
_MANY = given(success=TRUE, data=listing(_CHART))
_GONE = given(success=TRUE, message=TEXT)
_CREATE = sent({"name": TEXT, "metric": TEXT}, _OPTIONAL)
_UPDATE = sent({}, {"name": TEXT, "metric": TEXT, **_OPTIONAL})

_PATH = "/v1/charts"
_PROJECT_PATH = "/v1/projects/{project_id}/charts"
_DATA_PLANE = frozenset({Kind.DATA_PLANE})

ROUTES: Routes = {
    ("GET", _PATH): Operation(find, _MANY),
    ("POST", _PATH): Operation(create, _ONE, _CREATE),
    ("GET", f"{_PATH}/{{chart_id}}"): Operation(get, _ONE),
    ("PUT", f"{_PATH}/{{chart_id}}"): Operation(update, _ONE, _UPDATE),
    ("DELETE", f"{_PATH}/{{chart_id}}"): Operation(delete, _GONE),
    ("GET", _PROJECT_PATH): Operation(find, _MANY, keys=_DATA_PLANE),
    ("POST", _PROJECT_PATH): Operation(create, _ONE, _CREATE, keys=_DATA_PLANE),
    ("GET", f"{_PROJECT_PATH}/{{chart_id}}"): Operation(get, _ONE, keys=_DATA_PLANE),
    ("PATCH", f"{_PROJECT_PATH}/{{chart_id}}"): Operation(update, _ONE, _UPDATE, keys=_DATA_PLANE),
    ("DELETE", f"{_PROJECT_PATH}/{{chart_id}}"): Operation(delete, _GONE, keys=_DATA_PLANE),
}
