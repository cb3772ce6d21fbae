from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from environments.services.honeyhive.storage.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Open a database with one table of unique numbers."""
    with closing(Database(tmp_path / "db", "CREATE TABLE numbers (n INTEGER UNIQUE)")) as opened:
        yield opened


def insert(database: Database, number: int) -> int:
    query = "INSERT INTO numbers VALUES (?)"
    return database.write(lambda connection: connection.execute(query, (number,)).rowcount)


def numbers(database: Database) -> set[int]:
    with database.reading() as connection:
        return {n for (n,) in connection.execute("SELECT n FROM numbers")}


def test_a_write_that_fails_takes_nobody_with_it(database: Database) -> None:
    failed: list[Exception] = []
    together = threading.Barrier(20)

    def write(number: int) -> None:
        together.wait()
        try:
            insert(database, number)
        except sqlite3.IntegrityError as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(index // 2,)) for index in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(database) == set(range(10))
    assert len(failed) == 10


def test_a_write_is_all_or_nothing(database: Database) -> None:
    def half(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO numbers VALUES (1)")
        raise LookupError("after half of it")

    with pytest.raises(LookupError, match="after half of it"):
        database.write(half)
    assert numbers(database) == set()


def test_a_reader_sees_one_state_throughout(database: Database) -> None:
    with database.reading() as connection:
        before = connection.execute("SELECT count(*) FROM numbers").fetchone()
        insert(database, 1)
        assert connection.execute("SELECT count(*) FROM numbers").fetchone() == before
    assert numbers(database) == {1}


def test_a_reader_cannot_write(database: Database) -> None:
    with database.reading() as connection, pytest.raises(sqlite3.OperationalError):
        connection.execute("INSERT INTO numbers VALUES (1)")


def test_closing_finishes_what_was_asked_for(tmp_path: Path) -> None:
    database = Database(tmp_path / "db", "CREATE TABLE numbers (n INTEGER)")
    threads = [threading.Thread(target=insert, args=(database, 1)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()
    with closing(sqlite3.connect(tmp_path / "db")) as connection:
        assert connection.execute("SELECT count(*) FROM numbers").fetchone() == (10,)
