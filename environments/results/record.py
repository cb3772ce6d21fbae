"""The record: what a cell leaves behind, `results/<run-id>/<cell>/record.json`.

Begun as `crashed` before anything else happens and replaced when the cell ends, so that a cell that was killed with
its supervisor has still told the truth. Everything drawn or decided later is a function of plan and records.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

SCHEMA = 1


class Outcome(StrEnum):
    """The outcome of a cell. Only `passed` is green."""

    PASSED = "passed"
    FAILED = "failed"
    NO_TESTS = "no-tests"
    NOT_RUN = "not-run"
    CRASHED = "crashed"
    TIMED_OUT = "timed-out"


# What a lone session ends with: 3 where the evidence is missing, 1 where there is some and it is bad.
EXIT_CODES = {
    Outcome.PASSED: 0,
    Outcome.FAILED: 1,
    Outcome.NO_TESTS: 3,
    Outcome.NOT_RUN: 3,
    Outcome.CRASHED: 1,
    Outcome.TIMED_OUT: 1,
}


class TestOutcome(StrEnum):
    """The outcome of a test. The order is of severity: the worst phase of a test is its outcome."""

    PASSED = "passed"
    NOT_APPLICABLE = "not-applicable"
    SKIPPED = "skipped"
    KNOWN_DEFECT = "known-defect"
    # It failed, and is registered as a test that may.
    FLAKY = "flaky"
    UNEXPECTED_PASS = "unexpected-pass"  # noqa: S105 - an outcome
    FAILED = "failed"
    ERROR = "error"


_BAD = (TestOutcome.UNEXPECTED_PASS, TestOutcome.FAILED, TestOutcome.ERROR)
_EXECUTED = (TestOutcome.PASSED, TestOutcome.KNOWN_DEFECT)


@dataclass(frozen=True)
class TestResult:
    """One test of a cell; `attempts` counts its runs."""

    id: str
    outcome: TestOutcome
    duration_s: float
    attempts: int
    reason: str


@dataclass(frozen=True)
class Sdk:
    """The SDK under test. `version` and `origin` (the imported file) are as imported inside the cell."""

    line: str
    version: str
    origin: str
    sha256: str | None


@dataclass(frozen=True)
class Breach:
    """Something that the fence refused, and the test that tried."""

    what: str
    event: str
    test: str


@dataclass(frozen=True)
class Record:
    """A record, as in record.json. Times are UTC in ISO 8601, durations seconds."""

    cell: str
    environment: str
    python: str
    resolution: str
    sdk: Sdk
    started: str
    outcome: Outcome = Outcome.CRASHED
    reason: str = "the cell did not end: its supervisor was killed"
    tests: tuple[TestResult, ...] = ()
    measurements: tuple[Mapping[str, Any], ...] = ()
    finished: str | None = None
    duration_s: float | None = None
    cpu_s: float | None = None
    workers: int | None = None
    base_url: str | None = None
    commit: str | None = None
    arguments: tuple[str, ...] = ()
    # Of the random order in which the tests ran.
    seed: int | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, int] = field(default_factory=lambda: {"created": 0, "deleted": 0, "left": 0})
    # What keeps the cell's processes in; None where it never came to that.
    fence: str | None = None
    # Summed up from the gateway's audit; a cell that talks to its own service has none.
    requests: Mapping[str, int] | None = None
    breaches: tuple[Breach, ...] = ()
    schema: int = SCHEMA

    @property
    def counts(self) -> dict[str, int]:
        """How many tests came out how. `flaky` counts those that passed on a later attempt, too."""
        counts = {outcome.value.replace("-", "_"): 0 for outcome in TestOutcome}
        for test in self.tests:
            counts[test.outcome.value.replace("-", "_")] += 1
        counts["flaky"] += sum(test.attempts > 1 and test.outcome is TestOutcome.PASSED for test in self.tests)
        return counts

    @property
    def executed(self) -> int:
        """How many tests ran and came out as they should."""
        return sum(test.outcome in _EXECUTED for test in self.tests)

    @property
    def bad_tests(self) -> tuple[TestResult, ...]:
        return tuple(test for test in self.tests if test.outcome in _BAD)

    def to_json(self) -> str:
        """Return the text of record.json."""
        return json.dumps({**asdict(self), "counts": self.counts}, indent=1) + "\n"


@dataclass(frozen=True)
class Ledger:
    """What the processes inside a cell told, put together."""

    tests: tuple[TestResult, ...] = ()
    unfinished: tuple[str, ...] = ()
    sdks: tuple[tuple[str, str], ...] = ()
    python: str | None = None
    seed: int | None = None
    packages: Mapping[str, str] = field(default_factory=dict)
    resources: Mapping[str, int] = field(default_factory=lambda: {"created": 0, "deleted": 0, "left": 0})
    # The tests that say of themselves that the gateway will refuse a write of theirs.
    expecting_refusals: frozenset[str] = frozenset()
    measurements: tuple[Mapping[str, Any], ...] = ()


def utc_now() -> str:
    """Return the time in UTC, ISO 8601, to the millisecond."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_ledger(lines: Iterable[str]) -> Ledger:
    """Put a cell's ledger together. A line cut short by a kill is left out; the test it was of counts as unfinished."""
    entries = [entry for entry in map(_entry, lines) if _well_formed(entry, _LEDGER.get(str(entry.get("entry"))))]
    phases: dict[str, list[dict[str, Any]]] = {}
    started: dict[str, None] = {}
    for entry in entries:
        if entry["entry"] == "phase":
            phases.setdefault(entry["test"], []).append(entry)
        elif entry["entry"] == "start":
            started.setdefault(entry["test"])
    finished = {test: own for test, own in phases.items() if own[-1]["when"] in _LAST_PHASES}
    states = {entry["name"]: entry["state"] for entry in entries if entry["entry"] == "resource"}
    cell = next((entry for entry in entries if entry["entry"] == "cell"), {})
    deleted = sum(state == "deleted" for state in states.values())
    return Ledger(
        tests=tuple(_test_result(test, own) for test, own in finished.items()),
        unfinished=tuple(test for test in started if test not in finished),
        sdks=tuple(dict.fromkeys((e["version"], e["origin"]) for e in entries if e["entry"] == "sdk")),
        expecting_refusals=frozenset(e["test"] for e in entries if e["entry"] == "expects-refused-write"),
        python=cell.get("python"),
        seed=cell.get("seed"),
        packages=cell.get("packages", {}),
        resources={"created": len(states), "deleted": deleted, "left": len(states) - deleted},
        measurements=tuple(
            {name: entry[name] for name in _LEDGER["measurement"]}
            for entry in entries
            if entry["entry"] == "measurement"
        ),
    )


