from __future__ import annotations

import re
import subprocess
import sys

import pytest

from environments import project
from environments.profiles import settings_table

README = (project.ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (project.ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_settings_table_of_the_readme_is_that_of_the_profiles() -> None:
    section = README.partition("<!-- settings")[2].partition("<!-- /settings")[0]
    shown = [line for line in section.splitlines() if line.startswith("| `")]
    declared = [
        f"| {' / '.join(f'`{name}`' for name in row.variables)} | {row.purpose} | {row.default} |"
        for row in settings_table()
    ]
    assert shown == declared


@pytest.fixture(scope="module")
def sessions() -> set[str]:
    """List the sessions that nox knows."""
    asked = subprocess.run(
        [sys.executable, "-m", "nox", "-f", str(project.ROOT / "noxfile.py"), "-l"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "", "NOX_SCRIPT_MODE": "none"},
    )
    return set(re.findall(r"^[*-] ([\w.-]+)", asked.stdout, re.MULTILINE))


@pytest.mark.parametrize("document", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_every_session_that_a_document_names_exists(document: str, sessions: set[str]) -> None:
    named = set(re.findall(r"nox -s ([\w.-]+)", document))
    assert named
    assert named <= sessions, named - sessions


def test_every_dependency_has_its_reason_in_contributing() -> None:
    dependencies = project.load_pyproject()["project"]["dependencies"]
    names = [re.split(r"[\[<>=]", requirement)[0] for requirement in dependencies]
    table = CONTRIBUTING.partition("## Dependencies")[2]
    assert [name for name in names if name not in table] == []
