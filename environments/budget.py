"""The worker budget: how many test processes run on this machine at once, cells and xdist workers together.

Slots are locked files, so that cells started by `nox -j`, by two terminals or by two checkouts share one budget, and
a slot is free again the moment its holder dies.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from environments.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

# How many workers a cell of this run may ask for; set by `nox -s matrix`, whose cells fill the machine by themselves.
VARIABLE = "MATRIX_WORKERS"
_LOOK_AGAIN_S = 0.1


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def wanted() -> int:
    """Return how many workers a cell asks for: as many as there are cores, or what its run says."""
    told = os.environ.get(VARIABLE) or str(cores())
    if not told.isdecimal() or int(told) == 0:
        raise UsageError(
            f"{VARIABLE} is {told!r}", expected="a number of workers, 1 or more", remedy="correct or unset it"
        )
    return int(told)


def machine_wide() -> Path:
    """Return the folder of this user's slots."""
    return Path(tempfile.gettempdir()) / f"honeyhive-matrix-{os.getuid()}" / "slots"


@dataclass(frozen=True)
class Lease:
    """The slots that a cell holds."""

    locks: tuple[FileLock, ...]

    def release(self) -> None:
        for lock in self.locks:
            lock.release()


async def lease(
    wanted: int,
    say: Callable[[str], None],
    *,
    folder: Path | None = None,
    slots: int | None = None,
    what: str = "a free worker slot",
) -> Lease:
    """Wait for one slot, and take up to `wanted` of those that are free at that moment; `what` they are is said."""
    folder = folder or machine_wide()
    folder.mkdir(parents=True, exist_ok=True)
    total = slots or cores()
    waiting = False
    while True:
        held = _free(folder, total, wanted)
        if held:
            return Lease(held)
        if not waiting:
            say(f"waiting for {what} ({total} on this machine, all taken by other cells) …")
            waiting = True
        await asyncio.sleep(_LOOK_AGAIN_S)


def _free(folder: Path, total: int, wanted: int) -> tuple[FileLock, ...]:
    held: list[FileLock] = []
    for number in range(total):
        if len(held) == wanted:
            break
        lock = FileLock(folder / f"{number}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            continue
        held.append(lock)
    return tuple(held)
