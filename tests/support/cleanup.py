"""The cleanup registry: what a test creates is told to the cell's record, and deleted when the test ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from environments.inside import ledger

if TYPE_CHECKING:
    from collections.abc import Callable


class _Resource(NamedTuple):
    name: str
    delete: Callable[[], object]


class Cleanup:
    """What one test, or one process, has created, in order.

    Where the environment deletes nothing, the record counts what is left: its name begins with the run's, so that a
    sweep finds it.
    """

    def __init__(self, *, can_delete: bool) -> None:
        self._can_delete = can_delete
        self._created: list[_Resource] = []

    def register(self, name: str, delete: Callable[[], object]) -> None:
        """Register what was created under a name of this run, and how it is deleted."""
        ledger.write(entry="resource", name=name, state="created")
        self._created.append(_Resource(name, delete))

    def run(self) -> None:
        """Delete everything, the newest first. One failure doesn't keep the rest; all failures are raised, together."""
        failures = []
        while self._can_delete and self._created:
            resource = self._created.pop()
            try:
                resource.delete()
            except Exception as error:
                error.add_note(f"while deleting {resource.name}")
                failures.append(error)
            else:
                ledger.write(entry="resource", name=resource.name, state="deleted")
        if failures:
            raise ExceptionGroup("could not delete everything that this test created", failures)
