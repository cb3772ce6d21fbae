"""OTLP/HTTP: spans in, events stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from environments.services.honeyhive.ingestion import otlp
from environments.services.honeyhive.ingestion.mapping import mapped
from environments.services.http import bodies

if TYPE_CHECKING:
    from environments.services.honeyhive.api.calls import Call, Routes


def ingest(call: Call) -> Response:
    """Store the spans of one request, all or none, and answer in the encoding of the request."""
    media_type = bodies.require_media_type(call.incoming.headers, otlp.JSON, otlp.PROTOBUF)
    batch = otlp.decode(media_type, call.incoming.body())
    call.store.ingest(map(mapped, batch))
    return Response(otlp.encode_response(media_type, batch.rejected), media_type=media_type)


ROUTES: Routes = {("POST", "/opentelemetry/v1/traces"): ingest}
