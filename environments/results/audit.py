"""The gateway's audit as evidence: how many requests went through, and which tests tried what they may not. Pure."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from environments.results.record import TestOutcome, TestResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_REFUSED = "refused"
_COUNTED = {("forwarded", "read"): "reads", ("forwarded", "write"): "writes"}


@dataclass(frozen=True)
class Audit:
    """`requests` as in the record, None where there was no gateway; and what was refused, by test: `POST /events`."""

    requests: Mapping[str, int] | None = None
    refused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read(lines: Iterable[str]) -> Audit:
    """Sum an audit up. Half of a line, which a kill leaves, is left out."""
    entries = [entry for entry in map(_entry, lines) if entry]
    if not entries:
        return Audit()
    counts = Counter(_COUNTED.get((entry["decision"], entry["effect"]), entry["decision"]) for entry in entries)
    refused: dict[str, dict[str, None]] = {}
    for entry in entries:
        if entry["decision"] == _REFUSED and entry["test"] is not None:
            refused.setdefault(entry["test"], {}).setdefault(f"{entry['method']} {entry['path']}")
    requests = {name: counts.pop(name, 0) for name in ("reads", "writes", _REFUSED)} | dict(sorted(counts.items()))
    return Audit(requests, {test: tuple(tried) for test, tried in refused.items()})


def held_against(tests: tuple[TestResult, ...], audit: Audit, expecting: frozenset[str]) -> tuple[TestResult, ...]:
    """Fail each test that tried a write which the gateway refused, unless it says of itself that it will."""
    return tuple(
        replace(
            test,
            outcome=TestOutcome.FAILED,
            reason=f"the gateway refused {', '.join(audit.refused[test.id])}: this environment is only ever read",
        )
        if test.id in audit.refused and test.id not in expecting
        else test
        for test in tests
    )


def _entry(line: str) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    wanted = ("test", "method", "path", "effect", "decision")
    return entry if isinstance(entry, dict) and all(name in entry for name in wanted) else None
