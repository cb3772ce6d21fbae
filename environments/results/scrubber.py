"""The scrubber: takes secrets out of text before it is written or shown."""

from __future__ import annotations

from dataclasses import dataclass

_HIDDEN = "[hidden]"
# A shorter value would blank out half of a log, and guards nothing.
_SHORTEST = 6


@dataclass(frozen=True)
class Scrubber:
    """Replaces every occurrence of these values, in a line or a whole text."""

    secrets: tuple[str, ...] = ()

    def __call__(self, text: str) -> str:
        # Longest first: a key that contains another must not be left half shown.
        for secret in sorted(self.secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST:
                text = text.replace(secret, _HIDDEN)
        return text
