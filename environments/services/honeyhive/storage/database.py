"""SQLite under load: one writes at a time, many read, and an acknowledged write is committed.

Whoever gets to write does so for all who wait: their writes share a transaction, and with it its price. A lone write
needs no second thread. One that fails takes nobody with it: the group is rolled back and each is tried alone, so a
write must be a function of the database and nothing else.

WAL with synchronous=NORMAL: a commit is handed to the operating system before it is acknowledged, so it survives the
death of this process in any way (kill -9 included). A power cut may cost the last moments, never consistency; FULL
would buy those for an fsync per commit, which a service for tests has no use for.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")

_MAX_GROUP = 64
_BUSY_S = 10
# Pages in the log before they are moved to the database, with an fsync: 16 MB rather than SQLite's 4, as spans stream.
_CHECKPOINT_PAGES = 4000


class Watcher(Protocol):
    """Follows what is committed, and says what readers see of it."""

    def opened(self, connection: sqlite3.Connection) -> None:
        """Look at what is stored when the file is opened."""

    def committed(self, connection: sqlite3.Connection) -> None:
        """Look at what the writer has just committed."""

    def prepare(self, connection: sqlite3.Connection) -> None:
        """Prepare the connection of a reader."""


@dataclass(frozen=True, slots=True)
class _Write:
    run: Callable[[sqlite3.Connection], object]
    outcome: Future[Any]


class Database:
    """An open database file. `close` it; nothing else may write to the file meanwhile."""

    def __init__(self, path: Path, schema: str, watcher: Watcher | None = None) -> None:
        self._path = path
        self._watcher = watcher
        self._waiting: queue.SimpleQueue[_Write] = queue.SimpleQueue()
        self._idle_readers: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        self._turn = threading.Lock()
        self._connection = self._connect()
        try:
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.executescript(schema)
            if watcher is not None:
                watcher.opened(self._connection)
        except BaseException:
            self._connection.close()
            raise

    def write(self, run: Callable[[sqlite3.Connection], T]) -> T:
        """Run a write in a transaction, and return when it is committed."""
        outcome: Future[T] = Future()
        self._waiting.put(_Write(run, outcome))
        with self._turn:
            # Another may have written it meanwhile; or more are waiting before it than one group takes.
            while not outcome.done():
                self._write_group()
        return outcome.result()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that sees one consistent state."""
        try:
            connection = self._idle_readers.get_nowait()
        except queue.Empty:
            connection = self._connect()
            if self._watcher is not None:
                self._watcher.prepare(connection)
            connection.execute("PRAGMA query_only=ON")
        try:
            connection.execute("BEGIN")
            yield connection
        finally:
            connection.rollback()
            self._idle_readers.put(connection)

    def close(self) -> None:
        """Finish what was asked for, and close."""
        with self._turn:
            while not self._waiting.empty():
                self._write_group()
            self._connection.close()
        while not self._idle_readers.empty():
            self._idle_readers.get().close()

    def _connect(self) -> sqlite3.Connection:
        # One thread at a time uses a connection, but not always the same one.
        connection = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        return connection

    def _write_group(self) -> None:
        group: list[_Write] = []
        while len(group) < _MAX_GROUP and not self._waiting.empty():
            group.append(self._waiting.get())
        if not _committed(self._connection, group, self._watcher):
            for write in group:
                _committed(self._connection, [write], self._watcher, alone=True)


def _committed(
    connection: sqlite3.Connection, group: list[_Write], watcher: Watcher | None, *, alone: bool = False
) -> bool:
    """Run a group in one transaction and tell who waits; if it fails, only one that is alone is told."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        results = [write.run(connection) for write in group]
        connection.execute("COMMIT")
    except BaseException as error:  # whoever waits gets it, whatever it is
        with suppress(sqlite3.Error):  # SQLite has rolled back by itself after some errors
            connection.execute("ROLLBACK")
        if alone:
            group[0].outcome.set_exception(error)
        return False
    if watcher is not None:
        with suppress(sqlite3.Error):  # what readers see is no reason to end the only writer
            watcher.committed(connection)
    for write, result in zip(group, results, strict=True):
        write.outcome.set_result(result)
    return True
