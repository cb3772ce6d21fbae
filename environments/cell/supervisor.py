"""One cell, supervised: services up, pytest, services down, record. `nox -s integration-…` runs this.

    python -m environments.cell.supervisor CELL [-- pytest's arguments, and --sdk WHAT]

The supervisor is a session of its own. It ends early, in order, on Ctrl-C, SIGTERM, the time limit, the death of a
service or of the nox above it; whatever it started follows its lifeline, so that nothing outlives even its SIGKILL.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import traceback
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from environments import budget, lineage, profiles, project
from environments.cell import suite
from environments.cell.log import Log
from environments.cell.namespace import Namespace
from environments.cell.reach import Reached, Reaching, admitted, reach
from environments.errors import MatrixError, UsageError, exit_on_error
from environments.inside import fence
from environments.inside.target import RUN_PREFIX, Target
from environments.matrix import Cell, SdkLine
from environments.results import audit as audits
from environments.results import junit, record
from environments.results.record import Outcome, Record, Sdk
from environments.results.scrubber import Scrubber
from environments.services.process import plain_environment
from environments.venvs import build, candidates, interpreters

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

    from environments.profiles import Profile
    from environments.services.process import RunningService

_T = TypeVar("_T")


@dataclass(frozen=True)
class Order:
    """What the command line asks for."""

    cell: Cell
    run_id: str
    arguments: tuple[str, ...]
    # None: as many as the budget gives.
    workers: int | None
    time_limit_s: float
    test_time_limit_s: int

    @property
    def folder(self) -> Path:
        return project.RESULTS / self.run_id / self.cell.name


@dataclass(frozen=True)
class Stop:
    """Why a cell ended before its tests did."""

    outcome: Outcome
    reason: str


class Stopped(Exception):
    """The work was ended by a `Stop`."""

    def __init__(self, stop: Stop) -> None:
        super().__init__(stop.reason)
        self.stop = stop


class Supervisor:
    """Runs one cell to its record."""

    def __init__(self, order: Order, log: Log) -> None:
        self._order = order
        self._log = log
        self._record = begun(order)
        # pytest's, once it has ended.
        self._exit_status: int | None = None
        # Of pytest's processes, once they run.
        self._group: int | None = None
        self._ledger = record.Ledger()

    async def run(self) -> Record:
        """Return the finished record. It never raises for what happens to the cell: that is in the record."""
        started = time.monotonic()
        with suite.workspace(self._order.run_id) as space:
            try:
                await self._until_stopped(self._work(space), space)
            except Stopped as ended:
                self._gather_evidence(space)
                self._record = replace(self._record, outcome=ended.stop.outcome, reason=self._so_far(ended.stop.reason))
            except MatrixError as error:
                self._log.say(f"error: {error}")
                self._record = replace(self._record, outcome=Outcome.NOT_RUN, reason=error.happened)
            except Exception as error:
                # A defect of ours, or a machine out of order: the record says so rather than nothing.
                self._log.say(traceback.format_exc())
                reason = f"the supervisor failed: {type(error).__name__}: {error}"
                self._record = replace(self._record, outcome=Outcome.CRASHED, reason=reason)
            else:
                self._gather_evidence(space)
                assert self._exit_status is not None  # the work ended in order
                self._record = record.judged(
                    self._record,
                    exit_status=self._exit_status,
                    imported=self._ledger.sdks,
                    unfinished=self._ledger.unfinished,
                )
        used = [resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)]
        return replace(
            self._record,
            finished=record.utc_now(),
            duration_s=round(time.monotonic() - started, 2),
            cpu_s=round(sum(usage.ru_utime + usage.ru_stime for usage in used), 2),
        )

    async def _until_stopped(self, work: Coroutine[None, None, None], space: suite.Workspace) -> None:
        """Await the work, or raise Stopped as soon as there is a reason to end early."""
        loop = asyncio.get_running_loop()
        self._stop: asyncio.Future[Stop] = loop.create_future()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            interrupted = Stop(Outcome.CRASHED, f"interrupted by {number.name}")
            loop.add_signal_handler(number, self._order_stop, interrupted)
        watching = asyncio.create_task(self._watch_starter())
        working = asyncio.create_task(work)
        either: set[asyncio.Future[Any]] = {working, self._stop}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        watching.cancel()
        if not self._stop.done():
            await working
            return
        stop = self._stop.result()
        if stop.outcome is Outcome.TIMED_OUT:
            stacks = "" if self._group is None else await suite.dump_stacks(space, self._group)
            self._log.say(f"\n{stacks or 'no test was running yet'}")
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError, MatrixError):
            await working
        raise Stopped(stop)

    def _order_stop(self, stop: Stop) -> None:
        if not self._stop.done():
            self._stop.set_result(stop)
            self._log.say(f"\nstopping: {stop.reason} …")

    async def _watch_starter(self) -> None:
        self._order_stop(Stop(Outcome.CRASHED, await lineage.starter_gone()))

    async def _watch_service(self, service: RunningService) -> None:
        self._order_stop(Stop(Outcome.CRASHED, await service.died()))

    async def _watch_time(self) -> None:
        await asyncio.sleep(self._order.time_limit_s)
        self._order_stop(
            Stop(Outcome.TIMED_OUT, f"the cell took longer than its limit of {self._order.time_limit_s:g} s")
        )

    async def _work(self, space: suite.Workspace) -> None:
        """Everything from the settings to pytest's end."""
        cell = self._order.cell
        profile = profiles.load(cell.environment, project.ROOT)
        self._log.scrub_with(Scrubber(profile.secrets()))
        interpreter = await interpreters.found(cell.python, space.lifeline, self._log.say)
        async with contextlib.AsyncExitStack() as cleanup:
            reaching = Reaching(space, self._order.folder, self._log.say, cleanup)
            await admitted(profile, reaching)
            leased = await budget.lease(self._order.workers or budget.wanted(), self._log.say)
            cleanup.callback(leased.release)
            _beside(self._watch_time(), cleanup)
            recipe = build.Recipe(interpreter, cell.sdk)
            installing = _beside(build.built(recipe, space.lifeline, self._log.say), cleanup)
            reached = await reach(profile, reaching)
            for service in reached.services:
                cleanup.push_async_callback(service.stop)
                _beside(self._watch_service(service), cleanup)
            python = await installing
            workers = self._order.workers or len(leased.locks)
            self._record = replace(
                self._record,
                base_url=reached.upstream or reached.base_url,
                fence=_fence_of(reached),
                workers=workers,
            )
            self._write_target(profile, reached, space)
            await self._test(python, workers, reached, space)

    async def _test(self, python: Path, workers: int, reached: Reached, space: suite.Workspace) -> None:
        suite.write_coverage_settings(space, self._order.folder)
        command = suite.command(python, workers, self._order.test_time_limit_s, self._order.arguments)
        if isinstance(reached.isolation, Namespace):
            command = reached.isolation.entering(command)
        environment = suite.environment(space, python, reached.keys)
        self._log.say(f"running the tests in {'one process' if workers == 1 else f'{workers} workers'} …")
        self._exit_status = await suite.run(command, space, environment, self._log, self._tests_started)

    def _tests_started(self, group: int) -> None:
        self._group = group

    def _write_target(self, profile: Profile, reached: Reached, space: suite.Workspace) -> None:
        fence.write(space.fence, reached.pairs, space.breaches)
        Target(
            cell=self._order.cell.name,
            environment=self._order.cell.environment.value,
            resolution=self._order.cell.resolution.value,
            base_url=reached.base_url,
            project=reached.project,
            other_project=reached.other_project,
            writable=profile.writable,
            capabilities=tuple(sorted(profile.capabilities)),
            timeout_s=profile.timeout,
            run_name=f"{RUN_PREFIX}{self._order.run_id}",
            ledger=str(space.ledger),
            llm_url=reached.llm_url,
            control=reached.control,
            gateway=reached.gateway,
        ).write(space.target)

    def _gather_evidence(self, space: suite.Workspace) -> None:
        """Put into the record what the processes inside the cell told."""
        ledger = record.read_ledger(space.lines(space.ledger))
        self._ledger = ledger
        written = self._order.folder / "audit.jsonl"
        audit = audits.read(space.lines(written)) if written.exists() else audits.Audit()
        tests = ledger.tests
        if not profiles.PROFILES[self._order.cell.environment].writable:
            tests = audits.held_against(tests, audit, ledger.expecting_refusals)
        self._record = replace(
            self._record,
            tests=tests,
            requests=audit.requests,
            python=ledger.python or self._record.python,
            sdk=replace(self._record.sdk, origin=ledger.sdks[0][1]) if ledger.sdks else self._record.sdk,
            packages=ledger.packages,
            seed=ledger.seed,
            resources=ledger.resources,
            measurements=(*ledger.measurements, *audit.measurements),
            breaches=record.read_breaches(space.lines(space.breaches)),
        )

    def _so_far(self, reason: str) -> str:
        """Add to a reason which tests were running when the cell was stopped."""
        unfinished = self._ledger.unfinished
        return f"{reason}, during {', '.join(unfinished)}" if unfinished else reason


