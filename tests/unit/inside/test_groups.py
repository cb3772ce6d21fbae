from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.inside.running import Inside

OF_TWO_GROUPS = """
import pytest

@pytest.mark.parametrize("number", [
    pytest.param(number, marks=pytest.mark.xdist_group(("even", "odd")[number % 2])) for number in range(12)
])
def test_one(number): pass

@pytest.mark.parametrize("number", range(4))
def test_of_no_group(number): pass
"""


def test_the_tests_of_a_group_all_run_in_one_worker(inside: Inside) -> None:
    inside.aim()
    inside.install_sdk("1.2.0")

    ended = inside.pytest(OF_TWO_GROUPS, "-p", "xdist", "-n", "2", "--dist", "loadgroup")

    assert ended.status == 0, ended
    ran = {entry["test"].rpartition("::")[2]: entry["worker"] for entry in inside.entries("phase")}
    assert len(ran) == 16
    for first in (0, 1):
        workers = {ran[f"test_one[{number}]"] for number in range(first, 12, 2)}
        assert len(workers) == 1, ran


def test_without_workers_a_group_is_no_hindrance(inside: Inside) -> None:
    inside.aim()
    inside.install_sdk("1.2.0")

    ended = inside.pytest(OF_TWO_GROUPS, "-p", "no:xdist")

    assert ended.status == 0, ended
    assert {entry["worker"] for entry in inside.entries("phase")} == {"main"}
