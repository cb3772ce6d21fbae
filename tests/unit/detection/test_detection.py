"""The command itself, with the real SDK; what takes cells is a proof."""

from __future__ import annotations

import functools
import hashlib
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from environments import project
from environments.detection import mutation, wheel
from environments.detection.mutation import mutate
from environments.venvs import interpreters
from tests.unit.conftest import PYTHON

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.conftest import Started

DATA = (project.ROOT / "environments" / "detection" / "mutations.toml").read_text(encoding="utf-8")
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
# Other cells of this machine may hold every slot meanwhile.
WITHIN_S = 900


def left(*ids: str, scratch: Path) -> list[Path]:
    """Return what is still kept of the SDK as it is and of its mutations: wheels, and venvs built of them."""
    sdk = wheel.installed(project.load_matrix().newest, interpreters.find(PYTHON))
    by_id = {one.id: one for one in mutation.parse(DATA)}
    mutated = [sdk.changed(by_id[name].file, functools.partial(mutate, by_id[name])) for name in ids]
    hashes = {hashlib.sha256(one.pack(scratch).read_bytes()).hexdigest() for one in (sdk, *mutated)}
    origins = project.VENVS.glob("*/lib/*/site-packages/honeyhive-*.dist-info/direct_url.json")
    return [
        *(project.CANDIDATES / one for one in hashes if (project.CANDIDATES / one).exists()),
        *(path for path in origins if any(one in path.read_text(encoding="utf-8") for one in hashes)),
    ]


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
@pytest.mark.timeout(WITHIN_S)
def test_a_suite_catches_what_it_looks_at_and_misses_the_rest_and_nothing_is_left_of_either(
    start: Callable[..., Started], suite: Callable[[str], str], tmp_path: Path
) -> None:
    ids = ("session-never-started", "duration-lost")
    started = start(*DETECTION, "--python", PYTHON, *ids, "--", suite(SUITE))
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
    assert left(*ids, scratch=tmp_path / "wheels") == []
    assert list(started.results.rglob("*.whl")) == []


@pytest.mark.proof
@pytest.mark.timeout(WITHIN_S)
def test_a_suite_that_does_not_pass_against_the_sdk_as_it_is_proves_nothing(
    start: Callable[..., Started], suite: Callable[[str], str]
) -> None:
    status, output = ended(start(*DETECTION, "--python", PYTHON, "session-never-started", "--", suite(FAILING)))

    assert (status, "the suite does not pass against honeyhive" in output) == (3, True), output
    assert "caught" not in output.partition("the control")[2].partition("error:")[0]