def _beside(work: Coroutine[None, None, _T], cleanup: contextlib.AsyncExitStack) -> asyncio.Task[_T]:
    """Start work that ends with the stack, if not before."""
    task = asyncio.create_task(work)
    cleanup.callback(task.cancel)
    return task


def _fence_of(reached: Reached) -> str:
    match reached.isolation:
        case None:
            return "audit hook"
        case str(reason):
            return f"audit hook; no network namespace: {reason}"
        case _:
            return "audit hook, network namespace"


def begun(order: Order) -> Record:
    """Return the record that a cell begins with: should nothing else be written, it tells the truth."""
    sdk = order.cell.sdk
    return Record(
        cell=order.cell.name,
        environment=order.cell.environment.value,
        python=order.cell.python,
        resolution=order.cell.resolution.value,
        sdk=Sdk(
            line=sdk.name if isinstance(sdk, SdkLine) else "candidate",
            version=sdk.version,
            origin="" if isinstance(sdk, SdkLine) else sdk.origin,
            sha256=sdk.release.sha256 if isinstance(sdk, SdkLine) else sdk.sha256,
        ),
        started=record.utc_now(),
        commit=_commit(),
        arguments=order.arguments,
    )


def supervise(order: Order) -> Record:
    """Run a cell, from its begun record to its finished one, and say how it went. Raises ResultsUnwritable."""
    try:
        shutil.rmtree(order.folder, ignore_errors=True)
        order.folder.mkdir(parents=True)
        record.write(begun(order), order.folder)
        record.point_latest_at(order.folder.parent)
        log = Log(order.folder / "log.txt", Scrubber())
        log.say(f"{order.cell.name}: {order.cell.title}")
        finished = record.scrubbed(asyncio.run(Supervisor(order, log).run()), log.scrub)
        record.write(finished, order.folder)
        (order.folder / "junit.xml").write_text(junit.render(finished), encoding="utf-8")
        for line in _verdict(finished, order.folder):
            log.say(line)
        log.close()
    except OSError as error:
        raise project.unwritable(order.folder, error) from None
    return finished


