"""`nox -s detection`: which tests catch which defect of the SDK.

    python -m environments.detection [ID…] [--list] [--sdk WHAT] [--python X.Y] [-j N] [-- pytest's arguments]

First the suite must pass against the SDK as it is. Then each mutation gets a wheel of its own, and a development cell
for it: the existing way of a candidate. Exit code 0 where every mutation is caught, 1 where one isn't.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from environments import budget, lineage, project
from environments.detection import mutation as mutations
from environments.detection import trial, verdict, wheel
from environments.errors import FAILED, UsageError, exit_on_error
from environments.venvs import candidates, interpreters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from environments.detection.mutation import Mutation
    from environments.detection.verdict import Verdict

_DATA = Path(__file__).with_name("mutations.toml")
_PYTHON = "3.12"


async def execute(bench: trial.Bench, chosen: Sequence[Mutation], jobs: int) -> list[Verdict]:
    """Judge the mutations, several at once; each is said as soon as it is known."""
    for mutation in chosen:  # all of them, before the first minute is spent
        bench.sdk.changed(mutation.file, functools.partial(mutations.mutate, mutation))
    print("the control: the suite, against the SDK as it is …", flush=True)
    print(f"  passed in {await trial.control(bench):.0f} s", flush=True)
    slots = asyncio.Semaphore(jobs)

    async def judged(mutation: Mutation) -> Verdict:
        async with slots:
            judgement = await trial.judge(bench, mutation)
        word = "caught" if judgement.caught else "no word of" if judgement.failure else "MISSED"
        print(f"  {word} {mutation.id} ({judgement.seconds} s)", flush=True)
        return judgement

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(judged(mutation)) for mutation in chosen]
    return [task.result() for task in tasks]


def _arguments(argv: Sequence[str]) -> tuple[argparse.Namespace, tuple[str, ...]]:
    own = list(argv[: argv.index("--")]) if "--" in argv else list(argv)
    parser = argparse.ArgumentParser(
        prog="nox -s detection --",
        description=__doc__.partition("\n")[0],
        epilog="After another -- stand the tests to run, as pytest takes them, instead of the whole suite.",
    )
    parser.add_argument("ids", nargs="*", metavar="ID", help="the mutations to try (default: all)")
    parser.add_argument("--list", action="store_true", help="show the mutations, and run nothing")
    parser.add_argument("--sdk", metavar="WHAT", help="the SDK to mutate (default: the newest line)")
    parser.add_argument("--python", metavar="X.Y", default=_PYTHON, help=f"of its cells (default: {_PYTHON})")
    parser.add_argument("-j", "--jobs", type=int, default=budget.cores(), metavar="N", help="cells at once")
    return parser.parse_args(own), tuple(argv[len(own) + 1 :])


def _run(told: argparse.Namespace, chosen: Sequence[Mutation], tests: tuple[str, ...]) -> int:
    if told.jobs < 1:
        raise UsageError(f"-j {told.jobs} is no number of cells", remedy="name 1 or more")
    matrix = project.load_matrix()
    sdk = matrix.newest if told.sdk is None else candidates.find(told.sdk, matrix)
    applicable = [mutation for mutation in chosen if mutation.applies_to(sdk.version)]
    if not applicable:
        raise UsageError(
            f"none of these mutations applies to honeyhive {sdk.version}",
            remedy="name others, or another release with --sdk",
        )
    folder = (project.RESULTS / lineage.run_id()).resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise project.unwritable(folder, error) from None
    started = time.monotonic()
    what = f"honeyhive {sdk.version} on Python {told.python}"
    print(f"{what}: {len(applicable)} mutations, {told.jobs} at once", flush=True)
    interpreter = interpreters.find(told.python)
    bench = trial.Bench(matrix, wheel.installed(sdk, interpreter), interpreter, folder, tests)
    try:
        verdicts = asyncio.run(execute(bench, applicable, told.jobs))
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
    left_out = [mutation for mutation in chosen if mutation not in applicable]
    (folder / "detection.json").write_text(verdict.to_json(sdk.version, verdicts, left_out), encoding="utf-8")
    print("\n".join(("", *verdict.table(verdicts))))
    print(f"in {time.monotonic() - started:.0f} s; {folder / 'detection.json'}")
    return 0 if all(one.caught for one in verdicts) else FAILED


@exit_on_error
def main() -> int:
    """Show the mutations, or try them."""
    told, tests = _arguments(sys.argv[1:])
    chosen = mutations.chosen(mutations.parse(_DATA.read_text(encoding="utf-8")), told.ids)
    if told.list:
        width = max(len(one.id) for one in chosen)
        print("\n".join(f"{one.id:{width}}  {one.sees}" for one in chosen))
        return 0
    return _run(told, chosen, tests)


if __name__ == "__main__":
    sys.exit(main())
