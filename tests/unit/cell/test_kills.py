"""What is left running, and what the record says, after every kind of kill.

Each kill once in `nox -s tests`; ten times each in `nox -s proofs -- -s`, which prints the table.
"""

from __future__ import annotations

import contextlib
import os
import pty
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.unit.conftest import CELL, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.conftest import Started

# A test that waits in each worker, with children in its group and such that left it, Pythons and others, and a thread.
WAITING = """
    import subprocess, sys, threading, time
    import pytest

    WAIT = "import time; time.sleep(600)"

    @pytest.mark.parametrize("number", range({tests}))
    def test_waits(number):
        subprocess.Popen([sys.executable, "-c", WAIT])
        subprocess.Popen([sys.executable, "-c", WAIT], start_new_session=True)
        subprocess.Popen(["sleep", "601"], start_new_session=True)
        subprocess.Popen(["sleep", "600"])
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
        time.sleep(600)
"""
GONE_WITHIN_S = 5


@dataclass(frozen=True)
class Kill:
    """Who is killed, by which signal, how often, and what the record then says."""

    victim: str
    signal: signal.Signals
    outcome: str
    reason: str
    times: int = 1

    def __str__(self) -> str:
        return f"{self.victim}-{self.signal.name}{'-twice' if self.times == 2 else ''}"


KILLS = [
    Kill("nox", signal.SIGKILL, "crashed", "the nox session that started it is gone, during "),
    Kill("nox", signal.SIGTERM, "crashed", "the nox session that started it is gone, during "),
    Kill("terminal", signal.SIGINT, "crashed", "interrupted by SIGTERM, during "),
    Kill("terminal", signal.SIGINT, "crashed", "", times=2),
    Kill("supervisor", signal.SIGKILL, "crashed", "the cell did not end: its supervisor was killed"),
    Kill("supervisor", signal.SIGTERM, "crashed", "interrupted by SIGTERM, during "),
    Kill("pytest", signal.SIGKILL, "crashed", "pytest ended with -9"),
    Kill("worker", signal.SIGKILL, "failed", "test_made_up.py::test_waits[0] error"),
    Kill("service", signal.SIGKILL, "crashed", "the service honeyhive was killed by SIGKILL, during "),
]
COMMANDS = {
    "supervisor": "environments.cell.supervisor",
    "pytest": "-m pytest",
    "service": "environments.services.honeyhive",
}


def find_victim(victim: str, started: Started) -> int:
    """Return the pid to kill; of the workers, the one whose test waits."""
    if victim == "worker":
        return psutil.Process(started.find("sleep 600")).ppid()
    return started.find(COMMANDS[victim]) if victim in COMMANDS else started.process.pid


def kill_and_look(kill: Kill, start: Callable[..., Started], suite: Callable[[str], str]) -> float:
    """Start a cell, kill, and return after how many seconds nothing of it was left; the record is checked."""
    # The tests of other workers go on, as they should, when one is killed: so there is one test then.
    tests = 1 if kill.victim == "worker" else 2
    started = start("nox", "-s", CELL, "--", suite(WAITING.format(tests=tests)), "-n", "2")
    until(
        lambda: sum(line == "sleep 600" for line in started.everyone().values()) == tests,
        "a waiting test in every worker",
        within=120,
    )
    victim = find_victim(kill.victim, started)
    send = os.killpg if kill.victim == "terminal" else os.kill
    send(victim, kill.signal)
    if kill.times > 1:
        log = started.results / started.run_id / CELL / "log.txt"
        until(lambda: "stopping" in log.read_text(encoding="utf-8"), "the effect of the first signal")
        with contextlib.suppress(ProcessLookupError):  # already gone: as good
            send(victim, kill.signal)
    seconds = started.gone_after(GONE_WITHIN_S)
    record = started.ended().record
    assert record["outcome"] == kill.outcome, record["reason"]
    assert record["reason"].startswith(kill.reason)
    return seconds


@pytest.mark.parametrize("kill", KILLS, ids=str)
def test_nothing_stays_running_and_the_record_tells_the_truth(
    kill: Kill, start: Callable[..., Started], suite: Callable[[str], str]
) -> None:
    kill_and_look(kill, start, suite)


def test_a_terminal_that_is_closed_ends_the_cell(start: Callable[..., Started], suite: Callable[[str], str]) -> None:
    """Writing to it is an error then, and nox is told to hang up."""
    terminal, slave = pty.openpty()
    started = start("nox", "-s", CELL, "--", suite(WAITING.format(tests=1)), "-n0", stdout=slave)
    os.close(slave)
    started.find("sleep 600")
    os.close(terminal)
    os.kill(started.process.pid, signal.SIGHUP)
    started.gone_after(GONE_WITHIN_S)
    record = started.ended().record
    assert (record["outcome"], record["finished"] is not None) == ("crashed", True)


def test_a_service_in_the_foreground_ends_with_its_nox(start: Callable[..., Started]) -> None:
    started = start("nox", "-s", "serve")
    said = started.process.stdout
    assert said is not None
    until(lambda: "ready" in said.readline(), "the service")
    os.kill(started.process.pid, signal.SIGKILL)
    started.gone_after(GONE_WITHIN_S)


@pytest.mark.proof
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kill", KILLS, ids=str)
def test_nothing_stays_running_in_ten_tries(
    kill: Kill, start: Callable[..., Started], suite: Callable[[str], str]
) -> None:
    tries = sorted(kill_and_look(kill, start, suite) for _ in range(10))
    print(
        f"\n{kill!s:22} 10 tries, left running 0, gone after {tries[0]:.2f}-{tries[-1]:.2f} s, record: {kill.outcome}"
    )
