"""The board: how far a run of many cells is, read from their records. Live in a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from environments.errors import UNKNOWN
from environments.results.record import EXIT_CODES, Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from environments.matrix import Cell

_LOOK_AGAIN_S = 0.25
_STYLES = {Outcome.PASSED: "green", Outcome.NOT_RUN: "yellow", Outcome.NO_TESTS: "yellow"}


@dataclass(frozen=True)
class Progress:
    """How far one cell is. `outcome` is None until it has finished; `last` is what it said last."""

    name: str
    started: bool
    outcome: Outcome | None = None
    reason: str = ""
    tests: int = 0
    duration_s: float = 0.0
    cpu_s: float = 0.0
    last: str = ""

    @property
    def running(self) -> bool:
        return self.started and self.outcome is None

    @property
    def exit_code(self) -> int:
        """What a session of this cell alone would have ended with; a cell that never began is missing evidence."""
        return UNKNOWN if not self.started else EXIT_CODES[self.outcome or Outcome.CRASHED]


def read(run: Path, cells: Sequence[Cell]) -> tuple[Progress, ...]:
    """Read how far the cells of a run are."""
    return tuple(_progress(run / cell.name, cell.name) for cell in cells)


def _progress(folder: Path, name: str) -> Progress:
    try:
        written = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Progress(name, started=False)
    if written["finished"] is None:
        return Progress(name, started=True, last=_last_line(folder / "log.txt"))
    return Progress(
        name,
        started=True,
        outcome=Outcome(written["outcome"]),
        reason=written["reason"],
        tests=written["counts"]["passed"] + written["counts"]["known_defect"],
        duration_s=written["duration_s"],
        cpu_s=written["cpu_s"],
    )


def _last_line(log: Path) -> str:
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - 2000))
        lines = [line for line in file.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1].strip() if lines else ""
    return ""


async def show(run: Path, cells: Sequence[Cell]) -> None:
    """Show the run until cancelled: one live board in a terminal, a line per start and end elsewhere."""
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False, soft_wrap=True)
    shown = _Shown(console)
    live = Live(console=console, transient=True, auto_refresh=False) if console.is_terminal else None
    with live or contextlib.nullcontext():
        ended = False
        while not ended:
            try:
                await asyncio.sleep(_LOOK_AGAIN_S)
            except asyncio.CancelledError:
                # One more look: cells may have finished since the last.
                ended = True
            progress = read(run, cells)
            shown.tell_news(progress)
            if live is not None:
                live.update(shown.table(progress), refresh=True)


class _Shown:
    """What has been told already, and since when each cell runs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._since: dict[str, float] = {}
        self._ended: set[str] = set()

    def tell_news(self, progress: Sequence[Progress]) -> None:
        for one in progress:
            if one.started and one.name not in self._since:
                self._since[one.name] = time.monotonic()
                if one.running and not self._console.is_terminal:
                    self._console.print(f"started  {one.name}")
            if one.outcome is not None and one.name not in self._ended:
                self._ended.add(one.name)
                self._console.print(_line(one, f"{len(self._ended)}/{len(progress)}"))

    def table(self, progress: Sequence[Progress]) -> Table:
        from rich.table import Table
        from rich.text import Text

        counted = Counter(one.outcome for one in progress if one.outcome)
        told = ", ".join(f"{count} {outcome}" for outcome, count in counted.items()) or "none finished"
        waiting = sum(not one.started for one in progress)
        table = Table(box=None, show_header=False, title=f"{told}, {waiting} waiting", title_justify="left")
        table.add_column(style="bold", no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        for one in progress:
            if one.running:
                elapsed = time.monotonic() - self._since[one.name]
                table.add_row(one.name, f"{elapsed:.0f} s", Text(one.last))
        return table


def _line(one: Progress, position: str) -> Text:
    from rich.text import Text

    assert one.outcome is not None  # told of cells that have finished
    reason = f": {one.reason}" if one.reason else ""
    told = f" {one.name}{reason} ({one.tests} tests, {one.duration_s:.1f} s)  {position}"
    return Text.assemble((f"{one.outcome:<8}", _STYLES.get(one.outcome, "red")), told)


def summarise(progress: Sequence[Progress], run: Path, seconds: float) -> None:
    """Print what a run came to, what was not green, and where the records are."""
    for one in progress:
        if not one.started:
            print(f"no record: {one.name} did not start; see {os.path.relpath(run / 'nox.log')}")
        elif one.outcome is not Outcome.PASSED:
            print(f"{one.outcome or 'crashed'}: {one.name}: {one.reason or 'its supervisor was killed'}")
            print(f"    see {os.path.relpath(run / one.name / 'log.txt')}")
    passed = sum(one.outcome is Outcome.PASSED for one in progress)
    tests, cpu = sum(one.tests for one in progress), sum(one.cpu_s for one in progress)
    print(f"{passed} of {len(progress)} cells passed, {tests} tests ({seconds:.1f} s, {cpu:.1f} s of CPU)")
    print(f"records: {os.path.relpath(run)}")
