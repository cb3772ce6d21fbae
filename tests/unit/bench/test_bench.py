from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from environments import project
from environments.bench import wire
from environments.bench.load import Job, Loaded, run
from environments.errors import ServiceFailed
from tests.unit.services.honeyhive.running import supervised

if TYPE_CHECKING:
    from pathlib import Path

_FEW = ("--seconds", "0.1", "--rounds", "1", "--spans", "2000")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """Run the whole bench, briefly, and return what it prints and writes."""
    results: Path = tmp_path_factory.mktemp("results")
    done = subprocess.run(
        [sys.executable, "-m", "environments.bench", *_FEW],
        cwd=project.ROOT,
        env={**os.environ, project.RESULTS_VARIABLE: str(results)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (written,) = results.glob("bench-*.json")
    return done.stdout, json.loads(written.read_text())


@pytest.mark.proof
def test_every_promise_has_its_figure(report: tuple[str, dict[str, Any]]) -> None:
    names = [figure["name"] for figure in report[1]["figures"]]
    assert [name for name in names if name.startswith("OTLP")] == [
        f"OTLP {kind}, {spans} a request" for kind in ("json", "x-protobuf") for spans in (1, 50, 500)
    ]
    for promise in ("start-up", "POST /session/start, p99", "export of 10,000 events, p50", "memory", "export of 50"):
        assert any(name.startswith(promise) for name in names), promise


@pytest.mark.proof
def test_what_is_printed_is_what_is_written(report: tuple[str, dict[str, Any]]) -> None:
    printed, written = report
    for figure in written["figures"]:
        (line,) = [line for line in printed.splitlines() if line.startswith(figure["name"] + " ")]
        assert f"{figure['value']:.2f} {figure['unit']}" in line
        assert ("missed" in line) is (figure["met"] is False)


def test_the_load_stops_at_a_server_that_refuses() -> None:
    with supervised() as service, pytest.raises(ServiceFailed, match="401"):
        run(Job(service.url, wire.session_start(), connections=1, requests=1))


def test_the_load_sends_what_it_was_asked_to() -> None:
    with supervised(projects=[{"name": "bench", "keys": ["bench"]}]) as service:
        loaded = run(Job(service.url, wire.traces(wire.JSON, 3), connections=2, requests=10))
        exported = service.http.post("/v1/events/export", json={}, headers={"Authorization": "Bearer bench"}).json()
    assert len(loaded.times_ms) == 10
    assert exported["totalEvents"] == 30


def test_a_percentile_is_a_time_that_was_measured() -> None:
    loaded = Loaded(1, 0.5, (1.0, 2.0, 3.0, 4.0))
    assert [loaded.percentile(share) for share in (0, 0.5, 0.99, 1)] == [1, 3, 4, 4]
    assert (loaded.per_second, loaded.busy) == (4, 0.5)
