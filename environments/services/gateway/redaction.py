"""Keeps the real keys out of everything that leaves: answers, logs, the audit. Pure.

A key is looked for as it is, and in the spellings that an echo of the request may give it.
"""

from __future__ import annotations

import base64
import json
import logging
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HIDDEN = "[hidden]"
# Anything shorter could not be told from other text.
SHORTEST_KEY = 8


class Redactor:
    """Replaces every spelling of these keys. It never shows them."""

    def __init__(self, keys: Iterable[str]) -> None:
        spellings = {spelling for key in keys for spelling in _spellings(key)}
        # The longest first, so that of two that begin alike none is left half shown.
        alternatives = b"|".join(re.escape(each) for each in sorted(spellings, key=len, reverse=True))
        # Case aside: hex and percent escapes come in both, and a header may be folded.
        self._pattern = re.compile(alternatives or rb"(?!)", re.IGNORECASE)

    def of_bytes(self, data: bytes) -> bytes:
        return self._pattern.sub(HIDDEN.encode(), data)

    def __call__(self, text: str) -> str:
        return self.of_bytes(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


class RedactingFormatter(logging.Formatter):
    """A log line without keys, tracebacks included."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        return self._redactor(super().format(record))


def _spellings(key: str) -> Iterator[bytes]:
    plain = key.encode()
    yield plain
    yield quote(key, safe="").encode()
    yield json.dumps(key)[1:-1].encode()
    yield json.dumps(key)[1:-1].replace("/", "\\/").encode()
    yield plain.hex().encode()
    yield key.encode("utf-16-le")
    yield key.encode("utf-16-be")
    yield from _base64_inside(plain)


def _base64_inside(plain: bytes) -> Iterator[bytes]:
    """Yield how a key shows in the base64 of a text that holds it: three ways, by where in the text it begins."""
    for before in range(3):
        # What shares a character with the text around it depends on that text: only what doesn't is looked for.
        first = -(-before * 8 // 6)
        last = (before + len(plain)) * 8 // 6
        padded = b"\0" * before + plain + b"\0" * 3
        yield base64.b64encode(padded)[first:last]
        yield base64.urlsafe_b64encode(padded)[first:last]
