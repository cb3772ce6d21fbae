from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest

from environments import project
from environments.inside import expectations
from environments.inside.expectations import Where
from environments.results import compatibility
from environments.results.compatibility import BEGIN, END, Line
from environments.results.record import Outcome, Record
from environments.run.compatibility import declared
from tests.unit.results.made_up import SDK, record, result

LINES = [
    Line(name, tuple(Where(version, python, "development", "highest") for python in ("3.11", "3.12")))
    for name, version in (("1.0", "1.0.2"), ("1.1", "1.1.0"))
]


def expected(*entries: tuple[str, str, str]) -> tuple[expectations.Expectation, ...]:
    """Read entries made of a kind, a reason, and where they hold."""
    common = 'test = "t"\nreference = "none"\nowner = "sdk"\nexpires = 2027-01-31\n'
    written = [
        f'[[expected]]\n{common}kind = "{kind}"\nreason = "{reason}"\n{where}\n'
        + ('failure = "x"\n' if kind == "known-defect" else "")
        for kind, reason, where in entries
    ]
    return expectations.parse('teams = ["sdk"]\n' + "".join(written))


def test_a_row_says_in_which_lines_something_does_not_hold() -> None:
    known = expected(
        ("flaky", "it wobbles", ""),
        ("missing-feature", "it is not there", 'sdk = "<1.1"'),
        ("known-defect", "it is lost", ""),
        ("known-defect", "it is lost on one Python", 'python = "==3.12"'),
        ("known-defect", "a | b", 'sdk = ">=1.1"'),
    )

    assert compatibility.table(known, LINES).splitlines() == [
        "|  | 1.0 | 1.1 |",
        "| --- | :-: | :-: |",
        "| it is lost | ✗ | ✗ |",
        "| it is lost on one Python | (✗) | (✗) |",
        r"| a \| b |  | ✗ |",
        "| it is not there | ∅ |  |",
        "| it wobbles | ~ | ~ |",
    ]


def test_several_tests_of_one_defect_are_one_row() -> None:
    known = expected(("known-defect", "it is lost", 'sdk = "<1.1"'), ("known-defect", "it is lost", 'sdk = ">=1.1"'))

    assert compatibility.table(known, LINES).splitlines()[2:] == ["| it is lost | ✗ | ✗ |"]


def test_the_newest_record_of_a_cell_says_what_came_out() -> None:
    def written(one: Record) -> dict[str, object]:
        return {**asdict(one), "counts": one.counts}

    passed = record(tests=(result("passed"), result("known-defect", "test_two")), outcome=Outcome.PASSED)
    old = replace(passed, sdk=replace(SDK, line="1.0"), started="2026-11-21", tests=())
    records = [
        written(replace(passed, sdk=replace(SDK, line="1.0"))),
        written(old),
        written(replace(passed, sdk=replace(SDK, line="1.1"), python="3.9.1", outcome=Outcome.FAILED)),
    ]

    assert compatibility.table((), LINES, json.loads(json.dumps(records))).splitlines()[2:] == [
        "| Python 3.9: tests that passed |  | failed |",
        "| Python 3.12: tests that passed | 1 |  |",
    ]


def test_a_document_has_its_table_replaced_and_nothing_else() -> None:
    assert compatibility.replaced(f"a\n{BEGIN}\nold\n{END}\nb", "new") == f"a\n{BEGIN}\nnew\n{END}\nb"
    with pytest.raises(ValueError, match="there is no <!-- compatibility"):
        compatibility.replaced("a", "new")


def test_the_table_of_the_readme_is_what_is_expected_of_the_declared_lines() -> None:
    readme = (project.ROOT / "README.md").read_text(encoding="utf-8")

    assert compatibility.replaced(readme, compatibility.table(*declared())) == readme, "run `nox -s compatibility`"
