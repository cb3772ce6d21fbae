"""The scrubber: takes secrets out of text before it is written or shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_HIDDEN = "[hidden]"
# A shorter value would blank out half of a log, and guards nothing.
_SHORTEST = 6


@dataclass(frozen=True)
class Scrubber:
    """Replaces every occurrence of these values, in a line or a whole text."""

    secrets: tuple[str, ...] = ()

    def __call__(self, text: str) -> str:
        # All of them are found before any is replaced: of two that overlap, neither must be left half shown.
        shown: list[str] = []
        at = 0
        for start, end in sorted(self._found(text)):
            if start > at or not shown:
                shown += [text[at:start], _HIDDEN]
            at = max(at, end)
        return "".join([*shown, text[at:]])

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        for secret in self.secrets:
            start = text.find(secret) if len(secret) >= _SHORTEST else -1
            while start >= 0:
                yield start, start + len(secret)
                start = text.find(secret, start + 1)
