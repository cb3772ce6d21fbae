"""How fast an upstream is driven: one bucket of tokens, and slots for cells, shared by the whole machine.

Both are files with locks, so that gateways of cells, terminals and checkouts share them, and what a process held is
free the moment it dies. The bucket is written as the time at which it is full again (the generic cell rate algorithm):
a turn is taken by moving that time on, and waited for outside of the lock.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from filelock import FileLock

from environments import budget
from environments.services.http.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# A bucket that is full only later than this was written by another clock.
_MAX_AHEAD_S = 600.0
_LOCKED_WITHIN_S = 5.0
_LOOK_AGAIN_S = 0.002


def folder_of(host: str, port: int) -> Path:
    """Return the folder that everything on this machine that talks to this upstream shares."""
    return budget.machine_wide().parent / "gateway" / re.sub(r"[^A-Za-z0-9.-]", "_", f"{host}-{port}")


async def cell_slot(folder: Path, cells: int, say: Callable[[str], None]) -> budget.Lease:
    """Wait until one cell more may talk to this upstream. Held by whoever starts the gateway, and freed by its end."""
    what = f"a free slot of the cells that talk to {folder.name}"
    return await budget.lease(1, say, folder=folder / "cells", slots=cells, what=what)


@dataclass(frozen=True, slots=True)
class Turn:
    """A place in the queue: when the bucket is full again if it is taken, and how long it is until then."""

    full_at: float
    wait_s: float


def turn(full_at: float, now: float, interval_s: float, burst: int) -> Turn:
    """Return the next free turn of a bucket that gives one every `interval_s`, and `burst` of them at once. Pure."""
    begins = max(full_at, now) if full_at - now <= _MAX_AHEAD_S else now
    return Turn(begins + interval_s, max(0.0, begins - now - (burst - 1) * interval_s))


@dataclass(frozen=True, slots=True)
class Pace:
    """One upstream's bucket. `per_second` None is without a limit."""

    folder: Path
    per_second: float | None
    burst: int = 1

    async def wait(self, patience_s: float) -> float:
        """Wait for a turn and return for how long; raise 429 where that would take longer than `patience_s`."""
        taken = await asyncio.to_thread(self._take, patience_s)
        await asyncio.sleep(taken)
        return taken

    async def hold_back(self, seconds: float) -> None:
        """Let nobody on this machine have a turn for so long: the upstream has said that it is too much."""
        await asyncio.to_thread(self._hold_back, min(seconds, _MAX_AHEAD_S / 2))

    def _take(self, patience_s: float) -> float:
        with self._locked():
            now = time.time()
            interval_s = 1 / self.per_second if self.per_second else 0.0
            found = turn(self._read(), now, interval_s, self.burst)
            if found.wait_s > patience_s:
                raise ApiError(
                    429,
                    f"the gateway's queue is {found.wait_s:.1f} s long, and this request can wait {patience_s:.1f} s:"
                    " run fewer cells or workers at once",
                    headers={"Retry-After": str(int(found.wait_s) + 1)},
                )
            self._write(found.full_at)
            return found.wait_s

    def _hold_back(self, seconds: float) -> None:
        with self._locked():
            full = time.time() + seconds + (self.burst - 1) / (self.per_second or 1)
            self._write(max(self._read(), full))

    def _locked(self) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "bucket.lock", timeout=_LOCKED_WITHIN_S, poll_interval=_LOOK_AGAIN_S)

    def _read(self) -> float:
        try:
            return float((self.folder / "bucket").read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):  # the first, or one who died while writing
            return 0.0

    def _write(self, full_at: float) -> None:
        (self.folder / "bucket").write_text(repr(full_at), encoding="ascii")