def read_breaches(lines: Iterable[str]) -> tuple[Breach, ...]:
    """Put the fence's log together, each distinct breach once."""
    found: dict[Breach, None] = {}
    for line in filter(str.strip, lines):
        entry = _entry(line)
        # Half of a line, which a full disk leaves, still tells that there was a breach.
        readable = _well_formed(entry, _BREACH)
        told = (
            (entry["what"], entry["event"], entry["test"])
            if readable
            else ("what cannot be read", "unknown", "unknown")
        )
        found.setdefault(Breach(*told))
    return tuple(found)


def judged(
    record: Record, *, exit_status: int, imported: tuple[tuple[str, str], ...], unfinished: tuple[str, ...] = ()
) -> Record:
    """Return the record with the outcome that its evidence comes to.

    `imported` holds the version and the file of every SDK that a process of the cell imported, and `unfinished` the
    tests that were begun and did not end. pytest's statuses:
    0 passed, 1 tests failed, 2 interrupted (collection errors), 3 internal error, 4 usage error, 5 no tests collected.
    """
    if record.breaches:
        first, *rest = record.breaches
        more = f" (and {len(rest)} more)" if rest else ""
        return replace(
            record, outcome=Outcome.FAILED, reason=f"breach of the fence: {first.what} by {first.test}{more}"
        )
    if exit_status < 0 or exit_status == 3:
        return replace(record, outcome=Outcome.CRASHED, reason=f"pytest ended with {exit_status}")
    if record.bad_tests:
        return replace(record, outcome=Outcome.FAILED, reason=_named(record.bad_tests))
    if unfinished:
        reason = f"pytest ended with {exit_status}, during {', '.join(unfinished)}"
        return replace(record, outcome=Outcome.CRASHED, reason=reason)
    if exit_status not in (0, 5):
        return replace(record, outcome=Outcome.FAILED, reason=f"pytest ended with {exit_status}; see log.txt")
    if record.executed == 0:
        return replace(record, outcome=Outcome.NO_TESTS, reason=f"no test was executed ({_census(record)})")
    if [version for version, _ in imported] != [record.sdk.version]:
        told = ", ".join(f"{version} from {origin}" for version, origin in imported) or "none"
        return replace(
            record,
            outcome=Outcome.FAILED,
            reason=f"honeyhive {record.sdk.version} was to be tested, and imported was {told}",
        )
    return replace(record, outcome=Outcome.PASSED, reason="")


