"""Many cells: run id, order, worker budget, progress. `nox -s matrix` runs this, and this runs `nox -j N -s …`.

nox schedules and isolates the cells; what is added here is the order (longest first), the budget, a board that reads
the records, and the promise that nothing goes on running when this process or what it started is killed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from environments import budget, lineage, plan, project
from environments.errors import FAILED, UNKNOWN, UsageError, exit_on_error
from environments.inside import lifeline
from environments.matrix import Cell, Plan
from environments.results import record
from environments.run import board
from environments.venvs import candidates

if TYPE_CHECKING:
    from collections.abc import Sequence

_DEFAULT_SET = "development"
_LOOK_AGAIN_S = 0.2
# The nox of the cells is the root of its own; and a safe path would hide this project from `python -m`.
_NOT_PASSED_ON = (lineage.ROOT_VARIABLE, "PYTHONSAFEPATH")
# nox gives its children 2 s to end; their cells end in order within that time.
_STOP_WITHIN_S = 4


@dataclass(frozen=True)
class MatrixRun:
    """The cells of one run, in the order in which they start, and what is said to each."""

    run_id: str
    cells: tuple[Cell, ...]
    jobs: int
    arguments: tuple[str, ...]

    @property
    def folder(self) -> Path:
        return project.RESULTS / self.run_id


def nox_command(run: MatrixRun) -> list[str]:
    """Return the command that runs the cells: nox, kept from outliving this process."""
    # A candidate's session is that of the newest line, told about the candidate by --sdk.
    names = [cell.name.removesuffix("-candidate") for cell in run.cells]
    return [
        *(sys.executable, "-m", "environments.inside.lifeline", "nox", "-f", str(project.ROOT / "noxfile.py")),
        *("-j", str(run.jobs), "-s", *names, "--", *run.arguments),
    ]


async def execute(run: MatrixRun) -> None:
    """Run the cells to their end, or stop them all on Ctrl-C, SIGTERM or the death of the nox above."""
    with tempfile.TemporaryDirectory(prefix="matrix-run-") as scratch:
        held = lifeline.hold(Path(scratch) / "lifeline")
        try:
            await _nox(run, Path(scratch) / "lifeline")
        finally:
            os.close(held)


async def _nox(run: MatrixRun, lifeline_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED_ON}
    environment |= {lifeline.VARIABLE: str(lifeline_path), lineage.RUN_VARIABLE: run.run_id, "NOX_SCRIPT_MODE": "none"}
    # The cells fill the machine by themselves: an import of the SDK per worker is paid for nothing then.
    environment.setdefault(budget.VARIABLE, "1" if run.jobs > 1 else str(budget.cores()))
    with (run.folder / "nox.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *nox_command(run),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    showing = asyncio.create_task(board.show(run.folder, run.cells))
    ending = [asyncio.create_task(work) for work in (process.wait(), stop.wait(), lineage.starter_gone())]
    try:
        await asyncio.wait(ending, return_when=asyncio.FIRST_COMPLETED)
        if process.returncode is None:
            print("stopping every cell …", flush=True)
            # To nox alone, which then stops its children; each cell finishes its record.
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _STOP_WITHIN_S)
    finally:
        for task in ending:
            task.cancel()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await _records_finished(run)
        showing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await showing


async def _records_finished(run: MatrixRun) -> None:
    """Wait for cells whose nox was killed: they notice, and finish their records by themselves."""
    deadline = time.monotonic() + _STOP_WITHIN_S
    while time.monotonic() < deadline:
        progress = board.read(run.folder, run.cells)
        if not any(one.running for one in progress):
            return
        await asyncio.sleep(_LOOK_AGAIN_S)


def _planned(arguments: argparse.Namespace) -> tuple[Plan, tuple[str, ...]]:
    matrix = project.load_matrix()
    chosen = matrix.plan(arguments.set)
    if arguments.sdk is None:
        return chosen, ()
    sdk = candidates.find(arguments.sdk, matrix)
    points = dict.fromkeys((cell.python, cell.environment) for cell in chosen.cells)
    cells = tuple(matrix.cell(python, sdk, environment) for python, environment in points)
    # Built or fetched once: the cells are told the file that is under test, not where it came from.
    return Plan(cells, chosen.exclusions), ("--sdk", candidates.kept(sdk))


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of cells: 1 or more")
    return int(text)


def _ordered(argv: Sequence[str]) -> MatrixRun:
    parser = argparse.ArgumentParser(
        prog="nox -s matrix --", description="Run many cells.", epilog="Everything after another -- goes to pytest."
    )
    parser.add_argument(
        "--set", metavar="NAME", default=_DEFAULT_SET, help=f"the cells to run (default: {_DEFAULT_SET})"
    )
    parser.add_argument("-j", "--jobs", type=_at_least_one, metavar="N", help="cells at once (default: one per core)")
    parser.add_argument("--sdk", metavar="WHAT", help="a release, wheel, folder or git reference instead of the lines")
    parser.add_argument("--here", action="store_true", help="leave out the cells whose Python this machine lacks")
    own = list(argv[: argv.index("--")]) if "--" in argv else list(argv)
    arguments = parser.parse_args(own)
    planned, told = _planned(arguments)
    here = plan.found_interpreters(tuple(dict.fromkeys(cell.python for cell in planned.cells)))
    cells = tuple(cell for cell in planned.cells if here[cell.python] or not arguments.here)
    if not cells:
        raise UsageError(
            f"the set {arguments.set} has no cell to run here", remedy="`nox -s plan` shows which cells there are"
        )
    for python in [python for python, version in here.items() if version is None]:
        left_out = "left out" if arguments.here else "downloaded first, if that can be"
        print(f"Python {python} is not on this machine: {left_out}")
    costs = record.costs(project.RESULTS)
    run = MatrixRun(
        lineage.run_id(),
        plan.longest_first(cells, costs),
        arguments.jobs or budget.cores(),
        (*told, *argv[len(own) + 1 :]),
    )
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
        written = plan.to_json(Plan(cells, planned.exclusions), here, costs)
        (run.folder / "plan.json").write_text(written, encoding="utf-8")
    except OSError as error:
        raise project.unwritable(run.folder, error) from None
    return run


def run_cells(argv: Sequence[str]) -> tuple[MatrixRun, int]:
    """Run the cells that a command line chooses: 0 if every one passed, 1 if one failed, 3 if evidence is missing."""
    run = _ordered(argv)
    started = time.monotonic()
    print(f"run {run.run_id}: {len(run.cells)} cells, {run.jobs} at once", flush=True)
    asyncio.run(execute(run))
    progress = board.read(run.folder, run.cells)
    board.summarise(progress, run.folder, time.monotonic() - started)
    codes = {one.exit_code for one in progress}
    return run, FAILED if FAILED in codes else UNKNOWN if UNKNOWN in codes else 0


@exit_on_error
def main() -> int:
    """Run the cells that the command line chooses, and return how that went."""
    _, code = run_cells(sys.argv[1:])
    return code


if __name__ == "__main__":
    sys.exit(main())
