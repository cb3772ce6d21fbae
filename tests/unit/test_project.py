from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from environments import project
from tests.unit.trees import copy_to, run

if TYPE_CHECKING:
    from pathlib import Path

LOAD = """
from environments import project
from environments.errors import exit_on_error
import sys
@exit_on_error
def main():
    project.load_matrix()
    return 0
sys.exit(main())
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy this project, to be changed."""
    return copy_to(tmp_path / "tree")


def test_the_declaration_is_a_matrix_with_the_sets_that_ci_names() -> None:
    matrix = project.load_matrix()

    assert {"slice", "pr", "nightly", "release"} <= {cell_set.name for cell_set in matrix.sets}
    assert [line.name for line in matrix.lines][:2] == ["1.0", "1.1"]


def test_every_release_has_its_facts() -> None:
    releases = project.load_releases()

    assert len({release.version for release in releases}) == len(releases)
    for release in releases:
        assert Version(release.version) >= Version("1.0.0")
        assert SpecifierSet(release.requires_python).contains("3.13.0")
        assert len(release.sha256) == 64
        assert release.uploaded.endswith("Z")


BROKEN = {
    "pyproject is no TOML": ("pyproject.toml", "[tool.matrix\n", "error: pyproject.toml is no TOML: "),
    "pyproject is no text": ("pyproject.toml", "\udcff", "error: pyproject.toml is no TOML: "),
    "no matrix": ("pyproject.toml", "[project]\n", "error: [tool.matrix] in pyproject.toml has no 'pythons'"),
    "matrix is no table": (
        "pyproject.toml",
        "[tool]\nmatrix = 3\n",
        "error: [tool.matrix] in pyproject.toml: 3 is no table",
    ),
    "releases are no JSON": (
        "environments/releases.json",
        "[",
        "error: environments/releases.json cannot be read: ",
    ),
    "releases are no list": (
        "environments/releases.json",
        '{"a": 1}',
        "error: environments/releases.json cannot be read: ",
    ),
    "a release lacks its hash": (
        "environments/releases.json",
        '[{"version": "1.0.0"}]',
        "error: environments/releases.json cannot be read: ",
    ),
    "a release has no version": (
        "environments/releases.json",
        '[{"version": "newest", "requires_python": "", "uploaded": "", "yanked": false, "sha256": ""}]',
        "error: environments/releases.json cannot be read: Invalid version: 'newest'",
    ),
    "a release forbids itself every Python": (
        "environments/releases.json",
        '[{"version": "1.0.0", "requires_python": "3", "uploaded": "", "yanked": false, "sha256": ""}]',
        "error: environments/releases.json cannot be read: Invalid specifier: '3'",
    ),
    "no releases": (
        "environments/releases.json",
        "[]",
        "error: there is no release of honeyhive from 1.0 on in environments/releases.json",
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_declaration_is_an_error_with_a_remedy(tree: Path, how: str) -> None:
    name, text, says = BROKEN[how]
    (tree / name).write_bytes(text.encode(errors="surrogateescape"))

    ended = run(tree, "-c", LOAD)

    assert ended.status == 2, ended
    assert ended.err.startswith(says), ended
    assert "what to do: " in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("name", ["pyproject.toml", "environments/releases.json"])
def test_a_declaration_that_is_missing_is_an_error_with_a_remedy(tree: Path, name: str) -> None:
    (tree / name).unlink()

    ended = run(tree, "-c", LOAD)

    assert ended.status == 2, ended
    assert ended.err.startswith(f"error: {name} cannot be read: "), ended


def test_no_source_is_ignored_by_git() -> None:
    """`results/` once took environments/results with it."""
    sources = [str(path.relative_to(project.ROOT)) for path in project.ROOT.glob("environments/**/*.py")]
    asked = subprocess.run(
        ["git", "check-ignore", "--no-index", *sources],  # noqa: S607 - the user's git
        cwd=project.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode == 128:
        pytest.skip("no git repository")

    assert asked.stdout == ""
