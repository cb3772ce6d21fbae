"""The map from HoneyHive's guide to the suite: it names tests, and every one of them exists."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from environments import project

if TYPE_CHECKING:
    from pathlib import Path

MAP = (project.SUITE / "README.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`((?:\w+/)*test_\w+\.py::[^`]+)`", MAP)))


def _path(file: Path) -> str:
    return file.relative_to(project.SUITE).as_posix()


def _tests() -> set[str]:
    """Return the id of every test of the suite, without parameters."""
    return {
        f"{_path(file)}::{node.name}"
        for file in project.SUITE.rglob("test_*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


@pytest.fixture(scope="module")
def tests() -> set[str]:
    """Read the suite."""
    return _tests()


@pytest.mark.parametrize("test", NAMED)
def test_a_test_that_the_map_names_exists(test: str, tests: set[str]) -> None:
    assert test in tests


def test_every_module_of_the_suite_is_on_the_map() -> None:
    named = {test.partition("::")[0] for test in NAMED}
    missing = {_path(file) for file in project.SUITE.rglob("test_*.py")} - named

    assert missing == set(), "a module of the suite that the map leaves out: name one of its tests there"


def test_every_row_of_the_map_says_what_became_of_it() -> None:
    rows = [line.strip("|").split("|") for line in MAP.splitlines() if line.startswith("|")]

    assert len(rows) > 50
    assert [row for row in rows if len(row) != 2 or not row[1].strip()] == [row for row in rows if row == [" ", " "]]
