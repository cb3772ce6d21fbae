from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.unit.inside.running import Inside

LONG = """
import pytest

@pytest.mark.performance(long=True)
def test_long(measure): measure("minutes", 1, "min")

@pytest.mark.performance
def test_short(measure): measure("seconds", 1 / 3, "s")
"""
WORKERS = ("-p", "xdist", "-n", "2", "--dist", "loadgroup", "--max-worker-restart=0")


@pytest.fixture
def cell(inside: Inside) -> Inside:
    """Lay out a cell that tests honeyhive 1.2.0."""
    inside.aim()
    inside.install_sdk("1.2.0")
    return inside


@pytest.mark.parametrize("arguments", [(), WORKERS], ids=["alone", "workers"])
def test_a_long_test_that_nobody_asked_for_is_not_applicable_and_says_how_to_ask(
    cell: Inside, arguments: tuple[str, ...]
) -> None:
    ended = cell.pytest(LONG, *arguments)

    assert ended.status == 0, ended
    assert cell.phases()["test_long"]["setup"] == "not-applicable"
    (reason,) = {entry["reason"] for entry in cell.entries("phase") if entry["outcome"] == "not-applicable"}
    assert reason == "takes a minute; ask for it with `-m performance`"
    assert [entry["name"] for entry in cell.entries("measurement")] == ["seconds"]


@pytest.mark.parametrize("arguments", [(), WORKERS], ids=["alone", "workers"])
def test_a_long_test_that_was_asked_for_runs(cell: Inside, arguments: tuple[str, ...]) -> None:
    ended = cell.pytest(LONG, "-m", "performance", *arguments)

    assert ended.status == 0, ended
    told = {entry["name"]: (entry["value"], entry["unit"]) for entry in cell.entries("measurement")}
    assert told == {"minutes": (1, "min"), "seconds": (0.333333, "s")}


@pytest.mark.parametrize(
    ("test", "refusal"),
    [
        ("def test_one(measure): pass", "test_it.py::test_one measures; mark it @pytest.mark.performance"),
        (
            "import pytest\n@pytest.mark.performance\ndef test_one(measure): measure('x', float('nan'), 's')",
            "x is nan s: a measurement is a finite number",
        ),
    ],
    ids=["unmarked", "no number"],
)
def test_what_is_no_measurement_fails_its_test(cell: Inside, test: str, refusal: str) -> None:
    ended = cell.pytest(test)

    assert ended.status == 1
    assert refusal in ended.text
    assert cell.entries("measurement") == []
