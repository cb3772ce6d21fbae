"""The OpenAPI document, made of the routes as they are. What is not built is not in it. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from environments.services.honeyhive.api import schemas
from environments.services.honeyhive.api.calls import JSON
from environments.services.honeyhive.api.described import DESCRIBED, Described
from environments.services.honeyhive.api.operations import Operation
from environments.services.honeyhive.routes import ROUTES, accepted_keys, not_built
from environments.services.honeyhive.storage.keys import Kind

if TYPE_CHECKING:
    from environments.services.honeyhive.api.calls import Handler
    from environments.services.honeyhive.api.schemas import Schema
    from environments.services.http.json_types import Json, JsonObject

_PARAMETER = re.compile(r"\{(\w+)\}")
_ERROR = schemas.given(message=schemas.TEXT, errorCode=schemas.TEXT)
_SECURITY = {
    Kind.PROJECT: ("ProjectKey", "A project's key."),
    Kind.INGESTION: ("IngestionKey", "An ingestion key, `hh_ingst_…`."),
    Kind.DATA_PLANE: ("DataPlaneKey", "A data plane key, `hh_fgdp_…`."),
}


def document() -> JsonObject:
    """Write the document."""
    paths: dict[str, dict[str, Json]] = {}
    for (method, path), handler in sorted(ROUTES.items()):
        if handler is not not_built.refuse:
            paths.setdefault(path, {})[method.lower()] = _operation(method, path, handler)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "HoneyHive-compatible service",
            "version": "1",
            "description": "What this service answers. It stands in for HoneyHive's API, and is not HoneyHive's.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Error": _ERROR},
            "securitySchemes": {
                name: {"type": "http", "scheme": "bearer", "description": told} for name, told in _SECURITY.values()
            },
        },
    }


def _operation(method: str, path: str, handler: Handler) -> JsonObject:
    described = DESCRIBED.get((method, path), Described())
    if isinstance(handler, Operation):
        described = Described(handler.takes, handler.gives, handler.query, handler.status)
    name = handler.run.__name__ if isinstance(handler, Operation) else getattr(handler, "__name__", "answer")
    module = (handler.run if isinstance(handler, Operation) else handler).__module__.rpartition(".")[2]
    parameters = [_path_parameter(each) for each in _PARAMETER.findall(path)]
    parameters += [
        # A list is sent with brackets: the SDK's own service takes a single value without them for no list.
        _parameter(f"{name}[]" if each.schema.get("type") == "array" else name, "query", each.schema, each.required)
        for name, each in described.query.items()
    ]
    kinds = sorted(accepted_keys((method, path), handler))
    operation: dict[str, Json] = {
        "operationId": f"{module}_{name}_{method}_{_PARAMETER.sub('by', path).strip('/')}".replace("/", "_").lower(),
        "tags": [module],
        "summary": _summary(handler),
        "parameters": parameters,
        "security": [{_SECURITY[kind][0]: []} for kind in kinds],
        "responses": {
            str(described.status): {"description": "Done.", "content": _content(described.gives, *described.others)},
            "4XX": {"description": "The request is refused.", "content": _content(_REFERENCE)},
            "503": {"description": "The storage is full or cannot be written.", "content": _content(_REFERENCE)},
        },
    }
    if described.takes is not None:
        operation["requestBody"] = {"required": True, "content": _content(described.takes, *described.others)}
    return operation


_REFERENCE: Schema = {"$ref": "#/components/schemas/Error"}


def _content(schema: Schema, *others: str) -> JsonObject:
    return {JSON: {"schema": schema}, **{media_type: {"schema": {"type": "string"}} for media_type in others}}


def _path_parameter(name: str) -> JsonObject:
    return _parameter(name, "path", schemas.ID, True)  # noqa: FBT003 - OpenAPI wants it said


def _parameter(name: str, where: str, schema: Schema, required: bool) -> JsonObject:  # noqa: FBT001
    return {"name": name, "in": where, "required": required, "schema": schema}


def _summary(handler: Handler) -> str:
    if isinstance(handler, Operation):
        return handler.summary
    return (handler.__doc__ or "").strip().partition("\n")[0]
