"""Records, made up."""

from __future__ import annotations

import json
from typing import Any

from environments.results.record import Record, Sdk, TestOutcome, TestResult

SDK = Sdk("1.2", "1.2.1", "/venv/honeyhive/__init__.py", "ab" * 32)
IMPORTED = (("1.2.1", "/venv/honeyhive/__init__.py"),)


def record(**changes: Any) -> Record:  # noqa: ANN401 - the fields of a record
    """Return a begun record, with these fields changed."""
    fields: dict[str, Any] = {
        "cell": "integration-3.12-development",
        "environment": "development",
        "python": "3.12.1",
        "resolution": "highest",
        "sdk": SDK,
        "started": "2026-11-22T12:00:00.000Z",
    }
    return Record(**fields | changes)


def result(outcome: str, name: str = "test_one", **changes: Any) -> TestResult:  # noqa: ANN401 - the fields of a result
    """Return a test's result."""
    fields: dict[str, Any] = {"duration_s": 0.5, "attempts": 1, "reason": ""}
    return TestResult(f"test_it.py::{name}", TestOutcome(outcome), **fields | changes)


def phase(when: str, outcome: str, test: str = "t", duration_s: object = 0.25, reason: str = "") -> str:
    """Return a line of the ledger: a phase of a test."""
    return json.dumps(
        {"entry": "phase", "test": test, "when": when, "outcome": outcome, "duration_s": duration_s, "reason": reason}
    )


def line(entry: str, **fields: object) -> str:
    """Return a line of the ledger."""
    return json.dumps({"entry": entry, **fields})
