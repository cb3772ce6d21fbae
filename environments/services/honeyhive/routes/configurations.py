"""Configurations: what a model is called with, under a name.

The public API gives a bare list here; every release of the SDK wants it under `configurations`, and so does this.
Inferred: `tags` may be several, with commas, of which one has to match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from environments.services.honeyhive.api.operations import Operation, Parameter
from environments.services.honeyhive.api.schemas import (
    BOOLEAN,
    FREE,
    ID,
    NAME,
    NUMBER,
    TEXT,
    either,
    given,
    listing,
    nullable,
    one_of,
    sent,
)
from environments.services.http.json_types import present

if TYPE_CHECKING:
    from collections.abc import Sequence

    from environments.services.honeyhive.api.calls import Call, Routes
    from environments.services.honeyhive.storage.documents import Document
    from environments.services.http.json_types import Json, JsonObject

KIND = "configuration"
_FIELDS = ("name", "type", "provider", "parameters", "env", "tags", "user_properties")
_NEW: JsonObject = {"type": "LLM", "env": [], "tags": [], "user_properties": None}


def create(call: Call, body: JsonObject) -> Json:
    """Create a configuration."""
    new = {**_NEW, **present(body, _FIELDS)}
    return {"acknowledged": True, "insertedId": call.documents.add(KIND, new, call.now_ns).id}


def find(call: Call, _body: JsonObject) -> Json:
    """List configurations, the oldest first, by name, environment and tag."""
    env, tags = call.query.get("env"), call.query.get("tags")
    found = call.documents.all(KIND, name=call.query.get("name"))
    return {"configurations": [each.told for each in found if _has(each, "env", env) and _has(each, "tags", tags)]}


def update(call: Call, body: JsonObject) -> Json:
    """Change a configuration: a field that is sent replaces the one it has."""
    call.documents.change(KIND, call.params["configuration_id"], present(body, _FIELDS), call.now_ns)
    counts: JsonObject = {"modifiedCount": 1, "upsertedId": None, "upsertedCount": 0, "matchedCount": 1}
    return {"acknowledged": True, **counts}


def delete(call: Call, _body: JsonObject) -> Json:
    """Delete a configuration."""
    call.documents.delete(KIND, call.params["configuration_id"])
    return {"acknowledged": True, "deletedCount": 1}


def _has(configuration: Document, field: str, wanted: str | None) -> bool:
    words = cast("Sequence[str]", configuration.body[field])
    return wanted is None or any(word in words for word in wanted.split(","))


_FUNCTION = sent({"id": ID, "name": ID}, {"description": TEXT, "parameters": FREE})
_MESSAGE = sent({"role": TEXT, "content": TEXT}, {})
_PARAMETERS = sent(
    {"call_type": one_of("chat", "completion"), "model": ID},
    {
        "hyperparameters": FREE,
        "responseFormat": sent({"type": one_of("text", "json_object")}, {}),
        "selectedFunctions": listing(nullable(_FUNCTION)),
        "functionCallParams": one_of("none", "auto", "force"),
        "forceFunction": FREE,
        "template": either(listing(_MESSAGE), TEXT),
    },
)
_TYPE = one_of("LLM", "pipeline")
_ENVIRONMENTS = listing(one_of("dev", "staging", "prod"))
_OPTIONAL = {"type": _TYPE, "env": _ENVIRONMENTS, "tags": listing(TEXT), "user_properties": FREE}
_PROVIDED = {"provider": ID, "parameters": _PARAMETERS}
_CONFIGURATION = given(
    id=ID,
    name=NAME,
    type=_TYPE,
    provider=ID,
    parameters=_PARAMETERS,
    env=_ENVIRONMENTS,
    tags=listing(TEXT),
    user_properties=nullable(FREE),
    created_at=TEXT,
    updated_at=nullable(TEXT),
)

ROUTES: Routes = {
    ("GET", "/v1/configurations"): Operation(
        find,
        given(configurations=listing(_CONFIGURATION)),
        query={"name": Parameter(NAME), "env": Parameter(TEXT), "tags": Parameter(TEXT)},
    ),
    ("POST", "/v1/configurations"): Operation(
        create, given(acknowledged=BOOLEAN, insertedId=ID), sent({"name": NAME, **_PROVIDED}, _OPTIONAL, closed=True)
    ),
    ("PUT", "/v1/configurations/{configuration_id}"): Operation(
        update,
        given(
            acknowledged=BOOLEAN,
            modifiedCount=NUMBER,
            upsertedId={"type": "null"},
            upsertedCount=NUMBER,
            matchedCount=NUMBER,
        ),
        sent({"name": NAME}, {**_PROVIDED, **_OPTIONAL}, closed=True),
    ),
    ("DELETE", "/v1/configurations/{configuration_id}"): Operation(
        delete, given(acknowledged=BOOLEAN, deletedCount=NUMBER)
    ),
}