def scrubbed(record: Record, scrub: Callable[[str], str]) -> Record:
    """Return the record with every text in it scrubbed: test ids, reasons, breaches and arguments can hold a key."""
    clean: Record = _scrubbed(record, scrub)
    return clean


def _scrubbed(value: Any, scrub: Callable[[str], str]) -> Any:  # noqa: ANN401 - whatever a record is made of
    if isinstance(value, str) and not isinstance(value, StrEnum):
        return scrub(value)
    if isinstance(value, tuple):
        return tuple(_scrubbed(item, scrub) for item in value)
    if isinstance(value, dict):
        return {_scrubbed(key, scrub): _scrubbed(item, scrub) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _scrubbed(getattr(value, each.name), scrub) for each in fields(value)})
    return value


def write(record: Record, folder: Path) -> None:
    """Write record.json so that a reader finds the old one or the new one, never half of one."""
    partial = folder / f"record.json.{os.getpid()}"
    try:
        partial.write_text(record.to_json(), encoding="utf-8")
        partial.replace(folder / "record.json")
    finally:
        partial.unlink(missing_ok=True)


def point_latest_at(run: Path) -> None:
    """Make `results/latest` name this run."""
    link = run.parent / "latest"
    fresh = run.parent / f".latest.{os.getpid()}"
    fresh.symlink_to(run.name)
    fresh.replace(link)


def costs(results: Path) -> dict[str, float]:
    """Return seconds by cell name, of each cell's newest record that says how long it ran."""
    known: dict[str, tuple[str, float]] = {}
    for path in results.glob("*/*/record.json"):
        # A record of another schema, or none at all, costs nothing.
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            written = json.loads(path.read_text(encoding="utf-8"))
            newest_started, _ = known.get(written["cell"], ("", 0.0))
            seconds = float(written["duration_s"])
            if written["outcome"] == Outcome.PASSED and written["started"] >= newest_started:
                known[written["cell"]] = (written["started"], seconds)
    return {cell: seconds for cell, (_, seconds) in known.items()}


# What every entry holds: a line that lacks some of it was cut short, or is none of ours.
_LEDGER: dict[str, dict[str, Any]] = {
    "start": {"test": str},
    "phase": {"test": str, "when": str, "outcome": str, "duration_s": (int, float), "reason": str},
    "expects-refused-write": {"test": str},
    "resource": {"name": str, "state": str},
    "measurement": {"name": str, "value": (int, float), "unit": str},
    "sdk": {"version": str, "origin": str},
    "cell": {"python": str, "packages": dict},
}
_BREACH = {"what": str, "event": str, "test": str}
# The last one is xdist's, of a test whose worker died.
_LAST_PHASES = ("teardown", "collect", "???")


def _entry(line: str) -> dict[str, Any]:
    with contextlib.suppress(ValueError, RecursionError):
        entry = json.loads(line)
        if isinstance(entry, dict):
            return entry
    return {}


def _well_formed(entry: Mapping[str, Any], shape: Mapping[str, Any] | None) -> bool:
    return shape is not None and all(isinstance(entry.get(name), kind) for name, kind in shape.items())


def _test_result(test: str, phases: list[dict[str, Any]]) -> TestResult:
    severity = list(TestOutcome)
    worst = max(phases, key=lambda phase: severity.index(_test_outcome(phase["outcome"])))
    seconds = round(sum(float(phase["duration_s"]) for phase in phases), 4)
    # Each attempt ends with one teardown.
    attempts = max(1, sum(phase["when"] == "teardown" for phase in phases))
    return TestResult(test, _test_outcome(worst["outcome"]), seconds, attempts, worst["reason"])


def _test_outcome(word: str) -> TestOutcome:
    # A word that nobody here knows must not turn green.
    return TestOutcome(word) if word in set(TestOutcome) else TestOutcome.ERROR


def _named(tests: tuple[TestResult, ...]) -> str:
    first = tests[0]
    more = f" (and {len(tests) - 1} more)" if len(tests) > 1 else ""
    return f"{first.id} {first.outcome.value.replace('-', ' ')}{more}"


def _census(record: Record) -> str:
    some = [f"{count} {name.replace('_', ' ')}" for name, count in record.counts.items() if count]
    return ", ".join(some) or "none was collected"
