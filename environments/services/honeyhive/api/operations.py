"""An operation: what a route takes and gives, declared once. The declaration is checked, and it is published."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from starlette.responses import Response

from environments.services.honeyhive.api import queries, schemas
from environments.services.honeyhive.api.calls import JSON, Call
from environments.services.honeyhive.storage.keys import PROJECT_ONLY, Kind
from environments.services.http.errors import bad_request
from environments.services.http.json_types import Json, JsonObject, dump

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from environments.services.honeyhive.api.schemas import Schema

_NOTHING: JsonObject = {}
_BOOLEANS = {"true": True, "false": False}
_WHOLE = re.compile(r"-?[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Written:
    """An answer that is JSON already: documents that need not be read to be sent."""

    text: str


# What answers an operation: the call, and its body (empty where the operation has none).
Answerer: TypeAlias = "Callable[[Call, JsonObject], Json | Written]"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter. One whose schema is a list is sent as `name[]=a&name[]=b`, or plainly repeated."""

    schema: Schema = field(default_factory=lambda: schemas.TEXT)
    required: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path: a handler that checks what it is sent before it is answered."""

    run: Answerer
    gives: Schema
    takes: Schema | None = None
    query: Mapping[str, Parameter] = field(default_factory=dict)
    status: int = 200
    keys: frozenset[Kind] = PROJECT_ONLY

    @property
    def summary(self) -> str:
        """What the operation does: the first sentence of its function."""
        return (self.run.__doc__ or "").strip().partition("\n")[0]

    def __call__(self, call: Call) -> Response:
        """Answer a call."""
        for name, parameter in self.query.items():
            _check_parameter(call, name, parameter)
        body = _NOTHING
        if self.takes is not None:
            body = call.object()
            schemas.check(self.takes, body)
        answer = self.run(call, body)
        text = answer.text if isinstance(answer, Written) else dump(answer)
        return Response(text.encode(), self.status, media_type=JSON)


def texts(call: Call, name: str) -> list[str] | None:
    """Return the values of a list parameter, as the SDK sends it and plainly repeated; None for no such."""
    return queries.listed(call.query, name) or None


def boolean(call: Call, name: str) -> bool | None:
    """Return a parameter that is `true` or `false`; None where it is not there."""
    sent = call.query.get(name)
    return None if sent is None else _BOOLEANS[sent.lower()]


def whole(call: Call, name: str) -> int | None:
    """Return a parameter that is a whole number; None where it is not there."""
    sent = call.query.get(name)
    return None if sent is None else int(sent)


def _check_parameter(call: Call, name: str, parameter: Parameter) -> None:
    if parameter.schema.get("type") == "array":
        schemas.check(parameter.schema, texts(call, name) or [], f"the query parameter {name}")
        return
    sent = call.query.get(name)
    if sent is None:
        if parameter.required:
            raise bad_request(f"the query parameter {name} is required")
        return
    schemas.check(parameter.schema, _read(sent, parameter.schema), f"the query parameter {name}")


def _read(sent: str, schema: Schema) -> Json:
    """Read a parameter as what it should be; what it is not stays text, for the check to refuse."""
    kind = schema.get("type")
    if kind == "boolean":
        return _BOOLEANS.get(sent.lower(), sent)
    return int(sent) if kind == "integer" and _WHOLE.fullmatch(sent) else sent
