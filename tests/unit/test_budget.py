from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

from environments import budget, project
from environments.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Takes slots, says how many, and holds them until it is told to let go.
HOLDER = """
import asyncio, pathlib, sys
from environments import budget
async def hold():
    leased = await budget.lease(int(sys.argv[2]), print, folder=pathlib.Path(sys.argv[1]), slots=int(sys.argv[3]))
    print(len(leased.locks), flush=True)
    sys.stdin.readline()
    leased.release()
asyncio.run(hold())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of slots that is not there yet."""
    return tmp_path / "of" / "slots"


def _hold(folder: Path, wanted: int, slots: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), str(wanted), str(slots)],
        cwd=project.ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def other(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start another process that holds two of two slots."""
    with _hold(folder, 2, 2) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "2\n"
        yield process
        process.kill()


def _take(folder: Path, wanted: int, slots: int, said: list[str] | None = None) -> budget.Lease:
    said = [] if said is None else said
    return asyncio.run(asyncio.wait_for(budget.lease(wanted, said.append, folder=folder, slots=slots), 30))


@pytest.mark.parametrize(("wanted", "slots", "held"), [(1, 4, 1), (3, 4, 3), (9, 4, 4)])
def test_a_lease_takes_up_to_as_many_as_are_wanted(folder: Path, wanted: int, slots: int, held: int) -> None:
    lease = _take(folder, wanted, slots)

    assert len(lease.locks) == held
    lease.release()


def test_a_lease_takes_what_is_left(folder: Path) -> None:
    first = _take(folder, 3, 4)
    second = _take(folder, 3, 4)

    assert len(second.locks) == 1
    first.release()
    second.release()


def test_what_was_released_is_free_again(folder: Path) -> None:
    _take(folder, 2, 2).release()
    lease = _take(folder, 2, 2)

    assert len(lease.locks) == 2
    lease.release()


async def _wait_and(folder: Path, said: list[str], act: Callable[[], object]) -> budget.Lease:
    """Ask for a slot where none is free, act once it was said, and return the lease."""
    told = asyncio.Event()

    def say(text: str) -> None:
        said.append(text)
        told.set()

    waiting = asyncio.create_task(budget.lease(2, say, folder=folder, slots=2))
    await told.wait()
    assert not waiting.done()
    act()
    return await asyncio.wait_for(waiting, 30)


def test_a_lease_waits_and_says_so_once(folder: Path, other: subprocess.Popen[str]) -> None:
    said: list[str] = []

    def let_go() -> None:
        other.communicate("let go\n", timeout=30)

    lease = asyncio.run(_wait_and(folder, said, let_go))

    assert lease.locks
    assert said == ["waiting for a free worker slot (2 on this machine, all taken by other cells) …"]
    lease.release()


def test_a_killed_holder_frees_its_slots(folder: Path, other: subprocess.Popen[str]) -> None:
    lease = asyncio.run(_wait_and(folder, [], other.kill))

    assert lease.locks
    lease.release()


def test_never_more_than_the_slots_are_held(folder: Path, tmp_path: Path) -> None:
    """Six processes share three slots; each says what it holds in a file of its own, and takes it back."""
    source = textwrap.dedent(
        """
        import asyncio, os, pathlib, sys
        from environments import budget
        folder, told = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
        async def work():
            for _ in range(5):
                lease = await budget.lease(2, lambda text: None, folder=folder, slots=3)
                held = [told / str(number) for number in range(len(lease.locks))]
                mine = [told / f"{os.getpid()}-{number}" for number in range(len(lease.locks))]
                for one in mine: one.touch()
                assert len(list(told.iterdir())) <= 3, list(told.iterdir())
                await asyncio.sleep(0)
                for one in mine: one.unlink()
                lease.release()
        asyncio.run(work())
        """
    )
    told = tmp_path / "told"
    told.mkdir()
    command = [sys.executable, "-c", source, str(folder), str(told)]
    workers = [subprocess.Popen(command, cwd=project.ROOT) for _ in range(6)]

    assert [worker.wait(60) for worker in workers] == [0] * 6


@pytest.mark.parametrize(("told", "wanted"), [("3", 3), ("", budget.cores()), (None, budget.cores())])
def test_a_cell_wants_what_its_run_says_or_every_core(
    monkeypatch: pytest.MonkeyPatch, told: str | None, wanted: int
) -> None:
    monkeypatch.delenv(budget.VARIABLE, raising=False)
    if told is not None:
        monkeypatch.setenv(budget.VARIABLE, told)

    assert budget.wanted() == wanted


@pytest.mark.parametrize("told", ["0", "-1", "many"])
def test_a_number_of_workers_that_is_none_is_an_error(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    monkeypatch.setenv(budget.VARIABLE, told)

    with pytest.raises(UsageError, match=f"MATRIX_WORKERS is {told!r}"):
        budget.wanted()


def test_the_slots_of_a_machine_are_those_of_its_user() -> None:
    assert str(os.getuid()) in budget.machine_wide().parts[-2]
