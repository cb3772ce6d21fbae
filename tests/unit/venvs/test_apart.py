from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from environments import project
from environments.inside import lifeline
from environments.matrix import SdkLine
from environments.venvs import apart
from environments.venvs.build import Recipe
from environments.venvs.interpreters import Interpreter
from tests.unit.declared import release

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Path]:
    """Hold a lifeline."""
    descriptor = lifeline.hold(tmp_path / "lifeline")
    yield tmp_path / "lifeline"
    os.close(descriptor)


def test_a_module_that_ends_well_says_nothing(held: Path) -> None:
    assert asyncio.run(apart.run("this", "", held)) is None


def test_a_module_that_fails_is_quoted(held: Path) -> None:
    said = asyncio.run(apart.run("environments.no_such_module", "", held))

    assert said is not None
    assert "No module named environments.no_such_module" in said


def test_a_module_that_dies_without_a_word_is_told_by_its_status(tmp_path: Path) -> None:
    """A build that waits for another one's lock, and whose lifeline nobody holds."""
    recipe = Recipe(Interpreter("3.12", "/made/up", "3.12.1", "made up"), SdkLine("1.0", release("1.0.2")))
    project.VENVS.mkdir(parents=True, exist_ok=True)
    lock = project.VENVS / f"{recipe.key}.lock"
    try:
        with FileLock(lock):
            said = asyncio.run(apart.run("environments.venvs.build", recipe.to_json(), tmp_path / "gone"))
    finally:
        lock.unlink(missing_ok=True)

    assert said == "it ended with -9 and said nothing"
