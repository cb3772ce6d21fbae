from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from environments.results import record
from environments.results.record import Outcome
from environments.run import board
from environments.run.board import Progress
from tests.unit.declared import matrix
from tests.unit.results.made_up import record as made_up
from tests.unit.results.made_up import result

if TYPE_CHECKING:
    from pathlib import Path

    from environments.matrix import Cell

CELLS = matrix(sets={"it": {"environment": "development", "sdk": "newest"}}).plan("it").cells
FINISHED = made_up(
    outcome=Outcome.FAILED,
    reason="test_it.py::test_one failed",
    tests=(result("passed"), result("known-defect", "test_two"), result("failed", "test_three")),
    finished="2026-11-22T12:00:10.000Z",
    duration_s=10.0,
    cpu_s=3.0,
)


def _leave(run: Path, cell: Cell, left: record.Record, log: str | None = None) -> None:
    folder = run / cell.name
    folder.mkdir(parents=True)
    record.write(dataclasses.replace(left, cell=cell.name), folder)
    if log is not None:
        (folder / "log.txt").write_text(log, encoding="utf-8")


def test_progress_is_read_from_the_records_in_the_order_of_the_cells(tmp_path: Path) -> None:
    first, second, third = CELLS
    _leave(tmp_path, second, made_up(), "begun\n\nrunning the tests …\n   \n")
    _leave(tmp_path, third, FINISHED)

    assert board.read(tmp_path, CELLS) == (
        Progress(first.name, started=False),
        Progress(second.name, started=True, last="running the tests …"),
        Progress(third.name, True, Outcome.FAILED, "test_it.py::test_one failed", 2, 10.0, 3.0),  # noqa: FBT003
    )


@pytest.mark.parametrize(("log", "last"), [(None, ""), ("", ""), ("one\ntwo", "two"), ("é" * 5000, "é" * 1000)])
def test_a_running_cell_shows_what_it_said_last(tmp_path: Path, log: str | None, last: str) -> None:
    _leave(tmp_path, CELLS[0], made_up(), log)

    assert board.read(tmp_path, CELLS[:1])[0].last == last


@pytest.mark.parametrize(
    ("progress", "code"),
    [
        (Progress("a", started=False), 3),
        (Progress("a", started=True), 1),
        *((Progress("a", started=True, outcome=outcome), code) for outcome, code in record.EXIT_CODES.items()),
    ],
)
def test_a_cell_counts_as_its_own_session_would_have(progress: Progress, code: int) -> None:
    assert progress.exit_code == code


def test_a_finished_cell_is_told_in_a_line() -> None:
    passed = Progress("a", started=True, outcome=Outcome.PASSED, tests=20, duration_s=12.34)
    failed = Progress("b", started=True, outcome=Outcome.FAILED, reason="[red]t[/red] failed", tests=1, duration_s=2)

    assert board._line(passed, "1/2").plain == "passed   a (20 tests, 12.3 s)  1/2"
    assert board._line(failed, "2/2").plain == "failed   b: [red]t[/red] failed (1 tests, 2.0 s)  2/2"


def test_a_run_is_summed_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    progress = [
        Progress("a", started=True, outcome=Outcome.PASSED, tests=20, duration_s=12.0, cpu_s=30.0),
        Progress("b", started=True, outcome=Outcome.FAILED, reason="t failed", tests=1, cpu_s=1.5),
        Progress("c", started=False),
        Progress("d", started=True),
    ]

    board.summarise(progress, tmp_path / "results" / "run", 60.25)

    assert capsys.readouterr().out.splitlines() == [
        "failed: b: t failed",
        "    see results/run/b/log.txt",
        "no record: c did not start; see results/run/nox.log",
        "crashed: d: its supervisor was killed",
        "    see results/run/d/log.txt",
        "1 of 4 cells passed, 21 tests (60.2 s, 31.5 s of CPU)",
        "records: results/run",
    ]


def test_an_empty_run_is_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board.summarise([], tmp_path, 0)

    assert capsys.readouterr().out.startswith("0 of 0 cells passed, 0 tests")
