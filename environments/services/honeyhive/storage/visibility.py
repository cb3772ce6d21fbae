"""Ingestion lag: what is acknowledged is durable at once, and shows a moment later, as with HoneyHive's service.

Rows are numbered in the order in which they are written, so a moment in the past is a number: rows above it are not
shown yet. The readers' connections see the table through a view of that name, so no query knows of it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

DEFAULT_LAG_MS = 5
MAX_LAG_MS = 600_000

_ALL = 2**63 - 1
_VIEW = """
CREATE TEMP VIEW events AS SELECT * FROM main.events WHERE seq <= (SELECT newest_visible_event())
"""


class Visibility:
    """Up to which event readers see. Told by the writer what it has committed."""

    def __init__(self, lag_ms: int) -> None:
        self.lag_ms = lag_ms
        self._lock = threading.Lock()
        # (when, the newest event then), the oldest first; `_visible` is the newest that everybody sees.
        self._committed: deque[tuple[float, int]] = deque()
        self._visible = _ALL

    def opened(self, connection: sqlite3.Connection) -> None:
        """Begin with what is stored already: all of it is visible."""
        self._visible = _newest(connection)

    def committed(self, connection: sqlite3.Connection) -> None:
        """Note what the writer has just committed."""
        newest = _newest(connection)
        with self._lock:
            if not self._committed or self._committed[-1][1] != newest:
                self._committed.append((time.monotonic(), newest))
            self._advance()

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Make a reader's connection see what is visible alone."""
        connection.create_function("newest_visible_event", 0, self._newest_visible)
        connection.execute(_VIEW)

    def _newest_visible(self) -> int:
        if not self.lag_ms:  # what a reader finds is committed, so all of it
            return _ALL
        with self._lock:
            self._advance()
            return self._visible

    def _advance(self) -> None:
        shown_from = time.monotonic() - self.lag_ms / 1000
        while self._committed and self._committed[0][0] <= shown_from:
            # Numbers are used again once the newest rows are deleted: never go back behind what is shown.
            self._visible = self._committed.popleft()[1]


def _newest(connection: sqlite3.Connection) -> int:
    newest: int = connection.execute("SELECT coalesce(max(seq), 0) FROM main.events").fetchone()[0]
    return newest
