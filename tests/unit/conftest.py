"""Fixtures that drive the real program: `run_cell` and `start_cell` run cells as a person would, in a process."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import psutil
import pytest

from environments import lineage, project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
CELL = f"integration-{PYTHON}-development"
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "SSL_CERT_FILE", "UV_CACHE_DIR", "PYENV_ROOT")


def clean_environment(**extra: str) -> dict[str, str]:
    """Return the environment of a person who has set nothing of ours, and `extra`."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | {"NOX_SCRIPT_MODE": "none"} | extra


@dataclass(frozen=True)
class Ended:
    """A command that has ended. Its repr is what a failed assertion shows."""

    command: tuple[str, ...] = field(repr=False)
    status: int
    output: str = field(repr=False)
    # The folder of its run.
    run: Path = field(repr=False)

    def __repr__(self) -> str:
        return f"{' '.join(self.command)}\nended with {self.status} and said\n{self.output}"

    @property
    def folder(self) -> Path:
        """The folder of the only cell that ran."""
        (found,) = self.run.glob("*/record.json")
        return found.parent

    @property
    def record(self) -> dict[str, Any]:
        """The record of the only cell that ran."""
        return dict(json.loads((self.folder / "record.json").read_text(encoding="utf-8")))


@dataclass
class Started:
    """A command that runs, and every process of its run."""

    process: subprocess.Popen[str]
    command: tuple[str, ...]
    run_id: str
    results: Path

    def everyone(self) -> dict[int, str]:
        """Return the command lines of the run's living processes, by pid."""
        found = {}
        for process in psutil.process_iter():
            try:
                told = process.environ()
                if process.status() != psutil.STATUS_ZOMBIE and any(self.run_id in value for value in told.values()):
                    found[process.pid] = " ".join(process.cmdline())
            except psutil.Error:
                continue
        return found

    def find(self, *words: str) -> int:
        """Wait for a process of the run whose command line holds all of these words."""
        return until(
            lambda: next((pid for pid, line in self.everyone().items() if all(word in line for word in words)), None),
            f"a process with {words}",
        )

    def gone_after(self, within: float) -> float:
        """Wait until no process of the run lives, and return how many seconds that took."""
        began = time.monotonic()
        while self.process.poll() is None or self.everyone():
            left = self.everyone()
            assert time.monotonic() - began < within, f"still running after {within} s: {left}"
            time.sleep(0.02)
        return time.monotonic() - began

    def ended(self) -> Ended:
        """Return the command once it has ended."""
        output, _ = self.process.communicate(timeout=60)
        return Ended(self.command, self.process.returncode, output, self.results / self.run_id)


def until(check: Callable[[], T | None], what: str, within: float = 60) -> T:
    """Wait for something to be there."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come within {within} s")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Started]]:
    """Start a command in this checkout as a run of its own; whatever is left of it is killed afterwards."""
    begun: list[Started] = []

    def start(*command: str, stdout: int = subprocess.PIPE, **extra: str) -> Started:
        run_id = f"test-{secrets.token_hex(6)}"
        results = tmp_path / "results"
        environment = clean_environment(
            **{lineage.RUN_VARIABLE: run_id, project.RESULTS_VARIABLE: str(results)} | extra,
        )
        process = subprocess.Popen(
            command,
            cwd=project.ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        begun.append(Started(process, command, run_id, results))
        return begun[-1]

    yield start
    for one in begun:
        for pid in one.everyone():
            os.kill(pid, signal.SIGKILL)
        if one.process.poll() is None:
            one.process.kill()
        one.process.wait()
        if one.process.stdout is not None:
            one.process.stdout.close()


@pytest.fixture
def start_cell(start: Callable[..., Started]) -> Callable[..., Started]:
    """Start a cell through its supervisor; `limit` is its time limit in seconds."""

    def start_cell(*arguments: str, cell: str = CELL, limit: float = 120, **extra: str) -> Started:
        supervisor = (sys.executable, "-m", "environments.cell.supervisor", "--time-limit-s", str(limit), cell)
        return start(*supervisor, "--", *arguments, **extra)

    return start_cell


@pytest.fixture
def run_cell(start_cell: Callable[..., Started]) -> Callable[..., Ended]:
    """Run a cell to its end."""

    def run_cell(*arguments: str, **options: Any) -> Ended:  # noqa: ANN401 - passed on
        return start_cell(*arguments, **options).ended()

    return run_cell


@pytest.fixture
def suite(tmp_path: Path) -> Callable[[str], str]:
    """Write a test module for a cell to run, and return its path."""

    def suite(source: str) -> str:
        path = tmp_path / "test_made_up.py"
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        return str(path)

    return suite