def _verdict(finished: Record, folder: Path) -> list[str]:
    tests = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in finished.counts.items() if count)
    lines = [
        f"{finished.cell}: {finished.outcome}"
        + (f": {finished.reason}" if finished.reason else "")
        + f" ({tests or 'no tests'}; {finished.duration_s:.1f} s, {finished.cpu_s:.1f} s of CPU)"
    ]
    lines += [f"  {test.outcome}: {test.id}: {_first_line(test.reason)}" for test in finished.bad_tests]
    lines += [f"  breach of the fence: {breach.what} ({breach.event}) by {breach.test}" for breach in finished.breaches]
    if finished.bad_tests and finished.seed is not None:
        lines.append(f"  in the same order again: -- --randomly-seed={finished.seed}")
    return [*lines, f"  record: {os.path.relpath(folder / 'record.json')}"]


def _first_line(text: str) -> str:
    return next(iter(text.splitlines()), "")


def _commit() -> str | None:
    """Return the commit of this checkout, marked where files differ from it; None outside of any repository."""
    try:
        asked = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"],  # noqa: S607 - the user's git
            cwd=project.ROOT,
            env=plain_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:  # there is no git
        return None
    return asked.stdout.strip() or None


def _ordered(argv: list[str]) -> Order:
    parser = argparse.ArgumentParser(prog="python -m environments.cell.supervisor")
    parser.add_argument("cell")
    parser.add_argument("--time-limit-s", type=float)
    own, rest = _split(argv)
    arguments = parser.parse_args(own)
    what, workers, rest = _ours(rest)
    matrix = project.load_matrix()
    cell = matrix.find_cell(arguments.cell)
    if what is not None:
        if cell.sdk != matrix.newest:
            raise UsageError(
                f"{cell.name} names an SDK line, and --sdk {what} another SDK",
                remedy=f"leave out one of them: `nox -s integration-{cell.python}-{cell.environment} -- --sdk {what}`",
            )
        cell = matrix.cell(cell.python, candidates.find(what, matrix), cell.environment)
    limit = matrix.limits.cell_time_limit_s if arguments.time_limit_s is None else arguments.time_limit_s
    return Order(cell, lineage.run_id(), tuple(rest), workers, limit, matrix.limits.test_time_limit_s)


def _split(argv: list[str]) -> tuple[list[str], list[str]]:
    at = argv.index("--") if "--" in argv else len(argv)
    return argv[:at], argv[at + 1 :]


def _ours(arguments: list[str]) -> tuple[str | None, int | None, list[str]]:
    """Take out of what goes to pytest what is ours: `--sdk WHAT`, and the `-n N` that xdist would take."""
    parser = argparse.ArgumentParser(prog="nox -s … --", add_help=False, allow_abbrev=False)
    parser.add_argument("--sdk", metavar="WHAT")
    parser.add_argument("-n", "--numprocesses", metavar="N", type=_workers)
    known, rest = parser.parse_known_args(arguments)
    if any("no:environments" in argument for argument in rest):
        raise UsageError(
            "the plugins of a cell cannot be left out: they keep the ledger and the rules",
            remedy="leave out -p no:environments…",
        )
    return known.sdk, known.numprocesses, rest


def _workers(text: str) -> int:
    """Read xdist's words for a number of workers; none at all is this one process."""
    if text in ("auto", "logical"):
        return budget.cores()
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of workers: 0 or more, or auto")
    return max(1, int(text))


@exit_on_error
def main() -> int:
    """Run the cell that the command line names."""
    # A session of its own: a Ctrl-C meant for nox, or nox's SIGKILL to its group, must not cut the record short.
    with contextlib.suppress(PermissionError):
        os.setsid()
    suite.adopt_orphans()
    return record.EXIT_CODES[supervise(_ordered(sys.argv[1:])).outcome]


if __name__ == "__main__":
    sys.exit(main())
