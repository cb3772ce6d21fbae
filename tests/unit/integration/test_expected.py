"""tests/integration/expected.toml, held against the tests and the matrix that there are."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from environments import project
from environments.inside import expectations, target
from environments.inside.expectations import Where

if TYPE_CHECKING:
    from pathlib import Path

EXPECTED = expectations.parse((project.SUITE / expectations.FILE).read_text(encoding="utf-8"))


def aim(folder: Path) -> target.Target:
    """Return a target that nothing answers at: enough for collecting tests."""
    return target.Target(
        cell="integration-3.12-development",
        environment="development",
        resolution="highest",
        base_url="http://127.0.0.1:1",
        project=target.Project("p", "KEY"),
        other_project=None,
        writable=True,
        capabilities=(),
        timeout_s=1,
        run_name="hhm-collected",
        ledger=str(folder / "ledger.jsonl"),
    )


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """List the ids of the suite's tests. The SDK is not imported for that, nor are tests run."""
    folder: Path = tmp_path_factory.mktemp("collection")
    aim(folder).write(folder / "target.json")
    variables = {"PATH": os.defpath, "PYTHONPATH": str(project.ROOT), target.VARIABLE: str(folder / "target.json")}
    plugins = [f"-penvironments.inside.{name}" for name in ("applicability", "measurements", "read_only")]
    ini = ["-c", project.SUITE / "pytest.toml", "--rootdir", project.SUITE, *plugins]
    asked = subprocess.run(
        [sys.executable, "-m", "pytest", *map(str, ini), "--collect-only", "-q", str(project.SUITE)],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert asked.returncode == 0, asked.stdout + asked.stderr
    return [line for line in asked.stdout.splitlines() if "::" in line]


@pytest.fixture(scope="module")
def cells() -> list[Where]:
    """List the cells of the matrix, as expectations ask for them."""
    found = project.load_matrix().plan().cells
    return [Where(cell.sdk.version, cell.python, cell.environment.value, cell.resolution.value) for cell in found]


def test_every_entry_names_a_test(collected: list[str]) -> None:
    naming_none = [one.title for one in EXPECTED if not any(one.names(test) for test in collected)]

    assert naming_none == [], "delete these entries of expected.toml, or correct their `test`"


def test_every_entry_holds_in_a_cell_of_the_matrix(cells: list[Where]) -> None:
    in_none = [one.title for one in EXPECTED if not any(one.holds_in(cell) for cell in cells)]

    assert in_none == [], "delete these entries of expected.toml, or correct where they hold"


def test_no_entry_has_expired() -> None:
    today = dt.datetime.now(dt.UTC).date()
    expired = [f"{one.title} ({one.owner}, {one.expires})" for one in EXPECTED if one.expired(today)]

    assert expired == [], "look again at these entries of expected.toml: delete them, or give them another day"


def test_no_two_entries_expect_something_of_the_same_test_in_the_same_cell(
    collected: list[str], cells: list[Where]
) -> None:
    pairs = [
        (one.title, other.title)
        for one, other in itertools.combinations([one for one in EXPECTED if not one.whole_cell], 2)
        if any(one.names(test) and other.names(test) for test in collected)
        and any(one.holds_in(cell) and other.holds_in(cell) for cell in cells)
    ]

    assert pairs == []


def test_no_test_of_the_suite_expects_its_failure_by_a_mark_of_its_own() -> None:
    marked = [file.name for file in project.SUITE.rglob("*.py") if "xfail" in file.read_text(encoding="utf-8")]

    assert marked == [], "an expected failure belongs into expected.toml, with its reason, its owner and its expiry"
