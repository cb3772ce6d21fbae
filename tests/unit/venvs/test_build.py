from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from environments import project
from environments.matrix import Candidate, SdkLine
from environments.venvs import build, lock
from environments.venvs.build import Recipe
from environments.venvs.interpreters import Interpreter
from tests.unit.declared import matrix, release
from tests.unit.trees import run

if TYPE_CHECKING:
    from pathlib import Path

INTERPRETER = Interpreter("3.12", "/usr/bin/python3.12", "3.12.1", "CPython 3.12.1 linux-x86_64 main Dec  8 2023")
LINE = SdkLine("1.0", release("1.0.2"))
CANDIDATE = Candidate("a.whl", "honeyhive @ file:///a.whl", "ab" * 32, ">=3.11", "9.9.9")
RECIPE = Recipe(INTERPRETER, LINE)


@pytest.mark.parametrize("sdk", [LINE, CANDIDATE], ids=["line", "candidate"])
def test_a_recipe_is_read_as_it_was_written(sdk: SdkLine | Candidate) -> None:
    recipe = Recipe(INTERPRETER, sdk)

    read = Recipe.from_json(recipe.to_json())

    assert read == recipe
    assert read.key == recipe.key


OTHERS = {
    "interpreter": Recipe(dataclasses.replace(INTERPRETER, path="/opt/python3.12"), LINE),
    "build of the interpreter": Recipe(dataclasses.replace(INTERPRETER, build="PyPy"), LINE),
    "release": Recipe(INTERPRETER, SdkLine("1.0", release("1.0.3"))),
    "line": Recipe(INTERPRETER, SdkLine("1.1", release("1.0.2"))),
    "candidate": Recipe(INTERPRETER, CANDIDATE),
    "other candidate of that version": Recipe(INTERPRETER, dataclasses.replace(CANDIDATE, sha256="cd" * 32)),
}


def test_the_key_changes_with_each_ingredient() -> None:
    keys = [RECIPE.key, *(recipe.key for recipe in OTHERS.values())]

    assert len(keys) == len(set(keys))


SAME = {
    "yanked": (RECIPE, Recipe(INTERPRETER, SdkLine("1.0", release("1.0.2", yanked=True)))),
    "origin of a candidate": (
        Recipe(INTERPRETER, CANDIDATE),
        Recipe(INTERPRETER, dataclasses.replace(CANDIDATE, origin="git+https://example.org/sdk")),
    ),
}


@pytest.mark.parametrize("what", SAME)
def test_the_key_does_not_change_with_what_is_not_installed(what: str) -> None:
    one, other = SAME[what]

    assert one.key == other.key


def test_the_key_changes_with_the_lock(tree: Path) -> None:
    source = f"from environments.venvs.build import Recipe; print(Recipe.from_json({RECIPE.to_json()!r}).key)"
    before = run(tree, "-c", source).out
    with (tree / "environments" / "locks" / "highest.txt").open("a") as file:
        file.write("one-more==1.0\n")
    after = run(tree, "-c", source).out
    (tree / "environments" / "locks" / "highest-sdk1.0.txt").write_text("its-own==1.0\n")
    own = run(tree, "-c", source).out

    assert len({before, after, own}) == 3
    assert before.strip() == RECIPE.key


def test_a_line_without_a_lock_of_its_own_shares_the_common_one() -> None:
    assert lock.cell_lock("0.0") == lock.cell_lock("") == lock.HIGHEST


def test_a_venv_that_was_not_finished_is_not_found(tree: Path) -> None:
    source = f"""
from environments import project
from environments.venvs import build
recipe = build.Recipe.from_json({RECIPE.to_json()!r})
venv = project.VENVS / recipe.key
print(build.find(recipe))
(venv / "bin").mkdir(parents=True)
print(build.find(recipe))
(venv / "complete").touch()
print(build.find(recipe) == venv / "bin" / "python")
"""
    assert run(tree, "-c", source).out == "None\nNone\nTrue\n"


def test_every_line_has_a_lock() -> None:
    assert all(build.Recipe(INTERPRETER, line).locked for line in project.load_matrix().lines)
    assert matrix().lines
