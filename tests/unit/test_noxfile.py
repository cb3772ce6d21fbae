from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from environments import project
from environments.matrix import Environment
from tests.unit.trees import Ended, copy_to, run

if TYPE_CHECKING:
    from pathlib import Path

PEOPLES = [
    *("tests", "proofs", "browser", "matrix", "plan", "serve", "bench", "coverage", "compatibility", "cleanup"),
    *("detection", "releases", "lock"),
]


def _nox(*arguments: str, tree: Path = project.ROOT, cwd: Path | None = None) -> Ended:
    return run(tree, "-m", "nox", *arguments, cwd=cwd)


@pytest.fixture(scope="module")
def listed() -> list[dict[str, object]]:
    """List every cell, as nox writes it for programs."""
    ended = _nox("--list", "--json", "-t", *Environment)
    assert ended.status == 0, ended
    return list(json.loads(ended.out))


@pytest.fixture(scope="module")
def menu() -> list[tuple[str, str, str]]:
    """List every session, as nox writes it for people: its mark, its name and what it does."""
    ended = _nox("-l")
    assert ended.status == 0, ended
    return re.findall(r"^([*-]) (\S+)(?: \[.*\])? -> (.+)$", ended.out, re.MULTILINE)


def test_sessions_for_people_come_before_the_cells(menu: list[tuple[str, str, str]]) -> None:
    names = [name for _, name, _ in menu]
    first_cell = next(at for at, name in enumerate(names) if name.startswith("integration-"))

    assert names[:first_cell][: len(PEOPLES)] == PEOPLES
    assert all(name.startswith("integration-") for name in names[first_cell:])


def test_every_session_says_in_a_line_what_it_does(menu: list[tuple[str, str, str]]) -> None:
    assert [name for _, name, told in menu if not told.strip().endswith((".", "]."))] == []


def test_only_the_checks_of_a_contributor_are_selected_by_default(menu: list[tuple[str, str, str]]) -> None:
    assert [name for mark, name, _ in menu if mark == "*"] == ["tests"]


def test_every_cell_is_a_session_with_its_tags(listed: list[dict[str, object]]) -> None:
    assert {one["session"]: one["tags"] for one in listed} == {
        cell.name: list(cell.tags) for cell in project.load_matrix().plan().cells
    }


@pytest.mark.parametrize(
    ("selected", "set_name"), [(("-t", "pr"), "pr"), (("-t", "release"), "release"), (("-t", "slice"), "slice")]
)
def test_a_set_is_a_tag(selected: tuple[str, ...], set_name: str) -> None:
    ended = _nox("-l", *selected)

    chosen = re.findall(r"^\* (integration-\S+) \[", ended.out, re.MULTILINE)
    assert chosen == [cell.name for cell in project.load_matrix().plan(set_name).cells], ended


def test_importing_the_noxfile_brings_in_nothing_heavy() -> None:
    source = """
import sys, nox
before = set(sys.modules)
import noxfile
heavy = ("httpx", "pydantic", "pydantic_settings", "rich", "asyncio", "starlette", "uvicorn", "psutil", "sqlite3",
         "environments.profiles", "environments.services", "environments.venvs", "environments.results")
print(sorted(name for name in heavy if name in set(sys.modules) - before))
"""

    ended = run(project.ROOT, "-c", source)

    assert ended.out == "[]\n", ended


def test_the_noxfile_works_from_another_folder(tmp_path: Path) -> None:
    ended = _nox("-l", "-f", str(project.ROOT / "noxfile.py"), cwd=tmp_path)

    assert ended.status == 0, ended
    assert "integration-3.12-development" in ended.out


def test_a_cell_that_does_not_exist_is_refused() -> None:
    ended = _nox("-s", "integration-3.12-moon")

    assert ended.status != 0
    assert "integration-3.12-moon" in ended.err


def test_a_broken_declaration_is_told_without_a_traceback(tmp_path: Path) -> None:
    tree = copy_to(tmp_path / "tree")
    text = (tree / "pyproject.toml").read_text(encoding="utf-8")
    (tree / "pyproject.toml").write_text(text.replace('sdk = "newest"', 'sdk = "newst"'), encoding="utf-8")

    ended = _nox("-l", tree=tree)

    assert ended.status != 0
    assert (
        "error: [tool.matrix.sets.release] in pyproject.toml, sdk: 'newst' is no version specifier and no word of this "
        "axis (did you mean 'newest'?)"
    ) in ended.err, ended
    assert "Traceback" not in ended.err


def test_a_lone_session_ends_with_the_command_s_own_code() -> None:
    ended = _nox("-s", "plan", "--", "--set", "prs")

    assert ended.status == 2, ended
    assert "there is no set 'prs' (did you mean 'pr'?)" in ended.out + ended.err
