"""How requests are read off the wire: h11's strict reading, with a time limit for heads and a count of what is no HTTP.

uvicorn has neither: it waits for the rest of a head for as long as a client likes, and answers nonsense in plain text
without telling the application.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from environments.services.gateway.audit import Decision, Entry
from environments.services.http.errors import ApiError, error_response

if TYPE_CHECKING:
    import asyncio

    from environments.services.gateway.audit import Audit


class Guarded(H11Protocol):
    """One connection to a gateway. `guarded` says to which."""

    audit: ClassVar[Audit]
    head_within_s: ClassVar[float]

    head_timer: asyncio.TimerHandle | None = None
    is_new = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._expect_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; `msg` is uvicorn's, for plain text."""
        del msg
        self._give_up(400, "what was sent is no valid HTTP; nothing more is read from this connection")

    def _expect_head(self) -> None:
        """Run the timer from a head's first byte to its last, and before the first head of a connection."""
        if not self._reads_head():
            self._stop_timer()
        elif self.head_timer is None:
            self.head_timer = self.loop.call_later(self.head_within_s, self._head_too_slow)

    def _reads_head(self) -> bool:
        if self.conn.their_state is not h11.IDLE:
            self.is_new = False
            return False
        return not self.transport.is_closing() and (self.is_new or bool(self.conn.trailing_data[0]))

    def _stop_timer(self) -> None:
        if self.head_timer is not None:
            self.head_timer.cancel()
            self.head_timer = None

    def _head_too_slow(self) -> None:
        self.head_timer = None
        if self._reads_head():
            self._give_up(408, f"a request's head did not arrive within {self.head_within_s:g} s")

    def _give_up(self, status: int, why: str) -> None:
        # In the midst of a request the application hears that its client is gone, and writes that request's line.
        if getattr(self.cycle, "response_complete", True):
            self.audit.add(Entry("", "", decision=Decision.MALFORMED, status=status, reason=why))
        response = error_response(ApiError(status, why, headers={"Connection": "close"}))
        try:
            self._write(h11.Response(status_code=status, headers=response.raw_headers))
            self._write(h11.Data(data=bytes(response.body)))
            self._write(h11.EndOfMessage())
        except h11.LocalProtocolError:
            pass  # an answer is on its way already, and the rest of its request is nonsense
        self.transport.close()

    def _write(self, event: h11.Event) -> None:
        self.transport.write(self.conn.send(event) or b"")


def guarded(audit: Audit, head_within_s: float) -> type[H11Protocol]:
    """Return the protocol of the gateway with this audit."""

    class Bound(Guarded):
        """A connection to it."""

    Bound.audit, Bound.head_within_s = audit, head_within_s
    return Bound
