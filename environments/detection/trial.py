"""One trial: a wheel of the SDK, with a defect or without, and the development cell that runs the suite against it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import shutil
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from environments import budget, lineage, project
from environments.detection import verdict
from environments.detection.mutation import Mutation, mutate
from environments.detection.verdict import Verdict
from environments.errors import NoEvidence
from environments.matrix import Candidate
from environments.venvs import build, candidates

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from environments.detection.wheel import Contents
    from environments.matrix import Matrix
    from environments.venvs.interpreters import Interpreter

# How long a test waits for what a mutated SDK never sends, unless you say otherwise.
_PATIENCE = ("HH_INTEGRATION_TIMEOUT", "10")
# A mutation may hang every test.
_TIME_LIMIT_S = 300


@dataclass(frozen=True)
class Bench:
    """Where trials run: the SDK that is mutated, the Python, and the folder that keeps every cell's record.

    `arguments` choose tests, as pytest takes them, instead of the whole suite.
    """

    matrix: Matrix
    sdk: Contents
    interpreter: Interpreter
    folder: Path
    arguments: tuple[str, ...] = ()


async def control(bench: Bench) -> float:
    """Run the suite against the SDK as it is, packed anew; return the seconds. Raises NoEvidence unless it passes."""
    started = time.monotonic()
    with _wheel(bench, bench.sdk, "control") as wheel:
        record = await _cell(bench, "control", "suite", wheel, *bench.arguments, workers=budget.cores())
    if record["outcome"] != "passed":
        raise NoEvidence(
            f"the suite does not pass against honeyhive {bench.sdk.version} as it is: {record['reason']}",
            expected="a passed control, before anything is said of mutations",
            remedy=f"see {bench.folder / 'control'}, and make `nox -s integration-…` pass first",
        )
    return time.monotonic() - started


async def judge(bench: Bench, mutation: Mutation) -> Verdict:
    """Run the suite against the mutated SDK until something catches it: the likely tests first, then all of them.

    Where nothing can be said of one mutation its verdict tells why, and the others go on.
    """
    started = time.monotonic()
    mutated = bench.sdk.changed(mutation.file, functools.partial(mutate, mutation))
    likely = () if bench.arguments else mutation.try_first
    caught: tuple[verdict.Catch, ...] = ()
    failure = ""
    with _wheel(bench, mutated, mutation.id) as wheel:
        try:
            if likely:
                caught = verdict.catches(await _cell(bench, mutation.id, "likely", wheel, *likely))
            if not caught:
                caught = verdict.catches(await _cell(bench, mutation.id, "suite", wheel, "-x", *bench.arguments))
        except NoEvidence as error:
            failure = error.happened
    return Verdict(mutation.id, mutation.sees, caught, round(time.monotonic() - started, 1), failure)


@contextlib.contextmanager
def _wheel(bench: Bench, contents: Contents, name: str) -> Iterator[Path]:
    """Pack a wheel; afterwards it goes, with the venv that was built of it: nothing else will ever need them."""
    wheel = contents.pack(bench.folder / name)
    candidate = candidates.find(str(wheel), bench.matrix)
    assert isinstance(candidate, Candidate)  # that is what a wheel is
    try:
        yield wheel
    finally:
        venv = project.VENVS / build.Recipe(bench.interpreter, candidate).key
        for left in (venv, wheel, project.CANDIDATES / candidate.sha256):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        venv.with_suffix(".lock").unlink(missing_ok=True)


async def _cell(bench: Bench, name: str, stage: str, wheel: Path, *arguments: str, workers: int = 1) -> dict[str, Any]:
    """Run a cell to its end and return its record. It ends early, in order, when this process does."""
    results = bench.folder / name
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "environments.cell.supervisor", f"integration-{bench.interpreter.python}-development"),
        *("--time-limit-s", str(_TIME_LIMIT_S), "--", "--sdk", str(wheel), "-n", str(workers), *arguments),
        cwd=project.ROOT,
        env={
            _PATIENCE[0]: _PATIENCE[1],
            **os.environ,
            "PYTHONPATH": str(project.ROOT),
            project.RESULTS_VARIABLE: str(results),
            lineage.RUN_VARIABLE: stage,
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    try:
        (written,) = (results / stage).glob("*/record.json")
        record: dict[str, Any] = json.loads(written.read_text(encoding="utf-8"))
    except ValueError:  # no record, or none that can be read
        raise NoEvidence(
            f"its cell left no record: {said.decode(errors='replace').strip()}",
            remedy="see that `nox -s integration-…` works",
        ) from None
    return record
