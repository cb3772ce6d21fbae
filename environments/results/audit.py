"""The gateway's audit as evidence: how many requests went through, and which tests tried what they may not. Pure."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from environments.inside.target import LONGEST_TEST_ID
from environments.results.record import TestOutcome, TestResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FORWARDED, _REFUSED, _UNREADABLE = "forwarded", "refused", "unreadable"
_COUNTED = {(_FORWARDED, "read"): "reads", (_FORWARDED, "write"): "writes"}
_PERCENTS = (50, 90, 99)
# Whose a request is that came with a key of no test: a made-up one, or none at all.
_NOBODY = "a key of no test"


@dataclass(frozen=True)
class Audit:
    """`requests` as in the record, None where there was no gateway; and what was refused, by test: `POST /events`.

    `measurements` are percentiles of how long the upstream took, as in the record.
    """

    requests: Mapping[str, int] | None = None
    refused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    measurements: tuple[Mapping[str, Any], ...] = ()


def read(lines: Iterable[str]) -> Audit:
    """Sum an audit up. Half of a line, which a kill or a full disk leaves, counts as unreadable."""
    entries = [_entry(line) for line in lines]
    counts = Counter(
        _UNREADABLE if entry is None else _COUNTED.get((entry["decision"], entry["effect"]), entry["decision"])
        for entry in entries
    )
    refused: dict[str, dict[str, None]] = {}
    for entry in entries:
        if entry is not None and entry["decision"] == _REFUSED:
            refused.setdefault(entry["test"] or _NOBODY, {}).setdefault(f"{entry['method']} {entry['path']}")
    requests = {name: counts.pop(name, 0) for name in ("reads", "writes", _REFUSED)} | dict(sorted(counts.items()))
    took = [entry["ms"] - entry["waited_ms"] for entry in entries if entry is not None and _timed(entry)]
    return Audit(requests, {test: tuple(tried) for test, tried in refused.items()}, _percentiles(took))


def _timed(entry: Mapping[str, Any]) -> bool:
    """Return whether a line tells how long the upstream took for one answer."""
    told = all(isinstance(entry.get(name), int) for name in ("ms", "waited_ms"))
    return told and entry["decision"] == _FORWARDED and entry.get("tries") == 1


def _percentiles(took: list[int]) -> tuple[Mapping[str, Any], ...]:
    if len(took) < 2:
        return ()
    cuts = statistics.quantiles(took, n=100, method="inclusive")
    return tuple(
        {"name": f"upstream.latency.p{percent}", "value": round(cuts[percent - 1], 1), "unit": "ms"}
        for percent in _PERCENTS
    )


def held_against(tests: tuple[TestResult, ...], audit: Audit, expecting: frozenset[str]) -> tuple[TestResult, ...]:
    """Fail each test that tried a write which the gateway refused, unless it says of itself that it will.

    For a cell that only reads. What came from no test that ended (an import, a made-up key) is a failure of its own,
    and so is a line of the audit that nobody can read: it may have been a write.
    """
    excused = {_known(test) for test in expecting}
    tried = {test: requests for test, requests in audit.refused.items() if test not in excused}
    held = tuple(_failed(test, tried[_known(test.id)]) if _known(test.id) in tried else test for test in tests)
    nobodys = {test: requests for test, requests in tried.items() if test not in {_known(test.id) for test in tests}}
    if (audit.requests or {}).get(_UNREADABLE):
        nobodys["the audit"] = ("what a line that cannot be read says",)
    return held + tuple(
        _failed(TestResult(test, TestOutcome.FAILED, 0.0, 1, ""), requests) for test, requests in nobodys.items()
    )


def _failed(test: TestResult, tried: tuple[str, ...]) -> TestResult:
    reason = f"the gateway refused {', '.join(tried)}: this environment is only ever read"
    return replace(test, outcome=TestOutcome.FAILED, reason=f"{reason}\n{test.reason}".strip())


def _known(test: str) -> str:
    """Return what the gateway knows of a test's id."""
    return test[:LONGEST_TEST_ID]


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    wanted = ("test", "method", "path", "effect", "decision")
    return entry if isinstance(entry, dict) and all(name in entry for name in wanted) else None
