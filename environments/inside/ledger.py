"""The ledger: what happens inside a cell, a JSON line each as it happens, so that a killed cell has told so far.

{"entry": "start", "test": ID}
{"entry": "phase", "test": ID, "when": …, "outcome": …, "duration_s": …, "reason": …}
{"entry": "expects-refused-write", "test": ID}
{"entry": "resource", "name": …, "state": "created" | "deleted"}
{"entry": "measurement", "name": …, "value": …, "unit": …}
{"entry": "sdk", "version": …, "origin": …}                what a process that ran tests has imported
{"entry": "cell", "python": …, "packages": {name: version}, "seed": …}    the seed of a random order, or null
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sys
from typing import Any

import pytest

from environments.inside import order, target

# Reports carry this through xdist: an outcome that pytest has no word for.
OUTCOME_PROPERTY = "matrix_outcome"


# Looked up before any test runs: a test may empty the environment.
_found: str | None = None


def write(**entry: Any) -> None:  # noqa: ANN401 - JSON
    """Append one entry. Lines of several processes don't mix: one write each, appended."""
    path = _found or _path()
    if path is None:
        return
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, (json.dumps(entry) + "\n").encode())
    os.close(descriptor)


def _path() -> str | None:
    aim = target.load()
    return None if aim is None else aim.ledger


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


class _Controller:
    """Writes what the tests did: in the one process that every report reaches."""

    def __init__(self) -> None:
        self._pid = os.getpid()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        write(entry="start", test=test_id(nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if os.getpid() != self._pid:
            # A child that a test forked and that did not end there: it must not go on as a second pytest.
            os._exit(1)
        write(
            entry="phase",
            test=test_id(report.nodeid),
            when=report.when,
            outcome=_outcome(report),
            duration_s=round(report.duration, 4),
            reason=_reason(report),
            worker=getattr(report, "worker_id", "main"),
        )

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            write(
                entry="phase", test=report.nodeid, when="collect", outcome="error", duration_s=0, reason=_reason(report)
            )


def pytest_configure(config: pytest.Config) -> None:
    global _found  # noqa: PLW0603 - one process, one ledger
    _found = _path()
    if not _is_worker(config):
        config.pluginmanager.register(_Controller(), "matrix-ledger-controller")


def pytest_sessionfinish(session: pytest.Session) -> None:
    sdk = sys.modules.get("honeyhive")
    if sdk is not None:
        write(entry="sdk", version=importlib.metadata.version("honeyhive"), origin=sdk.__file__)
    if not _is_worker(session.config):
        packages = {found.name: found.version for found in importlib.metadata.distributions()}
        seed = order.seed(session.config)
        write(entry="cell", python=platform.python_version(), packages=packages, seed=seed)


def test_id(nodeid: str) -> str:
    """Return the id that a test has without workers too: with them, xdist appends the `@name` of its xdist_group."""
    test, at, group = nodeid.rpartition("@")
    # The @ of a folder has the test's name after it, and that of a parameter its closing bracket.
    return nodeid if not at or ":" in group or "]" in group else test


def _outcome(report: pytest.TestReport) -> str:
    told = dict(report.user_properties).get(OUTCOME_PROPERTY)
    if told and not report.passed:
        return str(told)
    if hasattr(report, "wasxfail"):
        return "known-defect" if report.skipped else "unexpected-pass"
    if report.failed and "[XPASS(strict)]" in str(report.longrepr):
        return "unexpected-pass"
    if report.failed:
        return "failed" if report.when == "call" else "error"
    return str(report.outcome)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    longrepr = report.longrepr
    if told := str(getattr(report, "wasxfail", "")):
        return told.removeprefix("reason: ")
    if isinstance(longrepr, tuple):  # a skip: (path, line, "Skipped: reason")
        return longrepr[2].removeprefix("Skipped: ")
    crash = getattr(longrepr, "reprcrash", None)
    if crash is not None:
        return str(crash.message)
    return "" if longrepr is None else str(longrepr)
