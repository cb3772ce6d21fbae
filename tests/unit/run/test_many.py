from __future__ import annotations

import json
import os
import pty
import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest

from environments import plan, project
from tests.unit.conftest import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.conftest import Started

MANY = (sys.executable, "-m", "environments.run.many", "--set", "slice", "--here")
PASSING = """
    import honeyhive

    def test_passes():
        assert honeyhive.__version__
"""
WAITING = """
    import time

    def test_waits():
        time.sleep(600)
"""
GONE_WITHIN_S = 5


def slice_here() -> set[str]:
    """Return the names of the slice's cells that this machine has the Python for."""
    matrix = project.load_matrix()
    here = plan.found_interpreters(matrix.pythons)
    return {cell.name for cell in matrix.plan("slice").cells if here[cell.python]}


def records(started: Started) -> dict[str, dict[str, Any]]:
    """Return the run's records by cell."""
    found = (started.results / started.run_id).glob("*/record.json")
    return {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in found}


def test_a_run_leaves_a_record_of_every_cell_and_the_plan_they_are_held_against(
    start: Callable[..., Started], suite: Callable[[str], str]
) -> None:
    started = start(*MANY, "--", suite(PASSING), "-n0")
    ended = started.ended()
    assert ended.status == 0, ended
    assert {name: record["outcome"] for name, record in records(started).items()} == dict.fromkeys(
        slice_here(), "passed"
    )
    planned = json.loads((started.results / started.run_id / "plan.json").read_text(encoding="utf-8"))
    assert {cell["name"] for cell in planned["cells"]} == slice_here()
    assert f"{len(slice_here())} of {len(slice_here())} cells passed" in ended.output
    assert "records: " in ended.output


def test_a_run_with_a_failing_cell_ends_with_1_and_names_the_test_and_the_log(
    start: Callable[..., Started], suite: Callable[[str], str]
) -> None:
    ended = start(*MANY, "--", suite("import honeyhive\n\ndef test_fails(): assert honeyhive is None"), "-n0").ended()
    assert ended.status == 1, ended
    assert "test_made_up.py::test_fails failed" in ended.output
    assert "log.txt" in ended.output


def test_a_run_that_lacks_evidence_ends_with_3(start: Callable[..., Started], suite: Callable[[str], str]) -> None:
    """Staging and production have no credentials here: their cells are not run, and none fails."""
    started = start(*MANY[:3], "--set", "release", "--here", "--", suite(PASSING), "-n0")
    ended = started.ended()
    assert ended.status == 3, ended
    told = {(record["environment"], record["outcome"]) for record in records(started).values()}
    assert told == {("development", "passed"), ("staging", "not-run"), ("production", "not-run")}
    assert "there is no key to it" in ended.output


def test_a_release_that_is_no_line_stands_in_for_the_lines(
    start: Callable[..., Started], suite: Callable[[str], str]
) -> None:
    started = start(*MANY, "--sdk", "1.0.0", "--", suite(PASSING), "-n0")
    assert started.ended().status == 0
    told = {(name.endswith("-candidate"), record["sdk"]["version"]) for name, record in records(started).items()}
    assert told == {(True, "1.0.0")}


def test_an_unknown_set_is_answered_with_the_nearest(start: Callable[..., Started]) -> None:
    ended = start(*MANY[:3], "--set", "developmnt").ended()
    assert ended.status == 2, ended
    assert "did you mean 'development'?" in ended.output


def test_in_a_terminal_a_live_board_shows_what_runs(start: Callable[..., Started], suite: Callable[[str], str]) -> None:
    """A pseudo-terminal takes the place of the person's."""
    master, slave = pty.openpty()
    started = start(*MANY, "--", suite(PASSING), "-n0", stdout=slave, TERM="xterm", COLUMNS="120")
    os.close(slave)
    shown = b""
    while True:
        try:
            shown += os.read(master, 65536)
        except OSError:  # nobody holds the terminal any more
            break
    os.close(master)
    started.process.wait()
    assert b"waiting" in shown
    assert b"\x1b[2K" in shown  # lines were taken back and drawn again
    assert f"{len(slice_here())}/{len(slice_here())}".encode() in shown


@pytest.mark.parametrize(
    ("victim", "number"),
    [
        pytest.param("run", signal.SIGKILL, id="run-SIGKILL"),
        pytest.param("run", signal.SIGTERM, id="run-SIGTERM"),
        pytest.param("run", signal.SIGINT, id="run-ctrl-c"),
        pytest.param("nox", signal.SIGKILL, id="nox-SIGKILL"),
    ],
)
def test_killing_a_run_leaves_nothing_running_and_no_false_record(
    start: Callable[..., Started], suite: Callable[[str], str], victim: str, number: signal.Signals
) -> None:
    started = start(*MANY, "-j", "2", "--", suite(WAITING), "-n0", "-v")
    logs = started.results / started.run_id
    until(
        lambda: any("test_made_up" in log.read_text() for log in logs.glob("*/log.txt")), "a waiting test", within=120
    )
    os.kill(started.process.pid if victim == "run" else started.find("inside.lifeline nox", "-j 2"), number)
    started.gone_after(GONE_WITHIN_S)
    assert started.ended().status != 0
    assert records(started)
    assert {record["outcome"] for record in records(started).values()} == {"crashed"}
