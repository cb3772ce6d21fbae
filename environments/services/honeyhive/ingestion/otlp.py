"""OTLP/HTTP trace requests, as they come over the wire, into `Span`s. Pure.

A request that is not OTLP at all raises the API's 400. A span without usable ids is left out and counted, which OTLP
calls partial success.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from environments.services.honeyhive.ingestion import otlp_json, otlp_protobuf
from environments.services.http.json_types import dump

if TYPE_CHECKING:
    from environments.services.honeyhive.ingestion.spans import Span

JSON = "application/json"
PROTOBUF = "application/x-protobuf"


@dataclass(frozen=True, slots=True)
class Batch:
    """The usable spans of one request, and how many were not."""

    spans: tuple[Span, ...]
    rejected: int = 0


def decode(media_type: str, body: bytes) -> Batch:
    """Decode a trace request."""
    sent = otlp_protobuf.decode(body) if media_type == PROTOBUF else otlp_json.decode(body)
    usable = tuple(span for span in sent if span.usable)
    return Batch(usable, len(sent) - len(usable))


def encode_response(media_type: str, rejected: int) -> bytes:
    """Encode the answer to a request that was applied, in the encoding of the request."""
    message = f"{rejected} spans have no valid trace id or span id" if rejected else ""
    if media_type == JSON:
        partial = {"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": message}}
        return dump(partial if rejected else {}).encode()
    return otlp_protobuf.encode_response(rejected, message)
