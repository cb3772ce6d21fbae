from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from environments import lineage, project

if TYPE_CHECKING:
    from collections.abc import Iterator

WITHIN_S = 10
# Says that it is up, and then which of its starters is gone.
WATCHER = """
import asyncio
from environments import lineage
async def watch():
    watching = asyncio.create_task(lineage.starter_gone())
    await asyncio.sleep(0)
    print("up", flush=True)
    print(await watching, flush=True)
asyncio.run(watch())
"""
# Starts a watcher that outlives it, and waits.
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {WATCHER!r}]); sys.stdin.readline()"


def test_a_run_id_sorts_by_time_and_is_nobody_else_s() -> None:
    ids = [lineage.new_run_id() for _ in range(50)]

    assert len(set(ids)) == 50
    assert [one[:15] for one in ids] == sorted(one[:15] for one in ids)
    assert all(re.fullmatch(r"\d{8}T\d{6}-[0-9a-f]{6}", one) for one in ids)


def test_a_process_belongs_to_the_run_that_its_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(lineage.RUN_VARIABLE, "mine")
    assert lineage.run_id() == "mine"

    monkeypatch.setenv(lineage.RUN_VARIABLE, "")
    assert lineage.run_id() != "mine"


def _start(code: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=project.ROOT,
        env={"PYTHONPATH": str(project.ROOT), **more},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def root() -> Iterator[subprocess.Popen[str]]:
    """Start what stands for the outermost nox."""
    with _start("import sys; sys.stdin.readline()") as process:
        yield process
        process.kill()


def test_the_death_of_the_parent_is_noticed() -> None:
    with _start(PARENT) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "up\n"

        parent.kill()

        assert parent.stdout.readline() == "the nox session that started it is gone\n"


def test_the_death_of_the_outermost_nox_is_noticed(root: subprocess.Popen[str]) -> None:
    with _start(WATCHER, **{lineage.ROOT_VARIABLE: str(root.pid)}) as watcher:
        assert watcher.stdout is not None
        assert watcher.stdout.readline() == "up\n"
        assert watcher.poll() is None

        root.kill()
        root.wait()

        assert watcher.stdout.readline() == "the nox that started the run is gone\n"


def test_another_user_s_process_is_alive() -> None:
    assert lineage._alive(1)
    assert lineage._alive(os.getpid())
