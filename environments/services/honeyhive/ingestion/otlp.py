"""OTLP/HTTP trace requests, as they come over the wire, into `Span`s. Pure.

A request that is not OTLP at all raises the API's 400. A span without usable ids is left out and counted, which OTLP
calls partial success.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from environments.services.honeyhive.ingestion import otlp_json, otlp_protobuf
from environments.services.http.json_types import dump

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from environments.services.honeyhive.ingestion.spans import Span

JSON = "application/json"
PROTOBUF = "application/x-protobuf"


class Batch:
    """The usable spans of one request, decoded one by one. How many were not usable is known after the last."""

    def __init__(self, sent: Iterable[Span]) -> None:
        self._sent = sent
        self.rejected = 0

    def __iter__(self) -> Iterator[Span]:
        for span in self._sent:
            if span.usable:
                yield span
            else:
                self.rejected += 1


def decode(media_type: str, body: bytes) -> Batch:
    """Decode a trace request, as its spans are asked for."""
    return Batch(otlp_protobuf.decode(body) if media_type == PROTOBUF else otlp_json.decode(body))


def encode_response(media_type: str, rejected: int) -> bytes:
    """Encode the answer to a request that was applied, in the encoding of the request."""
    message = f"{rejected} spans have no valid trace id or span id" if rejected else ""
    if media_type == JSON:
        partial = {"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": message}}
        return dump(partial if rejected else {}).encode()
    return otlp_protobuf.encode_response(rejected, message)
