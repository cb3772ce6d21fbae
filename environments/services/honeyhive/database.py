"""SQLite under load: one thread writes, many read, and an acknowledged write is committed.

Writes that wait at the same time share a transaction, and with it its price. One that fails takes nobody with it: the
group is rolled back and each is tried alone, so a write must be a function of the database and nothing else.

WAL with synchronous=NORMAL: a commit is handed to the operating system before it is acknowledged, so it survives the
death of this process in any way (kill -9 included). A power cut may cost the last moments, never consistency; FULL
would buy those for an fsync per commit, which a service for tests has no use for.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
from concurrent.futures import Future
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")

_MAX_GROUP = 64
_BUSY_S = 10


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
        self._writes: queue.SimpleQueue[_Write | None] = queue.SimpleQueue()
        self._idle_readers: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        with closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(schema)
            if watcher is not None:
                watcher.opened(connection)
        self._writer = threading.Thread(target=self._write_until_closed, name="database-writer", daemon=True)
        self._writer.start()

    def write(self, run: Callable[[sqlite3.Connection], T]) -> T:
        """Run a write in a transaction, and return when it is committed."""
        outcome: Future[T] = Future()
        self._writes.put(_Write(run, outcome))
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
        self._writes.put(None)
        self._writer.join()
        while not self._idle_readers.empty():
            self._idle_readers.get().close()

    def _connect(self) -> sqlite3.Connection:
        # One thread at a time uses a connection, but not always the same one.
        connection = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA synchronous=NORMAL")
        return connection

    def _write_until_closed(self) -> None:
        with closing(self._connect()) as connection:
            closed = False
            while not closed:
                group, closed = self._next_group()
                if not _committed(connection, group, self._watcher):
                    for write in group:
                        _committed(connection, [write], self._watcher, alone=True)

    def _next_group(self) -> tuple[list[_Write], bool]:
        write = self._writes.get()
        group: list[_Write] = []
        while write is not None:
            group.append(write)
            if len(group) == _MAX_GROUP or self._writes.empty():
                return group, False
            write = self._writes.get()
        return group, True


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
