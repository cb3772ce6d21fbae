"""The audit: one JSON line per request, written before it is answered. No bodies, no queries, no ids, no keys."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from environments.services.http.json_types import dump

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from environments.services.gateway.redaction import Redactor
    from environments.services.http.json_types import Json


class Decision(StrEnum):
    """What became of a request."""

    FORWARDED = "forwarded"  # the upstream answered, whatever it said
    REFUSED = "refused"  # by the policy: nothing was sent
    MALFORMED = "malformed"  # no HTTP, not JSON, too large, too slow: nothing was sent
    RATE_LIMITED = "rate-limited"  # a 429 went to the client: the upstream's, handed on, or the queue's
    FAILED = "failed"  # the upstream did not answer, or with something that cannot be handed on


@dataclass(slots=True)
class Entry:
    """What is said of one request."""

    method: str
    template: str
    # "read" or "write"; nothing for what is no request.
    effect: str = ""
    test: str | None = None
    decision: Decision = Decision.FAILED
    status: int = 0
    reason: str = ""
    tries: int = 0
    waited_ms: int = 0
    ms: int = 0

    def written(self) -> Mapping[str, Json]:
        """Return the line's fields."""
        return {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "test": self.test,
            "method": self.method,
            "path": self.template,
            "effect": self.effect or None,
            "decision": self.decision.value,
            "status": self.status,
            "ms": self.ms,
            "waited_ms": self.waited_ms,
            "tries": self.tries,
            "reason": self.reason,
        }


@dataclass(slots=True)
class Audit:
    """The file and the counts. A line is one write to a file opened for appending, so lines never mix."""

    path: Path
    redactor: Redactor
    counts: Counter[str] = field(default_factory=Counter)
    _descriptor: int = field(init=False)

    def __post_init__(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def add(self, entry: Entry) -> None:
        """Count a request and write its line."""
        self.counts[entry.decision.value] += 1
        os.write(self._descriptor, self.redactor(dump(entry.written()) + "\n").encode("utf-8", "replace"))

    def close(self) -> None:
        os.close(self._descriptor)
