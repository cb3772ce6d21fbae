from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.cleanup import Cleanup

if TYPE_CHECKING:
    from pathlib import Path


def _states(ledger: Path) -> list[tuple[str, str]]:
    entries = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert {entry["entry"] for entry in entries} == {"resource"}
    return [(entry["name"], entry["state"]) for entry in entries]


def test_what_was_created_last_is_deleted_first(ledger: Path) -> None:
    deleted: list[str] = []
    cleanup = Cleanup(can_delete=True)
    cleanup.register("one", lambda: deleted.append("one"))
    cleanup.register("two", lambda: deleted.append("two"))

    cleanup.run()

    assert deleted == ["two", "one"]
    assert _states(ledger) == [("one", "created"), ("two", "created"), ("two", "deleted"), ("one", "deleted")]


def test_a_failure_is_told_with_its_resource_and_keeps_nothing_else_from_being_deleted(ledger: Path) -> None:
    def refuse() -> None:
        raise OSError("connection reset")

    cleanup = Cleanup(can_delete=True)
    cleanup.register("one", lambda: None)
    cleanup.register("two", refuse)
    cleanup.register("three", lambda: None)

    with pytest.raises(ExceptionGroup, match="could not delete everything") as raised:
        cleanup.run()

    (failure,) = raised.value.exceptions
    assert str(failure) == "connection reset"
    assert failure.__notes__ == ["while deleting two"]
    assert _states(ledger)[3:] == [("three", "deleted"), ("one", "deleted")]


def test_where_nothing_can_be_deleted_the_ledger_keeps_what_was_created(ledger: Path) -> None:
    cleanup = Cleanup(can_delete=False)
    cleanup.register("one", lambda: pytest.fail("deleted"))

    cleanup.run()

    assert _states(ledger) == [("one", "created")]


def test_a_second_run_deletes_nothing_twice(ledger: Path) -> None:
    deleted: list[str] = []
    cleanup = Cleanup(can_delete=True)
    cleanup.register("one", lambda: deleted.append("one"))

    cleanup.run()
    cleanup.run()

    assert deleted == ["one"]
    assert len(_states(ledger)) == 2
