"""For the OpenAPI document: the one route that is no `Operation`, because OTLP has encodings of its own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from environments.services.honeyhive.api import schemas
from environments.services.honeyhive.api.schemas import FREE, listing, sent
from environments.services.honeyhive.ingestion import otlp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from environments.services.honeyhive.api.operations import Parameter
    from environments.services.honeyhive.api.schemas import Schema


@dataclass(frozen=True, slots=True)
class Described:
    """What an operation takes and gives, and in which other encodings than JSON."""

    takes: Schema | None = None
    gives: Schema = field(default_factory=lambda: schemas.ANY)
    query: Mapping[str, Parameter] = field(default_factory=dict)
    status: int = 200
    others: tuple[str, ...] = ()


DESCRIBED: Mapping[tuple[str, str], Described] = {
    ("POST", "/opentelemetry/v1/traces"): Described(
        sent({}, {"resourceSpans": listing(FREE)}), FREE, others=(otlp.PROTOBUF,)
    ),
}
