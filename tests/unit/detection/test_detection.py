"""The command itself, with the real SDK; what takes cells is a proof."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from environments import project
from tests.unit.conftest import PYTHON

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.conftest import Started

DETECTION = (sys.executable, "-m", "environments.detection")
# Sees whether a session was started, and nothing else.
SUITE = """
    import httpx
    from honeyhive import HoneyHiveTracer

    def test_a_session_is_started(target):
        tracer = HoneyHiveTracer.init(api_key=target.api_key, server_url=target.base_url, session_name="detection")
        answer = httpx.get(
            f"{target.base_url}/v1/sessions/{tracer.session_id}", headers={"Authorization": f"Bearer {target.api_key}"}
        )
        assert answer.status_code == 200
"""
FAILING = """
    import honeyhive

    def test_fails():
        assert False
"""
WITHIN_S = 240


def kept() -> set[str]:
    """Return what is kept of candidates: their wheels, and every venv."""
    folders = [folder for folder in (project.VENVS, project.CANDIDATES) if folder.exists()]
    return {path.name for folder in folders for path in folder.iterdir()}


def ended(started: Started) -> tuple[int, str]:
    """Return the status and the output of a command."""
    output, _ = started.process.communicate(timeout=WITHIN_S)
    return started.process.returncode, output


def test_the_mutations_are_listed_with_what_a_user_would_see(start: Callable[..., Started]) -> None:
    status, output = ended(start(*DETECTION, "--list"))

    assert status == 0, output
    (line,) = [line for line in output.splitlines() if line.startswith("parent-lost ")]
    assert line.endswith("every event hangs below the session: no trace is a tree")


def test_a_mutation_that_does_not_exist_is_refused_with_the_nearest(start: Callable[..., Started]) -> None:
    status, output = ended(start(*DETECTION, "parents-lost"))

    assert (status, "did you mean 'parent-lost'?" in output) == (2, True), output


@pytest.mark.proof
def test_a_suite_catches_what_it_looks_at_and_misses_the_rest_and_nothing_is_left_of_either(
    start: Callable[..., Started], suite: Callable[[str], str]
) -> None:
    before = kept()
    started = start(*DETECTION, "--python", PYTHON, "session-never-started", "duration-lost", "--", suite(SUITE))
    status, output = ended(started)

    assert status == 1, output
    assert "caught: 1 of 2 mutations" in output
    assert "NOT CAUGHT: every event takes no time" in output
    told: dict[str, Any] = json.loads((started.results / started.run_id / "detection.json").read_text(encoding="utf-8"))
    by_id = {one["id"]: [catch["test"] for catch in one["caught_by"]] for one in told["mutations"]}
    assert by_id == {
        "session-never-started": ["test_made_up.py::test_a_session_is_started"],
        "duration-lost": [],
    }
    assert kept() <= before


@pytest.mark.proof
def test_a_suite_that_does_not_pass_against_the_sdk_as_it_is_proves_nothing(
    start: Callable[..., Started], suite: Callable[[str], str]
) -> None:
    status, output = ended(start(*DETECTION, "--python", PYTHON, "session-never-started", "--", suite(FAILING)))

    assert (status, "the suite does not pass against honeyhive" in output) == (3, True), output
    assert "caught" not in output.partition("the control")[2].partition("error:")[0]
