"""log.txt: everything a cell says, scrubbed, in the file and on the terminal."""

from __future__ import annotations

import codecs
import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from environments.results.scrubber import Scrubber

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Log:
    """Where the supervisor's own lines and pytest's output go. No secret passes, not even cut in two by a read."""

    def __init__(self, path: Path, scrub: Scrubber) -> None:
        self._file = path.open("w", encoding="utf-8")
        self.scrub = scrub
        self._decode = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._terminal = True
        # What may still turn out to be the beginning of a secret.
        self._held = ""

    def scrub_with(self, scrub: Scrubber) -> None:
        """Scrub from here on with these secrets: they are known only after the log was begun."""
        self.scrub = scrub

    def say(self, text: str) -> None:
        """Write one line of the supervisor's own."""
        self._flush()
        self._write(f"{self.scrub(text)}\n")

    def output(self, chunk: bytes) -> None:
        """Write what pytest printed, as it comes."""
        text = self.scrub(self._held + self._decode.decode(chunk))
        keep = max((len(secret) for secret in self.scrub.secrets), default=1) - 1
        cut = len(text) - keep
        self._held = text[max(cut, 0) :]
        self._write(text[: max(cut, 0)])

    def close(self) -> None:
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        held, self._held = self._held, ""
        self._write(held)

    def _write(self, text: str) -> None:
        if not text:
            return
        self._file.write(_COLOURS.sub("", text))
        self._file.flush()
        # The terminal may be gone with nox: a broken pipe, or an I/O error of a window that was closed. The file and
        # the record are still owed.
        try:
            if self._terminal:
                sys.stdout.write(text)
                sys.stdout.flush()
        except (OSError, ValueError):
            self._terminal = False
